//! `nl-bsn`: 9 digits; numbers of 8 digits are written with a leading zero since 2007.

/// Removes spaces, dots and hyphens, and completes 8 bytes to 9 with a leading `0`.
pub(super) fn transform(value: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(value.bytes().filter(|byte| !b" .-".contains(byte)));
    if out.len() - start == 8 {
        out.insert(start, b'0');
    }
}

/// The 11-test: 9·d1 + 8·d2 + ... + 2·d8 - d9 is a multiple of 11.
pub(super) fn passes(digits: &[u8; 9]) -> bool {
    const WEIGHTS: [i32; 9] = [9, 8, 7, 6, 5, 4, 3, 2, -1];
    let sum: i32 = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| i32::from(digit - b'0') * weight)
        .sum();
    sum % 11 == 0
}
