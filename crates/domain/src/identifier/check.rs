//! The arithmetic of check digits. What is handed in has the form of its kind.

/// The sum of the digits, each times its weight.
pub(super) fn weighted<const N: usize>(digits: &[u8], weights: [i32; N]) -> i32 {
    let products = digits.iter().zip(weights);
    products
        .map(|(digit, weight)| i32::from(digit - b'0') * weight)
        .sum()
}

/// Modulus 11 of ten digits: 10·d1 + 9·d2 + ... + 2·d9 + d10 is a multiple of 11.
pub(super) fn passes_modulus_11(digits: &[u8]) -> bool {
    weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
}
