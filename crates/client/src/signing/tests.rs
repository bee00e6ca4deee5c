//! Signatures that a custodian accepts.

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
};
use sluis_crypto::signature::verify;

use super::*;

fn pem(algorithm: &'static SignatureAlgorithm) -> String {
    KeyPair::generate_for(algorithm)
        .expect("a key")
        .serialize_pem()
}

#[test]
fn both_kinds_of_keys_sign_what_the_custodian_verifies() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
        let signer = TlsKey::from_pem(pem(algorithm).as_bytes()).expect("a key that may sign");
        let signature = signer
            .sign(Deed::ApproveGrant, "origin", b"object")
            .expect("signs");
        let fits = |deed, origin, object| {
            verify(
                signer.public(),
                &statement(deed, origin, object),
                &signature,
            )
        };
        assert!(fits(Deed::ApproveGrant, "origin", b"object"));
        assert!(!fits(Deed::DenyGrant, "origin", b"object"), "another deed");
        assert!(
            !fits(Deed::ApproveGrant, "elsewhere", b"object"),
            "another custodian"
        );
        assert!(
            !fits(Deed::ApproveGrant, "origin", b"objects"),
            "another object"
        );
    }
}

#[test]
fn other_kinds_of_keys_are_refused_with_a_reason() {
    let other = TlsKey::from_pem(pem(&PKCS_ECDSA_P384_SHA384).as_bytes());
    assert_eq!(other.expect_err("P-384"), SigningError::KeyKind);
    for nothing in [
        "",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert_eq!(
            TlsKey::from_pem(nothing.as_bytes()).expect_err("no key"),
            SigningError::NoKey
        );
    }
}

#[test]
fn debug_shows_the_public_half_only() {
    let pem = pem(&PKCS_ED25519);
    let signer = TlsKey::from_pem(pem.as_bytes()).expect("a key");
    assert_eq!(
        format!("{signer:?}"),
        format!("TlsKey({})", signer.public())
    );
}

#[tokio::test]
async fn a_tls_key_is_one_signer_among_others() {
    let key = TlsKey::from_pem(pem(&PKCS_ED25519).as_bytes()).expect("a key");
    let signer: &dyn Signer = &key;
    let bytes = statement(Deed::SignProposal, "origin", b"object");
    let signature = signer.sign_statement(&bytes).await.expect("signs");
    assert!(verify(signer.public(), &bytes, &signature));
}
