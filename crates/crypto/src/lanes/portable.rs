//! For processors other than x86-64, which have no `ShaInstructions`.

/// Messages taken at once.
pub(crate) const LANES: usize = 1;

/// Never exists.
#[derive(Clone, Copy)]
pub(crate) enum ShaInstructions {}

impl ShaInstructions {
    /// Always `None`.
    pub(crate) fn detected() -> Option<Self> {
        None
    }

    /// Never called.
    pub(crate) fn hmac_16<const N: usize>(
        self,
        _: &[u32; 8],
        _: &[u32; 8],
        _: &[[u8; 64]; N],
    ) -> [[u8; 16]; N] {
        match self {}
    }
}
