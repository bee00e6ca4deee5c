//! A registry came into force: `registry-apply`.
//!
//! | field | bytes |
//! |---|---|
//! | proposal's id | LP |
//! | digest | 32: SHA-256 of the registry's text |
//! | number of chains with new key versions | 2 |
//! | each: chain, number of versions | LP, 2: at least one |
//! | each version: namespace, kid | LP (empty: encrypted elements), 4: not zero |
//!
//! The header names the version that came into force.

use sluis_domain::ProposalId;
use sluis_domain::codec::{DecodeError, Reader, Writer};

use super::keys::{KeyVersion, read_by_chain, write_by_chain};

/// A registry came into force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryApplied {
    /// The proposal's id.
    pub proposal: ProposalId,
    /// SHA-256 of the registry's text.
    pub digest: [u8; 32],
    /// The first version of each new key line.
    pub made: Vec<KeyVersion>,
}

impl RegistryApplied {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.proposal.as_str()).fixed(&self.digest);
        write_by_chain(&self.made, out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            proposal: input.parse()?,
            digest: input.array()?,
            made: read_by_chain(input)?,
        })
    }
}
