//! The bytes in the store. A contract: what is declared here is on disks for years.
//!
//! Integers are big-endian. The first byte of every value is its format; this version knows format `0x01` in every
//! family but `audit`, whose entries have format `0x03`. A row of an unknown format, or of the wrong size, is corrupt:
//! it is refused, never skipped or guessed.
//!
//! *Sealed* values are values under the state key (`sluis_keyring::StateSeal`): `0x01`, then the generation and what
//! the last column says, encrypted and bound to family and key.
//!
//! | family | key | value |
//! |---|---|---|
//! | `keyring` (1) | role (1), then by role: namespace, chain, kid (4), generation (4) or nothing | `0x01`, then wrapped by the keyring, which documents it (`sluis_keyring`, `entry.rs`) |
//! | `registry` (2) | version (8) | sealed: the text; generation is the version |
//! | `grants` (3) | `b`, LP(grant), keyed digest of the batch id (32) | sealed: keyed digest of the content (32); generation 1 |
//! | | `c`, grant | sealed: values used (8), last forgotten day (4), then for each run of days: first (4), last (4), values of the last (8); generation grows by one with every batch |
//! | | `d`, SHA-256 of a proposal (32) | sealed: its id; only of one that has ended; generation as in its row |
//! | | `e`, grant | sealed: its record, of one that has ended and left memory; generation is the number of entries of the log with the one that ended it |
//! | | `f`, proposal | as `e` |
//! | | `g` and `p` | reserved: grants and proposals, before the log alone held them |
//! | | `l`, chain | sealed: when the warning was given, and of which end of the retention (8 + 8 milliseconds); generation 1 |
//! | | `t`, proposal | sealed: the registry text that is proposed, while it is open; generation 1 |
//! | `link` (4) | kid (4), index I (16): 20 bytes | `0x01`, masked link value (16): 17 bytes |
//! | `identity` (5) | as `link` | `0x01`, nonce (24), ciphertext (1 or more), tag (16) |
//! | `optout` (6) | `c`, family (1), LP(from), LP(to) | sealed: when the range may be rewritten (8 milliseconds); generation 1 |
//! | | `j`, due (8), LP(chain), LP(namespace), random (16) | sealed: L of a subject that is to be erased (16); generation 1 |
//! | | `m`, LP(namespace), keyed digest of the mark (32) | sealed: the mark (16); generation 1 |
//! | | `r`, proposal | sealed: L of the presented subject (16), while it is open; generation 1 |
//! | `alias` (7) | reserved | reserved: rows are refused |
//! | `import` (8) | kid (4), index of the old pseudonym (16): 20 bytes | `0x01`, nonce (24), sealed link value (16), tag (16): 57 bytes |
//! | `audit` (9) | sequence u64 (8) | canonical audit entry; `0x03` is its version |
//! | `meta` (10) | `format` | `0x01`, store format u32: 5 bytes |
//! | | `bulk-tables` | `0x01`, then of each table its family (1) and LP(name): tables that RocksDB takes in after this row was written |
//! | | `log-end` | `0x01`, number of entries u64, MAC 32: how the audit log ends |
//! | | `epoch` | `0x01`, number u64: moved on by every governed act |
//! | | `store-id` | `0x01`, random (16): 17 bytes; made once, kept by backup and restore |
//! | | `kek` | `0x01`, then as the keyring documents it (`kek/record.rs`) |
//! | | `log-origin` | `0x01`, the origin of the log; made once |
//! | | `handover/`, generation (4) | `0x01`, the checkpoint that handed trust over to that signing key, signed by it and the one before |
//! | | `restore-nonce` | `0x01`, random (16); from the request of a restore to its acceptance |
//! | `tree` (11) | level (1), index u64 (8): 9 bytes | `0x01`, 256 hashes of 32 bytes: 8,193 bytes |
//! | `quota` (12) | `s`, LP(chain), LP(source) | sealed: the counts of some days; generation grows by one with every batch |
//! | `import-index` (13) | kid (4), bucket (2), name of the entry (16): 22 bytes | `0x01`, nonce (24), sealed index of an `import` row (16), tag (16): 57 bytes |
//!
//! Each family is a RocksDB column family of that name; its number is in [`Family`] and frozen. RocksDB's own family
//! `default` is there and stays empty. The file `sluis.lock` beside RocksDB's files is empty and is locked while a
//! process has the store open.

mod keys;

pub use keys::*;

use crate::store::{Family, MAX_ENTRY, StoreError};

/// The store format this version writes and knows. Format 1 was used before the audit log was signed, format 2
/// before imported mappings had an index, format 3 before entries of the log had salts, format 4 before they were typed and the end
/// of the log had a row.
pub const STORE_FORMAT: u32 = 5;
/// First byte of every value but an audit entry.
pub const VALUE_FORMAT: u8 = 0x01;
/// First byte of an audit entry.
pub const ENTRY_FORMAT: u8 = 0x03;
/// Bytes of a value of `import`.
pub const IMPORT_VALUE_BYTES: usize = 57;
/// Bytes of a key of `import-index`.
pub const IMPORT_INDEX_KEY_BYTES: usize = 22;
/// Bytes of a key of `tree`.
pub const TREE_KEY_BYTES: usize = 9;
/// Bytes of a value of `tree`.
pub const TREE_VALUE_BYTES: usize = 8_193;
/// Bytes of a kid.
pub const KID_BYTES: usize = 4;
/// Bytes of the index I of a pseudonym.
pub const INDEX_BYTES: usize = 16;
/// Bytes of a key of `link` and of `identity`.
pub const LINK_KEY_BYTES: usize = 20;
/// Bytes of a value of `link`.
pub const LINK_VALUE_BYTES: usize = 17;
/// Bytes of a value of `identity` apart from the ciphertext.
pub const IDENTITY_OVERHEAD_BYTES: usize = 41;
/// Bytes of a key of `audit`.
pub const AUDIT_KEY_BYTES: usize = 8;
/// Bytes of the store id.
pub const STORE_ID_BYTES: usize = 16;
/// Key of the store format in `meta`.
pub const META_FORMAT: &[u8] = b"format";
/// Key of the store id in `meta`.
pub const META_STORE_ID: &[u8] = b"store-id";

const _: () = {
    assert!(LINK_KEY_BYTES == KID_BYTES + INDEX_BYTES);
    assert!(LINK_VALUE_BYTES == 1 + INDEX_BYTES);
    assert!(IDENTITY_OVERHEAD_BYTES == 1 + 24 + 16);
    assert!(AUDIT_KEY_BYTES == size_of::<u64>());
    assert!(STORE_ID_BYTES == 16);
    assert!(IMPORT_VALUE_BYTES == 1 + 24 + 16 + 16);
    assert!(IMPORT_INDEX_KEY_BYTES == KID_BYTES + 2 + 16);
    assert!(TREE_VALUE_BYTES == 1 + 256 * 32);
};

/// The sequence number in a key of `audit`.
///
/// # Errors
/// [`StoreError::Corrupt`] unless the key has 8 bytes.
pub fn audit_sequence(key: &[u8]) -> Result<u64, StoreError> {
    key.try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| misfit(Family::Audit))
}

/// The value of the store format.
pub fn format_value(format: u32) -> Vec<u8> {
    [&[VALUE_FORMAT][..], &format.to_be_bytes()].concat()
}

/// Checks the value of the store format.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is not [`STORE_FORMAT`].
pub fn check_format(value: &[u8]) -> Result<(), StoreError> {
    let format = match value.split_first() {
        Some((&VALUE_FORMAT, format)) => format
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| misfit(Family::Meta))?,
        _ => return Err(misfit(Family::Meta)),
    };
    if format == STORE_FORMAT {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "the store has format {format}, and this version of sluisd knows only format {STORE_FORMAT}"
    )))
}

/// The value of the store id.
pub fn store_id_value(id: &[u8; STORE_ID_BYTES]) -> Vec<u8> {
    [&[VALUE_FORMAT][..], id].concat()
}

/// Reads the value of the store id.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is anything else.
pub fn store_id(value: &[u8]) -> Result<[u8; STORE_ID_BYTES], StoreError> {
    match value.split_first() {
        Some((&VALUE_FORMAT, id)) => id.try_into().map_err(|_| misfit(Family::Meta)),
        _ => Err(misfit(Family::Meta)),
    }
}

/// Checks that a row has the layout of its family; done with every row that is written and every row that is read.
///
/// # Errors
/// [`StoreError::Corrupt`]; it names the family only.
pub fn check_row(family: Family, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let sizes_fit = match family {
        Family::Link => key.len() == LINK_KEY_BYTES && value.len() == LINK_VALUE_BYTES,
        Family::Identity => key.len() == LINK_KEY_BYTES && value.len() > IDENTITY_OVERHEAD_BYTES,
        // A longer one could never be bundled, so no one could verify the log again.
        Family::Audit => key.len() == AUDIT_KEY_BYTES && value.len() <= MAX_ENTRY,
        Family::Import => key.len() == LINK_KEY_BYTES && value.len() == IMPORT_VALUE_BYTES,
        Family::ImportIndex => {
            key.len() == IMPORT_INDEX_KEY_BYTES && value.len() == IMPORT_VALUE_BYTES
        }
        Family::Tree => key.len() == TREE_KEY_BYTES && value.len() == TREE_VALUE_BYTES,
        Family::Alias => false,
        Family::Keyring
        | Family::Registry
        | Family::Grants
        | Family::Optout
        | Family::Meta
        | Family::Quota => !key.is_empty(),
    };
    let format = if family == Family::Audit {
        ENTRY_FORMAT
    } else {
        VALUE_FORMAT
    };
    if sizes_fit && value.first() == Some(&format) {
        Ok(())
    } else {
        Err(misfit(family))
    }
}

fn misfit(family: Family) -> StoreError {
    StoreError::Corrupt(format!(
        "a row of `{}` has an unknown format or a wrong size",
        family.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_values_are_frozen() {
        assert_eq!(format_value(STORE_FORMAT), [1, 0, 0, 0, 5]);
        assert_eq!(store_id(&store_id_value(&[7; 16])), Ok([7; 16]));
        assert_eq!(audit_key(258), [0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(audit_sequence(&audit_key(u64::MAX)), Ok(u64::MAX));
    }

    #[test]
    fn an_unknown_store_format_is_refused_with_both_numbers() {
        let refused = check_format(&format_value(4)).unwrap_err().to_string();
        assert!(
            refused.contains("format 4") && refused.contains("format 5"),
            "{refused}"
        );
        for value in [
            &[][..],
            &[1],
            &[2, 0, 0, 0, 4],
            &[1, 0, 0, 4],
            &[1, 0, 0, 0, 0, 4],
        ] {
            assert!(
                matches!(check_format(value), Err(StoreError::Corrupt(_))),
                "{value:?}"
            );
        }
    }

    #[test]
    fn rows_of_another_size_or_format_are_refused() {
        let (key, link, identity) = ([9; 20], [1; 17], [1; 42]);
        let (audit, entry, tile) = (audit_key(0), [3; 100], [1; TREE_VALUE_BYTES]);
        for (family, key, value) in [
            (Family::Link, &key[..], &link[..]),
            (Family::Identity, &key, &identity),
            (Family::Audit, &audit, &entry),
            (Family::Grants, &[1], &[1]),
            (Family::Import, &key, &[1; 57]),
            (Family::ImportIndex, &[9; 22], &[1; 57]),
            (Family::Tree, &key[..9], &tile),
        ] {
            assert_eq!(check_row(family, key, value), Ok(()));
            let shorter_key = &key[1..];
            let other_format = [&[9], &value[1..]].concat();
            for (key, value) in [(shorter_key, value), (key, &other_format), (key, &[])] {
                assert!(
                    matches!(check_row(family, key, value), Err(StoreError::Corrupt(_))),
                    "{family:?}"
                );
            }
        }
        assert!(check_row(Family::Link, &key, &[1; 18]).is_err());
        let longest = vec![ENTRY_FORMAT; MAX_ENTRY];
        assert_eq!(check_row(Family::Audit, &audit_key(0), &longest), Ok(()));
        assert!(check_row(Family::Audit, &audit_key(0), &[&longest[..], &[0]].concat()).is_err());
        assert!(check_row(Family::Identity, &key, &[1; 41]).is_err());
        assert!(check_row(Family::Import, &key, &link).is_err());
        assert!(check_row(Family::Alias, &key, &link).is_err());
        assert!(check_row(Family::Tree, &key[..9], &tile[1..]).is_err());
    }
}
