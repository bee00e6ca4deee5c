//! Generated wire types of package `sluis.v1` and its descriptor set. The contract is `proto/` itself.

/// Package `sluis.v1`.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod v1 {
    tonic::include_proto!("sluis.v1");
}

/// The encoded `FileDescriptorSet` of the package, for server reflection and for tests that walk every RPC.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
