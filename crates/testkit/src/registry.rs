//! The registry of the end-to-end tests: the demo's, and an organisation that is party to nothing.

use crate::keys::key_table;

/// Custodians of the test daemon.
pub const CUSTODIANS: [&str; 2] = ["custodian/anna", "custodian/ben"];

/// The stewards in [`registry`].
pub const STEWARDS: [&str; 6] = [
    "uni-research/steward-1",
    "uni-research/steward-2",
    "registry-office/steward-a",
    "registry-office/steward-b",
    "outsider/steward-x",
    "outsider/steward-y",
];

/// Registry text, valid with [`CUSTODIANS`]; the keys of [`STEWARDS`] come from [`crate::people`].
///
/// | chain | owner | sources | `nl.bsn` | `study.email` (prehash) |
/// |---|---|---|---|---|
/// | `diabetes-study` | uni-research | hospital-north, gp-south | escrow, reversible | none |
/// | `national-registry` | registry-office | hospital-north | escrow | - |
/// | `open-release` | uni-research | uni-research | inbound | - |
///
/// Members: hospital-north/{etl, doctor}, gp-south/etl, uni-research/{etl, steward-1, steward-2, privacy-officer},
/// registry-office/{etl, steward-a, steward-b}, outsider/{etl, steward-x, steward-y}.
pub fn registry() -> String {
    pinned(&format!("{DEMO}{OUTSIDER}"), &STEWARDS)
}

/// A registry text with the keys of these stewards.
pub fn pinned(text: &str, stewards: &[&str]) -> String {
    stewards
        .iter()
        .fold(text.to_owned(), |text, steward| text + &key_table(steward))
}

const DEMO: &str = include_str!("../../../deploy/demo/registry.toml");

const OUTSIDER: &str = r#"
[[organisation]]
id = "outsider"
name = "Party to nothing"
members = ["etl", "steward-x", "steward-y"]
stewards = ["steward-x", "steward-y"]
"#;
