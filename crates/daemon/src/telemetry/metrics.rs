//! Metrics of one daemon. There is no global recorder, so that several daemons in one process keep theirs apart.

use std::collections::BTreeMap;
use std::time::Duration;

use ::metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{
    BuildError, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use sluis_domain::Rejection;
use sluis_engine::{Housekeeping, QuotaFill};
use sluis_port::Condition;

use crate::head::HeadState;
use crate::tls::Ending;

/// Buckets of durations, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0,
];

/// An operation on batches, as label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Pseudonymise.
    Pseudonymise,
    /// Convert.
    Convert,
    /// Re-identify.
    Reidentify,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pseudonymise => "pseudonymise",
            Self::Convert => "convert",
            Self::Reidentify => "reidentify",
        }
    }
}

/// Where the daemon counts.
pub(crate) struct Metrics(PrometheusRecorder);

impl Metrics {
    pub(crate) fn new() -> Result<Self, BuildError> {
        Ok(Self(
            PrometheusBuilder::new()
                .set_buckets(&SECONDS)?
                .build_recorder(),
        ))
    }

    /// For the listener.
    pub(crate) fn handle(&self) -> PrometheusHandle {
        self.0.handle()
    }

    /// A call has ended. `rpc` and `code` are from fixed sets.
    pub(crate) fn call(&self, rpc: &'static str, code: &'static str, took: Duration) {
        with_local_recorder(&self.0, || {
            counter!("sluis_requests_total", "rpc" => rpc, "code" => code).increment(1);
            histogram!("sluis_request_seconds", "rpc" => rpc).record(took);
        });
    }

    /// No one waited for the answer of a call any more.
    pub(crate) fn call_abandoned(&self) {
        with_local_recorder(&self.0, || {
            counter!("sluis_calls_abandoned_total").increment(1)
        });
    }

    /// A batch has been answered.
    pub(crate) fn batch(&self, operation: Operation, values: u64, rejections: &[Rejection]) {
        let operation = operation.as_str();
        with_local_recorder(&self.0, || {
            counter!("sluis_batches_total", "operation" => operation).increment(1);
            counter!("sluis_values_total", "operation" => operation).increment(values);
            for (reason, rows) in by_reason(rejections) {
                counter!("sluis_rejections_total", "operation" => operation, "reason" => reason)
                    .increment(rows);
            }
        });
    }

    /// What was due has been done.
    pub(crate) fn housekeeping(&self, done: &Housekeeping) {
        with_local_recorder(&self.0, || {
            counter!("sluis_retention_warnings_total").increment(done.warned.len() as u64);
            counter!("sluis_chains_destroyed_total").increment(done.destroyed.len() as u64);
            counter!("sluis_subjects_erased_total").increment(done.erased);
            gauge!("sluis_chains_expiring").set(done.expiring as f64);
        });
    }

    /// What was due could not be done.
    pub(crate) fn housekeeping_failed(&self) {
        with_local_recorder(&self.0, || {
            counter!("sluis_housekeeping_failures_total").increment(1)
        });
    }

    /// The clock jumped `forward` or `back`.
    pub(crate) fn clock_jumped(&self, direction: &'static str) {
        with_local_recorder(&self.0, || {
            counter!("sluis_clock_jumps_total", "direction" => direction).increment(1)
        });
    }

    /// A handshake has ended: `ok`, `failed`, `timeout`, `too-many-connections` or `too-many-of-address`.
    pub(crate) fn handshake(&self, outcome: &'static str) {
        with_local_recorder(&self.0, || {
            counter!("sluis_handshakes_total", "outcome" => outcome).increment(1)
        });
    }

    /// Files of TLS were read again: `changed` or `failed`.
    pub(crate) fn tls_reload(&self, outcome: &'static str) {
        with_local_recorder(&self.0, || {
            counter!("sluis_tls_reloads_total", "outcome" => outcome).increment(1)
        });
    }

    /// How long certificates and revocation lists are still valid.
    pub(crate) fn tls_days_left(&self, endings: Vec<(Ending, f64)>) {
        with_local_recorder(&self.0, || {
            for (ending, days) in endings {
                let what = ending.subject.as_str();
                gauge!("sluis_tls_days_left", "what" => what, "name" => ending.name).set(days);
            }
        });
    }

    /// A batch was refused because this limit of a quota or grant was reached.
    pub(crate) fn limit_reached(&self, limit: &'static str) {
        with_local_recorder(&self.0, || {
            counter!("sluis_quota_refusals_total", "limit" => limit).increment(1)
        });
    }

    /// How full the quotas are.
    pub(crate) fn quotas(&self, fills: Vec<QuotaFill>) {
        with_local_recorder(&self.0, || {
            for QuotaFill {
                chain,
                organisation,
                limit,
                ratio,
            } in fills
            {
                let (chain, organisation) = (chain.to_string(), organisation.to_string());
                gauge!("sluis_quota_fill_ratio", "chain" => chain, "organisation" => organisation, "limit" => limit)
                    .set(ratio);
            }
        });
    }

    /// What is so at the moment.
    pub(crate) fn state(&self, state: &State) {
        with_local_recorder(&self.0, || {
            gauge!("sluis_in_flight_bytes").set(state.in_flight_bytes as f64);
            gauge!("sluis_connections").set(state.connections as f64);
            gauge!("sluis_store_writable").set(f64::from(u8::from(state.writable)));
            if let Some(free) = state.store.free_bytes {
                gauge!("sluis_store_free_bytes").set(free as f64);
            }
            gauge!("sluis_store_least_free_bytes").set(state.store.least_free_bytes as f64);
            gauge!("sluis_store_unmerged_files").set(state.store.level0_files as f64);
            gauge!("sluis_store_stalled").set(f64::from(u8::from(state.store.stalled)));
            gauge!("sluis_store_background_errors").set(state.store.background_errors as f64);
            gauge!("sluis_audit_entries").set(state.audit_entries as f64);
            if let Some(head) = &state.head {
                gauge!("sluis_audit_head_size").set(head.size as f64);
                gauge!("sluis_audit_head_lag_seconds").set(head.lag.as_secs_f64());
                counter!("sluis_audit_head_failures_total").absolute(head.failures);
            }
            gauge!("sluis_sealed").set(f64::from(u8::from(state.sealed)));
            gauge!("sluis_draining").set(f64::from(u8::from(state.draining)));
        });
    }
}

/// Rows per reason.
fn by_reason(rejections: &[Rejection]) -> BTreeMap<&'static str, u64> {
    let mut rows = BTreeMap::new();
    for rejection in rejections {
        *rows.entry(rejection.reason.code()).or_default() += 1;
    }
    rows
}

/// Gauges.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) in_flight_bytes: usize,
    pub(crate) connections: usize,
    pub(crate) writable: bool,
    /// At the last look.
    pub(crate) store: Condition,
    pub(crate) sealed: bool,
    pub(crate) audit_entries: u64,
    /// None while sealed.
    pub(crate) head: Option<HeadState>,
    pub(crate) draining: bool,
}
