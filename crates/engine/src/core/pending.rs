//! Answers that wait for durability.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_channel::oneshot;
use sluis_domain::{BatchOutcome, Reason};
use sluis_port::{Completion, Receipt, StoreError};

use crate::Refusal;

/// What a batch did to the grant it ran under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charged {
    /// Values that were counted; 0 for a batch that was counted before.
    pub counted: u64,
    /// Values that remain after it.
    pub remaining: u64,
}

/// The outcome of a batch, handed out once its rows and audit entry are durable.
#[must_use = "the outcome is only known to be durable once awaited"]
pub struct Pending {
    outcome: BatchOutcome,
    charged: Option<Charged>,
    durable: oneshot::Receiver<Result<Receipt, StoreError>>,
}

impl Pending {
    /// The pending outcome, and the completion that resolves it.
    pub(crate) fn new(outcome: BatchOutcome, charged: Option<Charged>) -> (Self, Completion) {
        let (sender, durable) = oneshot::channel();
        let done: Completion = Box::new(move |result| drop(sender.send(result)));
        (
            Self {
                outcome,
                charged,
                durable,
            },
            done,
        )
    }

    /// What the batch did to its grant, if it ran under one.
    pub fn charged(&self) -> Option<Charged> {
        self.charged
    }
}

impl Future for Pending {
    type Output = Result<BatchOutcome, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.durable).poll(context));
        Poll::Ready(match result {
            Ok(Ok(_)) => Ok(std::mem::take(&mut self.outcome)),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Refusal::new(Reason::Internal, "the store dropped a commit")),
        })
    }
}
