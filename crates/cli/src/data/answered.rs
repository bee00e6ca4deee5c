//! What the custodian has answered so far: it counts under a grant whatever becomes of the output.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sluis_domain::GrantId;

use crate::output;

/// Shared by the stages and by who ends the process.
#[derive(Default)]
pub(crate) struct Answered {
    grant: Option<GrantId>,
    sent: AtomicBool,
    rows: AtomicU64,
    hidden_names: OnceLock<Vec<PathBuf>>,
}

impl Answered {
    /// Nothing was sent yet. `grant`: what answers count under.
    pub(crate) fn new(grant: Option<GrantId>) -> Self {
        Self {
            grant,
            ..Self::default()
        }
    }

    /// A batch is about to be sent: from now on the custodian may have answered.
    pub(crate) fn sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    /// So many rows were answered.
    pub(crate) fn add(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Files that [`Self::last_words`] removes.
    pub(crate) fn leaves_behind(&self, files: Vec<PathBuf>) {
        self.hidden_names.get_or_init(|| files);
    }

    /// Says that answers count, if they do.
    pub(crate) fn note(&self) {
        if let Some(text) = self.text() {
            output::note(text);
        }
    }

    /// For a process that ends at once: removes what would stay behind, and notes.
    pub(crate) fn last_words(&self) {
        for file in self.hidden_names.get().into_iter().flatten() {
            // It may be gone already, or have its final name.
            let _ = std::fs::remove_file(file);
        }
        self.note();
    }

    fn text(&self) -> Option<String> {
        let grant = self
            .grant
            .as_ref()
            .filter(|_| self.sent.load(Ordering::Relaxed))?;
        let rows = self.rows.load(Ordering::Relaxed);
        Some(format!(
            "At least {rows} rows were answered and count under the grant; `sluis grant show {grant}` says how many values \
             are used."
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_answered_is_told_and_only_under_a_grant() {
        let answered = Answered::new(Some("g-7f3a".parse().expect("an id")));
        assert_eq!(answered.text(), None, "nothing was sent");
        answered.sent();
        assert!(
            answered
                .text()
                .is_some_and(|text| text.starts_with("At least 0 rows"))
        );
        answered.add(7);
        let text = answered.text().expect("answered");
        assert!(
            text.starts_with("At least 7 rows") && text.contains("`sluis grant show g-7f3a`"),
            "{text}"
        );
        let free = Answered::new(None);
        free.sent();
        assert_eq!(free.text(), None);
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
