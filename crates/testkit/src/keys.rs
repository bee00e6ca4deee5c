//! The keys that the people of the tests sign with: one key per person for the life of the process, so that registries and
//! configurations can pin it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rcgen::KeyPair;
use sluis_client::TlsKey;
use sluis_domain::PublicKey;

static KEYS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The private key of `organisation/member`: P-256, PKCS#8 as PEM.
pub fn key_pem(member: &str) -> String {
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = || KeyPair::generate().expect("random").serialize_pem();
    keys.entry(member.to_owned()).or_insert_with(made).clone()
}

/// What `organisation/member` signs with.
pub fn signer(member: &str) -> TlsKey {
    TlsKey::from_pem(key_pem(member).as_bytes()).expect("a P-256 key")
}

/// The public key of `organisation/member`.
pub fn public_key(member: &str) -> PublicKey {
    signer(member).public().clone()
}

/// The table that pins the key of `organisation/member` in a registry.
pub fn key_table(member: &str) -> String {
    format!(
        "\n[[key]]\nmember = \"{member}\"\npublic_key = \"{}\"\n",
        public_key(member)
    )
}
