//! Development only: clock, stores with faults, run-time certificates, a custodian in one process, the real binaries.

pub mod clock;
pub mod custody;
pub mod faulty_store;
pub mod health;
pub mod identifiers;
pub mod metrics;
pub mod model_store;
pub mod people;
pub mod pki;
pub mod process;
pub mod registry;
pub mod scene;
pub mod small_disk;
pub mod store_contract;
pub mod wait;
pub mod world;
