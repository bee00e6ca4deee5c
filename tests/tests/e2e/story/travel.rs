//! Promise 10: only what is needed travels. The command line talks to a recorder, which passes everything on to a
//! custodian.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use prost::Message;
use sluis_client::{Client, Config, Zeroizing};
use sluis_testkit_daemon::process::Sluis;
use sluis_testkit_daemon::scene::Scene;
use sluis_wire::v1;
use sluis_wire::v1::pseudonymisation_service_server::{
    PseudonymisationService, PseudonymisationServiceServer,
};
use sluis_wire::v1::registry_service_server::{RegistryService, RegistryServiceServer};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::{SOURCE_KEY, bsns, exits, json, source_key};
use crate::liar::server_tls;
use sluis_testkit_daemon::raw::Services;

const SOURCE: &str = "hospital-north/etl";

/// Writes down every request, headers too.
#[derive(Clone)]
struct Recorder {
    custodian: Client,
    seen: Arc<Mutex<Vec<u8>>>,
    batches: Arc<Mutex<Vec<v1::RecordBatch>>>,
}

impl Recorder {
    fn note(&self, bytes: &[u8]) {
        self.seen
            .lock()
            .expect("not poisoned")
            .extend_from_slice(bytes);
    }

    fn note_request(&self, request: &v1::PseudonymiseRequest) {
        self.note(&request.encode_to_vec());
        if let Some(v1::pseudonymise_request::Message::Batch(batch)) = &request.message {
            self.batches
                .lock()
                .expect("not poisoned")
                .push(batch.clone());
        }
    }
}

#[tonic::async_trait]
impl PseudonymisationService for Recorder {
    type PseudonymiseStream = Streaming<v1::PseudonymiseResponse>;

    async fn pseudonymise(
        &self,
        request: Request<Streaming<v1::PseudonymiseRequest>>,
    ) -> Result<Response<Self::PseudonymiseStream>, Status> {
        self.note(format!("{:?}", request.metadata()).as_bytes());
        let recorder = self.clone();
        let requests = request
            .into_inner()
            .map_while(Result::ok)
            .map(move |request| {
                recorder.note_request(&request);
                request
            });
        self.custodian
            .pseudonymisation()
            .pseudonymise(requests)
            .await
    }

    async fn pseudonymise_batch(
        &self,
        _: Request<v1::PseudonymiseBatchRequest>,
    ) -> Result<Response<v1::PseudonymiseBatchResponse>, Status> {
        Err(Status::unimplemented("not recorded"))
    }
}

#[tonic::async_trait]
impl RegistryService for Recorder {
    async fn list_chains(
        &self,
        request: Request<v1::ListChainsRequest>,
    ) -> Result<Response<v1::ListChainsResponse>, Status> {
        self.note(format!("{:?}", request.metadata()).as_bytes());
        self.note(&request.get_ref().encode_to_vec());
        self.custodian
            .registry()
            .list_chains(request.into_inner())
            .await
    }

    async fn apply_registry(
        &self,
        _: Request<v1::ApplyRegistryRequest>,
    ) -> Result<Response<v1::ApplyRegistryResponse>, Status> {
        Err(Status::unimplemented("not recorded"))
    }

    async fn get_registry(
        &self,
        _: Request<v1::GetRegistryRequest>,
    ) -> Result<Response<v1::GetRegistryResponse>, Status> {
        Err(Status::unimplemented("not recorded"))
    }
}

/// Starts a recorder before a custodian; where it listens.
async fn record(scene: &Scene) -> (Recorder, String) {
    let credentials = scene.pki.member(SOURCE);
    let key = Zeroizing::new(credentials.key_pem.into_bytes());
    let ca = scene.pki.ca_pem();
    let config = Config::new(
        scene.daemon().endpoint(),
        ca.into_bytes(),
        credentials.cert_pem.into_bytes(),
        key,
    );
    let custodian = Client::connect(config).await.expect("connects");
    let recorder = Recorder {
        custodian,
        seen: Arc::default(),
        batches: Arc::default(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let endpoint = format!(
        "https://localhost:{}",
        listener.local_addr().expect("bound").port()
    );
    let front = Front {
        data: PseudonymisationServiceServer::new(recorder.clone()),
        registry: RegistryServiceServer::new(recorder.clone()),
    };
    let server = Server::builder()
        .tls_config(server_tls(&scene.pki))
        .expect("usable");
    tokio::spawn(async move {
        server
            .serve_with_incoming(front, TcpListenerStream::new(listener))
            .await
    });
    (recorder, endpoint)
}

/// Both services of the recorder.
#[derive(Clone)]
struct Front {
    data: PseudonymisationServiceServer<Recorder>,
    registry: RegistryServiceServer<Recorder>,
}

impl Service<http::Request<Body>> for Front {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match request
            .uri()
            .path()
            .starts_with("/sluis.v1.RegistryService/")
        {
            true => self.registry.call(request),
            false => self.data.call(request),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_10_only_what_is_needed_travels() {
    const ROWS: usize = 40;
    let scene = Scene::start("");
    let (recorder, endpoint) = record(&scene).await;
    let key = source_key(&scene);
    let row = |(i, bsn): (usize, String)| {
        format!(
            "{bsn},marked{i}@mail.example,Marked Name {i},1961-07-{:02},98{i:02} QX,diagnosis-{i},2025-03-01,city-{i}\n",
            i % 28 + 1
        )
    };
    let rows: String = bsns().take(ROWS).enumerate().map(row).collect();
    let header = "bsn,email,name,birth_date,postcode,diagnosis,visit_date,city\n";
    let input = scene.write(
        "in.csv",
        format!(
            "{header}{rows}not-a-bsn-7731,marked@mail.example,N,1961-07-01,9877 QX,diagnosis-x,2025-03-01,city-x\n"
        ),
    );
    let output = scene.file("out.csv");
    let arguments = [
        "pseudonymise",
        &input,
        "--chain",
        "diabetes-study",
        "--source-key",
        &key,
        "-o",
        &output,
        "--json",
    ];
    let sluis = Sluis::of(&scene.pki, &endpoint, SOURCE);
    let answer = tokio::task::block_in_place(|| sluis.run(&arguments));
    exits(&answer, 3);
    assert_eq!(
        json(&String::from_utf8(answer.stdout).expect("text"))["written"],
        ROWS
    );

    let seen = recorder.seen.lock().expect("not poisoned").clone();
    let travelled = |text: &str| {
        seen.windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    let source_key: Vec<u8> = (0..32)
        .map(|i| u8::from_str_radix(&SOURCE_KEY[2 * i..2 * i + 2], 16).expect("hex"))
        .collect();
    for (i, bsn) in bsns().take(ROWS).enumerate() {
        assert!(
            travelled(&bsn) && travelled(&format!("Marked Name {i}")),
            "what must travel is in the recording"
        );
    }
    for stays in [
        "mail.example",
        "marked",
        "1961-07-",
        "1961",
        " QX",
        "diagnosis-",
        "city-",
        "60-69",
        SOURCE_KEY,
    ] {
        assert!(!travelled(stays), "{stays} travelled");
    }
    assert!(!seen.windows(32).any(|window| window == source_key));
    let batches = recorder.batches.lock().expect("not poisoned");
    assert!(!batches.is_empty());
    for batch in batches.iter() {
        let elements: Vec<_> = batch
            .columns
            .iter()
            .map(|column| column.element.as_str())
            .collect();
        assert_eq!(elements, ["bsn", "email", "name", "visit_date"]);
        let Some(v1::column::Form::Packed(packed)) = &batch.columns[1].form else {
            panic!("a packed column")
        };
        assert!(
            packed.lengths.iter().all(|length| *length == 32),
            "hashes instead of addresses"
        );
    }
}
