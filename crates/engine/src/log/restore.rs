//! The ceremony after the restore of an older store: two custodians say that the log goes on from there.

use std::sync::Arc;

use sluis_crypto::random;
use sluis_domain::audit::{Act, Entry};
use sluis_domain::port::{Commit, StoreError};
use sluis_domain::restore::{Request, Restore};
use sluis_domain::statement::Deed;
use sluis_domain::{Identity, Reason, Signed, Timestamp};
use sluis_tlog::{Checkpoint, Note, OpenError};
use sluis_verify::MAX_BEFORE_RESTORE;

use super::head::{self, HeadError, SignedHead};
use crate::engine::Engine;
use crate::erasure::Replayed;
use crate::signing::Said;
use crate::{Caller, EngineError, Refusal};

/// A custodian's signature under a restore.
#[derive(Clone, Debug)]
pub struct RestoreSignature {
    /// Who, as their certificate says.
    pub signer: Caller,
    /// Over `restore` and the canonical bytes of the [`Restore`].
    pub signature: Vec<u8>,
}

/// How long two custodians may take to sign: seven days. What they signed must not serve for another loss, later.
const REQUEST_LIFE_MILLIS: u64 = 7 * 24 * 3600 * 1000;

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

impl Engine {
    /// What two custodians must sign, so that the log goes on from this store. `lost` is the last signed head of the log that
    /// is given up; without one, what is lost is not known, and the request says so by giving up just this log.
    ///
    /// # Errors
    /// [`RestoreError::NotNeeded`] if the store continues that head, [`RestoreError::Engine`].
    pub fn restore_request(&self, lost: Option<&[u8]>) -> Result<Request, RestoreError> {
        let lost = lost.map(|lost| self.lost_head(lost)).transpose()?;
        let grown = self.extended()?;
        if lost
            .as_ref()
            .is_some_and(|lost| head::fits(&grown, &*self.store, lost).is_ok())
        {
            return Err(RestoreError::NotNeeded);
        }
        let (size, root) = (grown.tree.size(), grown.tree.root());
        let (lost_size, lost_root) = lost.map_or((size, root), |lost| (lost.size(), *lost.root()));
        let restore = Restore {
            at: self.now(),
            restored_size: size,
            restored_root: root,
            lost_size,
            lost_root,
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
    /// then opt-outs come into force again that the store does not know. After a crash it is done once more.
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
        let _governing = self.govern();
        let restore = &request.restore;
        if request.origin != self.origin {
            return Err(RestoreError::OtherLog {
                found: request.origin.clone(),
                own: self.origin.clone(),
            });
        }
        self.check_restore(lost, restore)?;
        let signed = self.check_signatures(restore, signatures)?;
        // Before anything is on record: a journal that cannot be read must be mended first.
        let opt_outs = self.missing_opt_outs()?;
        let (now, by) = (self.now(), &signed[0].0);
        let mut commit = Commit::default();
        let grants = self.end_grants(by, now, &mut commit)?;
        let proposals = self.end_proposals(by, now, &mut commit)?;
        let mut entry = Entry::new(
            random::bytes(),
            now,
            Act::AcceptRestore,
            self.snapshot().registry.version,
        );
        entry.detail = restore.encode();
        entry.signatures.clone_from(&signed);
        commit.entry(entry.encode());
        self.commit_governed(commit, None)?;
        self.put_grants(grants);
        self.put_proposals(proposals);
        let replayed = self.replay_opt_outs(opt_outs)?;
        self.name_custodians()?;
        Ok((self.sign_head()?, replayed))
    }

    fn check_restore(&self, lost: Option<&[u8]>, restore: &Restore) -> Result<(), RestoreError> {
        if restore.at.plus_millis(REQUEST_LIFE_MILLIS) < self.now() {
            return Err(RestoreError::Old(restore.at));
        }
        let lost = lost.map(|lost| self.lost_head(lost)).transpose()?;
        let grown = self.extended()?;
        if let Some(lost) = lost {
            if (restore.lost_size, restore.lost_root) != (lost.size(), *lost.root()) {
                return Err(RestoreError::OtherHead);
            }
            if head::fits(&grown, &*self.store, &lost).is_ok() {
                return Err(RestoreError::NotNeeded);
            }
        }
        // Acts at the console may have added entries since the request was made; whoever verifies the log goes back so far.
        let recent = grown.tree.size().saturating_sub(restore.restored_size) <= MAX_BEFORE_RESTORE;
        match grown.root(&*self.store, restore.restored_size) {
            Ok(root) if recent && root == restore.restored_root => Ok(()),
            _ => Err(RestoreError::OtherStore(restore.restored_size)),
        }
    }

    fn check_signatures(
        &self,
        restore: &Restore,
        signatures: &[RestoreSignature],
    ) -> Result<Vec<(Identity, Signed)>, RestoreError> {
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
                Ok(signed) => Ok((signer, signed)),
                Err(reason) => Err(RestoreError::Signature { signer, reason }),
            }
        };
        Ok(vec![check(first)?, check(second)?])
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
        let named = sluis_domain::custodian::decode(&self.log.custodians());
        let named = named.map_err(|_| Reason::CorruptStore)?;
        if !named
            .iter()
            .any(|custodian| custodian.identity == caller.identity && custodian.key == *pinned)
        {
            return Err(Reason::NotACustodian);
        }
        self.check_signature(caller, Some(pinned), said)
            .map_err(|refusal| refusal.reason())
    }
}
