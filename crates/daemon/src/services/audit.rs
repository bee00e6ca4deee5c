//! `AuditService`.

use sluis_proto::v1;
use tonic::{Request, Response, Status};

use super::{Audit, act, call_of};
use crate::convert::{self, audit};

const DEFAULT_LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 10_000;

#[tonic::async_trait]
impl v1::audit_service_server::AuditService for Audit {
    async fn read_entries(
        &self,
        request: Request<v1::ReadEntriesRequest>,
    ) -> Result<Response<v1::ReadEntriesResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let page = act(&self.0, &call, move |shared, caller| {
            let limit = convert::number_or("limit", request.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
            Ok(shared.engine.read_entries(caller, request.from_sequence, limit)?)
        });
        let page = page.await?;
        Ok(Response::new(v1::ReadEntriesResponse {
            entries: page.entries.into_iter().map(|(sequence, bytes, e)| audit::entry(sequence, bytes, e)).collect(),
            next_sequence: page.next_sequence,
            log_size: page.log_size,
        }))
    }
}
