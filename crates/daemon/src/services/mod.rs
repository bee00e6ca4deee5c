//! The services of the contract, one file each. A handler parses, asks the engine, and answers; who calls, limits,
//! request ids, logs and metrics are the business of [`crate::server::Call`].

mod audit;
pub(crate) mod batches;
mod conversion;
mod custody;
mod grants;
mod identity;
mod proposals;
mod pseudonymisation;
mod registry;
mod reidentification;
mod seal;
mod subjects;
mod view;

use std::sync::Arc;

use sluis_engine::Caller;
use sluis_wire::field;
use tonic::{Extensions, Status};

use crate::server::{Call, Shared};
use crate::status::Denial;

macro_rules! services {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone)]
        pub(crate) struct $name(pub(crate) Arc<Shared>);
    )+};
}

services! {
    /// `PseudonymisationService`.
    Pseudonymisation;
    /// `ConversionService`.
    Conversion;
    /// `ReidentificationService`.
    Reidentification;
    /// `GrantService`.
    Governance;
    /// `ProposalService`.
    Proposals;
    /// `RegistryService`.
    Registers;
    /// `CustodyService`.
    Custody;
    /// `AuditService`.
    Audit;
    /// `IdentityService`.
    Identities;
    /// `SubjectService`.
    Subjects;
    /// `SealService`.
    Seals;
}

/// The call a request belongs to.
fn call_of(extensions: &Extensions) -> Result<Arc<Call>, Status> {
    let call = extensions.get::<Arc<Call>>();
    call.cloned()
        .ok_or_else(|| Denial::internal("a request came around the front door").status())
}

/// A message field that must be there.
async fn present<T>(call: &Call, field: &'static str, value: Option<T>) -> Result<T, Status> {
    match field::present(field, value) {
        Ok(value) => Ok(value),
        Err(invalid) => Err(call.deny(invalid.into()).await),
    }
}

/// Runs `work` off the I/O threads, as the caller, and turns its refusal into the answer.
async fn act<T: Send + 'static>(
    shared: &Arc<Shared>,
    call: &Arc<Call>,
    work: impl FnOnce(&Shared, &Caller) -> Result<T, Denial> + Send + 'static,
) -> Result<T, Status> {
    match blocking(shared, call, work).await {
        Ok(answer) => Ok(answer),
        Err(denial) => Err(call.deny(denial).await),
    }
}

/// As [`act`], without an answer yet. The work holds the call, and with it the call's slot: so many wait for a thread as there
/// are slots, however many callers went away. It does not begin when its caller has gone.
async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    call: &Arc<Call>,
    work: impl FnOnce(&Shared, &Caller) -> Result<T, Denial> + Send + 'static,
) -> Result<T, Denial> {
    let (shared, call) = (shared.clone(), call.clone());
    let done = tokio::task::spawn_blocking(move || {
        if call.is_gone() {
            return Err(Denial::internal("nobody waits for the answer"));
        }
        work(&shared, call.caller()?)
    });
    done.await
        .unwrap_or_else(|_| Err(Denial::internal("a job panicked")))
}
