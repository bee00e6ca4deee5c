//! The log's state at some number of entries, so that a start reads only what came after it.
//!
//! It is encrypted under the state key, bound to its number of entries, and kept beside the head file. What it says is verified
//! again in the background, from the first entry ([`Verification`]): every entry by the rules, the tree against the stored
//! tiles, and the state against what was loaded.

use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::codec::{Reader, Writer};
use sluis_keyring::Keyring;
use sluis_ledger::registry::Registry;
use sluis_port::{Family, Store};
use sluis_verify::Replay;

use super::end::End;
use super::{Grown, Rows};
use crate::EngineError;
use crate::core::registry::registry_text;

/// In the place of a key of the store: the value lies beside it. Another version of the program reads the whole log.
const KEY: &[u8] = concat!("saved ", env!("CARGO_PKG_VERSION")).as_bytes();

/// What is left to verify of a log that was not read from its first entry.
pub(crate) struct Verification {
    /// Where the log was entered.
    goal: u64,
    /// SHA-256 of the state that was loaded.
    digest: [u8; 32],
    grown: Grown,
}

/// How far the verification in the background is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Entries that were verified.
    pub entries: u64,
    /// Entries at the start.
    pub goal: u64,
}

impl Verified {
    /// Whether nothing is left to verify.
    pub fn is_done(&self) -> bool {
        self.entries == self.goal
    }
}

/// A log that goes on from saved bytes, and what has to be verified; `None` if they are not those of this store.
pub(super) fn load(
    store: &dyn Store,
    keyring: &Keyring,
    origin: &str,
    saved: &[u8],
) -> Option<(Grown, Verification)> {
    let (entries, bytes) = keyring.state().open(Family::Audit, KEY, saved).ok()?;
    let mut input = Reader::plain(&bytes);
    let mac = input.array().ok()?;
    let state = input.fixed(bytes.len() - mac.len()).ok()?;
    let registry = |version, digest: &[u8; 32]| {
        let text = registry_text(store, keyring, version).ok()??;
        let same = sha256(text.as_bytes()) == *digest;
        let registry = Registry::parse(&text, &[]).ok();
        registry.filter(|_| same).map(Arc::new)
    };
    let replay = Replay::load(origin, state, registry).ok()?;
    if replay.state().entries() != entries {
        return None;
    }
    let verification = Verification {
        goal: entries,
        digest: sha256(state),
        grown: Grown::new(origin),
    };
    let mut grown = Grown::new(origin);
    grown.replay = replay;
    grown.end = End { entries, mac };
    Some((grown, verification))
}

impl Grown {
    /// The state as encrypted bytes; `None` while something is wrong or missing.
    pub(crate) fn save(&self, keyring: &Keyring) -> Option<Vec<u8>> {
        let mut bytes = Writer::default();
        bytes.fixed(&self.end.mac).fixed(&self.replay.save()?);
        let state = keyring.state();
        Some(state.seal(Family::Audit, KEY, self.end.entries, &bytes.finish()))
    }
}

impl Verification {
    pub(crate) fn progress(&self) -> Verified {
        Verified {
            entries: self.grown.replay.tree().size(),
            goal: self.goal,
        }
    }

    /// Verifies some entries more.
    pub(crate) fn go_on(
        &mut self,
        store: &dyn Store,
        keyring: &Keyring,
    ) -> Result<(), EngineError> {
        let mut archive = Rows::new(store, keyring, None);
        self.grown
            .read_page(store, keyring, &mut archive, self.goal)?;
        self.grown.store_derived(store, keyring)?;
        if !self.progress().is_done() {
            return Ok(());
        }
        let state = self.grown.replay.save().map(|state| sha256(&state));
        if state == Some(self.digest) {
            Ok(())
        } else {
            Err(EngineError::Differs("the state beside the head".to_owned()))
        }
    }
}
