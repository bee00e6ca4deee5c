//! Random bytes from the operating system.

/// `N` random bytes.
///
/// # Panics
/// If the operating system gives none: nothing that needs them may go on.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    fill(&mut out);
    out
}

/// Fills a buffer with random bytes.
///
/// # Panics
/// Like [`bytes`].
pub(crate) fn fill(out: &mut [u8]) {
    getrandom::fill(out).expect(
        "the operating system gives random bytes (getrandom(2) does not fail after start-up)",
    );
}
