//! Quotas of sources.

use super::*;
use crate::registry::{Quota, diff};

/// The small registry with these lines behind the keys of its chain.
fn with(quotas: &str) -> String {
    edited(
        "deliver = \"caller\"\n",
        &format!("deliver = \"caller\"\n{quotas}"),
    )
}

fn quota(text: &str, source: &str) -> Quota {
    let registry = parse(text).expect("valid");
    let chain = registry
        .chain(&"diabetes-study".parse().expect("an id"))
        .expect("there");
    chain.quota(&source.parse().expect("an id"))
}

const OWN: &str = "[[chain.quota]]\nsource = \"gp-south\"\nsubjects_per_day = 5\n";
const OTHERS: &str = "[[chain.quota]]\nrejected_percent = 20\nrequests_per_minute = 600\n";

#[test]
fn a_source_has_its_own_quota_or_that_of_the_chain_or_none() {
    let own = Quota {
        subjects_per_day: Some(5),
        ..Quota::default()
    };
    let others = Quota {
        rejected_percent: Some(20),
        requests_per_minute: Some(600),
        ..Quota::default()
    };
    assert!(quota(SMALL, "gp-south").is_unlimited());
    for text in [
        with(&format!("{OWN}{OTHERS}")),
        with(&format!("{OTHERS}{OWN}")),
    ] {
        assert_eq!(
            quota(&text, "gp-south"),
            own,
            "its own stands instead of the other, not beside it"
        );
        assert_eq!(quota(&text, "hospital-north"), others);
    }
    assert!(quota(&with(OWN), "hospital-north").is_unlimited());
    assert_eq!(quota(&with(OTHERS), "gp-south"), others);
}

#[test]
fn the_sample_has_quotas() {
    let registry = parse(SAMPLE).expect("the sample is valid");
    let chain = registry
        .chain(&"diabetes-study".parse().expect("an id"))
        .expect("there");
    let of = |source: &str| chain.quota(&source.parse().expect("an id")).to_string();
    assert_eq!(
        of("gp-south"),
        "subjects_per_day=100000 rejected_percent=20 requests_per_minute=600"
    );
    assert_eq!(of("hospital-north"), "subjects_per_day=1000000");
}

#[test]
fn limits_have_a_range() {
    for (key, wrong) in [
        ("subjects_per_day", "0"),
        ("rejected_percent", "0"),
        ("rejected_percent", "101"),
        ("rejected_percent", "256"),
        ("requests_per_minute", "0"),
        ("requests_per_minute", "4294967296"),
    ] {
        let line = format!("{key} = {wrong}");
        let text = with(&format!("[[chain.quota]]\nsource = \"gp-south\"\n{line}\n"));
        refused(
            &text,
            &line,
            &format!("chain[diabetes-study].quota[gp-south].{key}"),
            "must be 1 to ",
        );
    }
    for line in [
        "subjects_per_day = 1",
        "rejected_percent = 1",
        "rejected_percent = 100",
        "requests_per_minute = 4294967295",
    ] {
        assert!(
            parse(&with(&format!("[[chain.quota]]\n{line}\n"))).is_ok(),
            "{line}"
        );
    }
}

#[test]
fn a_quota_limits_something() {
    let text = with("[[chain.quota]]\nsource = \"gp-south\"\n");
    refused(
        &text,
        "[[chain.quota]]",
        "chain[diabetes-study].quota[gp-south]",
        "limits nothing",
    );
    refused(
        &with("[[chain.quota]]\n"),
        "[[chain.quota]]",
        "chain[diabetes-study].quota[#1]",
        "limits nothing",
    );
    let text = with("[[chain.quota]]\nsubjects_per_day = \"5\"\n");
    let path = "chain[diabetes-study].quota[#1].subjects_per_day";
    refused(&text, "subjects_per_day", path, "must be a whole number");
}

#[test]
fn a_quota_is_of_a_source_of_the_chain() {
    let text = with(&OWN.replace("gp-south", "uni-research"));
    let path = "chain[diabetes-study].quota[uni-research].source";
    refused(
        &text,
        "source = \"uni",
        path,
        "\"uni-research\" is not one of the chain's `sources`",
    );
    let text = with(&OWN.replace("gp-south", "GP South"));
    refused(
        &text,
        "source = \"GP",
        "chain[diabetes-study].quota[#1].source",
        "is not valid",
    );
    let text = with(OWN).replace("\"gp-south\"]\nrecipients", "\"GP South\"]\nrecipients");
    refused(
        &text,
        "sources = ",
        "chain[diabetes-study].sources",
        "is not valid",
    );
}

#[test]
fn a_source_has_one_quota() {
    let again = OWN.replace("source = \"gp-south\"", "source = \"gp-south\" # again");
    let path = "chain[diabetes-study].quota[gp-south].source";
    refused(
        &with(&format!("{OWN}{OTHERS}{again}")),
        "# again",
        path,
        "\"gp-south\" is there already, on line ",
    );
    let again = OTHERS.replace("[[chain.quota]]", "[[chain.quota]] # again");
    let path = "chain[diabetes-study].quota[#3]";
    refused(
        &with(&format!("{OTHERS}{OWN}{again}")),
        "[[chain.quota]] # again",
        path,
        "for every source is there already",
    );
}

#[test]
fn a_quota_has_no_other_keys() {
    let text = with(&format!("{OWN}values_per_day = 3\n"));
    let path = "chain[diabetes-study].quota[gp-south].values_per_day";
    refused(
        &text,
        "values_per_day",
        path,
        "known here: source, subjects_per_day, rejected_percent, requests_per_minute",
    );
}

#[test]
fn quotas_are_shown_in_the_difference() {
    let shown = |old: &str, new: &str| {
        let changes = diff(&parse(old).expect("valid"), &parse(new).expect("valid"));
        changes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(SMALL, &with(&format!("{OWN}{OTHERS}"))),
        [
            "+ chain[diabetes-study].quota[*]: rejected_percent=20 requests_per_minute=600",
            "+ chain[diabetes-study].quota[gp-south]: subjects_per_day=5",
        ]
    );
    assert_eq!(
        shown(&with(OWN), &with(&OWN.replace("= 5", "= 6"))),
        ["~ chain[diabetes-study].quota[gp-south]: subjects_per_day=5 -> subjects_per_day=6"]
    );
}
