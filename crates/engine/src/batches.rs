//! Batches of records: what becomes of their values, what they write, and what counts them.

use std::ops::Deref;
use std::sync::Arc;

use crate::core::Core;
use import::Imports;
use quota::Quotas;

pub(crate) mod convert;
mod delivery;
pub(crate) mod import;
pub(crate) mod pseudonymise;
pub(crate) mod quota;
pub(crate) mod reidentify;
mod rows;
mod shuffle;
mod tokens;
pub(crate) mod turn;
mod uses;

/// Batches of records: pseudonymise, convert, re-identify, import.
pub struct Batches {
    core: Arc<Core>,
    imports: Imports,
    quotas: Quotas,
}

impl Batches {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            imports: Imports::default(),
            quotas: Quotas::default(),
        }
    }
}

impl Deref for Batches {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}
