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

/// A round of [`Engine::housekeep`] in which something could not be done: a row is damaged, or a write failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// What was done all the same.
    pub done: Housekeeping,
    /// The first of what was refused.
    pub refusal: Refusal,
}

impl Engine {
    /// Does what is due: warns of the end of retention, destroys chains past it, erases subjects, forgets what was kept
    /// beside proposals that nobody signed in time, and rewrites files that hold what was removed. To be called every
    /// minute or so. Every part of it is durable and goes on after a crash where it stopped.
    ///
    /// # Errors
    /// [`Unfinished`]: what cannot be done holds up nothing else. [`Reason::HeadUnavailable`] as for every act, and then
    /// nothing is done.
    pub fn housekeep(&self) -> Result<Housekeeping, Box<Unfinished>> {
        let _one_at_a_time = self
            .housekeeping
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut done = Housekeeping::default();
        if !self.log.in_order() {
            return Err(Box::new(Unfinished {
                done,
                refusal: Reason::HeadUnavailable.into(),
            }));
        }
        let now = self.now();
        let parts = [
            self.keep_retention(now, &mut done),
            self.expiring()
                .map(|expiring| done.expiring = expiring.len()),
            self.erase_due(now).map(|erased| done.erased = erased),
            self.forget_expired(now),
            self.compact_due(now)
                .map(|compacted| done.compacted = compacted),
        ];
        match parts.into_iter().find_map(Result::err) {
            None => Ok(done),
            Some(refusal) => Err(Box::new(Unfinished { done, refusal })),
        }
    }

    /// Forgets what was kept beside proposals that have expired: nothing can happen to them any more.
    fn forget_expired(&self, now: Timestamp) -> Result<(), Refusal> {
        let mut expired = Vec::new();
        for view in self
            .all_proposals()
            .into_iter()
            .filter(|view| view.state == State::Expired)
        {
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
