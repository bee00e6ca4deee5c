//! One test for each rule.

use super::*;
use crate::registry::{MAX_CHAINS, MAX_ELEMENTS_PER_CHAIN, MAX_NAMESPACES_PER_CHAIN};

/// The small registry with more keys in the element `remark`, in place of `treatment = "keep"`.
fn remark(keys: &str) -> String {
    edited("treatment = \"keep\"", keys)
}

const REMARK: &str = "chain[diabetes-study].element[remark]";

#[test]
fn ids_have_their_syntax() {
    let message = "\"GP South\" is not valid: an id is 1 to 63 characters";
    let text = edited("[\"etl\", \"steward-1\"", "[\"GP South\", \"steward-1\"");
    refused(
        &text,
        "\"GP South\"",
        "organisation[uni-research].members",
        message,
    );
    refused(
        &edited("name = \"remark\"", "name = \"GP South\""),
        "\"GP South\"",
        "chain[diabetes-study].element[#3].name",
        message,
    );
    let text = edited(
        "recipients = [\"uni-research\"]",
        "recipients = [\"GP South\"]",
    );
    refused(
        &text,
        "\"GP South\"",
        "chain[diabetes-study].recipients",
        message,
    );
    let text = edited(
        "[[namespace]]\nid = \"study.email\"",
        "[[namespace]]\nid = \"GP South\"",
    );
    assert!(
        problems(&text)
            .iter()
            .any(|p| p.path == "namespace[#2].id" && p.message.contains(message))
    );
}

#[test]
fn ids_are_unique() {
    let organisation = "[[organisation]]\nid = \"gp-south\"\nname = \"Again\"\nmembers = []\n";
    let text = format!("{SMALL}\n{organisation}");
    refused(
        &text,
        "id = \"gp-south\"\nname = \"Again\"",
        "organisation[gp-south].id",
        "is there already, on line 8",
    );

    let namespace = "[[namespace]]\nid = \"nl.bsn\"\ninput = \"plain\"\nidentifier = \"text\"\n";
    let text = format!("{SMALL}\n{namespace}");
    refused(
        &text,
        "id = \"nl.bsn\"\ninput",
        "namespace[nl.bsn].id",
        "namespace \"nl.bsn\" is there already",
    );

    let chain = &SMALL[SMALL.find("[[chain]]").expect("has a chain")..];
    let found = problems(&format!("{SMALL}\n{chain}"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].path, "chain[diabetes-study].id");
}

#[test]
fn a_chain_names_a_namespace_once() {
    let text = edited(
        "[[chain.namespace]]\nid = \"study.email\"",
        "[[chain.namespace]]\nreversible = false\nid = \"nl.bsn\"",
    );
    let path = "chain[diabetes-study].namespace[nl.bsn].id";
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (
            found[0].path.as_str(),
            found[0].message.contains("is there already")
        ),
        (path, true)
    );
}

#[test]
fn element_names_are_unique() {
    let path = "chain[diabetes-study].element[visit].name";
    refused(
        &edited("name = \"remark\"", "name = \"visit\" # again"),
        "# again",
        path,
        "is there already",
    );
}

#[test]
fn nobody_is_listed_twice() {
    let text = edited(
        "stewards = [\"steward-1\", \"steward-2\"]",
        "stewards = [\"steward-1\", \"steward-2\", \"steward-1\"]",
    );
    refused(
        &text,
        "stewards = ",
        "organisation[uni-research].stewards",
        "\"steward-1\" is listed twice",
    );
    let text = edited("sources = [\"hospital-north\",", "sources = [\"gp-south\",");
    refused(
        &text,
        "sources = ",
        "chain[diabetes-study].sources",
        "\"gp-south\" is listed twice",
    );
}

#[test]
fn organisations_of_a_chain_exist() {
    let message = "there is no organisation \"nobody\"; add it as [[organisation]]";
    for (key, from) in [
        ("owner", "owner = \"uni-research\""),
        ("sources", "sources = [\"hospital-north\", \"gp-south\"]"),
        ("recipients", "recipients = [\"uni-research\"]"),
        (
            "reidentify_to",
            "reidentify_to = [\"hospital-north\", \"gp-south\"]",
        ),
    ] {
        let to = if key == "owner" {
            "owner = \"nobody\"".to_owned()
        } else {
            format!("{key} = [\"nobody\"]")
        };
        refused(
            &edited(from, &to),
            &to,
            &format!("chain[diabetes-study].{key}"),
            message,
        );
    }
}

#[test]
fn namespaces_of_a_chain_exist() {
    let text = edited(
        "[[chain.namespace]]\nid = \"study.email\"",
        "[[chain.namespace]]\nid = \"study.mail\"",
    );
    let path = "chain[diabetes-study].namespace[study.mail].id";
    refused(
        &text,
        "\"study.mail\"",
        path,
        "there is no namespace \"study.mail\"; add it as [[namespace]]",
    );
}

#[test]
fn the_namespace_of_an_element_is_one_of_the_chain() {
    let text = edited(
        "[[chain.namespace]]\nid = \"nl.bsn\"\nlink = \"escrow\"\n",
        "",
    );
    let path = "chain[diabetes-study].element[bsn].namespace";
    refused(
        &text,
        "namespace = \"nl.bsn\"",
        path,
        "the chain does not list namespace \"nl.bsn\"",
    );
}

#[test]
fn the_subject_of_a_date_shift_is_a_pseudonym_of_the_chain() {
    let path = "chain[diabetes-study].element[visit].subject";
    refused(
        &edited("subject = \"bsn\"", "subject = \"nothing\""),
        "subject = ",
        path,
        "\"nothing\" is not an element of this chain",
    );
    refused(
        &edited("subject = \"bsn\"", "subject = \"remark\""),
        "subject = ",
        path,
        "\"remark\" is not a pseudonym element",
    );
    refused(
        &edited("subject = \"bsn\"", "subject = \"visit\""),
        "subject = ",
        path,
        "\"visit\" is not a pseudonym element",
    );
}

#[test]
fn a_date_shift_may_come_before_its_subject() {
    let text = edited(
        "name = \"bsn\"\ntreatment = \"pseudonym\"\nnamespace = \"nl.bsn\"",
        "name = \"first\"\ntreatment = \"drop\"",
    ) + "[[chain.element]]\nname = \"bsn\"\ntreatment = \"pseudonym\"\nnamespace = \"nl.bsn\"\n";
    assert!(parse(&text).is_ok());
}

#[test]
fn a_custodian_is_no_steward() {
    let custodian = ["uni-research/steward-2"
        .parse::<Identity>()
        .expect("an identity")];
    let found = Registry::parse(SMALL, &custodian).expect_err("must be refused");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].path, "organisation[uni-research].stewards");
    assert!(
        found[0].message.contains("\"steward-2\" is a custodian"),
        "{}",
        found[0]
    );

    let elsewhere = ["gp-south/steward-2"
        .parse::<Identity>()
        .expect("an identity")];
    assert!(
        Registry::parse(SMALL, &elsewhere).is_ok(),
        "the same name in another organisation is somebody else"
    );
}

#[test]
fn roles_are_for_members() {
    for (from, to, key) in [
        (
            "stewards = [\"steward-1\", \"steward-2\"]",
            "stewards = [\"steward-1\", \"steward-2\", \"ghost\"]",
            "stewards",
        ),
        (
            "auditors = [\"privacy-officer\"]",
            "auditors = [\"ghost\"]",
            "auditors",
        ),
        ("blocked = []", "blocked = [\"ghost\"]", "blocked"),
    ] {
        let path = format!("organisation[uni-research].{key}");
        refused(
            &edited(from, to),
            to,
            &path,
            "\"ghost\" is not one of the organisation's `members`",
        );
    }
    let text = edited(
        "members = [\"*\"]",
        "members = [\"*\"]\nblocked = [\"anybody\"]",
    );
    assert!(
        parse(&text).is_ok(),
        "\"*\" admits all, so anybody can be blocked"
    );
}

#[test]
fn the_star_stands_alone() {
    let text = edited("members = [\"*\"]", "members = [\"etl\", \"*\"]");
    refused(
        &text,
        "members = [\"etl\", \"*\"]",
        "organisation[gp-south].members",
        "stands alone",
    );
    let text = edited("members = [\"*\"]", "members = \"all\"");
    refused(
        &text,
        "members = \"all\"",
        "organisation[gp-south].members",
        "or \"*\" for every member",
    );
    assert_eq!(
        parse(&edited("members = [\"*\"]", "members = \"*\"")).as_ref(),
        Ok(&small())
    );
}

#[test]
fn an_organisation_has_a_readable_name() {
    for name in ["\"\"", "\"a\\nb\"", &format!("\"{}\"", "x".repeat(201))] {
        let to = format!("name = {name}");
        refused(
            &edited("name = \"GPs South\"", &to),
            &to,
            "organisation[gp-south].name",
            "a name is 1 to 200 characters",
        );
    }
}

#[test]
fn an_owner_has_two_stewards() {
    let text = edited(
        "stewards = [\"steward-1\", \"steward-2\"]",
        "stewards = [\"steward-1\"]",
    )
    .replace(&key("uni-research/steward-2", 2), "");
    refused(
        &text,
        "owner = ",
        "chain[diabetes-study].owner",
        "has 1 of the 2 stewards",
    );
    refused(
        &text,
        "owner = ",
        "chain[diabetes-study].owner",
        "changes of it the signatures, of different stewards",
    );
    let text = edited("owner = \"uni-research\"", "owner = \"gp-south\"");
    refused(
        &text,
        "owner = ",
        "chain[diabetes-study].owner",
        "has 0 of the 2 stewards",
    );
}

#[test]
fn an_owner_has_a_steward_for_each_approval() {
    let text = edited("reidentify_approvals = 2", "reidentify_approvals = 3");
    refused(
        &text,
        "owner = ",
        "chain[diabetes-study].owner",
        "has 2 of the 3 stewards",
    );
}

#[test]
fn a_steward_can_be_blocked_without_breaking_the_chain() {
    let registry = parse(&edited("blocked = []", "blocked = [\"steward-1\"]")).expect("valid");
    let uni = registry
        .organisation(&"uni-research".parse().expect("id"))
        .expect("there");
    let steward = "steward-1".parse().expect("id");
    assert!(uni.is_blocked(&steward) && uni.is_steward(&steward) && uni.is_member(&steward));
}

#[test]
fn approvals_never_fall_below_two() {
    for number in ["0", "1", "256", "99999999999"] {
        let to = format!("reidentify_approvals = {number}");
        let text = edited("reidentify_approvals = 2", &to);
        refused(
            &text,
            &to,
            "chain[diabetes-study].reidentify_approvals",
            "must be 2 to 255: no grant comes alive on one person's word",
        );
    }
    let to = "reidentify_approvals = -2";
    refused(
        &edited("reidentify_approvals = 2", to),
        to,
        "chain[diabetes-study].reidentify_approvals",
        "not below zero",
    );
}

#[test]
fn a_chain_has_a_source() {
    let to = "sources = []";
    let text = edited("sources = [\"hospital-north\", \"gp-south\"]", to);
    refused(
        &text,
        to,
        "chain[diabetes-study].sources",
        "at least one source",
    );
}

#[test]
fn a_chain_has_an_element() {
    let text = &SMALL[..SMALL.find("[[chain.element]]").expect("has elements")];
    refused(
        text,
        "[[chain]]",
        "chain[diabetes-study].element",
        "at least one element",
    );
}

#[test]
fn a_retention_is_a_number_and_a_unit() {
    for wrong in [
        "", "y", "10", "0d", "010y", "10h", "+5d", "-1d", "10 y", "99999d", "1.5y", "10é",
    ] {
        let to = format!("retention = \"{wrong}\"");
        refused(
            &edited("retention = \"10y\"", &to),
            &to,
            "chain[diabetes-study].retention",
            "a retention is a whole number",
        );
    }
}

#[test]
fn delivery_to_the_recipient_is_reserved() {
    let path = "chain[diabetes-study].deliver";
    let text = edited("deliver = \"caller\"", "deliver = \"recipient\"");
    refused(
        &text,
        "deliver = ",
        path,
        "reserved for a later version; use \"caller\"",
    );
    let text = edited("deliver = \"caller\"", "deliver = \"postman\"");
    refused(
        &text,
        "deliver = ",
        path,
        "\"postman\" is unknown; use one of \"caller\"",
    );
}

#[test]
fn oprf_input_and_composites_are_reserved() {
    let text = edited("input = \"prehash\"", "input = \"oprf\"");
    refused(
        &text,
        "input = \"oprf\"",
        "namespace[study.email].input",
        "reserved for a later version",
    );
    let text = edited(
        "input = \"prehash\"",
        "input = \"prehash\"\nparts = [\"text\", \"date\"]",
    );
    refused(
        &text,
        "parts = ",
        "namespace[study.email].parts",
        "reserved for a later version",
    );
}

#[test]
fn words_are_known() {
    let namespace = "namespace[nl.bsn]";
    let text = edited("identifier = \"nl-bsn\"", "identifier = \"bsn\"");
    refused(
        &text,
        "\"bsn\"",
        &format!("{namespace}.identifier"),
        "an identifier kind is one of",
    );
    let text = edited("input = \"plain\"", "input = \"clear\"");
    refused(
        &text,
        "\"clear\"",
        &format!("{namespace}.input"),
        "use one of \"plain\", \"prehash\"",
    );
    let text = edited("checksum = \"strict\"", "checksum = \"none\"");
    refused(
        &text,
        "\"none\"",
        &format!("{namespace}.checksum"),
        "use one of \"strict\", \"off\"",
    );
    let text = edited("link = \"escrow\"", "link = \"both\"");
    let path = "chain[diabetes-study].namespace[nl.bsn].link";
    refused(
        &text,
        "\"both\"",
        path,
        "use one of \"escrow\", \"carried\", \"inbound\", \"none\"",
    );
    refused(
        &remark("treatment = \"hash\""),
        "\"hash\"",
        &format!("{REMARK}.treatment"),
        "use one of \"pseudonym\", \"encrypt\"",
    );
}

#[test]
fn reversible_needs_escrow() {
    let path = "chain[diabetes-study].namespace[nl.bsn].reversible";
    for link in ["carried", "inbound", "none"] {
        let text = edited(
            "link = \"escrow\"",
            &format!("link = \"{link}\"\nreversible = true"),
        );
        refused(
            &text,
            "reversible",
            path,
            &format!("link \"{link}\" keeps no escrow"),
        );
        assert!(parse(&text.replace("reversible = true", "reversible = false")).is_ok());
    }
    assert!(parse(&edited("link = \"escrow\"", "reversible = true")).is_ok());
}

#[test]
fn reversible_needs_plain_input() {
    let text = edited(
        "[[chain.namespace]]\nid = \"study.email\"",
        "[[chain.namespace]]\nreversible = true\nid = \"study.email\"",
    );
    let path = "chain[diabetes-study].namespace[study.email].reversible";
    refused(
        &text,
        "reversible",
        path,
        "the custodian never sees the identifier",
    );
}

#[test]
fn treatments_have_their_parameters() {
    for (keys, missing) in [
        ("treatment = \"pseudonym\"", "namespace"),
        ("treatment = \"date-shift\"\nsubject = \"bsn\"", "max_days"),
        ("treatment = \"date-shift\"\nmax_days = 3", "subject"),
        ("treatment = \"generalise\"", "to"),
        (
            "treatment = \"generalise\"\nto = \"age-band\"\nwidth = 5",
            "reference",
        ),
        (
            "treatment = \"generalise\"\nto = \"age-band\"\nreference = 2026-01-01",
            "width",
        ),
        ("treatment = \"generalise\"\nto = \"prefix\"", "length"),
        ("treatment = \"generalise\"\nto = \"band\"", "width"),
    ] {
        let text = remark(keys);
        let entry = "[[chain.element]]\nname = \"remark\"";
        refused(
            &text,
            entry,
            &format!("{REMARK}.{missing}"),
            &format!("needs `{missing}`; add it"),
        );
    }
}

#[test]
fn treatments_have_no_other_parameters() {
    for (keys, surplus) in [
        ("treatment = \"keep\"\nnamespace = \"nl.bsn\"", "namespace"),
        ("treatment = \"drop\"\nto = \"year\"", "to"),
        ("treatment = \"encrypt\"\nsubject = \"bsn\"", "subject"),
        (
            "treatment = \"pseudonym\"\nnamespace = \"nl.bsn\"\nmax_days = 3",
            "max_days",
        ),
        (
            "treatment = \"date-shift\"\nsubject = \"bsn\"\nmax_days = 3\nwidth = 1",
            "width",
        ),
        (
            "treatment = \"generalise\"\nto = \"year\"\nreference = \"2026-01-01\"",
            "reference",
        ),
        (
            "treatment = \"generalise\"\nto = \"prefix\"\nlength = 4\nwidth = 4",
            "width",
        ),
        (
            "treatment = \"generalise\"\nto = \"band\"\nwidth = 4\nlength = 4",
            "length",
        ),
    ] {
        let text = remark(keys);
        let marker = format!("\n{surplus} = ");
        let start = text.find("name = \"remark\"").expect("there");
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].path, format!("{REMARK}.{surplus}"));
        assert!(
            found[0]
                .message
                .contains(&format!("takes no `{surplus}`; remove it")),
            "{}",
            found[0]
        );
        let byte = start + text[start..].find(&marker).expect("there") + 1;
        assert_eq!(
            found[0].line as usize,
            text[..byte].matches('\n').count() + 1
        );
    }
}

#[test]
fn generalisations_are_known_and_have_a_size() {
    let text = remark("treatment = \"generalise\"\nto = \"week\"\nwidth = 3");
    refused(
        &text,
        "\"week\"",
        &format!("{REMARK}.to"),
        "use one of \"year\", \"month\"",
    );
    for (keys, key) in [
        (
            "to = \"age-band\"\nreference = 2026-01-01\nwidth = 0",
            "width",
        ),
        (
            "to = \"age-band\"\nreference = 2026-01-01\nwidth = 65536",
            "width",
        ),
        ("to = \"prefix\"\nlength = 0", "length"),
        ("to = \"band\"\nwidth = 0", "width"),
        ("to = \"band\"\nwidth = 4294967296", "width"),
    ] {
        let text = remark(&format!("treatment = \"generalise\"\n{keys}"));
        refused(
            &text,
            &format!("{key} = "),
            &format!("{REMARK}.{key}"),
            "must be 1 to ",
        );
    }
}

#[test]
fn a_reference_is_a_date() {
    let with = |date: &str| {
        remark(&format!(
            "treatment = \"generalise\"\nto = \"age-band\"\nwidth = 5\nreference = {date}"
        ))
    };
    for date in ["2026-01-31", "\"2026-01-31\""] {
        assert!(parse(&with(date)).is_ok(), "{date}");
    }
    for date in [
        "\"2026-02-30\"",
        "\"31-01-2026\"",
        "\"\"",
        "2026-01-31T00:00:00Z",
        "09:30:00",
        "2026",
    ] {
        refused(
            &with(date),
            "reference = ",
            &format!("{REMARK}.reference"),
            "YYYY-MM-DD",
        );
    }
}

#[test]
fn a_date_shift_moves_by_one_day_to_a_century() {
    for days in ["0", "36501"] {
        let text = edited("max_days = 30", &format!("max_days = {days}"));
        refused(
            &text,
            "max_days",
            "chain[diabetes-study].element[visit].max_days",
            "must be 1 to 36500",
        );
    }
    for days in ["1", "36500"] {
        assert!(parse(&edited("max_days = 30", &format!("max_days = {days}"))).is_ok());
    }
}

#[test]
fn there_are_limits() {
    let chain = &SMALL[SMALL.find("[[chain]]").expect("has a chain")..];
    let chains = |n: usize| {
        (0..n)
            .map(|i| chain.replace("id = \"diabetes-study\"", &format!("id = \"chain-{i}\"")))
            .collect::<String>()
    };
    let parties = &SMALL[..SMALL.len() - chain.len()];
    assert!(parse(&format!("{parties}{}", chains(MAX_CHAINS))).is_ok());
    let found = problems(&format!("{parties}{}", chains(MAX_CHAINS + 1)));
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("at most 1000 chains"));

    let elements = |n: usize| {
        (0..n)
            .map(|i| format!("[[chain.element]]\nname = \"e{i}\"\ntreatment = \"drop\"\n"))
            .collect::<String>()
    };
    assert!(parse(&format!("{SMALL}{}", elements(MAX_ELEMENTS_PER_CHAIN - 3))).is_ok());
    let found = problems(&format!("{SMALL}{}", elements(MAX_ELEMENTS_PER_CHAIN - 2)));
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("at most 4096 elements"));

    let namespaces = |n: usize| {
        let lines = (0..n).map(|i| format!("[[chain.namespace]]\nid = \"n{i}\"\n"));
        let entries = (0..n).map(|i| {
            format!("[[namespace]]\nid = \"n{i}\"\nidentifier = \"text\"\ninput = \"plain\"\n")
        });
        format!(
            "{SMALL}{}{}",
            lines.collect::<String>(),
            entries.collect::<String>()
        )
    };
    assert!(parse(&namespaces(MAX_NAMESPACES_PER_CHAIN - 2)).is_ok());
    let found = problems(&namespaces(MAX_NAMESPACES_PER_CHAIN - 1));
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("at most 64 namespaces"));
}
