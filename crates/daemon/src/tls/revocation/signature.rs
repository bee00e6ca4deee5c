//! Whether a key signed something in the form of X.509: SEQUENCE { what is signed, algorithm, signature }.

use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_parser::asn1_rs::{Any, BitString, FromDer};

/// What the signature is over, the algorithm (content of the DER), and the signature.
struct Parts<'a> {
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

/// Whether the key (content of a DER `SubjectPublicKeyInfo`) signed `der`, with one of `algorithms`.
pub(super) fn is_signed_by(
    der: &[u8],
    spki: &[u8],
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let (Some(parts), Some((key_algorithm, key))) = (parts(der), key(spki)) else {
        return false;
    };
    let fitting = algorithms.all.iter().filter(|algorithm| {
        algorithm.signature_alg_id().as_ref() == parts.algorithm
            && algorithm.public_key_alg_id().as_ref() == key_algorithm
    });
    fitting.into_iter().any(|algorithm| {
        let verified = algorithm.verify_signature(key, parts.signed, parts.signature);
        verified.is_ok()
    })
}

fn parts(der: &[u8]) -> Option<Parts<'_>> {
    let (_, outer) = Any::from_der(der).ok()?;
    let content = outer.data;
    let (after, _) = Any::from_der(content).ok()?;
    let signed = content.get(..content.len() - after.len())?;
    let (after, algorithm) = Any::from_der(after).ok()?;
    let (_, signature) = bits(after)?;
    Some(Parts {
        signed,
        algorithm: algorithm.data,
        signature,
    })
}

/// Algorithm (content of the DER) and key.
fn key(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let (after, algorithm) = Any::from_der(spki).ok()?;
    let (_, key) = bits(after)?;
    Some((algorithm.data, key))
}

/// A BIT STRING of whole bytes, and what follows it.
fn bits(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (after, _) = BitString::from_der(der).ok()?;
    let (_, any) = Any::from_der(der).ok()?;
    let (unused, bytes) = any.data.split_first()?;
    (*unused == 0).then_some((after, bytes))
}
