//! Registries and chains.

use sluis_domain::ChainId;
use sluis_wire::chain::ChainView;
use sluis_wire::registry::{Chains, ProposedRegistry, RegistryText};
use sluis_wire::v1;

use super::parsed;
use crate::{Client, ClientError};

impl Client {
    /// What a registry would change, and who would have to sign it. Nothing is proposed.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn preview_registry(&self, toml: &str) -> Result<ProposedRegistry, ClientError> {
        self.apply_registry(toml, None).await
    }

    /// Proposes a registry, unless another version than `expected` is in force.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn propose_registry(
        &self,
        toml: &str,
        expected: u64,
    ) -> Result<ProposedRegistry, ClientError> {
        self.apply_registry(toml, Some(expected)).await
    }

    async fn apply_registry(
        &self,
        toml: &str,
        expected_version: Option<u64>,
    ) -> Result<ProposedRegistry, ClientError> {
        let request = v1::ApplyRegistryRequest {
            toml: toml.to_owned(),
            dry_run: expected_version.is_none(),
            expected_version,
        };
        parsed(self.registry_service().apply_registry(request).await?)
    }

    /// The text of a registry version, by default of the one in force.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn registry_text(&self, version: Option<u64>) -> Result<RegistryText, ClientError> {
        let version = version.unwrap_or_default();
        let request = v1::GetRegistryRequest { version };
        let answer = self.registry_service().get_registry(request).await?;
        Ok(answer.into_inner().into())
    }

    /// What the caller may know of its organisation's chains, or of one.
    ///
    /// # Errors
    /// The errors of the call, and [`ClientError::Invalid`] for a description that this version does not understand.
    pub async fn list_chains(&self, only: Option<&ChainId>) -> Result<Chains, ClientError> {
        let chain_id = only.map(ToString::to_string).unwrap_or_default();
        let request = v1::ListChainsRequest { chain_id };
        parsed(self.registry_service().list_chains(request).await?)
    }

    /// What the caller may know of a chain. `None` if the custodian shows no such chain to this caller.
    ///
    /// # Errors
    /// As [`Self::list_chains`].
    pub async fn chain(&self, id: &ChainId) -> Result<Option<ChainView>, ClientError> {
        let chains = self.list_chains(Some(id)).await?.chains;
        Ok(chains.into_iter().find(|chain| chain.id == *id))
    }
}
