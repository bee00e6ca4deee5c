//! `pl-pesel`: the Polish PESEL number, 11 digits: `YYMMDD`, four digits, check digit (act of 24 September 2010 on the
//! population register, article 15). The month tells the century.

use super::check::{is_date, pairs, weighted};
use super::number::{Number, digit_groups, has_digits};

pub(super) const NUMBER: Number = Number {
    transform: digit_groups,
    has_form: has_digits::<11>,
    placeholders: Some(&[b"01234567890", b"12345678901", b"98765432109"]),
    passes,
};

/// A date, with 80 added to the month in the years 18xx, and 0, 20, 40 and 60 in 19xx to 22xx; and
/// d1 + 3·d2 + 7·d3 + 9·d4 + d5 + 3·d6 + 7·d7 + 9·d8 + d9 + 3·d10 + d11 is a multiple of 10.
fn passes(digits: &[u8]) -> bool {
    let [year, month, day] = pairs(digits);
    let century = match month / 20 {
        4 => 1800,
        later => 1900 + later * 100,
    };
    is_date(century + year, month % 20, day)
        && weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 == 0
}
