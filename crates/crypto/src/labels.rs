//! Every frozen label. A label is ASCII without terminator and is never reused with another meaning.
//!
//! | label | use |
//! |---|---|
//! | `sluis/1 link` | [`LINK`]: linked key, from a namespace's root |
//! | `sluis/1 unlinked` | [`UNLINKED`]: unlinked key, from the root of a (chain, namespace) version |
//! | `sluis/1 pseudonym` | [`PSEUDONYM`]: pseudonym key, from the same root |
//! | `sluis/1 index` | [`INDEX`]: escrow row index key, from the escrow root of a version |
//! | `sluis/1 link-seal` | [`LINK_SEAL`]: seal of link rows, from the escrow root |
//! | `sluis/1 identity-seal` | [`IDENTITY_SEAL`]: seal of identity rows, from the escrow root |
//! | `sluis/1 import` | [`IMPORT`]: index of import rows, from the escrow root |
//! | `sluis/1 import-seal` | [`IMPORT_SEAL`]: seal of import rows, from the escrow root |
//! | `sluis/1 import-index` | [`IMPORT_INDEX`]: names of the entries that lead from a mark to import rows, from the escrow root |
//! | `sluis/1 element` | [`ELEMENT`]: element key (followed by LP(element)), and first part of its associated data |
//! | `sluis/1 date-shift` | [`DATE_SHIFT`]: date-shift key, from a chain's root |
//! | `sluis/1 opt-out` | [`OPT_OUT`]: opt-out key, from a namespace's root |
//! | `sluis/1 prehash` | [`PREHASH`]: first part of the message hashed at the source |
//! | `sluis/1 key-check` | [`KEY_CHECK`]: key-check value of any key |
//! | `sluis/1 share-check` | [`SHARE_CHECK`]: check value of one share of a key-encryption key |
//! | `sluis/1 state-fingerprint` | [`STATE_FINGERPRINT`]: key of fingerprints of what must not be stored, from the state key |
//! | `sluis/1 log-end` | [`LOG_END`]: key of the chained MAC over all entries of the audit log, from the state key |

/// Linked key of a namespace.
pub const LINK: &[u8] = b"sluis/1 link";
/// Unlinked key of one version of a (chain, namespace) line.
pub const UNLINKED: &[u8] = b"sluis/1 unlinked";
/// Pseudonym key of one version of a (chain, namespace) line.
pub const PSEUDONYM: &[u8] = b"sluis/1 pseudonym";
/// Index key of one version's escrow.
pub const INDEX: &[u8] = b"sluis/1 index";
/// Link seal key of one version's escrow.
pub const LINK_SEAL: &[u8] = b"sluis/1 link-seal";
/// Identity seal key of one version's escrow.
pub const IDENTITY_SEAL: &[u8] = b"sluis/1 identity-seal";
/// Import key of one version's escrow.
pub const IMPORT: &[u8] = b"sluis/1 import";
/// Import seal key of one version's escrow.
pub const IMPORT_SEAL: &[u8] = b"sluis/1 import-seal";
/// Key of the index of import rows of one version's escrow; the custodian's own business, not part of the method.
pub const IMPORT_INDEX: &[u8] = b"sluis/1 import-index";
/// Element key, followed by LP(element); also the first part of an encrypted element's associated data.
pub const ELEMENT: &[u8] = b"sluis/1 element";
/// Date-shift key of a chain.
pub const DATE_SHIFT: &[u8] = b"sluis/1 date-shift";
/// Opt-out key of a namespace.
pub const OPT_OUT: &[u8] = b"sluis/1 opt-out";
/// First part of the message that a source hashes in prehash mode.
pub const PREHASH: &[u8] = b"sluis/1 prehash";
/// Key-check value.
pub const KEY_CHECK: &[u8] = b"sluis/1 key-check";
/// Check value of one share of a split key-encryption key; the custodian's own business, not part of the method.
pub const SHARE_CHECK: &[u8] = b"sluis/1 share-check";
/// Key of the fingerprints by which counted batches are recognised; the custodian's own business, not part of the method.
pub const STATE_FINGERPRINT: &[u8] = b"sluis/1 state-fingerprint";
/// Key of the MAC that says how the audit log ends; the custodian's own business, not part of the method.
pub const LOG_END: &[u8] = b"sluis/1 log-end";

#[cfg(test)]
mod tests;
