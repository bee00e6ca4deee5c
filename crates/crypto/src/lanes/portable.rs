//! For processors other than x86-64, which have no `Lanes`.

/// A message and its padding.
pub(crate) type Block = [u8; 64];

/// The first half of an HMAC.
pub(crate) type Mac16 = [u8; 16];

/// Most messages in one call.
pub(crate) const AT_ONCE: usize = 1;

/// Never exists.
#[derive(Clone, Copy)]
pub(crate) enum Lanes {}

impl Lanes {
    /// Always `None`.
    pub(crate) fn detected() -> Option<Self> {
        None
    }

    /// None.
    #[cfg(test)]
    pub(crate) fn all_detected() -> Vec<Self> {
        Vec::new()
    }

    /// Never called.
    pub(crate) fn hmac_16(
        self,
        _: &[u32; 8],
        _: &[u32; 8],
        _: &[Block; AT_ONCE],
        _: usize,
        _: &mut [Mac16; AT_ONCE],
    ) {
        match self {}
    }
}
