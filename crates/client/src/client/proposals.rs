//! Proposals.

use bytes::Bytes;
use sluis_domain::{NamespaceId, ProposalId};
use sluis_ledger::statement::Deed;
use sluis_wire::proposal::ProposalView;
use sluis_wire::{field, v1};

use crate::checked::{self, CheckedProposal};
use crate::{Client, ClientError};

impl Client {
    /// A proposal, and what it changes.
    ///
    /// # Errors
    /// The errors of the call, and [`ClientError::Invalid`] for a proposal that is not described as its canonical bytes
    /// say.
    pub async fn proposal(&self, id: &ProposalId) -> Result<CheckedProposal, ClientError> {
        let proposal_id = id.to_string();
        let request = v1::GetProposalRequest { proposal_id };
        let answer = self.proposal_service().get_proposal(request).await?;
        let view: ProposalView = field::message("proposal", answer.into_inner().proposal)?;
        if view.proposal.id != *id {
            return Err(ClientError::Protocol("an answer with another proposal"));
        }
        checked::proposal(view)
    }

    /// The proposals that concern the caller: those that are open, or `all`.
    ///
    /// # Errors
    /// The errors of the call, and as [`Self::proposal`].
    pub async fn list_proposals(&self, all: bool) -> Result<Vec<ProposalView>, ClientError> {
        let request = v1::ListProposalsRequest { all };
        let answer = self.proposal_service().list_proposals(request).await?;
        Ok(field::messages("proposals", answer.into_inner().proposals)?)
    }

    /// Signs a proposal that was shown, and sends the signature; gives the proposal after it.
    ///
    /// # Errors
    /// [`ClientError::Signing`] and the errors of the call.
    pub async fn sign_proposal(&self, shown: &ProposalView) -> Result<ProposalView, ClientError> {
        let deed = Deed::SignProposal;
        let request = v1::SignProposalRequest {
            proposal_id: shown.proposal.id.to_string(),
            signature: self.sign_about(deed, shown).await?,
        };
        let answer = self.proposal_service().sign_proposal(request).await?;
        Ok(field::message("proposal", answer.into_inner().proposal)?)
    }

    /// Signs and sends a no to a proposal that was shown; gives the proposal after it.
    ///
    /// # Errors
    /// [`ClientError::Signing`] and the errors of the call.
    pub async fn reject_proposal(&self, shown: &ProposalView) -> Result<ProposalView, ClientError> {
        let deed = Deed::RejectProposal;
        let request = v1::RejectProposalRequest {
            proposal_id: shown.proposal.id.to_string(),
            signature: self.sign_about(deed, shown).await?,
        };
        let answer = self.proposal_service().reject_proposal(request).await?;
        Ok(field::message("proposal", answer.into_inner().proposal)?)
    }

    async fn sign_about(&self, deed: Deed, shown: &ProposalView) -> Result<Bytes, ClientError> {
        let signature = self.sign(deed, &shown.origin, shown.proposal.bytes());
        Ok(signature.await?.into())
    }

    /// Proposes the erasure of a subject. `identifier` is prepared as for a batch.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn request_erasure(
        &self,
        namespace: &NamespaceId,
        identifier: Vec<u8>,
    ) -> Result<ProposalView, ClientError> {
        let request = v1::RequestErasureRequest {
            namespace_id: namespace.to_string(),
            identifier: identifier.into(),
        };
        let answer = self.subject_service().request_erasure(request).await?;
        Ok(field::message("proposal", answer.into_inner().proposal)?)
    }
}
