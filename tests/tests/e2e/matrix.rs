//! The permission matrix: every RPC, every kind of caller, over the socket.

use std::collections::BTreeMap;

use prost::Message as _;
use sluis_client::Client;
use sluis_testkit::pki::{Credentials, Wanted};
use sluis_testkit::registry::pinned;
use sluis_testkit_daemon::custody;
use sluis_testkit_daemon::world::{
    self, World, batch, convert, convert_terms, pseudonymise, reidentify, reidentify_terms, values,
};
use sluis_wire::v1;
use tokio_stream::StreamExt as _;

use crate::refusals::outcome;
use sluis_testkit_daemon::raw::Services;

/// `alpha` is the chain that all calls are about; `beta` belongs to someone else.
const REGISTRY: &str = r#"
organisation = [
    { id = "hospital", name = "Source", members = ["etl", "gone"], blocked = ["gone"] },
    { id = "institute", name = "Recipient", members = ["etl"] },
    { id = "owner", name = "Owner", members = ["etl", "steward", "steward-2"], stewards = ["steward", "steward-2"] },
    { id = "other", name = "Owner of beta", members = ["steward", "steward-2"], stewards = ["steward", "steward-2"] },
    { id = "grantee", name = "Grantee", members = ["etl"] },
    { id = "oversight", name = "Auditor", members = ["auditor"], auditors = ["auditor"] },
    { id = "outsider", name = "Outsider", members = ["etl"] },
]
namespace = [{ id = "nl.bsn", identifier = "nl-bsn", input = "plain" }]

[[chain]]
id = "alpha"
owner = "owner"
sources = ["hospital"]
recipients = ["institute", "grantee"]
reidentify_to = ["grantee"]
namespace = [{ id = "nl.bsn", reversible = true }]
element = [{ name = "bsn", treatment = "pseudonym", namespace = "nl.bsn" }]

[[chain]]
id = "beta"
owner = "other"
sources = ["other"]
recipients = []
reidentify_to = []
namespace = [{ id = "nl.bsn" }]
element = [{ name = "bsn", treatment = "pseudonym", namespace = "nl.bsn" }]
"#;

/// [`REGISTRY`] with the keys of its stewards.
fn registry() -> String {
    pinned(
        REGISTRY,
        &[
            "owner/steward",
            "owner/steward-2",
            "other/steward",
            "other/steward-2",
        ],
    )
}

/// Every kind of caller that has standing, and its certificate.
const CALLERS: [(&str, &str); 9] = [
    ("custodian", "custodian/anna"),
    ("source", "hospital/etl"),
    ("recipient", "institute/etl"),
    ("owner", "owner/etl"),
    ("owner-steward", "owner/steward"),
    ("other-steward", "other/steward"),
    ("auditor", "oversight/auditor"),
    ("grantee", "grantee/etl"),
    ("outsider", "outsider/etl"),
];

/// Those that have none are refused everything, for the same reason everywhere.
const STRANGERS: [(&str, &str, &str); 3] = [
    ("unknown-organisation", "nobody/etl", "UNKNOWN_ORGANISATION"),
    ("not-a-member", "hospital/ghost", "NOT_A_MEMBER"),
    ("blocked", "hospital/gone", "BLOCKED"),
];

/// A certificate of our authority that names no one.
const NAMELESS: (&str, &str) = ("no-spiffe-id", "NO_SPIFFE_ID");

/// An RPC, and below it what each of [`CALLERS`] is told.
const MATRIX: &str = "
PseudonymisationService/Pseudonymise
    allowed            source
    NOT_A_SOURCE       recipient owner owner-steward grantee
    UNKNOWN_CHAIN      other-steward auditor outsider
    CUSTODIAN_MAY_NOT  custodian
PseudonymisationService/PseudonymiseBatch
    allowed            source
    NOT_A_SOURCE       recipient owner owner-steward grantee
    UNKNOWN_CHAIN      other-steward auditor outsider
    CUSTODIAN_MAY_NOT  custodian
ConversionService/Convert
    allowed            grantee
    NOT_THE_GRANTEE    owner owner-steward other-steward
    UNKNOWN_GRANT      source recipient auditor outsider
    CUSTODIAN_MAY_NOT  custodian
ConversionService/ConvertBatch
    allowed            grantee
    NOT_THE_GRANTEE    owner owner-steward other-steward
    UNKNOWN_GRANT      source recipient auditor outsider
    CUSTODIAN_MAY_NOT  custodian
ReidentificationService/Reidentify
    allowed            grantee
    NOT_THE_GRANTEE    owner owner-steward
    UNKNOWN_GRANT      source recipient other-steward auditor outsider
    CUSTODIAN_MAY_NOT  custodian
ReidentificationService/ReidentifyBatch
    allowed            grantee
    NOT_THE_GRANTEE    owner owner-steward
    UNKNOWN_GRANT      source recipient other-steward auditor outsider
    CUSTODIAN_MAY_NOT  custodian
GrantService/RequestGrant
    allowed            recipient owner owner-steward grantee
    NOT_ELIGIBLE       source
    UNKNOWN_CHAIN      other-steward auditor outsider
    CUSTODIAN_MAY_NOT  custodian
GrantService/ApproveGrant
    allowed            owner-steward other-steward
    NOT_A_STEWARD      owner grantee
    UNKNOWN_GRANT      source recipient auditor outsider
    CUSTODIAN_MAY_NOT  custodian
GrantService/DenyGrant
    allowed            owner-steward other-steward
    NOT_A_STEWARD      owner grantee
    UNKNOWN_GRANT      source recipient auditor outsider
    CUSTODIAN_MAY_NOT  custodian
GrantService/RevokeGrant
    allowed            owner-steward other-steward grantee
    NOT_A_STEWARD      owner
    UNKNOWN_GRANT      source recipient auditor outsider
    CUSTODIAN_MAY_NOT  custodian
GrantService/GetGrant
    allowed            owner owner-steward other-steward grantee
    UNKNOWN_GRANT      source recipient auditor outsider
    CUSTODIAN_MAY_NOT  custodian
GrantService/ListGrants
    allowed            custodian source recipient owner owner-steward other-steward auditor grantee outsider
ProposalService/SignProposal
    allowed            owner-steward
    NOT_A_SIGNER       custodian
    UNKNOWN_PROPOSAL   source recipient owner other-steward auditor grantee outsider
ProposalService/RejectProposal
    allowed            custodian owner-steward
    UNKNOWN_PROPOSAL   source recipient owner other-steward auditor grantee outsider
ProposalService/GetProposal
    allowed            custodian owner-steward
    UNKNOWN_PROPOSAL   source recipient owner other-steward auditor grantee outsider
ProposalService/ListProposals
    allowed            custodian source recipient owner owner-steward other-steward auditor grantee outsider
RegistryService/ApplyRegistry
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
RegistryService/GetRegistry
    allowed            custodian auditor
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward grantee outsider
RegistryService/ListChains
    allowed            custodian source recipient owner owner-steward other-steward auditor grantee outsider
CustodyService/GetStatus
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
CustodyService/RotateChain
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
CustodyService/DisableVersion
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
CustodyService/CreateBackup
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
CustodyService/DestroyVersion
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
CustodyService/CutEscrow
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
SubjectService/RequestErasure
    allowed            source other-steward
    NOT_A_SOURCE       recipient owner owner-steward auditor grantee outsider
    CUSTODIAN_MAY_NOT  custodian
CustodyService/RotateAuditKey
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
AuditService/GetCheckpoint
    allowed            custodian source recipient owner owner-steward other-steward auditor grantee outsider
AuditService/ProveInclusion
    allowed            custodian source recipient owner owner-steward other-steward auditor grantee outsider
AuditService/ProveConsistency
    allowed            custodian source recipient owner owner-steward other-steward auditor grantee outsider
AuditService/ReadEntries
    allowed            auditor
    NOT_AN_AUDITOR     custodian source recipient owner owner-steward other-steward grantee outsider
IdentityService/WhoAmI
    allowed            custodian source recipient owner owner-steward other-steward auditor grantee outsider
SealService/GetSealStatus
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
SealService/Unseal
    NOT_SEALED         custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
SealService/Seal
    allowed            custodian
    NOT_A_CUSTODIAN    source recipient owner owner-steward other-steward auditor grantee outsider
";

/// (RPC, caller) -> what it is told.
type Cells = BTreeMap<(String, String), String>;

/// The table of this file; a caller that comes twice under an RPC is a mistake in it.
fn expected() -> Cells {
    let mut cells = Cells::new();
    let mut add = |rpc: &str, caller: &str, told: &str| {
        let before = cells.insert((rpc.to_owned(), caller.to_owned()), told.to_owned());
        assert!(before.is_none(), "{caller} comes twice under {rpc}");
    };
    let mut rpc = "";
    for line in MATRIX.lines().filter(|line| !line.is_empty()) {
        if !line.starts_with(' ') {
            rpc = line;
            STRANGERS
                .iter()
                .for_each(|(caller, _, told)| add(rpc, caller, told));
            add(rpc, NAMELESS.0, NAMELESS.1);
            continue;
        }
        let mut words = line.split_whitespace();
        let told = words.next().expect("a reason");
        words.for_each(|caller| add(rpc, caller, told));
    }
    cells
}

/// `Service/Method` of the whole contract.
fn rpcs() -> Vec<String> {
    let set = prost_types::FileDescriptorSet::decode(sluis_wire::DESCRIPTOR_SET)
        .expect("a descriptor set");
    let ours = set.file.iter().filter(|file| file.package() == "sluis.v1");
    let services = ours.flat_map(|file| &file.service);
    services
        .flat_map(|service| {
            service
                .method
                .iter()
                .map(|method| format!("{}/{}", service.name(), method.name()))
        })
        .collect()
}

/// What the calls are about.
struct Fixture {
    world: World,
    clients: Vec<(&'static str, Client)>,
    /// Of a certificate that names no one. Its connections are closed after their first answer, so each call has its own.
    nameless: Credentials,
    tokens: Vec<String>,
    to_convert: String,
    to_reidentify: String,
    /// A version that may be disabled.
    kid: String,
}

impl Fixture {
    async fn new() -> Self {
        let world = World::start_with(&registry()).await;
        let source = world.client("hospital/etl").await;
        let result = pseudonymise(&source, "alpha", batch(&[("bsn", &["950000012"])]))
            .await
            .expect("a source");
        let terms = convert_terms(&world, ("alpha", "bsn"), ("beta", "bsn"), 1_000);
        let to_convert = world
            .grant("grantee/etl", terms, &["owner/steward", "other/steward"])
            .await;
        let terms = reidentify_terms(&world, "alpha", &["bsn"], 1_000);
        let to_reidentify = world
            .grant("grantee/etl", terms, &["owner/steward", "owner/steward-2"])
            .await;
        let custodian = world.client("custodian/anna").await;
        let status = custodian
            .custody()
            .get_status(v1::GetStatusRequest {})
            .await
            .expect("a custodian")
            .into_inner();
        let beta = status
            .key_versions
            .into_iter()
            .find(|v| v.chain_id == "beta")
            .expect("a key line");
        custody::rotate_chain(&custodian, "beta", "")
            .await
            .expect("a custodian");
        let mut clients = Vec::new();
        for (caller, member) in CALLERS
            .into_iter()
            .chain(STRANGERS.map(|(caller, member, _)| (caller, member)))
        {
            clients.push((caller, world.client(member).await));
        }
        let nameless = world.pki.client(&Wanted {
            uris: vec![],
            dns: vec!["etl.test".into()],
            expired: false,
        });
        Self {
            tokens: values(&result, "bsn"),
            world,
            clients,
            nameless,
            to_convert,
            to_reidentify,
            kid: beta.kid,
        }
    }

    fn terms(&self) -> v1::GrantTerms {
        convert_terms(&self.world, ("alpha", "bsn"), ("beta", "bsn"), 10)
    }

    /// A request of the grantee that no one has decided.
    async fn undecided(&self) -> v1::Grant {
        let request = v1::RequestGrantRequest {
            terms: Some(self.terms()),
        };
        let response = self
            .world
            .client("grantee/etl")
            .await
            .grants()
            .request_grant(request)
            .await;
        response
            .expect("eligible")
            .into_inner()
            .grant
            .expect("always set")
    }

    /// A change of `alpha`, proposed by the custodian, that no one has signed.
    async fn proposed(&self) -> v1::Proposal {
        let toml = registry().replace("id = \"alpha\"", "id = \"alpha\"\nretention = \"10y\"");
        self.world
            .propose(&toml)
            .await
            .expect("valid")
            .proposal
            .expect("it differs")
    }

    /// Makes the call, well-formed, and says what came of it. Streams are opened.
    async fn call(&self, rpc: &str, client: &Client) -> String {
        let column = || batch(&[("bsn", &[self.tokens[0].as_str()])]);
        let grant_id = self.to_convert.clone();
        match rpc {
            "PseudonymisationService/Pseudonymise" => {
                let elements = ["bsn".parse().expect("an id")];
                outcome(
                    client
                        .pseudonymise(&"alpha".parse().expect("an id"), &elements)
                        .await,
                )
            }
            "PseudonymisationService/PseudonymiseBatch" => {
                outcome(pseudonymise(client, "alpha", batch(&[("bsn", &["950000012"])])).await)
            }
            "ConversionService/Convert" => {
                outcome(client.convert(&grant_id.parse().expect("an id")).await)
            }
            "ConversionService/ConvertBatch" => outcome(convert(client, &grant_id, column()).await),
            "ReidentificationService/Reidentify" => outcome(
                client
                    .reidentify(&self.to_reidentify.parse().expect("an id"))
                    .await,
            ),
            "ReidentificationService/ReidentifyBatch" => {
                outcome(reidentify(client, &self.to_reidentify, column()).await)
            }
            "GrantService/GetGrant" => outcome(
                client
                    .grants()
                    .get_grant(v1::GetGrantRequest { grant_id })
                    .await,
            ),
            "GrantService/ListGrants" => outcome(
                client
                    .grants()
                    .list_grants(v1::ListGrantsRequest::default())
                    .await,
            ),
            _ => self.govern(rpc, client).await,
        }
    }

    /// The calls that change or read the custodian itself.
    async fn govern(&self, rpc: &str, client: &Client) -> String {
        match rpc {
            "GrantService/RequestGrant" => {
                let request = v1::RequestGrantRequest {
                    terms: Some(self.terms()),
                };
                outcome(client.grants().request_grant(request).await)
            }
            "GrantService/ApproveGrant" => {
                outcome(world::approve(client, &self.undecided().await).await)
            }
            "GrantService/DenyGrant" => outcome(world::deny(client, &self.undecided().await).await),
            "GrantService/RevokeGrant" => {
                outcome(world::revoke(client, &self.undecided().await).await)
            }
            "ProposalService/SignProposal" => {
                outcome(world::sign(client, &self.proposed().await).await)
            }
            "ProposalService/RejectProposal" => {
                outcome(world::reject(client, &self.proposed().await).await)
            }
            "ProposalService/GetProposal" => {
                let proposal_id = self.proposed().await.proposal_id;
                outcome(
                    client
                        .proposals()
                        .get_proposal(v1::GetProposalRequest { proposal_id })
                        .await,
                )
            }
            "ProposalService/ListProposals" => outcome(
                client
                    .proposals()
                    .list_proposals(v1::ListProposalsRequest::default())
                    .await,
            ),
            "RegistryService/ApplyRegistry" => {
                let toml = format!("{}# the same\n", registry());
                let request = v1::ApplyRegistryRequest {
                    toml,
                    dry_run: false,
                    expected_version: None,
                };
                outcome(client.registry().apply_registry(request).await)
            }
            "RegistryService/GetRegistry" => outcome(
                client
                    .registry()
                    .get_registry(v1::GetRegistryRequest::default())
                    .await,
            ),
            "RegistryService/ListChains" => outcome(
                client
                    .registry()
                    .list_chains(v1::ListChainsRequest::default())
                    .await,
            ),
            "CustodyService/GetStatus" => {
                outcome(client.custody().get_status(v1::GetStatusRequest {}).await)
            }
            "CustodyService/RotateChain" => {
                outcome(custody::rotate_chain(client, "beta", "").await)
            }
            "CustodyService/DisableVersion" => {
                outcome(custody::disable_version(client, &self.kid).await)
            }
            // By now the custodian has disabled it.
            "CustodyService/DestroyVersion" => {
                let request = v1::DestroyVersionRequest {
                    kid: self.kid.clone(),
                };
                outcome(client.custody().destroy_version(request).await)
            }
            "CustodyService/CutEscrow" => {
                let request = v1::CutEscrowRequest {
                    kid: self.kid.clone(),
                };
                outcome(client.custody().cut_escrow(request).await)
            }
            "SubjectService/RequestErasure" => {
                let (namespace_id, identifier) = ("nl.bsn".to_owned(), "950000012".into());
                let request = v1::RequestErasureRequest {
                    namespace_id,
                    identifier,
                };
                outcome(client.subjects().request_erasure(request).await)
            }
            "CustodyService/CreateBackup" => outcome(
                client
                    .custody()
                    .create_backup(v1::CreateBackupRequest {})
                    .await,
            ),
            "CustodyService/RotateAuditKey" => outcome(custody::rotate_audit_key(client).await),
            "AuditService/GetCheckpoint" => outcome(
                client
                    .audit()
                    .get_checkpoint(v1::GetCheckpointRequest {})
                    .await,
            ),
            "AuditService/ProveInclusion" => {
                let request = v1::ProveInclusionRequest {
                    sequence: 0,
                    tree_size: 0,
                };
                outcome(client.audit().prove_inclusion(request).await)
            }
            "AuditService/ProveConsistency" => {
                let request = v1::ProveConsistencyRequest {
                    old_size: 1,
                    new_size: 0,
                };
                outcome(client.audit().prove_consistency(request).await)
            }
            "AuditService/ReadEntries" => outcome(
                client
                    .audit()
                    .read_entries(v1::ReadEntriesRequest::default())
                    .await,
            ),
            "IdentityService/WhoAmI" => {
                outcome(client.identity().who_am_i(v1::WhoAmIRequest {}).await)
            }
            "SealService/GetSealStatus" => outcome(
                client
                    .seal_service()
                    .get_seal_status(v1::GetSealStatusRequest {})
                    .await,
            ),
            "SealService/Unseal" => outcome(
                client
                    .seal_service()
                    .unseal(v1::UnsealRequest::default())
                    .await,
            ),
            "SealService/Seal" => {
                let told = outcome(client.seal_service().seal(v1::SealRequest {}).await);
                if told == "allowed" {
                    client
                        .seal_service()
                        .unseal(v1::UnsealRequest::default())
                        .await
                        .expect("its key is in a file");
                }
                told
            }
            _ => panic!("this test does not know how to call {rpc}"),
        }
    }

    /// As [`Self::call`], with one request only: a connection without a name ends with its first refusal. An instruction
    /// would need two, because it says what its signer saw.
    async fn call_without_name(&self, rpc: &str, client: &Client) -> String {
        let mut custody = client.custody();
        match rpc {
            "CustodyService/RotateChain" => outcome(
                custody
                    .rotate_chain(v1::RotateChainRequest::default())
                    .await,
            ),
            "CustodyService/DisableVersion" => outcome(
                custody
                    .disable_version(v1::DisableVersionRequest::default())
                    .await,
            ),
            "CustodyService/RotateAuditKey" => outcome(
                custody
                    .rotate_audit_key(v1::RotateAuditKeyRequest::default())
                    .await,
            ),
            _ => self.call(rpc, client).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rpc_tells_every_kind_of_caller_what_the_matrix_says() {
    let fixture = Fixture::new().await;
    let mut found = Cells::new();
    for rpc in rpcs() {
        for (caller, client) in &fixture.clients {
            found.insert(
                (rpc.clone(), (*caller).to_owned()),
                fixture.call(&rpc, client).await,
            );
        }
        let nameless = fixture
            .world
            .connect(&fixture.nameless)
            .await
            .expect("the authority is ours");
        found.insert(
            (rpc.clone(), NAMELESS.0.to_owned()),
            fixture.call_without_name(&rpc, &nameless).await,
        );
    }
    let expected = expected();
    let missing: Vec<_> = found
        .keys()
        .filter(|cell| !expected.contains_key(cell))
        .collect();
    assert!(missing.is_empty(), "not in the matrix: {missing:#?}");
    let left_over: Vec<_> = expected
        .keys()
        .filter(|cell| !found.contains_key(cell))
        .collect();
    assert!(
        left_over.is_empty(),
        "in the matrix, but there is no such call: {left_over:#?}"
    );
    let wrong: Vec<_> = found
        .iter()
        .filter(|(cell, told)| expected.get(cell) != Some(told))
        .collect();
    assert!(
        wrong.is_empty(),
        "told otherwise than the matrix says: {wrong:#?}"
    );
    assert_eq!(
        found.len(),
        rpcs().len() * (CALLERS.len() + STRANGERS.len() + 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_show_callers_what_concerns_them_and_nothing_else() {
    let fixture = Fixture::new().await;
    for (caller, chains, grants) in [
        ("custodian", &["alpha", "beta"][..], 0),
        ("source", &["alpha"], 0),
        ("recipient", &["alpha"], 0),
        ("owner", &["alpha"], 2),
        ("owner-steward", &["alpha"], 2),
        ("other-steward", &["beta"], 1),
        ("auditor", &[], 0),
        ("grantee", &["alpha"], 2),
        ("outsider", &[], 0),
    ] {
        let client = &fixture
            .clients
            .iter()
            .find(|(name, _)| *name == caller)
            .expect("in the table")
            .1;
        let listed = client
            .registry()
            .list_chains(v1::ListChainsRequest::default())
            .await
            .expect("known")
            .into_inner();
        let ids: Vec<_> = listed
            .chains
            .iter()
            .map(|chain| chain.chain_id.as_str())
            .collect();
        assert_eq!(ids, chains, "{caller}");
        let listed = client
            .grants()
            .list_grants(v1::ListGrantsRequest::default())
            .await
            .expect("known")
            .into_inner();
        assert_eq!(listed.grants.len(), grants, "{caller}");
        let who = client
            .identity()
            .who_am_i(v1::WhoAmIRequest {})
            .await
            .expect("known")
            .into_inner();
        assert_eq!(
            who.live_grants.len(),
            if caller == "grantee" { 2 } else { 0 },
            "{caller}"
        );
        let beta = v1::ListChainsRequest {
            chain_id: "beta".into(),
        };
        let may = chains.contains(&"beta");
        assert_eq!(
            outcome(client.registry().list_chains(beta).await),
            if may { "allowed" } else { "UNKNOWN_CHAIN" }
        );
    }
}

/// Health and reflection are for every certificate that names someone, registered or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_reflection_are_open_to_every_certificate_with_a_spiffe_id() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_request::MessageRequest,
    };
    let world = World::start_with(&registry()).await;
    let uri = |member: &str| {
        vec![format!(
            "spiffe://{}/{member}",
            sluis_testkit::pki::TRUST_DOMAIN
        )]
    };
    for (uris, expected) in [
        (uri("hospital/etl"), "allowed"),
        (uri("nobody/etl"), "allowed"),
        (uri("hospital/gone"), "allowed"),
        (vec![], "NO_SPIFFE_ID"),
    ] {
        let wanted = Wanted {
            uris: uris.clone(),
            dns: vec!["etl.test".into()],
            expired: false,
        };
        let check = HealthCheckRequest {
            service: String::new(),
        };
        let credentials = world.pki.client(&wanted);
        let channel = async || world::channel(&world.pki, &world.endpoint(), &credentials).await;
        assert_eq!(
            outcome(HealthClient::new(channel().await).check(check).await),
            expected,
            "{uris:?}"
        );
        let list = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut client = ServerReflectionClient::new(channel().await);
        let said = match client
            .server_reflection_info(tokio_stream::iter([list]))
            .await
        {
            Ok(answers) => outcome(answers.into_inner().next().await.expect("an answer")),
            Err(status) => outcome(Err::<(), _>(status)),
        };
        assert_eq!(said, expected, "{uris:?}");
    }
}
