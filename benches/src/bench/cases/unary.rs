//! Calls of one row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluis_testkit_daemon::raw::Services;
use sluis_wire::v1;
use sluis_wire::v1::pseudonymisation_service_client::PseudonymisationServiceClient;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;

use crate::custodian::SOURCE;
use crate::outcome::Outcome;
use crate::run::Run;
use crate::subjects::bsn;

/// Concurrent callers of `unary-64`.
const CALLERS: u64 = 64;
/// How long is measured.
const TIME: Duration = Duration::from_secs(5);
/// How long is called before that.
const WARM_UP: Duration = Duration::from_secs(1);

/// What some callers saw.
#[derive(Default)]
struct Calls {
    took: Vec<Duration>,
    refused: u64,
}

/// One caller, one call after another.
pub(crate) fn one_caller(run: &mut Run) -> Outcome {
    measure(run, 1)
}

/// Many callers of one member over one connection.
pub(crate) fn many_callers(run: &mut Run) -> Outcome {
    measure(run, CALLERS)
}

fn measure(run: &Run, callers: u64) -> Outcome {
    let client = run.runtime.block_on(run.custodian.client(SOURCE));
    let service = client.pseudonymisation();
    run.runtime.block_on(call(&service, callers, WARM_UP));
    let started = Instant::now();
    let (mut calls, cores) = run.observed(|| run.runtime.block_on(call(&service, callers, TIME)));
    let rate = calls.took.len() as f64 / started.elapsed().as_secs_f64();
    calls.took.sort_unstable();
    Outcome {
        values_per_second: Some(rate),
        p50_ms: Some(calls.percentile(50)),
        p99_ms: Some(calls.percentile(99)),
        refused: Some(calls.refused),
        includes: format!(
            "{callers} caller(s) of one member over one connection, calls of one row into bench-none, each with a durable audit \
             entry; {} s after a second that does not count; as many calls at once as the default limits admit, others wait",
            TIME.as_secs()
        ),
        ..Outcome::default()
    }
    .with_cores(cores)
}

async fn call(
    service: &PseudonymisationServiceClient<Channel>,
    callers: u64,
    time: Duration,
) -> Calls {
    let end = Instant::now() + time;
    let mut tasks = JoinSet::new();
    let service = Arc::new(service.clone());
    for caller in 0..callers {
        let service = service.clone();
        tasks.spawn(async move { caller_until((*service).clone(), caller, end).await });
    }
    let mut all = Calls::default();
    for calls in tasks.join_all().await {
        all.took.extend(calls.took);
        all.refused += calls.refused;
    }
    all
}

async fn caller_until(
    mut service: PseudonymisationServiceClient<Channel>,
    caller: u64,
    end: Instant,
) -> Calls {
    let mut calls = Calls::default();
    let mut number = caller;
    while Instant::now() < end {
        let started = Instant::now();
        let answer = service.pseudonymise_batch(request(number)).await;
        match answer {
            Ok(_) => calls.took.push(started.elapsed()),
            Err(status) if status.code() == Code::ResourceExhausted => calls.refused += 1,
            Err(status) => panic!("{status}"),
        }
        number += CALLERS;
    }
    calls
}

fn request(number: u64) -> v1::PseudonymiseBatchRequest {
    let value = bsn(number).to_vec().into();
    let column = v1::Column {
        element: "bsn".to_owned(),
        form: Some(v1::column::Form::Values(v1::Values {
            values: vec![value],
        })),
    };
    v1::PseudonymiseBatchRequest {
        open: Some(v1::PseudonymiseOpen {
            chain_id: "bench-none".to_owned(),
            elements: vec!["bsn".to_owned()],
            ..v1::PseudonymiseOpen::default()
        }),
        batch: Some(v1::RecordBatch {
            rows: 1,
            columns: vec![column],
            ..v1::RecordBatch::default()
        }),
    }
}

impl Calls {
    /// In milliseconds, of times that are sorted.
    fn percentile(&self, percent: usize) -> f64 {
        let place = (self.took.len() * percent).div_ceil(100).saturating_sub(1);
        let took = self.took.get(place).copied().unwrap_or_default();
        took.as_secs_f64() * 1_000.0
    }
}
