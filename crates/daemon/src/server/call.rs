//! One RPC from its first header to its last frame: who calls, under which request id, and how it ended. Every RPC
//! goes through [`handle::handle`]; nothing here is repeated in a handler.

pub(super) mod handle;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sluis_domain::{BatchOutcome, Identity, Reason};
use sluis_engine::Caller;
use sluis_ledger::audit::Act;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::Shared;
use super::rpc::{Class, Rpc};
use super::shares::{Bytes, Share};
use crate::status::{Denial, code_name};
use crate::telemetry::Operation;
use crate::tls::Peer;

/// One RPC. Everything that works for it holds it, and with it the slot that bounds how many there are: the slot is free when
/// the last work is over, not when the caller goes away.
pub(crate) struct Call {
    shared: Arc<Shared>,
    rpc: &'static Rpc,
    peer: Arc<Peer>,
    cut: CancellationToken,
    request_id: String,
    started: Instant,
    denied: OnceLock<Denial>,
    ended: OnceLock<Code>,
    batches: AtomicU64,
    values: AtomicU64,
    rejected: AtomicU64,
    slot: OnceLock<Share<Identity>>,
    held: OnceLock<Arc<Bytes>>,
    /// Cancelled when no one waits for the answer any more.
    gone: CancellationToken,
}

impl Call {
    /// Who calls.
    pub(crate) fn caller(&self) -> Result<&Caller, Denial> {
        self.peer.caller().ok_or(Denial::from(Reason::NoIdentity))
    }

    /// Whether the caller's certificate is still good; asked at every call and before every batch.
    pub(crate) fn check_certificate(&self) -> Result<(), Denial> {
        Ok(self.shared.tls.check(&self.peer)?)
    }

    /// Records how the call ends, and makes the answer. What the daemon itself refuses a caller is put into the audit
    /// log first; the engine has done so with its own refusals.
    pub(crate) async fn deny(&self, mut denial: Denial) -> Status {
        let act = denial.act.or(self.rpc.act());
        if let (false, Some(caller), Some(act)) = (denial.recorded, self.peer.caller(), act) {
            denial.reason = self.record(caller, act, denial.reason).await;
        }
        if matches!(
            denial.reason,
            Reason::ReadOnly
                | Reason::DiskFull
                | Reason::StoreStalled
                | Reason::OutcomeUnknown
                | Reason::CorruptStore
        ) {
            self.shared.health_changed.notify_one();
        }
        if denial.reason == Reason::BatchTooLarge {
            // It was read and walked before it was refused.
            self.note_used_up();
        }
        let status = denial.status();
        // The first denial of a call is the one that is answered.
        self.denied.get_or_init(|| denial);
        status
    }

    /// Puts a refusal on record if there is room for it; the reason to answer with.
    async fn record(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        // Most refusals of a caller that is refused again and again need no thread.
        if !self.shared.keeper.admits_refusal(caller, reason) {
            return reason;
        }
        let (shared, caller) = (self.shared.clone(), caller.clone());
        let recorded =
            tokio::task::spawn_blocking(move || shared.keeper.refuse(&caller, act, reason));
        recorded.await.unwrap_or(Reason::Internal)
    }

    /// Waits until the caller may do one more act that goes on record, if that is soon.
    ///
    /// # Errors
    /// [`Reason::RateLimited`].
    pub(crate) async fn take_act(&self, patience: Duration) -> Result<(), Denial> {
        let who = &self.caller()?.identity;
        let wait = self.shared.acts.book(who, Instant::now(), patience);
        match wait {
            Ok(Duration::ZERO) => Ok(()),
            Ok(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Err(wait) => Err(Denial::from(Reason::RateLimited).again_in(wait)),
        }
    }

    /// Whether the caller may try once more what was refused because it was used up or too large.
    ///
    /// # Errors
    /// [`Reason::RateLimited`].
    fn check_used_up(&self) -> Result<(), Denial> {
        let who = &self.caller()?.identity;
        let look = self.shared.used_up.look(who, Instant::now());
        look.map_err(|wait| Denial::from(Reason::RateLimited).again_in(wait))
    }

    /// Counts that the caller was refused something because it was used up or too large.
    pub(crate) fn note_used_up(&self) {
        if let Ok(caller) = self.caller() {
            // What is beyond the rate was refused before it was tried, unless it was tried at the same moment.
            let taken = self.shared.used_up.take(&caller.identity, Instant::now());
            taken.unwrap_or_default();
        }
    }

    /// Whether no one waits for the answer any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// Counts an answered batch.
    pub(crate) fn count(&self, operation: Operation, values: u64, outcome: &BatchOutcome) {
        self.batches.fetch_add(1, Relaxed);
        self.values.fetch_add(values, Relaxed);
        self.rejected
            .fetch_add(outcome.rejections.len() as u64, Relaxed);
        self.shared
            .metrics
            .batch(operation, values, &outcome.rejections);
    }

    /// Closes the caller's connection at once.
    pub(crate) fn cut_connection(&self) {
        tracing::warn!(
            request_id = self.request_id,
            rpc = self.rpc.path,
            "answers are read too slowly, connection cut"
        );
        self.cut.cancel();
    }

    /// Keeps bytes of the budget until the answer has gone.
    pub(crate) fn hold(&self, bytes: Arc<Bytes>) {
        // A unary call reserves once.
        self.held.get_or_init(|| bytes);
    }

    /// Records the status that the transport sends.
    pub(super) fn end(&self, code: Code) {
        // Only the first is sent.
        self.ended.get_or_init(|| code);
    }

    /// The code of metric and log: reason of a denial, else the name of the gRPC code; nothing sent is a caller that
    /// went away.
    fn code(&self) -> &'static str {
        match (self.denied.get(), self.ended.get()) {
            (Some(denial), _) => denial.reason.code(),
            (None, Some(code)) => code_name(*code),
            (None, None) => code_name(Code::Cancelled),
        }
    }

    fn log(&self) {
        let (organisation, member) = match self.peer.caller() {
            Some(caller) => (
                caller.identity.organisation.as_str(),
                caller.identity.member.as_str(),
            ),
            None => ("", ""),
        };
        let detail = self
            .denied
            .get()
            .map_or("", |denial| denial.detail.as_str());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.request_id,
                    rpc = self.rpc.path,
                    organisation,
                    member,
                    code = self.code(),
                    detail,
                    batches = self.batches.load(Relaxed),
                    values = self.values.load(Relaxed),
                    rejected = self.rejected.load(Relaxed),
                    duration_ms = self.started.elapsed().as_millis() as u64,
                    "call"
                )
            };
        }
        match (
            self.denied.get().map(|denial| denial.status().code()),
            self.rpc.class,
        ) {
            (Some(Code::Internal), _) => line!(error),
            (None, Class::Infrastructure) => line!(debug),
            _ => line!(info),
        }
    }
}

/// Someone waits for the answer of a call. Dropped with the answer's last frame, or when the caller goes away; jobs of the
/// call that have not begun never begin then.
pub(super) struct Awaited(Arc<Call>);

impl Drop for Awaited {
    fn drop(&mut self) {
        let call = &self.0;
        call.gone.cancel();
        if call.ended.get().is_none() {
            call.shared.metrics.call_abandoned();
        }
    }
}

/// The last of a call.
impl Drop for Call {
    fn drop(&mut self) {
        self.shared
            .metrics
            .call(self.rpc.path, self.code(), self.started.elapsed());
        self.log();
    }
}
