//! The channel to a custodian.

mod audit;
mod custody;
mod grants;
mod proposals;
mod registry;
mod streams;

use std::sync::Arc;

use sluis_ledger::statement::{Deed, statement};
use sluis_wire::Invalid;
use sluis_wire::identity::WhoAmI;
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
use tonic::Response;
use tonic::transport::Channel;

use crate::connect::connect;
use crate::{ClientError, Config, Signer, SigningError, TlsKey};

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
    ($($name:ident -> $client:ident;)+) => {$(
        fn $name(&self) -> $client<Channel> {
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
        audit_service -> AuditServiceClient;
        conversion_service -> ConversionServiceClient;
        custody_service -> CustodyServiceClient;
        grant_service -> GrantServiceClient;
        identity_service -> IdentityServiceClient;
        proposal_service -> ProposalServiceClient;
        pseudonymisation_service -> PseudonymisationServiceClient;
        registry_service -> RegistryServiceClient;
        reidentification_service -> ReidentificationServiceClient;
        subject_service -> SubjectServiceClient;
        seal_service -> SealServiceClient;
    }

    /// The channel itself, which clones share.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
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

    /// Who the custodian thinks the caller is.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn who_am_i(&self) -> Result<WhoAmI, ClientError> {
        let request = v1::WhoAmIRequest {};
        parsed(self.identity_service().who_am_i(request).await?)
    }
}

/// What an answer says.
fn parsed<T, M>(answer: Response<M>) -> Result<T, ClientError>
where
    T: TryFrom<M, Error = Invalid>,
{
    Ok(T::try_from(answer.into_inner())?)
}
