//! `AuditService`.

use sluis_wire::audit::{Entries, EntryView, LogHead, hashes};
use sluis_wire::{field, v1};
use tonic::{Request, Response, Status};

use super::{Audit, act, call_of};

const DEFAULT_LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 10_000;

#[tonic::async_trait]
impl v1::audit_service_server::AuditService for Audit {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let call = call_of(request.extensions())?;
        let head = act(&self.0, &call, |shared, caller| {
            Ok(shared.engine()?.log().head(caller)?)
        })
        .await?;
        let head = LogHead {
            checkpoint: head.signed.note.clone(),
            verifier_key: head.verifier_key,
            handovers: head.handovers,
        };
        Ok(Response::new(head.into()))
    }

    async fn read_entries(
        &self,
        request: Request<v1::ReadEntriesRequest>,
    ) -> Result<Response<v1::ReadEntriesResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let page = act(&self.0, &call, move |shared, caller| {
            let limit = field::number_or("limit", request.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
            Ok(shared.engine()?.log().read_entries(
                caller,
                request.from_sequence,
                limit,
                request.own,
            )?)
        });
        let page = page.await?;
        let entries = page.entries.into_iter();
        let page = Entries {
            entries: entries
                .map(|(sequence, canonical, entry)| EntryView::new(sequence, canonical, entry))
                .collect(),
            next_sequence: page.next_sequence,
            log_size: page.log_size,
        };
        Ok(Response::new(page.into()))
    }

    async fn prove_inclusion(
        &self,
        request: Request<v1::ProveInclusionRequest>,
    ) -> Result<Response<v1::ProveInclusionResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::ProveInclusionRequest {
            sequence,
            tree_size,
        } = request.into_inner();
        let proof = act(&self.0, &call, move |shared, caller| {
            Ok(shared
                .engine()?
                .log()
                .prove_inclusion(caller, sequence, size(tree_size))?)
        });
        let proof = proof.await?;
        Ok(Response::new(v1::ProveInclusionResponse {
            tree_size: proof.size,
            leaf_hash: proof.leaf.to_vec().into(),
            hashes: hashes(&proof.hashes),
        }))
    }

    async fn prove_consistency(
        &self,
        request: Request<v1::ProveConsistencyRequest>,
    ) -> Result<Response<v1::ProveConsistencyResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::ProveConsistencyRequest { old_size, new_size } = request.into_inner();
        let proof = act(&self.0, &call, move |shared, caller| {
            Ok(shared
                .engine()?
                .log()
                .prove_consistency(caller, old_size, size(new_size))?)
        });
        let proof = proof.await?;
        Ok(Response::new(v1::ProveConsistencyResponse {
            new_size: proof.size,
            hashes: hashes(&proof.hashes),
        }))
    }
}

/// An optional size; 0 is absent.
fn size(number: u64) -> Option<u64> {
    Some(number).filter(|size| *size > 0)
}
