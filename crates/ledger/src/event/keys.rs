//! Key versions, and what one custodian does alone with keys.
//!
//! `chain-rotate`:
//!
//! | field | bytes |
//! |---|---|
//! | instruction | LP of [`Instruction::encode`], about this act |
//! | number of new versions | 2 |
//! | each: namespace, kid | LP (empty: encrypted elements), 4: not zero |
//! | signature | LP organisation, LP member, LP signature, LP certificate |
//!
//! `version-disable`: instruction and signature alone; the instruction names the version.
//!
//! `audit-key-rotate`:
//!
//! | field | bytes |
//! |---|---|
//! | new verifier key | LP of its text |
//! | instruction, signature | as above |

use sluis_crypto::VerifierKey;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, Kid, NamespaceId};

use super::{Signature, read_nested};
use crate::audit::Act;
use crate::instruction::Instruction;

/// A key version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyVersion {
    /// Its chain.
    pub chain: ChainId,
    /// Its namespace; `None` for the chain's encrypted elements.
    pub namespace: Option<NamespaceId>,
    /// The version.
    pub kid: Kid,
}

/// A key version of a chain that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineVersion {
    /// Its namespace; `None` for the chain's encrypted elements.
    pub namespace: Option<NamespaceId>,
    /// The version.
    pub kid: Kid,
}

/// Key lines of the instruction's chain got new versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// What the custodian signed.
    pub instruction: Instruction,
    /// The new versions.
    pub made: Vec<LineVersion>,
    /// Of the caller.
    pub signature: Signature,
}

/// The version that the instruction names was disabled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disabled {
    /// What the custodian signed.
    pub instruction: Instruction,
    /// Of the caller.
    pub signature: Signature,
}

/// The log has another signing key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditKeyRotated {
    /// The new key.
    pub key: VerifierKey,
    /// What the custodian signed.
    pub instruction: Instruction,
    /// Of the caller.
    pub signature: Signature,
}

impl KeyVersion {
    /// As a version of a chain that is known.
    pub fn in_chain(&self) -> LineVersion {
        LineVersion {
            namespace: self.namespace.clone(),
            kid: self.kid,
        }
    }
}

impl LineVersion {
    /// With its chain.
    pub fn of(&self, chain: &ChainId) -> KeyVersion {
        KeyVersion {
            chain: chain.clone(),
            namespace: self.namespace.clone(),
            kid: self.kid,
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        Self::write_of(self.namespace.as_ref(), self.kid, out);
    }

    pub(super) fn write_of(namespace: Option<&NamespaceId>, kid: Kid, out: &mut Writer) {
        out.lp(namespace.map_or("", NamespaceId::as_str))
            .fixed(&kid.to_be_bytes());
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            namespace: input.parse_optional()?,
            kid: read_kid(input)?,
        })
    }
}

impl Rotated {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.instruction.encode());
        write_versions(&self.made, out);
        self.signature.write(out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            instruction: read_instruction(Act::RotateChain, input)?,
            made: read_versions(input)?,
            signature: Signature::read(input)?,
        })
    }
}

impl Disabled {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.instruction.encode());
        self.signature.write(out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            instruction: read_instruction(Act::DisableVersion, input)?,
            signature: Signature::read(input)?,
        })
    }
}

impl AuditKeyRotated {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.key.to_string()).lp(self.instruction.encode());
        self.signature.write(out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key: read_key(input)?,
            instruction: read_instruction(Act::RotateAuditKey, input)?,
            signature: Signature::read(input)?,
        })
    }
}

/// A verifier key as its text.
pub(super) fn read_key(input: &mut Reader<'_>) -> Result<VerifierKey, DecodeError> {
    let text = input.text()?;
    let key: VerifierKey = text.parse().map_err(|_| DecodeError)?;
    if key.to_string() == text {
        Ok(key)
    } else {
        Err(DecodeError)
    }
}

fn read_instruction(act: Act, input: &mut Reader<'_>) -> Result<Instruction, DecodeError> {
    let instruction = read_nested(input, Instruction::decode, Instruction::encode)?;
    if instruction.task.act() == act {
        Ok(instruction)
    } else {
        Err(DecodeError)
    }
}

/// Something that is listed by chain.
pub(super) trait InChain: Sized {
    fn chain(&self) -> &ChainId;
    /// Without the chain.
    fn write(&self, out: &mut Writer);
    fn read(chain: &ChainId, input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

impl InChain for KeyVersion {
    fn chain(&self) -> &ChainId {
        &self.chain
    }

    fn write(&self, out: &mut Writer) {
        LineVersion::write_of(self.namespace.as_ref(), self.kid, out);
    }

    fn read(chain: &ChainId, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(LineVersion::read(input)?.of(chain))
    }
}

pub(super) fn write_by_chain<T: InChain>(all: &[T], out: &mut Writer) {
    let chains: Vec<_> = all.chunk_by(|a, b| a.chain() == b.chain()).collect();
    write_count(chains.len(), out);
    for of_chain in chains {
        out.lp(of_chain[0].chain().as_str());
        write_count(of_chain.len(), out);
        of_chain.iter().for_each(|one| one.write(out));
    }
}

pub(super) fn read_by_chain<T: InChain>(input: &mut Reader<'_>) -> Result<Vec<T>, DecodeError> {
    let mut all: Vec<T> = Vec::new();
    for _ in 0..input.u16()? {
        let chain: ChainId = input.parse()?;
        let count = input.u16()?;
        if count == 0 || all.last().is_some_and(|last| *last.chain() == chain) {
            return Err(DecodeError);
        }
        for _ in 0..count {
            all.push(T::read(&chain, input)?);
        }
    }
    Ok(all)
}

/// Number, then each.
pub(super) fn write_versions(versions: &[LineVersion], out: &mut Writer) {
    write_count(versions.len(), out);
    versions.iter().for_each(|version| version.write(out));
}

pub(super) fn read_versions(input: &mut Reader<'_>) -> Result<Vec<LineVersion>, DecodeError> {
    (0..input.u16()?)
        .map(|_| LineVersion::read(input))
        .collect()
}

pub(super) fn write_count(count: usize, out: &mut Writer) {
    let count = u16::try_from(count).expect("an act names far below 65,536 key versions");
    out.u16(count);
}

pub(super) fn read_kid(input: &mut Reader<'_>) -> Result<Kid, DecodeError> {
    Kid::from_be_bytes(input.array()?).ok_or(DecodeError)
}
