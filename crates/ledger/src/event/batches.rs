//! Batches: pseudonymised, imported, converted, re-identified.
//!
//! `pseudonymise` and `import`:
//!
//! | field | bytes |
//! |---|---|
//! | chain | LP |
//! | rows, values, rejected | 8 + 8 + 8 |
//! | key uses | see below |
//!
//! `convert` and `reidentify`:
//!
//! | field | bytes |
//! |---|---|
//! | grant | see [`GrantRef`] |
//! | rows, values, rejected | 8 + 8 + 8 |
//! | counter | 8: values used under the grant after this batch |
//! | key uses | see below |
//!
//! Key uses stand by chain, each chain once in a row:
//!
//! | field | bytes |
//! |---|---|
//! | number of chains | 2 |
//! | each: chain, number of uses | LP, 2: at least one |
//! | each use: namespace, kid, values | LP (empty: encrypted elements), 4: not zero, 8 |

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, Kid, NamespaceId};

use super::GrantRef;
use super::keys::{InChain, LineVersion, read_by_chain, write_by_chain};

/// Use of one key version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyUse {
    /// Its chain.
    pub chain: ChainId,
    /// The namespace of a pseudonym line; `None` for the chain's encrypted elements.
    pub namespace: Option<NamespaceId>,
    /// The key version.
    pub kid: Kid,
    /// Values processed with it.
    pub values: u64,
}

/// A batch of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submitted {
    /// The chain that it was submitted to.
    pub chain: ChainId,
    /// Rows of the batch.
    pub rows: u64,
    /// Values processed.
    pub values: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Key versions used.
    pub keys: Vec<KeyUse>,
}

/// A batch under a grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    /// The grant.
    pub grant: GrantRef,
    /// Rows of the batch.
    pub rows: u64,
    /// Values processed.
    pub values: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Values used under the grant after this batch.
    pub counter: u64,
    /// Key versions used.
    pub keys: Vec<KeyUse>,
}

impl Submitted {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.chain.as_str());
        out.u64(self.rows).u64(self.values).u64(self.rejected);
        write_by_chain(&self.keys, out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain: input.parse()?,
            rows: input.u64()?,
            values: input.u64()?,
            rejected: input.u64()?,
            keys: read_by_chain(input)?,
        })
    }
}

impl Granted {
    pub(super) fn write(&self, out: &mut Writer) {
        self.grant.write(out);
        out.u64(self.rows).u64(self.values).u64(self.rejected);
        out.u64(self.counter);
        write_by_chain(&self.keys, out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            grant: GrantRef::read(input)?,
            rows: input.u64()?,
            values: input.u64()?,
            rejected: input.u64()?,
            counter: input.u64()?,
            keys: read_by_chain(input)?,
        })
    }
}

impl InChain for KeyUse {
    fn chain(&self) -> &ChainId {
        &self.chain
    }

    fn write(&self, out: &mut Writer) {
        LineVersion::write_of(self.namespace.as_ref(), self.kid, out);
        out.u64(self.values);
    }

    fn read(chain: &ChainId, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let LineVersion { namespace, kid } = LineVersion::read(input)?;
        Ok(Self {
            chain: chain.clone(),
            namespace,
            kid,
            values: input.u64()?,
        })
    }
}
