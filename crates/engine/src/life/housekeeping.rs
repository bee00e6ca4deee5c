//! What is done when its time has come, without anybody asking.

use std::sync::PoisonError;

use sluis_domain::port::Commit;
use sluis_domain::proposal::State;
use sluis_domain::{ChainId, Reason, Timestamp};

use crate::Refusal;
use crate::engine::Engine;
use crate::proposals::forget_beside;

/// What one round of [`Engine::housekeep`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Housekeeping {
    /// Chains that are past their retention since then.
    pub warned: Vec<ChainId>,
    /// Chains of which a warning was given and that are still there.
    pub expiring: usize,
    /// Chains that were destroyed.
    pub destroyed: Vec<ChainId>,
    /// Subjects erased, once per chain.
    pub erased: u64,
    /// Ranges of the store that were rewritten.
    pub compacted: usize,
}

impl Engine {
    /// Does what is due: warns of the end of retention, destroys chains past it, erases subjects, forgets what was kept
    /// beside proposals that nobody signed in time, and rewrites files that hold what was removed. To be called every
    /// minute or so. Every part of it is durable and goes on after a crash where it stopped.
    ///
    /// # Errors
    /// [`Reason::HeadUnavailable`] as for every act, and those of the store; what was done before stays done.
    pub fn housekeep(&self) -> Result<Housekeeping, Refusal> {
        let _one_at_a_time = self.housekeeping.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.log.in_order() {
            return Err(Reason::HeadUnavailable.into());
        }
        let now = self.now();
        let mut done = Housekeeping::default();
        self.keep_retention(now, &mut done)?;
        done.expiring = self.expiring()?.len();
        // What cannot be erased, because a row of it is damaged, must not keep the rest on the disk.
        let erased = self.erase_due(now);
        self.forget_expired(now)?;
        done.compacted = self.compact_due(now)?;
        done.erased = erased?;
        Ok(done)
    }

    /// Forgets what was kept beside proposals that have expired: nothing can happen to them any more.
    fn forget_expired(&self, now: Timestamp) -> Result<(), Refusal> {
        let mut expired = Vec::new();
        for view in self.all_proposals().into_iter().filter(|view| view.state == State::Expired) {
            let mut forget = Commit::default();
            forget_beside(&view.record.proposal.id, &mut forget);
            for write in &forget.writes {
                if self.store.get(write.family, &write.key)?.is_some() {
                    expired.push(view.record.clone());
                    break;
                }
            }
        }
        if expired.is_empty() {
            return Ok(());
        }
        let _governing = self.govern();
        let mut commit = Commit::default();
        for record in expired {
            self.forget_for_good(&record, now, &mut commit)?;
        }
        self.store.commit(commit)?;
        Ok(())
    }
}
