//! From text: types, unknown keys, places, and all errors at once.

use proptest::prelude::*;

use super::*;

#[test]
fn an_empty_text_is_the_empty_registry() {
    assert_eq!(parse(""), Ok(Registry::empty()));
    assert_eq!(parse("# nothing yet\n"), Ok(Registry::empty()));
}

#[test]
fn a_syntax_error_is_a_single_problem_with_its_place() {
    let found = problems("[[organisation]]\nid = \"a\nname = 3\n[[chain]\n");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].line, found[0].path.as_str()), (2, ""));
    assert!(
        found[0]
            .to_string()
            .starts_with("line 2: this is not valid TOML: "),
        "{}",
        found[0]
    );
    let found = problems("[[chain]]\nid = \"a\"\nid = \"b\"\n");
    assert_eq!(
        (found.len(), found[0].line, found[0].column),
        (1, 3, 1),
        "{found:#?}"
    );
}

#[test]
fn unknown_keys_are_refused_each_one() {
    let text = edited("retention = \"10y\"", "retentoin = \"10y\"")
        .replace("checksum = \"strict\"", "\"check sum\" = \"strict\"")
        .replace("link = \"escrow\"", "link = \"escrow\"\ncolour = 1")
        .replace("max_days = 30", "max_days = 30\nmin_days = 3")
        .replace("auditors =", "auditor =")
        + "\n[daemon]\nport = 3\n";
    let paths: Vec<String> = problems(&text)
        .into_iter()
        .map(|problem| problem.path)
        .collect();
    assert_eq!(
        paths,
        [
            "organisation[uni-research].auditor",
            "namespace[nl.bsn].\"check sum\"",
            "chain[diabetes-study].retentoin",
            "chain[diabetes-study].namespace[nl.bsn].colour",
            "chain[diabetes-study].element[visit].min_days",
            "daemon",
        ]
    );
}

#[test]
fn an_unknown_key_is_answered_with_the_known_ones() {
    let text = edited("link = \"escrow\"", "links = \"escrow\"");
    refused(
        &text,
        "links",
        "chain[diabetes-study].namespace[nl.bsn].links",
        "unknown key; known here: id, link, reversible",
    );
}

#[test]
fn wrong_types_are_located() {
    for (from, to, path, message) in [
        (
            "owner = \"uni-research\"",
            "owner = 7",
            "owner",
            "must be a text in quotes; this is a number",
        ),
        (
            "reidentify_approvals = 2",
            "reidentify_approvals = \"2\"",
            "reidentify_approvals",
            "this is \"2\"",
        ),
        (
            "reidentify_approvals = 2",
            "reidentify_approvals = 2.5",
            "reidentify_approvals",
            "must be a whole number, not below zero and without quotes; this is a number",
        ),
        (
            "recipients = [\"uni-research\"]",
            "recipients = \"uni-research\"",
            "recipients",
            "must be a list of texts in quotes",
        ),
        (
            "retention = \"10y\"",
            "retention = [\"10y\"]",
            "retention",
            "this is a list",
        ),
        (
            "link = \"escrow\"",
            "reversible = \"yes\"",
            "namespace[nl.bsn].reversible",
            "must be true or false",
        ),
        (
            "max_days = 30",
            "max_days = true",
            "element[visit].max_days",
            "this is true",
        ),
    ] {
        refused(
            &edited(from, to),
            to,
            &format!("chain[diabetes-study].{path}"),
            message,
        );
    }
}

#[test]
fn a_wrong_item_of_a_list_is_located() {
    let text = edited(
        "recipients = [\"uni-research\"]",
        "recipients = [\n  \"uni-research\",\n  1,\n  true,\n]",
    );
    let found = problems(&text);
    let first = text
        .find("  1,")
        .map(|byte| text[..byte].matches('\n').count() as u32 + 1)
        .expect("there");
    let places: Vec<(u32, u32)> = found
        .iter()
        .map(|problem| (problem.line, problem.column))
        .collect();
    assert_eq!(places, [(first, 3), (first + 1, 3)], "{found:#?}");
}

#[test]
fn entries_are_lists_of_tables() {
    refused(
        "[organisation]\nid = \"a\"\n",
        "[organisation]",
        "organisation",
        "write [[organisation]]",
    );
    refused("chain = 3\n", "chain", "chain", "write [[chain]]");
    refused(
        "chain = [3]\n",
        "chain",
        "chain[#1]",
        "must be a table; write [[chain]]",
    );
    let text = edited(
        "deliver = \"caller\"",
        "deliver = \"caller\"\nnamespace = 3",
    )
    .replace(
        "[[chain.namespace]]\nid = \"nl.bsn\"\nlink = \"escrow\"\n",
        "",
    )
    .replace("[[chain.namespace]]\nid = \"study.email\"\n", "");
    assert!(
        problems(&text)
            .iter()
            .any(|p| p.path == "chain[diabetes-study].namespace"
                && p.message.contains("[[chain.namespace]]"))
    );
}

#[test]
fn what_is_required_is_missed_where_the_entry_begins() {
    let found = problems(
        "\n[[organisation]]\n\n[[namespace]]\n\n[[chain]]\n[[chain.namespace]]\n[[chain.element]]\n",
    );
    let shown: Vec<(u32, &str)> = found
        .iter()
        .map(|problem| (problem.line, problem.path.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (2, "organisation[#1].id"),
            (2, "organisation[#1].name"),
            (2, "organisation[#1].members"),
            (4, "namespace[#1].id"),
            (4, "namespace[#1].identifier"),
            (4, "namespace[#1].input"),
            (6, "chain[#1].id"),
            (6, "chain[#1].owner"),
            (6, "chain[#1].sources"),
            (7, "chain[#1].namespace[#1].id"),
            (8, "chain[#1].element[#1].name"),
            (8, "chain[#1].element[#1].treatment"),
        ]
    );
    assert!(
        found
            .iter()
            .all(|problem| problem.message.contains("is required")),
        "{found:#?}"
    );
}

#[test]
fn all_errors_come_at_once_in_the_order_of_the_text() {
    let text = edited("name = \"Hospital North\"", "name = 1")
        .replace("input = \"prehash\"", "input = \"oprf\"")
        .replace("reidentify_approvals = 2", "reidentify_approvals = 1")
        .replace("namespace = \"nl.bsn\"", "namespace = \"nl.bns\"")
        .replace("max_days = 30", "max_days = 0\nsurplus = 1");
    let paths: Vec<String> = problems(&text)
        .into_iter()
        .map(|problem| problem.path)
        .collect();
    assert_eq!(
        paths,
        [
            "organisation[hospital-north].name",
            "namespace[study.email].input",
            "chain[diabetes-study].reidentify_approvals",
            "chain[diabetes-study].element[bsn].namespace",
            "chain[diabetes-study].element[visit].max_days",
            "chain[diabetes-study].element[visit].surplus",
        ],
        "each error once, and nothing that only follows from another"
    );
}

#[test]
fn what_is_broken_is_not_missed_as_well() {
    let text = edited(
        "stewards = [\"steward-1\", \"steward-2\"]",
        "stewards = \"steward-1\"",
    );
    refused(
        &text,
        "stewards = \"steward-1\"",
        "organisation[uni-research].stewards",
        "must be a list",
    );
    let text = edited(
        "members = [\"etl\", \"steward-1\"",
        "members = [\"ETL\", \"steward-1\"",
    );
    refused(
        &text,
        "\"ETL\"",
        "organisation[uni-research].members",
        "is not valid",
    );
    let text = edited("treatment = \"pseudonym\"\n", "treatment = \"pseudonim\"\n");
    refused(
        &text,
        "pseudonim",
        "chain[diabetes-study].element[bsn].treatment",
        "is unknown",
    );
    refused(
        &edited("subject = \"bsn\"", "subject = \"B S N\""),
        "B S N",
        "chain[diabetes-study].element[visit].subject",
        "is not valid",
    );
}

#[test]
fn columns_count_characters() {
    let found = problems("organisation = [{ id = \"é\", nàme = 1 }]\n");
    assert_eq!(
        found.len(),
        1,
        "a bare key is ASCII, so this is no TOML: {found:#?}"
    );
    let found = problems("organisation = [{ name = \"éé\", id = 1, members = [] }]\n");
    assert_eq!((found[0].line, found[0].column), (1, 37), "{found:#?}");
}

#[test]
fn a_flood_of_problems_is_cut() {
    let text = "[[chain]]\nwrong = 1\n".repeat(2_000);
    let found = problems(&text);
    assert_eq!(found.len(), 1_001);
    assert!(
        found[1_000]
            .message
            .ends_with("further problems are not shown; repair these first"),
        "{}",
        found[1_000]
    );
}

#[test]
fn a_long_value_is_quoted_in_part() {
    let found = problems(&edited(
        "owner = \"uni-research\"",
        &format!("owner = \"{}\"", "é".repeat(5_000)),
    ));
    assert!(found[0].message.len() < 400, "{}", found[0]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = parse(&text);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_damage_to_the_sample_panics(from in 0..SAMPLE.len(), length in 0..80usize, put in "[ -~\n]{0,12}") {
        let to = (from + length).min(SAMPLE.len());
        let text = format!("{}{put}{}", &SAMPLE[..from], &SAMPLE[to..]);
        check(&text);
    }

    #[test]
    fn lines_in_any_order_never_panic(order in proptest::collection::vec(any::<prop::sample::Index>(), 1..60)) {
        let lines: Vec<&str> = SAMPLE.lines().filter(|line| line.contains(['=', '['])).collect();
        let text: String = order.iter().flat_map(|index| [*index.get(&lines), "\n"]).collect();
        check(&text);
    }
}

/// What parses keeps the promises; what does not has problems inside the text.
fn check(text: &str) {
    match parse(text) {
        Ok(registry) => {
            let keys: std::collections::BTreeSet<_> = registry.keys().map(|(_, key)| key).collect();
            let stewards: usize = registry
                .organisations()
                .map(|organisation| organisation.stewards().len())
                .sum();
            assert_eq!(
                (keys.len(), registry.keys().len()),
                (stewards, stewards),
                "each steward has one, each different"
            );
            for (holder, _) in registry.keys() {
                let of = registry
                    .organisation(&holder.organisation)
                    .expect("a holder is of an organisation");
                assert!(of.is_steward(&holder.member));
            }
            for chain in registry.chains() {
                let stewards = registry
                    .owner(chain)
                    .expect("an owner is registered")
                    .stewards()
                    .len();
                assert!(
                    stewards >= usize::from(chain.reidentify_approvals())
                        && chain.reidentify_approvals() >= 2
                );
                assert!(!chain.sources().is_empty() && !chain.elements().is_empty());
                let quotas = chain.sources().iter().map(|source| chain.quota(source));
                for quota in quotas {
                    assert!(
                        quota.subjects_per_day != Some(0) && quota.requests_per_minute != Some(0)
                    );
                    assert!(
                        quota
                            .rejected_percent
                            .is_none_or(|percent| (1..=100).contains(&percent))
                    );
                }
                for element in chain.elements() {
                    assert_eq!(chain.element(element.name()), Some(element));
                    assert!(
                        element
                            .treatment()
                            .namespace()
                            .is_none_or(|id| chain.namespace(id).is_some())
                    );
                }
            }
        }
        Err(found) => {
            assert!(!found.is_empty());
            let lines = text.matches('\n').count() as u32 + 1;
            assert!(
                found
                    .iter()
                    .all(|problem| (1..=lines).contains(&problem.line) && problem.column >= 1),
                "{found:#?}"
            );
            assert!(
                found.is_sorted_by_key(|problem| (problem.line, problem.column)),
                "{found:#?}"
            );
        }
    }
}
