//! The end of a chain's retention, and erasures.
//!
//! `retention-warning`: LP chain.
//!
//! `chain-expire`:
//!
//! | field | bytes |
//! |---|---|
//! | chain | LP |
//! | number of versions that ended | 2 |
//! | each: namespace, kid | LP (empty: encrypted elements), 4: not zero |
//!
//! `subjects-erase`:
//!
//! | field | bytes |
//! |---|---|
//! | chain | LP |
//! | subjects | 8: not zero |
//! | namespace | LP: empty if no version has an escrow any more, and then nothing follows |
//! | number of versions | 2: not zero |
//! | each: kid | 4: not zero |

use std::num::NonZeroU64;

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, Kid, NamespaceId};

use super::keys::{LineVersion, read_kid, read_versions, write_count, write_versions};

/// A chain past its retention was destroyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainExpired {
    /// The chain.
    pub chain: ChainId,
    /// Its versions, which ended with it.
    pub ended: Vec<LineVersion>,
}

/// Rows of opted-out subjects were removed from a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubjectsErased {
    /// The chain.
    pub chain: ChainId,
    /// How many subjects.
    pub subjects: NonZeroU64,
    /// From where; `None` if no version has an escrow any more.
    pub line: Option<ErasedLine>,
}

/// Where rows of subjects were removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErasedLine {
    /// The namespace.
    pub namespace: NamespaceId,
    /// All its versions that have an escrow in the chain: at least one.
    pub kids: Vec<Kid>,
}

impl ChainExpired {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.chain.as_str());
        write_versions(&self.ended, out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain: input.parse()?,
            ended: read_versions(input)?,
        })
    }
}

impl SubjectsErased {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.chain.as_str()).u64(self.subjects.get());
        let Some(ErasedLine { namespace, kids }) = &self.line else {
            out.lp("");
            return;
        };
        out.lp(namespace.as_str());
        write_count(kids.len(), out);
        for kid in kids {
            out.fixed(&kid.to_be_bytes());
        }
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let chain = input.parse()?;
        let subjects = NonZeroU64::new(input.u64()?).ok_or(DecodeError)?;
        let namespace: Option<NamespaceId> = input.parse_optional()?;
        let line = namespace.map(|namespace| read_line(namespace, input));
        Ok(Self {
            chain,
            subjects,
            line: line.transpose()?,
        })
    }
}

fn read_line(namespace: NamespaceId, input: &mut Reader<'_>) -> Result<ErasedLine, DecodeError> {
    let count = input.u16()?;
    if count == 0 {
        return Err(DecodeError);
    }
    let kids = (0..count)
        .map(|_| read_kid(input))
        .collect::<Result<_, _>>()?;
    Ok(ErasedLine { namespace, kids })
}
