//! End to end: real mutual TLS on loopback, a real RocksDB, the same doors as users. One binary, so that RocksDB is
//! linked once. Tests named `promise_N_...` prove the promises listed in `ARCHITECTURE.md`.

mod durability;
mod faults;
mod leaks;
mod limits;
mod matrix;
mod refusals;
mod story;
mod tls;
mod tour;
