//! Wrapped roots, key versions and KEK providers.
//!
//! Every root is an independent random 256-bit value, so that each can be destroyed alone. Roots are wrapped by the
//! keyring master, which is wrapped by the key-encryption key (KEK); the KEK lives outside the store: in a file, a
//! systemd credential, a hardware token, or in the hands of several people.
//!
//! A [`Keyring`] is an immutable snapshot of prekeyed, ready-to-use keys. A change is a [`Change`]: a new snapshot
//! and the writes that make it durable, to be committed together with whatever caused it. While a keyring is open it
//! holds its KEK, because destroying a key means a new master; when the last snapshot is dropped, all of it is wiped.

mod change;
mod entry;
mod error;
mod kek;
mod keyring;
mod keys;
mod load;
mod state_seal;
mod version;

pub use change::Change;
pub use error::{ChangeError, KekError, KeyringError, ShareError, TokenError};
pub use kek::Kek;
pub use kek::collecting::Collecting;
pub use kek::record::{KekRecord, Protection, ShareSet, WrappedKek};
pub use kek::share::{MAX_SHARES, Share};
pub use kek::token::{Token, TokenSettings};
pub use keyring::Keyring;
pub use keys::{AuditKey, ChainKeys, NamespaceKeys};
pub use state_seal::StateSeal;
pub use version::{ElementVersion, KeyState, LineVersion, VersionInfo};

#[cfg(test)]
mod tests;
