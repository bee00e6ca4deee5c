//! Signatures of people in entries.

use sluis_crypto::{digest::sha256, signature};
use sluis_domain::{Identity, PublicKey, Timestamp};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::Signed;
use crate::event::{Header, Signature};
use crate::fault::{Fault, SignerFault};
use crate::statement::{Deed, statement};

/// An entry bears the time at which its act began; what the custodian checked, it checked up to this much later.
pub(crate) const BEGAN_EARLIER_MILLIS: u64 = 60_000;

/// What a certificate says.
struct Certificate {
    identity: Identity,
    key: Option<PublicKey>,
    /// Seconds since 1970.
    not_before: i64,
    not_after: i64,
}

/// What someone says about an object, at the custodian with this origin.
pub(crate) struct Said<'a> {
    pub(crate) deed: Deed,
    pub(crate) origin: &'a str,
    pub(crate) object: &'a [u8],
}

/// The only signature of an entry, which must be by the caller.
pub(crate) fn of_caller<'a>(
    header: &Header,
    signature: &'a Signature,
) -> Result<(&'a Identity, &'a Signed), Fault> {
    let Signature { signer, signed } = signature;
    let by_caller = header.caller.as_ref().is_some_and(|caller| {
        caller.identity == *signer && caller.fingerprint == sha256(&signed.certificate)
    });
    if by_caller {
        Ok((signer, signed))
    } else {
        Err(wrong(signer, SignerFault::NotTheActor))
    }
}

/// Checks a signature made at `at`. With `key`, the certificate's key must be that; without, it may be any.
pub(crate) fn check(
    said: &Said<'_>,
    at: Timestamp,
    (signer, signed): (&Identity, &Signed),
    key: Option<&PublicKey>,
) -> Result<(), Fault> {
    check_signed(said, at, signer, signed, key).map_err(|fault| wrong(signer, fault))
}

/// A fault of this signer.
pub(crate) fn wrong(signer: &Identity, fault: SignerFault) -> Fault {
    Fault::Signer {
        signer: signer.clone(),
        fault,
    }
}

/// The key that a signature was made with, by its certificate.
pub(crate) fn key_of(signed: &Signed) -> Option<PublicKey> {
    let (_, certificate) = X509Certificate::from_der(&signed.certificate).ok()?;
    PublicKey::from_spki(certificate.public_key().raw)
}

fn check_signed(
    said: &Said<'_>,
    at: Timestamp,
    signer: &Identity,
    signed: &Signed,
    key: Option<&PublicKey>,
) -> Result<(), SignerFault> {
    let domain = said
        .origin
        .rsplit_once('/')
        .map_or(said.origin, |(domain, _)| domain);
    let certificate =
        Certificate::read(&signed.certificate, domain).ok_or(SignerFault::Certificate)?;
    if certificate.identity != *signer {
        return Err(SignerFault::Identity);
    }
    if !certificate.is_valid(at) {
        return Err(SignerFault::Expired);
    }
    let own = certificate.key.as_ref().ok_or(SignerFault::NotPinned)?;
    if key.is_some_and(|key| key != own) {
        return Err(SignerFault::NotPinned);
    }
    let statement = statement(said.deed, said.origin, said.object);
    if signature::verify(own, &statement, &signed.signature) {
        Ok(())
    } else {
        Err(SignerFault::Signature)
    }
}

impl Certificate {
    fn read(der: &[u8], trust_domain: &str) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten()?;
        let mut uris = names
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::URI(uri) => Some(*uri),
                _ => None,
            });
        let (uri, None) = (uris.next()?, uris.next()) else {
            return None;
        };
        rest.is_empty().then_some(Self {
            identity: Identity::from_spiffe(uri, trust_domain).ok()?,
            key: PublicKey::from_spki(certificate.public_key().raw),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }

    fn is_valid(&self, at: Timestamp) -> bool {
        self.not_before <= seconds(at.millis() + BEGAN_EARLIER_MILLIS)
            && seconds(at.millis()) <= self.not_after
    }
}

fn seconds(millis: u64) -> i64 {
    i64::try_from(millis / 1000).unwrap_or(i64::MAX)
}
