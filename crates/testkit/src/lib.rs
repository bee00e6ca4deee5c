//! Development only: clock, stores with faults, people, run-time certificates. Nothing here needs a daemon.

pub mod clock;
pub mod faulty_store;
pub mod identifiers;
mod keys;
pub mod model_store;
pub mod people;
pub mod pki;
pub mod registry;
pub mod store_contract;
