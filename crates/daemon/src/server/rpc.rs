//! Every RPC there is. What is not in this table does not exist: it is answered `UNIMPLEMENTED` and counted as
//! `unknown`, so that callers cannot make labels.

use sluis_ledger::audit::Act;

/// How an RPC is limited, logged and drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Batches.
    Data,
    /// All other services of Sluis.
    Other,
    /// Health and reflection.
    Infrastructure,
}

/// One RPC.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rpc {
    /// `/package.Service/Method`.
    pub(super) path: &'static str,
    /// `package.Service`.
    pub(super) service: &'static str,
    pub(super) class: Class,
}

impl Rpc {
    /// Whether the caller may send many messages.
    pub(super) fn streams(&self) -> bool {
        self.path
            .rsplit('/')
            .next()
            .is_some_and(|method| STREAMS.contains(&method))
    }

    /// Whether it is answered while the keyring is sealed.
    pub(super) fn is_about_the_seal(&self) -> bool {
        self.service == "sluis.v1.SealService"
    }

    /// The act a refusal of this RPC is recorded as; none for health, reflection and what does not exist.
    pub(super) fn act(&self) -> Option<Act> {
        let method = self
            .path
            .rsplit('/')
            .next()
            .filter(|_| self.class != Class::Infrastructure)?;
        Some(match method {
            "Pseudonymise" | "PseudonymiseBatch" => Act::Pseudonymise,
            "Convert" | "ConvertBatch" => Act::Convert,
            "Reidentify" | "ReidentifyBatch" => Act::Reidentify,
            "RequestGrant" => Act::RequestGrant,
            "ApproveGrant" => Act::ApproveGrant,
            "DenyGrant" => Act::DenyGrant,
            "RevokeGrant" => Act::RevokeGrant,
            "GetGrant" | "ListGrants" => Act::ReadGrants,
            "ApplyRegistry" => Act::Propose,
            "GetRegistry" | "ListChains" => Act::ReadRegistry,
            "SignProposal" => Act::SignProposal,
            "RejectProposal" => Act::RejectProposal,
            "GetProposal" | "ListProposals" => Act::ReadProposals,
            "GetStatus" | "GetSealStatus" => Act::ReadStatus,
            "Unseal" => Act::Unseal,
            "Seal" => Act::Seal,
            "RotateChain" => Act::RotateChain,
            "DisableVersion" => Act::DisableVersion,
            "CreateBackup" => Act::CreateBackup,
            "DestroyVersion" | "CutEscrow" | "RequestErasure" => Act::Propose,
            "RotateAuditKey" => Act::RotateAuditKey,
            "ReadEntries" => Act::ReadAudit,
            "GetCheckpoint" | "ProveInclusion" | "ProveConsistency" => Act::ReadHead,
            "WhoAmI" => Act::Admit,
            _ => return None,
        })
    }
}

/// Methods to which callers send streams.
const STREAMS: [&str; 4] = [
    "Pseudonymise",
    "Convert",
    "Reidentify",
    "ServerReflectionInfo",
];

/// What stands for everything that does not exist.
pub(super) static UNKNOWN: Rpc = Rpc {
    path: "unknown",
    service: "",
    class: Class::Other,
};

macro_rules! rpcs {
    ($($service:literal $class:ident [$($method:literal),+];)+) => {
        static RPCS: &[Rpc] = &[$($(
            Rpc { path: concat!("/", $service, "/", $method), service: $service, class: Class::$class },
        )+)+];
    };
}

rpcs! {
    "sluis.v1.PseudonymisationService" Data ["Pseudonymise", "PseudonymiseBatch"];
    "sluis.v1.ConversionService" Data ["Convert", "ConvertBatch"];
    "sluis.v1.ReidentificationService" Data ["Reidentify", "ReidentifyBatch"];
    "sluis.v1.GrantService" Other ["RequestGrant", "ApproveGrant", "DenyGrant", "RevokeGrant", "GetGrant", "ListGrants"];
    "sluis.v1.ProposalService" Other ["SignProposal", "RejectProposal", "GetProposal", "ListProposals"];
    "sluis.v1.RegistryService" Other ["ApplyRegistry", "GetRegistry", "ListChains"];
    "sluis.v1.CustodyService" Other ["GetStatus", "RotateChain", "DisableVersion", "CreateBackup", "DestroyVersion", "CutEscrow", "RotateAuditKey"];
    "sluis.v1.AuditService" Other ["GetCheckpoint", "ReadEntries", "ProveInclusion", "ProveConsistency"];
    "sluis.v1.IdentityService" Other ["WhoAmI"];
    "sluis.v1.SubjectService" Other ["RequestErasure"];
    "sluis.v1.SealService" Other ["GetSealStatus", "Unseal", "Seal"];
    "grpc.health.v1.Health" Infrastructure ["Check", "Watch", "List"];
    "grpc.reflection.v1.ServerReflection" Infrastructure ["ServerReflectionInfo"];
}

/// The RPC of a path.
pub(super) fn find(path: &str) -> Option<&'static Rpc> {
    RPCS.iter().find(|rpc| rpc.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn refusals_of_every_rpc_of_sluis_have_an_act() {
        for rpc in RPCS {
            assert_eq!(
                rpc.act().is_some(),
                rpc.class != Class::Infrastructure,
                "{}",
                rpc.path
            );
        }
        assert_eq!(UNKNOWN.act(), None);
    }

    /// As much of `google.protobuf.FileDescriptorSet` as is needed.
    #[derive(Clone, PartialEq, Message)]
    struct FileSet {
        #[prost(message, repeated, tag = "1")]
        files: Vec<File>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct File {
        #[prost(string, tag = "2")]
        package: String,
        #[prost(message, repeated, tag = "6")]
        services: Vec<Service>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Service {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(message, repeated, tag = "2")]
        methods: Vec<Method>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Method {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(bool, tag = "5")]
        client_streaming: bool,
    }

    #[test]
    fn streams_are_those_of_the_contract() {
        let set = FileSet::decode(sluis_wire::DESCRIPTOR_SET).expect("a descriptor set");
        for service in set.files.iter().flat_map(|file| &file.services) {
            for method in &service.methods {
                let path = format!("/sluis.v1.{}/{}", service.name, method.name);
                assert_eq!(
                    find(&path).expect("in the table").streams(),
                    method.client_streaming,
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn the_table_is_exactly_the_contract() {
        let set = FileSet::decode(sluis_wire::DESCRIPTOR_SET).expect("a descriptor set");
        let mut contract = Vec::new();
        for file in &set.files {
            for service in &file.services {
                contract.extend(
                    service
                        .methods
                        .iter()
                        .map(|m| format!("/{}.{}/{}", file.package, service.name, m.name)),
                );
            }
        }
        let mut table: Vec<_> = RPCS
            .iter()
            .map(|r| r.path.to_owned())
            .filter(|p| p.starts_with("/sluis."))
            .collect();
        contract.sort();
        table.sort();
        assert!(!contract.is_empty());
        assert_eq!(table, contract);
    }
}
