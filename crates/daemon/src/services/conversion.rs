//! `ConversionService`.

use sluis_domain::{GrantId, RecordBatch};
use sluis_engine::{Caller, ConvertSession, Engine, Pending, Refusal, Turn};
use sluis_proto::v1;
use tonic::{Request, Response, Status, Streaming};
use v1::convert_request::Message as Incoming;
use v1::convert_response::Message as Outgoing;

use super::batches::{self, Answers, Data, Message};
use super::{Conversion, call_of, present};
use crate::convert;
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
            field: "grant_id",
            grant_id,
            from_imported,
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

/// A grant, the field that named it, and whether the values are imported old pseudonyms.
struct Open {
    field: &'static str,
    grant_id: String,
    from_imported: bool,
}

impl From<v1::ConvertOpen> for Open {
    fn from(open: v1::ConvertOpen) -> Self {
        Self {
            field: "open.grant_id",
            grant_id: open.grant_id,
            from_imported: open.from_imported,
        }
    }
}

impl Data for Convert {
    const OPERATION: Operation = Operation::Convert;
    const WRITES_ROWS: bool = true;
    type Request = v1::ConvertRequest;
    type Response = v1::ConvertResponse;
    type Open = Open;
    type Session = ConvertSession;

    fn message(request: Self::Request) -> Option<Message<Self::Open>> {
        request.message.map(|message| match message {
            Incoming::Open(open) => Message::Open(open.into()),
            Incoming::Batch(batch) => Message::Batch(batch),
        })
    }

    fn open(
        engine: &Engine,
        caller: &Caller,
        open: Self::Open,
    ) -> Result<(Self::Session, usize), Denial> {
        let grant: GrantId = convert::required(open.field, &open.grant_id)?;
        // A grant is for one element.
        Ok((engine.open_convert(caller, &grant, open.from_imported)?, 1))
    }

    fn opened(session: &Self::Session, limits: v1::StreamLimits) -> Self::Response {
        let opened = v1::ConvertOpened {
            remaining: session.remaining().values,
            limits: Some(limits),
            remaining_today: session.remaining().today,
        };
        v1::ConvertResponse {
            message: Some(Outgoing::Opened(opened)),
        }
    }

    fn submit(
        engine: &Engine,
        session: &Self::Session,
        turn: Turn,
        batch: RecordBatch,
    ) -> Result<Pending, Refusal> {
        engine.convert(session, turn, &batch)
    }

    fn result(result: v1::BatchResult) -> Self::Response {
        v1::ConvertResponse {
            message: Some(Outgoing::Result(result)),
        }
    }
}
