//! Tests of the registry. Each refusal has its own: the sample with one thing wrong, and the one problem that follows.

mod change;
mod keys;
mod model;
mod quota;
mod rules;
mod signers;
mod text;
mod words;

use super::{Problem, Registry};
use sluis_domain::id::Identity;
use sluis_domain::public_key::PublicKey;

/// The documented sample.
const SAMPLE: &str = include_str!("../../../../../docs/samples/registry.toml");

/// A small registry in which tests break one thing at a time.
const SMALL: &str = r#"
[[organisation]]
id = "hospital-north"
name = "Hospital North"
members = ["etl"]

[[organisation]]
id = "gp-south"
name = "GPs South"
members = ["*"]

[[organisation]]
id = "uni-research"
name = "University Research"
members = ["etl", "steward-1", "steward-2", "privacy-officer"]
stewards = ["steward-1", "steward-2"]
auditors = ["privacy-officer"]
blocked = []

[[key]]
member = "uni-research/steward-1"
public_key = "MCowBQYDK2VwAyEAAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

[[key]]
member = "uni-research/steward-2"
public_key = "MCowBQYDK2VwAyEAAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

[[namespace]]
id = "nl.bsn"
identifier = "nl-bsn"
input = "plain"
checksum = "strict"

[[namespace]]
id = "study.email"
identifier = "email"
input = "prehash"

[[chain]]
id = "diabetes-study"
owner = "uni-research"
sources = ["hospital-north", "gp-south"]
recipients = ["uni-research"]
reidentify_to = ["hospital-north", "gp-south"]
reidentify_approvals = 2
retention = "10y"
deliver = "caller"

[[chain.namespace]]
id = "nl.bsn"
link = "escrow"

[[chain.namespace]]
id = "study.email"

[[chain.element]]
name = "bsn"
treatment = "pseudonym"
namespace = "nl.bsn"

[[chain.element]]
name = "visit"
treatment = "date-shift"
subject = "bsn"
max_days = 30

[[chain.element]]
name = "remark"
treatment = "keep"
"#;

fn small() -> Registry {
    parse(SMALL).expect("the small registry is valid")
}

fn parse(text: &str) -> Result<Registry, Vec<Problem>> {
    Registry::parse(
        text,
        &["trust-office/operator"
            .parse::<Identity>()
            .expect("an identity")],
    )
}

/// The small registry with `from`, which is there exactly once, replaced.
fn edited(from: &str, to: &str) -> String {
    assert_eq!(
        SMALL.matches(from).count(),
        1,
        "{from:?} must be in the small registry exactly once"
    );
    SMALL.replace(from, to)
}

/// A key for `member`, which may be appended to any registry; `number` makes it differ from others (1 and 2 are used).
fn key(member: &str, number: u8) -> String {
    format!(
        "\n[[key]]\nmember = \"{member}\"\npublic_key = \"{}\"\n",
        PublicKey::ed25519(&[number; 32])
    )
}

/// The problems of a text, without the message.
fn problems(text: &str) -> Vec<Problem> {
    parse(text).expect_err("must be refused")
}

/// Asserts that `text` has one problem, at this path, whose message contains `message`, on the line of `marker`.
#[track_caller]
fn refused(text: &str, marker: &str, path: &str, message: &str) {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].path, path);
    assert!(found[0].message.contains(message), "{}", found[0]);
    let byte = text.find(marker).expect("the marker is in the text");
    let line = text[..byte].matches('\n').count() + 1;
    assert_eq!(found[0].line as usize, line, "{}", found[0]);
    assert!(
        found[0]
            .to_string()
            .starts_with(&format!("line {line}: {path}: ")),
        "{}",
        found[0]
    );
}
