//! `IdentityService`.

use sluis_wire::identity::{ChainRoles, WhoAmI};
use sluis_wire::v1;
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
            Ok((
                shared.engine()?.governance().whoami(caller)?,
                caller.clone(),
            ))
        });
        let (who, caller) = who.await?;
        let chains = who.chains.into_iter();
        let me = WhoAmI {
            identity: who.identity,
            certificate_fingerprint: caller.fingerprint,
            certificate_not_after: caller.not_after,
            roles: texts(who.roles),
            chains: chains
                .map(|(chain, roles)| ChainRoles {
                    chain,
                    roles: texts(roles),
                })
                .collect(),
            live_grants: who.live_grants,
            awaiting_approval: who.awaiting_approval,
            awaiting_signature: who.awaiting_signature,
            key_pinned: who.key_pinned,
            origin: self.0.origin().to_owned(),
        };
        Ok(Response::new(me.into()))
    }
}

fn texts(roles: Vec<&'static str>) -> Vec<String> {
    roles.into_iter().map(str::to_owned).collect()
}
