//! Differences between registries, and changes that are refused.

use proptest::prelude::*;

use super::*;
use crate::registry::{ChangeKind, diff};

fn shown(old: &str, new: &str) -> Vec<String> {
    let changes = diff(&parse(old).expect("valid"), &parse(new).expect("valid"));
    changes.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn forbidden(new: &str, path: &str, message: &str) {
    let found = small().check_change(&parse(new).expect("valid by itself"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (found[0].line, found[0].column, found[0].path.as_str()),
        (0, 0, path)
    );
    assert!(found[0].message.contains(message), "{}", found[0]);
    assert!(
        found[0].to_string().starts_with(&format!("{path}: ")),
        "no line is shown: {}",
        found[0]
    );
}

#[test]
fn nothing_changed_is_an_empty_diff() {
    assert!(shown(SAMPLE, SAMPLE).is_empty());
    let reordered = edited(
        "sources = [\"hospital-north\", \"gp-south\"]",
        "sources = [\"gp-south\", \"hospital-north\"]",
    );
    assert!(shown(SMALL, &reordered).is_empty());
}

#[test]
fn changes_are_shown_in_a_fixed_order_with_before_and_after() {
    let new = edited(
        "stewards = [\"steward-1\", \"steward-2\"]",
        "stewards = [\"steward-1\", \"steward-2\", \"etl\"]",
    )
    .replace("blocked = []", "blocked = [\"privacy-officer\"]")
    .replace("checksum = \"strict\"", "checksum = \"off\"")
    .replace("retention = \"10y\"\n", "")
    .replace(
        "reidentify_to = [\"hospital-north\", \"gp-south\"]",
        "reidentify_to = []",
    )
    .replace("link = \"escrow\"", "link = \"inbound\"")
    .replace("max_days = 30", "max_days = 60")
    .replace("name = \"remark\"", "name = \"note\"")
        + &key("uni-research/etl", 3);
    assert_eq!(
        shown(SMALL, &new),
        [
            "~ organisation[uni-research].stewards: steward-1, steward-2 -> etl, steward-1, steward-2",
            "+ organisation[uni-research].blocked: privacy-officer",
            "+ key[uni-research/etl]: MCowBQYDK2VwAyEAAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=",
            "~ namespace[nl.bsn].checksum: strict -> off",
            "~ chain[diabetes-study].reidentify_to: gp-south, hospital-north -> (nobody)",
            "- chain[diabetes-study].retention: 10y",
            "~ chain[diabetes-study].namespace[nl.bsn]: link=escrow reversible=false -> link=inbound reversible=false",
            "+ chain[diabetes-study].element[note]: keep",
            "- chain[diabetes-study].element[remark]: keep",
            "~ chain[diabetes-study].element[visit]: date-shift subject=bsn max_days=30 \
             -> date-shift subject=bsn max_days=60",
        ]
    );
}

#[test]
fn a_new_registry_is_all_additions_and_back_again_all_removals() {
    let sample = parse(SAMPLE).expect("valid");
    let added = diff(&Registry::empty(), &sample);
    let removed = diff(&sample, &Registry::empty());
    assert!(
        added
            .iter()
            .all(|c| c.kind == ChangeKind::Added && c.before.is_none() && c.after.is_some())
    );
    assert!(
        removed
            .iter()
            .all(|c| c.kind == ChangeKind::Removed && c.after.is_none() && c.before.is_some())
    );
    let paths = |changes: &[crate::registry::Change]| {
        changes.iter().map(|c| c.path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(paths(&added), paths(&removed));
    assert_eq!(
        added[0].to_string(),
        "+ organisation[gp-south].name: General Practitioners South"
    );
    assert_eq!(added[1].to_string(), "+ organisation[gp-south].members: *");
    assert_eq!(
        added.last().map(ToString::to_string).as_deref(),
        Some("+ chain[open-release-2026].element[person]: pseudonym namespace=nl.bsn")
    );
}

#[test]
fn the_identifier_and_input_of_a_namespace_are_fixed() {
    let new = edited("identifier = \"nl-bsn\"", "identifier = \"opaque\"");
    forbidden(
        &new,
        "namespace[nl.bsn].identifier",
        "it was \"nl-bsn\" and \"opaque\" would give everybody another pseudonym",
    );
    let new = edited("input = \"prehash\"", "input = \"plain\"");
    forbidden(
        &new,
        "namespace[study.email].input",
        "is fixed for the namespace's life",
    );
}

#[test]
fn namespaces_and_chains_cannot_be_removed() {
    let without = edited("[[chain.namespace]]\nid = \"study.email\"\n", "");
    forbidden(
        &without,
        "chain[diabetes-study].namespace[study.email]",
        "cannot be removed",
    );
    let nothing = small().check_change(&Registry::empty());
    let paths: Vec<&str> = nothing
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "namespace[nl.bsn]",
            "namespace[study.email]",
            "chain[diabetes-study]"
        ]
    );
    assert!(
        nothing
            .iter()
            .all(|problem| problem.message.contains("would be orphaned"))
    );
}

#[test]
fn other_changes_are_free() {
    for (from, to) in [
        ("checksum = \"strict\"", "checksum = \"off\""),
        (
            "[[chain.element]]\nname = \"remark\"\ntreatment = \"keep\"\n",
            "",
        ),
        ("link = \"escrow\"", "link = \"none\""),
        ("recipients = [\"uni-research\"]", "recipients = []"),
    ] {
        assert_eq!(
            small().check_change(&parse(&edited(from, to)).expect("valid")),
            [],
            "{to:?}"
        );
    }
    assert_eq!(Registry::empty().check_change(&small()), []);
    assert_eq!(small().check_change(&small()), []);
}

proptest! {
    #[test]
    fn a_diff_turned_round_is_its_mirror(days in 1..40u32, kept in any::<bool>(), off in any::<bool>()) {
        let new = SMALL
            .replace("max_days = 30", &format!("max_days = {days}"))
            .replace("treatment = \"keep\"", if kept { "treatment = \"keep\"" } else { "treatment = \"encrypt\"" })
            .replace("checksum = \"strict\"", if off { "checksum = \"off\"" } else { "checksum = \"strict\"" });
        let (old, new) = (small(), parse(&new).expect("valid"));
        let (there, back) = (diff(&old, &new), diff(&new, &old));
        prop_assert_eq!(there.is_empty(), old == new);
        prop_assert_eq!(there.len(), usize::from(days != 30) + usize::from(!kept) + usize::from(off));
        let turned: Vec<_> = back.into_iter().map(|c| (c.path, c.after, c.before)).collect();
        let there: Vec<_> = there.into_iter().map(|c| (c.path, c.before, c.after)).collect();
        prop_assert_eq!(there, turned);
    }
}
