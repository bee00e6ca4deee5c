//! `ProposalService`.

use std::sync::Arc;

use sluis_domain::ProposalId;
use sluis_engine::{Caller, Engine, ProposalView, Refusal};
use sluis_wire::{field, v1};
use tonic::{Request, Response, Status};

use super::{Proposals, act, call_of, view};
use crate::server::Call;

#[tonic::async_trait]
impl v1::proposal_service_server::ProposalService for Proposals {
    async fn sign_proposal(
        &self,
        request: Request<v1::SignProposalRequest>,
    ) -> Result<Response<v1::SignProposalResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::SignProposalRequest {
            proposal_id,
            signature,
        } = request.into_inner();
        let step = self.step(&call, proposal_id, move |engine, caller, id| {
            engine.governance().sign_proposal(caller, id, &signature)
        });
        let proposal = step.await?;
        Ok(Response::new(v1::SignProposalResponse { proposal }))
    }

    async fn reject_proposal(
        &self,
        request: Request<v1::RejectProposalRequest>,
    ) -> Result<Response<v1::RejectProposalResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::RejectProposalRequest {
            proposal_id,
            signature,
        } = request.into_inner();
        let step = self.step(&call, proposal_id, move |engine, caller, id| {
            engine.governance().reject_proposal(caller, id, &signature)
        });
        let proposal = step.await?;
        Ok(Response::new(v1::RejectProposalResponse { proposal }))
    }

    async fn get_proposal(
        &self,
        request: Request<v1::GetProposalRequest>,
    ) -> Result<Response<v1::GetProposalResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let found = act(&self.0, &call, move |shared, caller| {
            let id: ProposalId = field::required("proposal_id", &request.proposal_id)?;
            Ok(shared.engine()?.governance().get_proposal(caller, &id)?)
        });
        let (found, texts) = found.await?;
        let proposal = view::proposal(&found, self.0.origin());
        let proposal = Some(proposal.with_texts(texts.map(view::texts)).into());
        Ok(Response::new(v1::GetProposalResponse { proposal }))
    }

    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let call = call_of(request.extensions())?;
        let all = request.into_inner().all;
        let views = act(&self.0, &call, move |shared, caller| {
            Ok(shared.engine()?.governance().list_proposals(caller, all)?)
        })
        .await?;
        let proposals = views
            .iter()
            .map(|it| view::proposal(it, self.0.origin()).into())
            .collect();
        Ok(Response::new(v1::ListProposalsResponse { proposals }))
    }
}

impl Proposals {
    /// A yes or a no.
    async fn step(
        &self,
        call: &Arc<Call>,
        proposal_id: String,
        step: impl FnOnce(&Engine, &Caller, &ProposalId) -> Result<ProposalView, Refusal>
        + Send
        + 'static,
    ) -> Result<Option<v1::Proposal>, Status> {
        let after = act(&self.0, call, move |shared, caller| {
            let id: ProposalId = field::required("proposal_id", &proposal_id)?;
            Ok(step(shared.engine()?.live()?, caller, &id)?)
        });
        Ok(Some(view::proposal(&after.await?, self.0.origin()).into()))
    }
}
