//! The daemon as a process: how long it takes to start, and its memory.

use crate::outcome::Outcome;
use crate::run::{Run, median};

const STARTS: usize = 3;
const MIB: f64 = 1_048_576.0;

/// From the start of the process until it serves, with the subjects in its store.
pub(crate) fn start(run: &mut Run) -> Outcome {
    let subjects = run.subjects;
    run.ensure_escrowed("bench-escrow", subjects);
    let seconds = (0..STARTS).map(|_| run.custodian.restart().as_secs_f64());
    Outcome {
        seconds: Some(median(seconds.collect())),
        includes: format!(
            "`sluisd run` until it serves, with {subjects} subjects and all that the cases before it stored, after a stop in \
             order, files in the page cache; median of {STARTS} starts"
        ),
        ..Outcome::default()
    }
}

/// Most memory of the daemon over all cases that ran.
pub(crate) fn memory(run: &mut Run) -> Outcome {
    Outcome {
        mib: Some(run.custodian.peak_memory() as f64 / MIB),
        includes: "most resident memory of the daemon over all cases of the run (VmHWM)".to_owned(),
        ..Outcome::default()
    }
}
