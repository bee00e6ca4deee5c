//! What can be on record: the acts with their numbers and texts, and how each may end.

use sluis_domain::Reason;
use sluis_domain::codec::DecodeError;

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
            pub(crate) fn from_number(number: u8) -> Result<Self, DecodeError> {
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
    /// A key line got a new version.
    RotateChain = 11, "chain-rotate";
    /// A key version was disabled.
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
    /// The configuration names these custodians from now on.
    Custodians = 18, "custodians";
    /// Something was proposed that needs signatures.
    Propose = 19, "proposal";
    /// A proposal was signed.
    SignProposal = 20, "proposal-sign";
    /// A proposal was rejected or withdrawn.
    RejectProposal = 21, "proposal-reject";
    /// Proposals were looked at.
    ReadProposals = 22, "proposal-read";
    /// A share was presented, or the key was fetched; the keyring was opened when no share is missing any more. Without a caller the
    /// daemon did it by itself, at its start or when its token came back.
    Unseal = 23, "unseal";
    /// The keyring was closed.
    Seal = 24, "seal";
    /// The key-encryption key was replaced.
    RotateKek = 25, "kek-rotate";
    /// The log's signing key was replaced.
    RotateAuditKey = 26, "audit-key-rotate";
    /// A restored store was accepted.
    AcceptRestore = 27, "restore";
    /// A key version was destroyed.
    DestroyVersion = 28, "version-destroy";
    /// The escrow of a key version was cut.
    CutEscrow = 29, "escrow-cut";
    /// A chain is past its retention and will be destroyed.
    WarnRetention = 30, "retention-warning";
    /// A chain past its retention was destroyed.
    ExpireChain = 31, "chain-expire";
    /// The erasure of a subject came into force: it is refused from now on.
    OptOut = 32, "opt-out";
    /// Rows of opted-out subjects were removed from a chain.
    EraseSubjects = 33, "subjects-erase";
    /// A batch of an existing mapping was imported.
    Import = 34, "import";
    /// The head of the log, or a proof, was asked for.
    ReadHead = 35, "head-read";
    /// A proposal that no one signed in time ended.
    ExpireProposal = 36, "proposal-expire";
    /// A grant whose end had passed ended.
    ExpireGrant = 37, "grant-expire";
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done.
    Done,
    /// Refused, and why.
    Refused(Reason),
}

impl Act {
    /// Whether an act is on record when it was done. The others are on record only when they were refused.
    pub fn is_recorded_done(self) -> bool {
        !matches!(
            self,
            Self::ReadGrants
                | Self::ReadRegistry
                | Self::ReadStatus
                | Self::ReadAudit
                | Self::Admit
                | Self::ReadProposals
                | Self::ReadHead
        )
    }

    /// Whether a caller can be refused an act: every act but what the daemon does by itself and what signatures bring
    /// about.
    pub fn can_be_refused(self) -> bool {
        !matches!(
            self,
            Self::Initialise
                | Self::Custodians
                | Self::ApplyRegistry
                | Self::RotateKek
                | Self::AcceptRestore
                | Self::DestroyVersion
                | Self::CutEscrow
                | Self::OptOut
                | Self::WarnRetention
                | Self::ExpireChain
                | Self::EraseSubjects
                | Self::ExpireProposal
                | Self::ExpireGrant
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn act_numbers_are_unique() {
        for act in Act::ALL {
            assert_eq!(Act::from_number(*act as u8), Ok(*act));
        }
    }
}
