//! The contract `sluis.v1` as code, and every conversion between its messages and values of Sluis, in both directions.
//! The contract itself is `proto/`.
//!
//! A message is parsed once, with `TryFrom`; [`Invalid`] names the field that is wrong as the contract does, and never
//! quotes what is in it. What has no type in `domain` or `ledger` because it is only told (how a grant stands, what a
//! member sees of a chain) is a plain type here.

pub mod audit;
pub mod batch;
pub mod chain;
pub mod custody;
pub mod field;
pub mod grant;
pub mod identity;
pub mod proposal;
pub mod registry;
pub mod seal;
pub mod stream;

mod invalid;

pub use invalid::Invalid;

/// Package `sluis.v1`.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod v1 {
    tonic::include_proto!("sluis.v1");
}

/// The encoded `FileDescriptorSet` of the package, for server reflection and for tests that walk every RPC.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
