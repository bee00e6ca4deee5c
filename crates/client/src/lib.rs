//! The Rust client of Sluis.
//!
//! [`Client`] is a mutually authenticated channel to a custodian; [`Session`] a stream of record batches with
//! back-pressure; [`local`] the part of a chain's treatments that happens before anything is sent, so that the
//! custodian only sees what it must.

mod batch;
mod certificate;
pub mod checked;
mod client;
mod config;
mod connect;
mod credentials;
mod custody;
mod date_format;
mod decimal_mark;
mod error;
pub mod local;
mod prepare;
mod session;
mod signing;
mod spelling;

pub use batch::{Batch, BatchResult, Rejection};
pub use certificate::Holder;
pub use client::Client;
pub use config::Config;
pub use credentials::{Material, authorities, own_chain};
pub use custody::instruction;
pub use date_format::{DateFormat, InvalidDateFormat};
pub use decimal_mark::{DecimalMark, InvalidDecimalMark};
pub use error::{ClientError, Refusal, Violation};
pub use prepare::{AsIs, Prepare, Prepared};
pub use session::{BatchReceiver, BatchSender, Opened, Session};
pub use signing::{Signer, Signing, SigningError, TlsKey};
pub use sluis_crypto::prehash::SourceKey;
pub use sluis_wire::v1;
pub use spelling::{Form, Spelling, Wanted};
pub use tonic::Code;
pub use zeroize::Zeroizing;
