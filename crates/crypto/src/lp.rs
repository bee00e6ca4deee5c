//! The length prefix that keeps ("12", "3x") and ("123", "x") apart.

/// `LP(x)`: appends the 2-byte big-endian length of `x`, then `x`.
///
/// # Panics
/// If `x` is over 65,535 bytes; ids are at most 63 and normalised identifiers at most 255.
pub fn lp(out: &mut Vec<u8>, x: &[u8]) {
    out.extend_from_slice(&lp_length(x));
    out.extend_from_slice(x);
}

/// The length part of `LP(x)`. Panics like [`lp`].
pub(crate) fn lp_length(x: &[u8]) -> [u8; 2] {
    u16::try_from(x.len())
        .expect("what is length-prefixed is at most 65,535 bytes")
        .to_be_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn lengths_are_two_bytes_big_endian() {
        let mut out = vec![9];
        super::lp(&mut out, b"ab");
        super::lp(&mut out, &[]);
        super::lp(&mut out, &[1; 258]);
        assert_eq!(out[..9], [9, 0, 2, b'a', b'b', 0, 0, 1, 2]);
    }
}
