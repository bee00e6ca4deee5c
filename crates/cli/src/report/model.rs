//! What a report says. Field names are those of `--json`.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use sluis_ledger::audit::Entry;

/// Amounts of batches. A log may say anything, so sums stop at the largest number.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Amount {
    pub(super) batches: u64,
    pub(super) rows: u64,
    pub(super) values: u64,
    pub(super) rejected: u64,
}

impl Amount {
    /// One batch more.
    pub(super) fn add(&mut self, entry: &Entry) {
        self.batches = self.batches.saturating_add(1);
        self.rows = self.rows.saturating_add(entry.rows);
        self.values = self.values.saturating_add(entry.values);
        self.rejected = self.rejected.saturating_add(entry.rejected);
    }
}

/// A sum that stops at the largest number.
pub(super) fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// Stands over everything that was not verified.
pub(super) const NOT_VERIFIED: &str = "NOT VERIFIED";

/// How far what a report says was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Against a key that the caller trusts.
    Verified(VerifiedLog),
    /// Not, and why.
    NotVerified(&'static str),
}

/// The log that a report is about, as its signed head says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct VerifiedLog {
    pub(super) origin: String,
    pub(super) entries: u64,
    /// Lower-case hexadecimal.
    pub(super) root: String,
    /// The key that the caller trusts.
    pub(super) verifier_key: String,
}

/// In JSON: `verified`, the log if it is, and [`NOT_VERIFIED`] if it is not.
impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let log = match self {
            Self::Verified(log) => Some(log),
            Self::NotVerified(_) => None,
        };
        let mut fields = serializer.serialize_struct("Standing", 3)?;
        fields.serialize_field("verified", &log.is_some())?;
        fields.serialize_field("notice", &log.is_none().then_some(NOT_VERIFIED))?;
        fields.serialize_field("log", &log)?;
        fields.end()
    }
}

/// A whole report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) standing: Standing,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) organisation: Option<String>,
    pub(super) made_at: String,
    /// Entries of the period.
    pub(super) entries: u64,
    pub(super) work: Vec<Work>,
    pub(super) chains: Vec<ChainUse>,
    pub(super) months: Vec<MonthUse>,
    pub(super) grants: Vec<GrantUse>,
    pub(super) refusals: Vec<Refused>,
    pub(super) quota_alarms: Vec<QuotaAlarm>,
    pub(super) keys: Vec<KeyVersion>,
    pub(super) proposals: Vec<ProposalRow>,
    pub(super) custody: Vec<CustodyAct>,
}

/// Who did what for which purpose.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Work {
    pub(super) who: String,
    pub(super) act: String,
    pub(super) chain: String,
    pub(super) grant: String,
    pub(super) purpose: String,
    #[serde(flatten)]
    pub(super) amount: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct ChainUse {
    pub(super) chain: String,
    pub(super) act: String,
    #[serde(flatten)]
    pub(super) amount: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct MonthUse {
    pub(super) month: String,
    pub(super) act: String,
    #[serde(flatten)]
    pub(super) amount: Amount,
}

/// A grant that was used or waited in the period, or is open at its end.
#[derive(Clone, Debug, Serialize)]
pub(super) struct GrantUse {
    pub(super) grant: String,
    pub(super) kind: String,
    pub(super) grantee: String,
    pub(super) requester: String,
    pub(super) purpose: String,
    pub(super) legal_basis: String,
    pub(super) approved_by: Vec<String>,
    pub(super) ended_by: String,
    pub(super) state: String,
    pub(super) open: bool,
    pub(super) used: u64,
    pub(super) remaining: u64,
    pub(super) not_after: String,
    #[serde(flatten)]
    pub(super) in_period: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Refused {
    pub(super) who: String,
    pub(super) act: String,
    pub(super) reason: String,
    pub(super) times: u64,
    pub(super) last: String,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct QuotaAlarm {
    pub(super) who: String,
    pub(super) place: String,
    pub(super) reason: String,
    pub(super) times: u64,
    pub(super) first: String,
    pub(super) last: String,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct KeyVersion {
    pub(super) kid: String,
    pub(super) chain: String,
    pub(super) namespace: String,
    pub(super) first_seen: String,
    pub(super) age_days: u64,
    pub(super) last_used: String,
    pub(super) ended: String,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct ProposalRow {
    pub(super) proposal: String,
    pub(super) matter: String,
    pub(super) proposer: String,
    pub(super) proposed_at: String,
    pub(super) signed_by: Vec<String>,
    pub(super) outcome: String,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct CustodyAct {
    pub(super) at: String,
    pub(super) who: String,
    pub(super) act: String,
    pub(super) about: String,
    pub(super) signed_by: Vec<String>,
    pub(super) outcome: String,
}
