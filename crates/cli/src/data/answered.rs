//! How far a run is: what was sent, what the custodian answered, what it counted. It stands whatever becomes of the output.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use sluis_domain::GrantId;

use super::run_file::{Progress, RunFile};
use crate::output;

/// Shared by the stages and by who ends the process.
#[derive(Default)]
pub(crate) struct Answered {
    grant: Option<GrantId>,
    run: OnceLock<RunFile>,
    counts: Mutex<Counts>,
    hidden_names: OnceLock<Vec<PathBuf>>,
}

/// Rows, values and batches of this try.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    /// Batches that were sent, answered or not.
    pub(crate) sent_batches: u64,
    /// Values in them.
    pub(crate) sent_values: u64,
    /// Batches, rows and values that were answered.
    pub(crate) answered: Progress,
    /// Values that were counted under the grant. Less than what was answered where a run is repeated.
    pub(crate) counted: u64,
}

impl Counts {
    /// Values that were sent, and of which nobody here knows whether they are counted.
    pub(crate) fn unanswered(&self) -> u64 {
        self.sent_values - self.answered.values
    }
}

impl Answered {
    /// Nothing was sent yet. `grant`: what answers count under.
    pub(crate) fn new(grant: Option<GrantId>) -> Self {
        Self {
            grant,
            ..Self::default()
        }
    }

    /// From now on it is written down how far the run is.
    pub(crate) fn is_written_to(&self, run: RunFile) {
        self.run.get_or_init(|| run);
    }

    /// The file that lets the run be repeated.
    pub(crate) fn run(&self) -> Option<&RunFile> {
        self.run.get()
    }

    /// How far it is.
    pub(crate) fn counts(&self) -> Counts {
        *self.lock()
    }

    /// A batch with so many values is about to be sent: from now on the custodian may have answered. Its number, from 0.
    pub(crate) fn sent(&self, values: u64) -> u64 {
        let mut counts = self.lock();
        counts.sent_batches += 1;
        counts.sent_values += values;
        counts.sent_batches - 1
    }

    /// The last of these batches was not sent after all.
    pub(crate) fn not_sent(&self, values: u64) {
        let mut counts = self.lock();
        counts.sent_batches -= 1;
        counts.sent_values -= values;
    }

    /// A batch was answered.
    pub(crate) fn add(&self, rows: usize, values: u64, counted: u64) {
        let mut counts = self.lock();
        counts.answered.batches += 1;
        counts.answered.rows += rows as u64;
        counts.answered.values += values;
        counts.counted = counts.counted.saturating_add(counted);
        if let Some(run) = self.run.get() {
            run.note(counts.answered);
        }
    }

    /// Files that [`Self::last_words`] removes.
    pub(crate) fn leaves_behind(&self, files: Vec<PathBuf>) {
        self.hidden_names.get_or_init(|| files);
    }

    /// For a process that ends at once: removes what would stay behind, and says what counts.
    pub(crate) fn last_words(&self) {
        for file in self.hidden_names.get().into_iter().flatten() {
            // It may be gone already, or have its final name.
            let _ = std::fs::remove_file(file);
        }
        for text in self.texts() {
            output::note(text);
        }
    }

    /// What was answered and what counts, for people; nothing if nothing was sent.
    pub(crate) fn texts(&self) -> Vec<String> {
        let counts = self.counts();
        if counts.sent_batches == 0 {
            return vec!["Nothing was sent.".to_owned()];
        }
        let Progress { batches, rows, .. } = counts.answered;
        let mut texts = vec![format!("{rows} rows in {batches} batches were answered.")];
        if let Some(grant) = &self.grant {
            texts.push(format!(
                "{} values were counted under grant {grant}.",
                counts.counted
            ));
        }
        if counts.unanswered() > 0 {
            let what = match &self.grant {
                Some(_) => "are counted or not",
                None => "were pseudonymised or not",
            };
            texts.push(format!(
                "{} more values were sent and not answered: it is unknown whether they {what}.",
                counts.unanswered()
            ));
        }
        texts
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_and_what_is_counted_are_told_apart_and_exactly() {
        let answered = Answered::new(Some("g-7f3a".parse().expect("an id")));
        assert_eq!(answered.texts(), ["Nothing was sent."]);
        assert_eq!((answered.sent(5), answered.sent(4)), (0, 1));
        assert_eq!(
            answered.texts(),
            [
                "0 rows in 0 batches were answered.",
                "0 values were counted under grant g-7f3a.",
                "9 more values were sent and not answered: it is unknown whether they are counted or not.",
            ]
        );
        answered.add(6, 5, 5);
        answered.add(4, 4, 0);
        assert_eq!(
            answered.texts(),
            [
                "10 rows in 2 batches were answered.",
                "5 values were counted under grant g-7f3a.",
            ]
        );
        let free = Answered::new(None);
        free.sent(1);
        free.add(1, 1, 0);
        assert_eq!(free.texts(), ["1 rows in 1 batches were answered."]);
    }

    #[test]
    fn last_words_remove_what_would_stay_behind() {
        let directory = tempfile::tempdir().expect("writable");
        let file = directory.path().join(".sluis-x.part");
        std::fs::write(&file, "half").expect("writable");
        let answered = Answered::default();
        answered.leaves_behind(vec![directory.path().join("gone"), file.clone()]);
        answered.last_words();
        assert!(!file.exists());
    }
}
