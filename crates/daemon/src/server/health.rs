//! `grpc.health.v1`: not serving while the keyring is sealed, while acts are refused, or while the daemon drains. The
//! service about the seal itself is always there.

use std::sync::Arc;
use std::time::Duration;

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

use super::Shared;

/// Services whose health is reported; all have the same. "" is the daemon as a whole.
const SERVICES: [&str; 11] = [
    "",
    "sluis.v1.PseudonymisationService",
    "sluis.v1.ConversionService",
    "sluis.v1.ReidentificationService",
    "sluis.v1.GrantService",
    "sluis.v1.ProposalService",
    "sluis.v1.RegistryService",
    "sluis.v1.CustodyService",
    "sluis.v1.SubjectService",
    "sluis.v1.AuditService",
    "sluis.v1.IdentityService",
];

/// How often to look, for what no one told.
const EVERY: Duration = Duration::from_secs(1);

/// Says whether the daemon serves.
#[derive(Clone)]
pub(super) struct Reporter(HealthReporter);

impl Reporter {
    pub(super) async fn set(&self, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in SERVICES {
            self.0.set_service_status(service, status).await;
        }
    }
}

/// The reporter and its service.
pub(super) async fn reporter(serving: bool) -> (Reporter, HealthServer<impl Health>) {
    let (reporter, server) = tonic_health::server::health_reporter();
    let reporter = Reporter(reporter);
    reporter.set(serving).await;
    (reporter, server)
}

/// Reports changes until it is dropped.
pub(super) async fn watch(shared: Arc<Shared>, reporter: Reporter) {
    let mut said = shared.serving();
    loop {
        // Either someone noticed a change, or it is time to look.
        drop(tokio::time::timeout(EVERY, shared.health_changed.notified()).await);
        let serving = shared.serving();
        if serving != said {
            reporter.set(serving).await;
            tracing::warn!(serving, "health changed");
            said = serving;
        }
    }
}
