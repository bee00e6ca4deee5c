//! Who may do what. The only place that makes a [`Permit`].
//!
//! An operation takes its permit as an argument, so code that forgot to ask does not compile.

use sluis_domain::{ChainId, Identity, NamespaceId, OrganisationId, Reason, Timestamp};
use sluis_ledger::event::Header;
use sluis_ledger::grant::{Kind, Record};
use sluis_ledger::registry::{Chain, Organisation, Registry, Signers};
use sluis_ledger::rules::standing;
use sluis_ledger::{State, proposal, rules};

use crate::Caller;
use crate::core::record::header;
use crate::core::snapshot::Snapshot;

/// Proof that the policy allowed `caller` to do `action` under the registry version of the snapshot.
pub struct Permit<A> {
    caller: Caller,
    action: A,
    snapshot: Snapshot,
    now: Timestamp,
}

impl<A> Permit<A> {
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }
    pub(crate) fn action(&self) -> &A {
        &self.action
    }
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The header of an entry about what was permitted, of the moment at which it was.
    pub(crate) fn header(&self) -> Header {
        let version = self.snapshot.registry.version;
        header(self.now, Some(&self.caller), version)
    }

    /// Whether the caller, at this moment, may do something else as well.
    pub(crate) fn also(&self, action: &impl Action) -> bool {
        action
            .check(&view(&self.snapshot, &self.caller, self.now))
            .is_ok()
    }
}

/// The view a rule decides on.
pub struct View<'a> {
    state: &'a State,
    registry: &'a Registry,
    identity: &'a Identity,
    /// By name.
    is_custodian: bool,
    /// By name and by key.
    has_custodian_key: bool,
    now: Timestamp,
}

impl View<'_> {
    fn organisation(&self) -> Option<&Organisation> {
        self.registry.organisation(&self.identity.organisation)
    }
    fn chain(&self, id: &ChainId) -> Result<&Chain, Reason> {
        self.registry.chain(id).ok_or(Reason::UnknownChain)
    }
    fn is_steward_of(&self, organisation: &OrganisationId) -> bool {
        self.identity.organisation == *organisation
            && self
                .organisation()
                .is_some_and(|o| o.is_steward(&self.identity.member))
    }
    fn is_one_of(&self, signers: &Signers) -> bool {
        rules::signers::is_one_of(self.registry, self.is_custodian, self.identity, signers)
    }
    fn not_custodian(&self) -> Result<(), Reason> {
        if self.is_custodian {
            Err(Reason::CustodianMayNot)
        } else {
            Ok(())
        }
    }
}

/// Something a caller asks for, and the rule that allows it.
pub trait Action {
    /// Whether the (admitted) caller may.
    ///
    /// # Errors
    /// Why not.
    fn check(&self, view: &View<'_>) -> Result<(), Reason>;
}

/// Decides. The caller's standing (certificate, organisation, membership, blocked) comes before the rule.
///
/// # Errors
/// The reason of the refusal.
pub(crate) fn authorise<A: Action>(
    snapshot: &Snapshot,
    caller: &Caller,
    now: Timestamp,
    action: A,
) -> Result<Permit<A>, Reason> {
    let view = view(snapshot, caller, now);
    if now >= caller.not_after {
        return Err(Reason::CertificateExpired);
    }
    admit(&view)?;
    action.check(&view)?;
    Ok(Permit {
        caller: caller.clone(),
        action,
        snapshot: snapshot.clone(),
        now,
    })
}

fn view<'a>(snapshot: &'a Snapshot, caller: &'a Caller, now: Timestamp) -> View<'a> {
    View {
        state: &snapshot.state,
        registry: &snapshot.registry.registry,
        identity: &caller.identity,
        is_custodian: snapshot.custodians.contains_key(&caller.identity),
        has_custodian_key: snapshot.has_custodian_key(caller),
        now,
    }
}

fn admit(view: &View<'_>) -> Result<(), Reason> {
    let member = &view.identity.member;
    match view.organisation() {
        Some(organisation) if organisation.is_blocked(member) => Err(Reason::Blocked),
        _ if view.is_custodian => Ok(()),
        None => Err(Reason::UnknownOrganisation),
        Some(organisation) if !organisation.is_member(member) => Err(Reason::NotAMember),
        Some(_) => Ok(()),
    }
}

/// To be known at all.
#[derive(Debug)]
pub struct BeKnown;

impl Action for BeKnown {
    fn check(&self, _: &View<'_>) -> Result<(), Reason> {
        Ok(())
    }
}

/// To submit records to a chain.
#[derive(Debug)]
pub struct Submit {
    /// The chain.
    pub chain: ChainId,
}

impl Action for Submit {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        view.not_custodian()?;
        let chain = view.chain(&self.chain)?;
        let organisation = &view.identity.organisation;
        if chain.is_source(organisation) {
            Ok(())
        } else if rules::grants::concerns(chain, organisation) {
            Err(Reason::NotASource)
        } else {
            Err(Reason::UnknownChain)
        }
    }
}

/// To request a grant.
#[derive(Debug)]
pub struct RequestGrant<'a> {
    /// What for.
    pub kind: &'a Kind,
}

impl Action for RequestGrant<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        view.not_custodian()?;
        rules::grants::eligible(view.registry, &view.identity.organisation, self.kind)
    }
}

/// To decide about a grant: deny it, or, with [`ApproveGrant`], approve it.
#[derive(Debug)]
pub struct DecideGrant<'a> {
    /// The grant.
    pub record: &'a Record,
}

impl Action for DecideGrant<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        SeeGrant {
            record: self.record,
        }
        .check(view)?;
        let may = self
            .record
            .grant
            .required
            .iter()
            .any(|owner| view.is_steward_of(owner));
        if may {
            Ok(())
        } else {
            Err(Reason::NotASteward)
        }
    }
}

/// To approve a grant.
#[derive(Debug)]
pub struct ApproveGrant<'a> {
    /// The grant.
    pub record: &'a Record,
}

impl Action for ApproveGrant<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        let decide = DecideGrant {
            record: self.record,
        };
        decide.check(view)?;
        // No one who approved may have lost their standing since.
        let same = rules::grants::wants_the_same(view.registry, &self.record.grant);
        if same && standing::approvals(view.state, self.record) {
            Ok(())
        } else {
            Err(Reason::GrantStale)
        }
    }
}

/// To revoke a grant: stewards of an owner, and the grantee itself.
#[derive(Debug)]
pub struct RevokeGrant<'a> {
    /// The grant.
    pub record: &'a Record,
}

impl Action for RevokeGrant<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        SeeGrant {
            record: self.record,
        }
        .check(view)?;
        if self.record.grant.grantee == view.identity.organisation {
            return Ok(());
        }
        DecideGrant {
            record: self.record,
        }
        .check(view)
    }
}

/// To look at a grant.
#[derive(Debug)]
pub struct SeeGrant<'a> {
    /// The grant.
    pub record: &'a Record,
}

impl Action for SeeGrant<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        view.not_custodian()?;
        let organisation = &view.identity.organisation;
        let grant = &self.record.grant;
        if grant.grantee == *organisation || grant.required.contains(organisation) {
            Ok(())
        } else {
            Err(Reason::UnknownGrant)
        }
    }
}

/// To use a grant, now.
#[derive(Debug)]
pub struct UseGrant<'a> {
    /// The grant.
    pub record: &'a Record,
}

impl Action for UseGrant<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        let grant = &self.record.grant;
        SeeGrant {
            record: self.record,
        }
        .check(view)?;
        if grant.grantee != view.identity.organisation {
            return Err(Reason::NotTheGrantee);
        }
        self.record.usable(view.now)?;
        rules::grants::eligible(view.registry, &grant.grantee, &grant.terms.kind)?;
        if rules::grants::wants_the_same(view.registry, grant) {
            Ok(())
        } else {
            Err(Reason::GrantStale)
        }
    }
}

/// To look at a proposal.
#[derive(Debug)]
pub struct SeeProposal<'a> {
    /// The proposal.
    pub record: &'a proposal::Record,
}

impl Action for SeeProposal<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        let proposal = &self.record.proposal;
        if view.is_custodian && !view.has_custodian_key {
            return Err(Reason::KeyNotPinned);
        }
        let concerned = view.is_custodian
            || proposal.proposer == *view.identity
            || proposal
                .required
                .iter()
                .any(|(signers, _)| view.is_one_of(signers));
        if concerned {
            Ok(())
        } else {
            Err(Reason::UnknownProposal)
        }
    }
}

/// To sign a proposal.
#[derive(Debug)]
pub struct SignProposal<'a> {
    /// The proposal.
    pub record: &'a proposal::Record,
}

impl Action for SignProposal<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        SeeProposal {
            record: self.record,
        }
        .check(view)?;
        let needed = self
            .record
            .proposal
            .required
            .iter()
            .any(|(signers, _)| view.is_one_of(signers));
        if needed {
            Ok(())
        } else {
            Err(Reason::NotASigner)
        }
    }
}

/// To reject or withdraw a proposal.
#[derive(Debug)]
pub struct RejectProposal<'a> {
    /// The proposal.
    pub record: &'a proposal::Record,
}

impl Action for RejectProposal<'_> {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        if self.record.proposal.proposer == *view.identity {
            return Ok(());
        }
        SignProposal {
            record: self.record,
        }
        .check(view)
    }
}

/// To ask for the erasure of a subject.
#[derive(Debug)]
pub struct RequestErasure {
    /// By which kind of identifier it is presented.
    pub namespace: NamespaceId,
}

impl Action for RequestErasure {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        view.not_custodian()?;
        let organisation = &view.identity.organisation;
        let of_namespace = |chain: &&Chain| chain.namespace(&self.namespace).is_some();
        let mut chains = view.registry.chains().filter(of_namespace);
        if chains.any(|chain| chain.is_source(organisation)) {
            Ok(())
        } else {
            Err(Reason::NotASource)
        }
    }
}

/// To read what concerns the caller's own organisation in the audit log.
#[derive(Debug)]
pub struct ReadOwnAudit;

impl Action for ReadOwnAudit {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        let member = &view.identity.member;
        let may = view
            .organisation()
            .is_some_and(|o| o.is_auditor(member) || o.is_steward(member));
        if may {
            Ok(())
        } else {
            Err(Reason::NotAnAuditor)
        }
    }
}

/// To read registry texts.
#[derive(Debug)]
pub struct ReadRegistry;

impl Action for ReadRegistry {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        Custody
            .check(view)
            .or_else(|reason| ReadAudit.check(view).map_err(|_| reason))
    }
}

/// To care for keys, registry and store: with the key that is pinned for the custodian, not just with a certificate in
/// their name.
#[derive(Debug)]
pub struct Custody;

impl Action for Custody {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        match (view.is_custodian, view.has_custodian_key) {
            (false, _) => Err(Reason::NotACustodian),
            // Another authority's certificate in a custodian's name.
            (true, false) => Err(Reason::KeyNotPinned),
            (true, true) => Ok(()),
        }
    }
}

/// To read the audit log.
#[derive(Debug)]
pub struct ReadAudit;

impl Action for ReadAudit {
    fn check(&self, view: &View<'_>) -> Result<(), Reason> {
        let may = view
            .organisation()
            .is_some_and(|o| o.is_auditor(&view.identity.member));
        if may {
            Ok(())
        } else {
            Err(Reason::NotAnAuditor)
        }
    }
}
