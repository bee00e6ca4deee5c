//! Who must sign a change.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::registry::{Change, REQUIRED_SIGNATURES, Requirement, Signers, diff, required_signers};

/// A second organisation that can own chains.
const OFFICE: &str = "\n[[organisation]]\nid = \"office\"\nname = \"Office\"\nmembers = [\"a\", \"b\"]\n\
                      stewards = [\"a\", \"b\"]\n";

fn with_office() -> String {
    SMALL.to_owned() + OFFICE + &key("office/a", 11) + &key("office/b", 12)
}

fn a_chain_of(owner: &str) -> String {
    format!(
        "\n[[chain]]\nid = \"extra\"\nowner = \"{owner}\"\nsources = [\"gp-south\"]\n\
         [[chain.element]]\nname = \"x\"\ntreatment = \"keep\"\n"
    )
}

/// Who must sign, and for which paths: `custodians: ...`, `uni-research: ...`.
fn signers(old: &str, new: &str) -> Vec<String> {
    required_signers(&parse(old).expect("valid"), &parse(new).expect("valid"))
        .into_iter()
        .map(
            |Requirement {
                 signers,
                 count,
                 because,
             }| {
                assert_eq!(count, 2);
                let who = match signers {
                    Signers::Custodians => "custodians".to_owned(),
                    Signers::StewardsOf(organisation) => organisation.to_string(),
                };
                format!("{who}: {}", because.join(" "))
            },
        )
        .collect()
}

#[test]
fn no_change_needs_nobody() {
    assert!(signers(SMALL, SMALL).is_empty());
    assert!(signers(SAMPLE, &format!("{SAMPLE}\n# a comment\n")).is_empty());
}

#[test]
fn a_first_registration_is_for_the_custodians_alone() {
    let found = required_signers(&Registry::empty(), &small());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].signers, Signers::Custodians);
    assert_eq!(
        found[0].because.len(),
        diff(&Registry::empty(), &small()).len()
    );
}

#[test]
fn what_protects_a_chain_needs_two_stewards_of_its_owner_and_nobody_else() {
    for (from, to, part) in [
        (
            "sources = [\"hospital-north\", \"gp-south\"]",
            "sources = [\"gp-south\"]",
            "sources",
        ),
        (
            "recipients = [\"uni-research\"]",
            "recipients = [\"gp-south\"]",
            "recipients",
        ),
        (
            "reidentify_to = [\"hospital-north\", \"gp-south\"]",
            "reidentify_to = []",
            "reidentify_to",
        ),
        ("retention = \"10y\"", "retention = \"11y\"", "retention"),
        ("retention = \"10y\"\n", "", "retention"),
        (
            "deliver = \"caller\"\n",
            "[[chain.quota]]\nsubjects_per_day = 9\n",
            "quota[*]",
        ),
        (
            "deliver = \"caller\"\n",
            "[[chain.quota]]\nsource = \"gp-south\"\nsubjects_per_day = 9\n",
            "quota[gp-south]",
        ),
        ("link = \"escrow\"", "link = \"none\"", "namespace[nl.bsn]"),
        (
            "link = \"escrow\"",
            "reversible = true",
            "namespace[nl.bsn]",
        ),
        (
            "[[chain.namespace]]\nid = \"study.email\"\n",
            "",
            "namespace[study.email]",
        ),
        (
            "treatment = \"keep\"",
            "treatment = \"drop\"",
            "element[remark]",
        ),
        (
            "treatment = \"keep\"",
            "treatment = \"encrypt\"",
            "element[remark]",
        ),
    ] {
        let new = edited(from, to);
        let expected = format!("uni-research: chain[diabetes-study].{part}");
        assert_eq!(signers(SMALL, &new), [expected.as_str()], "{to:?}");
        assert_eq!(
            signers(&new, SMALL),
            [expected.as_str()],
            "back from {to:?}"
        );
    }
}

#[test]
fn fewer_approvals_are_for_the_stewards() {
    let three = edited(
        "stewards = [\"steward-1\", \"steward-2\"]",
        "stewards = [\"steward-1\", \"steward-2\", \"etl\"]",
    ) + &key("uni-research/etl", 3);
    let more = three.replace("reidentify_approvals = 2", "reidentify_approvals = 3");
    assert_eq!(
        signers(&more, &three),
        ["uni-research: chain[diabetes-study].reidentify_approvals"]
    );
}

#[test]
fn what_protects_nobody_is_for_the_custodians() {
    for (from, to, path) in [
        (
            "name = \"GPs South\"",
            "name = \"GPs\"",
            "organisation[gp-south].name",
        ),
        (
            "members = [\"*\"]",
            "members = [\"etl\"]",
            "organisation[gp-south].members",
        ),
        (
            "auditors = [\"privacy-officer\"]",
            "auditors = []",
            "organisation[uni-research].auditors",
        ),
        (
            "blocked = []",
            "blocked = [\"steward-1\"]",
            "organisation[uni-research].blocked",
        ),
        (
            "checksum = \"strict\"",
            "checksum = \"off\"",
            "namespace[nl.bsn].checksum",
        ),
    ] {
        assert_eq!(
            signers(SMALL, &edited(from, to)),
            [format!("custodians: {path}")],
            "{to:?}"
        );
    }
}

#[test]
fn stewards_and_their_keys_are_for_their_own_organisation() {
    let third = edited(
        "stewards = [\"steward-1\", \"steward-2\"]",
        "stewards = [\"steward-1\", \"steward-2\", \"etl\"]",
    ) + &key("uni-research/etl", 3);
    let both = ["uni-research: organisation[uni-research].stewards key[uni-research/etl]"];
    assert_eq!(signers(SMALL, &third), both);
    assert_eq!(signers(&third, SMALL), both, "also when one goes");
    let own = key("uni-research/steward-2", 2);
    let other = SMALL.replace(&own, &key("uni-research/steward-2", 3));
    assert_eq!(
        signers(SMALL, &other),
        ["uni-research: key[uni-research/steward-2]"]
    );
}

#[test]
fn the_first_stewards_are_for_the_custodians_and_one_steward_is_not_yet_two() {
    let one = edited(
        "members = [\"etl\"]",
        "members = [\"etl\", \"z\"]\nstewards = [\"etl\"]",
    ) + &key("hospital-north/etl", 3);
    let two = one.replace("stewards = [\"etl\"]", "stewards = [\"etl\", \"z\"]")
        + &key("hospital-north/z", 4);
    let three = two
        .replace("stewards = [\"etl\", \"z\"]", "stewards = [\"z\"]")
        .replace(&key("hospital-north/etl", 3), "");
    assert_eq!(
        signers(&one, &two),
        ["custodians: organisation[hospital-north].stewards key[hospital-north/z]"]
    );
    assert_eq!(
        signers(&two, &three),
        ["hospital-north: organisation[hospital-north].stewards key[hospital-north/etl]"]
    );
}

#[test]
fn blocked_stewards_still_guard_their_organisation() {
    let blocked = edited("blocked = []", "blocked = [\"steward-1\", \"steward-2\"]");
    let new = blocked.replace("retention = \"10y\"", "retention = \"1d\"");
    assert_eq!(
        signers(&blocked, &new),
        ["uni-research: chain[diabetes-study].retention"]
    );
}

#[test]
fn a_chain_that_changes_hands_is_signed_by_both_owners() {
    let new = with_office()
        .replace("owner = \"uni-research\"", "owner = \"office\"")
        .replace("= \"10y\"", "= \"11y\"");
    assert_eq!(
        signers(&with_office(), &new),
        [
            "office: chain[diabetes-study].owner chain[diabetes-study].retention",
            "uni-research: chain[diabetes-study].owner chain[diabetes-study].retention",
        ]
    );
    assert_eq!(
        signers(SMALL, &new),
        [
            "custodians: organisation[office].name organisation[office].members organisation[office].stewards \
             key[office/a] key[office/b]",
            "uni-research: chain[diabetes-study].owner chain[diabetes-study].retention",
        ],
        "an heir that is new is registered by the custodians"
    );
}

#[test]
fn a_new_chain_is_signed_by_its_owner_if_that_can_sign() {
    let extra = "chain[extra].owner chain[extra].sources chain[extra].reidentify_to \
                 chain[extra].reidentify_approvals chain[extra].element[x]";
    assert_eq!(
        signers(&with_office(), &(with_office() + &a_chain_of("office"))),
        [format!("office: {extra}")]
    );
    let found = signers(SMALL, &(with_office() + &a_chain_of("office")));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("custodians: organisation[office].name") && found[0].ends_with(extra),
        "{found:#?}"
    );
}

#[test]
fn what_is_removed_is_signed_by_those_it_belonged_to() {
    let chained = with_office() + &a_chain_of("office");
    let found = signers(&chained, &with_office());
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("office: chain[extra].owner")
            && found[0].ends_with("chain[extra].element[x]")
    );
    assert_eq!(
        signers(&with_office(), SMALL),
        [
            "office: organisation[office].name organisation[office].members organisation[office].stewards \
             key[office/a] key[office/b]"
        ]
    );
    let spare = "\n[[organisation]]\nid = \"spare\"\nname = \"S\"\nmembers = []\n";
    let found = signers(&(SMALL.to_owned() + spare), SMALL);
    assert_eq!(
        found,
        ["custodians: organisation[spare].name organisation[spare].members"]
    );
}

#[test]
fn a_steward_may_sign_for_their_own_organisation_unless_blocked() {
    let registry =
        parse(&with_office().replace("blocked = []", "blocked = [\"steward-2\"]")).expect("valid");
    let of = |id: &str| Signers::StewardsOf(id.parse().expect("an id"));
    let may = |signers: &Signers, who: &str| {
        registry.may_sign(signers, &who.parse().expect("an identity"))
    };
    assert!(may(&of("uni-research"), "uni-research/steward-1") && may(&of("office"), "office/a"));
    assert!(
        !may(&of("uni-research"), "uni-research/steward-2"),
        "blocked"
    );
    assert!(!may(&of("uni-research"), "uni-research/etl"), "no steward");
    assert!(
        !may(&of("office"), "uni-research/steward-1"),
        "of another organisation"
    );
    assert!(!may(&of("nowhere"), "nowhere/a"), "of none");
    assert!(
        !may(&Signers::Custodians, "uni-research/steward-1")
            && !may(&Signers::Custodians, "trust-office/operator")
    );
}

/// A registry of at most three organisations and two chains, each detail of which may come out differently.
fn any_registry() -> impl Strategy<Value = String> {
    let organisation = (0..4u8, 0..2u8, any::<[bool; 3]>());
    let chain = ((0..3u8, 0..3u8), any::<[bool; 8]>());
    let organisations = proptest::collection::vec(proptest::option::weighted(0.8, organisation), 3);
    let chains = proptest::collection::vec(proptest::option::weighted(0.7, chain), 2);
    (organisations, chains, any::<bool>()).prop_map(|(organisations, chains, strict)| {
        let stewards = |id: u8| organisations[usize::from(id)].map_or(0, |(stewards, ..)| stewards);
        let mut text = String::new();
        for (id, organisation) in (0..).zip(&organisations) {
            if let Some((stewards, generation, details)) = *organisation {
                text += &organisation_text(id, stewards, generation, details);
            }
        }
        let checksum = if strict { "strict" } else { "off" };
        text += &format!(
            "[[namespace]]\nid = \"n\"\nidentifier = \"text\"\ninput = \"plain\"\nchecksum = \"{checksum}\"\n"
        );
        for (id, chain) in chains.into_iter().enumerate() {
            if let Some(((owner, source), details)) = chain.filter(|((owner, _), _)| stewards(*owner) >= 2) {
                let source = if organisations[usize::from(source)].is_some() { source } else { owner };
                let three = stewards(owner) >= 3;
                text += &chain_text(id, owner, source, three, details);
            }
        }
        text
    })
}

fn organisation_text(
    id: u8,
    stewards: u8,
    generation: u8,
    [name, blocked, auditor]: [bool; 3],
) -> String {
    let listed = (0..stewards)
        .map(|steward| format!("\"s{steward}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let mut text = format!(
        "[[organisation]]\nid = \"o{id}\"\nname = \"{}\"\nmembers = [\"*\"]\nstewards = [{listed}]\n\
         blocked = [{}]\nauditors = [{}]\n",
        if name { "A" } else { "B" },
        if blocked { "\"s0\", \"s1\"" } else { "" },
        if auditor { "\"x\"" } else { "" },
    );
    for steward in 0..stewards {
        text += &key(
            &format!("o{id}/s{steward}"),
            1 + id * 16 + steward * 2 + generation,
        );
    }
    text
}

fn chain_text(id: usize, owner: u8, source: u8, three: bool, details: [bool; 8]) -> String {
    let [
        recipient,
        nobody,
        more,
        retention,
        quota,
        inbound,
        reversible,
        element,
    ] = details;
    let when = |on: bool, text: String| if on { text } else { String::new() };
    format!("[[chain]]\nid = \"c{id}\"\nowner = \"o{owner}\"\nsources = [\"o{source}\"]\n")
        + &when(recipient, format!("recipients = [\"o{source}\"]\n"))
        + &when(nobody, "reidentify_to = []\n".to_owned())
        + &when(more && three, "reidentify_approvals = 3\n".to_owned())
        + &when(retention, "retention = \"1y\"\n".to_owned())
        + &when(
            quota,
            format!("[[chain.quota]]\nsource = \"o{source}\"\nrejected_percent = 9\n"),
        )
        + &when(
            quota && more,
            "[[chain.quota]]\nrejected_percent = 8\n".to_owned(),
        )
        + "[[chain.namespace]]\nid = \"n\"\n"
        + &when(inbound, "link = \"inbound\"\n".to_owned())
        + &when(reversible && !inbound, "reversible = true\n".to_owned())
        + &when(
            element,
            "[[chain.element]]\nname = \"e\"\ntreatment = \"keep\"\n".to_owned(),
        )
        + "[[chain.element]]\nname = \"p\"\ntreatment = \"pseudonym\"\nnamespace = \"n\"\n"
}

/// Who the table at the head of the module says must sign this change, read from its path alone.
fn expected(change: &Change, old: &Registry, new: &Registry) -> BTreeSet<Signers> {
    let (part, rest) = change.path.split_once('[').expect("every path has an id");
    let (id, within) = rest.split_once(']').expect("a closed bracket");
    let guard = |organisation: &str| match old.organisation(&organisation.parse().expect("an id")) {
        Some(known) if known.stewards().len() >= 2 => Some(Signers::StewardsOf(known.id().clone())),
        _ => None,
    };
    let owner = |registry: &Registry| {
        registry
            .chain(&id.parse().expect("an id"))
            .map(|chain| chain.owner().to_string())
    };
    let guards: Vec<Option<Signers>> = match part {
        "key" => vec![guard(id.split_once('/').expect("an identity").0)],
        "organisation" if within == ".stewards" => vec![guard(id)],
        "organisation" if new.organisation(&id.parse().expect("an id")).is_none() => {
            vec![guard(id)]
        }
        "chain" => [owner(old), owner(new)]
            .iter()
            .flatten()
            .map(|owner| guard(owner))
            .collect(),
        _ => vec![],
    };
    let guards: BTreeSet<Signers> = guards.into_iter().flatten().collect();
    if guards.is_empty() {
        [Signers::Custodians].into()
    } else {
        guards
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_change_is_signed_by_exactly_those_it_concerns(old in any_registry(), new in any_registry()) {
        let (old, new) = (parse(&old).expect("valid"), parse(&new).expect("valid"));
        let required = required_signers(&old, &new);
        prop_assert_eq!(required.is_empty(), old == new);
        prop_assert!(required.iter().map(|it| &it.signers).is_sorted_by(|a, b| a < b), "ordered, each once");
        let changes = diff(&old, &new);
        for change in &changes {
            let found: BTreeSet<Signers> =
                required.iter().filter(|it| it.because.contains(&change.path)).map(|it| it.signers.clone()).collect();
            prop_assert!(!found.is_empty(), "nobody signs {change}");
            prop_assert_eq!(found, expected(change, &old, &new), "{}", change);
        }
        for Requirement { signers, count, because } in &required {
            prop_assert_eq!(*count, REQUIRED_SIGNATURES);
            prop_assert!(!because.is_empty() && because.iter().all(|path| changes.iter().any(|it| it.path == *path)));
            if let Signers::StewardsOf(organisation) = signers {
                let known = old.organisation(organisation).expect("only who was registered before may sign");
                prop_assert!(known.stewards().len() >= usize::from(REQUIRED_SIGNATURES), "a signature that cannot come");
            }
        }
    }
}
