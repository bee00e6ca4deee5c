//! Development only: clock, stores with faults, run-time certificates, in-process daemon.
