//! The services of the contract, message by message: for tests that send what the client would not, or look at what it hides.

use sluis_client::Client;
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

/// Largest message in bytes: more than any custodian accepts.
const MAX_MESSAGE: usize = 256 << 20;

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident -> $client:ident;)+) => {
        /// The services behind a client's channel.
        pub trait Services {
            $($(#[$doc])* fn $name(&self) -> $client<Channel>;)+
        }

        impl Services for Client {$(
            fn $name(&self) -> $client<Channel> {
                $client::new(self.channel())
                    .max_decoding_message_size(MAX_MESSAGE)
                    .max_encoding_message_size(MAX_MESSAGE)
            }
        )+}
    };
}

services! {
    /// The audit log.
    audit -> AuditServiceClient;
    /// Conversion.
    conversion -> ConversionServiceClient;
    /// Care of keys and store.
    custody -> CustodyServiceClient;
    /// Grants.
    grants -> GrantServiceClient;
    /// Who the caller is.
    identity -> IdentityServiceClient;
    /// Proposals.
    proposals -> ProposalServiceClient;
    /// Pseudonymisation.
    pseudonymisation -> PseudonymisationServiceClient;
    /// The registry.
    registry -> RegistryServiceClient;
    /// Re-identification.
    reidentification -> ReidentificationServiceClient;
    /// Rights of subjects.
    subjects -> SubjectServiceClient;
    /// Sealing and unsealing.
    seal_service -> SealServiceClient;
}
