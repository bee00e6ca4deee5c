//! Streams of batches.

use futures_util::StreamExt;
use sluis_domain::{ChainId, ElementName, GrantId};
use sluis_wire::stream::{Import, OpenPseudonymise, OpenUnderGrant};
use sluis_wire::v1;

use crate::session::{Answer, Session, requests};
use crate::{Client, ClientError};

impl Client {
    /// Opens a stream that pseudonymises. `elements` are the elements of all columns the caller holds, also of the
    /// ones that stay with the caller.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn pseudonymise(
        &self,
        chain: &ChainId,
        elements: &[ElementName],
    ) -> Result<Session, ClientError> {
        self.submit(chain, elements, None).await
    }

    /// Opens a stream that imports an existing mapping while it pseudonymises: batches have, beside the chain's elements, a
    /// column named `column` (no element of the chain) with the old pseudonym of each row's subject in `element`. Results
    /// have no such column.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn import(
        &self,
        chain: &ChainId,
        elements: &[ElementName],
        element: &ElementName,
        column: &ElementName,
    ) -> Result<Session, ClientError> {
        let import = Import {
            element: element.clone(),
            column: column.clone(),
        };
        self.submit(chain, elements, Some(import)).await
    }

    async fn submit(
        &self,
        chain: &ChainId,
        elements: &[ElementName],
        import: Option<Import>,
    ) -> Result<Session, ClientError> {
        use v1::pseudonymise_request::Message;
        use v1::pseudonymise_response::Message as Response;
        // The column of old pseudonyms is not answered.
        let unanswered = usize::from(import.is_some());
        let open = OpenPseudonymise {
            chain: chain.clone(),
            elements: elements.to_vec(),
            to_recipient: false,
            import,
        };
        let (batches, requests) = requests(
            v1::PseudonymiseRequest {
                message: Some(Message::Open(open.into())),
            },
            |batch| v1::PseudonymiseRequest {
                message: Some(Message::Batch(batch)),
            },
        );
        let responses = self
            .pseudonymisation_service()
            .pseudonymise(requests)
            .await?
            .into_inner();
        let answers = responses.map(|response| {
            Ok(response?.message.map(|message| match message {
                Response::Opened(opened) => Answer::Opened(opened.into()),
                Response::Result(result) => Answer::Result(result),
            }))
        });
        Session::open_with(batches, answers.boxed(), unanswered).await
    }

    /// Opens a stream that converts under a grant: batches with one column, the one of the grant's from-element.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn convert(&self, grant: &GrantId) -> Result<Session, ClientError> {
        self.open_convert(grant, false).await
    }

    /// As [`Self::convert`], but the values are old pseudonyms that were imported into the chain converted from.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn convert_imported(&self, grant: &GrantId) -> Result<Session, ClientError> {
        self.open_convert(grant, true).await
    }

    async fn open_convert(
        &self,
        grant: &GrantId,
        from_imported: bool,
    ) -> Result<Session, ClientError> {
        use v1::convert_request::Message;
        use v1::convert_response::Message as Response;
        let open = OpenUnderGrant {
            grant: grant.clone(),
            from_imported,
        };
        let open = Message::Open(open.into());
        let (batches, requests) = requests(
            v1::ConvertRequest {
                message: Some(open),
            },
            |batch| v1::ConvertRequest {
                message: Some(Message::Batch(batch)),
            },
        );
        let responses = self
            .conversion_service()
            .convert(requests)
            .await?
            .into_inner();
        let answers = responses.map(|response| {
            Ok(response?.message.map(|message| match message {
                Response::Opened(opened) => Answer::Opened(opened.into()),
                Response::Result(result) => Answer::Result(result),
            }))
        });
        Session::open(batches, answers.boxed()).await
    }

    /// Opens a stream that re-identifies under a grant: batches with columns of the grant's elements.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn reidentify(&self, grant: &GrantId) -> Result<Session, ClientError> {
        use v1::reidentify_request::Message;
        use v1::reidentify_response::Message as Response;
        let open = OpenUnderGrant {
            grant: grant.clone(),
            from_imported: false,
        };
        let open = Message::Open(open.into());
        let (batches, requests) = requests(
            v1::ReidentifyRequest {
                message: Some(open),
            },
            |batch| v1::ReidentifyRequest {
                message: Some(Message::Batch(batch)),
            },
        );
        let responses = self
            .reidentification_service()
            .reidentify(requests)
            .await?
            .into_inner();
        let answers = responses.map(|response| {
            Ok(response?.message.map(|message| match message {
                Response::Opened(opened) => Answer::Opened(opened.into()),
                Response::Result(result) => Answer::Result(result),
            }))
        });
        Session::open(batches, answers.boxed()).await
    }
}
