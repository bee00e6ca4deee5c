//! The audit log as a transparency log: an RFC 6962 tree, C2SP tiles, checkpoints and signed notes.
//!
//! Pure: no files, no network, no clock, no keys. The keeper of the log appends to a [`Tree`], stores the tiles that it
//! hands out and signs its [`Checkpoint`]; anyone who doubts the log verifies with the same code.
//!
//! | module | what | source |
//! |---|---|---|
//! | [`hash`] | hashes of leaves and nodes | RFC 6962, section 2.1 |
//! | [`tree`] | the growing tree | RFC 6962; C2SP tlog-tiles |
//! | [`prove`] | proofs and old roots, from tiles | RFC 9162, sections 2.1.3.1 and 2.1.4.1 |
//! | [`verify`] | checking proofs | RFC 9162, sections 2.1.3.2 and 2.1.4.2 |
//! | [`tile`] | names of tiles and entry bundles | C2SP tlog-tiles |
//! | [`bundle`] | the bytes of an entry bundle | C2SP tlog-tiles |
//! | [`note`], [`VerifierKey`] | signed notes, and the keys that verify them | C2SP signed-note |
//! | [`checkpoint`] | signed heads | C2SP tlog-checkpoint |

pub mod bundle;
pub mod checkpoint;
pub mod hash;
pub mod note;
pub mod prove;
pub mod tile;
pub mod tree;
pub mod verify;

#[cfg(test)]
mod oracle;

pub use bundle::{BundleError, MAX_ENTRY_BYTES, decode_bundle, encode_bundle};
pub use checkpoint::{Checkpoint, CheckpointError, OpenError, OpenedCheckpoint};
pub use hash::{EMPTY_ROOT, HASH_BYTES, Hash, leaf_hash, node_hash};
pub use note::{Note, NoteError, NoteSignature};
pub use prove::{ProveError, Prover, TileSource};
pub use sluis_crypto::verifier_key::{KeyError, VerifierKey};
pub use tile::{Bundle, NameError, TILE_WIDTH, Tile};
pub use tree::{FullTile, Tree};
pub use verify::{VerifyError, verify_consistency, verify_inclusion};
