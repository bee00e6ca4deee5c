//! A job: one batch of one caller, with everything that it holds.
//!
//! A caller can go away at any moment, and what the transport kept for it is dropped then. The work is not: it waits in a
//! queue or runs on a thread. So whatever bounds the work is owned by the job, which travels with it, and is given back when
//! both the work is over and the answer has gone.

use std::sync::Arc;

use sluis_domain::Identity;
use sluis_engine::Engine;
use tokio::sync::OwnedSemaphorePermit;

use super::OpenEngine;
use super::call::Call;
use super::shares::Bytes;
use crate::status::Denial;

/// What one batch holds from reading until its work is over and its answer has gone.
pub(crate) struct Job {
    engine: OpenEngine,
    /// The slot of the call is held by the call.
    call: Arc<Call>,
    member: Identity,
    /// What of its stream it holds; none in a unary call.
    _of_stream: Option<OfStream>,
    bytes: Arc<Bytes>,
}

/// What a batch holds of its stream: one of the batches that may be in flight, and its part of the bytes that one stream may
/// hold.
pub(crate) struct OfStream {
    _slot: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl OfStream {
    pub(crate) fn new(slot: OwnedSemaphorePermit, bytes: OwnedSemaphorePermit) -> Self {
        Self {
            _slot: slot,
            _bytes: bytes,
        }
    }
}

impl Job {
    /// # Errors
    /// [`sluis_domain::Reason::NoIdentity`] for a caller that is no one.
    pub(crate) fn new(
        engine: OpenEngine,
        call: Arc<Call>,
        of_stream: Option<OfStream>,
        bytes: Bytes,
    ) -> Result<Self, Denial> {
        let member = call.caller()?.identity.clone();
        Ok(Self {
            engine,
            call,
            member,
            _of_stream: of_stream,
            bytes: Arc::new(bytes),
        })
    }

    /// Whose turn it takes.
    pub(crate) fn member(&self) -> &Identity {
        &self.member
    }

    /// How many bytes of the budget it holds.
    pub(crate) fn cost(&self) -> usize {
        self.bytes.amount()
    }

    /// What it holds of the budget.
    pub(crate) fn bytes(&self) -> Arc<Bytes> {
        self.bytes.clone()
    }

    /// The call it belongs to.
    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// Whether no one waits for it any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.call.is_gone()
    }

    /// The engine, unless the keyring was closed in the meantime.
    ///
    /// # Errors
    /// [`sluis_domain::Reason::Sealed`].
    pub(crate) fn engine(&self) -> Result<&Engine, Denial> {
        self.engine.live()
    }
}
