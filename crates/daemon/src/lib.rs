//! sluisd, the custodian's daemon: configuration, TLS, the services of the wire contract, and telemetry around
//! `sluis-engine`.
//!
//! [`Daemon::start`] runs a daemon over any store and clock; the binary adds the command line, RocksDB and the system's
//! clock. The way of a call: `server::listener` (TCP, TLS, HTTP/2) -> `server::call` (who, limits, log, metrics) ->
//! `services` (parse, ask the engine, answer) -> `convert` and `status` (the only places that know both wire and
//! domain).

mod clock;
pub mod commands;
pub mod config;
mod head;
mod journal;
mod kek;
pub mod process;
mod server;
mod services;
pub mod status;
pub mod telemetry;
mod terminal;
mod tls;

pub use clock::SystemClock;
pub use head::HeadFault;
pub use kek::KekFault;
pub use server::{Daemon, Running, StartError, Stopped};
pub use tls::{TlsError, Warnings};
