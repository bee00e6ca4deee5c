//! The method `sluis/1`: how keys are derived, and how pseudonyms, tokens, escrow rows and encrypted elements are made
//! from them. `docs/method.md` states it for outsiders; `docs/vectors/sluis-1.json` gives every value of fixed cases.
//!
//! Pure: no storage, network, logs, clock or async, and no keys at rest. The only outside thing is the operating system's
//! random generator ([`random`]). This is the only crate that touches ciphers.
//!
//! No type that holds a key, an identifier, a link value or a pseudonym shows its content in `Debug`; whatever
//! holds a key or a link value is zeroised on drop.

mod base32;
mod carried;
mod crc32;
pub mod date_shift;
pub mod digest;
pub mod element;
pub mod escrow;
pub mod import;
pub mod kdf;
pub mod labels;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(not(target_arch = "x86_64"))]
#[path = "lanes/portable.rs"]
mod lanes;
pub mod link;
mod lp;
mod mac;
pub mod opt_out;
pub mod prehash;
pub mod pseudonym;
pub mod random;
mod row;
mod seal_error;
pub mod secret;
pub mod signature;
pub mod token;
pub mod verifier_key;
pub mod wrap;
pub mod xaes;

pub use carried::SealedLink;
pub use kdf::kdf;
pub use link::{LinkKey, LinkValue};
pub use lp::lp;
pub use opt_out::OptOutKey;
pub use pseudonym::{Pseudonym, PseudonymKey};
pub use seal_error::SealError;
pub use secret::Secret;
pub use verifier_key::VerifierKey;

/// The name and version of the method, as written into key entries and the vectors file.
pub const METHOD: &str = "sluis/1";
