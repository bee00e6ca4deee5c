//! What can be wrong with an entry.

use sluis_domain::{ChainId, GrantId, Identity, Kid, ProposalId, Reason};

/// The first wrong entry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("entry {sequence}: {fault}")]
pub struct Wrong {
    /// Its number.
    pub sequence: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with an entry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// The bytes are not an entry.
    #[error("its bytes are not an entry of format 3")]
    NotAnEntry,
    /// An entry is missing before it.
    #[error("entry {0} should come here")]
    Gap(u64),
    /// The log does not begin with the act `initialise`, or has it again.
    #[error("`initialise` must be the first entry, and no other")]
    Initialise,
    /// The log says that it is another one.
    #[error("it belongs to another log")]
    OtherLog,
    /// The registry version is not the one in force.
    #[error("it names registry version {named}, and {in_force} was in force")]
    RegistryVersion {
        /// In the entry.
        named: u64,
        /// By what the log says.
        in_force: u64,
    },
    /// A field that an entry of its act must have is not there.
    #[error("its field `{0}` is empty, and an act like it has one")]
    Lacks(&'static str),
    /// The counts of a batch contradict each other.
    #[error("its {0} do not fit each other")]
    Counts(&'static str),
    /// A grant that no one could ask for.
    #[error("no grant can be asked for with such a field `{0}`")]
    Terms(&'static str),
    /// The custodians cannot be these.
    #[error("it names custodians who {0}")]
    Custodians(&'static str),
    /// A field contradicts what the entry is about.
    #[error("its {0} is not that of what it is about")]
    Field(&'static str),
    /// A digest is not the digest of what the entry is about.
    #[error("its digest is not that of what it is about")]
    Digest,
    /// A grant was requested twice under one id.
    #[error("grant {0} exists already")]
    GrantExists(GrantId),
    /// No such grant.
    #[error("it names a grant that was never requested")]
    UnknownGrant,
    /// A proposal was made twice under one id.
    #[error("proposal {0} exists already")]
    ProposalExists(ProposalId),
    /// No such proposal.
    #[error("it names a proposal that was never made")]
    UnknownProposal,
    /// The custodian should have refused this.
    #[error("it should have been refused: {} ({})", .0.code(), .0.message())]
    NotAllowed(Reason),
    /// The grant asks for other approvals than the registry wants.
    #[error("it does not need the approvals that registry version {0} wants")]
    Approvals(u64),
    /// More values than before plus the ones of the batch, fewer than before, or more than the grant allows.
    #[error(
        "its counter is {counter}; it was {before}, the batch has {values} values and the grant allows {max}"
    )]
    Counter {
        /// In the entry.
        counter: u64,
        /// Before it.
        before: u64,
        /// Values of the entry.
        values: u64,
        /// Most values of the grant.
        max: u64,
    },
    /// A signature proves nothing.
    #[error("the signature of {signer}: {fault}")]
    Signer {
        /// Who is said to have signed.
        signer: Identity,
        /// What is wrong with the signature.
        fault: SignerFault,
    },
    /// The last signature under a proposal must be followed by what was proposed.
    #[error("proposal {0} has all its signatures, and what it proposes must follow directly")]
    EffectMissing(ProposalId),
    /// Something was done that needs signatures, and the entry before is not the last of them.
    #[error("it needs a proposal whose last signature stands directly before it")]
    NotSigned,
    /// What signatures bring about is in the name of another.
    #[error("it is not in the name of whoever signed last, with the same certificate")]
    NotTheLastSigner,
    /// A proposal asks for signatures that cannot be given.
    #[error(
        "the groups that must sign are not sorted, repeat, ask for nobody or for more than there are, or are fewer than two people"
    )]
    Groups,
    /// Fewer or other signatures than the change needs.
    #[error("the proposal did not have the signatures that this change needs")]
    TooFewSignatures,
    /// The text of a registry is not there.
    #[error("the text of registry version {0} is missing")]
    RegistryMissing(u64),
    /// The text of a registry is not the one that was applied.
    #[error("the text of registry version {0} is not the one that was signed")]
    RegistryText(u64),
    /// The text of a registry could not be read.
    #[error("the text of registry version {0} cannot be read now")]
    RegistryUnread(u64),
    /// A grant or proposal that ended could not be read.
    #[error("the grant or proposal that it names cannot be read now")]
    RecordUnread,
    /// The text of a registry is none, or not one that may follow the one before.
    #[error("registry version {version} is not valid after the one before: {}", problems.join("; "))]
    RegistryInvalid {
        /// The version.
        version: u64,
        /// What is wrong, each with its place in the text.
        problems: Vec<String>,
    },
    /// A registry makes other key versions than its new key lines need.
    #[error(
        "it does not make a key version for each new key line of registry version {0}, in their order"
    )]
    NewVersions(u64),
    /// Subjects are erased who did not opt out.
    #[error("it erases subjects of a namespace for which no opt-out came before")]
    NoOptOut,
    /// An instruction that was signed for another moment: it was followed before, or something came between.
    #[error("the instruction that was signed does not follow the last act of custody")]
    Instruction,
    /// An instruction that is too old, or of the future.
    #[error("the instruction was not signed within ten minutes before it")]
    InstructionAge,
    /// The restored log is not this one.
    #[error("the restore that was signed is of another log than the entries before it")]
    Restore,
    /// A restore is accepted again, or one that was signed before another.
    #[error("the restore was signed before the last one that was accepted")]
    RestoreAgain,
    /// A restore that was signed too long ago, or later.
    #[error("the restore was not requested within seven days before it")]
    RestoreAge,
    /// A chain was destroyed of which no warning was given.
    #[error("chain {0} came to its end without a warning before")]
    NotWarned(ChainId),
    /// A key version that this act cannot have named, or should have.
    #[error("key version {kid}: {fault}")]
    Version {
        /// Which.
        kid: Kid,
        /// What is wrong with it.
        fault: VersionFault,
    },
    /// A signing key that is not one of this log, or not new.
    #[error("it does not name a new signing key of this log")]
    AuditKey,
}

/// Why an act cannot have named a key version, or should have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VersionFault {
    /// No entry made it.
    #[error("no entry before says that it was made")]
    Unknown,
    /// It is made again.
    #[error("there was one with this kid before")]
    NotNew,
    /// It belongs elsewhere.
    #[error("by what the log said before it is of another chain or namespace")]
    OtherLine,
    /// It was disabled.
    #[error("it was disabled before")]
    Disabled,
    /// It was not disabled, and only disabled ones are destroyed one at a time.
    #[error("it was not disabled before")]
    NotDisabled,
    /// It was destroyed.
    #[error("it was destroyed before")]
    Destroyed,
    /// Its escrow was cut.
    #[error("its escrow was cut before")]
    Cut,
    /// It is named twice.
    #[error("it is named twice")]
    Twice,
    /// The grant is not about its namespace.
    #[error("the grant is not about its namespace")]
    NotGranted,
    /// No pseudonym or encrypted element of the chain uses it.
    #[error("no element of the chain is of its namespace")]
    NoElement,
    /// It could be used and is not named.
    #[error("the act concerns it, and it is not named")]
    LeftOut,
    /// A chain came to its end, and one of its versions did not.
    #[error("it is of the chain that came to its end, and is not named")]
    NotNamed,
}

/// Why a signature of a person proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignerFault {
    /// The certificate cannot be read.
    #[error("the certificate cannot be read")]
    Certificate,
    /// The certificate is another's.
    #[error("the certificate is of somebody else")]
    Identity,
    /// The entry's fingerprint is of another certificate.
    #[error("it is not by whoever did the act")]
    NotTheActor,
    /// The certificate was not valid then.
    #[error("the certificate was not valid at that time")]
    Expired,
    /// The certificate's key is not the one that is pinned for the signer, or no key is.
    #[error("the key of the certificate is not the one that is pinned for the signer")]
    NotPinned,
    /// The signature is over something else or by another key.
    #[error("it was not made with that key over exactly this")]
    Signature,
    /// The signer has no say in this.
    #[error("the signer has no say in this")]
    NotEntitled,
    /// The same person again.
    #[error("the same person signed before")]
    Twice,
}
