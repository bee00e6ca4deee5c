//! Certificates of a file, as far as their order and their dates go. Nothing is verified.

use sluis_domain::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pem::{self, Block, PemError};

/// Longest name that is shown, in characters.
const MAX_NAME: usize = 120;

/// A certificate of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// Where it begins in its file, from 1.
    pub line: usize,
    /// For people: the subject's distinguished name, printable ASCII only.
    pub subject: String,
    /// The first moment at which it is valid.
    pub not_before: Timestamp,
    /// The last moment at which it is valid.
    pub not_after: Timestamp,
    /// Whether it is one of an authority (basic constraints, RFC 5280, section 4.2.1.9).
    pub is_authority: bool,
    subject_der: Vec<u8>,
    issuer_der: Vec<u8>,
}

impl Certificate {
    fn parse(block: &Block) -> Result<Self, PemError> {
        let read = Self::read(block);
        read.ok_or_else(|| PemError::at(block.line, "not a certificate that can be read"))
    }

    fn read(block: &Block) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(&block.der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let constraints = parsed.basic_constraints().ok()?;
        Some(Self {
            der: block.der.to_vec(),
            line: block.line,
            subject: shown(&parsed.subject().to_string()),
            not_before: moment(parsed.validity().not_before.timestamp()),
            not_after: moment(parsed.validity().not_after.timestamp()),
            is_authority: constraints.is_some_and(|found| found.value.ca),
            subject_der: parsed.subject().as_raw().to_vec(),
            issuer_der: parsed.issuer().as_raw().to_vec(),
        })
    }
}

/// A certificate and, behind it, those of the authorities above it: each must have issued the one before.
///
/// # Errors
/// [`PemError`].
pub fn chain(content: &[u8]) -> Result<Vec<Certificate>, PemError> {
    let found = certificates(content)?;
    for pair in found.windows(2) {
        if pair[0].issuer_der != pair[1].subject_der {
            let seen = format!(
                "not the certificate of the authority that issued the one in line {}: the own certificate comes first, \
                 and each is followed by that of its authority",
                pair[0].line
            );
            return Err(PemError::at(pair[1].line, seen));
        }
    }
    Ok(found)
}

/// Certificates of authorities, in any order. One of a member or server is refused: its key would count as that of an
/// authority.
///
/// # Errors
/// [`PemError`].
pub fn authorities(content: &[u8]) -> Result<Vec<Certificate>, PemError> {
    let found = certificates(content)?;
    match found.iter().find(|certificate| !certificate.is_authority) {
        None => Ok(found),
        Some(certificate) => Err(PemError::at(
            certificate.line,
            "not the certificate of an authority (no basic constraints CA:TRUE)",
        )),
    }
}

/// Certificates in any order, none twice.
///
/// # Errors
/// [`PemError`].
pub fn certificates(content: &[u8]) -> Result<Vec<Certificate>, PemError> {
    let blocks = pem::certificates(content)?;
    blocks.iter().map(Certificate::parse).collect()
}

/// A moment in seconds since 1970; what cannot be told becomes the nearest that can.
fn moment(seconds: i64) -> Timestamp {
    let millis = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
    Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX)
}

fn shown(name: &str) -> String {
    name.chars()
        .take(MAX_NAME)
        .map(|c| match c {
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// PEM of an authority, and of what it issued.
    fn made(name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).expect("certificate").pem();
        let issuer = Issuer::new(params, key);
        let own_key = KeyPair::generate().expect("key");
        let mut own = CertificateParams::default();
        own.distinguished_name
            .push(DnType::CommonName, "own\u{202e}");
        let own = own.signed_by(&own_key, &issuer).expect("certificate").pem();
        (authority, own)
    }

    #[test]
    fn the_own_certificate_comes_first_and_its_authority_follows() {
        let (authority, own) = made("one");
        let found = chain(format!("{own}{authority}").as_bytes()).expect("in order");
        assert!(!found[0].is_authority && found[1].is_authority);
        assert_eq!(found[1].subject, "CN=one");
        assert!(!found[0].subject.contains('\u{202e}'));
        let wrong = chain(format!("{authority}{own}").as_bytes()).expect_err("the wrong order");
        assert!(wrong.to_string().contains("comes first"), "{wrong}");
        let stranger = made("two").0;
        assert!(chain(format!("{own}{stranger}").as_bytes()).is_err());
        let twice = chain(format!("{own}{own}").as_bytes()).expect_err("twice");
        assert!(
            twice.to_string().contains("the same certificate"),
            "{twice}"
        );
    }

    #[test]
    fn a_certificate_of_a_member_is_no_authority() {
        let (authority, own) = made("one");
        authorities(authority.as_bytes()).expect("an authority");
        let refused = authorities(format!("{authority}{own}").as_bytes()).expect_err("a member");
        assert!(refused.to_string().contains("CA:TRUE"), "{refused}");
    }
}
