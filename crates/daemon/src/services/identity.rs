//! `IdentityService`.

use sluis_proto::v1;
use tonic::{Request, Response, Status};

use super::{Identities, act, call_of};

#[tonic::async_trait]
impl v1::identity_service_server::IdentityService for Identities {
    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let call = call_of(request.extensions())?;
        let who = act(&self.0, &call, |shared, caller| {
            Ok((shared.engine()?.whoami(caller)?, caller.clone()))
        });
        let (who, caller) = who.await?;
        let texts = |roles: Vec<&'static str>| roles.into_iter().map(str::to_owned).collect();
        Ok(Response::new(v1::WhoAmIResponse {
            organisation_id: who.identity.organisation.as_str().to_owned(),
            member: who.identity.member.as_str().to_owned(),
            certificate_fingerprint: caller.fingerprint.to_vec().into(),
            certificate_not_after: caller.not_after.to_string(),
            roles: texts(who.roles),
            chains: who
                .chains
                .into_iter()
                .map(|(chain, roles)| v1::ChainRoles {
                    chain_id: chain.into(),
                    roles: texts(roles),
                })
                .collect(),
            live_grants: who.live_grants.into_iter().map(String::from).collect(),
            awaiting_approval: who
                .awaiting_approval
                .into_iter()
                .map(String::from)
                .collect(),
            origin: self.0.origin().to_owned(),
            awaiting_signature: who
                .awaiting_signature
                .into_iter()
                .map(String::from)
                .collect(),
            key_pinned: who.key_pinned,
        }))
    }
}
