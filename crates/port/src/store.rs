//! The store port.
//!
//! The contract is written for several daemons over one shared store: a commit carries its expectations
//! (compare-and-set), is applied as a whole or not at all, and reports back through a completion so that a
//! synchronous engine can still group the commits of concurrent callers.
//!
//! The store sees sealed bytes only. It never interprets a value beyond the format byte that comes first.

use sluis_domain::{Column, ColumnBuilder};

/// Longest entry of the audit log in bytes: entries are bundled with 2-byte lengths.
pub const MAX_ENTRY: usize = 65_535;

/// A column family. The number is frozen; a retired number stays reserved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Family {
    /// Wrapped keys.
    Keyring = 1,
    /// Sealed registry versions.
    Registry = 2,
    /// Sealed grants, counters and counted batches.
    Grants = 3,
    /// Link rows.
    Link = 4,
    /// Identity rows.
    Identity = 5,
    /// Sealed opt-outs and erasures that wait.
    Optout = 6,
    /// Corrected identifiers (reserved).
    Alias = 7,
    /// Imported mappings.
    Import = 8,
    /// Audit entries: key = sequence as u64 big-endian. Written through [`Commit::entries`] only.
    Audit = 9,
    /// Store format and identity.
    Meta = 10,
    /// Full tiles of the audit log's tree: key = level (1) || index as u64 big-endian.
    Tree = 11,
    /// Sealed counters of sources.
    Quota = 12,
    /// Which imported mappings a subject has.
    ImportIndex = 13,
}

impl Family {
    /// All families, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Keyring,
        Self::Registry,
        Self::Grants,
        Self::Link,
        Self::Identity,
        Self::Optout,
        Self::Alias,
        Self::Import,
        Self::Audit,
        Self::Meta,
        Self::Tree,
        Self::Quota,
        Self::ImportIndex,
    ];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Registry => "registry",
            Self::Grants => "grants",
            Self::Link => "link",
            Self::Identity => "identity",
            Self::Optout => "optout",
            Self::Alias => "alias",
            Self::Import => "import",
            Self::Audit => "audit",
            Self::Meta => "meta",
            Self::Tree => "tree",
            Self::Quota => "quota",
            Self::ImportIndex => "import-index",
        }
    }
}

/// One key and its new value, or its removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub family: Family,
    /// Key.
    pub key: Vec<u8>,
    /// New value; `None` deletes.
    pub value: Option<Vec<u8>>,
}

/// Holds, or the whole commit is refused with [`StoreError::Conflict`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Where.
    pub family: Family,
    /// Key.
    pub key: Vec<u8>,
    /// The exact present value; `None`: absent.
    pub value: Option<Vec<u8>>,
}

/// All rows of a family with `from` <= key < `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where.
    pub family: Family,
    /// First key.
    pub from: Vec<u8>,
    /// First key that stays.
    pub to: Vec<u8>,
}

/// Many rows of one family with keys of one length, in one buffer: no allocation per row.
#[derive(Clone, PartialEq, Eq)]
pub struct PackedRows {
    family: Family,
    key_len: usize,
    /// Key || value of each.
    rows: ColumnBuilder,
}

impl PackedRows {
    /// Room for `rows` rows of together `bytes` bytes (keys and values).
    pub fn with_capacity(family: Family, key_len: usize, rows: usize, bytes: usize) -> Self {
        Self {
            family,
            key_len,
            rows: ColumnBuilder::with_capacity(rows, bytes),
        }
    }

    /// Appends one row; `write` adds key || value to the buffer.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.rows.bytes();
        self.rows.push_with(write);
        assert!(
            self.rows.bytes() > start + self.key_len,
            "a row has a key and a value"
        );
    }

    /// Where the rows go.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Orders the rows by key; rows of one key keep their order, so that the last one still wins. A store takes
    /// ordered rows faster than random ones.
    pub fn sort(&mut self) {
        let mut rows: Vec<_> = self.iter().collect();
        rows.sort_by_key(|(key, _)| *key);
        let mut sorted = ColumnBuilder::with_capacity(rows.len(), self.bytes());
        for (key, value) in rows {
            sorted.push_with(|out| {
                out.extend_from_slice(key);
                out.extend_from_slice(value);
            });
        }
        self.rows = sorted;
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Key and value of each row, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows.iter().map(|row| row.split_at(self.key_len))
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.rows.bytes()
    }
}

impl std::fmt::Debug for PackedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PackedRows({}, {} rows)", self.family.name(), self.len())
    }
}

/// What is written together, or not at all: `removals`, then `writes` in order, then `rows` in order, then `entries`. A
/// later write of a key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Conditions on the state before the commit.
    pub expect: Vec<Expectation>,
    /// Ranges that are emptied. Never of `audit`.
    pub removals: Vec<Range>,
    /// Single writes, in order.
    pub writes: Vec<Write>,
    /// Bulk rows.
    pub rows: Vec<PackedRows>,
    /// Audit entries (canonical bytes), appended under the next free sequence numbers.
    pub entries: Vec<Vec<u8>>,
}

impl Commit {
    /// Adds a put.
    pub fn put(
        &mut self,
        family: Family,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
    ) -> &mut Self {
        self.writes.push(Write {
            family,
            key: key.into(),
            value: Some(value.into()),
        });
        self
    }

    /// Removes one key.
    pub fn delete(&mut self, family: Family, key: impl Into<Vec<u8>>) -> &mut Self {
        self.writes.push(Write {
            family,
            key: key.into(),
            value: None,
        });
        self
    }

    /// Adds a removal.
    pub fn remove(
        &mut self,
        family: Family,
        from: impl Into<Vec<u8>>,
        to: impl Into<Vec<u8>>,
    ) -> &mut Self {
        self.removals.push(Range {
            family,
            from: from.into(),
            to: to.into(),
        });
        self
    }

    /// Adds an expectation.
    pub fn expect(
        &mut self,
        family: Family,
        key: impl Into<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> &mut Self {
        self.expect.push(Expectation {
            family,
            key: key.into(),
            value,
        });
        self
    }

    /// Adds an audit entry.
    pub fn entry(&mut self, entry: Vec<u8>) -> &mut Self {
        self.entries.push(entry);
        self
    }
}

/// Says how the audit log ends, so that no one can edit its last entries on the disk before they are under a signed head.
pub trait LogEnd: Send + Sync {
    /// The value of [`crate::rows::META_LOG_END`] after these entries (canonical bytes), of which the first has the number
    /// `first`. `before`: the present value. `None` leaves the row as it is.
    fn after(&self, before: Option<&[u8]>, first: u64, entries: &[&[u8]]) -> Option<Vec<u8>>;
}

/// Says that a commit is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Sequence of the first audit entry of the commit (or the next free one if it had none).
    pub first_entry: u64,
}

/// Called once, from a thread of the store, when the commit is durable or has failed, in the order of the calls of
/// [`Store::submit`]. Must not block, and so must not submit either.
pub type Completion = Box<dyn FnOnce(Result<Receipt, StoreError>) + Send>;

/// Why the store did not do it. Carries no keys or values of rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An expectation did not hold; nothing was written.
    #[error("a precondition of the commit does not hold")]
    Conflict,
    /// Stored bytes are damaged or of an unknown format. Never skipped, never guessed.
    #[error("stored bytes are corrupt: {0}")]
    Corrupt(String),
    /// A write failed earlier; the store takes no writes until it is reopened. Nothing of this commit was written.
    #[error("the store is read-only after a failed write: {0}")]
    ReadOnly(String),
    /// There is too little room where the store lies. Nothing of this commit was written.
    #[error("the disk of the store is full: {0}")]
    Full(String),
    /// The store takes no writes at the moment. Nothing of this commit was written.
    #[error("the store takes no writes at the moment: {0}")]
    Stalled(String),
    /// The write failed, or did not end in time: the commit may be in the store or not.
    #[error("it is unknown whether the commit was written: {0}")]
    Unknown(String),
    /// Another process has the directory open.
    #[error("the store is in use by another process: {0}")]
    Locked(String),
    /// Any other I/O failure.
    #[error("store I/O failed: {0}")]
    Io(String),
}

/// How the store is, at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Bytes that are free where the store lies; `None` if that is not known.
    pub free_bytes: Option<u64>,
    /// Nothing is written while fewer bytes than these are free.
    pub least_free_bytes: u64,
    /// Tables that wait to be merged, in the family with the most of them.
    pub level0_files: u64,
    /// Whether the store delays writes, so that merging keeps up.
    pub slowed: bool,
    /// Whether the store holds writes back, for example until tables are merged.
    pub stalled: bool,
    /// Errors of its work in the background since it was opened.
    pub background_errors: u64,
}

/// What [`Store::recover`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Nothing: the store takes writes, or only a new process can help.
    Not,
    /// The store was opened again and holds exactly what was acknowledged.
    AsAcknowledged,
    /// The store was opened again and holds more than was acknowledged: a commit whose outcome was unknown is in it.
    /// What anyone remembers of the store must be read again.
    WithMore,
}

/// Key and value of a stored row.
pub type Row = (Vec<u8>, Vec<u8>);

/// The store. All methods may block; none panics on what it reads.
pub trait Store: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Values of many keys of `key_len` bytes each, packed in `keys`; absent = missing (every stored value has
    /// at least its format byte).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    fn get_many(&self, family: Family, key_len: usize, keys: &[u8]) -> Result<Column, StoreError>;

    /// Up to `limit` rows from the first key >= `start`, ascending.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    fn scan(&self, family: Family, start: &[u8], limit: usize) -> Result<Vec<Row>, StoreError>;

    /// Makes a commit durable (synced), grouped with others, in the order of the calls; then calls `done`.
    /// May block for back-pressure.
    fn submit(&self, commit: Commit, done: Completion);

    /// [`Self::submit`], waiting for the outcome.
    ///
    /// # Errors
    /// As [`StoreError`] says; nothing was written then.
    fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.submit(commit, Box::new(move |outcome| drop(sender.send(outcome))));
        receiver
            .recv()
            .unwrap_or_else(|_| Err(StoreError::Io("the store stopped".into())))
    }

    /// From now on every commit with entries also moves the row [`crate::rows::META_LOG_END`] on, to what `end` makes of it, as
    /// long as `end` lives.
    fn protect_end(&self, end: std::sync::Weak<dyn LogEnd>);

    /// Rewrites the files that hold (or held) rows of this range, so that what was removed leaves the disk. Succeeds only
    /// if no file that was there before is left.
    ///
    /// # Errors
    /// [`StoreError::Io`]: removed rows may still be on the disk; try again later.
    fn compact(&self, range: &Range) -> Result<(), StoreError>;

    /// Number of audit entries; also the next sequence number.
    fn entries(&self) -> u64;

    /// `Err` while the store takes no writes.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Corrupt`], [`StoreError::Full`], [`StoreError::Stalled`].
    fn writable(&self) -> Result<(), StoreError>;

    /// Looks at room and stalls; [`Self::writable`] says what follows from it. To be called every second or so.
    fn condition(&self) -> Condition {
        Condition::default()
    }

    /// Opens the store again after a write that failed for want of room or did not end, once there is room. `before` is told
    /// what was found before anything is written again.
    ///
    /// # Errors
    /// [`StoreError`]: still not possible; try again later.
    fn recover(&self, before: &dyn Fn(Recovered)) -> Result<Recovered, StoreError> {
        let _ = before;
        Ok(Recovered::Not)
    }

    /// Writes a consistent, verified copy of the store into `directory` while it is in use. Several backups may
    /// share a directory. Returns the size in bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn backup(&self, directory: &std::path::Path) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_come_out_as_they_went_in() {
        let mut rows = PackedRows::with_capacity(Family::Link, 2, 2, 16);
        rows.push_with(|out| out.extend_from_slice(b"k1value"));
        rows.push_with(|out| out.extend_from_slice(b"k2v"));
        let all: Vec<_> = rows.iter().collect();
        assert_eq!(all, [(&b"k1"[..], &b"value"[..]), (b"k2", b"v")]);
    }

    #[test]
    fn sorted_rows_keep_the_order_of_equal_keys() {
        let mut rows = PackedRows::with_capacity(Family::Link, 1, 4, 16);
        for row in [b"bx1", b"a22", b"by3", b"a33"] {
            rows.push_with(|out| out.extend_from_slice(row));
        }
        rows.sort();
        let all: Vec<_> = rows.iter().collect();
        assert_eq!(
            all,
            [
                (&b"a"[..], &b"22"[..]),
                (b"a", b"33"),
                (b"b", b"x1"),
                (b"b", b"y3")
            ]
        );
    }

    #[test]
    fn family_numbers_and_names_are_frozen() {
        let table: Vec<_> = Family::ALL.iter().map(|f| (*f as u8, f.name())).collect();
        assert_eq!(
            table,
            [
                (1, "keyring"),
                (2, "registry"),
                (3, "grants"),
                (4, "link"),
                (5, "identity"),
                (6, "optout"),
                (7, "alias"),
                (8, "import"),
                (9, "audit"),
                (10, "meta"),
                (11, "tree"),
                (12, "quota"),
                (13, "import-index")
            ]
        );
    }
}
