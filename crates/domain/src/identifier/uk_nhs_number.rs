//! `uk-nhs-number`: 10 digits, often written 3-3-4 (NHS Data Dictionary, "NHS NUMBER").

use super::check::passes_modulus_11;
use super::number::{Number, digit_groups, has_digits};

pub(super) const NUMBER: Number = Number {
    transform: digit_groups,
    has_form: has_digits::<10>,
    // Two of them pass the check.
    placeholders: Some(&[b"0123456789", b"1234567890", b"9876543210"]),
    passes: passes_modulus_11,
};
