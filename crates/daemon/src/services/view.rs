//! What the engine shows, as the contract has it.

use sluis_engine::{Expiring, GrantView, KeyState, ProposalView, RegistryTexts, VersionInfo};
use sluis_wire::{custody, grant, proposal};

/// A grant as it stands.
pub(super) fn grant(view: &GrantView, origin: &str) -> grant::GrantView {
    grant::GrantView::new(&view.record, view.state, view.used, view.used_today, origin)
}

/// A proposal as it stands.
pub(super) fn proposal(view: &ProposalView, origin: &str) -> proposal::ProposalView {
    proposal::ProposalView::new(&view.record, view.state, origin)
}

/// The texts of a registry.
pub(super) fn texts(texts: RegistryTexts) -> proposal::RegistryTexts {
    proposal::RegistryTexts {
        proposed: texts.proposed,
        base: texts.base,
    }
}

/// What is public about a key version.
pub(super) fn key_version(info: &VersionInfo) -> custody::KeyVersion {
    custody::KeyVersion {
        kid: info.kid,
        chain: info.chain.clone(),
        namespace: info.namespace.clone(),
        state: match info.state {
            KeyState::Active => custody::KeyState::Active,
            KeyState::ConvertOnly => custody::KeyState::ConvertOnly,
            KeyState::Disabled => custody::KeyState::Disabled,
            KeyState::Destroyed => custody::KeyState::Destroyed,
        },
        generation: info.generation,
        created_at: info.created_at,
        escrow: info.escrow,
    }
}

/// A chain past its retention.
pub(super) fn expiring(expiring: &Expiring) -> custody::ExpiringChain {
    custody::ExpiringChain {
        chain: expiring.chain.clone(),
        retained_until: expiring.retained_until,
        destroyed_at: expiring.destroyed_at,
    }
}
