//! The channel to a custodian.

use std::sync::Arc;

use futures_util::StreamExt;
use sluis_domain::{ChainId, ElementName, GrantId};
use sluis_ledger::statement::{Deed, statement};
use sluis_wire::v1;
use sluis_wire::v1::audit_service_client::AuditServiceClient;
use sluis_wire::v1::conversion_service_client::ConversionServiceClient;
use sluis_wire::v1::custody_service_client::CustodyServiceClient;
use sluis_wire::v1::grant_service_client::GrantServiceClient;
use sluis_wire::v1::identity_service_client::IdentityServiceClient;
use sluis_wire::v1::proposal_service_client::ProposalServiceClient;
use sluis_wire::v1::pseudonymisation_service_client::PseudonymisationServiceClient;
use sluis_wire::v1::registry_service_client::RegistryServiceClient;
use sluis_wire::v1::reidentification_service_client::ReidentificationServiceClient;
use sluis_wire::v1::seal_service_client::SealServiceClient;
use sluis_wire::v1::subject_service_client::SubjectServiceClient;
use tonic::transport::Channel;

use crate::connect::connect;
use crate::session::{Answer, Opened, Session, requests};
use crate::{ClientError, Config, Signer, SigningError, TlsKey, checked};

/// Largest message in bytes that is read or written: more than any custodian accepts, so that its limits decide.
const MAX_MESSAGE: usize = 256 << 20;

/// A mutually authenticated channel to a custodian: one connection, which clones share.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    /// Callers that never sign may have keys of any kind.
    signer: Result<Arc<dyn Signer>, SigningError>,
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident -> $client:ident;)+) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> $client<Channel> {
            $client::new(self.channel.clone())
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE)
        }
    )+};
}

impl Client {
    /// Connects, with one handshake, and waits until the custodian has accepted the certificate. The connection is not
    /// made again when it is lost: connect a new client then.
    ///
    /// # Errors
    /// [`ClientError::Config`] and [`ClientError::Material`] for an unusable configuration, [`ClientError::Handshake`] if
    /// one side does not accept the other, [`ClientError::Transport`] if no connection came about.
    pub async fn connect(config: Config) -> Result<Self, ClientError> {
        // Two providers may be compiled in; without a default rustls would panic. An earlier default stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let key = TlsKey::from_pem(&config.key_pem);
        let channel = connect(&config).await?;
        Ok(Self {
            channel,
            signer: key.map(|key| Arc::new(key) as Arc<dyn Signer>),
        })
    }

    /// The same channel with another signer than the key of the client certificate.
    #[must_use]
    pub fn with_signer(self, signer: Arc<dyn Signer>) -> Self {
        Self {
            signer: Ok(signer),
            ..self
        }
    }

    services! {
        /// The audit log.
        audit -> AuditServiceClient;
        /// Conversion. [`Self::convert`] is the comfortable way.
        conversion -> ConversionServiceClient;
        /// Care of keys and store.
        custody -> CustodyServiceClient;
        /// Grants.
        grants -> GrantServiceClient;
        /// Who am I here?
        identity -> IdentityServiceClient;
        /// Proposals.
        proposals -> ProposalServiceClient;
        /// Pseudonymisation. [`Self::pseudonymise`] is the comfortable way.
        pseudonymisation -> PseudonymisationServiceClient;
        /// The registry.
        registry -> RegistryServiceClient;
        /// Re-identification. [`Self::reidentify`] is the comfortable way.
        reidentification -> ReidentificationServiceClient;
        /// Rights of subjects.
        subjects -> SubjectServiceClient;
        /// Sealing and unsealing.
        seal -> SealServiceClient;
    }

    /// What signs statements: the key of the client certificate, unless [`Self::with_signer`] gave another.
    ///
    /// # Errors
    /// [`ClientError::Signing`] if it is of a kind that signs no statements.
    pub fn signer(&self) -> Result<&dyn Signer, ClientError> {
        match &self.signer {
            Ok(signer) => Ok(&**signer),
            Err(error) => Err((*error).into()),
        }
    }

    /// Signs the statement of a deed about an object (its canonical bytes) at the custodian whose audit log has this
    /// origin.
    ///
    /// # Errors
    /// [`ClientError::Signing`].
    pub async fn sign(
        &self,
        deed: Deed,
        origin: &str,
        object: &[u8],
    ) -> Result<Vec<u8>, ClientError> {
        let statement = statement(deed, origin, object);
        Ok(self.signer()?.sign_statement(&statement).await?)
    }

    /// What the caller may know of a chain.
    ///
    /// # Errors
    /// The errors of the call and of [`checked::chain`]. `None` if the custodian shows no such chain to this caller.
    pub async fn chain(&self, chain: &ChainId) -> Result<Option<v1::Chain>, ClientError> {
        let request = v1::ListChainsRequest {
            chain_id: chain.to_string(),
        };
        let chains = self
            .registry()
            .list_chains(request)
            .await?
            .into_inner()
            .chains;
        chains
            .into_iter()
            .find(|found| found.chain_id == chain.as_str())
            .map(checked::chain)
            .transpose()
    }

    /// A grant.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn grant(&self, grant: &GrantId) -> Result<v1::Grant, ClientError> {
        let request = v1::GetGrantRequest {
            grant_id: grant.to_string(),
        };
        let response = self.grants().get_grant(request).await?.into_inner();
        response
            .grant
            .ok_or(ClientError::Protocol("an answer without its grant"))
    }

    /// Opens a stream that pseudonymises. `elements` are those of all columns the caller holds, also of those that stay
    /// with the caller.
    ///
    /// # Errors
    /// Those of the call.
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
    /// Those of the call.
    pub async fn import(
        &self,
        chain: &ChainId,
        elements: &[ElementName],
        element: &ElementName,
        column: &ElementName,
    ) -> Result<Session, ClientError> {
        let import = v1::Import {
            element: element.to_string(),
            column: column.to_string(),
        };
        self.submit(chain, elements, Some(import)).await
    }

    async fn submit(
        &self,
        chain: &ChainId,
        elements: &[ElementName],
        import: Option<v1::Import>,
    ) -> Result<Session, ClientError> {
        use v1::pseudonymise_request::Message;
        use v1::pseudonymise_response::Message as Response;
        // The column of old pseudonyms is not answered.
        let unanswered = usize::from(import.is_some());
        let open = v1::PseudonymiseOpen {
            chain_id: chain.to_string(),
            elements: elements.iter().map(ToString::to_string).collect(),
            deliver: v1::Delivery::Caller.into(),
            import,
        };
        let (batches, requests) = requests(
            v1::PseudonymiseRequest {
                message: Some(Message::Open(open)),
            },
            |batch| v1::PseudonymiseRequest {
                message: Some(Message::Batch(batch)),
            },
        );
        let responses = self
            .pseudonymisation()
            .pseudonymise(requests)
            .await?
            .into_inner();
        let answers = responses.map(|response| {
            Ok(response?.message.map(|message| match message {
                Response::Opened(opened) => Answer::Opened(Opened {
                    limits: limits_from(opened.limits),
                    remaining: None,
                    remaining_today: None,
                    registry_version: Some(opened.registry_version),
                }),
                Response::Result(result) => Answer::Result(result),
            }))
        });
        Session::open_with(batches, answers.boxed(), unanswered).await
    }

    /// Opens a stream that converts under a grant: batches with one column, that of the grant's from-element.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn convert(&self, grant: &GrantId) -> Result<Session, ClientError> {
        self.open_convert(grant, false).await
    }

    /// As [`Self::convert`], but the values are old pseudonyms that were imported into the chain converted from.
    ///
    /// # Errors
    /// Those of the call.
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
        let open = Message::Open(v1::ConvertOpen {
            grant_id: grant.to_string(),
            from_imported,
        });
        let (batches, requests) = requests(
            v1::ConvertRequest {
                message: Some(open),
            },
            |batch| v1::ConvertRequest {
                message: Some(Message::Batch(batch)),
            },
        );
        let responses = self.conversion().convert(requests).await?.into_inner();
        let answers = responses.map(|response| {
            Ok(response?.message.map(|message| match message {
                Response::Opened(opened) => Answer::Opened(Opened {
                    limits: limits_from(opened.limits),
                    remaining: Some(opened.remaining),
                    remaining_today: opened.remaining_today,
                    registry_version: None,
                }),
                Response::Result(result) => Answer::Result(result),
            }))
        });
        Session::open(batches, answers.boxed()).await
    }

    /// Opens a stream that re-identifies under a grant: batches with columns of the grant's elements.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn reidentify(&self, grant: &GrantId) -> Result<Session, ClientError> {
        use v1::reidentify_request::Message;
        use v1::reidentify_response::Message as Response;
        let open = Message::Open(v1::ReidentifyOpen {
            grant_id: grant.to_string(),
        });
        let (batches, requests) = requests(
            v1::ReidentifyRequest {
                message: Some(open),
            },
            |batch| v1::ReidentifyRequest {
                message: Some(Message::Batch(batch)),
            },
        );
        let responses = self
            .reidentification()
            .reidentify(requests)
            .await?
            .into_inner();
        let answers = responses.map(|response| {
            Ok(response?.message.map(|message| match message {
                Response::Opened(opened) => Answer::Opened(Opened {
                    limits: limits_from(opened.limits),
                    remaining: Some(opened.remaining),
                    remaining_today: opened.remaining_today,
                    registry_version: None,
                }),
                Response::Result(result) => Answer::Result(result),
            }))
        });
        Session::open(batches, answers.boxed()).await
    }
}

/// A custodian that states no limits gets small batches, one at a time.
fn limits_from(limits: Option<v1::StreamLimits>) -> v1::StreamLimits {
    let cautious = v1::StreamLimits {
        max_batch_rows: 1024,
        max_message_bytes: 1 << 20,
        max_batches_in_flight: 1,
    };
    limits.unwrap_or(cautious)
}
