//! How the log ends: a row that says how many entries there are, and a chained MAC over all of them under the state key.
//!
//! A signed head protects the entries before it. The row protects those after it: without the state key no one cuts, changes,
//! swaps or repeats an entry on the disk. Entries that were written while the keyring was sealed come after the row, because
//! no key was there; only what can happen while it is sealed may be among them ([`may_follow`]). The next start takes them in.
//!
//! Stored in `meta` under `log-end`:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format: `0x01` |
//! | 8 | number of entries |
//! | 32 | HMAC-SHA-256 chain ([`StateSeal::chain_entry`]); zeros before the first entry |

use std::sync::Arc;

use sluis_domain::codec::{Reader, Writer};
use sluis_keyring::StateSeal;
use sluis_ledger::event::{Entry, Event};
use sluis_port::{Commit, Family, LogEnd, Store, rows};
use sluis_tlog::{Hash, leaf_hash};

use crate::EngineError;

const FORMAT: u8 = 1;

/// The number of entries, and the MAC over them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct End {
    pub(crate) entries: u64,
    pub(crate) mac: Hash,
}

impl End {
    /// The row of a store; before the first entry there is none.
    pub(super) fn read(store: &dyn Store) -> Result<Self, EngineError> {
        let stored = store.get(Family::Meta, rows::META_LOG_END)?;
        let end = stored.map_or(Some(Self::default()), |stored| Self::decode(&stored));
        end.ok_or(EngineError::Corrupt("end of the audit log"))
    }

    /// The end one entry later.
    pub(super) fn after(&self, state: &StateSeal, leaf: &Hash) -> Self {
        Self {
            entries: self.entries + 1,
            mac: state.chain_entry(&self.mac, leaf),
        }
    }

    /// Adds the row to a commit, in place of `before`. The commit is refused if the log has more entries by then.
    pub(super) fn put(&self, before: &Self, commit: &mut Commit) {
        let stored = (before.entries > 0).then(|| before.encode());
        commit
            .expect(Family::Audit, rows::audit_key(self.entries), None)
            .expect(Family::Meta, rows::META_LOG_END, stored)
            .put(Family::Meta, rows::META_LOG_END, self.encode());
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(FORMAT);
        out.u64(self.entries).fixed(&self.mac).finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::new(bytes, FORMAT).ok()?;
        let end = Self {
            entries: input.u64().ok()?,
            mac: input.array().ok()?,
        };
        input.end().ok().map(|()| end)
    }
}

/// The end of a log of these entries, for the commit that sets a custodian up.
pub(crate) fn first_row(state: &StateSeal, entries: &[Vec<u8>]) -> Vec<u8> {
    let leaves = entries.iter().map(|entry| leaf_hash(entry));
    let end = leaves.fold(End::default(), |end, leaf| end.after(state, &leaf));
    end.encode()
}

/// Whether an entry may come after the row: what can be on record while the keyring is sealed.
pub(super) fn may_follow(entry: &Entry) -> bool {
    matches!(
        entry.event,
        Event::Unseal(_) | Event::Seal | Event::Refused(_)
    )
}

/// Moves the row on with every commit.
pub(super) struct Protects(pub(super) Arc<StateSeal>);

impl LogEnd for Protects {
    fn after(&self, before: Option<&[u8]>, first: u64, entries: &[&[u8]]) -> Option<Vec<u8>> {
        // While a start has not taken in what was written before it, the row stays; the start tries again then.
        let end = End::decode(before?).filter(|end| end.entries == first)?;
        let leaves = entries.iter().map(|entry| leaf_hash(entry));
        let after = leaves.fold(end, |end, leaf| end.after(&self.0, &leaf));
        Some(after.encode())
    }
}
