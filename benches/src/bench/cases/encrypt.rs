//! Encrypted values.

use super::pseudonym::{BATCHES, ROUNDS, repeated};
use crate::floor::Floor;
use crate::outcome::Outcome;
use crate::run::{Run, STREAMS, Stream};
use crate::subjects::{ROWS, column, of_batch};

/// Values of nine bytes.
pub(crate) fn encrypt(run: &mut Run) -> Outcome {
    let floor = Floor::Encrypt.per_second();
    let load = repeated("value", |index| column(of_batch(index, u64::MAX)));
    let (rate, cores) = run.rounds(ROUNDS, &Stream::Pseudonymise("bench-none", "value"), &load);
    let includes = format!(
        "values of 9 bytes to ciphertexts (XAES-256-GCM, base64) in packed columns of {ROWS} rows, {STREAMS} streams; median of \
         {ROUNDS} rounds of {} values",
        BATCHES * ROWS
    );
    Outcome::rate(rate, floor, includes).with_cores(cores)
}
