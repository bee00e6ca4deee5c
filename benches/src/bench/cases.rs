//! The cases, in the order in which they run.

mod convert;
mod encrypt;
mod file;
mod life;
mod pseudonym;
mod reidentify;
mod unary;

use crate::floor::Floor;
use crate::outcome::Outcome;
use crate::run::Run;

/// Something that is measured.
pub(crate) struct Case {
    /// Its name in the table and for `--only`.
    pub(crate) name: &'static str,
    /// Measures it.
    pub(crate) measure: fn(&mut Run) -> Outcome,
}

/// A row of the table below.
const fn case(name: &'static str, measure: fn(&mut Run) -> Outcome) -> Case {
    Case { name, measure }
}

/// All cases. A further link mode needs a chain in `registry.toml`, a [`Floor`], and one line here for each way of use.
pub(crate) const CASES: &[Case] = &[
    case("pseudonym-none", |run| {
        pseudonym::stateless(run, "bench-none", Floor::Pseudonym)
    }),
    case("pseudonym-escrow-new", |run| {
        pseudonym::new_subjects(run, "bench-escrow")
    }),
    case("pseudonym-escrow-known", |run| {
        pseudonym::known_subjects(run, "bench-escrow")
    }),
    case("convert-inbound", |run| {
        convert::convert(run, "bench-escrow", "bench-inbound", Floor::ConvertInbound)
    }),
    case("convert-escrow", |run| {
        convert::convert(run, "bench-escrow", "bench-second", Floor::ConvertEscrow)
    }),
    case("pseudonym-carried", |run| {
        pseudonym::stateless(run, "bench-carried", Floor::Carried)
    }),
    case("convert-carried", |run| {
        convert::convert(run, "bench-carried", "bench-inbound", Floor::ConvertCarried)
    }),
    case("encrypt", encrypt::encrypt),
    case("reidentify-elements", reidentify::elements),
    case("reidentify-identities", reidentify::identities),
    case("unary-1", unary::one_caller),
    case("unary-64", unary::many_callers),
    case("csv-1m", file::million_rows),
    case("start", life::start),
    case("memory", life::memory),
];
