//! Goes through the entries and adds up.

use std::collections::{BTreeMap, BTreeSet};

use sluis_domain::{ChainId, GrantId, OrganisationId, ProposalId, Reason, Timestamp};
use sluis_ledger::Signed;
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Entry, Event, Header};
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
    proposals: BTreeMap<ProposalId, ProposalBook>,
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
        if entry.header.at >= self.period.1.end() {
            return;
        }
        // What became of grants and proposals is also said by entries of others.
        let concerns = self.concerns(entry);
        let counts = concerns && entry.header.at >= self.period.0.start();
        self.entries += u64::from(counts);
        match entry.event.refused() {
            Some(reason) if counts => self.refused(entry, reason),
            Some(_) => {}
            None => {
                self.keys.take(entry, concerns);
                self.done(entry, counts, concerns);
            }
        }
        if counts && is_custody(entry.event.act()) {
            self.custody.push(custody(entry));
        }
    }

    /// Without an organisation everything does.
    fn concerns(&self, entry: &Entry) -> bool {
        let Some(organisation) = &self.organisation else {
            return true;
        };
        let caller = entry.header.caller.iter().map(|caller| &caller.identity);
        let signers = entry.event.signatures().iter().map(|s| &s.signer);
        let mut members = caller.chain(signers);
        members.any(|member| member.organisation == *organisation)
            || chains(&entry.event).any(|chain| self.owned.contains(chain))
    }

    /// `counts`: it concerns the organisation and is of the period.
    fn done(&mut self, entry: &Entry, counts: bool, concerns: bool) {
        let grant = entry.event.grant();
        if let Some(book) = grant.and_then(|id| self.grants.get_mut(id)) {
            book.concerns |= concerns;
            book.touched |= counts;
        }
        match &entry.event {
            Event::Pseudonymise(_)
            | Event::Convert(_)
            | Event::Reidentify(_)
            | Event::Import(_) => self.batch(entry, counts),
            Event::RequestGrant(grant) => self.request(grant, counts, concerns),
            Event::ApproveGrant(_) | Event::DenyGrant(_) | Event::RevokeGrant(_) => {
                self.grant(&entry.header, &entry.event)
            }
            Event::ExpireGrant(named) => {
                if let Some(book) = self.grants.get_mut(&named.id)
                    && let Some(ended) = book.record.expire(entry.header.at)
                {
                    book.record = ended;
                }
            }
            Event::Propose(proposal) => self.propose(proposal, counts),
            Event::SignProposal(signed) => {
                let signed_by = who(entry);
                if let Some(row) = self.proposal(&signed.proposal.id, counts) {
                    row.signed_by.push(signed_by);
                }
            }
            Event::RejectProposal(signed) => {
                let outcome = format!("rejected by {}", who(entry));
                self.close(&signed.proposal.id, counts, outcome);
            }
            Event::ExpireProposal(proposal) => {
                self.close(&proposal.id, counts, "expired".to_owned());
            }
            Event::ApplyRegistry(applied) => {
                let version = entry.header.registry_version;
                let outcome = format!("effective: registry version {version}");
                self.close(&applied.proposal, false, outcome);
            }
            Event::CutEscrow(ended) | Event::DestroyVersion(ended) => {
                self.close(&ended.proposal, false, "effective".to_owned());
            }
            Event::OptOut(opted_out) => {
                self.close(&opted_out.proposal, false, "effective".to_owned());
            }
            Event::AcceptRestore(_) => self.restored(entry),
            _ => {}
        }
    }

    /// A restore ends all grants and proposals that had not ended, whoever they concern. No one is its caller: two custodians
    /// signed it.
    fn restored(&mut self, entry: &Entry) {
        let Some(first) = entry.event.signatures().first() else {
            return;
        };
        let (by, at) = (&first.signer, entry.header.at);
        for book in self.grants.values_mut() {
            if let Some(ended) = book.record.end_by_restore(by, at) {
                book.record = ended;
            }
        }
        for book in self.proposals.values_mut().filter(|book| book.is_open(at)) {
            book.row.outcome = "ended by a restore".to_owned();
        }
    }

    fn batch(&mut self, entry: &Entry, counts: bool) {
        let event = &entry.event;
        let amounts = event.counts();
        if let Some(book) = event.grant().and_then(|id| self.grants.get_mut(id)) {
            book.used = book.used.max(amounts.counter);
            if counts {
                book.in_period.add(&amounts);
            }
        }
        if !counts {
            return;
        }
        let act = event.act().as_str();
        let work = [
            who(entry),
            act.into(),
            place(event),
            event.grant().map_or_else(String::new, ToString::to_string),
            event.purpose().to_owned(),
        ];
        self.work.entry(work).or_default().add(&amounts);
        for chain in chains(event).collect::<BTreeSet<_>>() {
            let used = self.chains.entry((chain.to_string(), act));
            used.or_default().add(&amounts);
        }
        let used = self.months.entry((month(entry.header.at), act));
        used.or_default().add(&amounts);
    }

    fn request(&mut self, grant: &Grant, touched: bool, concerns: bool) {
        let book = GrantBook {
            record: Record::new(grant.clone()),
            used: 0,
            concerns,
            touched,
            in_period: Amount::default(),
        };
        self.grants.insert(grant.id.clone(), book);
    }

    fn grant(&mut self, header: &Header, event: &Event) {
        let book = event.grant().and_then(|id| self.grants.get_mut(id));
        let (Some(book), Some(by)) = (book, &header.caller) else {
            return;
        };
        let by = by.identity.clone();
        match event {
            Event::ApproveGrant(_) => book.record.approvals.push(Approval {
                steward: by,
                at: header.at,
                registry_version: header.registry_version,
                signed: Signed {
                    signature: Vec::new(),
                    certificate: Vec::new(),
                },
            }),
            other => {
                book.record.ended = Some(Ended {
                    how: match other {
                        Event::DenyGrant(_) => End::Denied,
                        _ => End::Revoked,
                    },
                    by,
                    at: header.at,
                    signed: None,
                });
            }
        }
    }

    fn propose(&mut self, proposal: &Proposal, touched: bool) {
        let book = ProposalBook {
            row: proposed(proposal),
            at: proposal.at,
            not_after: proposal.not_after,
            touched,
        };
        self.proposals.insert(proposal.id.clone(), book);
    }

    fn proposal(&mut self, id: &ProposalId, touched: bool) -> Option<&mut ProposalRow> {
        let book = self.proposals.get_mut(id)?;
        book.touched |= touched;
        Some(&mut book.row)
    }

    fn close(&mut self, id: &ProposalId, touched: bool, outcome: String) {
        if let Some(row) = self.proposal(id, touched) {
            row.outcome = outcome;
        }
    }

    fn refused(&mut self, entry: &Entry, reason: Reason) {
        let (event, at) = (&entry.event, entry.header.at);
        let act = event.act().as_str();
        let count = self
            .refusals
            .entry([who(entry), act.into(), reason.code().into()]);
        let (times, last) = count.or_insert((0, at));
        (*times, *last) = (times.saturating_add(1), (*last).max(at));
        if is_quota(reason) {
            let grant = event.grant();
            let place = grant.map_or_else(|| place(event), ToString::to_string);
            let count = self.quotas.entry([who(entry), place, reason.code().into()]);
            let (times, _, last) = count.or_insert((0, at, at));
            (*times, *last) = (times.saturating_add(1), (*last).max(at));
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
    let caller = entry.header.caller.as_ref();
    caller.map_or_else(
        || "the daemon".to_owned(),
        |caller| caller.identity.to_string(),
    )
}

/// The chains that it is about.
fn chains(event: &Event) -> impl Iterator<Item = &ChainId> {
    event.chain().into_iter().chain(event.to_chain())
}

fn place(event: &Event) -> String {
    let names: Vec<_> = chains(event).map(ChainId::as_str).collect();
    names.join(" -> ")
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
    let signatures = entry.event.signatures().iter();
    CustodyAct {
        at: entry.header.at.to_string(),
        who: who(entry),
        act: entry.event.act().as_str().to_owned(),
        about: place(&entry.event),
        signed_by: signatures.map(|one| one.signer.to_string()).collect(),
        outcome: match entry.event.refused() {
            None => "done".to_owned(),
            Some(reason) => format!("refused: {}", reason.code()),
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
            .ended_by_someone()
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
    for book in &mut books {
        if book.row.outcome == OPEN && !book.is_open(end) {
            book.row.outcome = "expired".to_owned();
        }
    }
    books.into_iter().map(|book| book.row).collect()
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
