//! Signatures of people: made on their own machine, checked here before anything happens.

use sluis_crypto::signature;
use sluis_domain::{PublicKey, Reason};
use sluis_ledger::Signed;
use sluis_ledger::statement::{
    CLOCKS_DIFFER_MILLIS, Deed, MAX_CERTIFICATE, MAX_SIGNATURE, statement,
};

use crate::core::Core;
use crate::{Caller, Refusal};

/// What someone says about an object.
pub(crate) struct Said<'a> {
    /// What.
    pub(crate) deed: Deed,
    /// About what: canonical bytes.
    pub(crate) object: &'a [u8],
    /// Their signature.
    pub(crate) signature: &'a [u8],
}

impl Core {
    /// The caller's signature, if it was made with the pinned key and the caller's certificate is of that key.
    ///
    /// # Errors
    /// [`Reason::KeyNotPinned`], [`Reason::BadSignature`], [`Reason::CertificateNotYetValid`], [`Reason::InvalidRequest`]
    /// for a certificate too long to keep.
    pub(crate) fn check_signature(
        &self,
        caller: &Caller,
        pinned: Option<&PublicKey>,
        said: &Said<'_>,
    ) -> Result<Signed, Refusal> {
        let pinned = pinned
            .filter(|pinned| caller.key.as_ref() == Some(pinned))
            .ok_or(Reason::KeyNotPinned)?;
        // Whoever verifies the log will ask the same of the certificate.
        if self.now().plus_millis(CLOCKS_DIFFER_MILLIS) < caller.not_before {
            return Err(Reason::CertificateNotYetValid.into());
        }
        if caller.certificate.len() > MAX_CERTIFICATE {
            return Err(Refusal::field(
                Reason::InvalidRequest,
                "certificate",
                "is longer than 8,192 bytes",
            ));
        }
        if said.signature.len() > MAX_SIGNATURE || !self.fits(pinned, said) {
            return Err(Reason::BadSignature.into());
        }
        Ok(Signed {
            signature: said.signature.to_vec(),
            certificate: caller.certificate.to_vec(),
        })
    }

    /// Whether a signature, made earlier, was made with this key.
    pub(crate) fn fits(&self, key: &PublicKey, said: &Said<'_>) -> bool {
        fits(&self.origin, key, said)
    }
}

/// Whether a signature at the custodian with this origin was made with this key.
pub(crate) fn fits(origin: &str, key: &PublicKey, said: &Said<'_>) -> bool {
    signature::verify(
        key,
        &statement(said.deed, origin, said.object),
        said.signature,
    )
}
