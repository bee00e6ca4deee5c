//! Grants.

use sluis_domain::GrantId;
use sluis_ledger::grant::{State, Terms};
use sluis_ledger::statement::Deed;
use sluis_wire::grant::GrantView;
use sluis_wire::{field, v1};

use crate::{Client, ClientError};

/// Grants of one page.
const PAGE: u32 = 1_000;

impl Client {
    /// Asks for a grant.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn request_grant(&self, terms: &Terms) -> Result<GrantView, ClientError> {
        let terms = Some(terms.into());
        let request = v1::RequestGrantRequest { terms };
        let answer = self.grant_service().request_grant(request).await?;
        Ok(field::message("grant", answer.into_inner().grant)?)
    }

    /// A grant.
    ///
    /// # Errors
    /// The errors of the call, and [`ClientError::Invalid`] for a grant that is not described as its canonical bytes
    /// say.
    pub async fn grant(&self, id: &GrantId) -> Result<GrantView, ClientError> {
        let grant_id = id.to_string();
        let request = v1::GetGrantRequest { grant_id };
        let answer = self.grant_service().get_grant(request).await?;
        let view: GrantView = field::message("grant", answer.into_inner().grant)?;
        if view.grant.id == *id {
            Ok(view)
        } else {
            Err(ClientError::Protocol("an answer with another grant"))
        }
    }

    /// The grants that the caller may see, in this state or in all.
    ///
    /// # Errors
    /// The errors of the calls, and as [`Self::grant`].
    pub async fn list_grants(&self, state: Option<State>) -> Result<Vec<GrantView>, ClientError> {
        let state = state.map_or(v1::GrantState::Unspecified, v1::GrantState::from);
        let mut grants = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListGrantsRequest {
                page_size: PAGE,
                page_token,
                state: state.into(),
            };
            let answer = self.grant_service().list_grants(request).await?;
            let page = answer.into_inner();
            grants.extend(field::messages::<GrantView, _>("grants", page.grants)?);
            if page.next_page_token.is_empty() {
                return Ok(grants);
            }
            page_token = page.next_page_token;
        }
    }

    /// Signs and sends a yes to a grant that was shown; gives the grant after it.
    ///
    /// # Errors
    /// [`ClientError::Signing`] and the errors of the call.
    pub async fn approve_grant(&self, shown: &GrantView) -> Result<GrantView, ClientError> {
        let request = v1::ApproveGrantRequest {
            grant_id: shown.grant.id.to_string(),
            digest: shown.grant.digest().to_vec().into(),
            signature: self.sign_grant(Deed::ApproveGrant, shown).await?.into(),
        };
        let answer = self.grant_service().approve_grant(request).await?;
        Ok(field::message("grant", answer.into_inner().grant)?)
    }

    /// Signs and sends a no to a grant that was shown; gives the grant after it.
    ///
    /// # Errors
    /// [`ClientError::Signing`] and the errors of the call.
    pub async fn deny_grant(&self, shown: &GrantView) -> Result<GrantView, ClientError> {
        let request = v1::DenyGrantRequest {
            grant_id: shown.grant.id.to_string(),
            signature: self.sign_grant(Deed::DenyGrant, shown).await?.into(),
        };
        let answer = self.grant_service().deny_grant(request).await?;
        Ok(field::message("grant", answer.into_inner().grant)?)
    }

    /// Signs and sends the end of a grant that was shown; gives the grant after it.
    ///
    /// # Errors
    /// [`ClientError::Signing`] and the errors of the call.
    pub async fn revoke_grant(&self, shown: &GrantView) -> Result<GrantView, ClientError> {
        let request = v1::RevokeGrantRequest {
            grant_id: shown.grant.id.to_string(),
            signature: self.sign_grant(Deed::RevokeGrant, shown).await?.into(),
        };
        let answer = self.grant_service().revoke_grant(request).await?;
        Ok(field::message("grant", answer.into_inner().grant)?)
    }

    async fn sign_grant(&self, deed: Deed, shown: &GrantView) -> Result<Vec<u8>, ClientError> {
        self.sign(deed, &shown.origin, shown.grant.bytes()).await
    }
}
