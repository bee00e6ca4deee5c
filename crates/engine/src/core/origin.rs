//! The origin of the audit log: made once, kept by backup and restore, part of every signed statement.

use sluis_crypto::random;
use sluis_port::rows::META_LOG_ORIGIN;
use sluis_port::{Commit, Family, Store};

use crate::EngineError;

/// A new origin: the trust domain, and 16 random bytes that no other custodian has.
pub(crate) fn make(trust_domain: &str, commit: &mut Commit) -> String {
    let id = random::bytes::<16>()
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let origin = format!("{trust_domain}/{id}");
    commit.expect(Family::Meta, META_LOG_ORIGIN, None).put(
        Family::Meta,
        META_LOG_ORIGIN,
        [&[1], origin.as_bytes()].concat(),
    );
    origin
}

/// Whether an origin was made in this trust domain.
pub(crate) fn is_of(origin: &str, trust_domain: &str) -> bool {
    origin
        .rsplit_once('/')
        .is_some_and(|(domain, _)| domain == trust_domain)
}

/// The origin of a store.
pub(crate) fn read(store: &dyn Store) -> Result<String, EngineError> {
    let stored = store
        .get(Family::Meta, META_LOG_ORIGIN)?
        .unwrap_or_default();
    let text = stored
        .split_first()
        .filter(|(format, text)| **format == 1 && !text.is_empty())
        .map(|(_, text)| text);
    text.and_then(|text| String::from_utf8(text.to_vec()).ok())
        .ok_or(EngineError::Corrupt("log origin"))
}
