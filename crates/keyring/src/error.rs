//! What can go wrong with keys.

use sluis_domain::port::StoreError;

/// Why there is no key-encryption key.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// The file cannot be read or written.
    #[error("cannot access the KEK file {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there already.
    #[error("the KEK file {0} exists already; it is never overwritten")]
    Exists(String),
    /// The file does not hold a key.
    #[error("the KEK file {0} must hold exactly 64 hexadecimal characters (or 32 raw bytes)")]
    Malformed(String),
    /// Others than the owner may read it.
    #[error("the KEK file {path} is accessible to others (mode {mode:o}); run: chmod 600 {path}")]
    Permissions {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// systemd gave no credentials directory.
    #[error(
        "CREDENTIALS_DIRECTORY is not set: start sluisd from systemd with LoadCredential= or LoadCredentialEncrypted="
    )]
    NoCredentials,
}

/// Why the keyring cannot be opened or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The store was never initialised.
    #[error("the store has no keyring; run: sluisd init")]
    Absent,
    /// The store was initialised before.
    #[error("the store already has a keyring; it is never overwritten")]
    Exists,
    /// The KEK is another one.
    #[error("this is not the KEK of this store: its key-check value differs")]
    WrongKek,
    /// An entry is damaged, forged or of an unknown format.
    #[error("a keyring entry is corrupt: {0}")]
    Corrupt(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
