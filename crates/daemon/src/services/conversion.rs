//! `ConversionService`.

use sluis_domain::RecordBatch;
use sluis_engine::{Caller, ConvertSession, Engine, Pending, Refusal, Turn};
use sluis_wire::stream::{OpenUnderGrant, StreamLimits};
use sluis_wire::v1;
use tonic::{Request, Response, Status, Streaming};
use v1::convert_request::Message as Incoming;
use v1::convert_response::Message as Outgoing;

use super::batches::{self, Answers, Data, Message};
use super::{Conversion, call_of, present};
use crate::status::Denial;
use crate::telemetry::Operation;

#[tonic::async_trait]
impl v1::conversion_service_server::ConversionService for Conversion {
    type ConvertStream = Answers<v1::ConvertResponse>;

    async fn convert(
        &self,
        request: Request<Streaming<v1::ConvertRequest>>,
    ) -> Result<Response<Self::ConvertStream>, Status> {
        let call = call_of(request.extensions())?;
        Ok(Response::new(batches::stream::<Convert>(
            &self.0,
            call,
            request.into_inner(),
        )))
    }

    async fn convert_batch(
        &self,
        request: Request<v1::ConvertBatchRequest>,
    ) -> Result<Response<v1::ConvertBatchResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::ConvertBatchRequest {
            grant_id,
            batch,
            from_imported,
        } = request.into_inner();
        let batch = present(&call, "batch", batch).await?;
        let open = Open {
            inside: None,
            wire: v1::ConvertOpen {
                grant_id,
                from_imported,
            },
        };
        let (result, remaining) = batches::unary::<Convert>(&self.0, &call, open, batch).await?;
        // Under a grant something always remains, if only nothing.
        let remaining = remaining.unwrap_or_default();
        Ok(Response::new(v1::ConvertBatchResponse {
            result: Some(result),
            remaining,
        }))
    }
}

struct Convert;

/// A grant, and the message that names it.
struct Open {
    inside: Option<&'static str>,
    wire: v1::ConvertOpen,
}

impl Data for Convert {
    const OPERATION: Operation = Operation::Convert;
    type Request = v1::ConvertRequest;
    type Response = v1::ConvertResponse;
    type Open = Open;
    type Session = ConvertSession;

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
        // A grant is for one element.
        let session = engine
            .batches()
            .open_convert(caller, &open.grant, open.from_imported)?;
        Ok((session, 1))
    }

    fn opened(session: &Self::Session, limits: StreamLimits) -> Self::Response {
        let opened = v1::ConvertOpened {
            remaining: session.remaining().values,
            limits: Some(limits.into()),
            remaining_today: session.remaining().today,
        };
        v1::ConvertResponse {
            message: Some(Outgoing::Opened(opened)),
        }
    }

    fn writes_rows(session: &Self::Session) -> bool {
        session.writes_rows()
    }

    fn submit(
        engine: &Engine,
        session: &Self::Session,
        turn: Turn,
        batch: RecordBatch,
    ) -> Result<Pending, Refusal> {
        engine.batches().convert(session, turn, &batch)
    }

    fn result(result: v1::BatchResult) -> Self::Response {
        v1::ConvertResponse {
            message: Some(Outgoing::Result(result)),
        }
    }
}
