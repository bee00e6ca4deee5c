//! Times of certificates and lists.

use sluis_domain::Timestamp;

/// Seconds since 1970 as a moment; what cannot be told becomes the nearest that can.
pub(super) fn moment(seconds: i64) -> Timestamp {
    let millis = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
    Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX)
}
