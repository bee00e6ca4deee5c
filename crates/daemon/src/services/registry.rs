//! `RegistryService`.

use sluis_domain::ChainId;
use sluis_wire::chain::ChainView;
use sluis_wire::registry::{Chains, ProposedRegistry, RegistryText};
use sluis_wire::{field, v1};
use tonic::{Request, Response, Status};

use super::{Registers, act, call_of, view};
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
        let v1::ApplyRegistryRequest {
            toml,
            dry_run,
            expected_version,
        } = request.into_inner();
        let proposed = act(&self.0, &call, move |shared, caller| {
            if toml.len() > MAX_TOML {
                return Err(Denial::field("toml", format!("at most {MAX_TOML} bytes")));
            }
            Ok(shared.engine()?.governance().propose_registry(
                caller,
                &toml,
                dry_run,
                expected_version,
            )?)
        });
        let proposed = proposed.await?;
        let proposal = proposed.proposal.as_ref();
        let proposed = ProposedRegistry {
            version: proposed.version,
            proposal: proposal.map(|it| view::proposal(it, self.0.origin())),
            needs: proposed.needs,
            changes: proposed.changes,
            new_key_lines: proposed.new_key_lines,
        };
        Ok(Response::new(proposed.into()))
    }

    async fn get_registry(
        &self,
        request: Request<v1::GetRegistryRequest>,
    ) -> Result<Response<v1::GetRegistryResponse>, Status> {
        let call = call_of(request.extensions())?;
        let version = Some(request.into_inner().version).filter(|version| *version > 0);
        let text = act(&self.0, &call, move |shared, caller| {
            Ok(shared
                .engine()?
                .governance()
                .registry_text(caller, version)?)
        });
        let (version, toml) = text.await?;
        Ok(Response::new(RegistryText { version, toml }.into()))
    }

    async fn list_chains(
        &self,
        request: Request<v1::ListChainsRequest>,
    ) -> Result<Response<v1::ListChainsResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let listed = act(&self.0, &call, move |shared, caller| {
            let only: Option<ChainId> = field::optional("chain_id", &request.chain_id)?;
            let (engine, organisation) = (shared.engine()?, &caller.identity.organisation);
            let (version, state, ids) = engine.governance().list_chains(caller, only.as_ref())?;
            let chains = ids.iter().filter_map(|id| state.registry.chain(id));
            let views = chains.map(|chain| {
                let until = engine.life().retained_until(chain);
                ChainView::new(&state.registry, chain, until, organisation)
            });
            Ok(Chains {
                registry_version: version,
                chains: views.collect(),
            })
        });
        Ok(Response::new(listed.await?.into()))
    }
}
