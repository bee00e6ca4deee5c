//! The registry of the end-to-end tests: that of the demo, and an organisation that is party to nothing.

/// Custodians of the test daemon.
pub const CUSTODIANS: [&str; 2] = ["custodian/anna", "custodian/ben"];

/// Registry text, valid with [`CUSTODIANS`].
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
    format!("{DEMO}{OUTSIDER}")
}

const DEMO: &str = include_str!("../../../deploy/demo/registry.toml");

const OUTSIDER: &str = r#"
[[organisation]]
id = "outsider"
name = "Party to nothing"
members = ["etl", "steward-x", "steward-y"]
stewards = ["steward-x", "steward-y"]
"#;
