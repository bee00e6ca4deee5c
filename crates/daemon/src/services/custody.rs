//! `CustodyService`.

use std::sync::Arc;

use sluis_domain::{Kid, Reason};
use sluis_engine::{Caller, Instructed, Life, ProposalView, Refusal};
use sluis_wire::custody::{Backup, CustodyStatus, SignedInstruction};
use sluis_wire::{field, v1};
use tonic::{Request, Response, Status};

use super::{Custody, act, call_of, view};
use crate::server::Call;
use crate::status::Denial;

#[tonic::async_trait]
impl v1::custody_service_server::CustodyService for Custody {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let call = call_of(request.extensions())?;
        let status = act(&self.0, &call, |shared, caller| {
            Ok(shared.engine()?.life().status(caller)?)
        })
        .await?;
        let status = CustodyStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            method: "sluis/1".to_owned(),
            started_at: self.0.started_at,
            serving: self.0.serving() && status.writable,
            registry_version: status.registry_version,
            audit_entries: status.audit_entries,
            key_versions: status.versions.iter().map(view::key_version).collect(),
            expiring_chains: status.expiring.iter().map(view::expiring).collect(),
            origin: self.0.origin().to_owned(),
            custody_head: status.custody_head,
            now: status.now,
        };
        Ok(Response::new(status.into()))
    }

    async fn rotate_chain(
        &self,
        request: Request<v1::RotateChainRequest>,
    ) -> Result<Response<v1::RotateChainResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let versions = act(&self.0, &call, move |shared, caller| {
            let instructed = instructed(request.instruction)?;
            Ok(shared.engine()?.life().rotate(caller, &instructed)?)
        });
        let versions = versions.await?;
        let views = versions.iter().map(view::key_version);
        let key_versions = views.map(|view| v1::KeyVersion::from(&view)).collect();
        Ok(Response::new(v1::RotateChainResponse { key_versions }))
    }

    async fn disable_version(
        &self,
        request: Request<v1::DisableVersionRequest>,
    ) -> Result<Response<v1::DisableVersionResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let version = act(&self.0, &call, move |shared, caller| {
            let instructed = instructed(request.instruction)?;
            Ok(shared.engine()?.life().disable(caller, &instructed)?)
        });
        let version = view::key_version(&version.await?);
        let key_version = Some((&version).into());
        Ok(Response::new(v1::DisableVersionResponse { key_version }))
    }

    async fn destroy_version(
        &self,
        request: Request<v1::DestroyVersionRequest>,
    ) -> Result<Response<v1::DestroyVersionResponse>, Status> {
        let call = call_of(request.extensions())?;
        let kid = request.into_inner().kid;
        let proposal = self.propose(&call, kid, |life, caller, kid| {
            life.propose_destroy(caller, kid)
        });
        let proposal = Some(proposal.await?);
        Ok(Response::new(v1::DestroyVersionResponse { proposal }))
    }

    async fn cut_escrow(
        &self,
        request: Request<v1::CutEscrowRequest>,
    ) -> Result<Response<v1::CutEscrowResponse>, Status> {
        let call = call_of(request.extensions())?;
        let kid = request.into_inner().kid;
        let proposal = self.propose(&call, kid, |life, caller, kid| {
            life.propose_cut(caller, kid)
        });
        let proposal = Some(proposal.await?);
        Ok(Response::new(v1::CutEscrowResponse { proposal }))
    }

    async fn rotate_audit_key(
        &self,
        request: Request<v1::RotateAuditKeyRequest>,
    ) -> Result<Response<v1::RotateAuditKeyResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let rotated = act(&self.0, &call, move |shared, caller| {
            let instructed = instructed(request.instruction)?;
            let engine = shared.engine()?;
            let verifier_key = engine.log().rotate_audit_key(caller, &instructed)?;
            // With the next head at the latest; should it fail, the log says so.
            drop(shared.keeper.heads().keep(&engine));
            Ok(verifier_key)
        });
        Ok(Response::new(v1::RotateAuditKeyResponse {
            verifier_key: rotated.await?,
        }))
    }

    async fn create_backup(
        &self,
        request: Request<v1::CreateBackupRequest>,
    ) -> Result<Response<v1::CreateBackupResponse>, Status> {
        let call = call_of(request.extensions())?;
        let backup = act(&self.0, &call, |shared, caller| {
            let Some(directory) = &shared.settings.backup_directory else {
                // The engine says who may know that.
                shared.engine()?.life().status(caller)?;
                let mut denial = Denial::from(Reason::BackupFailed);
                denial.detail = "backup_directory is not configured".to_owned();
                return Err(denial);
            };
            let engine = shared.engine()?;
            // So that the last head is not far behind what the backup holds; should it fail, the log says so.
            drop(shared.keeper.heads().keep(&engine));
            Ok((
                directory.display().to_string(),
                engine.life().backup(caller, directory)?,
            ))
        });
        let (directory, done) = backup.await?;
        let backup = Backup {
            directory,
            bytes: done.bytes,
            audit_entries: done.entries,
        };
        Ok(Response::new(backup.into()))
    }
}

impl Custody {
    /// Proposes something about a version.
    async fn propose(
        &self,
        call: &Arc<Call>,
        kid: String,
        propose: impl FnOnce(&Life, &Caller, Kid) -> Result<ProposalView, Refusal> + Send + 'static,
    ) -> Result<v1::Proposal, Status> {
        let proposed = act(&self.0, call, move |shared, caller| {
            let kid = field::kid("kid", &kid)?;
            Ok(propose(shared.engine()?.live()?.life(), caller, kid)?)
        });
        Ok(view::proposal(&proposed.await?, self.0.origin()).into())
    }
}

/// What a custodian signed.
fn instructed(wire: Option<v1::SignedInstruction>) -> Result<Instructed, Denial> {
    let signed: SignedInstruction = field::message("instruction", wire)?;
    Ok(Instructed {
        object: signed.canonical,
        signature: signed.signature,
    })
}
