//! What people sign: one statement per act, in canonical bytes.
//!
//! | field | bytes |
//! |---|---|
//! | label | LP: `sluis/1 statement` |
//! | act | LP: `grant-approve`, `grant-deny`, `grant-revoke`, `proposal-sign`, `proposal-reject`, `restore`, `chain-rotate`, `version-disable`, `audit-key-rotate` |
//! | custodian | LP: origin of the custodian's audit log, so that no statement serves at another custodian |
//! | object | 4-byte length, then the canonical bytes of the grant, proposal, restore or instruction |
//!
//! `LP(x)` is a 2-byte length and then x; integers are big-endian. A statement names its object by its whole content:
//! an approval of one grant is no approval of another.

use sluis_domain::codec::{DecodeError, Reader, Writer};

/// How far the clocks of the people who sign and of the custodian may be apart: a minute, in milliseconds.
pub const CLOCKS_DIFFER_MILLIS: u64 = 60 * 1_000;
const LABEL: &str = "sluis/1 statement";
/// Longest signature in bytes; an ECDSA P-256 signature has at most 72, an Ed25519 signature 64.
pub const MAX_SIGNATURE: usize = 128;
/// Longest certificate of a signer in bytes of DER.
pub const MAX_CERTIFICATE: usize = 8 * 1024;

/// What is said about the object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Deed {
    /// A steward's yes to a grant.
    ApproveGrant,
    /// A steward's no to a grant.
    DenyGrant,
    /// The end of a grant.
    RevokeGrant,
    /// A yes to a proposal.
    SignProposal,
    /// A no to a proposal.
    RejectProposal,
    /// A custodian's yes to a restored store.
    AcceptRestore,
    /// A custodian's instruction to give a chain new key versions.
    RotateChain,
    /// A custodian's instruction to disable a key version.
    DisableVersion,
    /// A custodian's instruction to give the log a new signing key.
    RotateAuditKey,
}

impl Deed {
    /// As it stands in a statement.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApproveGrant => "grant-approve",
            Self::DenyGrant => "grant-deny",
            Self::RevokeGrant => "grant-revoke",
            Self::SignProposal => "proposal-sign",
            Self::RejectProposal => "proposal-reject",
            Self::AcceptRestore => "restore",
            Self::RotateChain => "chain-rotate",
            Self::DisableVersion => "version-disable",
            Self::RotateAuditKey => "audit-key-rotate",
        }
    }
}

/// The bytes that are signed.
pub fn statement(deed: Deed, origin: &str, object: &[u8]) -> Vec<u8> {
    let length = u32::try_from(object.len()).expect("objects are bounded far below 4 GiB");
    Writer::default()
        .lp(LABEL)
        .lp(deed.as_str())
        .lp(origin)
        .u32(length)
        .fixed(object)
        .finish()
}

/// A signature with the certificate of the signer.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// ECDSA P-256 (ASN.1 DER) or Ed25519 over [`statement`], made with the key of the certificate.
    pub signature: Vec<u8>,
    /// The signer's certificate (DER) at that moment.
    pub certificate: Vec<u8>,
}

impl Signed {
    /// Appends LP(signature) LP(certificate).
    pub fn write(&self, out: &mut Writer) {
        out.lp(&self.signature).lp(&self.certificate);
    }

    /// Reads what [`Self::write`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for one that is cut or longer than the bounds.
    pub fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (signature, certificate) = (input.lp()?.to_vec(), input.lp()?.to_vec());
        if signature.len() > MAX_SIGNATURE || certificate.len() > MAX_CERTIFICATE {
            return Err(DecodeError);
        }
        Ok(Self {
            signature,
            certificate,
        })
    }
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Signed({} + {} bytes)",
            self.signature.len(),
            self.certificate.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_frozen() {
        let mut expected = b"\0\x11sluis/1 statement\0\x0dgrant-approve\0\x03org".to_vec();
        expected.extend_from_slice(b"\0\0\0\x02ab");
        assert_eq!(statement(Deed::ApproveGrant, "org", b"ab"), expected);
    }

    #[test]
    fn a_signature_is_read_back_and_bounded() {
        let signed = Signed {
            signature: vec![1; 72],
            certificate: vec![2; 700],
        };
        let mut out = Writer::new(1);
        signed.write(&mut out);
        let bytes = out.finish();
        let read =
            |bytes: &[u8]| Reader::new(bytes, 1).and_then(|mut input| Signed::read(&mut input));
        assert_eq!(read(&bytes), Ok(signed));
        assert_eq!(read(&bytes[..bytes.len() - 1]), Err(DecodeError));
        let mut long = Writer::new(1);
        long.lp(vec![0; MAX_SIGNATURE + 1]).lp([0; 3]);
        assert_eq!(read(&long.finish()), Err(DecodeError));
    }
}
