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

pub use batch::Batch;
pub use certificate::Holder;
pub use client::Client;
pub use config::Config;
pub use credentials::{Material, authorities, own_chain};
pub use custody::instruction;
pub use date_format::{DateFormat, InvalidDateFormat};
pub use decimal_mark::{DecimalMark, InvalidDecimalMark};
pub use error::{ClientError, Refusal, Violation};
pub use prepare::{AsIs, Prepare, Prepared};
pub use session::{BatchReceiver, BatchSender, Session};
pub use signing::{Signer, Signing, SigningError, TlsKey};
pub use sluis_crypto::prehash::SourceKey;
pub use sluis_wire::Invalid;
pub use sluis_wire::audit::{Entries, EntryView, KeyUseView, LogHead};
pub use sluis_wire::batch::{BatchResult, Rejection};
pub use sluis_wire::chain::{ChainView, NamespaceView, checksum_word, input_word};
pub use sluis_wire::custody::{
    Backup, CustodyStatus, ExpiringChain, KeyState, KeyVersion, SignedInstruction,
};
pub use sluis_wire::grant::GrantView;
pub use sluis_wire::identity::{ChainRoles, WhoAmI};
pub use sluis_wire::proposal::{ProposalSignature, ProposalView, RegistryTexts};
pub use sluis_wire::registry::{Chains, ProposedRegistry, RegistryText};
pub use sluis_wire::seal::SealStatus;
pub use sluis_wire::stream::{Opened, StreamLimits};
pub use spelling::{Form, Spelling, Wanted};
pub use tonic::Code;
pub use zeroize::Zeroizing;
