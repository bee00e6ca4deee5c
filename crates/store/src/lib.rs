//! RocksDB behind the `Store` port of `sluis-port`.
//!
//! The store sees sealed bytes only: no key and no plaintext ever comes in here. What it adds to RocksDB: the
//! rows as [`sluis_port::rows`] has them, commits that are conditional, grouped and synced (one writer thread), audit sequence
//! numbers without gaps, a refusal to go on after a failed write, on-line backup and [`restore`].

mod backup;
mod compaction;
mod database;
mod directory;
mod error;
mod mark;
mod options;
mod queue;
mod restore;
mod rocks;
mod space;
mod trouble;
mod verify;
mod writer;

pub use mark::Lost;
pub use options::Options;
pub use restore::{Restored, restore};
pub use rocks::RocksStore;
