//! `PseudonymisationService`.

use sluis_domain::RecordBatch;
use sluis_engine::{Caller, Engine, Import, Pending, PseudonymiseSession, Refusal, Turn};
use sluis_wire::stream::{OpenPseudonymise, StreamLimits};
use sluis_wire::v1;
use tonic::{Request, Response, Status, Streaming};
use v1::pseudonymise_request::Message as Incoming;
use v1::pseudonymise_response::Message as Outgoing;

use super::batches::{self, Answers, Data, Message};
use super::{Pseudonymisation, call_of, present};
use crate::status::Denial;
use crate::telemetry::Operation;

#[tonic::async_trait]
impl v1::pseudonymisation_service_server::PseudonymisationService for Pseudonymisation {
    type PseudonymiseStream = Answers<v1::PseudonymiseResponse>;

    async fn pseudonymise(
        &self,
        request: Request<Streaming<v1::PseudonymiseRequest>>,
    ) -> Result<Response<Self::PseudonymiseStream>, Status> {
        let call = call_of(request.extensions())?;
        Ok(Response::new(batches::stream::<Pseudonymise>(
            &self.0,
            call,
            request.into_inner(),
        )))
    }

    async fn pseudonymise_batch(
        &self,
        request: Request<v1::PseudonymiseBatchRequest>,
    ) -> Result<Response<v1::PseudonymiseBatchResponse>, Status> {
        let call = call_of(request.extensions())?;
        let v1::PseudonymiseBatchRequest { open, batch } = request.into_inner();
        let open = present(&call, "open", open).await?;
        let batch = present(&call, "batch", batch).await?;
        let (result, _) = batches::unary::<Pseudonymise>(&self.0, &call, open, batch).await?;
        Ok(Response::new(v1::PseudonymiseBatchResponse {
            result: Some(result),
        }))
    }
}

struct Pseudonymise;

impl Data for Pseudonymise {
    const OPERATION: Operation = Operation::Pseudonymise;
    type Request = v1::PseudonymiseRequest;
    type Response = v1::PseudonymiseResponse;
    type Open = v1::PseudonymiseOpen;
    type Session = PseudonymiseSession;

    fn message(request: Self::Request) -> Option<Message<Self::Open>> {
        request.message.map(|message| match message {
            Incoming::Open(open) => Message::Open(open),
            Incoming::Batch(batch) => Message::Batch(batch),
        })
    }

    fn open(
        engine: &Engine,
        caller: &Caller,
        open: Self::Open,
    ) -> Result<(Self::Session, usize), Denial> {
        let open = OpenPseudonymise::try_from(open).map_err(|invalid| invalid.within("open"))?;
        let columns = open.columns();
        let (chain, elements) = (&open.chain, &open.elements);
        let to_recipient = open.to_recipient;
        let session = match open.import {
            Some(import) => {
                let import = Import {
                    element: import.element,
                    column: import.column,
                };
                engine
                    .batches()
                    .open_import(caller, chain, elements, to_recipient, import)?
            }
            None => engine
                .batches()
                .open_pseudonymise(caller, chain, elements, to_recipient)?,
        };
        Ok((session, columns))
    }

    fn opened(session: &Self::Session, limits: StreamLimits) -> Self::Response {
        let opened = v1::PseudonymiseOpened {
            registry_version: session.registry_version(),
            limits: Some(limits.into()),
        };
        v1::PseudonymiseResponse {
            message: Some(Outgoing::Opened(opened)),
        }
    }

    fn writes_rows(session: &Self::Session) -> bool {
        session.writes_rows()
    }

    // Under no grant, nothing counts that the order could change the answer of.
    fn submit(
        engine: &Engine,
        session: &Self::Session,
        _turn: Turn,
        batch: RecordBatch,
    ) -> Result<Pending, Refusal> {
        engine.batches().pseudonymise(session, &batch)
    }

    fn result(result: v1::BatchResult) -> Self::Response {
        v1::PseudonymiseResponse {
            message: Some(Outgoing::Result(result)),
        }
    }
}
