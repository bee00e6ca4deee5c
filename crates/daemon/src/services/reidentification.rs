//! `ReidentificationService`.

use sluis_domain::RecordBatch;
use sluis_engine::{Caller, Engine, Pending, Refusal, ReidentifySession, Turn};
use sluis_ledger::grant::Kind;
use sluis_wire::stream::{OpenUnderGrant, StreamLimits};
use sluis_wire::v1;
use tonic::{Request, Response, Status, Streaming};
use v1::reidentify_request::Message as Incoming;
use v1::reidentify_response::Message as Outgoing;

use super::batches::{self, Answers, Data, Message};
use super::{Reidentification, call_of, present};
use crate::status::Denial;
use crate::telemetry::Operation;

#[tonic::async_trait]
impl v1::reidentification_service_server::ReidentificationService for Reidentification {
    type ReidentifyStream = Answers<v1::ReidentifyResponse>;

    async fn reidentify(
        &self,
        request: Request<Streaming<v1::ReidentifyRequest>>,
    ) -> Result<Response<Self::ReidentifyStream>, Status> {
        let call = call_of(request.extensions())?;
        Ok(Response::new(batches::stream::<Reidentify>(
            &self.0,
            call,
            request.into_inner(),
        )))
    }

    async fn reidentify_batch(
        &self,
        request: Request<v1::ReidentifyBatchRequest>,
    ) -> Result<Response<v1::ReidentifyBatchResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::ReidentifyBatchRequest { grant_id, batch } = request.into_inner();
        let batch = present(&call, "batch", batch).await?;
        let open = Open {
            inside: None,
            wire: v1::ReidentifyOpen { grant_id },
        };
        let (result, remaining) = batches::unary::<Reidentify>(&self.0, &call, open, batch).await?;
        // Under a grant something always remains, if only nothing.
        let remaining = remaining.unwrap_or_default();
        Ok(Response::new(v1::ReidentifyBatchResponse {
            result: Some(result),
            remaining,
        }))
    }
}

struct Reidentify;

/// A grant, and the message that names it.
struct Open {
    inside: Option<&'static str>,
    wire: v1::ReidentifyOpen,
}

impl Data for Reidentify {
    const OPERATION: Operation = Operation::Reidentify;
    type Request = v1::ReidentifyRequest;
    type Response = v1::ReidentifyResponse;
    type Open = Open;
    type Session = ReidentifySession;

    fn message(request: Self::Request) -> Option<Message<Self::Open>> {
        request.message.map(|message| match message {
            Incoming::Open(open) => Message::Open(Open {
                inside: Some("open"),
                wire: open,
            }),
            Incoming::Batch(batch) => Message::Batch(batch),
        })
    }

    fn open(
        engine: &Engine,
        caller: &Caller,
        open: Self::Open,
    ) -> Result<(Self::Session, usize), Denial> {
        let Open { inside, wire } = open;
        let open = OpenUnderGrant::try_from(wire).map_err(|invalid| invalid.inside(inside))?;
        let grant = open.grant;
        let session = engine.batches().open_reidentify(caller, &grant)?;
        let columns = match &engine
            .governance()
            .get_grant(caller, &grant)?
            .record
            .grant
            .terms
            .kind
        {
            Kind::Reidentify { elements, .. } => elements.len(),
            Kind::Convert { .. } => 1,
        };
        Ok((session, columns))
    }

    fn opened(session: &Self::Session, limits: StreamLimits) -> Self::Response {
        let opened = v1::ReidentifyOpened {
            remaining: session.remaining().values,
            limits: Some(limits.into()),
            remaining_today: session.remaining().today,
        };
        v1::ReidentifyResponse {
            message: Some(Outgoing::Opened(opened)),
        }
    }

    fn writes_rows(_: &Self::Session) -> bool {
        false
    }

    fn submit(
        engine: &Engine,
        session: &Self::Session,
        turn: Turn,
        batch: RecordBatch,
    ) -> Result<Pending, Refusal> {
        engine.batches().reidentify(session, turn, &batch)
    }

    fn result(result: v1::BatchResult) -> Self::Response {
        v1::ReidentifyResponse {
            message: Some(Outgoing::Result(result)),
        }
    }
}
