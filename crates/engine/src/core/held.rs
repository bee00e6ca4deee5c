//! Guards: a function that takes one can only be called while the lock is held.

use std::sync::{RwLockReadGuard, RwLockWriteGuard};

/// Proof that nothing that is in force changes in this process meanwhile, and that no batch is between its authorisation and the
/// store's queue.
pub(crate) struct Governing<'a> {
    _alone: RwLockWriteGuard<'a, ()>,
}

impl<'a> Governing<'a> {
    pub(super) fn new(alone: RwLockWriteGuard<'a, ()>) -> Self {
        Self { _alone: alone }
    }
}

/// Proof that nothing that is in force changes in this process meanwhile.
pub(crate) struct Steady<'a> {
    _shared: RwLockReadGuard<'a, ()>,
}

impl<'a> Steady<'a> {
    pub(super) fn new(shared: RwLockReadGuard<'a, ()>) -> Self {
        Self { _shared: shared }
    }
}
