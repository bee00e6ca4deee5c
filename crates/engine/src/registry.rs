//! Registry: apply, show, and what a caller may know of it.

use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::audit::Act;
use sluis_domain::port::{Commit, Family};
use sluis_domain::registry::{self, Change, Problem, Registry, Treatment};
use sluis_domain::{ChainId, GrantId, Identity, Reason};
use sluis_keyring::{Keyring, VersionInfo};

use crate::custody::key_uses;
use crate::engine::Engine;
use crate::policy::{self, BeKnown, Custody, Permit};
use crate::snapshot::RegistryState;
use crate::{Caller, Refusal};

/// The differences a registry makes (or would make).
#[derive(Debug)]
pub struct Applied {
    /// Version in force.
    pub version: u64,
    /// What differs.
    pub changes: Vec<Change>,
    /// Key lines with a new version, as `chain` or `chain/namespace`.
    pub new_key_lines: Vec<String>,
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
}

impl Engine {
    /// Validates a whole registry, shows what it changes, and puts it into force unless `dry_run`.
    ///
    /// # Errors
    /// [`Reason::InvalidRegistry`] with a violation per problem, [`Reason::RegistryChanged`] if `expected` is not the
    /// version in force, [`Reason::NotACustodian`], and those of the store.
    pub fn apply_registry(
        &self,
        caller: &Caller,
        toml: &str,
        dry_run: bool,
        expected: Option<u64>,
    ) -> Result<Applied, Refusal> {
        self.on_record(caller, Act::ApplyRegistry, |entry| {
            let _governing = self.govern();
            entry.object_digest = Some(sha256(toml.as_bytes()));
            let permit = self.authorise(caller, Custody)?;
            let present = &permit.snapshot().registry;
            if expected.is_some_and(|version| version != present.version) {
                return Err(Reason::RegistryChanged.into());
            }
            let next = self.validate(&permit, toml)?;
            let (keyring, mut commit, versions) = new_keys(&permit, &next);
            let new_key_lines = versions.iter().map(line_name).collect();
            entry.keys = key_uses(&versions);
            let changes = registry::diff(&present.registry, &next);
            if dry_run || (changes.is_empty() && present.version > 0) {
                return Ok(Applied { version: present.version, changes, new_key_lines });
            }
            let version = present.version + 1;
            let key = version.to_be_bytes();
            let sealed = keyring.state().seal(Family::Registry, &key, version, toml.as_bytes());
            entry.registry_version = version;
            commit.expect(Family::Registry, key, None).put(Family::Registry, key, sealed).entry(entry.encode());
            self.store.commit(commit)?;
            self.replace(Some(RegistryState { version, registry: next, toml: toml.to_owned() }), keyring);
            Ok(Applied { version, changes, new_key_lines })
        })
    }

    fn validate(&self, permit: &Permit<Custody>, toml: &str) -> Result<Registry, Refusal> {
        let custodians: Vec<_> = permit.snapshot().custodians.iter().cloned().collect();
        let next = Registry::parse(toml, &custodians).map_err(refuse)?;
        let problems = permit.snapshot().registry.registry.check_change(&next);
        if problems.is_empty() { Ok(next) } else { Err(refuse(problems)) }
    }

    /// Version and text of the registry in force.
    ///
    /// # Errors
    /// [`Reason::NotACustodian`].
    pub fn registry_text(&self, caller: &Caller) -> Result<(u64, String), Refusal> {
        self.on_record(caller, Act::ReadRegistry, |_| {
            let permit = self.authorise(caller, Custody)?;
            let registry = &permit.snapshot().registry;
            Ok((registry.version, registry.toml.clone()))
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
        self.on_record(caller, Act::ReadRegistry, |entry| {
            entry.chain = only.cloned();
            let permit = self.authorise(caller, BeKnown)?;
            let snapshot = permit.snapshot();
            let custodian = snapshot.custodians.contains(&caller.identity);
            let chains: Vec<_> = snapshot
                .registry
                .registry
                .chains()
                .filter(|chain| only.is_none_or(|id| chain.id() == id))
                .filter(|chain| custodian || policy::concerns(chain, &caller.identity.organisation))
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
    /// Those of [`Self::admit`].
    pub fn whoami(&self, caller: &Caller) -> Result<WhoAmI, Refusal> {
        self.on_record(caller, Act::Admit, |_| {
            let permit = self.authorise(caller, BeKnown)?;
            let (snapshot, identity) = (permit.snapshot(), &caller.identity);
            let registry = &snapshot.registry.registry;
            let organisation = registry.organisation(&identity.organisation);
            let custodian = snapshot.custodians.contains(identity);
            let steward = organisation.is_some_and(|o| o.is_steward(&identity.member));
            let auditor = organisation.is_some_and(|o| o.is_auditor(&identity.member));
            let roles = [(custodian, "custodian"), (steward, "steward"), (auditor, "auditor")];
            let chains = registry.chains().filter(|chain| policy::concerns(chain, &identity.organisation));
            let mut whoami = WhoAmI {
                identity: identity.clone(),
                roles: roles.iter().filter(|(has, _)| *has).map(|(_, role)| *role).collect(),
                chains: chains.map(|chain| (chain.id().clone(), chain_roles(chain, identity))).collect(),
                live_grants: Vec::new(),
                awaiting_approval: Vec::new(),
            };
            for record in self.visible_grants(caller, None)? {
                let id = &record.grant.id;
                let own = record.grant.grantee == identity.organisation;
                if own && record.usable(permit.now()).is_ok() && self.remaining(&record)? > 0 {
                    whoami.live_grants.push(id.clone());
                }
                if steward && record.approve(identity, permit.now(), snapshot.registry.version).is_ok() {
                    whoami.awaiting_approval.push(id.clone());
                }
            }
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
        (chain.reidentify_to().contains(organisation), "reidentify-to"),
    ]
    .into_iter()
    .filter(|(has, _)| *has)
    .map(|(_, role)| role)
    .collect()
}

fn refuse(problems: Vec<Problem>) -> Refusal {
    problems.iter().fold(Refusal::from(Reason::InvalidRegistry), |refusal, problem| {
        refusal.with(problem.path.clone(), problem.to_string())
    })
}

/// Keys that a registry needs and the keyring does not have yet: roots of namespaces and chains, a first version of
/// every line, and a new version where link mode or reversibility changed.
fn new_keys(permit: &Permit<Custody>, next: &Registry) -> (Keyring, Commit, Vec<VersionInfo>) {
    let snapshot = permit.snapshot();
    let mut change = snapshot.keyring.change();
    let mut versions = Vec::new();
    for chain in next.chains() {
        change.ensure_chain(chain.id());
        let before = snapshot.registry.registry.chain(chain.id());
        for namespace in chain.namespaces() {
            change.ensure_namespace(namespace.id());
            let same = before
                .and_then(|chain| chain.namespace(namespace.id()))
                .is_none_or(|old| (old.link(), old.reversible()) == (namespace.link(), namespace.reversible()));
            if !same || snapshot.keyring.active_line(chain.id(), namespace.id()).is_none() {
                versions.push(change.new_line_version(chain.id(), namespace.id()));
            }
        }
        let encrypts = chain.elements().iter().any(|element| matches!(element.treatment(), Treatment::Encrypt));
        if encrypts && snapshot.keyring.active_elements(chain.id()).is_none() {
            versions.push(change.new_element_version(chain.id()));
        }
    }
    let (keyring, writes) = change.finish();
    (keyring, Commit { writes, ..Commit::default() }, versions)
}

/// `chain`, or `chain/namespace`.
fn line_name(info: &VersionInfo) -> String {
    info.namespace.as_ref().map_or_else(|| info.chain.to_string(), |namespace| format!("{}/{namespace}", info.chain))
}
