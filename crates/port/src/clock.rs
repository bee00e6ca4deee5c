//! Time as an argument.

use sluis_domain::Timestamp;

/// The only source of the current time.
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> Timestamp;
}
