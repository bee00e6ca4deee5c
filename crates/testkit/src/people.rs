//! The people of the tests, and what they do with an engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, KeyPair, SanType};
use sluis_domain::{ChainId, GrantId, Kid, NamespaceId, Timestamp};
use sluis_engine::{
    Caller, Engine, GrantView, Instructed, Proposed, Refusal, Settings, VersionInfo, fingerprint,
};
use sluis_keyring::Kek;
use sluis_ledger::Custodian;
use sluis_ledger::instruction::{Instruction, Task};
use sluis_ledger::registry::Signers;
use sluis_ledger::statement::Deed;
use sluis_port::{Clock, Store};

pub use crate::keys::{key_pem, key_table, public_key, signer};
use crate::pki::{TRUST_DOMAIN, of_member};
use crate::registry::{CUSTODIANS, STEWARDS};

static CERTIFICATES: Mutex<BTreeMap<String, Arc<[u8]>>> = Mutex::new(BTreeMap::new());

/// [`CUSTODIANS`] as a configuration names them.
pub fn custodians() -> Vec<Custodian> {
    let custodian = |member: &str| Custodian {
        identity: member.parse().expect("organisation/member"),
        key: public_key(member),
    };
    CUSTODIANS.map(custodian).to_vec()
}

/// `organisation/member` as the engine sees them, without a socket between. The certificate outlives every test clock.
pub fn caller(member: &str) -> Caller {
    let certificate = certificate(member);
    Caller {
        identity: member.parse().expect("organisation/member"),
        fingerprint: fingerprint(&certificate),
        not_before: Timestamp::default(),
        not_after: Timestamp::MAX,
        certificate,
        key: Some(public_key(member)),
    }
}

fn certificate(member: &str) -> Arc<[u8]> {
    let made = || {
        let key = KeyPair::from_pem(&key_pem(member)).expect("made here");
        let mut params = CertificateParams::default();
        params.subject_alt_names = of_member(member)
            .uris
            .iter()
            .map(|uri| uri_name(uri))
            .collect();
        let certificate = params.self_signed(&key).expect("self-signed");
        certificate.der().as_ref().into()
    };
    let mut certificates = CERTIFICATES.lock().unwrap_or_else(PoisonError::into_inner);
    certificates
        .entry(member.to_owned())
        .or_insert_with(made)
        .clone()
}

fn uri_name(uri: &str) -> SanType {
    SanType::URI(uri.try_into().expect("ascii"))
}

/// What an engine with [`CUSTODIANS`] is told.
pub fn settings() -> Settings {
    Settings {
        custodians: custodians(),
        trust_domain: TRUST_DOMAIN.to_owned(),
        ..Settings::default()
    }
}

/// Opens an engine with [`CUSTODIANS`] that takes its log as it is, as if its last head were just signed.
///
/// # Panics
/// If it does not open.
pub fn open(store: Arc<dyn Store>, kek: &Kek, clock: Arc<dyn Clock>) -> Engine {
    let engine = Engine::open(store, kek, clock, settings()).expect("opens");
    engine
        .log()
        .check_head(engine.log().sign_head().expect("signs").note.as_bytes())
        .expect("its own head");
    engine
}

/// Proposes a registry to an engine, and signs it as [`CUSTODIANS`] and as the first of [`STEWARDS`] of everyone whose
/// signatures it needs.
///
/// # Errors
/// The errors of the engine.
pub fn apply(engine: &Engine, toml: &str) -> Result<Proposed, Refusal> {
    let proposed =
        engine
            .governance()
            .propose_registry(&caller(CUSTODIANS[0]), toml, false, None)?;
    let Some(view) = &proposed.proposal else {
        return Ok(proposed);
    };
    let object = view.record.proposal.encode();
    for need in &proposed.needs {
        let all: Vec<&str> = match &need.signers {
            Signers::Custodians => CUSTODIANS.to_vec(),
            Signers::StewardsOf(id) => STEWARDS
                .into_iter()
                .filter(|s| s.starts_with(&format!("{id}/")))
                .collect(),
        };
        for member in all.into_iter().take(need.count.into()) {
            let signature = signer(member)
                .sign(Deed::SignProposal, engine.origin(), &object)
                .expect("signs");
            engine.governance().sign_proposal(
                &caller(member),
                &view.record.proposal.id,
                &signature,
            )?;
        }
    }
    Ok(proposed)
}

/// Approves a grant as a steward.
///
/// # Errors
/// The errors of the engine.
pub fn approve(engine: &Engine, steward: &str, id: &GrantId) -> Result<GrantView, Refusal> {
    let view = engine.governance().get_grant(&caller(steward), id)?;
    let object = view.record.grant.encode();
    let signature = signer(steward)
        .sign(Deed::ApproveGrant, engine.origin(), &object)
        .expect("signs");
    engine
        .governance()
        .approve_grant(&caller(steward), id, &view.digest, &signature)
}

/// An instruction of this moment, signed by a custodian.
///
/// # Panics
/// If the log cannot be read.
pub fn instruct(engine: &Engine, custodian: &str, task: Task) -> Instructed {
    let status = engine
        .life()
        .status(&caller(custodian))
        .expect("a custodian");
    let instruction = Instruction {
        task,
        registry_version: status.registry_version,
        after: status.custody_head.expect("a log in order"),
        at: status.now,
    };
    let object = instruction.encode();
    let signature = signer(custodian)
        .sign(instruction.task.deed(), engine.origin(), &object)
        .expect("signs");
    Instructed { object, signature }
}

/// New key versions, as the first of [`CUSTODIANS`] instructs.
///
/// # Errors
/// The errors of the engine.
pub fn rotate(
    engine: &Engine,
    chain: &ChainId,
    namespace: Option<&NamespaceId>,
) -> Result<Vec<VersionInfo>, Refusal> {
    let task = Task::RotateChain {
        chain: chain.clone(),
        namespace: namespace.cloned(),
    };
    let instructed = instruct(engine, CUSTODIANS[0], task);
    engine.life().rotate(&caller(CUSTODIANS[0]), &instructed)
}

/// Disables a version, as the first of [`CUSTODIANS`] instructs. Of one that there is not, it says so of chain `none`.
///
/// # Errors
/// The errors of the engine.
pub fn disable(engine: &Engine, kid: Kid) -> Result<VersionInfo, Refusal> {
    let custodian = caller(CUSTODIANS[0]);
    let versions = engine
        .life()
        .status(&custodian)
        .expect("a custodian")
        .versions;
    let known = versions.into_iter().find(|info| info.kid == kid);
    let (chain, namespace) = known.map_or_else(
        || ("none".parse().expect("an id"), None),
        |info| (info.chain, info.namespace),
    );
    let task = Task::DisableVersion {
        kid,
        chain,
        namespace,
    };
    engine
        .life()
        .disable(&custodian, &instruct(engine, CUSTODIANS[0], task))
}

/// Another signing key for the log, as the first of [`CUSTODIANS`] instructs.
///
/// # Errors
/// The errors of the engine.
pub fn rotate_audit_key(engine: &Engine) -> Result<String, Refusal> {
    let instructed = instruct(engine, CUSTODIANS[0], Task::RotateAuditKey);
    engine
        .log()
        .rotate_audit_key(&caller(CUSTODIANS[0]), &instructed)
}
