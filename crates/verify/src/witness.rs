//! A witness keeps the last head that it saw, and says whether the next one continues it.

use sluis_tlog::{Checkpoint, Hash, Note, OpenError, VerifierKey, VerifyError, verify_consistency};

/// A signed head that was believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The key that signed it.
    pub key: VerifierKey,
    /// Whether that key took over from the one that was trusted.
    pub rotated: bool,
}

/// How a head follows the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// It is the same.
    Same,
    /// It has more entries: a consistency proof must show that it continues the old one.
    Grown {
        /// Entries then.
        old: u64,
        /// Entries now.
        new: u64,
    },
}

/// Why a head is not believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Alarm {
    /// The verifier key that came with it cannot be read.
    #[error("the custodian names a verifier key that is none")]
    NotAKey,
    /// Signed with another key, and nothing handed the trust over.
    #[error(
        "the log is signed with the key {offered}, and the trusted one is {trusted}; no handover is signed by both. If \
         the key was rotated more than once since the last look, verify an auditor's export with the trusted key, and go \
         on with the new one"
    )]
    OtherKey {
        /// The key that is trusted.
        trusted: Box<VerifierKey>,
        /// The key that was named.
        offered: Box<VerifierKey>,
    },
    /// It is not signed as it should be.
    #[error(transparent)]
    Signature(#[from] OpenError),
    /// The log has fewer entries than it had.
    #[error("the log was rolled back: it had {old} entries, and now it has {new}")]
    RolledBack {
        /// Entries then.
        old: u64,
        /// Entries now.
        new: u64,
    },
    /// The log has as many entries as it had, and they are not the same.
    #[error("the log was forked: two heads of {0} entries are different")]
    Forked(u64),
    /// The log grew, and its beginning is not what it was.
    #[error("the log was forked: {0}")]
    NotContinued(#[from] VerifyError),
}

impl Head {
    /// Reads a head as the custodian gave it: signed note, present verifier key, handovers. With a `trusted` key it must be
    /// signed with that, or with one that a handover signed by both hands the trust to.
    ///
    /// # Errors
    /// [`Alarm`].
    pub fn read(
        note: &str,
        verifier_key: &str,
        handovers: &[String],
        trusted: Option<&VerifierKey>,
    ) -> Result<Self, Alarm> {
        let offered: VerifierKey = verifier_key
            .trim_end()
            .parse()
            .map_err(|_| Alarm::NotAKey)?;
        let rotated = trusted.is_some_and(|trusted| *trusted != offered);
        if let Some(trusted) = trusted.filter(|_| rotated) {
            let handed_over = handovers
                .iter()
                .any(|handover| hands_over(handover, trusted, &offered));
            if trusted.name() != offered.name() || !handed_over {
                let (trusted, offered) = (Box::new(trusted.clone()), Box::new(offered));
                return Err(Alarm::OtherKey { trusted, offered });
            }
        }
        let opened = Checkpoint::open(
            note.as_bytes(),
            offered.name(),
            std::slice::from_ref(&offered),
        )?;
        Ok(Self {
            checkpoint: opened.checkpoint,
            key: offered,
            rotated,
        })
    }

    /// How it follows the head that was seen before.
    ///
    /// # Errors
    /// [`Alarm::RolledBack`], [`Alarm::Forked`].
    pub fn after(&self, before: &Checkpoint) -> Result<Seen, Alarm> {
        let (old, new) = (before.size(), self.checkpoint.size());
        if new < old {
            Err(Alarm::RolledBack { old, new })
        } else if new > old {
            Ok(Seen::Grown { old, new })
        } else if before.root() == self.checkpoint.root() {
            Ok(Seen::Same)
        } else {
            Err(Alarm::Forked(new))
        }
    }

    /// Whether the proof shows that this log continues the one seen before.
    ///
    /// # Errors
    /// [`Alarm::NotContinued`].
    pub fn continues(&self, before: &Checkpoint, proof: &[Hash]) -> Result<(), Alarm> {
        let (old, new) = (before.size(), self.checkpoint.size());
        Ok(verify_consistency(
            old,
            before.root(),
            new,
            self.checkpoint.root(),
            proof,
        )?)
    }
}

/// A head of this log that both keys signed.
fn hands_over(handover: &str, old: &VerifierKey, new: &VerifierKey) -> bool {
    let pair = [old.clone(), new.clone()];
    let Ok(note) = Note::from_bytes(handover.as_bytes()) else {
        return false;
    };
    let head = note.text().parse::<Checkpoint>();
    head.is_ok_and(|head| head.origin() == old.name())
        && note.verify(&pair).is_ok_and(|by| by.len() == 2)
}
