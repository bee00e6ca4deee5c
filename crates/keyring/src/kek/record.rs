//! What the store says about its KEK: how it comes back, and how to tell the right one.
//!
//! | bytes | value of `kek` in `meta` |
//! |---|---|
//! | 1 | format `0x01` |
//! | 16 | key-check value of the KEK |
//! | 1 | where the KEK is: 1 = file or credential, 2 = shares, 3 = token |
//! | rest | nothing; a [`ShareSet`]; a [`WrappedKek`] |
//!
//! | bytes | a share set |
//! |---|---|
//! | 8 | id of the set, random |
//! | 1 | threshold: how many shares are needed |
//! | 1 | n: how many there are |
//! | n x 16 | check values of the shares 1 to n, `KDF(share, "sluis/1 share-check")[..16]` |
//!
//! | bytes | a KEK as wrapped by a token |
//! |---|---|
//! | 1 | mechanism: 1 = AES-256-GCM (`CKM_AES_GCM`), aad = `sluis/1 kek`, tag of 128 bits |
//! | 12 | initialisation vector |
//! | 48 | ciphertext (32), tag (16) |
//!
//! None of this is secret. It is not sealed either, because it is read before there is a key; whoever changes it can keep
//! the keyring from opening, and nothing else.

use sluis_crypto::wrap;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_port::rows::META_KEK;
use sluis_port::{Family, Store, Write};

use crate::{Kek, KeyringError, MAX_SHARES};

const FORMAT: u8 = 1;
/// Bytes of a check value.
pub(crate) const CHECK: usize = 16;
/// Bytes of the id of a share set.
pub(crate) const SET_ID: usize = 8;
/// Bytes of the initialisation vector of a token's wrap.
pub(crate) const IV: usize = 12;
/// Bytes of a KEK as sealed by a token.
pub(crate) const SEALED: usize = 32 + 16;
/// The only mechanism there is.
const AES_GCM: u8 = 1;

/// How a KEK comes back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Protection {
    /// From a file or a systemd credential.
    Key,
    /// From shares in several hands.
    Shares(ShareSet),
    /// From a hardware token.
    Token(WrappedKek),
}

impl Protection {
    /// A name for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Key => "a file or credential",
            Self::Shares(_) => "shares",
            Self::Token(_) => "a PKCS#11 token",
        }
    }
}

/// The shares of a KEK: enough to tell a right one from a wrong one, and nothing of their content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShareSet {
    pub(crate) id: [u8; SET_ID],
    pub(crate) threshold: u8,
    pub(crate) checks: Vec<[u8; CHECK]>,
}

impl ShareSet {
    /// How many shares are needed.
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// How many shares there are.
    pub fn shares(&self) -> u8 {
        u8::try_from(self.checks.len()).expect("a set has at most MAX_SHARES shares")
    }

    /// Its id in hexadecimal, which every share of it carries too.
    pub fn id(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.id)
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (id, threshold, shares) = (input.array()?, input.u8()?, input.u8()?);
        if !numbers_fit(threshold, shares) {
            return Err(DecodeError);
        }
        let checks = (0..shares)
            .map(|_| input.array())
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id,
            threshold,
            checks,
        })
    }
}

/// Whether a key can be split like that.
pub(crate) fn numbers_fit(threshold: u8, shares: u8) -> bool {
    2 <= threshold && threshold <= shares && shares <= MAX_SHARES
}

/// A KEK as wrapped by a token's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrappedKek {
    pub(crate) iv: [u8; IV],
    pub(crate) sealed: [u8; SEALED],
}

/// What the store says about its KEK.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KekRecord {
    pub(crate) check: [u8; CHECK],
    pub(crate) protection: Protection,
}

impl KekRecord {
    /// Reads it from a store.
    ///
    /// # Errors
    /// [`KeyringError::Absent`], [`KeyringError::Corrupt`], and the errors of the store.
    pub fn read(store: &dyn Store) -> Result<Self, KeyringError> {
        let value = store
            .get(Family::Meta, META_KEK)?
            .ok_or(KeyringError::Absent)?;
        Self::decode(&value).map_err(|_| KeyringError::Corrupt("what the store says about its KEK"))
    }

    /// How the KEK comes back.
    pub fn protection(&self) -> &Protection {
        &self.protection
    }

    pub(crate) fn of(kek: &Kek) -> Self {
        Self {
            check: wrap::check_value(kek.secret()),
            protection: kek.protection().clone(),
        }
    }

    /// Whether a KEK is the one.
    pub(crate) fn admit(&self, kek: &Kek) -> Result<(), KeyringError> {
        let (stored, given) = (self.protection.name(), kek.protection().name());
        if stored != given {
            return Err(KeyringError::OtherProvider { stored, given });
        }
        if self.check == wrap::check_value(kek.secret()) {
            Ok(())
        } else {
            Err(KeyringError::WrongKek)
        }
    }

    pub(crate) fn write(&self) -> Write {
        Write {
            family: Family::Meta,
            key: META_KEK.to_vec(),
            value: Some(self.encode()),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut value = Writer::new(FORMAT);
        value.fixed(&self.check);
        match &self.protection {
            Protection::Key => value.u8(1),
            Protection::Shares(set) => value
                .u8(2)
                .fixed(&set.id)
                .u8(set.threshold)
                .u8(set.shares())
                .fixed(set.checks.as_flattened()),
            Protection::Token(wrapped) => value
                .u8(3)
                .u8(AES_GCM)
                .fixed(&wrapped.iv)
                .fixed(&wrapped.sealed),
        };
        value.finish()
    }

    fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(value, FORMAT)?;
        let check = input.array()?;
        let protection = match input.u8()? {
            1 => Protection::Key,
            2 => Protection::Shares(ShareSet::read(&mut input)?),
            3 if input.u8()? == AES_GCM => Protection::Token(WrappedKek {
                iv: input.array()?,
                sealed: input.array()?,
            }),
            _ => return Err(DecodeError),
        };
        input.end()?;
        Ok(Self { check, protection })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn protections() -> impl Strategy<Value = Protection> {
        let sets = (any::<[u8; SET_ID]>(), 2..=MAX_SHARES).prop_flat_map(|(id, threshold)| {
            let checks = prop::collection::vec(
                any::<[u8; CHECK]>(),
                usize::from(threshold)..=usize::from(MAX_SHARES),
            );
            checks.prop_map(move |checks| {
                Protection::Shares(ShareSet {
                    id,
                    threshold,
                    checks,
                })
            })
        });
        let wraps =
            (any::<[u8; IV]>(), any::<[u8; 32]>(), any::<[u8; 16]>()).prop_map(|(iv, kek, tag)| {
                let sealed = [&kek[..], &tag].concat().try_into().expect("48 bytes");
                Protection::Token(WrappedKek { iv, sealed })
            });
        prop_oneof![Just(Protection::Key), sets, wraps]
    }

    proptest! {
        #[test]
        fn a_record_is_read_back_and_nothing_longer_or_shorter(check: [u8; CHECK], protection in protections()) {
            let record = KekRecord { check, protection };
            let bytes = record.encode();
            prop_assert_eq!(KekRecord::decode(&bytes), Ok(record));
            for end in 0..bytes.len() {
                prop_assert!(KekRecord::decode(&bytes[..end]).is_err(), "cut to {}", end);
            }
            prop_assert!(KekRecord::decode(&[&bytes[..], &[0]].concat()).is_err());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = FORMAT;
            }
            if let Ok(record) = KekRecord::decode(&bytes) {
                prop_assert_eq!(record.encode(), bytes);
            }
        }
    }

    #[test]
    fn impossible_numbers_of_shares_are_corrupt() {
        let set = |threshold, shares: u8| {
            let checks = vec![[7; CHECK]; shares.into()];
            KekRecord {
                check: [1; CHECK],
                protection: Protection::Shares(ShareSet {
                    id: [2; 8],
                    threshold,
                    checks,
                }),
            }
        };
        for (threshold, shares) in [(1, 1), (1, 3), (0, 2), (4, 3), (2, MAX_SHARES + 1)] {
            assert!(
                KekRecord::decode(&set(threshold, shares).encode()).is_err(),
                "{threshold} of {shares}"
            );
        }
        assert!(KekRecord::decode(&set(MAX_SHARES, MAX_SHARES).encode()).is_ok());
    }

    #[test]
    fn the_bytes_are_frozen() {
        let hex = |protection| {
            data_encoding::HEXLOWER.encode(
                &KekRecord {
                    check: [0xcc; CHECK],
                    protection,
                }
                .encode(),
            )
        };
        let cc = "cc".repeat(16);
        assert_eq!(hex(Protection::Key), format!("01{cc}01"));
        let set = ShareSet {
            id: [0x1d; 8],
            threshold: 2,
            checks: vec![[1; 16], [2; 16]],
        };
        let checks = ["01".repeat(16), "02".repeat(16)].concat();
        assert_eq!(
            hex(Protection::Shares(set)),
            format!("01{cc}02{}0202{checks}", "1d".repeat(8))
        );
        let wrapped = WrappedKek {
            iv: [5; IV],
            sealed: [6; SEALED],
        };
        assert_eq!(
            hex(Protection::Token(wrapped)),
            format!("01{cc}0301{}{}", "05".repeat(12), "06".repeat(48))
        );
    }
}
