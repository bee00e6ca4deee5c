//! The epoch: a number that every governed act moves on.
//!
//! A batch is decided under the state of an epoch, and its commit expects that epoch. So no batch overtakes the act that ends its
//! permission, whichever daemon on the same store did that act.
//!
//! Stored in `meta` under `epoch`: format `0x01`, then the number in 8 bytes, big-endian. Before the first governed act there is
//! no row, and the epoch is 0.

use sluis_domain::codec::{Reader, Writer};
use sluis_port::{Commit, Family, Store, rows};

use crate::EngineError;

const FORMAT: u8 = 1;

/// The epoch of a store.
pub(crate) fn read(store: &dyn Store) -> Result<u64, EngineError> {
    let Some(stored) = store.get(Family::Meta, rows::META_EPOCH)? else {
        return Ok(0);
    };
    let corrupt = EngineError::Corrupt("epoch");
    let mut input = Reader::new(&stored, FORMAT).map_err(|_| corrupt.clone())?;
    let epoch = input.u64().map_err(|_| corrupt.clone())?;
    input.end().map_err(|_| corrupt.clone())?;
    // No number of acts comes so far, and nothing could come after it.
    if epoch == u64::MAX {
        return Err(corrupt);
    }
    Ok(epoch)
}

/// The commit holds only in this epoch.
pub(crate) fn expect(epoch: u64, commit: &mut Commit) {
    let stored = (epoch > 0).then(|| encode(epoch));
    commit.expect(Family::Meta, rows::META_EPOCH, stored);
}

/// The commit ends this epoch.
pub(crate) fn end(epoch: u64, commit: &mut Commit) {
    expect(epoch, commit);
    commit.put(Family::Meta, rows::META_EPOCH, encode(epoch + 1));
}

fn encode(epoch: u64) -> Vec<u8> {
    Writer::new(FORMAT).u64(epoch).finish()
}
