//! `RegistryService`.

use sluis_domain::ChainId;
use sluis_proto::v1;
use tonic::{Request, Response, Status};

use super::{Registers, act, call_of};
use crate::convert::{self, registry};
use crate::status::Denial;

/// Largest registry in bytes.
const MAX_TOML: usize = 4 << 20;

#[tonic::async_trait]
impl v1::registry_service_server::RegistryService for Registers {
    async fn apply_registry(
        &self,
        request: Request<v1::ApplyRegistryRequest>,
    ) -> Result<Response<v1::ApplyRegistryResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::ApplyRegistryRequest { toml, dry_run, expected_version } = request.into_inner();
        let applied = act(&self.0, &call, move |shared, caller| {
            if toml.len() > MAX_TOML {
                return Err(Denial::field("toml", format!("at most {MAX_TOML} bytes")));
            }
            Ok(shared.engine.apply_registry(caller, &toml, dry_run, expected_version)?)
        });
        let applied = applied.await?;
        Ok(Response::new(v1::ApplyRegistryResponse {
            version: applied.version,
            changes: applied.changes.into_iter().map(registry::change).collect(),
            new_key_lines: applied.new_key_lines,
        }))
    }

    async fn get_registry(
        &self,
        request: Request<v1::GetRegistryRequest>,
    ) -> Result<Response<v1::GetRegistryResponse>, Status> {
        let call = call_of(request.extensions())?;
        let text = act(&self.0, &call, |shared, caller| Ok(shared.engine.registry_text(caller)?));
        let (version, toml) = text.await?;
        Ok(Response::new(v1::GetRegistryResponse { version, toml }))
    }

    async fn list_chains(
        &self,
        request: Request<v1::ListChainsRequest>,
    ) -> Result<Response<v1::ListChainsResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let listed = act(&self.0, &call, move |shared, caller| {
            let only: Option<ChainId> = convert::optional("chain_id", &request.chain_id)?;
            Ok(shared.engine.list_chains(caller, only.as_ref())?)
        });
        let (registry_version, state, ids) = listed.await?;
        let chains = ids.iter().filter_map(|id| state.registry.chain(id));
        Ok(Response::new(v1::ListChainsResponse {
            chains: chains.map(|chain| registry::chain(&state.registry, chain)).collect(),
            registry_version,
        }))
    }
}
