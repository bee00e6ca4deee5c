//! End to end: real mutual TLS on loopback, a real RocksDB, the same doors as users. One binary, so that RocksDB is
//! linked once. Tests named `promise_N_...` prove the promises listed in `ARCHITECTURE.md`.

mod audit;
mod durability;
mod faults;
mod governance;
mod hsm;
mod leaks;
mod liar;
mod life;
mod limits;
mod log;
mod matrix;
mod refusals;
mod seal;
mod story;
mod tls;
mod tour;
mod unsure;
