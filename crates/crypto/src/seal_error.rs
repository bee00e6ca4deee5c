//! Why something sealed was not opened, or not sealed.

/// Why a seal failed. Never carries the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The first byte names a format that this version does not know.
    #[error("the sealed value has an unknown format")]
    UnknownFormat,
    /// Too short, or not of the fixed length of its format.
    #[error("the sealed value has the wrong length")]
    WrongLength,
    /// Wrong key, wrong place, or changed.
    #[error("the sealed value is not authentic")]
    NotAuthentic,
    /// The stream's counter is used up; start a new stream.
    #[error("the sealing stream is used up")]
    StreamExhausted,
    /// The plaintext is over AES-GCM's limit of 64 GiB.
    #[error("the value is too long to be sealed")]
    TooLong,
}
