//! A custodian that lies: it passes everything on to an honest one, and changes what it wants to.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use sluis_client::Client;
use sluis_testkit::pki::Pki;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::scene::Scene;
use sluis_wire::v1;
use sluis_wire::v1::audit_service_server::{AuditService, AuditServiceServer};
use sluis_wire::v1::identity_service_server::{IdentityService, IdentityServiceServer};
use sluis_wire::v1::proposal_service_server::{ProposalService, ProposalServiceServer};
use sluis_wire::v1::pseudonymisation_service_server::{
    PseudonymisationService, PseudonymisationServiceServer,
};
use sluis_wire::v1::registry_service_server::{RegistryService, RegistryServiceServer};
use sluis_wire::v1::subject_service_server::{SubjectService, SubjectServiceServer};
use tokio::task::AbortHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

/// What a custodian does with a call; by default the honest thing.
pub(crate) trait Lies: Send + Sync + 'static {
    /// The proof that a head continues an earlier one.
    fn proof(
        &self,
        honest: v1::ProveConsistencyResponse,
    ) -> Result<v1::ProveConsistencyResponse, Status> {
        Ok(honest)
    }

    /// What a caller asks to be proposed, or tries out.
    fn asked(&self, asked: v1::ApplyRegistryRequest) -> v1::ApplyRegistryRequest {
        asked
    }

    /// What a registry would change.
    fn applied(&self, honest: v1::ApplyRegistryResponse) -> v1::ApplyRegistryResponse {
        honest
    }

    /// What a caller may know of its chains.
    fn chains(&self, honest: v1::ListChainsResponse) -> v1::ListChainsResponse {
        honest
    }

    /// Records or an identifier arrived: what a caller must not send to a liar.
    fn sent(&self) {}

    /// Who the caller is told to be.
    fn identity(&self, honest: v1::WhoAmIResponse) -> Result<v1::WhoAmIResponse, Status> {
        Ok(honest)
    }

    /// A proposal after it was signed.
    fn signed(&self, honest: v1::Proposal) -> v1::Proposal {
        honest
    }

    /// The proposal that a caller wants to see.
    fn proposal(&self, honest: v1::Proposal) -> v1::Proposal {
        honest
    }
}

/// A refusal with this reason code, as a custodian gives it.
pub(crate) fn refusal(reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "sluis", HashMap::new());
    Status::with_error_details(Code::FailedPrecondition, "no", details)
}

/// A liar, which ends when this is dropped: a member has so many connections to the honest one.
pub(crate) struct Standing {
    pub(crate) endpoint: String,
    server: AbortHandle,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Starts a liar before the custodian of a scene, which knows it as this member.
pub(crate) async fn before(scene: &Scene, member: &str, lies: impl Lies) -> Standing {
    let liar = Liar {
        honest: scene.client(member).await,
        lies: Arc::new(lies),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let endpoint = format!(
        "https://localhost:{}",
        listener.local_addr().expect("bound").port()
    );
    let server = Server::builder()
        .tls_config(server_tls(&scene.pki))
        .expect("usable");
    let front = Front {
        audit: AuditServiceServer::new(liar.clone()),
        identity: IdentityServiceServer::new(liar.clone()),
        proposals: ProposalServiceServer::new(liar.clone()),
        pseudonymisation: PseudonymisationServiceServer::new(liar.clone()),
        registry: RegistryServiceServer::new(liar.clone()),
        subjects: SubjectServiceServer::new(liar),
    };
    let serving = tokio::spawn(async move {
        server
            .serve_with_incoming(front, TcpListenerStream::new(listener))
            .await
    });
    Standing {
        endpoint,
        server: serving.abort_handle(),
    }
}

/// As the custodian that an authority made has it.
pub(crate) fn server_tls(pki: &Pki) -> ServerTlsConfig {
    let read = |name: &str| std::fs::read(pki.path(name)).expect("written by the authority");
    let identity = Identity::from_pem(read("server.pem"), read("server.key"));
    ServerTlsConfig::new()
        .identity(identity)
        .client_ca_root(Certificate::from_pem(pki.ca_pem()))
}

#[derive(Clone)]
struct Liar {
    honest: Client,
    lies: Arc<dyn Lies>,
}

#[tonic::async_trait]
impl AuditService for Liar {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        self.honest
            .audit()
            .get_checkpoint(request.into_inner())
            .await
    }

    async fn read_entries(
        &self,
        request: Request<v1::ReadEntriesRequest>,
    ) -> Result<Response<v1::ReadEntriesResponse>, Status> {
        self.honest.audit().read_entries(request.into_inner()).await
    }

    async fn prove_inclusion(
        &self,
        request: Request<v1::ProveInclusionRequest>,
    ) -> Result<Response<v1::ProveInclusionResponse>, Status> {
        self.honest
            .audit()
            .prove_inclusion(request.into_inner())
            .await
    }

    async fn prove_consistency(
        &self,
        request: Request<v1::ProveConsistencyRequest>,
    ) -> Result<Response<v1::ProveConsistencyResponse>, Status> {
        let honest = self
            .honest
            .audit()
            .prove_consistency(request.into_inner())
            .await?;
        self.lies.proof(honest.into_inner()).map(Response::new)
    }
}

#[tonic::async_trait]
impl RegistryService for Liar {
    async fn apply_registry(
        &self,
        request: Request<v1::ApplyRegistryRequest>,
    ) -> Result<Response<v1::ApplyRegistryResponse>, Status> {
        let honest = self
            .honest
            .registry()
            .apply_registry(self.lies.asked(request.into_inner()))
            .await?;
        Ok(Response::new(self.lies.applied(honest.into_inner())))
    }

    async fn get_registry(
        &self,
        request: Request<v1::GetRegistryRequest>,
    ) -> Result<Response<v1::GetRegistryResponse>, Status> {
        self.honest
            .registry()
            .get_registry(request.into_inner())
            .await
    }

    async fn list_chains(
        &self,
        request: Request<v1::ListChainsRequest>,
    ) -> Result<Response<v1::ListChainsResponse>, Status> {
        let honest = self
            .honest
            .registry()
            .list_chains(request.into_inner())
            .await?;
        Ok(Response::new(self.lies.chains(honest.into_inner())))
    }
}

#[tonic::async_trait]
impl ProposalService for Liar {
    async fn get_proposal(
        &self,
        request: Request<v1::GetProposalRequest>,
    ) -> Result<Response<v1::GetProposalResponse>, Status> {
        let honest = self
            .honest
            .proposals()
            .get_proposal(request.into_inner())
            .await?
            .into_inner();
        let proposal = honest.proposal.map(|proposal| self.lies.proposal(proposal));
        Ok(Response::new(v1::GetProposalResponse { proposal }))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        self.honest
            .proposals()
            .list_proposals(request.into_inner())
            .await
    }

    async fn sign_proposal(
        &self,
        request: Request<v1::SignProposalRequest>,
    ) -> Result<Response<v1::SignProposalResponse>, Status> {
        let honest = self
            .honest
            .proposals()
            .sign_proposal(request.into_inner())
            .await?
            .into_inner();
        let proposal = honest.proposal.map(|proposal| self.lies.signed(proposal));
        Ok(Response::new(v1::SignProposalResponse { proposal }))
    }

    async fn reject_proposal(
        &self,
        request: Request<v1::RejectProposalRequest>,
    ) -> Result<Response<v1::RejectProposalResponse>, Status> {
        self.honest
            .proposals()
            .reject_proposal(request.into_inner())
            .await
    }
}

#[tonic::async_trait]
impl IdentityService for Liar {
    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let honest = self
            .honest
            .identity()
            .who_am_i(request.into_inner())
            .await?;
        self.lies.identity(honest.into_inner()).map(Response::new)
    }
}

#[tonic::async_trait]
impl PseudonymisationService for Liar {
    type PseudonymiseStream = Streaming<v1::PseudonymiseResponse>;

    async fn pseudonymise(
        &self,
        request: Request<Streaming<v1::PseudonymiseRequest>>,
    ) -> Result<Response<Self::PseudonymiseStream>, Status> {
        self.lies.sent();
        let requests = request.into_inner().map_while(Result::ok);
        self.honest.pseudonymisation().pseudonymise(requests).await
    }

    async fn pseudonymise_batch(
        &self,
        request: Request<v1::PseudonymiseBatchRequest>,
    ) -> Result<Response<v1::PseudonymiseBatchResponse>, Status> {
        self.lies.sent();
        self.honest
            .pseudonymisation()
            .pseudonymise_batch(request.into_inner())
            .await
    }
}

#[tonic::async_trait]
impl SubjectService for Liar {
    async fn request_erasure(
        &self,
        request: Request<v1::RequestErasureRequest>,
    ) -> Result<Response<v1::RequestErasureResponse>, Status> {
        self.lies.sent();
        self.honest
            .subjects()
            .request_erasure(request.into_inner())
            .await
    }
}

/// All services of the liar.
#[derive(Clone)]
struct Front {
    audit: AuditServiceServer<Liar>,
    identity: IdentityServiceServer<Liar>,
    proposals: ProposalServiceServer<Liar>,
    pseudonymisation: PseudonymisationServiceServer<Liar>,
    registry: RegistryServiceServer<Liar>,
    subjects: SubjectServiceServer<Liar>,
}

impl Service<http::Request<Body>> for Front {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let of = |service: &str| {
            request
                .uri()
                .path()
                .starts_with(&format!("/sluis.v1.{service}/"))
        };
        if of("AuditService") {
            self.audit.call(request)
        } else if of("IdentityService") {
            self.identity.call(request)
        } else if of("ProposalService") {
            self.proposals.call(request)
        } else if of("PseudonymisationService") {
            self.pseudonymisation.call(request)
        } else if of("SubjectService") {
            self.subjects.call(request)
        } else {
            self.registry.call(request)
        }
    }
}
