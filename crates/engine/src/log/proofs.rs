//! Heads and proofs, for everyone who is known here.

use std::sync::Arc;

use sluis_domain::Reason;
use sluis_ledger::audit::Act;
use sluis_port::{Family, rows};
use sluis_tlog::{Hash, ProveError, Prover, leaf_hash};

use crate::core::log::head::SignedHead;
use crate::core::log::{Tiles, verifier_key};
use crate::core::policy::BeKnown;
use crate::log::LogKeeper;
use crate::{Caller, EngineError, Refusal};

/// The last signed head, and what is needed to believe it.
#[derive(Debug)]
pub struct Head {
    /// The head.
    pub signed: Arc<SignedHead>,
    /// Verifier key of the present signing key, as text.
    pub verifier_key: String,
    /// Checkpoints signed by two keys, one per change of the signing key, the oldest first.
    pub handovers: Vec<String>,
}

/// That an entry is in a log.
#[derive(Debug)]
pub struct Inclusion {
    /// Size of the log.
    pub size: u64,
    /// Hash of the entry.
    pub leaf: Hash,
    /// From the leaf upwards.
    pub hashes: Vec<Hash>,
}

/// That a log continues an earlier one.
#[derive(Debug)]
pub struct Consistency {
    /// Size of the later log.
    pub size: u64,
    /// The proof.
    pub hashes: Vec<Hash>,
}

impl LogKeeper {
    /// The last signed head.
    ///
    /// # Errors
    /// The errors of [`crate::Engine::admit`].
    pub fn head(&self, caller: &Caller) -> Result<Head, Refusal> {
        self.on_record(caller, Act::ReadHead, || {
            let permit = self.authorise(caller, BeKnown)?;
            let signed = self.signed()?;
            let verifier_key = verifier_key(&self.origin, &permit.snapshot().keyring);
            Ok(Head {
                signed,
                verifier_key: verifier_key.to_string(),
                handovers: self.log.grown().handovers.notes(),
            })
        })
    }

    /// Proves that an entry is in the log of `size` entries; without a size, in that of the last signed head.
    ///
    /// # Errors
    /// [`Reason::UnknownHead`] for a size beyond the last signed head or an entry beyond the size, and the errors of
    /// [`crate::Engine::admit`].
    pub fn prove_inclusion(
        &self,
        caller: &Caller,
        sequence: u64,
        size: Option<u64>,
    ) -> Result<Inclusion, Refusal> {
        self.on_record(caller, Act::ReadHead, || {
            self.authorise(caller, BeKnown)?;
            let size = self.signed_size(size)?;
            let hashes = self.prove(|prover| prover.inclusion(sequence, size))?;
            let mut rows = self
                .store
                .scan(Family::Audit, &rows::audit_key(sequence), 1)?;
            let lost = || {
                Refusal::new(
                    Reason::CorruptStore,
                    format!("audit entry {sequence} is missing"),
                )
            };
            let (_, bytes) = rows
                .pop()
                .filter(|(key, _)| *key == rows::audit_key(sequence))
                .ok_or_else(lost)?;
            Ok(Inclusion {
                size,
                leaf: leaf_hash(&bytes),
                hashes,
            })
        })
    }

    /// Proves that the log of `new` entries begins with that of `old` entries; without `new`, the log of the last
    /// signed head.
    ///
    /// # Errors
    /// [`Reason::UnknownHead`] for a size beyond the last signed head or if `old` is larger than `new`,
    /// [`Reason::InvalidRequest`] if `old` is 0, and the errors of [`crate::Engine::admit`].
    pub fn prove_consistency(
        &self,
        caller: &Caller,
        old: u64,
        new: Option<u64>,
    ) -> Result<Consistency, Refusal> {
        self.on_record(caller, Act::ReadHead, || {
            self.authorise(caller, BeKnown)?;
            if old == 0 {
                return Err(Refusal::field(
                    Reason::InvalidRequest,
                    "old_size",
                    "must be at least 1",
                ));
            }
            let size = self.signed_size(new)?;
            Ok(Consistency {
                size,
                hashes: self.prove(|prover| prover.consistency(old, size))?,
            })
        })
    }

    fn signed(&self) -> Result<Arc<SignedHead>, Refusal> {
        self.last_head()
            .ok_or_else(|| Reason::HeadUnavailable.into())
    }

    fn signed_size(&self, asked: Option<u64>) -> Result<u64, Refusal> {
        let last = self.signed()?.size;
        let size = asked.unwrap_or(last);
        if size <= last {
            Ok(size)
        } else {
            Err(Reason::UnknownHead.into())
        }
    }

    fn prove(
        &self,
        ask: impl FnOnce(Prover<'_, Tiles<'_>>) -> Result<Vec<Hash>, ProveError<EngineError>>,
    ) -> Result<Vec<Hash>, Refusal> {
        self.log
            .grown()
            .prove(&*self.store, ask)
            .map_err(|error| match error {
                ProveError::NotInTree { .. }
                | ProveError::NotThatLong { .. }
                | ProveError::Shrunk { .. } => Reason::UnknownHead.into(),
                ProveError::TileLength { .. } => {
                    Refusal::new(Reason::CorruptStore, error.to_string())
                }
                ProveError::Source(error) => error.into(),
            })
    }
}
