//! What can go wrong with keys.

use sluis_port::StoreError;

/// Why a file with a secret (a key, a PIN) cannot be used, or why there is no key-encryption key.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// The file cannot be read or written.
    #[error("cannot access the {what} file {path}: {source}")]
    Io {
        /// What it holds: `KEK` or `PIN`.
        what: &'static str,
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
    /// The file does not hold a PIN.
    #[error("the PIN file {0} must hold one line of 1 to 126 printable characters")]
    MalformedPin(String),
    /// Others than the owner may read it.
    #[error(
        "the {what} file {path} is accessible to others (mode {mode:o}); run: chmod 600 {path}"
    )]
    Permissions {
        /// What it holds: `KEK` or `PIN`.
        what: &'static str,
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

/// Why a share, or a set of them, is refused. Says nothing about the content of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// No such split.
    #[error("a key is split into 2 to {max} shares, of which at least 2 and at most all are needed", max = crate::MAX_SHARES)]
    Numbers,
    /// Not a share, or mistyped: the check sum finds that.
    #[error(
        "this is not a share, or it is mistyped: a share is `sluisshare1` and 76 letters and digits"
    )]
    Malformed,
    /// A share of something else.
    #[error("this share is of another custodian or of an earlier set")]
    OtherSet,
    /// It claims to be one of this set and is not.
    #[error("this share is wrong: it names this set, but it is not the share that was given out")]
    Wrong,
    /// It was given before.
    #[error("share {0} was given already")]
    Repeated(u8),
    /// All shares are right, and what they make is not the key.
    #[error("the shares do not make the key of this store")]
    WrongKek,
}

/// Why a hardware security module does not give the key-encryption key.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The PKCS#11 library is not there or is none.
    #[error("cannot load the PKCS#11 module {path}: {reason}")]
    Module {
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
    /// No initialised token has that label.
    #[error("no token is labelled `{0}`")]
    TokenAbsent(String),
    /// Several tokens have that label.
    #[error("several tokens are labelled `{0}`")]
    TokenAmbiguous(String),
    /// The file with the PIN.
    #[error(transparent)]
    Pin(#[from] KekError),
    /// The PIN is another one. It is not tried again: tokens lock themselves after a few attempts.
    #[error("the token refuses the PIN")]
    WrongPin,
    /// Too many wrong PINs.
    #[error("the PIN of the token is locked")]
    PinLocked,
    /// No key has that label.
    #[error("the token holds no AES key labelled `{0}`")]
    KeyAbsent(String),
    /// Several keys have that label.
    #[error("the token holds several AES keys labelled `{0}`")]
    KeyAmbiguous(String),
    /// The key could leave the token, or is not AES-256.
    #[error("the key `{0}` is not an AES-256 key that can never leave the token")]
    KeyUnfit(String),
    /// The key is another one than that which wrapped the KEK.
    #[error("the key `{0}` does not open the KEK of this store")]
    WrongKey(String),
    /// The token does not answer, or not as it should.
    #[error("the token does not answer: {0}")]
    Gone(String),
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
    /// The KEK comes from another kind of place than the store's.
    #[error(
        "the KEK of this store comes from {stored}, not from {given}: change [kek] in the configuration"
    )]
    OtherProvider {
        /// What the store says.
        stored: &'static str,
        /// What was tried.
        given: &'static str,
    },
    /// An entry is damaged, forged or of an unknown format.
    #[error("a keyring entry is corrupt: {0}")]
    Corrupt(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why keys cannot be changed like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No version has this kid.
    #[error("no key version has this kid")]
    UnknownVersion,
    /// The version is in another state.
    #[error("the key version is not in the state that this step starts from")]
    State,
    /// There is no escrow to cut.
    #[error("the key version has no escrow")]
    NoEscrow,
}
