//! Key versions.

use sluis_domain::Kid;
use sluis_engine::{Expiring, Instructed, KeyState, VersionInfo};
use sluis_proto::v1;

use crate::status::Denial;

/// What is public about a version.
pub(crate) fn key_version(info: &VersionInfo) -> v1::KeyVersion {
    let state = match info.state {
        KeyState::Active => v1::KeyState::Active,
        KeyState::ConvertOnly => v1::KeyState::ConvertOnly,
        KeyState::Disabled => v1::KeyState::Disabled,
        KeyState::Destroyed => v1::KeyState::Destroyed,
    };
    v1::KeyVersion {
        kid: info.kid.to_string(),
        chain_id: info.chain.as_str().to_owned(),
        namespace_id: info
            .namespace
            .as_ref()
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default(),
        state: state.into(),
        generation: info.generation,
        created_at: info.created_at.to_string(),
        escrow: info.escrow,
    }
}

/// A chain past its retention.
pub(crate) fn expiring(expiring: &Expiring) -> v1::ExpiringChain {
    v1::ExpiringChain {
        chain_id: expiring.chain.as_str().to_owned(),
        retained_until: expiring.retained_until.to_string(),
        destroyed_at: expiring.destroyed_at.to_string(),
    }
}

/// What a custodian signed.
pub(crate) fn instructed(wire: Option<v1::SignedInstruction>) -> Result<Instructed, Denial> {
    let wire = wire.ok_or_else(|| Denial::field("instruction", "is required"))?;
    Ok(Instructed {
        object: wire.canonical.into(),
        signature: wire.signature.into(),
    })
}

/// Eight hexadecimal digits.
pub(crate) fn kid(field: &str, text: &str) -> Result<Kid, Denial> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let kid = digits
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
        .and_then(Kid::new);
    kid.ok_or_else(|| Denial::field(field, "must be eight hexadecimal digits, not all zero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_is_eight_hexadecimal_digits() {
        assert_eq!(kid("kid", "0000a1B2").map(Kid::get).ok(), Some(0xa1b2));
        for bad in [
            "",
            "00000000",
            "a1b2",
            "+0000001",
            "0000000000000001",
            "0000000g",
        ] {
            assert!(kid("kid", bad).is_err(), "{bad}");
        }
    }
}
