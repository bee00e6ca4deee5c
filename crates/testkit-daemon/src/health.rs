//! The health of a custodian, as its monitor sees it.

use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::channel::channel;
use crate::wait::DEADLINE;
use sluis_testkit::pki::Pki;

/// A connection to its health service.
pub struct Health(HealthClient<Channel>);

impl Health {
    /// As someone who is registered nowhere: health is told to every certificate with an identity.
    pub async fn of(pki: &Pki, endpoint: &str) -> Self {
        Self(HealthClient::new(
            channel(pki, endpoint, &pki.member("nobody/monitor")).await,
        ))
    }

    /// Whether it serves now.
    pub async fn serves(&mut self) -> bool {
        let answer = self
            .0
            .check(everything())
            .await
            .expect("always answers")
            .into_inner();
        answer.status() == ServingStatus::Serving
    }

    /// Watches until it says that it serves, or that it does not.
    ///
    /// # Panics
    /// After [`DEADLINE`].
    pub async fn becomes(&mut self, serving: bool) {
        let expected = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        let mut statuses = self
            .0
            .watch(everything())
            .await
            .expect("a stream")
            .into_inner();
        let seen = async {
            while statuses
                .message()
                .await
                .expect("told")
                .expect("no end")
                .status()
                != expected
            {}
        };
        tokio::time::timeout(DEADLINE, seen)
            .await
            .unwrap_or_else(|_| panic!("never {expected:?}"));
    }
}

fn everything() -> HealthCheckRequest {
    HealthCheckRequest {
        service: String::new(),
    }
}
