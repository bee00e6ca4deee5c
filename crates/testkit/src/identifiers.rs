//! Identifiers that pass their checks.

/// Different BSNs that pass the 11-test, ascending, about ninety million of them; the first is 100000009.
pub fn bsns() -> impl Iterator<Item = String> {
    (10_000_000u32..100_000_000).filter_map(|head| {
        let digits = format!("{head}");
        let sum: u32 = digits
            .bytes()
            .zip((2..=9).rev())
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        // The last digit counts minus one; a remainder of ten has none.
        (sum % 11 < 10).then(|| format!("{digits}{}", sum % 11))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_pass_the_eleven_test_and_differ() {
        use sluis_domain::identifier::{Checksum, IdentifierKind, normalise};
        let some: Vec<_> = bsns().take(1000).collect();
        for bsn in &some {
            let outcome = normalise(
                IdentifierKind::NlBsn,
                Checksum::Strict,
                bsn.as_bytes(),
                &mut sluis_domain::WipedBuffer::default(),
            );
            assert_eq!(outcome, Ok(true), "{bsn}");
        }
        assert!(some.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
