//! What a report says. Field names are those of `--json`.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use sluis_ledger::event::Counts;

/// Amounts of batches. A log may say anything, so sums stop at the largest number.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Amount {
    pub(crate) batches: u64,
    pub(crate) rows: u64,
    pub(crate) values: u64,
    pub(crate) rejected: u64,
}

impl Amount {
    /// One batch more.
    pub(crate) fn add(&mut self, counts: &Counts) {
        self.batches = self.batches.saturating_add(1);
        self.rows = self.rows.saturating_add(counts.rows);
        self.values = self.values.saturating_add(counts.values);
        self.rejected = self.rejected.saturating_add(counts.rejected);
    }
}

/// Stands over everything that was not verified.
pub(crate) const NOT_VERIFIED: &str = "NOT VERIFIED";

/// How far what a report says was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Against a key that the caller trusts.
    Verified(VerifiedLog),
    /// Not, and why.
    NotVerified(&'static str),
}

/// The log that a report is about, as its signed head says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedLog {
    /// The name of the log.
    pub origin: String,
    /// How many it has.
    pub entries: u64,
    /// Lower-case hexadecimal.
    pub root: String,
    /// The key that the caller trusts.
    pub verifier_key: String,
}

/// In JSON: `verified`, the log if it is, and `NOT VERIFIED` if it is not.
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
pub struct Report {
    #[serde(flatten)]
    pub(crate) standing: Standing,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) organisation: Option<String>,
    pub(crate) made_at: String,
    /// Entries of the period.
    pub(crate) entries: u64,
    pub(crate) work: Vec<Work>,
    pub(crate) chains: Vec<ChainUse>,
    pub(crate) months: Vec<MonthUse>,
    pub(crate) grants: Vec<GrantUse>,
    pub(crate) refusals: Vec<Refused>,
    pub(crate) quota_alarms: Vec<QuotaAlarm>,
    pub(crate) keys: Vec<KeyVersion>,
    pub(crate) proposals: Vec<ProposalRow>,
    pub(crate) custody: Vec<CustodyAct>,
}

/// Who did what for which purpose.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Work {
    pub(crate) who: String,
    pub(crate) act: String,
    pub(crate) chain: String,
    pub(crate) grant: String,
    pub(crate) purpose: String,
    #[serde(flatten)]
    pub(crate) amount: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChainUse {
    pub(crate) chain: String,
    pub(crate) act: String,
    #[serde(flatten)]
    pub(crate) amount: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MonthUse {
    pub(crate) month: String,
    pub(crate) act: String,
    #[serde(flatten)]
    pub(crate) amount: Amount,
}

/// A grant that was used or waited in the period, or is open at its end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GrantUse {
    pub(crate) grant: String,
    pub(crate) kind: String,
    pub(crate) grantee: String,
    pub(crate) requester: String,
    pub(crate) purpose: String,
    pub(crate) legal_basis: String,
    pub(crate) approved_by: Vec<String>,
    pub(crate) ended_by: String,
    pub(crate) state: String,
    pub(crate) open: bool,
    pub(crate) used: u64,
    pub(crate) remaining: u64,
    pub(crate) not_after: String,
    #[serde(flatten)]
    pub(crate) in_period: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Refused {
    pub(crate) who: String,
    pub(crate) act: String,
    pub(crate) reason: String,
    pub(crate) times: u64,
    pub(crate) last: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct QuotaAlarm {
    pub(crate) who: String,
    pub(crate) place: String,
    pub(crate) reason: String,
    pub(crate) times: u64,
    pub(crate) first: String,
    pub(crate) last: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyVersion {
    pub(crate) kid: String,
    pub(crate) chain: String,
    pub(crate) namespace: String,
    pub(crate) first_seen: String,
    pub(crate) age_days: u64,
    pub(crate) last_used: String,
    pub(crate) ended: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProposalRow {
    pub(crate) proposal: String,
    pub(crate) matter: String,
    pub(crate) proposer: String,
    pub(crate) proposed_at: String,
    pub(crate) signed_by: Vec<String>,
    pub(crate) outcome: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CustodyAct {
    pub(crate) at: String,
    pub(crate) who: String,
    pub(crate) act: String,
    pub(crate) about: String,
    pub(crate) signed_by: Vec<String>,
    pub(crate) outcome: String,
}
