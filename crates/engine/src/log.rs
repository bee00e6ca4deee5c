//! The audit log as others see it: heads, proofs, entries, and going on after a restore.

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use crate::core::journal::OptOutsBack;

mod entries;
pub(crate) mod head;
pub(crate) mod proofs;
pub(crate) mod restore;
mod rotation;
mod verification;

pub use entries::EntriesPage;

/// The audit log: heads, proofs, entries, restores.
pub struct LogKeeper {
    core: Arc<Core>,
    /// What brings opt-outs back after a restore.
    opt_outs: Arc<dyn OptOutsBack>,
}

impl LogKeeper {
    pub(crate) fn new(core: Arc<Core>, opt_outs: Arc<dyn OptOutsBack>) -> Self {
        Self { core, opt_outs }
    }
}

impl Deref for LogKeeper {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}
