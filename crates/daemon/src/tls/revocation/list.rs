//! One revocation list.

use std::collections::HashMap;

use rustls::crypto::aws_lc_rs;
use sluis_domain::Timestamp;
use webpki::{BorrowedCertRevocationList, CertRevocationList, RevocationReason};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::super::moment::moment;
use super::signature;

/// Object identifiers of extensions (RFC 5280, sections 5.2.4 and 5.2.5).
const DELTA_INDICATOR: &str = "2.5.29.27";
const ISSUING_DISTRIBUTION_POINT: &str = "2.5.29.28";

/// A complete list of one authority.
#[derive(Debug)]
pub(super) struct List {
    /// Where it begins in the file.
    pub(super) line: usize,
    /// Distinguished name of the issuer, content of the DER.
    pub(super) issuer: Vec<u8>,
    /// The same for people.
    pub(super) issuer_shown: String,
    /// From this moment on it is no longer valid.
    pub(super) next_update: Timestamp,
    this_update: Timestamp,
    /// Content of the integer, without leading zeros.
    number: Vec<u8>,
    /// Serial numbers without leading zeros, and whether each is only on hold.
    entries: HashMap<Vec<u8>, bool>,
    der: Vec<u8>,
}

impl List {
    /// Reads a list of version 2 with a next update. Delta lists and lists of a part of the certificates are refused:
    /// what they do not name may be revoked all the same.
    pub(super) fn parse(der: &[u8], line: usize) -> Result<Self, String> {
        let (rest, parsed) =
            CertificateRevocationList::from_der(der).map_err(|_| "it cannot be read")?;
        if !rest.is_empty() {
            return Err("something follows the list inside its block".to_owned());
        }
        for extension in parsed.extensions() {
            match extension.oid.to_id_string().as_str() {
                DELTA_INDICATOR => {
                    let what =
                        "it is a delta list, which names changes only; a complete list is needed";
                    return Err(what.to_owned());
                }
                ISSUING_DISTRIBUTION_POINT => {
                    let what = "it has an issuing distribution point: it may be an indirect list or cover a part of the \
                                certificates only; a complete list of the authority is needed";
                    return Err(what.to_owned());
                }
                _ => {}
            }
        }
        let next_update = parsed
            .next_update()
            .ok_or("it does not say when the next one comes (nextUpdate)")?;
        let number = parsed.crl_number().map(|number| number.to_bytes_be());
        let list = BorrowedCertRevocationList::from_der(der).map_err(explain)?;
        let entries = entries(&list)?;
        Ok(Self {
            line,
            issuer: CertRevocationList::from(list).issuer().to_vec(),
            issuer_shown: shown(&parsed.issuer().to_string()),
            next_update: moment(next_update.timestamp()),
            this_update: moment(parsed.last_update().timestamp()),
            number: without_zeros(&number.unwrap_or_default()).to_vec(),
            entries,
            der: der.to_vec(),
        })
    }

    /// Whether the key (content of a DER `SubjectPublicKeyInfo`) signed it.
    pub(super) fn is_signed_by(&self, spki: &[u8]) -> bool {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        signature::is_signed_by(&self.der, spki, &algorithms)
    }

    /// Whether it names the serial number at all.
    pub(super) fn names(&self, serial: &[u8]) -> bool {
        self.entries.contains_key(without_zeros(serial))
    }

    /// Whether it names the serial number as revoked for ever.
    pub(super) fn revokes(&self, serial: &[u8]) -> bool {
        self.entries.get(without_zeros(serial)) == Some(&false)
    }

    /// Greater for a newer list.
    pub(super) fn age(&self) -> (Timestamp, usize, &[u8], Timestamp) {
        let number = &self.number;
        (self.this_update, number.len(), number, self.next_update)
    }
}

fn entries(list: &BorrowedCertRevocationList<'_>) -> Result<HashMap<Vec<u8>, bool>, String> {
    let mut entries = HashMap::new();
    for entry in list {
        let entry = entry.map_err(explain)?;
        let on_hold = entry.reason_code == Some(RevocationReason::CertificateHold);
        let serial = without_zeros(entry.serial_number).to_vec();
        // Twice in one list: for ever counts more than on hold.
        let so_far = entries.entry(serial).or_insert(on_hold);
        *so_far &= on_hold;
    }
    Ok(entries)
}

fn explain(error: webpki::Error) -> String {
    use webpki::Error::{UnsupportedCriticalExtension, UnsupportedCrlVersion};
    match error {
        UnsupportedCriticalExtension => {
            "it has a critical extension that is not understood".to_owned()
        }
        UnsupportedCrlVersion => "it is not of version 2".to_owned(),
        other => format!("it cannot be read ({other:?})"),
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// At most 120 characters of printable ASCII.
fn shown(name: &str) -> String {
    name.chars()
        .take(120)
        .map(|c| match c {
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}
