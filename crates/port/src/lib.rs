//! Ports: what the engine needs from the outside world, as traits.

pub mod clock;
pub mod rows;
pub mod store;

pub use clock::Clock;
pub use store::{
    Commit, Completion, Condition, Expectation, Family, LogEnd, MAX_ENTRY, PackedRows, Range,
    Receipt, Recovered, Row, Store, StoreError, Write,
};
