//! Who a caller is to a custodian.

use sluis_domain::{ChainId, GrantId, Identity, ProposalId, Timestamp};

use crate::{Invalid, field, v1};

/// Who a caller is, and what that gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WhoAmI {
    /// Organisation and member.
    pub identity: Identity,
    /// SHA-256 of the caller's certificate.
    pub certificate_fingerprint: [u8; 32],
    /// When it expires.
    pub certificate_not_after: Timestamp,
    /// Such as `custodian`, `steward`, `auditor`.
    pub roles: Vec<String>,
    /// The organisation's chains, and its roles in them.
    pub chains: Vec<ChainRoles>,
    /// Live grants of the organisation.
    pub live_grants: Vec<GrantId>,
    /// Grants that wait for this caller.
    pub awaiting_approval: Vec<GrantId>,
    /// Proposals that wait for this caller.
    pub awaiting_signature: Vec<ProposalId>,
    /// Whether the key of the caller's certificate is the one that is pinned for the caller.
    pub key_pinned: bool,
    /// Origin of the custodian's log.
    pub origin: String,
}

/// A chain and the roles of an organisation in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainRoles {
    /// Its id.
    pub chain: ChainId,
    /// Such as `owner`, `source`, `recipient`.
    pub roles: Vec<String>,
}

impl From<WhoAmI> for v1::WhoAmIResponse {
    fn from(me: WhoAmI) -> Self {
        let chains = me.chains.into_iter();
        Self {
            organisation_id: me.identity.organisation.to_string(),
            member: me.identity.member.to_string(),
            certificate_fingerprint: me.certificate_fingerprint.to_vec().into(),
            certificate_not_after: me.certificate_not_after.to_string(),
            roles: me.roles,
            chains: chains.map(v1::ChainRoles::from).collect(),
            live_grants: field::texts(me.live_grants),
            awaiting_approval: field::texts(me.awaiting_approval),
            origin: me.origin,
            awaiting_signature: field::texts(me.awaiting_signature),
            key_pinned: me.key_pinned,
        }
    }
}

impl From<ChainRoles> for v1::ChainRoles {
    fn from(of: ChainRoles) -> Self {
        Self {
            chain_id: of.chain.to_string(),
            roles: of.roles,
        }
    }
}

impl TryFrom<v1::WhoAmIResponse> for WhoAmI {
    type Error = Invalid;

    fn try_from(wire: v1::WhoAmIResponse) -> Result<Self, Invalid> {
        let fingerprint = &wire.certificate_fingerprint;
        let not_after = &wire.certificate_not_after;
        Ok(Self {
            identity: Identity {
                organisation: field::required("organisation_id", &wire.organisation_id)?,
                member: field::required("member", &wire.member)?,
            },
            certificate_fingerprint: field::digest("certificate_fingerprint", fingerprint)?,
            certificate_not_after: field::time("certificate_not_after", not_after)?,
            roles: wire.roles,
            chains: field::messages("chains", wire.chains)?,
            live_grants: field::each("live_grants", &wire.live_grants)?,
            awaiting_approval: field::each("awaiting_approval", &wire.awaiting_approval)?,
            awaiting_signature: field::each("awaiting_signature", &wire.awaiting_signature)?,
            key_pinned: wire.key_pinned,
            origin: wire.origin,
        })
    }
}

impl TryFrom<v1::ChainRoles> for ChainRoles {
    type Error = Invalid;

    fn try_from(wire: v1::ChainRoles) -> Result<Self, Invalid> {
        Ok(Self {
            chain: field::required("chain_id", &wire.chain_id)?,
            roles: wire.roles,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> WhoAmI {
        WhoAmI {
            identity: "o/m".parse().expect("an identity"),
            certificate_fingerprint: [7; 32],
            certificate_not_after: Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"),
            roles: vec!["steward".to_owned()],
            chains: vec![ChainRoles {
                chain: "c".parse().expect("an id"),
                roles: vec!["owner".to_owned()],
            }],
            live_grants: vec!["g-1".parse().expect("an id")],
            awaiting_approval: vec!["g-2".parse().expect("an id")],
            awaiting_signature: vec!["p-1".parse().expect("an id")],
            key_pinned: true,
            origin: "example.org/1".to_owned(),
        }
    }

    #[test]
    fn it_survives_the_way_out_and_in() {
        assert_eq!(WhoAmI::try_from(v1::WhoAmIResponse::from(me())), Ok(me()));
    }

    #[test]
    fn errors_name_the_field() {
        type Break = fn(&mut v1::WhoAmIResponse);
        let cases: [(Break, &str); 8] = [
            (|w| w.organisation_id.clear(), "organisation_id"),
            (|w| w.member.clear(), "member"),
            (
                |w| w.certificate_fingerprint = vec![7; 31].into(),
                "certificate_fingerprint",
            ),
            (|w| w.certificate_not_after.clear(), "certificate_not_after"),
            (|w| w.chains[0].chain_id.clear(), "chains[0].chain_id"),
            (|w| w.live_grants[0].clear(), "live_grants[0]"),
            (|w| w.awaiting_approval[0].clear(), "awaiting_approval[0]"),
            (|w| w.awaiting_signature[0].clear(), "awaiting_signature[0]"),
        ];
        for (break_it, field) in cases {
            let mut wire = v1::WhoAmIResponse::from(me());
            break_it(&mut wire);
            assert_eq!(WhoAmI::try_from(wire).expect_err(field).field, field);
        }
    }
}
