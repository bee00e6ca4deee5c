//! From the name of a service to the service.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use sluis_wire::v1::audit_service_server::AuditServiceServer;
use sluis_wire::v1::conversion_service_server::ConversionServiceServer;
use sluis_wire::v1::custody_service_server::CustodyServiceServer;
use sluis_wire::v1::grant_service_server::GrantServiceServer;
use sluis_wire::v1::identity_service_server::IdentityServiceServer;
use sluis_wire::v1::proposal_service_server::ProposalServiceServer;
use sluis_wire::v1::pseudonymisation_service_server::PseudonymisationServiceServer;
use sluis_wire::v1::registry_service_server::RegistryServiceServer;
use sluis_wire::v1::reidentification_service_server::ReidentificationServiceServer;
use sluis_wire::v1::seal_service_server::SealServiceServer;
use sluis_wire::v1::subject_service_server::SubjectServiceServer;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::pb::health_server::{Health, HealthServer};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use super::Shared;
use super::body::RequestBody;
use super::rpc::Rpc;
use crate::services::{
    Audit, Conversion, Custody, Governance, Identities, Proposals, Pseudonymisation, Registers,
    Reidentification, Seals, Subjects,
};

/// Largest request in bytes of services that take neither batches nor registries.
const SMALL: usize = 512 << 10;

type Route = BoxCloneSyncService<Request<RequestBody>, Response<Body>, Infallible>;

/// All services.
pub(super) struct Routes(HashMap<&'static str, Route>);

/// A generated server with our limits. Answers may be larger than requests: they are bounded by the number of values
/// of a request, not by its size.
macro_rules! server {
    ($server:ident, $service:expr, $limit:expr) => {
        $server::new($service)
            .max_decoding_message_size($limit)
            .max_encoding_message_size(usize::MAX)
    };
}

impl Routes {
    pub(super) fn new(
        shared: &Arc<Shared>,
        health: HealthServer<impl Health>,
    ) -> Result<Self, tonic_reflection::server::Error> {
        let limit = shared.settings.limits.max_message_bytes;
        // Nothing of these is long; small messages bound what they are decoded into.
        let small = limit.min(SMALL);
        // The registry has its own limit in the contract.
        let registry_limit = limit.max(5 << 20);
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(sluis_wire::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()?;
        let mut routes = Self(HashMap::new());
        routes.add(server!(
            PseudonymisationServiceServer,
            Pseudonymisation(shared.clone()),
            limit
        ));
        routes.add(server!(
            ConversionServiceServer,
            Conversion(shared.clone()),
            limit
        ));
        routes.add(server!(
            ReidentificationServiceServer,
            Reidentification(shared.clone()),
            limit
        ));
        routes.add(server!(
            GrantServiceServer,
            Governance(shared.clone()),
            small
        ));
        routes.add(server!(
            ProposalServiceServer,
            Proposals(shared.clone()),
            small
        ));
        routes.add(server!(
            RegistryServiceServer,
            Registers(shared.clone()),
            registry_limit
        ));
        routes.add(server!(
            CustodyServiceServer,
            Custody(shared.clone()),
            small
        ));
        routes.add(server!(AuditServiceServer, Audit(shared.clone()), small));
        routes.add(server!(
            IdentityServiceServer,
            Identities(shared.clone()),
            small
        ));
        routes.add(server!(
            SubjectServiceServer,
            Subjects(shared.clone()),
            small
        ));
        routes.add(server!(SealServiceServer, Seals(shared.clone()), small));
        routes.add(health);
        routes.add(reflection);
        Ok(routes)
    }

    fn add<S>(&mut self, service: S)
    where
        S: NamedService
            + Service<
                Request<RequestBody>,
                Response = Response<Body>,
                Error = Infallible,
                Future: Send + 'static,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        self.0.insert(S::NAME, BoxCloneSyncService::new(service));
    }

    /// Passes a request on.
    pub(super) async fn call(&self, rpc: &Rpc, request: Request<RequestBody>) -> Response<Body> {
        match self.0.get(rpc.service) {
            Some(service) => {
                let Ok(response) = service.clone().oneshot(request).await;
                response
            }
            None => Status::unimplemented("there is no such method").into_http(),
        }
    }
}
