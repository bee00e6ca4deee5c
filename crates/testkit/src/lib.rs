//! Development only: clock, stores with faults, run-time certificates, a custodian in one process, the real binaries.

pub mod clock;
pub mod faulty_store;
pub mod identifiers;
pub mod model_store;
pub mod people;
pub mod pki;
pub mod process;
pub mod registry;
pub mod scene;
pub mod store_contract;
pub mod world;
