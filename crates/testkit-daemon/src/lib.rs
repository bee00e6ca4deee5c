//! Development only: a custodian in one process, the real binaries as processes, a small disk.

pub mod channel;
pub mod custody;
pub mod health;
pub mod metrics;
pub mod process;
pub mod raw;
pub mod scene;
pub mod small_disk;
pub mod wait;
pub mod world;
