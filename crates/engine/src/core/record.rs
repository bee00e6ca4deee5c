//! The audit log: headers of entries, and refusals on record.

use sluis_crypto::random;
use sluis_domain::{ChainId, GrantId, ProposalId, Reason, Timestamp};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{self, About, Entry, Event, GrantRef, Header, ProposalRef};
use sluis_port::{Commit, StoreError};

use crate::core::Core;
use crate::core::held::Steady;
use crate::{Caller, Refusal};

/// What a caller asks for, as far as the request alone says it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// What is to be done.
    pub(crate) act: Act,
    /// What it is about.
    pub(crate) about: Named<'a>,
}

/// What a request names. It may not exist.
#[derive(Clone, Copy)]
pub(crate) enum Named<'a> {
    Nothing,
    Chain(&'a ChainId),
    Grant(&'a GrantId),
    Proposal(&'a ProposalId),
    /// SHA-256 of the text of a registry.
    RegistryText([u8; 32]),
}

impl From<Act> for Asked<'_> {
    /// About nothing in particular.
    fn from(act: Act) -> Self {
        Self {
            act,
            about: Named::Nothing,
        }
    }
}

impl<'a> From<Option<&'a ChainId>> for Named<'a> {
    fn from(chain: Option<&'a ChainId>) -> Self {
        chain.map_or(Self::Nothing, Self::Chain)
    }
}

/// The header of an entry that is made now.
pub(crate) fn header(at: Timestamp, caller: Option<&Caller>, registry_version: u64) -> Header {
    Header {
        salt: random::bytes(),
        at,
        registry_version,
        caller: caller.map(|caller| event::Caller {
            identity: caller.identity.clone(),
            fingerprint: caller.fingerprint,
        }),
    }
}

/// The canonical bytes of an entry.
pub(crate) fn encoded(header: Header, event: Event) -> Vec<u8> {
    Entry { header, event }.encode()
}

impl Core {
    /// The header of an entry about an act of `caller`, or of the daemon itself, under the registry in force.
    pub(crate) fn header(&self, caller: Option<&Caller>) -> Header {
        header(self.now(), caller, self.snapshot().registry.version)
    }

    /// Runs an act under what is in force now, whichever daemon on the same store put it into force; if the act is refused, the
    /// refusal is on record before it is answered. When it succeeds, `body` has committed its entry itself.
    pub(crate) fn on_record<'a, T>(
        &self,
        caller: &Caller,
        asked: impl Into<Asked<'a>>,
        body: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let done = self.refreshed().and_then(|()| body());
        done.map_err(|refusal| self.record_refusal(caller, asked.into(), refusal))
    }

    /// As [`Self::on_record`] for a batch, while nothing changes.
    pub(crate) fn batch_on_record<'a, T>(
        &self,
        steady: Result<Steady<'_>, Refusal>,
        caller: &Caller,
        asked: impl Into<Asked<'a>>,
        body: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        // Who is refused keeps no one waiting until that is on record.
        let done = steady.and_then(|_steady| body());
        done.map_err(|refusal| self.record_refusal(caller, asked.into(), refusal))
    }

    /// Whether there is room on record for one more refusal of a caller; it counts then. Does not wait for anything.
    pub fn admits_refusal(&self, caller: &Caller, reason: Reason) -> bool {
        if !goes_on_record(reason) {
            return false;
        }
        let snapshot = self.snapshot();
        let known = snapshot.custodians.contains_key(&caller.identity)
            || snapshot
                .registry
                .registry
                .organisation(&caller.identity.organisation)
                .is_some();
        self.refusals
            .admits(&caller.identity, known, reason, self.now())
    }

    /// Puts on record what the caller was refused outside the engine (a revoked certificate, a limit, a malformed
    /// message), if [`Self::admits_refusal`] said that there is room, and returns the reason to answer with: why, if it could
    /// not be recorded, [`Reason::HeadUnavailable`] if nothing is.
    pub fn refuse(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        self.put_refusal(caller, act.into(), reason.into()).reason()
    }

    fn record_refusal(&self, caller: &Caller, asked: Asked<'_>, refusal: Refusal) -> Refusal {
        // What may have been done is not refused.
        if refusal.reason() == Reason::OutcomeUnknown {
            return refusal;
        }
        if let Err(reason) = self.log.check() {
            return reason.into();
        }
        if self.admits_refusal(caller, refusal.reason()) {
            self.put_refusal(caller, asked, refusal)
        } else {
            refusal
        }
    }

    fn put_refusal(&self, caller: &Caller, asked: Asked<'_>, refusal: Refusal) -> Refusal {
        // Nothing more is put on a record that no one can sign.
        if let Err(reason) = self.log.check() {
            return reason.into();
        }
        let event = Event::Refused(event::Refusal {
            act: asked.act,
            reason: refusal.reason(),
            about: self.about(asked),
        });
        let commit = Commit {
            entries: vec![encoded(self.header(Some(caller)), event)],
            ..Commit::default()
        };
        match self.store.commit(commit) {
            Ok(_) => refusal,
            // Whether the refusal is on record is unknown, but nothing was done.
            Err(StoreError::Unknown(why)) => StoreError::ReadOnly(why).into(),
            Err(error) => error.into(),
        }
    }

    /// What a refused act was about: only what exists, because anything else is whatever the caller put there.
    fn about(&self, asked: Asked<'_>) -> About {
        let about = match asked.about {
            Named::Nothing => About::Nothing,
            Named::Chain(id) => {
                let snapshot = self.snapshot();
                let chain = snapshot.registry.registry.chain(id);
                chain.map_or(About::Nothing, |chain| About::Chain(chain.id().clone()))
            }
            Named::Grant(id) => match self.known_grant(id) {
                Ok(known) => About::Grant(GrantRef::of(&known.grant)),
                Err(_) => About::Nothing,
            },
            Named::Proposal(id) => match self.known_proposal(id) {
                Ok(known) => {
                    let ProposalRef { digest, chain, .. } = ProposalRef::of(&known.proposal);
                    About::Proposal { digest, chain }
                }
                Err(_) => About::Nothing,
            },
            Named::RegistryText(digest) => About::RegistryText(digest),
        };
        if about.fits(asked.act) {
            about
        } else {
            About::Nothing
        }
    }
}

/// Whether a refusal for this reason goes on record. What the store cannot write it cannot put on record either, and of what
/// may have been done the log must not say that it was refused. Batches behind one that was refused are refused with it.
pub(crate) fn goes_on_record(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::ReadOnly
            | Reason::DiskFull
            | Reason::StoreStalled
            | Reason::OutcomeUnknown
            | Reason::StreamRefused
    )
}
