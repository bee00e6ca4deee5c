//! The small files that an operator or a member names: certificates, private keys, revocation lists, secrets.
//!
//! Daemon and command line read them through this crate, so that both refuse the same things: a file that is a pipe, a
//! directory or a device ([`read`]), and a PEM file in which anything is left over ([`pem`]). No error shows what is in a
//! file.

mod certificate;
mod file;
pub mod pem;

pub use certificate::{Certificate, authorities, certificates, chain};
pub use file::{FileError, MAX_LIST_BYTES, MAX_PEM_BYTES, open, read};
