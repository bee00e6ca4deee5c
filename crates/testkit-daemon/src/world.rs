//! A whole custodian in one process: RocksDB (with faults on demand), a daemon on a free loopback port over mutual
//! TLS, certificates, and a registry.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluis_client::{Batch, Client, ClientError, Config};
use sluis_daemon::config::{self, Settings, Sources};
use sluis_daemon::{Daemon, Running, StartError, Stopped, commands};
use sluis_domain::{Column, OrganisationId, RecordBatch};
use sluis_ledger::registry::Registry;
use sluis_ledger::statement::Deed;
use sluis_store::{Options, RocksStore};
use tempfile::TempDir;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;
use tonic::Status;

pub use crate::channel::channel;
use crate::health::Health;
use crate::metrics;
use crate::raw::Services;
use sluis_testkit::clock::TestClock;
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::people;
use sluis_testkit::pki::{Credentials, Pki, TRUST_DOMAIN};
use sluis_testkit::registry::{CUSTODIANS, registry};
use sluis_wire::v1;

/// Makes a daemon serve metrics, on a free port.
pub const METRICS: &str = "[telemetry]\nmetrics_listen = \"127.0.0.1:0\"";

/// A daemon that is cut when it is dropped. A batch that a test did not wait for would otherwise go on while the process
/// ends; RocksDB's library has destroyed what it needs by then, and crashes.
pub struct Cut(Option<Running>);

impl Cut {
    /// Of this daemon.
    pub fn new(running: Running) -> Self {
        Self(Some(running))
    }

    /// Stops it in order.
    pub async fn shutdown(mut self) -> Stopped {
        let running = self.0.take().expect("taken at its end only");
        running.shutdown().await
    }
}

impl Deref for Cut {
    type Target = Running;

    fn deref(&self) -> &Running {
        self.0.as_ref().expect("taken at its end only")
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let Some(running) = self.0.take() else {
            return;
        };
        let here = Handle::try_current();
        if let Ok(here) = here
            && here.runtime_flavor() == RuntimeFlavor::MultiThread
        {
            block_in_place(|| here.block_on(running.cut()));
        }
    }
}

/// A custodian and its surroundings. Everything is gone when it is dropped: the daemon first, then the store, then files.
pub struct World {
    running: Cut,
    /// The daemon's store.
    pub store: Arc<FaultyStore<RocksStore>>,
    directory: TempDir,
    /// Certificates.
    pub pki: Pki,
    /// The daemon's clock.
    pub clock: Arc<TestClock>,
}

impl World {
    /// A running custodian with the registry of [`sluis_testkit::registry::registry`] applied.
    pub async fn start() -> Self {
        Self::start_with(&registry()).await
    }

    /// A running custodian with this registry applied.
    pub async fn start_with(registry: &str) -> Self {
        let world = Self::start_empty("").await;
        world.apply(registry).await.expect("the registry is valid");
        world
    }

    /// A running custodian without a registry. `extra` is added to its configuration file.
    pub async fn start_empty(extra: &str) -> Self {
        install_provider();
        let directory = tempfile::tempdir().expect("scratch directory");
        let pki = Pki::create(&directory.path().join("pki"));
        write_config(directory.path(), extra);
        let settings = settings(directory.path());
        commands::init(&settings, None).expect("a new store");
        let clock = Arc::new(TestClock::now());
        let (store, running) = open(settings, clock.clone()).await;
        Self::new(directory, pki, clock, store, running)
    }

    fn new(
        directory: TempDir,
        pki: Pki,
        clock: Arc<TestClock>,
        store: Arc<FaultyStore<RocksStore>>,
        running: Running,
    ) -> Self {
        Self {
            running: Cut::new(running),
            store,
            directory,
            pki,
            clock,
        }
    }

    /// Stops the daemon and starts it again on the same store.
    #[must_use]
    pub async fn restart(self) -> Self {
        let Self {
            directory,
            pki,
            clock,
            store,
            running,
        } = self;
        assert_eq!(running.shutdown().await, Stopped::Drained);
        drop(store);
        let (store, running) = open(settings(directory.path()), clock.clone()).await;
        Self::new(directory, pki, clock, store, running)
    }

    /// Stops the daemon, lets `edit` at its store, and starts the daemon again.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn restart_edited(self, edit: impl FnOnce(&RocksStore)) -> Result<Self, StartError> {
        let Self {
            directory,
            pki,
            clock,
            store,
            running,
        } = self;
        assert_eq!(running.shutdown().await, Stopped::Drained);
        drop(store);
        let settings = settings(directory.path());
        edit(&RocksStore::open(&settings.data_directory, &Options::default()).expect("opens"));
        let (store, running) = try_open(settings, clock.clone()).await?;
        Ok(Self::new(directory, pki, clock, store, running))
    }

    /// Stops the daemon; the scratch directory stays until the returned guard is dropped.
    pub async fn stop(self) -> (Stopped, TempDir) {
        let Self {
            directory,
            store,
            running,
            ..
        } = self;
        let stopped = running.shutdown().await;
        drop(store);
        (stopped, directory)
    }

    /// The daemon.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// The scratch directory: `pki/`, `sluisd.toml`, `kek`, `data/`, `backup/`, `head/head`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `https://localhost:PORT`.
    pub fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.running.addr().port())
    }

    /// Its metrics; needs [`METRICS`] in the configuration.
    pub async fn metrics(&self) -> String {
        metrics::page(self.running.metrics_addr().expect("configured")).await
    }

    /// Its health service.
    pub async fn health(&self) -> Health {
        Health::of(&self.pki, &self.endpoint()).await
    }

    /// A connected client of `organisation/member`.
    pub async fn client(&self, member: &str) -> Client {
        self.connect(&self.pki.member(member))
            .await
            .expect("connects")
    }

    /// Connects with any credentials.
    ///
    /// # Errors
    /// The errors of the connection. With TLS 1.3 a refused certificate often shows only at the first call.
    pub async fn connect(&self, credentials: &Credentials) -> Result<Client, ClientError> {
        connect(&self.pki, self.endpoint(), credentials).await
    }

    /// Proposes a registry as a custodian, and has it signed by everyone who must; the version in the answer is the
    /// one that is in force then.
    ///
    /// # Errors
    /// The errors of the calls.
    pub async fn apply(&self, registry: &str) -> Result<v1::ApplyRegistryResponse, ClientError> {
        let mut response = self.propose(registry).await?;
        if let Some(proposal) = response.proposal.take() {
            response.proposal = Some(self.sign_all(&proposal.proposal_id).await?);
            response.version += 1;
        }
        Ok(response)
    }

    /// Proposes a registry as a custodian; no one signs.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn propose(&self, registry: &str) -> Result<v1::ApplyRegistryResponse, ClientError> {
        let request = v1::ApplyRegistryRequest {
            toml: registry.into(),
            dry_run: false,
            expected_version: None,
        };
        Ok(self
            .client(CUSTODIANS[0])
            .await
            .registry()
            .apply_registry(request)
            .await?
            .into_inner())
    }

    /// Signs a proposal as everyone whose signature is missing: custodians, and the first stewards of each
    /// organisation as they stand in the registry before it.
    ///
    /// # Errors
    /// The errors of the calls.
    pub async fn sign_all(&self, proposal_id: &str) -> Result<v1::Proposal, ClientError> {
        let custodian = self.client(CUSTODIANS[0]).await;
        let mut proposal = proposal(&custodian, proposal_id).await?;
        let base = custodian
            .registry()
            .get_registry(v1::GetRegistryRequest::default())
            .await?
            .into_inner();
        let registry = Registry::parse(&base.toml, &[]).expect("the one in force is valid");
        for needed in proposal.missing.clone() {
            for signer in signers(&registry, &needed.stewards_of).take(needed.count as usize) {
                proposal = sign(&self.client(&signer).await, &proposal).await?;
            }
        }
        Ok(proposal)
    }

    /// Requests a grant as `requester` and approves it as each of `approvers`; returns its id.
    pub async fn grant(
        &self,
        requester: &str,
        terms: v1::GrantTerms,
        approvers: &[&str],
    ) -> String {
        let request = v1::RequestGrantRequest { terms: Some(terms) };
        let response = self
            .client(requester)
            .await
            .grants()
            .request_grant(request)
            .await
            .expect("requested");
        let grant = response.into_inner().grant.expect("always set");
        for approver in approvers {
            approve(&self.client(approver).await, &grant)
                .await
                .expect("approved");
        }
        grant.grant_id
    }
}

/// Those who sign as stewards of an organisation (empty: as custodians), in the order of their names.
fn signers(registry: &Registry, stewards_of: &str) -> impl Iterator<Item = String> {
    let signers: Vec<String> = match stewards_of.parse::<OrganisationId>() {
        Err(_) => CUSTODIANS.map(str::to_owned).to_vec(),
        Ok(id) => {
            let organisation = registry
                .organisation(&id)
                .expect("who must sign is registered");
            let free = organisation
                .stewards()
                .iter()
                .filter(|member| !organisation.is_blocked(member));
            free.map(|member| format!("{id}/{member}")).collect()
        }
    };
    signers.into_iter()
}

/// A proposal as this client sees it.
///
/// # Errors
/// The errors of the call.
pub async fn proposal(client: &Client, proposal_id: &str) -> Result<v1::Proposal, ClientError> {
    let request = v1::GetProposalRequest {
        proposal_id: proposal_id.into(),
    };
    Ok(client
        .proposals()
        .get_proposal(request)
        .await?
        .into_inner()
        .proposal
        .expect("always set"))
}

/// Signs a proposal.
///
/// # Errors
/// The errors of the call.
pub async fn sign(client: &Client, proposal: &v1::Proposal) -> Result<v1::Proposal, ClientError> {
    let signature = client
        .sign(Deed::SignProposal, &proposal.origin, &proposal.canonical)
        .await?
        .into();
    let request = v1::SignProposalRequest {
        proposal_id: proposal.proposal_id.clone(),
        signature,
    };
    Ok(client
        .proposals()
        .sign_proposal(request)
        .await?
        .into_inner()
        .proposal
        .expect("always set"))
}

/// Rejects a proposal, or withdraws it.
///
/// # Errors
/// The errors of the call.
pub async fn reject(client: &Client, proposal: &v1::Proposal) -> Result<v1::Proposal, ClientError> {
    let signature = client
        .sign(Deed::RejectProposal, &proposal.origin, &proposal.canonical)
        .await?
        .into();
    let request = v1::RejectProposalRequest {
        proposal_id: proposal.proposal_id.clone(),
        signature,
    };
    Ok(client
        .proposals()
        .reject_proposal(request)
        .await?
        .into_inner()
        .proposal
        .expect("always set"))
}

/// Approves a grant.
///
/// # Errors
/// The errors of the call.
pub async fn approve(client: &Client, grant: &v1::Grant) -> Result<v1::Grant, ClientError> {
    let signature = client
        .sign(Deed::ApproveGrant, &grant.origin, &grant.canonical)
        .await?
        .into();
    let (grant_id, digest) = (grant.grant_id.clone(), grant.digest.clone());
    let request = v1::ApproveGrantRequest {
        grant_id,
        digest,
        signature,
    };
    Ok(client
        .grants()
        .approve_grant(request)
        .await?
        .into_inner()
        .grant
        .expect("always set"))
}

/// Denies a grant.
///
/// # Errors
/// The errors of the call.
pub async fn deny(client: &Client, grant: &v1::Grant) -> Result<v1::Grant, ClientError> {
    let signature = client
        .sign(Deed::DenyGrant, &grant.origin, &grant.canonical)
        .await?
        .into();
    let request = v1::DenyGrantRequest {
        grant_id: grant.grant_id.clone(),
        signature,
    };
    Ok(client
        .grants()
        .deny_grant(request)
        .await?
        .into_inner()
        .grant
        .expect("always set"))
}

/// Revokes a grant.
///
/// # Errors
/// The errors of the call.
pub async fn revoke(client: &Client, grant: &v1::Grant) -> Result<v1::Grant, ClientError> {
    let signature = client
        .sign(Deed::RevokeGrant, &grant.origin, &grant.canonical)
        .await?
        .into();
    let request = v1::RevokeGrantRequest {
        grant_id: grant.grant_id.clone(),
        signature,
    };
    Ok(client
        .grants()
        .revoke_grant(request)
        .await?
        .into_inner()
        .grant
        .expect("always set"))
}

/// Terms to convert `from` (chain, element) to `to`, for `max_values`, ending in a day of the world's clock.
pub fn convert_terms(
    world: &World,
    from: (&str, &str),
    to: (&str, &str),
    max_values: u64,
) -> v1::GrantTerms {
    terms(
        world,
        v1::grant_terms::Kind::Convert(v1::ConvertTerms {
            from_chain_id: from.0.into(),
            from_element: from.1.into(),
            to_chain_id: to.0.into(),
            to_element: to.1.into(),
            output_order: v1::OutputOrder::Ordered.into(),
        }),
        max_values,
    )
}

/// Terms to re-identify elements of a chain, for `max_values`, ending in a day of the world's clock.
pub fn reidentify_terms(
    world: &World,
    chain: &str,
    elements: &[&str],
    max_values: u64,
) -> v1::GrantTerms {
    let elements = elements.iter().map(|e| (*e).to_owned()).collect();
    let kind = v1::grant_terms::Kind::Reidentify(v1::ReidentifyTerms {
        chain_id: chain.into(),
        elements,
    });
    terms(world, kind, max_values)
}

fn terms(world: &World, kind: v1::grant_terms::Kind, max_values: u64) -> v1::GrantTerms {
    use sluis_port::Clock;
    v1::GrantTerms {
        kind: Some(kind),
        purpose: "test".into(),
        legal_basis: "test".into(),
        max_values,
        max_values_per_day: 0,
        not_before: String::new(),
        not_after: world.clock.now().plus_millis(24 * 3_600_000).to_string(),
    }
}

/// A batch with one `values` column per (element, values).
pub fn batch(columns: &[(&str, &[&str])]) -> v1::RecordBatch {
    let column = |(element, values): &(&str, &[&str])| v1::Column {
        element: (*element).to_owned(),
        form: Some(v1::column::Form::Values(v1::Values {
            values: values
                .iter()
                .map(|v| v.as_bytes().to_vec().into())
                .collect(),
        })),
    };
    v1::RecordBatch {
        sequence: 0,
        batch_id: Default::default(),
        rows: columns.first().map_or(0, |(_, values)| values.len() as u32),
        columns: columns.iter().map(column).collect(),
    }
}

/// A batch of one column, for a stream.
pub fn column(element: &str, values: &[impl AsRef<[u8]>]) -> Batch {
    let column = (element.parse().expect("an id"), Column::from_values(values));
    RecordBatch::new(None, values.len(), vec![column])
        .expect("one column within the limits")
        .into()
}

/// The text values of a result's column; missing ones are empty.
pub fn values(result: &v1::BatchResult, element: &str) -> Vec<String> {
    let Some(v1::batch_result::Output::Plain(plain)) = &result.output else {
        panic!("a plain output")
    };
    let column = plain
        .columns
        .iter()
        .find(|c| c.element == element)
        .expect("the column is there");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    match column.form.as_ref().expect("always set") {
        v1::column::Form::Values(values) => values.values.iter().map(|v| text(v)).collect(),
        v1::column::Form::Packed(packed) => {
            let mut rest = &packed.data[..];
            let mut take = |length: &u32| {
                let (head, tail) = rest.split_at(*length as usize);
                rest = tail;
                text(head)
            };
            packed.lengths.iter().map(&mut take).collect()
        }
    }
}

/// (row, element, reason) of each rejection.
pub fn rejections(result: &v1::BatchResult) -> Vec<(u32, String, String)> {
    result
        .rejections
        .iter()
        .map(|r| (r.row, r.element.clone(), r.reason.clone()))
        .collect()
}

/// Pseudonymises one batch.
///
/// # Errors
/// The errors of the call.
pub async fn pseudonymise(
    client: &Client,
    chain: &str,
    batch: v1::RecordBatch,
) -> Result<v1::BatchResult, ClientError> {
    let elements = batch.columns.iter().map(|c| c.element.clone()).collect();
    let open = v1::PseudonymiseOpen {
        chain_id: chain.into(),
        elements,
        ..v1::PseudonymiseOpen::default()
    };
    let request = v1::PseudonymiseBatchRequest {
        open: Some(open),
        batch: Some(batch),
    };
    let response = client
        .pseudonymisation()
        .pseudonymise_batch(request)
        .await?;
    Ok(response.into_inner().result.expect("always set"))
}

/// Converts one batch.
///
/// # Errors
/// The errors of the call.
pub async fn convert(
    client: &Client,
    grant: &str,
    batch: v1::RecordBatch,
) -> Result<v1::BatchResult, ClientError> {
    let request = v1::ConvertBatchRequest {
        grant_id: grant.into(),
        batch: Some(batch),
        ..v1::ConvertBatchRequest::default()
    };
    Ok(client
        .conversion()
        .convert_batch(request)
        .await?
        .into_inner()
        .result
        .expect("always set"))
}

/// Re-identifies one batch.
///
/// # Errors
/// The errors of the call.
pub async fn reidentify(
    client: &Client,
    grant: &str,
    batch: v1::RecordBatch,
) -> Result<v1::BatchResult, ClientError> {
    let request = v1::ReidentifyBatchRequest {
        grant_id: grant.into(),
        batch: Some(batch),
    };
    Ok(client
        .reidentification()
        .reidentify_batch(request)
        .await?
        .into_inner()
        .result
        .expect("always set"))
}

/// The reason code of a status, or what it says instead.
pub fn reason(status: Status) -> String {
    let error = ClientError::from(status);
    error
        .reason()
        .map_or_else(|| format!("{error}"), str::to_owned)
}

/// Writes `sluisd.toml` for a daemon that lives in `directory` with the PKI in `directory/pki`. Its housekeeping is that
/// of whoever asks for it ([`Running::housekeep`]): by itself it does none for an hour.
pub fn write_config(directory: &Path, extra: &str) {
    let at = |name: &str| directory.join(name).display().to_string();
    let custodians = people::custodians()
        .iter()
        .map(|c| format!("\"{c}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!(
        "listen = \"127.0.0.1:0\"\ntrust_domain = \"{TRUST_DOMAIN}\"\ndata_directory = {:?}\nbackup_directory = {:?}\n\
         custodians = [{custodians}]\n[tls]\ncert = {:?}\nkey = {:?}\nclient_ca = {:?}\ncrl = {:?}\nreload_seconds = 1\n\
         [kek]\nfile = {:?}\n[memory]\nlock = \"if-allowed\"\n[housekeeping]\nevery_seconds = 3600\n\
         [audit]\nhead_file = {:?}\n{extra}\n",
        at("data"),
        at("backup"),
        at("pki/server.pem"),
        at("pki/server.key"),
        at("pki/ca.pem"),
        at("pki/crl.pem"),
        at("kek"),
        at("head/head"),
    );
    std::fs::write(directory.join("sluisd.toml"), text).expect("scratch file");
}

/// The settings of the daemon that lives in `directory`.
pub fn settings(directory: &Path) -> Settings {
    let sources = Sources {
        file: Some(directory.join("sluisd.toml")),
        ..Sources::default()
    };
    config::load(&sources)
        .expect("the test configuration is valid")
        .settings
}

/// Connects to a custodian with a certificate of `pki`.
///
/// # Errors
/// The errors of the connection.
pub async fn connect(
    pki: &Pki,
    endpoint: String,
    credentials: &Credentials,
) -> Result<Client, ClientError> {
    let config = Config::new(
        endpoint,
        pki.ca_pem().into_bytes(),
        credentials.cert_pem.clone().into_bytes(),
        sluis_client::Zeroizing::new(credentials.key_pem.clone().into_bytes()),
    );
    Client::connect(config).await
}

async fn open(
    settings: Settings,
    clock: Arc<TestClock>,
) -> (Arc<FaultyStore<RocksStore>>, Running) {
    try_open(settings, clock).await.expect("starts")
}

async fn try_open(
    settings: Settings,
    clock: Arc<TestClock>,
) -> Result<(Arc<FaultyStore<RocksStore>>, Running), StartError> {
    let rocks = RocksStore::open(&settings.data_directory, &Options::default()).expect("opens");
    let store = Arc::new(FaultyStore::new(rocks));
    let running = Daemon::start(settings, store.clone(), clock).await?;
    Ok((store, running))
}

fn install_provider() {
    drop(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default());
}
