//! The ceremony after the restore of an older store: two custodians say that the log goes on from there.

use std::collections::BTreeSet;
use std::sync::Arc;

use sluis_crypto::{digest::sha256, random};
use sluis_domain::{Identity, Reason, Timestamp};
use sluis_ledger::Signed;
use sluis_ledger::event::{Entry, Event, Restored, Signature};
use sluis_ledger::restore::{LostKind, LostRow, MAX_LOST_ROWS, NONCE_BYTES, Request, Restore};
use sluis_ledger::statement::Deed;
use sluis_port::{Commit, Family, StoreError, rows};
use sluis_tlog::{Checkpoint, Note, OpenError};
use sluis_verify::MAX_BEFORE_RESTORE;

use crate::core::change::Change;
use crate::core::journal::{Missing, Replayed};
use crate::core::log::head::{SignedHead, fits};
use crate::core::signing::Said;
use crate::error::HeadError;
use crate::log::LogKeeper;
use crate::{Caller, EngineError, Refusal};

/// A custodian's signature under a restore.
#[derive(Clone, Debug)]
pub struct RestoreSignature {
    /// Who, as their certificate says.
    pub signer: Caller,
    /// Over `restore` and the canonical bytes of the [`Restore`].
    pub signature: Vec<u8>,
}

const NONCE_FORMAT: u8 = 1;

/// Why a restored store is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Too few or too many signatures.
    #[error("a restore needs the signatures of two custodians, not {0}")]
    Signatures(usize),
    /// One person twice.
    #[error("both signatures are by {0}; two different custodians must sign")]
    SamePerson(Identity),
    /// A signature that does not count.
    #[error("the signature of {signer}: {}", reason.message())]
    Signature {
        /// Whose.
        signer: Identity,
        /// Why it does not count.
        reason: Reason,
    },
    /// The request is about another store.
    #[error(
        "the request is about a log of {0} entries that this store does not have, or had long ago; make a new one with `sluisd restore`"
    )]
    OtherStore(u64),
    /// The request, or the head, is another custodian's.
    #[error("the request or head is of the audit log {found}, and this custodian's is {own}")]
    OtherLog {
        /// In the request.
        found: String,
        /// Of this store.
        own: String,
    },
    /// The request gives up another log.
    #[error(
        "the request does not give up the log of the head file; make a new one with `sluisd restore`"
    )]
    OtherHead,
    /// Signatures that were given for another day.
    #[error(
        "the request was made at {0}, more than seven days ago; make a new one with `sluisd restore`"
    )]
    Old(Timestamp),
    /// A request of a moment that has not come.
    #[error(
        "the request bears the time {0}, which is later than this machine's: put the clock right, or make a new one with `sluisd restore`"
    )]
    Future(Timestamp),
    /// The request was made for another copy of the store, or has been accepted with it.
    #[error(
        "the request was not made for this copy of the store, or was accepted before; every restore needs a new one from `sluisd restore`, and new signatures"
    )]
    OtherCopy,
    /// The head that is given up is not there.
    #[error(
        "the request gives up a signed head of {0} entries, and there is no head file: put it back, or a copy of it; if none is left, make a new request with `sluisd restore --head-lost`"
    )]
    HeadGone(u64),
    /// Rows that cannot be read, and that no one gave up; or none where some were given up.
    #[error(
        "the rows that cannot be read are not those that the request gives up; make a new one with `sluisd restore`. They are: {}",
        list(.0)
    )]
    OtherRows(BTreeSet<LostRow>),
    /// Too many rows that cannot be read.
    #[error(
        "{0} rows cannot be read, and a restore gives up at most {MAX_LOST_ROWS}: take another backup"
    )]
    TooManyRows(usize),
    /// There is nothing to accept.
    #[error(
        "the store holds everything of its last signed head: nothing was lost, and the daemon can be started"
    )]
    NotNeeded,
    /// The store.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The change could not be made.
    #[error("{0}")]
    Refused(Refusal),
}

fn list(rows: &BTreeSet<LostRow>) -> String {
    if rows.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<_> = rows.iter().map(LostRow::to_string).collect();
    names.join(", ")
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<Refusal> for RestoreError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl LogKeeper {
    /// What two custodians must sign, so that the log goes on from this store, which then holds the nonce of the request. `lost` is the last signed head of the log that
    /// is given up; without one, what is lost is not known, and the request says so by giving up just this log.
    ///
    /// # Errors
    /// [`RestoreError::NotNeeded`] if the store continues that head, [`RestoreError::Engine`].
    pub fn restore_request(&self, lost: Option<&[u8]>) -> Result<Request, RestoreError> {
        let lost = lost.map(|lost| self.lost_head(lost)).transpose()?;
        let grown = self.extended()?;
        if lost
            .as_ref()
            .is_some_and(|lost| fits(&grown, &*self.store, lost).is_ok())
        {
            return Err(RestoreError::NotNeeded);
        }
        let (size, root) = (grown.tree().size(), grown.tree().root());
        let (lost_size, lost_root) = lost.map_or((size, root), |lost| (lost.size(), *lost.root()));
        drop(grown);
        let lost_rows = self.opt_outs.unreadable(&self.opt_outs.missing()?)?;
        if lost_rows.len() > MAX_LOST_ROWS {
            return Err(RestoreError::TooManyRows(lost_rows.len()));
        }
        let restore = Restore {
            at: self.now(),
            restored_size: size,
            restored_root: root,
            lost_size,
            lost_root,
            nonce: self.nonce()?,
            lost_rows,
        };
        Ok(Request {
            origin: self.origin.clone(),
            restore,
        })
    }

    /// The head of the log that is given up. A key that the restored store does not know yet may have signed it, so it is
    /// not verified here: two people sign what it says.
    fn lost_head(&self, signed: &[u8]) -> Result<Checkpoint, RestoreError> {
        let note = Note::from_bytes(signed).map_err(OpenError::from);
        let checkpoint: Result<Checkpoint, OpenError> =
            note.and_then(|note| Ok(note.text().parse()?));
        let checkpoint = checkpoint.map_err(|error| EngineError::from(HeadError::Open(error)))?;
        let found = checkpoint.origin();
        if found == self.origin {
            Ok(checkpoint)
        } else {
            Err(RestoreError::OtherLog {
                found: found.to_owned(),
                own: self.origin.clone(),
            })
        }
    }

    /// Goes on from a restored store. `lost` is the last signed head of the log that is given up; `None` if it is lost too.
    ///
    /// Every grant that has not ended ends, open proposals become stale, and both signatures are on record, in one commit;
    /// then opt-outs come into force again that the store does not know. A request is accepted once; after a crash the rest is
    /// done with the same one.
    /// Returns the head that is to be kept in place of the lost one, and what came into force again.
    ///
    /// # Errors
    /// [`RestoreError`]; nothing was changed then.
    pub fn accept_restore(
        &self,
        lost: Option<&[u8]>,
        request: &Request,
        signatures: &[RestoreSignature],
    ) -> Result<(Arc<SignedHead>, Replayed), RestoreError> {
        let restore = &request.restore;
        if request.origin != self.origin {
            return Err(RestoreError::OtherLog {
                found: request.origin.clone(),
                own: self.origin.clone(),
            });
        }
        let begun = self.check_restore(lost, restore)?;
        let signed = self.check_signatures(restore, signatures)?;
        // Before anything is on record: what cannot be read was given up by name, or nothing is done.
        let opt_outs = self.opt_outs.missing()?;
        if !begun {
            self.put_on_record(restore, signed, &opt_outs)?;
        }
        let replayed = self.opt_outs.replay(opt_outs)?;
        self.name_custodians()?;
        Ok((self.sign_head()?, replayed))
    }

    /// The first commit of an acceptance.
    fn put_on_record(
        &self,
        restore: &Restore,
        signatures: [Signature; 2],
        opt_outs: &Missing,
    ) -> Result<(), RestoreError> {
        let unreadable = self.opt_outs.unreadable(opt_outs)?;
        if unreadable != restore.lost_rows {
            return Err(RestoreError::OtherRows(unreadable));
        }
        let mut commit = Commit::default();
        for LostRow { kind, name } in &restore.lost_rows {
            match kind {
                // What opens the journal's record is gone; the record stays where it is.
                LostKind::Journal => {}
                LostKind::Link => {
                    commit
                        .delete(Family::Link, name.clone())
                        .delete(Family::Identity, name.clone());
                }
                LostKind::Import => {
                    commit.delete(Family::Import, name.clone());
                }
                LostKind::ImportIndex => {
                    commit.delete(Family::ImportIndex, name.clone());
                }
            }
        }
        let snapshot = self.snapshot();
        let behind = self.past(&snapshot).behind(self.store.entries());
        for key in behind.map_err(RestoreError::Engine)? {
            commit.delete(Family::Grants, key);
        }
        let nonce = [&[NONCE_FORMAT][..], &restore.nonce].concat();
        commit
            .expect(Family::Meta, rows::META_RESTORE_NONCE, Some(nonce))
            .delete(Family::Meta, rows::META_RESTORE_NONCE);
        let restored = Event::AcceptRestore(Restored {
            restore: restore.clone(),
            signatures,
        });
        self.govern(|| {
            let change = Change::of(self.header(None), restored.clone());
            Ok((change.with_rows(commit.clone()), ()))
        })?;
        Ok(())
    }

    /// The nonce of this copy of the store: the one that it has, or a new one.
    fn nonce(&self) -> Result<[u8; NONCE_BYTES], RestoreError> {
        if let Some(nonce) = self.kept_nonce()? {
            return Ok(nonce);
        }
        let nonce = random::bytes();
        let mut commit = Commit::default();
        commit
            .expect(Family::Meta, rows::META_RESTORE_NONCE, None)
            .put(
                Family::Meta,
                rows::META_RESTORE_NONCE,
                [&[NONCE_FORMAT][..], &nonce].concat(),
            );
        self.store.commit(commit)?;
        Ok(nonce)
    }

    fn kept_nonce(&self) -> Result<Option<[u8; NONCE_BYTES]>, RestoreError> {
        let Some(stored) = self.store.get(Family::Meta, rows::META_RESTORE_NONCE)? else {
            return Ok(None);
        };
        let nonce = match stored.split_first() {
            Some((&NONCE_FORMAT, nonce)) => nonce.try_into().ok(),
            _ => None,
        };
        let corrupt = EngineError::Corrupt("nonce of a restore");
        nonce.map(Some).ok_or(RestoreError::Engine(corrupt))
    }

    /// Whether a restore may be accepted: `true` if that began before, and was interrupted.
    fn check_restore(&self, lost: Option<&[u8]>, restore: &Restore) -> Result<bool, RestoreError> {
        let now = self.now();
        if !restore.is_timely(now) {
            return Err(if restore.at > now {
                RestoreError::Future(restore.at)
            } else {
                RestoreError::Old(restore.at)
            });
        }
        let lost = lost.map(|lost| self.lost_head(lost)).transpose()?;
        if lost.is_none() && !restore.head_is_lost() {
            return Err(RestoreError::HeadGone(restore.lost_size));
        }
        let grown = self.extended()?;
        if let Some(lost) = lost {
            if (restore.lost_size, restore.lost_root) != (lost.size(), *lost.root()) {
                return Err(RestoreError::OtherHead);
            }
            if fits(&grown, &*self.store, &lost).is_ok() {
                return Err(RestoreError::NotNeeded);
            }
        }
        // Acts at the console may have added entries since the request was made; whoever verifies the log goes back so far.
        let recent =
            grown.tree().size().saturating_sub(restore.restored_size) <= MAX_BEFORE_RESTORE;
        match grown.root(&*self.store, restore.restored_size) {
            Ok(root) if recent && root == restore.restored_root => {}
            _ => return Err(RestoreError::OtherStore(restore.restored_size)),
        }
        let last = grown.replay.state().last_restore();
        drop(grown);
        match last {
            Some((entry, detail)) if detail == sha256(&restore.encode()) => {
                self.check_interrupted(entry)?;
                Ok(true)
            }
            // What was signed before that one was about another loss.
            Some((entry, _)) if restore.restored_size <= entry => Err(RestoreError::OtherCopy),
            _ if self.kept_nonce()? != Some(restore.nonce) => Err(RestoreError::OtherCopy),
            _ => Ok(false),
        }
    }

    /// An acceptance that was interrupted left nothing behind but entries of its own.
    fn check_interrupted(&self, restore: u64) -> Result<(), RestoreError> {
        let most = usize::try_from(MAX_BEFORE_RESTORE).unwrap_or(usize::MAX);
        let rows = self
            .store
            .scan(Family::Audit, &rows::audit_key(restore + 1), most)?;
        let own = rows.iter().all(|(_, bytes)| {
            Entry::decode(bytes).is_ok_and(|entry| {
                matches!(entry.event, Event::EraseSubjects(_) | Event::Custodians(_))
            })
        });
        if own && rows.len() < most {
            Ok(())
        } else {
            Err(RestoreError::OtherCopy)
        }
    }

    fn check_signatures(
        &self,
        restore: &Restore,
        signatures: &[RestoreSignature],
    ) -> Result<[Signature; 2], RestoreError> {
        let [first, second] = signatures else {
            return Err(RestoreError::Signatures(signatures.len()));
        };
        if first.signer.identity == second.signer.identity {
            return Err(RestoreError::SamePerson(first.signer.identity.clone()));
        }
        let object = restore.encode();
        let check = |by: &RestoreSignature| {
            let said = Said {
                deed: Deed::AcceptRestore,
                object: &object,
                signature: &by.signature,
            };
            let signed = self.check_custodian(&by.signer, &said);
            let signer = by.signer.identity.clone();
            match signed {
                Ok(signed) => Ok(Signature { signer, signed }),
                Err(reason) => Err(RestoreError::Signature { signer, reason }),
            }
        };
        Ok([check(first)?, check(second)?])
    }

    /// One of the custodians, by the configuration and by the log as it was restored.
    fn check_custodian(&self, caller: &Caller, said: &Said<'_>) -> Result<Signed, Reason> {
        if self.now() >= caller.not_after {
            return Err(Reason::CertificateExpired);
        }
        let snapshot = self.snapshot();
        let pinned = snapshot
            .custodians
            .get(&caller.identity)
            .ok_or(Reason::NotACustodian)?;
        let mut named = snapshot.state.custodians().iter();
        if !named.any(|custodian| custodian.identity == caller.identity && custodian.key == *pinned)
        {
            return Err(Reason::NotACustodian);
        }
        self.check_signature(caller, Some(pinned), said)
            .map_err(|refusal| refusal.reason())
    }
}
