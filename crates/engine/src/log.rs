//! The audit log as a Merkle tree with a signed head.

use sluis_keyring::Keyring;
use sluis_tlog::VerifierKey;

/// The verifier key of the log's present signing key, as text.
pub(crate) fn verifier_key(origin: &str, keyring: &Keyring) -> String {
    let key = VerifierKey::new(origin, keyring.current_audit_key().key.public());
    key.expect("an origin is a trust domain, a slash and hexadecimal digits").to_string()
}
