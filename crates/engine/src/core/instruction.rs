//! Instructions of custodians: acts on keys that one custodian does alone, and signs.

use sluis_domain::{ChainId, Reason};
use sluis_ledger::audit::Act;
use sluis_ledger::event::Signature;
use sluis_ledger::instruction::Instruction;

use crate::core::Core;
use crate::core::policy::{Custody, Permit};
use crate::core::signing::Said;
use crate::{Caller, Refusal};

/// What a custodian signed.
#[derive(Clone, Debug)]
pub struct Instructed {
    /// Canonical bytes of an [`Instruction`].
    pub object: Vec<u8>,
    /// Over the deed of its task and these bytes.
    pub signature: Vec<u8>,
}

impl Instructed {
    /// The instruction; `None` for bytes that are none.
    fn decode(&self) -> Option<Instruction> {
        let instruction = Instruction::decode(&self.object).ok()?;
        (instruction.encode() == self.object).then_some(instruction)
    }

    /// The chain that it is about, if it is about one.
    pub(crate) fn chain(&self) -> Option<ChainId> {
        self.decode()?.task.chain().cloned()
    }
}

impl Core {
    /// What a custodian instructs, signed for this moment with their pinned key, and the signature. Only
    /// while [`Self::govern`] is held, so that no other act of custody comes between.
    ///
    /// # Errors
    /// [`Reason::NotACustodian`], [`Reason::InvalidRequest`] for bytes that are no instruction of this act,
    /// [`Reason::KeyNotPinned`], [`Reason::BadSignature`], [`Reason::InstructionStale`].
    pub(crate) fn instructed(
        &self,
        caller: &Caller,
        act: Act,
        instructed: &Instructed,
    ) -> Result<(Permit<Custody>, Instruction, Signature), Refusal> {
        let permit = self.authorise(caller, Custody)?;
        let instruction = instructed.decode();
        let instruction = instruction.ok_or_else(|| malformed("is not an instruction"))?;
        if instruction.task.act() != act {
            return Err(malformed("is about another act"));
        }
        let pinned = permit.snapshot().custodians.get(&caller.identity);
        let said = Said {
            deed: instruction.task.deed(),
            object: &instructed.object,
            signature: &instructed.signature,
        };
        let signed = self.check_signature(caller, pinned, &said)?;
        let in_force = permit.snapshot().registry.version == instruction.registry_version;
        let next = self.custody_head()? == instruction.after;
        // An auditor compares it with the time of the entry, too.
        if !in_force || !next || !instruction.is_fresh(permit.now()) {
            return Err(Reason::InstructionStale.into());
        }
        let signature = Signature {
            signer: caller.identity.clone(),
            signed,
        };
        Ok((permit, instruction, signature))
    }

    /// Hash of the last act of custody on record.
    ///
    /// # Errors
    /// The errors of reading the log.
    pub(crate) fn custody_head(&self) -> Result<[u8; 32], Refusal> {
        self.replayed(|state| state.custody_head())
            .map_err(|error| Refusal::new(Reason::CorruptStore, error.to_string()))
    }
}

/// The instruction itself is wrong.
pub(crate) fn malformed(what: &'static str) -> Refusal {
    Refusal::field(Reason::InvalidRequest, "instruction", what)
}
