//! What escrow rows and import rows have in common.

use sluis_domain::NamespaceId;

use crate::lp::lp;

/// First byte of the value of a row.
pub const ROW_FORMAT: u8 = 0x01;
/// Length of a row key in bytes.
pub const ROW_KEY_LEN: usize = 20;

/// Writes the associated data of the row at `row_key`: format, key, namespace.
pub(crate) fn write_aad(aad: &mut Vec<u8>, namespace: &NamespaceId, row_key: &[u8; ROW_KEY_LEN]) {
    aad.clear();
    aad.push(ROW_FORMAT);
    aad.extend_from_slice(row_key);
    lp(aad, namespace.as_str().as_bytes());
}
