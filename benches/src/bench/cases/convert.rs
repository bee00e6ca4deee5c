//! Pseudonyms of one chain to pseudonyms of another, under a grant.

use crate::floor::Floor;
use crate::outcome::Outcome;
use crate::run::{Run, STREAMS, Stream};
use crate::subjects::ROWS;

/// Random tokens of the subjects that a chain knows.
pub(crate) fn convert(run: &mut Run, from: &'static str, to: &str, floor: Floor) -> Outcome {
    let subjects = run.subjects;
    let tokens = run.ensure_escrowed(from, subjects);
    let grant = run.runtime.block_on(run.custodian.convert_grant(from, to));
    let floor = floor.per_second();
    let load = tokens.load(run.token_batches());
    let (loaded, cores) = run.observed(|| run.send(&Stream::Convert(&grant), load));
    let includes = format!(
        "{} random tokens of {subjects} subjects, each once, from {from} into {to} in packed columns of {ROWS} rows, {STREAMS} \
         streams under one grant that two stewards approved; rows of an escrowing target are new; one round",
        loaded.values
    );
    Outcome::rate(loaded.rate(), floor, includes).with_cores(cores)
}
