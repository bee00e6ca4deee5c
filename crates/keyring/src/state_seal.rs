//! Sealing of governance values (registry, grants, counters), so that editing the store by hand kills a value
//! instead of changing it.

use sluis_crypto::{Secret, digest, labels, wrap};
use sluis_domain::Timestamp;
use sluis_domain::codec::{Reader, Writer};
use sluis_port::Family;

use crate::KeyringError;

const FORMAT: u8 = 1;

/// Seals values under the state key, bound to where they live and to their generation.
///
/// Stored: `0x01 || generation(8) || nonce(24) || XAES-256-GCM(state key, aad, value)` with
/// `aad = LP(column family) || LP(key) || LP(generation)`.
#[derive(Debug)]
pub struct StateSeal {
    pub(crate) key: Secret,
    pub(crate) created_at: Timestamp,
    fingerprint: Secret,
    log_end: Secret,
}

impl StateSeal {
    pub(crate) fn new(key: Secret, created_at: Timestamp) -> Self {
        Self {
            fingerprint: sluis_crypto::kdf(&key, labels::STATE_FINGERPRINT),
            log_end: sluis_crypto::kdf(&key, labels::LOG_END),
            key,
            created_at,
        }
    }

    /// The stored form of a value.
    pub fn seal(&self, family: Family, key: &[u8], generation: u64, value: &[u8]) -> Vec<u8> {
        let sealed = wrap::seal(&self.key, &aad(family, key, generation), value);
        Writer::new(FORMAT).u64(generation).fixed(&sealed).finish()
    }

    /// Generation and value of a stored form.
    ///
    /// # Errors
    /// [`KeyringError::Corrupt`] if it was changed, moved, or is of an unknown format.
    pub fn open(
        &self,
        family: Family,
        key: &[u8],
        stored: &[u8],
    ) -> Result<(u64, Vec<u8>), KeyringError> {
        let corrupt = KeyringError::Corrupt(family.name());
        let mut input = Reader::new(stored, FORMAT).map_err(|_| corrupt.clone())?;
        let generation = input.u64().map_err(|_| corrupt.clone())?;
        let value = wrap::open(&self.key, &aad(family, key, generation), &stored[9..])
            .map_err(|_| corrupt)?;
        Ok((generation, value.to_vec()))
    }

    /// A keyed digest, for recognising content that must not be stored (such as that of a counted batch).
    pub fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        digest::keyed(&self.fingerprint, parts)
    }

    /// The MAC over all entries of the audit log: from that over the entries before (zeros before the first) and the hash of the
    /// next.
    pub fn chain_entry(&self, before: &[u8; 32], leaf: &[u8; 32]) -> [u8; 32] {
        digest::keyed(&self.log_end, &[before, leaf])
    }
}

fn aad(family: Family, key: &[u8], generation: u64) -> Vec<u8> {
    let mut aad = Writer::default();
    aad.lp(family.name())
        .lp(key)
        .lp(generation.to_be_bytes())
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_where_it_was_put_and_as_it_was() {
        let seal = StateSeal::new(Secret::random(), Timestamp::MAX);
        let stored = seal.seal(Family::Grants, b"g1", 4, b"value");
        assert_eq!(
            seal.open(Family::Grants, b"g1", &stored),
            Ok((4, b"value".to_vec()))
        );
        let corrupt = Err(KeyringError::Corrupt("grants"));
        assert_eq!(seal.open(Family::Grants, b"g2", &stored), corrupt);
        assert_eq!(
            seal.open(Family::Registry, b"g1", &stored),
            Err(KeyringError::Corrupt("registry"))
        );
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            assert_eq!(
                seal.open(Family::Grants, b"g1", &changed),
                corrupt,
                "byte {at}"
            );
        }
        for end in 0..stored.len() {
            assert_eq!(seal.open(Family::Grants, b"g1", &stored[..end]), corrupt);
        }
    }
}
