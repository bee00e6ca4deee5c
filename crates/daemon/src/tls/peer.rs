//! Who is at the other end: the identity in the client certificate.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::pki_types::CertificateDer;
use sluis_domain::{Identity, PublicKey, Reason, Timestamp};
use sluis_engine::Caller;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::clients::{self, Clients, Standing};

/// The holder of a verified client certificate.
#[derive(Debug)]
pub(crate) struct Peer {
    caller: Option<Caller>,
    /// As presented, the client's own certificate first.
    chain: Vec<CertificateDer<'static>>,
    judged: Mutex<Option<Judged>>,
}

/// What was found with the files that were in force then.
#[derive(Debug)]
struct Judged {
    by: Weak<Clients>,
    standing: Result<Standing, Reason>,
}

impl Peer {
    /// From the chain that rustls verified, the client's own certificate first.
    pub(crate) fn from_chain(chain: &[CertificateDer<'_>], trust_domain: &str) -> Self {
        let parsed: Vec<_> = chain
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok())
            .map(|(_, c)| c)
            .collect();
        let own = chain
            .first()
            .zip(parsed.first())
            .filter(|_| parsed.len() == chain.len());
        let caller = own.and_then(|(der, certificate)| caller(der, certificate, trust_domain));
        Self {
            caller,
            chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
            judged: Mutex::default(),
        }
    }

    /// The caller; `None` for a certificate without exactly one SPIFFE id of our trust domain.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// How the certificate stands with these files. Signatures of a good certificate are verified once for each reading
    /// of the files. Most refusals rest on the clock, which may have been wrong: only revocation is final.
    pub(super) fn standing(&self, by: &Arc<Clients>, now: Timestamp) -> Result<Standing, Reason> {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judged) = &*judged
            && std::ptr::eq(judged.by.as_ptr(), Arc::as_ptr(by))
        {
            return judged.standing;
        }
        let standing = match self.chain.split_first() {
            None => Err(Reason::CertificateNotTrusted),
            Some((own, issuers)) => by
                .judge(own, issuers, now)
                .map_err(|error| clients::reason(&error)),
        };
        let is_final = matches!(standing, Ok(_) | Err(Reason::CertificateRevoked));
        *judged = is_final.then(|| Judged {
            by: Arc::downgrade(by),
            standing,
        });
        standing
    }
}

/// The holder of a certificate (DER); `None` if it is not one of a member of the trust domain. Nothing is verified.
pub(crate) fn holder(der: &[u8], trust_domain: &str) -> Option<Caller> {
    let der = CertificateDer::from(der);
    let (rest, certificate) = X509Certificate::from_der(&der).ok()?;
    if rest.is_empty() {
        caller(&der, &certificate, trust_domain)
    } else {
        None
    }
}

fn caller(
    der: &CertificateDer<'_>,
    certificate: &X509Certificate<'_>,
    trust_domain: &str,
) -> Option<Caller> {
    let names = certificate.subject_alternative_name().ok().flatten()?;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
    // Exactly one URI SAN (SPIFFE X.509-SVID, section 2): with two it is not clear who calls.
    let (uri, None) = (uris.next()?, uris.next()) else {
        return None;
    };
    let not_after = millis(certificate.validity().not_after.timestamp())?;
    // One from before 1970 has long begun.
    let not_before = millis(certificate.validity().not_before.timestamp()).unwrap_or(0);
    Some(Caller {
        identity: Identity::from_spiffe(uri, trust_domain).ok()?,
        fingerprint: sluis_engine::fingerprint(der),
        not_before: Timestamp::from_millis(not_before).unwrap_or(Timestamp::MAX),
        not_after: Timestamp::from_millis(not_after).unwrap_or(Timestamp::MAX),
        certificate: der.as_ref().into(),
        key: PublicKey::from_spki(certificate.public_key().raw),
    })
}

fn millis(seconds: i64) -> Option<u64> {
    u64::try_from(seconds).ok()?.checked_mul(1_000)
}
