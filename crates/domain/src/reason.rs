//! Every reason for which a request or a row is refused: one stable code, one fixed outward message.
//!
//! The code is the `reason` of `google.rpc.ErrorInfo`, the label of the metric, the `reason` of the audit entry
//! and the row in `docs/errors.md`. The message never depends on the data.

use std::fmt;

/// How a refusal is answered: the canonical gRPC code it maps to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Category {
    /// The request is wrong, whatever the state of the system.
    InvalidArgument,
    /// No (acceptable) client certificate.
    Unauthenticated,
    /// The caller may not.
    PermissionDenied,
    /// What is named does not exist, or not for the caller.
    NotFound,
    /// It exists already, with other content.
    AlreadyExists,
    /// The state of the system does not allow it.
    FailedPrecondition,
    /// A limit is reached.
    ResourceExhausted,
    /// Somebody else was faster; reading again and repeating may help.
    Aborted,
    /// Not at this moment.
    Unavailable,
    /// The caller took too long.
    DeadlineExceeded,
    /// A defect or damage.
    Internal,
    /// Only as a row rejection, never as an answer to a request.
    Row,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $category:ident, $message:literal;)+) => {
        /// Why something was refused.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(rustdoc::invalid_html_tags, reason = "the fixed messages are plain text")]
        pub enum Reason { $(#[doc = $message] $(#[$doc])* $name),+ }

        impl Reason {
            /// All reasons, in the order of `docs/errors.md`.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The fixed outward message.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $message),+ }
            }

            /// The kind of answer.
            pub fn category(self) -> Category {
                match self { $(Self::$name => Category::$category),+ }
            }

            /// The reason of a code.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

reasons! {
    // Who are you?
    NoIdentity = "NO_SPIFFE_ID", Unauthenticated, "the client certificate must have exactly one URI SAN, a SPIFFE id spiffe://<trust-domain>/<organisation>/<member> of this custodian's trust domain";
    CertificateExpired = "CERTIFICATE_EXPIRED", Unauthenticated, "the client certificate has expired; renew it and connect again";
    CertificateNotYetValid = "CERTIFICATE_NOT_YET_VALID", Unauthenticated, "the client certificate is not valid yet by the custodian's clock; one of the two clocks is wrong";
    CertificateRevoked = "CERTIFICATE_REVOKED", Unauthenticated, "the client certificate has been revoked";
    CertificateNotTrusted = "CERTIFICATE_NOT_TRUSTED", Unauthenticated, "the authority that issued the client certificate is not among those this custodian accepts now: it was removed, or its own certificate has expired; have a certificate issued by a present authority and connect again";
    RevocationListExpired = "REVOCATION_LIST_EXPIRED", Unavailable, "the custodian's revocation list for the authority of the client certificate has expired or is missing, so it cannot tell whether the certificate is revoked; the custodian must put a new list in place, then try again";
    UnknownOrganisation = "UNKNOWN_ORGANISATION", PermissionDenied, "the organisation of the client certificate is not in the registry; ask the custodian to register it";
    NotAMember = "NOT_A_MEMBER", PermissionDenied, "the certificate's member is not a member of its organisation; ask the custodian to register it";
    Blocked = "BLOCKED", PermissionDenied, "this member is blocked; ask the custodian";
    // May you?
    NotASource = "NOT_A_SOURCE", PermissionDenied, "only members of the chain's sources may submit records to it";
    NotTheGrantee = "NOT_THE_GRANTEE", PermissionDenied, "only members of the grantee's organisation may use or see this grant";
    NotASteward = "NOT_A_STEWARD", PermissionDenied, "only a steward of the organisation that owns the chain may do this";
    NotACustodian = "NOT_A_CUSTODIAN", PermissionDenied, "only custodians may do this";
    NotAnAuditor = "NOT_AN_AUDITOR", PermissionDenied, "only auditors may do this";
    CustodianMayNot = "CUSTODIAN_MAY_NOT", PermissionDenied, "a custodian keeps the keys: it can neither submit records nor request, see, decide or use grants";
    OwnRequest = "OWN_REQUEST", PermissionDenied, "a requester cannot approve their own request; another steward must";
    AlreadyApproved = "ALREADY_APPROVED", FailedPrecondition, "this steward has already approved this grant; a different steward must give the next approval";
    NotEligible = "NOT_ELIGIBLE", PermissionDenied, "the caller's organisation may not hold this grant: conversion is for the owner or a recipient of the chain converted from, re-identification for those the chain lists in reidentify_to";
    KeyNotPinned = "KEY_NOT_PINNED", PermissionDenied, "the key of the client certificate is not the one pinned for this person in the registry (stewards) or in the custodian's configuration (custodians); send the text of `sluis key show` to the custodian";
    BadSignature = "BAD_SIGNATURE", PermissionDenied, "the signature does not fit what it is said to sign, or was not made with the key of the client certificate";
    NotASigner = "NOT_A_SIGNER", PermissionDenied, "the caller is not one of those whose signature is missing";
    AlreadySigned = "ALREADY_SIGNED", FailedPrecondition, "this person has signed already; somebody else must give the next signature";
    // What do you ask for?
    InvalidRequest = "INVALID_REQUEST", InvalidArgument, "a field of the request is missing or malformed; the violation names it";
    InvalidBatch = "INVALID_BATCH", InvalidArgument, "a batch has at least one row and one column, every column exactly as many values as the batch has rows, and no element comes twice";
    InvalidStream = "INVALID_STREAM", InvalidArgument, "the first message of a stream opens it and the others are batches";
    StreamRefused = "STREAM_REFUSED", Aborted, "an earlier batch of the stream was refused, so nothing of this one was done; open a new stream";
    BatchTooLarge = "BATCH_TOO_LARGE", ResourceExhausted, "the batch is larger than this custodian accepts; send smaller batches";
    UnknownChain = "UNKNOWN_CHAIN", NotFound, "the chain does not exist, or not for this caller";
    ChainDestroyed = "CHAIN_DESTROYED", FailedPrecondition, "the chain was destroyed when its retention ended: nothing can be done in it any more";
    ChainChanged = "CHAIN_CHANGED", FailedPrecondition, "what the chain does with records has changed since the stream was opened; look at it again, and repeat";
    UnknownElement = "UNKNOWN_ELEMENT", InvalidArgument, "a column is not listed as an element of the chain; leave it out, drop it or have it registered";
    ClientOnlyElement = "CLIENT_ONLY_ELEMENT", InvalidArgument, "a column with treatment keep or drop was sent; such columns must stay with the client";
    MissingSubject = "MISSING_SUBJECT", InvalidArgument, "a date-shift column needs the column of its subject element in the same batch";
    UnsupportedDelivery = "UNSUPPORTED_DELIVERY", InvalidArgument, "delivery to the recipient is reserved; use delivery to the caller";
    WrongElement = "WRONG_ELEMENT", InvalidArgument, "the column is not an element of the grant";
    InvalidRegistry = "INVALID_REGISTRY", InvalidArgument, "the registry was refused as a whole; the violations name every error and its place";
    RegistryChanged = "REGISTRY_CHANGED", Aborted, "the registry changed in the meantime; look at the new diff and apply again";
    UnknownVersion = "UNKNOWN_KEY_VERSION", NotFound, "the key version does not exist";
    VersionState = "KEY_VERSION_STATE", FailedPrecondition, "the key version's state does not allow this; a version is rotated away first, then disabled, then destroyed";
    TooManyVersions = "TOO_MANY_KEY_VERSIONS", ResourceExhausted, "the chain would have more than 800 key versions that are not destroyed; disable old ones and have them destroyed";
    InvalidPageToken = "INVALID_PAGE_TOKEN", InvalidArgument, "the page token is not one this custodian gave out";
    BackupFailed = "BACKUP_FAILED", Internal, "the backup could not be written; the custodian's log says why";
    // Grants
    TooManyGrants = "TOO_MANY_REQUESTED_GRANTS", ResourceExhausted, "too many of the caller's or of the organisation's grants wait for a decision, or the caller requested too many in the last 24 hours; have some decided, or wait";
    UnknownGrant = "UNKNOWN_GRANT", NotFound, "the grant does not exist, or not for this caller";
    GrantKind = "GRANT_KIND", FailedPrecondition, "the grant is of the other kind";
    GrantNotApproved = "GRANT_NOT_APPROVED", FailedPrecondition, "the grant is not approved yet";
    GrantDenied = "GRANT_DENIED", FailedPrecondition, "the grant was denied";
    GrantNotStarted = "GRANT_NOT_STARTED", FailedPrecondition, "the grant has not started yet";
    GrantExpired = "GRANT_EXPIRED", FailedPrecondition, "the grant has expired; request a new one";
    GrantExhausted = "GRANT_EXHAUSTED", ResourceExhausted, "the batch would pass the grant's maximum number of values; nothing of it was done";
    GrantRevoked = "GRANT_REVOKED", FailedPrecondition, "the grant was revoked";
    GrantDecided = "GRANT_DECIDED", FailedPrecondition, "the grant has already been decided";
    Conflict = "CONFLICT", Aborted, "somebody else changed the same thing at the same moment; look again and repeat";
    GrantStale = "GRANT_STALE", FailedPrecondition, "what the grant was approved for has changed in the registry; request a new one";
    DigestMismatch = "DIGEST_MISMATCH", FailedPrecondition, "the approval names another grant than the one stored; look at the grant again";
    BatchIdReused = "BATCH_ID_REUSED", AlreadyExists, "this batch id was used before with other content";
    NotLinked = "NOT_LINKED", FailedPrecondition, "the chain keeps no link for this namespace: nothing leads out of it";
    NotReversible = "NOT_REVERSIBLE", FailedPrecondition, "the element is not reversible in this chain";
    GrantDailyLimit = "GRANT_DAILY_LIMIT", ResourceExhausted, "the batch would pass the grant's maximum number of values of one day; nothing of it was done";
    // Proposals
    UnknownProposal = "UNKNOWN_PROPOSAL", NotFound, "the proposal does not exist, or not for this caller";
    ProposalDecided = "PROPOSAL_DECIDED", FailedPrecondition, "the proposal has already been decided";
    ProposalStale = "PROPOSAL_STALE", FailedPrecondition, "what the proposal is about has changed since; propose again";
    ProposalExpired = "PROPOSAL_EXPIRED", FailedPrecondition, "the proposal was not signed in time; propose again";
    TooManyProposals = "TOO_MANY_PROPOSALS", ResourceExhausted, "too many of the caller's or of the organisation's proposals wait for signatures, or the caller made too many in the last 24 hours; have some signed or rejected, or wait";
    // Instructions of custodians
    InstructionStale = "INSTRUCTION_STALE", FailedPrecondition, "the instruction was signed before another act of custody or another registry version, or is older than ten minutes; look again, and sign again";
    // Quotas
    QuotaSubjects = "QUOTA_SUBJECTS", ResourceExhausted, "the source would pass its number of distinct subjects of one day in this chain; nothing of the batch was done";
    QuotaRejected = "QUOTA_REJECTED", ResourceExhausted, "too large a part of what the source sent to this chain today were no identifiers; nothing of the batch was done";
    QuotaRequests = "QUOTA_REQUESTS", ResourceExhausted, "the source sends more batches a minute to this chain than it may; send them slower";
    // The keyring
    Sealed = "SEALED", Unavailable, "the custodian is sealed: its keys are not in memory; share holders must unseal it";
    NotSealed = "NOT_SEALED", FailedPrecondition, "the custodian is not sealed";
    NoShares = "NO_SHARES", FailedPrecondition, "this custodian's key-encryption key is not kept in shares";
    MalformedShare = "MALFORMED_SHARE", InvalidArgument, "the text is not a share: its form or check sum is wrong";
    ForeignShare = "FOREIGN_SHARE", InvalidArgument, "the share is of another custodian or of an earlier set of shares";
    WrongShare = "WRONG_SHARE", InvalidArgument, "the share is not what it says it is";
    RepeatedShare = "REPEATED_SHARE", FailedPrecondition, "this share was presented already; another one is needed";
    SameHolder = "SAME_HOLDER", FailedPrecondition, "this person has presented a share already; another person must present the next one";
    HsmUnavailable = "HSM_UNAVAILABLE", Unavailable, "the custodian's hardware security module cannot be reached; the custodian is sealed until it is back";
    // The daemon
    HeadUnavailable = "AUDIT_HEAD_UNAVAILABLE", Unavailable, "the custodian cannot write the signed head of its audit log and refuses all acts until it can; its operator has been told";
    UnknownHead = "UNKNOWN_LOG_SIZE", InvalidArgument, "the audit log has no signed head of that size yet, or the sizes are in the wrong order";
    TooManyRequests = "TOO_MANY_REQUESTS", ResourceExhausted, "the caller has as many calls at work as it may, or the custodian has, and none of them ended in time; try again later";
    RateLimited = "RATE_LIMITED", ResourceExhausted, "the caller does this more often than this custodian lets one person; try again after the time in google.rpc.RetryInfo";
    RequestTimeout = "REQUEST_TIMEOUT", DeadlineExceeded, "the request did not arrive within the time this custodian waits for one, or came too slowly; send it again";
    IdleStream = "IDLE_STREAM", DeadlineExceeded, "no whole batch came on the stream for longer than this custodian waits; open a new stream";
    ReadOnly = "STORE_READ_ONLY", Unavailable, "the custodian cannot write at the moment and refuses all acts; its operator has been told";
    DiskFull = "DISK_FULL", Unavailable, "the custodian's disk is full, so nothing of this was done; its operator has been told";
    StoreStalled = "STORE_STALLED", Unavailable, "the custodian's store takes no writes at the moment, so nothing of this was done; its operator has been told";
    OutcomeUnknown = "OUTCOME_UNKNOWN", Unavailable, "the custodian does not know whether this was done: its store failed or did not answer in time; look before you repeat it";
    RemovalPending = "REMOVAL_PENDING", FailedPrecondition, "destroyed keys or erased rows have not left the custodian's disk yet, and a backup would keep them; the custodian's log says why";
    Draining = "DRAINING", Unavailable, "the custodian is stopping; try again later";
    CorruptStore = "CORRUPT_STORE", Internal, "stored data is damaged; the custodian refuses rather than guess";
    Internal = "INTERNAL", Internal, "something went wrong inside the custodian; its log knows this request id";
    // Rows: the value
    TooLong = "TOO_LONG", Row, "an identifier is over 255 bytes in its normal form or over 4,096 bytes as written, or an old pseudonym is over 255 bytes";
    RowTooLong = "ROW_TOO_LONG", Row, "the values of the row that are sent are together larger than this custodian accepts in a batch";
    InvalidUtf8 = "INVALID_UTF8", Row, "the value is not valid UTF-8";
    InvalidIdentifier = "INVALID_IDENTIFIER", Row, "the value does not have the form of the namespace's identifier kind";
    NumberAsDecimal = "NUMBER_AS_DECIMAL", Row, "the number is written as a decimal number, as spreadsheets do (10000161.0, 10000161,00); write its digits as text, with leading zeros";
    NumberInScientificNotation = "NUMBER_IN_SCIENTIFIC_NOTATION", Row, "the number is written in scientific notation, as spreadsheets do (1.0000161E+8), and digits may be lost; write its digits as text";
    NumberAsDate = "NUMBER_AS_DATE", Row, "the value looks like a date (31-12-1984, 1984-12-31), not like a number";
    NumberWithSign = "NUMBER_WITH_SIGN", Row, "the number has a plus or minus sign; write its digits only";
    NumberInQuotes = "NUMBER_IN_QUOTES", Row, "the number has an apostrophe, quotation mark or equals sign beside it, as spreadsheets mark a text; write its digits only";
    MisplacedSeparator = "MISPLACED_SEPARATOR", Row, "separators stand only between groups of two or more digits or letters, one kind in a value; docs/method.md says which for each kind of identifier";
    ForeignDigits = "FOREIGN_DIGITS", Row, "the number has digits of another script or width; write it with the digits 0 to 9";
    InvisibleCharacter = "INVISIBLE_CHARACTER", Row, "the value has a character that is not seen, such as a zero-width space, a soft hyphen, a no-break space, a tab or another control character; remove it";
    ReplacementCharacter = "REPLACEMENT_CHARACTER", Row, "the value has the replacement character U+FFFD: a character was lost when the data was read in another encoding";
    NoCentury = "NO_CENTURY", Row, "the number does not tell the century of birth, and with + or - only for a time; write the year with four digits";
    AllZero = "ALL_ZERO", Row, "the number consists of zeros only";
    PlaceholderNumber = "PLACEHOLDER_NUMBER", Row, "the number is a placeholder, such as one digit repeated or all digits in a row: it names no person";
    InvalidChecksum = "INVALID_CHECKSUM", Row, "the number fails its check: its check digits, or the date in it, cannot be right";
    InvalidPrehash = "INVALID_PREHASH", Row, "a prehash value is exactly 32 bytes";
    WrongEncoding = "WRONG_ENCODING", Row, "the value is not text of the encoding that the file is said to have";
    InvalidDate = "INVALID_DATE", Row, "the value is not a date of the form YYYY-MM-DD";
    ImplausibleDate = "IMPLAUSIBLE_DATE", Row, "the date is outside the range that is plausible for its element, or gives an age below 0 or above 140; a placeholder such as 9999-12-31 must be listed in the registry";
    DayMonthSwapped = "DAY_AND_MONTH_SWAPPED", Row, "the value is a date only if day and month change places";
    DateOutOfRange = "DATE_OUT_OF_RANGE", Row, "the shifted date would leave the years 0001 to 9999";
    NoSubject = "NO_SUBJECT", Row, "a date can only be shifted, and an old pseudonym imported, in a row that has a subject";
    InvalidNumber = "INVALID_NUMBER", Row, "the value is not a number that can be generalised";
    AmbiguousNumber = "AMBIGUOUS_NUMBER", Row, "the number has one mark with three digits after it, which are decimals in one country and thousands in another";
    Unencodable = "UNENCODABLE", Row, "the answer has a character that the encoding of the file does not have; use UTF-8";
    OptedOut = "OPTED_OUT", Row, "the subject has opted out; leave the record out";
    MissingImport = "MISSING_IMPORT", Row, "the old pseudonym of the row is missing";
    ImportConflict = "IMPORT_CONFLICT", Row, "the old pseudonym was imported before for another subject";
    // Rows: the token
    MalformedPseudonym = "MALFORMED_PSEUDONYM", Row, "the value is not a pseudonym: its form or check sum is wrong";
    UnknownPseudonym = "UNKNOWN_PSEUDONYM", Row, "the pseudonym is not known in this chain and element";
    VersionDisabled = "KEY_VERSION_DISABLED", Row, "the pseudonym's key version is disabled";
    CorruptLinkRow = "CORRUPT_ROW", Row, "the stored row is damaged; the custodian refuses rather than guess";
    NoStoredIdentity = "NO_IDENTITY", Row, "no identity is kept for this pseudonym";
    MalformedCiphertext = "MALFORMED_CIPHERTEXT", Row, "the value is not an encrypted element";
    UnknownCiphertext = "UNKNOWN_CIPHERTEXT", Row, "the ciphertext was not made by this chain for this element, or it was changed";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_upper_snake_and_found_again() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            assert!(
                reason
                    .code()
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            );
        }
    }
}
