//! Signed heads: making them, checking the last one against the log, handing over from key to key.

use std::sync::Arc;

use sluis_domain::Timestamp;
use sluis_keyring::Keyring;
use sluis_ledger::event::{Entry, Event};
use sluis_ledger::{Custodian, custodian};
use sluis_port::{Family, Store, rows};
use sluis_tlog::{Checkpoint, Note, VerifierKey};

use crate::core::change::Change;
use crate::core::log::head::{SignedHead, fits};
use crate::core::log::verifier;
use crate::error::HeadError;
use crate::log::LogKeeper;
use crate::{EngineError, Refusal};

impl LogKeeper {
    /// Signs the head of everything that is durable. Whoever keeps it says so with [`Self::publish_head`].
    ///
    /// The first head after a change of the signing key is signed by both keys and is kept in the store, before this
    /// returns.
    ///
    /// # Errors
    /// [`EngineError::Store`], and [`EngineError::EntryMissing`] or [`EngineError::Wrong`] for a log that is not in order.
    pub fn sign_head(&self) -> Result<Arc<SignedHead>, EngineError> {
        let mut grown = self.extended()?;
        let keyring = self.snapshot().keyring.clone();
        let (size, root) = (grown.tree().size(), grown.tree().root());
        let checkpoint = Checkpoint::new(&self.origin, size, root).expect("an origin is a line");
        let mut note = checkpoint.to_note().expect("a checkpoint is a short text");
        sign(&mut note, &self.origin, &keyring, None);
        for generation in keyring.audit_keys().keys().copied().skip(1) {
            if !grown.handovers.0.contains_key(&generation) {
                let mut handover = checkpoint.to_note().expect("a checkpoint is a short text");
                sign(&mut handover, &self.origin, &keyring, Some(generation - 1));
                sign(&mut handover, &self.origin, &keyring, Some(generation));
                grown.hand_over(&*self.store, generation, handover.to_string())?;
                note = handover;
            }
        }
        Ok(Arc::new(SignedHead {
            size,
            root,
            note: note.to_string(),
        }))
    }

    /// From now on `head` is the last head: it is durable outside the store, and what callers get. Acts are accepted.
    pub fn publish_head(&self, head: Arc<SignedHead>) {
        self.log.publish(head);
        self.log.set_in_order(true);
    }

    /// Heads cannot be kept: every act is refused with [`sluis_domain::Reason::HeadUnavailable`] until the next
    /// [`Self::publish_head`].
    pub fn stop_for_head(&self) {
        self.log.set_in_order(false);
    }

    /// The last head that was published.
    pub fn last_head(&self) -> Option<Arc<SignedHead>> {
        self.log.published()
    }

    /// For how many milliseconds there have been entries under no published head, by the time in the oldest of them.
    ///
    /// # Errors
    /// The errors of the store; [`EngineError::Corrupt`] for an entry that cannot be read.
    pub fn head_lag_millis(&self) -> Result<u64, EngineError> {
        let size = self.last_head().map_or(0, |head| head.size);
        let oldest = entry_at(&*self.store, size)?;
        let now = self.now().millis();
        Ok(oldest.map_or(0, |entry| now.saturating_sub(entry.header.at.millis())))
    }

    /// When the last entry was made; `None` in an empty log.
    ///
    /// # Errors
    /// As [`Self::head_lag_millis`].
    pub fn last_entry_at(&self) -> Result<Option<Timestamp>, EngineError> {
        let Some(last) = self.entries().checked_sub(1) else {
            return Ok(None);
        };
        Ok(entry_at(&*self.store, last)?.map(|entry| entry.header.at))
    }

    /// Compares the log with its last signed head, as it was kept outside the store. An engine that was just opened
    /// refuses all acts until this has succeeded; the head counts as published from then on.
    ///
    /// If the configuration names other custodians than the log, that is put on record now.
    ///
    /// # Errors
    /// Those of [`Self::continues`], and [`EngineError::Refused`].
    pub fn check_head(&self, signed: &[u8]) -> Result<(), EngineError> {
        let head = self.continues(signed)?;
        self.name_custodians().map_err(EngineError::Refused)?;
        // What could be opened is text.
        let note = String::from_utf8_lossy(signed).into_owned();
        self.publish_head(Arc::new(SignedHead {
            size: head.size(),
            root: *head.root(),
            note,
        }));
        Ok(())
    }

    /// The last signed head, which the log must continue. Changes nothing.
    ///
    /// # Errors
    /// [`EngineError::Head`], and the errors of reading the log.
    pub fn continues(&self, signed: &[u8]) -> Result<Checkpoint, EngineError> {
        let head = self.open_head(signed)?;
        fits(&*self.extended()?, &*self.store, &head)?;
        Ok(head)
    }

    /// A head signed by one of the log's keys; nothing is said about the entries.
    pub(crate) fn open_head(&self, signed: &[u8]) -> Result<Checkpoint, HeadError> {
        let keyring = self.snapshot().keyring.clone();
        let known: Vec<VerifierKey> = keyring
            .audit_keys()
            .values()
            .map(|key| verifier(&self.origin, key))
            .collect();
        Ok(Checkpoint::open(signed, &self.origin, &known)?.checkpoint)
    }

    /// Puts on record whom the configuration names, if the log names others.
    pub(crate) fn name_custodians(&self) -> Result<(), Refusal> {
        let snapshot = self.snapshot();
        let configured = snapshot.custodians.iter();
        let configured = configured.map(|(identity, key)| Custodian {
            identity: identity.clone(),
            key: key.clone(),
        });
        let configured: Vec<_> = configured.collect();
        if custodian::encode(snapshot.state.custodians()) == custodian::encode(&configured) {
            return Ok(());
        }
        self.govern(|| {
            let named = Event::Custodians(configured.clone());
            Ok((Change::of(self.header(None), named), ()))
        })
    }
}

/// An entry of the log; `None` beyond its end.
fn entry_at(store: &dyn Store, sequence: u64) -> Result<Option<Entry>, EngineError> {
    let page = store.scan(Family::Audit, &rows::audit_key(sequence), 1)?;
    let Some((_, bytes)) = page.first() else {
        return Ok(None);
    };
    let entry = Entry::decode(bytes).map_err(|_| EngineError::Corrupt("audit entry"))?;
    Ok(Some(entry))
}

fn sign(note: &mut Note, origin: &str, keyring: &Keyring, generation: Option<u32>) {
    let current = keyring.current_audit_key();
    let key = generation
        .and_then(|generation| keyring.audit_keys().get(&generation))
        .unwrap_or(current);
    note.sign(&verifier(origin, key), |text| key.key.sign(text))
        .expect("the verifier key is that of the signing key");
}
