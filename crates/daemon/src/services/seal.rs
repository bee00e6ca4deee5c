//! `SealService`.

use std::time::Duration;

use sluis_wire::{seal, v1};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use super::{Seals, act, call_of};
use crate::server::SealStatus;
use crate::status::Denial;

/// Longest wait for work in flight to let go of the keys: batches on their way, at most.
const LAST_KEYS: Duration = Duration::from_secs(20);

#[tonic::async_trait]
impl v1::seal_service_server::SealService for Seals {
    async fn get_seal_status(
        &self,
        request: Request<v1::GetSealStatusRequest>,
    ) -> Result<Response<v1::GetSealStatusResponse>, Status> {
        let call = call_of(request.extensions())?;
        let status = act(&self.0, &call, |shared, caller| {
            shared.keeper.status(caller)
        })
        .await?;
        Ok(Response::new(wire(&status)))
    }

    async fn unseal(
        &self,
        request: Request<v1::UnsealRequest>,
    ) -> Result<Response<v1::UnsealResponse>, Status> {
        let call = call_of(request.extensions())?;
        let share = Zeroizing::new(request.into_inner().share);
        let unsealed = act(&self.0, &call, move |shared, caller| {
            shared.keeper.unseal(caller, &share)
        })
        .await;
        self.0.look_at_health();
        Ok(Response::new(v1::UnsealResponse {
            status: Some(wire(&unsealed?)),
        }))
    }

    async fn seal(
        &self,
        request: Request<v1::SealRequest>,
    ) -> Result<Response<v1::SealResponse>, Status> {
        let call = call_of(request.extensions())?;
        let (wiped, status) =
            act(&self.0, &call, |shared, caller| shared.keeper.seal(caller)).await?;
        self.0.look_at_health();
        if tokio::time::timeout(LAST_KEYS, wiped.cancelled())
            .await
            .is_err()
        {
            let denial =
                Denial::internal("sealed, but work in flight has not let go of the keys yet");
            return Err(call.deny(denial).await);
        }
        Ok(Response::new(v1::SealResponse {
            status: Some(wire(&status)),
        }))
    }
}

fn wire(status: &SealStatus) -> v1::GetSealStatusResponse {
    let status = seal::SealStatus {
        sealed: status.sealed,
        provider: status.provider.to_owned(),
        threshold: status.threshold.into(),
        shares: status.shares.into(),
        presented: status.presented.into(),
        reason: status.fault.map(|reason| reason.code().to_owned()),
    };
    status.into()
}
