//! What people decide: registry, grants, proposals.

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::proposing::Effects;

pub(crate) mod grants;
pub(crate) mod proposals;
pub(crate) mod registry;

/// Registry, grants and proposals.
pub struct Governance {
    core: Arc<Core>,
    /// What proposals about keys and subjects do.
    effects: Arc<dyn Effects>,
}

impl Governance {
    pub(crate) fn new(core: Arc<Core>, effects: Arc<dyn Effects>) -> Self {
        Self { core, effects }
    }
}

impl Deref for Governance {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}
