//! Care of keys and store.

use sluis_domain::Kid;
use sluis_ledger::instruction::Instruction;
use sluis_wire::custody::{Backup, CustodyStatus, KeyVersion, SignedInstruction};
use sluis_wire::proposal::ProposalView;
use sluis_wire::seal::SealStatus;
use sluis_wire::{field, v1};

use super::parsed;
use crate::{Client, ClientError};

impl Client {
    /// The state of the custodian and its key versions.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn custody_status(&self) -> Result<CustodyStatus, ClientError> {
        let request = v1::GetStatusRequest {};
        parsed(self.custody_service().get_status(request).await?)
    }

    /// Signs an instruction with the key of the client certificate, for the custodian whose status was asked.
    ///
    /// # Errors
    /// [`ClientError::Signing`].
    pub async fn instruct(
        &self,
        status: &CustodyStatus,
        instruction: &Instruction,
    ) -> Result<SignedInstruction, ClientError> {
        let canonical = instruction.encode();
        let deed = instruction.task.deed();
        let signature = self.sign(deed, &status.origin, &canonical).await?;
        Ok(SignedInstruction {
            canonical,
            signature,
        })
    }

    /// Gives key lines new versions; gives those.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn rotate_chain(
        &self,
        signed: SignedInstruction,
    ) -> Result<Vec<KeyVersion>, ClientError> {
        let instruction = Some(signed.into());
        let request = v1::RotateChainRequest { instruction };
        let answer = self.custody_service().rotate_chain(request).await?;
        let versions = answer.into_inner().key_versions;
        Ok(field::messages("key_versions", versions)?)
    }

    /// Disables a key version; gives it.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn disable_version(
        &self,
        signed: SignedInstruction,
    ) -> Result<KeyVersion, ClientError> {
        let instruction = Some(signed.into());
        let request = v1::DisableVersionRequest { instruction };
        let answer = self.custody_service().disable_version(request).await?;
        let version = answer.into_inner().key_version;
        Ok(field::message("key_version", version)?)
    }

    /// Proposes the destruction of a key version.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn propose_destruction(&self, kid: Kid) -> Result<ProposalView, ClientError> {
        let kid = kid.to_string();
        let request = v1::DestroyVersionRequest { kid };
        let answer = self.custody_service().destroy_version(request).await?;
        Ok(field::message("proposal", answer.into_inner().proposal)?)
    }

    /// Proposes the end of the escrow of a key version.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn propose_cut(&self, kid: Kid) -> Result<ProposalView, ClientError> {
        let kid = kid.to_string();
        let request = v1::CutEscrowRequest { kid };
        let answer = self.custody_service().cut_escrow(request).await?;
        Ok(field::message("proposal", answer.into_inner().proposal)?)
    }

    /// Gives the log a new signing key; gives its verifier key.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn rotate_audit_key(&self, signed: SignedInstruction) -> Result<String, ClientError> {
        let instruction = Some(signed.into());
        let request = v1::RotateAuditKeyRequest { instruction };
        let answer = self.custody_service().rotate_audit_key(request).await?;
        Ok(answer.into_inner().verifier_key)
    }

    /// Makes a backup of the store.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn create_backup(&self) -> Result<Backup, ClientError> {
        let request = v1::CreateBackupRequest {};
        let answer = self.custody_service().create_backup(request).await?;
        Ok(answer.into_inner().into())
    }

    /// Whether the keyring is closed.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn seal_status(&self) -> Result<SealStatus, ClientError> {
        let request = v1::GetSealStatusRequest {};
        let answer = self.seal_service().get_seal_status(request).await?;
        Ok(answer.into_inner().into())
    }

    /// Presents a share, or with an empty one has the key fetched again.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn unseal(&self, share: &str) -> Result<SealStatus, ClientError> {
        let share = share.to_owned();
        let request = v1::UnsealRequest { share };
        let answer = self.seal_service().unseal(request).await?;
        Ok(field::present("status", answer.into_inner().status)?.into())
    }

    /// Closes the keyring.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn seal(&self) -> Result<SealStatus, ClientError> {
        let answer = self.seal_service().seal(v1::SealRequest {}).await?;
        Ok(field::present("status", answer.into_inner().status)?.into())
    }
}
