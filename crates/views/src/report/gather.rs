//! Goes through the entries and adds up.

use std::collections::{BTreeMap, BTreeSet};

use sluis_domain::{ChainId, GrantId, Identity, OrganisationId, Reason, Timestamp};
use sluis_ledger::Signed;
use sluis_ledger::audit::{Act, Entry, Outcome};
use sluis_ledger::grant::{Approval, End, Ended, Grant, Kind, Record, State};
use sluis_ledger::proposal::{Matter, Proposal};

use super::keys::Keys;
use super::model::{
    Amount, ChainUse, CustodyAct, GrantUse, MonthUse, ProposalRow, QuotaAlarm, Refused, Report,
    Standing, Work,
};
use super::period::{Day, month};

/// Outcome of a proposal that waits for signatures.
const OPEN: &str = "open";

/// A report in the making. It takes all entries of the log up to the end of the period, from the first on: what a grant is
/// and how old a key is stands before the period.
pub struct Gather {
    period: (Day, Day),
    now: Timestamp,
    organisation: Option<OrganisationId>,
    owned: BTreeSet<ChainId>,
    entries: u64,
    /// Whether any entry so far, of whichever time, concerns the organisation.
    concerned: bool,
    work: BTreeMap<[String; 5], Amount>,
    chains: BTreeMap<(String, &'static str), Amount>,
    months: BTreeMap<(String, &'static str), Amount>,
    grants: BTreeMap<GrantId, GrantBook>,
    refusals: BTreeMap<[String; 3], (u64, Timestamp)>,
    quotas: BTreeMap<[String; 3], (u64, Timestamp, Timestamp)>,
    keys: Keys,
    proposals: BTreeMap<[u8; 32], ProposalBook>,
    custody: Vec<CustodyAct>,
}

struct GrantBook {
    record: Record,
    used: u64,
    /// Whether any entry about it concerns the organisation.
    concerns: bool,
    touched: bool,
    in_period: Amount,
}

struct ProposalBook {
    row: ProposalRow,
    at: Timestamp,
    not_after: Timestamp,
    touched: bool,
}

impl Gather {
    /// Of the days `from` to `to`, both included, and of what concerns an organisation, which owns these chains; `now`: when
    /// the report is made.
    pub fn new(
        from: Day,
        to: Day,
        organisation: Option<OrganisationId>,
        owned: BTreeSet<ChainId>,
        now: Timestamp,
    ) -> Self {
        Self {
            period: (from, to),
            now,
            organisation,
            owned,
            entries: 0,
            concerned: false,
            work: BTreeMap::new(),
            chains: BTreeMap::new(),
            months: BTreeMap::new(),
            grants: BTreeMap::new(),
            refusals: BTreeMap::new(),
            quotas: BTreeMap::new(),
            keys: Keys::default(),
            proposals: BTreeMap::new(),
            custody: Vec::new(),
        }
    }

    /// Whether any entry concerned the organisation.
    pub fn concerned(&self) -> bool {
        self.concerned
    }

    /// Takes the next entry of the log.
    pub fn take(&mut self, entry: &Entry) {
        self.concerned |= self.concerns(entry);
        if entry.at >= self.period.1.end() {
            return;
        }
        // What became of grants and proposals is also said by entries of others.
        let concerns = self.concerns(entry);
        let counts = concerns && entry.at >= self.period.0.start();
        self.entries += u64::from(counts);
        match entry.outcome {
            Outcome::Refused(reason) if counts => self.refused(entry, reason),
            Outcome::Refused(_) => {}
            Outcome::Done => {
                self.keys.take(entry, concerns);
                self.done(entry, counts, concerns);
            }
        }
        if counts && is_custody(entry.act) {
            self.custody.push(custody(entry));
        }
    }

    /// Without an organisation everything does.
    fn concerns(&self, entry: &Entry) -> bool {
        let Some(organisation) = &self.organisation else {
            return true;
        };
        let of = |identity: &Identity| identity.organisation == *organisation;
        entry.actor.as_ref().is_some_and(of)
            || entry.signatures.iter().any(|(signer, _)| of(signer))
            || [&entry.chain, &entry.to_chain]
                .into_iter()
                .flatten()
                .any(|chain| self.owned.contains(chain))
    }

    /// `counts`: it concerns the organisation and is of the period.
    fn done(&mut self, entry: &Entry, counts: bool, concerns: bool) {
        if let Some(book) = entry.grant.as_ref().and_then(|id| self.grants.get_mut(id)) {
            book.concerns |= concerns;
            book.touched |= counts;
        }
        match entry.act {
            Act::Pseudonymise | Act::Convert | Act::Reidentify | Act::Import => {
                self.batch(entry, counts)
            }
            Act::RequestGrant => self.request(entry, counts, concerns),
            Act::ApproveGrant | Act::DenyGrant | Act::RevokeGrant => self.grant(entry),
            Act::Propose | Act::SignProposal | Act::RejectProposal | Act::ExpireProposal => {
                self.proposal(entry, counts)
            }
            Act::ApplyRegistry | Act::CutEscrow | Act::OptOut | Act::DestroyVersion => {
                self.effect(entry)
            }
            Act::AcceptRestore => self.restored(entry),
            _ => {}
        }
    }

    /// A restore ends all grants and proposals that had not ended, whoever they concern. Nobody is its caller: two custodians
    /// signed it.
    fn restored(&mut self, entry: &Entry) {
        let Some((by, _)) = entry.signatures.first() else {
            return;
        };
        for book in self.grants.values_mut() {
            if let Some(ended) = book.record.end_by_restore(by, entry.at) {
                book.record = ended;
            }
        }
        for book in self
            .proposals
            .values_mut()
            .filter(|book| book.is_open(entry.at))
        {
            book.row.outcome = "ended by a restore".to_owned();
        }
    }

    fn batch(&mut self, entry: &Entry, counts: bool) {
        if let Some(book) = entry.grant.as_ref().and_then(|id| self.grants.get_mut(id)) {
            book.used = book.used.max(entry.counter);
            if counts {
                book.in_period.add(entry);
            }
        }
        if !counts {
            return;
        }
        let act = entry.act.as_str();
        let id = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let grant = id(entry.grant.as_ref().map(GrantId::as_str));
        let work = [
            who(entry),
            act.into(),
            place(entry),
            grant,
            entry.purpose.clone(),
        ];
        self.work.entry(work).or_default().add(entry);
        let chains = [&entry.chain, &entry.to_chain]
            .into_iter()
            .flatten()
            .collect::<BTreeSet<_>>();
        for chain in chains {
            let used = self.chains.entry((chain.to_string(), act));
            used.or_default().add(entry);
        }
        let used = self.months.entry((month(entry.at), act));
        used.or_default().add(entry);
    }

    fn request(&mut self, entry: &Entry, touched: bool, concerns: bool) {
        if let (Some(id), Ok(grant)) = (&entry.grant, Grant::decode(&entry.detail)) {
            let (record, in_period) = (Record::new(grant), Amount::default());
            self.grants.insert(
                id.clone(),
                GrantBook {
                    record,
                    used: 0,
                    concerns,
                    touched,
                    in_period,
                },
            );
        }
    }

    fn grant(&mut self, entry: &Entry) {
        let book = entry.grant.as_ref().and_then(|id| self.grants.get_mut(id));
        let (Some(book), Some(by)) = (book, &entry.actor) else {
            return;
        };
        let ended = |how| {
            Some(Ended {
                how,
                by: by.clone(),
                at: entry.at,
                signed: None,
            })
        };
        match entry.act {
            Act::ApproveGrant => book.record.approvals.push(Approval {
                steward: by.clone(),
                at: entry.at,
                registry_version: entry.registry_version,
                signed: Signed {
                    signature: Vec::new(),
                    certificate: Vec::new(),
                },
            }),
            Act::DenyGrant => book.record.ended = ended(End::Denied),
            _ => book.record.ended = ended(End::Revoked),
        }
    }

    fn proposal(&mut self, entry: &Entry, counts: bool) {
        let Some(digest) = entry.object_digest else {
            return;
        };
        if entry.act == Act::Propose {
            if let Ok(proposal) = Proposal::decode(&entry.detail) {
                let (row, at, not_after) = (proposed(&proposal), proposal.at, proposal.not_after);
                self.proposals.insert(
                    digest,
                    ProposalBook {
                        row,
                        at,
                        not_after,
                        touched: counts,
                    },
                );
            }
        } else if let Some(book) = self.proposals.get_mut(&digest) {
            book.touched |= counts;
            match entry.act {
                Act::SignProposal => book.row.signed_by.push(who(entry)),
                Act::ExpireProposal => book.row.outcome = "expired".to_owned(),
                _ => book.row.outcome = format!("rejected by {}", who(entry)),
            }
        }
    }

    /// A proposal came into effect; the entry names it in its detail.
    fn effect(&mut self, entry: &Entry) {
        let named = entry
            .detail
            .get(2..)
            .and_then(|id| std::str::from_utf8(id).ok())
            .unwrap_or_default();
        for book in self
            .proposals
            .values_mut()
            .filter(|book| book.row.proposal == named)
        {
            book.row.outcome = match entry.act {
                Act::ApplyRegistry => {
                    format!("effective: registry version {}", entry.registry_version)
                }
                _ => "effective".to_owned(),
            };
        }
    }

    fn refused(&mut self, entry: &Entry, reason: Reason) {
        let count =
            self.refusals
                .entry([who(entry), entry.act.as_str().into(), reason.code().into()]);
        let (times, last) = count.or_insert((0, entry.at));
        (*times, *last) = (times.saturating_add(1), (*last).max(entry.at));
        if is_quota(reason) {
            let place = entry
                .grant
                .as_ref()
                .map_or_else(|| place(entry), ToString::to_string);
            let count = self.quotas.entry([who(entry), place, reason.code().into()]);
            let (times, _, last) = count.or_insert((0, entry.at, entry.at));
            (*times, *last) = (times.saturating_add(1), (*last).max(entry.at));
        }
    }

    /// The report. `standing`: how far the entries were checked.
    pub fn finish(self, standing: Standing) -> Report {
        let end = self.period.1.end().min(self.now);
        let grants = self
            .grants
            .values()
            .filter_map(|book| grant_use(book, end))
            .collect();
        Report {
            standing,
            from: self.period.0.to_string(),
            to: self.period.1.to_string(),
            organisation: self
                .organisation
                .map(|organisation| organisation.to_string()),
            made_at: self.now.to_string(),
            entries: self.entries,
            work: self
                .work
                .into_iter()
                .map(|([who, act, chain, grant, purpose], amount)| Work {
                    who,
                    act,
                    chain,
                    grant,
                    purpose,
                    amount,
                })
                .collect(),
            chains: self
                .chains
                .into_iter()
                .map(|((chain, act), amount)| ChainUse {
                    chain,
                    act: act.into(),
                    amount,
                })
                .collect(),
            months: self
                .months
                .into_iter()
                .map(|((month, act), amount)| MonthUse {
                    month,
                    act: act.into(),
                    amount,
                })
                .collect(),
            grants,
            refusals: self
                .refusals
                .into_iter()
                .map(|([who, act, reason], (times, last))| Refused {
                    who,
                    act,
                    reason,
                    times,
                    last: last.to_string(),
                })
                .collect(),
            quota_alarms: self
                .quotas
                .into_iter()
                .map(|([who, place, reason], (times, first, last))| {
                    let (first, last) = (first.to_string(), last.to_string());
                    QuotaAlarm {
                        who,
                        place,
                        reason,
                        times,
                        first,
                        last,
                    }
                })
                .collect(),
            keys: self.keys.finish(end),
            proposals: proposals(self.proposals.into_values().collect(), end),
            custody: self.custody,
        }
    }
}

fn who(entry: &Entry) -> String {
    entry
        .actor
        .as_ref()
        .map_or_else(|| "the daemon".to_owned(), ToString::to_string)
}

fn place(entry: &Entry) -> String {
    match (&entry.chain, &entry.to_chain) {
        (Some(chain), Some(to)) => format!("{chain} -> {to}"),
        (Some(chain), None) => chain.to_string(),
        _ => String::new(),
    }
}

fn is_quota(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::QuotaSubjects
            | Reason::QuotaRejected
            | Reason::QuotaRequests
            | Reason::GrantDailyLimit
    )
}

/// What is done to keys, log and store.
fn is_custody(act: Act) -> bool {
    matches!(
        act,
        Act::Initialise
            | Act::Custodians
            | Act::RotateChain
            | Act::DisableVersion
            | Act::DestroyVersion
            | Act::CutEscrow
            | Act::CreateBackup
            | Act::Unseal
            | Act::Seal
            | Act::RotateKek
            | Act::RotateAuditKey
            | Act::AcceptRestore
            | Act::WarnRetention
            | Act::ExpireChain
            | Act::OptOut
            | Act::EraseSubjects
    )
}

fn custody(entry: &Entry) -> CustodyAct {
    CustodyAct {
        at: entry.at.to_string(),
        who: who(entry),
        act: entry.act.as_str().to_owned(),
        about: place(entry),
        signed_by: entry
            .signatures
            .iter()
            .map(|(signer, _)| signer.to_string())
            .collect(),
        outcome: match entry.outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Refused(reason) => format!("refused: {}", reason.code()),
        },
    }
}

/// A grant of the organisation that was touched in the period or is open at its end; `None` for others.
fn grant_use(book: &GrantBook, end: Timestamp) -> Option<GrantUse> {
    let (grant, state) = (&book.record.grant, book.record.state(end, book.used));
    let open = matches!(state, State::Requested | State::Approved);
    (book.concerns && (open || book.touched)).then(|| GrantUse {
        grant: grant.id.to_string(),
        kind: match &grant.terms.kind {
            Kind::Convert { from, to, .. } => format!("convert {} -> {}", from.0, to.0),
            Kind::Reidentify { chain, .. } => format!("re-identify {chain}"),
        },
        grantee: grant.grantee.to_string(),
        requester: grant.requester.to_string(),
        purpose: grant.terms.purpose.clone(),
        legal_basis: grant.terms.legal_basis.clone(),
        approved_by: book
            .record
            .approvals
            .iter()
            .map(|approval| approval.steward.to_string())
            .collect(),
        ended_by: book
            .record
            .ended
            .as_ref()
            .map_or_else(String::new, |ended| ended.by.to_string()),
        state: state_text(state).to_owned(),
        open,
        used: book.used,
        remaining: if open {
            grant.terms.max_values.saturating_sub(book.used)
        } else {
            0
        },
        not_after: grant.terms.not_after.to_string(),
        in_period: book.in_period,
    })
}

fn state_text(state: State) -> &'static str {
    match state {
        State::Requested => "requested",
        State::Approved => "approved",
        State::Denied => "denied",
        State::Expired => "expired",
        State::Exhausted => "exhausted",
        State::Revoked => "revoked",
        State::Stale => "stale",
    }
}

impl ProposalBook {
    /// Whether it waits for signatures at `now`.
    fn is_open(&self, now: Timestamp) -> bool {
        self.row.outcome == OPEN && now < self.not_after
    }
}

/// Those of the period as they stand at `end`, in the order in which they were made.
fn proposals(mut books: Vec<ProposalBook>, end: Timestamp) -> Vec<ProposalRow> {
    books.retain(|book| book.touched);
    books.sort_by(|a, b| (a.at, &a.row.proposal).cmp(&(b.at, &b.row.proposal)));
    let row = |book: ProposalBook| match book.row.outcome == OPEN && !book.is_open(end) {
        true => ProposalRow {
            outcome: "expired".to_owned(),
            ..book.row
        },
        false => book.row,
    };
    books.into_iter().map(row).collect()
}

fn proposed(proposal: &Proposal) -> ProposalRow {
    ProposalRow {
        proposal: proposal.id.to_string(),
        matter: match &proposal.matter {
            Matter::Registry { base_version, .. } => {
                format!("registry after version {base_version}")
            }
            Matter::DestroyVersion { kid, chain, .. } => {
                format!("destroy version {kid} of {chain}")
            }
            Matter::CutEscrow { kid, chain, .. } => format!("cut escrow of {kid} of {chain}"),
            Matter::Erase { namespace } => format!("erase a subject of {namespace}"),
        },
        proposer: proposal.proposer.to_string(),
        proposed_at: proposal.at.to_string(),
        signed_by: Vec::new(),
        outcome: OPEN.to_owned(),
    }
}

#[cfg(test)]
mod tests;
