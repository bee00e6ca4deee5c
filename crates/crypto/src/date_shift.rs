//! Date shift: the keyed number of days by which all dates of one subject in one chain move.

use std::fmt;
use std::num::NonZeroU32;

use crate::mac::Mac;
use crate::{LinkValue, Secret, kdf, labels};

/// The date-shift key of a chain, ready for use.
pub struct DateShiftKey(Mac);

impl DateShiftKey {
    /// From the chain's root.
    pub fn new(root_chain: &Secret) -> Self {
        Self(Mac::new(&kdf(root_chain, labels::DATE_SHIFT)))
    }

    /// Days to add, from `-max_days` to `max_days` and never zero: with `n = u64(HMAC(key, L)[..8]) mod (2 * max_days)`,
    /// `n - max_days` where n is below max_days, and otherwise `n - max_days + 1`.
    ///
    /// `link_value` is that of the row's subject element.
    pub fn days(&self, link_value: &LinkValue, max_days: NonZeroU32) -> i64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.compute(&[link_value.expose()])[..8]);
        let max_days = i64::from(max_days.get());
        // Below 2^33, so neither conversion can fail or wrap.
        let n = (u64::from_be_bytes(first) % (2 * max_days as u64)) as i64;
        let skips_zero = i64::from(n >= max_days);
        n - max_days + skips_zero
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
    fn every_shift_from_minus_to_plus_max_occurs_but_zero_and_no_other() {
        let key = DateShiftKey::new(&Secret::from_slice(&[7; 32]).expect("32 bytes"));
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..500u128 {
            let three = NonZeroU32::new(3).expect("not zero");
            seen.insert(key.days(&LinkValue::from_bytes(n.to_be_bytes()), three));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-3, -2, -1, 1, 2, 3]);
    }

    #[test]
    fn the_extreme_widths_work() {
        let key = DateShiftKey::new(&Secret::from_slice(&[7; 32]).expect("32 bytes"));
        let link_value = LinkValue::from_bytes([9; 16]);
        assert_eq!(key.days(&link_value, NonZeroU32::MIN).abs(), 1);
        let widest = key.days(&link_value, NonZeroU32::MAX);
        assert!(widest.abs() <= i64::from(u32::MAX));
    }
}
