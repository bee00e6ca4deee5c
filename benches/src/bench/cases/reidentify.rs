//! The way back, under a grant.

use super::pseudonym::{BATCHES, MADE, ROUNDS, repeated};
use crate::floor::Floor;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::run::{Run, STREAMS, Stream};
use crate::subjects::{ROWS, column, of_batch};

/// Encrypted values of nine bytes.
pub(crate) fn elements(run: &mut Run) -> Outcome {
    let values = repeated("value", |index| column(of_batch(index, u64::MAX)));
    let values = Load {
        batches: MADE,
        keep_every: 1,
        ..values
    };
    let encrypted = run.send(&Stream::Pseudonymise("bench-none", "value"), values);
    let grant = run.custodian.reidentify_grant("bench-none", "value");
    let grant = run.runtime.block_on(grant);
    let floor = Floor::ReidentifyElement.per_second();
    let load = repeated("value", |index| encrypted.kept[index as usize].1.clone());
    let (rate, cores) = run.rounds(ROUNDS, &Stream::Reidentify(&grant), &load);
    let includes = format!(
        "ciphertexts to values of 9 bytes in packed columns of {ROWS} rows, {STREAMS} streams under one grant that two stewards \
         approved; median of {ROUNDS} rounds of {} values",
        BATCHES * ROWS
    );
    Outcome::rate(rate, floor, includes).with_cores(cores)
}

/// Tokens of a reversible chain.
pub(crate) fn identities(run: &mut Run) -> Outcome {
    let count = run.token_batches() * ROWS;
    let tokens = run.ensure_escrowed("bench-identity", count);
    let grant = run.custodian.reidentify_grant("bench-identity", "bsn");
    let grant = run.runtime.block_on(grant);
    let floor = Floor::ReidentifyIdentity.per_second();
    let load = tokens.load(run.token_batches());
    let (loaded, cores) = run.observed(|| run.send(&Stream::Reidentify(&grant), load));
    let includes = format!(
        "{} tokens of a reversible chain that knows as many subjects, shuffled, to BSNs in packed columns of {ROWS} rows, \
         {STREAMS} streams under one grant that two stewards approved; one round",
        loaded.values
    );
    Outcome::rate(loaded.rate(), floor, includes).with_cores(cores)
}
