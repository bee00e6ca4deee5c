//! Development only: clock, stores with faults, run-time certificates, in-process daemon.

pub mod clock;
pub mod faulty_store;
pub mod model_store;
pub mod pki;
pub mod store_contract;
