//! Date shift: the keyed number of days by which all dates of one subject in one chain move.

use std::fmt;

use crate::mac::Mac;
use crate::{LinkValue, Secret, kdf, labels};

/// The date-shift key of a chain, ready for use.
pub struct DateShiftKey(Mac);

impl DateShiftKey {
    /// From the chain's root.
    pub fn new(root_chain: &Secret) -> Self {
        Self(Mac::new(&kdf(root_chain, labels::DATE_SHIFT)))
    }

    /// Days to add, from `-max_days` to `max_days`: `u64(HMAC(key, L)[..8]) mod (2 * max_days + 1) - max_days`.
    ///
    /// `link_value` is that of the row's subject element.
    pub fn days(&self, link_value: &LinkValue, max_days: u32) -> i64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.compute(&[link_value.expose()])[..8]);
        let width = 2 * u64::from(max_days) + 1;
        // Below 2^33, so neither conversion can fail or wrap.
        (u64::from_be_bytes(first) % width) as i64 - i64::from(max_days)
    }
}

impl fmt::Debug for DateShiftKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DateShiftKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shift_from_minus_to_plus_max_occurs_and_no_other() {
        let key = DateShiftKey::new(&Secret::from_slice(&[7; 32]).expect("32 bytes"));
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..500u128 {
            seen.insert(key.days(&LinkValue::from_bytes(n.to_be_bytes()), 3));
        }
        assert_eq!(
            seen.into_iter().collect::<Vec<_>>(),
            (-3..=3).collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_extreme_widths_work() {
        let key = DateShiftKey::new(&Secret::from_slice(&[7; 32]).expect("32 bytes"));
        let link_value = LinkValue::from_bytes([9; 16]);
        assert_eq!(key.days(&link_value, 0), 0);
        assert!(key.days(&link_value, u32::MAX).abs() <= i64::from(u32::MAX));
    }
}
