//! Logs and metrics. `docs/telemetry.md` lists all of them.
//!
//! Neither ever holds a value of a record: log lines are made of ids, codes, counts and durations only.

mod log;
mod metrics;
mod server;

pub use log::{LogError, init_log};
pub(crate) use metrics::{Metrics, Operation, State};
pub(crate) use server::MetricsServer;

#[cfg(test)]
mod tests;
