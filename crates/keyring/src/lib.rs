//! Wrapped roots, key versions and KEK providers.
//!
//! Every root is an independent random 256-bit value, so that each can be destroyed alone. Roots are wrapped by the
//! keyring master, which is wrapped by the key-encryption key (KEK); the KEK lives outside the store.
//!
//! A [`Keyring`] is an immutable snapshot of prekeyed, ready-to-use keys. A change is a [`Change`]: a new snapshot
//! and the writes that make it durable, to be committed together with whatever caused it.

mod entry;
mod error;
mod kek;
mod keyring;
mod state_seal;
mod version;

pub use error::{KekError, KeyringError};
pub use kek::Kek;
pub use keyring::{Change, Keyring};
pub use state_seal::StateSeal;
pub use version::{ElementVersion, KeyState, LineVersion, VersionInfo};
