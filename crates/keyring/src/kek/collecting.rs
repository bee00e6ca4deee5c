//! Shares come in one by one until they make the KEK.

use std::collections::BTreeMap;
use std::fmt;

use sluis_crypto::{Secret, wrap};
use vsss_rs::Gf256;
use zeroize::Zeroizing;

use super::record::CHECK;
use crate::{Kek, KekRecord, Protection, Share, ShareError, ShareSet};

/// The shares given so far. All are wiped when it is dropped, when it is reset, and when they have made the KEK.
pub struct Collecting {
    set: ShareSet,
    check: [u8; CHECK],
    given: BTreeMap<u8, Share>,
}

impl Collecting {
    /// For the KEK of a store; `None` if that is not in shares.
    pub fn new(record: &KekRecord) -> Option<Self> {
        match &record.protection {
            Protection::Shares(set) => Some(Self {
                set: set.clone(),
                check: record.check,
                given: BTreeMap::new(),
            }),
            _ => None,
        }
    }

    /// Takes a share; the KEK if it was the last one needed.
    ///
    /// # Errors
    /// [`ShareError::OtherSet`], [`ShareError::Wrong`], [`ShareError::Repeated`]; the shares given before stay.
    /// [`ShareError::WrongKek`] if the store's check values are not those of the key; all shares are forgotten then.
    pub fn give(&mut self, share: Share) -> Result<Option<Kek>, ShareError> {
        if share.set != self.set.id {
            return Err(ShareError::OtherSet);
        }
        let check = usize::from(share.index)
            .checked_sub(1)
            .and_then(|at| self.set.checks.get(at));
        if share.threshold != self.set.threshold || check != Some(&share.check()) {
            return Err(ShareError::Wrong);
        }
        if self.given.contains_key(&share.index) {
            return Err(ShareError::Repeated(share.index));
        }
        self.given.insert(share.index, share);
        if self.needed() > 0 {
            Ok(None)
        } else {
            self.combine().map(Some)
        }
    }

    /// How many more shares are needed; never 0, because the last one makes the key.
    pub fn needed(&self) -> u8 {
        let given =
            u8::try_from(self.given.len()).expect("at most one share for each index of one byte");
        self.set.threshold.saturating_sub(given)
    }

    /// The set that is collected.
    pub fn set(&self) -> &ShareSet {
        &self.set
    }

    /// The numbers of the shares given so far.
    pub fn given(&self) -> Vec<u8> {
        self.given.keys().copied().collect()
    }

    /// Forgets all shares.
    pub fn reset(&mut self) {
        self.given.clear();
    }

    fn combine(&mut self) -> Result<Kek, ShareError> {
        let given = std::mem::take(&mut self.given);
        let points = Zeroizing::new(given.values().map(Share::point).collect::<Vec<_>>());
        let bytes = Zeroizing::new(
            Gf256::combine_array(points.as_slice()).map_err(|_| ShareError::WrongKek)?,
        );
        let secret =
            Secret::from_slice(&bytes).filter(|secret| wrap::check_value(secret) == self.check);
        Ok(Kek::new(
            secret.ok_or(ShareError::WrongKek)?,
            Protection::Shares(self.set.clone()),
        ))
    }
}

impl fmt::Debug for Collecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Collecting({} of {} shares of set {})",
            self.given.len(),
            self.set.threshold,
            self.set.id()
        )
    }
}
