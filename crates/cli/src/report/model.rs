//! What a report says. Field names are those of `--json`.

use serde::Serialize;

/// Amounts of batches.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Amount {
    pub(super) batches: u64,
    pub(super) rows: u64,
    pub(super) values: u64,
    pub(super) rejected: u64,
}

/// A whole report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
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
