//! Subjects with valid BSNs, by number: nothing is held in memory.

use sluis_domain::Column;

/// How many different subjects there are.
pub(crate) const ALL: u64 = 81_000_000;
/// Most subjects of a run: numbers of nine digits for those of `--growth`, and [`ALL`] for the cases.
pub(crate) const MOST: u64 = 900_000_000;
/// Rows of a full batch.
pub(crate) const ROWS: u64 = 8_192;
/// Bytes of a BSN.
const LENGTH: usize = 9;

/// Has no factor in common with [`ALL`], so that different numbers give different subjects, far from sorted.
const STRIDE: u64 = 52_345_679;
/// A prime above [`ALL`], so that it has no factor in common with any number of subjects.
const SHUFFLE: u64 = 2_147_483_647;

/// The BSN of subject `number`, which is below [`ALL`].
pub(crate) fn bsn(number: u64) -> [u8; LENGTH] {
    nth_valid(number * STRIDE % ALL)
}

/// Another order of `count` numbers: where the number at `place` goes.
pub(crate) fn shuffled(place: u64, count: u64) -> u64 {
    place * SHUFFLE % count
}

/// A packed column with the BSNs of these subjects.
pub(crate) fn column(numbers: impl Iterator<Item = u64>) -> Column {
    of_each(numbers, bsn)
}

/// A packed column with a number of nine digits for each of these subjects, which are below [`MOST`].
pub(crate) fn numbers(numbers: impl Iterator<Item = u64>) -> Column {
    of_each(numbers, |number| {
        let mut rest = number + 100_000_000;
        let mut digits = [0; LENGTH];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        digits
    })
}

fn of_each(numbers: impl Iterator<Item = u64>, value: impl Fn(u64) -> [u8; LENGTH]) -> Column {
    let mut data = Vec::with_capacity(ROWS as usize * LENGTH);
    for number in numbers {
        data.extend_from_slice(&value(number));
    }
    fixed_width(data, LENGTH)
}

/// A packed column of values that all have `width` bytes.
pub(crate) fn fixed_width(data: Vec<u8>, width: usize) -> Column {
    let lengths = vec![width as u32; data.len() / width];
    Column::from_packed(data.into(), &lengths).expect("the lengths add up")
}

/// The numbers of batch `index` when `count` subjects are sent in order.
pub(crate) fn of_batch(index: u64, count: u64) -> std::ops::Range<u64> {
    index * ROWS..count.min((index + 1) * ROWS)
}

/// The BSN at `position` when nine are taken for each of the first seven digits, from 1000000 on. The eighth digit has
/// ten values, and at most one of them has no ninth digit that passes the 11-test.
fn nth_valid(position: u64) -> [u8; LENGTH] {
    let mut digits = [0u8; LENGTH];
    let mut rest = 1_000_000 + position / 9;
    let mut sum = 0;
    for (place, weight) in (0..7).rev().zip(3..) {
        let digit = rest % 10;
        rest /= 10;
        digits[place] = b'0' + digit as u8;
        sum += digit * weight;
    }
    // Twice the eighth digit and the sum must not leave 10; six is the inverse of two.
    let without = (10 + 11 - sum % 11) * 6 % 11;
    let choice = position % 9;
    let eighth = choice + u64::from(choice >= without);
    digits[7] = b'0' + eighth as u8;
    digits[8] = b'0' + ((sum + 2 * eighth) % 11) as u8;
    digits
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use sluis_domain::WipedBuffer;
    use sluis_domain::identifier::{Checksum, IdentifierKind, normalise};

    #[test]
    fn bsns_are_valid_and_differ() {
        let mut seen = BTreeSet::new();
        for number in (0..10_000).chain(ALL - 10_000..ALL) {
            let bsn = bsn(number);
            let mut buffer = WipedBuffer::default();
            let valid = normalise(IdentifierKind::NlBsn, Checksum::Strict, &bsn, &mut buffer);
            assert_eq!(valid, Ok(true), "{number}");
            assert!(seen.insert(bsn), "{number}");
        }
    }

    #[test]
    fn the_other_order_has_the_same_numbers() {
        let other: BTreeSet<u64> = (0..10_001).map(|at| shuffled(at, 10_001)).collect();
        assert_eq!(other.len(), 10_001);
        assert_ne!(shuffled(1, 10_001), 1);
    }
}
