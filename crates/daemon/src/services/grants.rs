//! `GrantService`.

use std::sync::Arc;

use sluis_domain::{GrantId, Reason};
use sluis_engine::{Caller, Engine, GrantView, Refusal};
use sluis_wire::grant::parse_state;
use sluis_wire::{field, v1};
use tonic::{Request, Response, Status};

use super::{Governance, act, call_of, view};
use crate::server::Call;
use crate::status::Denial;

const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;

#[tonic::async_trait]
impl v1::grant_service_server::GrantService for Governance {
    async fn request_grant(
        &self,
        request: Request<v1::RequestGrantRequest>,
    ) -> Result<Response<v1::RequestGrantResponse>, Status> {
        let call = call_of(request.extensions())?;
        let terms = request.into_inner().terms;
        let requested = act(&self.0, &call, move |shared, caller| {
            let terms = field::message("terms", terms)?;
            Ok(shared.engine()?.governance().request_grant(caller, terms)?)
        });
        let grant = view::grant(&requested.await?, self.0.origin());
        let grant = Some(grant.into());
        Ok(Response::new(v1::RequestGrantResponse { grant }))
    }

    async fn approve_grant(
        &self,
        request: Request<v1::ApproveGrantRequest>,
    ) -> Result<Response<v1::ApproveGrantResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::ApproveGrantRequest {
            grant_id,
            digest,
            signature,
        } = request.into_inner();
        let step = self.step(&call, grant_id, move |engine, caller, id| {
            engine
                .governance()
                .approve_grant(caller, id, &digest, &signature)
        });
        let grant = step.await?;
        Ok(Response::new(v1::ApproveGrantResponse { grant }))
    }

    async fn deny_grant(
        &self,
        request: Request<v1::DenyGrantRequest>,
    ) -> Result<Response<v1::DenyGrantResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::DenyGrantRequest {
            grant_id,
            signature,
        } = request.into_inner();
        let step = self.step(&call, grant_id, move |engine, caller, id| {
            engine.governance().deny_grant(caller, id, &signature)
        });
        let grant = step.await?;
        Ok(Response::new(v1::DenyGrantResponse { grant }))
    }

    async fn revoke_grant(
        &self,
        request: Request<v1::RevokeGrantRequest>,
    ) -> Result<Response<v1::RevokeGrantResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::RevokeGrantRequest {
            grant_id,
            signature,
        } = request.into_inner();
        let step = self.step(&call, grant_id, move |engine, caller, id| {
            engine.governance().revoke_grant(caller, id, &signature)
        });
        let grant = step.await?;
        Ok(Response::new(v1::RevokeGrantResponse { grant }))
    }

    async fn get_grant(
        &self,
        request: Request<v1::GetGrantRequest>,
    ) -> Result<Response<v1::GetGrantResponse>, Status> {
        let call = call_of(request.extensions())?;
        let grant_id = request.into_inner().grant_id;
        let step = self.step(&call, grant_id, |engine, caller, id| {
            engine.governance().get_grant(caller, id)
        });
        let grant = step.await?;
        Ok(Response::new(v1::GetGrantResponse { grant }))
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let page = act(&self.0, &call, move |shared, caller| {
            let size = field::number_or("page_size", request.page_size, DEFAULT_PAGE, MAX_PAGE)?;
            let state = parse_state("state", request.state)?;
            let after = parse_page_token(&request.page_token)?;
            // One more than asked for tells whether there is another page.
            let mut views = shared.engine()?.governance().list_grants(
                caller,
                after.as_ref(),
                size + 1,
                state,
            )?;
            let more = views.len() > size;
            views.truncate(size);
            Ok((views, more))
        });
        let (views, more) = page.await?;
        let last = views
            .last()
            .filter(|_| more)
            .map(|view| view.record.grant.id.as_str().to_owned());
        Ok(Response::new(v1::ListGrantsResponse {
            grants: views
                .iter()
                .map(|it| view::grant(it, self.0.origin()).into())
                .collect(),
            next_page_token: last.unwrap_or_default(),
        }))
    }
}

impl Governance {
    /// Something with one grant.
    async fn step(
        &self,
        call: &Arc<Call>,
        grant_id: String,
        step: impl FnOnce(&Engine, &Caller, &GrantId) -> Result<GrantView, Refusal> + Send + 'static,
    ) -> Result<Option<v1::Grant>, Status> {
        let after = act(&self.0, call, move |shared, caller| {
            let id: GrantId = field::required("grant_id", &grant_id)?;
            Ok(step(shared.engine()?.live()?, caller, &id)?)
        });
        Ok(Some(view::grant(&after.await?, self.0.origin()).into()))
    }
}

/// A page token is the last grant id of the page before: an id that its reader has seen, and no personal data.
fn parse_page_token(token: &str) -> Result<Option<GrantId>, Denial> {
    if token.is_empty() {
        return Ok(None);
    }
    token
        .parse()
        .map(Some)
        .map_err(|_| Reason::InvalidPageToken.into())
}
