//! Audit entries and their canonical bytes.
//!
//! An entry says who did what, when, for which purpose, with which keys, how much of it, and how it ended. It
//! holds no personal data: no identifier, value, pseudonym or key.
//!
//! # Canonical bytes, format 3
//!
//! Integers are big-endian; `LP(x)` is a 2-byte length and then x; an absent text is empty.
//!
//! | field | bytes |
//! |---|---|
//! | format | 1: `0x03` (`0x01` was used before the log was signed, `0x02` before entries had a salt; retired) |
//! | salt | 16: random; see [`Salt`] |
//! | at | 8: milliseconds since 1970-01-01T00:00:00Z |
//! | act | 1: see [`Act`] |
//! | outcome | 1: `0` done, `1` refused |
//! | registry version | 8 |
//! | rows, values, rejected | 8 + 8 + 8 |
//! | organisation, member | LP, LP |
//! | certificate fingerprint | 32: SHA-256 of the client certificate (DER) |
//! | chain, to-chain, grant | LP, LP, LP |
//! | grant digest | LP: 0 or 32 bytes |
//! | object digest | LP: 0 or 32 bytes: SHA-256 of what was acted on |
//! | purpose | LP |
//! | reason | LP: reason code of a refusal |
//! | number of key uses | 2 |
//! | each key use | LP namespace (empty: encrypted elements), kid 4, values 8 |
//! | counter | 8: values used under the grant after this act; 0 where no grant is charged |
//! | detail | LP: canonical bytes of what the act is about, see [`Act`]; empty where that says nothing |
//! | number of signatures | 1 |
//! | each signature | LP organisation, LP member, LP signature, LP certificate (DER), see [`crate::statement`] |
//!
//! An entry has at most [`MAX_ENTRY`] bytes.
//!
//! These bytes are frozen: they are the leaves of the log. A change is a new format number.

use crate::Signed;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, GrantId, Identity, Kid, NamespaceId, Reason, Timestamp};

const FORMAT: u8 = 3;

/// Bytes of a [`Salt`].
pub const SALT_BYTES: usize = 16;

/// Random bytes of one entry, made by the operating system for this entry alone.
///
/// Members see hashes of entries that they may not read, in proofs and tiles. The rest of an entry can be guessed: who, which
/// chain, how many rows. Without the salt a hash would tell whether a guess is right.
pub type Salt = [u8; SALT_BYTES];

/// Longest entry in bytes: entries are bundled with 2-byte lengths.
pub const MAX_ENTRY: usize = 65_535;

macro_rules! acts {
    ($($(#[$doc:meta])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// What was done. Numbers and texts are frozen.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Act { $($(#[$doc])+ $name = $number),+ }

        impl Act {
            /// All acts.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// The text of the act.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
            fn from_number(number: u8) -> Result<Self, DecodeError> {
                match number { $($number => Ok(Self::$name),)+ _ => Err(DecodeError) }
            }
        }
    };
}

acts! {
    /// A batch was pseudonymised.
    Pseudonymise = 1, "pseudonymise";
    /// A batch was converted.
    Convert = 2, "convert";
    /// A batch was re-identified.
    Reidentify = 3, "reidentify";
    /// A grant was requested.
    RequestGrant = 4, "grant-request";
    /// A grant was approved.
    ApproveGrant = 5, "grant-approve";
    /// A grant was denied.
    DenyGrant = 6, "grant-deny";
    /// A grant was revoked.
    RevokeGrant = 7, "grant-revoke";
    /// Grants were looked at.
    ReadGrants = 8, "grant-read";
    /// A registry was applied.
    ApplyRegistry = 9, "registry-apply";
    /// The registry was looked at.
    ReadRegistry = 10, "registry-read";
    /// A key line got a new version. Detail: [`crate::Instruction::encode`]; signed.
    RotateChain = 11, "chain-rotate";
    /// A key version was disabled. Detail: [`crate::Instruction::encode`]; signed.
    DisableVersion = 12, "version-disable";
    /// A backup was made.
    CreateBackup = 13, "backup";
    /// The status was looked at.
    ReadStatus = 14, "status-read";
    /// The audit log was read.
    ReadAudit = 15, "audit-read";
    /// A caller was refused before it could ask for anything.
    Admit = 16, "admit";
    /// The custodian was set up.
    Initialise = 17, "initialise";
    /// The configuration names these custodians from now on. Detail: [`crate::custodian::encode`].
    Custodians = 18, "custodians";
    /// Something was proposed that needs signatures. Detail: [`crate::proposal::Proposal::encode`].
    Propose = 19, "proposal";
    /// A proposal was signed. Detail: LP of the proposal's id; signed.
    SignProposal = 20, "proposal-sign";
    /// A proposal was rejected or withdrawn. Detail: LP of the proposal's id; signed.
    RejectProposal = 21, "proposal-reject";
    /// Proposals were looked at.
    ReadProposals = 22, "proposal-read";
    /// A share was presented, or the key was fetched; the keyring was opened when no share is missing any more. Without a caller the
    /// daemon did it by itself, at its start or when its token came back. Detail: [`crate::opening::Opening::encode`].
    Unseal = 23, "unseal";
    /// The keyring was closed.
    Seal = 24, "seal";
    /// The key-encryption key was replaced.
    RotateKek = 25, "kek-rotate";
    /// The log's signing key was replaced. Detail: LP of the new verifier key, LP of [`crate::Instruction::encode`]; signed.
    RotateAuditKey = 26, "audit-key-rotate";
    /// A restored store was accepted. Detail: [`crate::restore::Restore::encode`]; signed by two custodians.
    AcceptRestore = 27, "restore";
    /// A key version was destroyed. Detail: LP of the proposal's id.
    DestroyVersion = 28, "version-destroy";
    /// The escrow of a key version was cut. Detail: LP of the proposal's id.
    CutEscrow = 29, "escrow-cut";
    /// A chain is past its retention and will be destroyed.
    WarnRetention = 30, "retention-warning";
    /// A chain past its retention was destroyed.
    ExpireChain = 31, "chain-expire";
    /// The erasure of a subject came into force: it is refused from now on. Detail: LP of the proposal's id.
    OptOut = 32, "opt-out";
    /// Rows of opted-out subjects were removed from a chain.
    EraseSubjects = 33, "subjects-erase";
    /// A batch of an existing mapping was imported.
    Import = 34, "import";
    /// The head of the log, or a proof, was asked for.
    ReadHead = 35, "head-read";
    /// A proposal that nobody signed in time ended. Detail: LP of the proposal's id.
    ExpireProposal = 36, "proposal-expire";
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done.
    Done,
    /// Refused, and why.
    Refused(Reason),
}

/// Use of one key version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyUse {
    /// The namespace of a pseudonym line; `None` for the chain's encrypted elements.
    pub namespace: Option<NamespaceId>,
    /// The key version.
    pub kid: Kid,
    /// Values processed with it.
    pub values: u64,
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Makes its hash tell nothing about the rest.
    pub salt: Salt,
    /// When.
    pub at: Timestamp,
    /// What.
    pub act: Act,
    /// How it ended.
    pub outcome: Outcome,
    /// Registry version in force.
    pub registry_version: u64,
    /// Rows of the batch.
    pub rows: u64,
    /// Values processed.
    pub values: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Who. `None` for the operator at the daemon's own console (`sluisd init`).
    pub actor: Option<Identity>,
    /// SHA-256 of the caller's certificate; zeros without a caller.
    pub fingerprint: [u8; 32],
    /// The chain.
    pub chain: Option<ChainId>,
    /// The chain converted to.
    pub to_chain: Option<ChainId>,
    /// The grant.
    pub grant: Option<GrantId>,
    /// Digest of the grant.
    pub grant_digest: Option<[u8; 32]>,
    /// SHA-256 of what was acted on.
    pub object_digest: Option<[u8; 32]>,
    /// Purpose of the grant.
    pub purpose: String,
    /// Key versions used.
    pub keys: Vec<KeyUse>,
    /// Values used under the grant after this act; 0 where no grant is charged.
    pub counter: u64,
    /// Canonical bytes of what the act is about.
    pub detail: Vec<u8>,
    /// Who signed, and the signatures.
    pub signatures: Vec<(Identity, Signed)>,
}

impl Entry {
    /// An entry about nothing in particular yet. The salt must be fresh random bytes for every entry.
    pub fn new(salt: Salt, at: Timestamp, act: Act, registry_version: u64) -> Self {
        Self {
            salt,
            at,
            act,
            outcome: Outcome::Done,
            registry_version,
            rows: 0,
            values: 0,
            rejected: 0,
            actor: None,
            fingerprint: [0; 32],
            chain: None,
            to_chain: None,
            grant: None,
            grant_digest: None,
            object_digest: None,
            purpose: String::new(),
            keys: Vec::new(),
            counter: 0,
            detail: Vec::new(),
            signatures: Vec::new(),
        }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
        let (outcome, reason) = match self.outcome {
            Outcome::Done => (0, ""),
            Outcome::Refused(reason) => (1, reason.code()),
        };
        let mut out = Writer::new(FORMAT);
        out.fixed(&self.salt)
            .u64(self.at.millis())
            .u8(self.act as u8)
            .u8(outcome)
            .u64(self.registry_version);
        out.u64(self.rows).u64(self.values).u64(self.rejected);
        out.lp(text(self.actor.as_ref().map(|a| a.organisation.as_str())));
        out.lp(text(self.actor.as_ref().map(|a| a.member.as_str())));
        out.fixed(&self.fingerprint);
        out.lp(text(self.chain.as_ref().map(ChainId::as_str)));
        out.lp(text(self.to_chain.as_ref().map(ChainId::as_str)));
        out.lp(text(self.grant.as_ref().map(GrantId::as_str)));
        out.lp(self.grant_digest.as_ref().map_or(&[][..], |d| &d[..]));
        out.lp(self.object_digest.as_ref().map_or(&[][..], |d| &d[..]));
        out.lp(&self.purpose).lp(reason);
        out.u16(
            u16::try_from(self.keys.len())
                .expect("an act uses at most a chain's lines, far below 65,536"),
        );
        for key in &self.keys {
            out.lp(text(key.namespace.as_ref().map(NamespaceId::as_str)));
            out.fixed(&key.kid.to_be_bytes()).u64(key.values);
        }
        out.u64(self.counter).lp(&self.detail);
        out.u8(u8::try_from(self.signatures.len()).expect("an act has at most two signatures"));
        for (signer, signed) in &self.signatures {
            out.lp(signer.organisation.as_str())
                .lp(signer.member.as_str());
            signed.write(&mut out);
        }
        out.finish()
    }

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Self::encode`] would not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, FORMAT)?;
        let salt = input.array()?;
        let at = Timestamp::from_millis(input.u64()?).ok_or(DecodeError)?;
        let act = Act::from_number(input.u8()?)?;
        let outcome = input.u8()?;
        let registry_version = input.u64()?;
        let mut entry = Self::new(salt, at, act, registry_version);
        (entry.rows, entry.values, entry.rejected) = (input.u64()?, input.u64()?, input.u64()?);
        entry.actor = match (input.parse_optional()?, input.parse_optional()?) {
            (Some(organisation), Some(member)) => Some(Identity {
                organisation,
                member,
            }),
            (None, None) => None,
            _ => return Err(DecodeError),
        };
        entry.fingerprint = input.array()?;
        entry.chain = input.parse_optional()?;
        entry.to_chain = input.parse_optional()?;
        entry.grant = input.parse_optional()?;
        entry.grant_digest = digest(input.lp()?)?;
        entry.object_digest = digest(input.lp()?)?;
        entry.purpose = input.text()?.to_owned();
        entry.outcome = match (outcome, input.text()?) {
            (0, "") => Outcome::Done,
            (1, code) => Outcome::Refused(Reason::from_code(code).ok_or(DecodeError)?),
            _ => return Err(DecodeError),
        };
        for _ in 0..input.u16()? {
            entry.keys.push(KeyUse {
                namespace: input.parse_optional()?,
                kid: Kid::from_be_bytes(input.array()?).ok_or(DecodeError)?,
                values: input.u64()?,
            });
        }
        entry.counter = input.u64()?;
        entry.detail = input.lp()?.to_vec();
        for _ in 0..input.u8()? {
            let signer = Identity {
                organisation: input.parse()?,
                member: input.parse()?,
            };
            entry.signatures.push((signer, Signed::read(&mut input)?));
        }
        input.end()?;
        Ok(entry)
    }
}

fn digest(bytes: &[u8]) -> Result<Option<[u8; 32]>, DecodeError> {
    if bytes.is_empty() {
        Ok(None)
    } else {
        bytes.try_into().map(Some).map_err(|_| DecodeError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Entry {
        let mut entry = Entry::new(
            [0xee; SALT_BYTES],
            Timestamp::from_millis(0x0102_0304).expect("valid"),
            Act::Convert,
            7,
        );
        (entry.rows, entry.values, entry.rejected) = (3, 2, 1);
        entry.actor = "uni/etl".parse().ok();
        entry.fingerprint = [0xaa; 32];
        entry.chain = "a".parse().ok();
        entry.to_chain = "b".parse().ok();
        entry.grant = "g".parse().ok();
        entry.grant_digest = Some([0xbb; 32]);
        entry.purpose = "why".into();
        entry.keys = vec![KeyUse {
            namespace: "n".parse().ok(),
            kid: Kid::new(9).expect("not zero"),
            values: 2,
        }];
        entry.counter = 5;
        entry.detail = b"d".to_vec();
        let signed = Signed {
            signature: vec![0xcc; 2],
            certificate: vec![0xdd; 3],
        };
        entry.signatures = vec![("uni/boss".parse().expect("an identity"), signed)];
        entry
    }

    #[test]
    fn canonical_bytes_are_frozen() {
        let mut expected = vec![3];
        expected.extend_from_slice(&[0xee; 16]);
        expected.extend_from_slice(&[0, 0, 0, 0, 1, 2, 3, 4, 2, 0]);
        for number in [7u64, 3, 2, 1] {
            expected.extend_from_slice(&number.to_be_bytes());
        }
        expected.extend_from_slice(b"\0\x03uni\0\x03etl");
        expected.extend_from_slice(&[0xaa; 32]);
        expected.extend_from_slice(b"\0\x01a\0\x01b\0\x01g\0\x20");
        expected.extend_from_slice(&[0xbb; 32]);
        expected.extend_from_slice(b"\0\0\0\x03why\0\0\0\x01\0\x01n\0\0\0\x09\0\0\0\0\0\0\0\x02");
        expected.extend_from_slice(
            b"\0\0\0\0\0\0\0\x05\0\x01d\x01\0\x03uni\0\x04boss\0\x02\xcc\xcc\0\x03\xdd\xdd\xdd",
        );
        assert_eq!(sample().encode(), expected);
        assert_eq!(Entry::decode(&expected), Ok(sample()));
    }

    #[test]
    fn cut_or_lengthened_entries_are_refused() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert_eq!(
                Entry::decode(&bytes[..end]),
                Err(DecodeError),
                "cut at {end}"
            );
        }
        assert_eq!(Entry::decode(&[bytes, vec![0]].concat()), Err(DecodeError));
    }

    #[test]
    fn an_entry_without_a_salt_is_refused() {
        let bytes = sample().encode();
        let former = [&[2], &bytes[1 + SALT_BYTES..]].concat();
        assert_eq!(Entry::decode(&former), Err(DecodeError));
    }

    #[test]
    fn act_numbers_are_unique() {
        for act in Act::ALL {
            assert_eq!(Act::from_number(*act as u8), Ok(*act));
        }
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() { *first = FORMAT; }
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.encode(), bytes);
            }
        }
    }
}
