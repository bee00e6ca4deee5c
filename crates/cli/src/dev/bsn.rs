//! Test BSNs: numbers 9xxxxxxxx that pass the 11-test.

/// How many numbers [`bsn`] can make, all different.
pub(super) const COUNT: u64 = 9_000_000;

/// The `index`-th test BSN, `index` below [`COUNT`].
///
/// With digits d1..d9 the 11-test is `9 d1 + 8 d2 + ... + 2 d8 - d9 = 0 mod 11`. Here d1 = 9 and six digits come from
/// the index; at most one value of d8 leaves no digit for d9, so every six digits give nine numbers.
pub(super) fn bsn(index: u64) -> String {
    let (six, choice) = (index / 9 % 1_000_000, index % 9);
    let mut number = 9_000_000 + six;
    let sum = weighted(number);
    let d8 = (0..10)
        .filter(|d8| (sum + 2 * d8) % 11 != 10)
        .nth(choice as usize)
        .unwrap_or(0);
    number = number * 10 + d8;
    format!("{number}{}", (sum + 2 * d8) % 11)
}

/// `9 d1 + 8 d2 + ... + 3 d7` of a number of seven digits.
fn weighted(mut number: u64) -> u64 {
    let mut sum = 0;
    for weight in 3..=9 {
        sum += weight * (number % 10);
        number /= 10;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The 11-test as it is written in the law, apart from the code above.
    fn passes(bsn: &str) -> bool {
        let digits: Vec<i64> = bsn.bytes().map(|b| i64::from(b - b'0')).collect();
        let sum: i64 = digits
            .iter()
            .zip([9, 8, 7, 6, 5, 4, 3, 2, -1])
            .map(|(d, w)| d * w)
            .sum();
        digits.len() == 9 && sum % 11 == 0
    }

    #[test]
    fn the_test_itself_knows_good_from_bad() {
        assert!(passes("111222333") && passes("950000012") && !passes("999940003"));
    }

    #[test]
    fn all_are_valid_different_and_in_the_test_range() {
        let indices = (0..100_000)
            .chain((COUNT - 100_000)..COUNT)
            .chain((0..COUNT).step_by(97));
        let distinct: HashSet<u64> = indices.collect();
        let numbers: HashSet<String> = distinct.iter().map(|i| bsn(*i)).collect();
        assert_eq!(numbers.len(), distinct.len());
        for number in &numbers {
            assert!(number.starts_with('9') && passes(number), "{number}");
        }
    }
}
