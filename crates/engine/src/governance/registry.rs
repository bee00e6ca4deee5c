//! Registry: apply, show, and what a caller may know of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::{ChainId, GrantId, Identity, ProposalId, Reason, Timestamp};
use sluis_keyring::{Keyring, VersionInfo};
use sluis_ledger::audit::{Act, MAX_ENTRY};
use sluis_ledger::event::{Event, Header, RegistryApplied};
use sluis_ledger::proposal::{Matter, Proposal, Record};
use sluis_ledger::registry::{self, Problem, Registry, Requirement, Signers, Treatment};
use sluis_ledger::{Custodian, rules};
use sluis_port::{Commit, Family, Write, rows};

use crate::core::change::Change;
use crate::core::policy::{BeKnown, Custody, Permit, ReadRegistry, SignProposal};
use crate::core::proposing::{ProposalView, pinned};
use crate::core::record::{Asked, Named};
use crate::core::registry::RegistryState;
use crate::core::registry::registry_text;
use crate::core::snapshot::Snapshot;
use crate::core::versions;
use crate::core::versions::{BESIDE_VERSIONS, MAX_VERSIONS, key_version, living};
use crate::governance::Governance;
use crate::governance::grants::visible_grants;
use crate::governance::proposals::text_row;
use crate::{Caller, Refusal};

/// Most groups of people that may have to sign one change: a proposal must fit into an audit entry.
const MAX_GROUPS: usize = 500;

/// What a registry would change, and what became of it.
#[derive(Debug)]
pub struct Proposed {
    /// Version in force.
    pub version: u64,
    /// What differs.
    pub changes: Vec<registry::Change>,
    /// Key lines with a new version, as `chain` or `chain/namespace`.
    pub new_key_lines: Vec<String>,
    /// Whose signatures it needs.
    pub needs: Vec<Requirement>,
    /// The proposal; `None` on a dry run and if nothing differs.
    pub proposal: Option<ProposalView>,
}

/// A role of an organisation in a chain.
pub type ChainRole = (ChainId, Vec<&'static str>);

/// Who a caller is here.
#[derive(Debug)]
pub struct WhoAmI {
    /// Organisation and member.
    pub identity: Identity,
    /// `custodian`, `steward`, `auditor`.
    pub roles: Vec<&'static str>,
    /// The organisation's roles in its chains.
    pub chains: Vec<ChainRole>,
    /// Live grants of the organisation.
    pub live_grants: Vec<GrantId>,
    /// Grants that wait for this caller.
    pub awaiting_approval: Vec<GrantId>,
    /// Proposals that wait for this caller.
    pub awaiting_signature: Vec<ProposalId>,
    /// Whether the key of the caller's certificate is the one that is pinned for the caller.
    pub key_pinned: bool,
}

impl Governance {
    /// Validates a whole registry, shows what it changes and who must sign it, and proposes it unless `dry_run`.
    ///
    /// # Errors
    /// [`Reason::InvalidRegistry`] with a violation per problem, [`Reason::RegistryChanged`] if `expected` is not the
    /// version in force, [`Reason::NotACustodian`], [`Reason::TooManyProposals`], and the errors of the store.
    pub fn propose_registry(
        &self,
        caller: &Caller,
        toml: &str,
        dry_run: bool,
        expected: Option<u64>,
    ) -> Result<Proposed, Refusal> {
        let digest = sha256(toml.as_bytes());
        let asked = Asked {
            act: Act::Propose,
            about: Named::RegistryText(digest),
        };
        self.on_record(caller, asked, || {
            let proposed = self.work_out(caller, toml, expected)?;
            if dry_run || proposed.needs.is_empty() {
                return Ok(proposed);
            }
            self.govern(|| {
                let proposed = self.work_out(caller, toml, expected)?;
                let snapshot = self.snapshot();
                let matter = Matter::Registry {
                    base_version: proposed.version,
                    base_digest: *snapshot.state.registry_digest(),
                    digest,
                };
                let needs = proposed.needs.iter();
                let groups: BTreeMap<_, _> = needs
                    .map(|need| (need.signers.clone(), need.count))
                    .collect();
                let (change, proposal) =
                    self.proposed(caller, matter, groups.into_iter().collect())?;
                let change = change.with([text_row(&snapshot, &proposal.id, toml)]);
                let view = self.proposal_view(Arc::new(Record::new(proposal)));
                let proposed = Proposed {
                    proposal: Some(view),
                    ..proposed
                };
                Ok((change, proposed))
            })
        })
    }

    /// What a registry would change, and who must sign it.
    fn work_out(
        &self,
        caller: &Caller,
        toml: &str,
        expected: Option<u64>,
    ) -> Result<Proposed, Refusal> {
        let permit = self.authorise(caller, Custody)?;
        let present = &permit.snapshot().registry;
        if expected.is_some_and(|version| version != present.version) {
            return Err(Reason::RegistryChanged.into());
        }
        let next = self.validate(permit.snapshot(), toml)?;
        let (keyring, _, versions) = new_keys(permit.snapshot(), &next, permit.now());
        check_number(&keyring, &versions)?;
        let mut needs = registry::required_signers(&present.registry, &next);
        if needs.is_empty() && present.version == 0 {
            // An empty first registry changes nothing, and still two custodians must have said so.
            needs.push(Requirement {
                signers: Signers::Custodians,
                count: registry::REQUIRED_SIGNATURES,
                because: Vec::new(),
            });
        }
        if needs.len() > MAX_GROUPS {
            let text = "concerns the owners of more than 500 chains; apply it in parts";
            return Err(Refusal::field(Reason::InvalidRegistry, "chain", text));
        }
        Ok(Proposed {
            version: present.version,
            changes: registry::diff(&present.registry, &next),
            new_key_lines: versions.iter().map(line_name).collect(),
            needs,
            proposal: None,
        })
    }

    /// Puts a signed registry into force.
    pub(crate) fn registry_effect(
        &self,
        permit: &Permit<SignProposal<'_>>,
        proposal: &Proposal,
    ) -> Result<Change, Refusal> {
        let snapshot = permit.snapshot();
        let toml = self.proposed_text(&proposal.id)?;
        let digest = sha256(toml.as_bytes());
        if !matches!(&proposal.matter, Matter::Registry { digest: signed, .. } if *signed == digest)
        {
            return Err(Refusal::new(
                Reason::CorruptStore,
                "the text of a proposal is not the one that was signed",
            ));
        }
        let next = self.validate(snapshot, &toml)?;
        let (keyring, writes, versions) = new_keys(snapshot, &next, permit.now());
        check_number(&keyring, &versions)?;
        let version = snapshot.registry.version + 1;
        let key = rows::registry_key(version);
        let sealed = keyring
            .state()
            .seal(Family::Registry, &key, version, toml.as_bytes());
        let header = Header {
            registry_version: version,
            ..permit.header()
        };
        let applied = Event::ApplyRegistry(RegistryApplied {
            proposal: proposal.id.clone(),
            digest,
            made: versions.iter().map(key_version).collect(),
        });
        let mut text = Commit::default();
        text.put(Family::Registry, key, sealed);
        let coming = RegistryState {
            version,
            registry: next,
            toml,
        };
        let change = Change::of(header, applied).keys((keyring, writes));
        Ok(Change {
            registry: Some(coming),
            ..change.with_rows(text)
        })
    }

    fn validate(&self, snapshot: &Snapshot, toml: &str) -> Result<Registry, Refusal> {
        let custodians: Vec<_> = snapshot
            .custodians
            .iter()
            .map(|(identity, key)| Custodian {
                identity: identity.clone(),
                key: key.clone(),
            })
            .collect();
        let destroyed = |id: &ChainId| versions::is_destroyed(&snapshot.keyring, id);
        let before = &snapshot.registry.registry;
        rules::succession::read(before, &custodians, &destroyed, toml).map_err(refuse)
    }

    /// Number and text of a registry version; that in force without a number.
    ///
    /// # Errors
    /// [`Reason::NotACustodian`] for others than custodians and auditors, [`Reason::InvalidRequest`] for a version that
    /// there never was.
    pub fn registry_text(
        &self,
        caller: &Caller,
        version: Option<u64>,
    ) -> Result<(u64, String), Refusal> {
        self.on_record(caller, Act::ReadRegistry, || {
            let permit = self.authorise(caller, ReadRegistry)?;
            let snapshot = permit.snapshot();
            let present = &snapshot.registry;
            let Some(version) = version.filter(|version| *version != present.version) else {
                return Ok((present.version, present.toml.clone()));
            };
            let text = registry_text(&*self.store, &snapshot.keyring, version)
                .map_err(|error| Refusal::new(Reason::CorruptStore, error.to_string()))?;
            let unknown = || {
                Refusal::field(
                    Reason::InvalidRequest,
                    "version",
                    "there is no such registry version",
                )
            };
            Ok((version, text.ok_or_else(unknown)?))
        })
    }

    /// Registry version, registry, and the chains in it that the caller may know of; `only` one of them.
    ///
    /// # Errors
    /// [`Reason::UnknownChain`] if `only` is not among them.
    pub fn list_chains(
        &self,
        caller: &Caller,
        only: Option<&ChainId>,
    ) -> Result<(u64, Arc<RegistryState>, Vec<ChainId>), Refusal> {
        let asked = Asked {
            act: Act::ReadRegistry,
            about: only.into(),
        };
        self.on_record(caller, asked, || {
            let permit = self.authorise(caller, BeKnown)?;
            let snapshot = permit.snapshot();
            let custodian = snapshot.has_custodian_key(caller);
            let chains: Vec<_> = snapshot
                .registry
                .registry
                .chains()
                .filter(|chain| only.is_none_or(|id| chain.id() == id))
                .filter(|chain| {
                    custodian || rules::grants::concerns(chain, &caller.identity.organisation)
                })
                .map(|chain| chain.id().clone())
                .collect();
            if only.is_some() && chains.is_empty() {
                return Err(Reason::UnknownChain.into());
            }
            Ok((snapshot.registry.version, snapshot.registry.clone(), chains))
        })
    }

    /// Who the caller is and what that gives.
    ///
    /// # Errors
    /// The errors of [`crate::Engine::admit`].
    pub fn whoami(&self, caller: &Caller) -> Result<WhoAmI, Refusal> {
        self.on_record(caller, Act::Admit, || {
            let permit = self.authorise(caller, BeKnown)?;
            let (snapshot, identity) = (permit.snapshot(), &caller.identity);
            let registry = &snapshot.registry.registry;
            let organisation = registry.organisation(&identity.organisation);
            let custodian = snapshot.custodians.contains_key(identity);
            let steward = organisation.is_some_and(|o| o.is_steward(&identity.member));
            let auditor = organisation.is_some_and(|o| o.is_auditor(&identity.member));
            let roles = [
                (custodian, "custodian"),
                (steward, "steward"),
                (auditor, "auditor"),
            ];
            let chains = registry
                .chains()
                .filter(|chain| rules::grants::concerns(chain, &identity.organisation));
            let mut whoami = WhoAmI {
                identity: identity.clone(),
                roles: roles
                    .iter()
                    .filter(|(has, _)| *has)
                    .map(|(_, role)| *role)
                    .collect(),
                chains: chains
                    .map(|chain| (chain.id().clone(), chain_roles(chain, identity)))
                    .collect(),
                live_grants: Vec::new(),
                awaiting_approval: Vec::new(),
                awaiting_signature: Vec::new(),
                key_pinned: caller.key.is_some()
                    && pinned(snapshot, identity) == caller.key.as_ref(),
            };
            for record in visible_grants(&permit, None) {
                let id = &record.grant.id;
                let own = record.grant.grantee == identity.organisation;
                let now = permit.now();
                if own && record.usable(now).is_ok() && self.remaining(record, now)?.values > 0 {
                    whoami.live_grants.push(id.clone());
                }
                if steward && record.may_approve(identity, permit.now()).is_ok() {
                    whoami.awaiting_approval.push(id.clone());
                }
            }
            let proposals = self
                .visible_proposals(caller)?
                .into_iter()
                .filter(|view| self.awaits(&permit, &view.record));
            whoami.awaiting_signature = proposals
                .map(|view| view.record.proposal.id.clone())
                .collect();
            Ok(whoami)
        })
    }
}

fn chain_roles(chain: &registry::Chain, identity: &Identity) -> Vec<&'static str> {
    let organisation = &identity.organisation;
    [
        (chain.owner() == organisation, "owner"),
        (chain.is_source(organisation), "source"),
        (chain.is_recipient(organisation), "recipient"),
        (
            chain.reidentify_to().contains(organisation),
            "reidentify-to",
        ),
    ]
    .into_iter()
    .filter(|(has, _)| *has)
    .map(|(_, role)| role)
    .collect()
}

fn refuse(problems: Vec<Problem>) -> Refusal {
    problems.iter().fold(
        Refusal::from(Reason::InvalidRegistry),
        |refusal, problem| refusal.with(problem.path.clone(), problem.to_string()),
    )
}

/// Keys that a registry needs and the keyring does not have yet: roots of namespaces and chains, a first version of
/// every line, and a new version where link mode or reversibility changed. A chain without lines has no use for a root.
fn new_keys(
    snapshot: &Snapshot,
    next: &Registry,
    now: Timestamp,
) -> (Keyring, Vec<Write>, Vec<VersionInfo>) {
    let mut change = snapshot.keyring.change(now);
    let mut versions = Vec::new();
    for chain in next
        .chains()
        .filter(|chain| !versions::is_destroyed(&snapshot.keyring, chain.id()))
    {
        let encrypts = chain
            .elements()
            .iter()
            .any(|element| matches!(element.treatment(), Treatment::Encrypt));
        if chain.namespaces().len() > 0 || encrypts {
            change.ensure_chain(chain.id());
        }
        let before = snapshot.registry.registry.chain(chain.id());
        for namespace in chain.namespaces() {
            change.ensure_namespace(namespace.id());
            let same = before
                .and_then(|chain| chain.namespace(namespace.id()))
                .is_none_or(|old| {
                    (old.link(), old.reversible()) == (namespace.link(), namespace.reversible())
                });
            if !same
                || snapshot
                    .keyring
                    .active_line(chain.id(), namespace.id())
                    .is_none()
            {
                versions.push(change.new_line_version(chain.id(), namespace.id()));
            }
        }
        if encrypts && snapshot.keyring.active_elements(chain.id()).is_none() {
            versions.push(change.new_element_version(chain.id()));
        }
    }
    let (keyring, writes) = change.finish();
    (keyring, writes, versions)
}

/// The entry that puts a registry into force names every key version it makes, that of a chain's end all that it has, and
/// an entry is bounded.
fn check_number(keyring: &Keyring, versions: &[VersionInfo]) -> Result<(), Refusal> {
    if versions.len() > MAX_VERSIONS {
        let text = format!(
            "need {} new key lines; one registry makes at most {MAX_VERSIONS}: add the chains in several steps",
            versions.len()
        );
        return Err(Refusal::field(Reason::InvalidRegistry, "chain", text));
    }
    if versions.iter().map(entry_bytes).sum::<usize>() > MAX_ENTRY - BESIDE_VERSIONS {
        let text = "need more new key lines than an entry of the log can name: add the chains in several steps";
        return Err(Refusal::field(Reason::InvalidRegistry, "chain", text));
    }
    let living = living(keyring);
    let Some(VersionInfo { chain, .. }) = versions
        .iter()
        .find(|info| living[&info.chain] > MAX_VERSIONS)
    else {
        return Ok(());
    };
    let text = format!(
        "would have more than {MAX_VERSIONS} key versions that are not destroyed: have old ones destroyed"
    );
    Err(Refusal::field(
        Reason::InvalidRegistry,
        format!("chain[{chain}]"),
        text,
    ))
}

/// What a new version takes in an entry, at most: LP(chain), number of versions, LP(namespace), kid.
fn entry_bytes(info: &VersionInfo) -> usize {
    let namespace = info.namespace.as_ref().map_or(0, |id| id.as_str().len());
    2 + info.chain.as_str().len() + 2 + 2 + namespace + 4
}

/// `chain`, or `chain/namespace`.
fn line_name(info: &VersionInfo) -> String {
    info.namespace.as_ref().map_or_else(
        || info.chain.to_string(),
        |namespace| format!("{}/{namespace}", info.chain),
    )
}
