//! `CustodyService`.

use sluis_domain::{ChainId, NamespaceId, Reason};
use sluis_proto::v1;
use tonic::{Request, Response, Status};

use super::{Custody, act, call_of};
use crate::convert::{self, custody};
use crate::status::Denial;

#[tonic::async_trait]
impl v1::custody_service_server::CustodyService for Custody {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let call = call_of(request.extensions())?;
        let status = act(&self.0, &call, |shared, caller| Ok(shared.engine.status(caller)?)).await?;
        Ok(Response::new(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            method: "sluis/1".to_owned(),
            started_at: self.0.started_at.to_string(),
            serving: self.0.serving() && status.writable,
            registry_version: status.registry_version,
            audit_entries: status.audit_entries,
            key_versions: status.versions.iter().map(custody::key_version).collect(),
        }))
    }

    async fn rotate_chain(
        &self,
        request: Request<v1::RotateChainRequest>,
    ) -> Result<Response<v1::RotateChainResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let versions = act(&self.0, &call, move |shared, caller| {
            let chain: ChainId = convert::required("chain_id", &request.chain_id)?;
            let namespace: Option<NamespaceId> = convert::optional("namespace_id", &request.namespace_id)?;
            Ok(shared.engine.rotate(caller, &chain, namespace.as_ref())?)
        });
        let key_versions = versions.await?.iter().map(custody::key_version).collect();
        Ok(Response::new(v1::RotateChainResponse { key_versions }))
    }

    async fn disable_version(
        &self,
        request: Request<v1::DisableVersionRequest>,
    ) -> Result<Response<v1::DisableVersionResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let version = act(&self.0, &call, move |shared, caller| {
            Ok(shared.engine.disable(caller, custody::kid("kid", &request.kid)?)?)
        });
        let key_version = Some(custody::key_version(&version.await?));
        Ok(Response::new(v1::DisableVersionResponse { key_version }))
    }

    async fn create_backup(
        &self,
        request: Request<v1::CreateBackupRequest>,
    ) -> Result<Response<v1::CreateBackupResponse>, Status> {
        let call = call_of(request.extensions())?;
        let backup = act(&self.0, &call, |shared, caller| {
            let Some(directory) = &shared.settings.backup_directory else {
                // The engine says who may know that.
                shared.engine.status(caller)?;
                let mut denial = Denial::from(Reason::BackupFailed);
                denial.detail = "backup_directory is not configured".to_owned();
                return Err(denial);
            };
            Ok((directory.display().to_string(), shared.engine.backup(caller, directory)?))
        });
        let (directory, done) = backup.await?;
        Ok(Response::new(v1::CreateBackupResponse { directory, bytes: done.bytes, audit_entries: done.entries }))
    }
}
