//! A store that fails, lies or was edited: nothing is answered that is not on record, and no one becomes another.

mod audited_first;
mod clock;
mod cut_log;
mod damage;
mod disk;
mod edited;
mod reads;

use std::sync::Arc;

use sluis_client::{Client, ClientError, GrantView};
use sluis_daemon::StartError;
use sluis_store::RocksStore;
use sluis_testkit::registry::{CUSTODIANS, registry};
use sluis_testkit_daemon::custody;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{self, World, batch, convert, pseudonymise, reidentify, values};
use sluis_wire::v1;

const BSNS: [&str; 3] = ["950000012", "900095222", "950053533"];
const STUDY: &str = "diabetes-study";
const OWNERS: [&str; 2] = ["uni-research/steward-1", "registry-office/steward-a"];
const STEWARDS: [&str; 2] = ["uni-research/steward-1", "uni-research/steward-2"];

/// A custodian with tokens out and grants in every state that an act needs.
struct Stage {
    world: World,
    source: Client,
    office: Client,
    doctor: Client,
    custodian: Client,
    steward: Client,
    tokens: Vec<String>,
    /// What `tokens` convert to.
    converted: Vec<String>,
    convert: String,
    reidentify: String,
    /// Waits for its approvals.
    requested: v1::Grant,
    /// A registry that waits for its last signature.
    proposed: v1::Proposal,
}

impl Stage {
    async fn set() -> Self {
        Self::set_for(100).await
    }

    /// With grants for so many values.
    async fn set_for(max_values: u64) -> Self {
        let world = World::start().await;
        let terms = v1::GrantTerms {
            max_values,
            ..conversion(&world)
        };
        let convert_grant = world.grant("registry-office/etl", terms, &OWNERS).await;
        let terms = world::reidentify_terms(&world, STUDY, &["bsn"], max_values);
        let reidentify = world.grant("hospital-north/doctor", terms, &STEWARDS).await;
        let office = world.client("registry-office/etl").await;
        let requested = request(&office, conversion(&world))
            .await
            .expect("requested");
        let proposed = propose(&world.client(CUSTODIANS[0]).await, "9y")
            .await
            .expect("valid");
        world::sign(&world.client(STEWARDS[1]).await, &proposed)
            .await
            .expect("a steward");
        let source = world.client("hospital-north/etl").await;
        let result = pseudonymise(&source, STUDY, batch(&[("bsn", &BSNS)]))
            .await
            .expect("pseudonymised");
        let tokens = values(&result, "bsn");
        let mut stage = Self {
            doctor: world.client("hospital-north/doctor").await,
            custodian: world.client(CUSTODIANS[0]).await,
            steward: world.client(OWNERS[0]).await,
            world,
            source,
            office,
            tokens,
            converted: Vec::new(),
            convert: convert_grant,
            reidentify,
            requested,
            proposed,
        };
        stage.converted = values(&stage.convert().await.expect("converted"), "bsn");
        stage
    }

    /// The same custodian after a restart, with new connections.
    async fn restart(self) -> Self {
        self.edited(|_| ()).await.expect("nothing was edited")
    }

    /// The same custodian after someone was at its store.
    async fn edited(self, edit: impl FnOnce(&RocksStore)) -> Result<Self, StartError> {
        let world = self.world.restart_edited(edit).await?;
        Ok(Self {
            doctor: world.client("hospital-north/doctor").await,
            custodian: world.client(CUSTODIANS[0]).await,
            steward: world.client(OWNERS[0]).await,
            source: world.client("hospital-north/etl").await,
            office: world.client("registry-office/etl").await,
            world,
            ..self
        })
    }

    fn sent(&self) -> v1::RecordBatch {
        let tokens: Vec<_> = self.tokens.iter().map(String::as_str).collect();
        batch(&[("bsn", &tokens)])
    }

    async fn convert(&self) -> Result<v1::BatchResult, ClientError> {
        convert(&self.office, &self.convert, self.sent()).await
    }

    async fn reidentify(&self) -> Result<v1::BatchResult, ClientError> {
        reidentify(&self.doctor, &self.reidentify, self.sent()).await
    }

    async fn grant(&self, id: &str) -> Result<GrantView, ClientError> {
        self.office.grant(&id.parse().expect("an id")).await
    }

    /// Does one act to its answer.
    async fn act(&self, act: Act) -> Result<(), ClientError> {
        match act {
            Act::Pseudonymise => {
                pseudonymise(&self.source, STUDY, batch(&[("bsn", &["111222333"])]))
                    .await
                    .map(drop)
            }
            Act::Convert => self.convert().await.map(drop),
            Act::Reidentify => self.reidentify().await.map(drop),
            Act::Request => request(&self.office, conversion(&self.world))
                .await
                .map(drop),
            Act::Approve => world::approve(&self.steward, &self.requested)
                .await
                .map(drop),
            Act::Deny => world::deny(&self.steward, &self.requested).await.map(drop),
            Act::Revoke => {
                let shown = self.grant(&self.convert).await?;
                self.steward.revoke_grant(&shown).await.map(drop)
            }
            Act::Propose => propose(&self.custodian, "8y").await.map(drop),
            Act::Sign => world::sign(&self.steward, &self.proposed).await.map(drop),
            Act::Rotate => custody::rotate_chain(&self.custodian, STUDY, "")
                .await
                .map(drop),
            Act::Backup => Ok(self
                .custodian
                .custody()
                .create_backup(v1::CreateBackupRequest {})
                .await
                .map(drop)?),
        }
    }

    /// Everything that an act could have changed, as the parties see it.
    async fn seen(&self) -> Seen {
        let status = self
            .custodian
            .custody()
            .get_status(v1::GetStatusRequest {})
            .await
            .expect("answered")
            .into_inner();
        let list = v1::ListGrantsRequest {
            page_size: 100,
            page_token: String::new(),
            state: 0,
        };
        let all = v1::ListProposalsRequest { all: true };
        Seen {
            registry_version: status.registry_version,
            entries: status.audit_entries,
            kids: status
                .key_versions
                .into_iter()
                .map(|version| version.kid)
                .collect(),
            proposals: self
                .custodian
                .proposals()
                .list_proposals(all)
                .await
                .expect("answered")
                .into_inner()
                .proposals,
            grants: self
                .office
                .grants()
                .list_grants(list)
                .await
                .expect("answered")
                .into_inner()
                .grants,
            used: self
                .doctor
                .grant(&self.reidentify.parse().expect("an id"))
                .await
                .expect("answered")
                .used,
        }
    }
}

#[derive(PartialEq, Debug)]
struct Seen {
    registry_version: u64,
    entries: u64,
    kids: Vec<String>,
    grants: Vec<v1::Grant>,
    proposals: Vec<v1::Proposal>,
    used: u64,
}

/// Everything that changes or gives something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Pseudonymise,
    Convert,
    Reidentify,
    Request,
    Approve,
    Deny,
    Revoke,
    Propose,
    Sign,
    Rotate,
    Backup,
}

impl Act {
    const ALL: [Self; 11] = [
        Self::Pseudonymise,
        Self::Convert,
        Self::Reidentify,
        Self::Request,
        Self::Approve,
        Self::Deny,
        Self::Revoke,
        Self::Propose,
        Self::Sign,
        Self::Rotate,
        Self::Backup,
    ];
}

fn conversion(world: &World) -> v1::GrantTerms {
    world::convert_terms(world, (STUDY, "bsn"), ("national-registry", "bsn"), 100)
}

/// Proposes a registry with another retention of the study.
async fn propose(custodian: &Client, retention: &str) -> Result<v1::Proposal, ClientError> {
    let toml = registry().replace(
        "retention = \"10y\"",
        &format!("retention = \"{retention}\""),
    );
    let request = v1::ApplyRegistryRequest {
        toml,
        dry_run: false,
        expected_version: None,
    };
    Ok(custodian
        .registry()
        .apply_registry(request)
        .await?
        .into_inner()
        .proposal
        .expect("it differs"))
}

async fn request(client: &Client, terms: v1::GrantTerms) -> Result<v1::Grant, ClientError> {
    let response = client
        .grants()
        .request_grant(v1::RequestGrantRequest { terms: Some(terms) })
        .await?;
    Ok(response.into_inner().grant.expect("always set"))
}

fn code<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> String {
    let error = outcome.expect_err("refused");
    error
        .reason()
        .map_or_else(|| error.to_string(), str::to_owned)
}

type Shared = Arc<Stage>;
