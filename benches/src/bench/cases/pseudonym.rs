//! Pseudonyms from identifiers, in batches.

use std::sync::Arc;

use sluis_domain::Column;

use crate::custodian::element;
use crate::floor::Floor;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::run::{Run, STREAMS, Stream};
use crate::subjects::{ROWS, column, of_batch, shuffled};

/// Different batches of a round, made beforehand and sent several times.
pub(super) const MADE: u64 = 64;
/// Batches of a round.
pub(super) const BATCHES: u64 = 512;
/// Rounds that count.
pub(super) const ROUNDS: usize = 5;

/// A chain that stores nothing for a row.
pub(crate) fn stateless(run: &Run, chain: &str, floor: Floor) -> Outcome {
    let floor = floor.per_second();
    let load = repeated("bsn", |index| column(of_batch(index, u64::MAX)));
    let (rate, cores) = run.rounds(ROUNDS, &Stream::Pseudonymise(chain, "bsn"), &load);
    let includes = format!(
        "BSNs to tokens in packed columns of {ROWS} rows, {STREAMS} streams, nothing stored but the audit entry of each batch \
         (durable before its answer); median of {ROUNDS} rounds of {} values",
        BATCHES * ROWS
    );
    Outcome::rate(rate, floor, includes).with_cores(cores)
}

/// Subjects that an escrowing chain sees for the first time.
pub(crate) fn new_subjects(run: &mut Run, chain: &'static str) -> Outcome {
    let floor = Floor::Escrow.per_second();
    let daemon = run.custodian.pid();
    let usage = crate::usage::Usage::now(daemon);
    let loaded = run.send_new(chain, run.subjects);
    let cores = usage.since(daemon);
    let includes = format!(
        "{} new BSNs to tokens in packed columns of {ROWS} rows, {STREAMS} streams, a link row for each subject, durable with the \
         audit entry before the answer; one round",
        run.subjects
    );
    Outcome::rate(loaded.rate(), floor, includes).with_cores(cores)
}

/// The same subjects again, in another order.
pub(crate) fn known_subjects(run: &mut Run, chain: &'static str) -> Outcome {
    let count = run.subjects;
    run.ensure_escrowed(chain, count);
    let floor = Floor::Escrow.per_second();
    let load = Load {
        element: element("bsn"),
        batches: count.div_ceil(ROWS),
        make: Arc::new(move |index| {
            column(of_batch(index, count).map(|place| shuffled(place, count)))
        }),
        keep_every: 0,
    };
    let (loaded, cores) = run.observed(|| run.send(&Stream::Pseudonymise(chain, "bsn"), load));
    let includes = format!(
        "the same {count} BSNs again, shuffled, so that every link row is there already; otherwise as pseudonym-escrow-new; \
         one round"
    );
    Outcome::rate(loaded.rate(), floor, includes).with_cores(cores)
}

/// A load of [`BATCHES`] batches, of which [`MADE`] are made now.
pub(super) fn repeated(name: &str, make: impl Fn(u64) -> Column) -> Load {
    let made: Vec<Column> = (0..MADE).map(make).collect();
    Load {
        element: element(name),
        batches: BATCHES,
        make: Arc::new(move |index| made[(index % MADE) as usize].clone()),
        keep_every: 0,
    }
}
