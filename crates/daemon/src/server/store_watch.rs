//! Looks at the store: room, stalls, errors in its background, writes that failed. Says what is about to happen before it
//! does, and opens the store again when that helps.

use std::sync::Arc;
use std::time::Duration;

use sluis_engine::Refusal;
use sluis_port::{Condition, Recovered, StoreError};

use super::Shared;

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);
/// A store that takes longer to say how it is hangs.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// Room is little when it is below so many times the least.
const LITTLE: u64 = 4;
/// Opening again is tried once in so many looks.
const TRIES: u32 = 5;
const MIB: u64 = 1 << 20;

/// What one look found.
struct Look {
    condition: Condition,
    writable: Result<(), StoreError>,
    recovered: Result<Recovered, StoreError>,
}

/// What was said last, so that each change is said once.
#[derive(Default)]
struct Said {
    little_room: bool,
    slowed: bool,
    stalled: bool,
    background_errors: u64,
    trouble: Option<&'static str>,
    silent: bool,
    /// Why the store could not be opened again.
    closed: Option<String>,
}

/// Looks at the store until it is dropped.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut said = Said::default();
    let mut round = 0_u32;
    loop {
        let at = shared.clone();
        let again = round.is_multiple_of(TRIES);
        round = round.wrapping_add(1);
        let mut looking = tokio::task::spawn_blocking(move || look(&at, again));
        let found = loop {
            match tokio::time::timeout(LONGEST_LOOK, &mut looking).await {
                Ok(found) => break found,
                // Nothing else is asked of it meanwhile.
                Err(_) => said.hangs(),
            }
        };
        // A panic is logged where it happens; the next look is another try.
        if let Ok(found) = found {
            said.tell(&found);
            shared.saw_store(&found.condition);
            shared.look_at_health();
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn look(shared: &Shared, again: bool) -> Look {
    let condition = shared.store.condition();
    let recovered = if again {
        recover(shared)
    } else {
        Ok(Recovered::Not)
    };
    Look {
        condition,
        writable: shared.store.writable(),
        recovered,
    }
}

fn recover(shared: &Shared) -> Result<Recovered, StoreError> {
    let recovered = shared.store.recover(&|found| {
        if found == Recovered::WithMore {
            shared.keeper.close_to_read_again();
        }
    })?;
    if recovered == Recovered::WithMore {
        shared.keeper.record_that_it_closed();
    }
    Ok(recovered)
}

impl Said {
    fn tell(&mut self, look: &Look) {
        self.silent = false;
        self.tell_room(&look.condition);
        self.tell_background(&look.condition);
        self.tell_recovered(&look.recovered);
        self.tell_writable(&look.writable);
    }

    fn tell_room(&mut self, condition: &Condition) {
        let Some(free) = condition.free_bytes else {
            return;
        };
        let least = condition.least_free_bytes;
        let little = free < LITTLE * least;
        // With a margin, so that a disk at the border is told once.
        let roomy = free > LITTLE * least + least;
        if little && !self.little_room {
            self.little_room = true;
            let (free_mib, least_mib) = (free / MIB, least / MIB);
            tracing::warn!(
                free_mib,
                least_mib,
                "there is little room left on the disk of the store"
            );
        } else if roomy {
            self.little_room = false;
        }
    }

    fn tell_background(&mut self, condition: &Condition) {
        let level0_files = condition.level0_files;
        if condition.slowed && !self.slowed {
            tracing::warn!(
                level0_files,
                "the store merges its tables too slowly; it will hold writes back"
            );
        }
        self.slowed = condition.slowed;
        if condition.stalled && !self.stalled {
            tracing::warn!(
                level0_files,
                "the store holds writes back until its tables are merged"
            );
        }
        self.stalled = condition.stalled;
        let errors = condition.background_errors;
        if errors > self.background_errors {
            tracing::error!(
                errors,
                level0_files,
                "the store has errors in its background work"
            );
        }
        self.background_errors = errors;
    }

    fn tell_recovered(&mut self, recovered: &Result<Recovered, StoreError>) {
        match recovered {
            Ok(Recovered::Not) => {}
            Ok(done) => {
                self.closed = None;
                let with_more = *done == Recovered::WithMore;
                tracing::warn!(with_more, "the store was opened again after a failed write");
            }
            Err(error) => {
                let why = error.to_string();
                // The numbers in it change with every look.
                let kind = Refusal::from(error.clone()).reason().code().to_owned();
                if self.closed.as_ref() != Some(&kind) {
                    self.closed = Some(kind);
                    tracing::error!(why, "the store cannot be opened again yet");
                }
            }
        }
    }

    fn tell_writable(&mut self, writable: &Result<(), StoreError>) {
        match writable {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    tracing::warn!("the store takes writes again");
                }
            }
            Err(error) => {
                let refusal = Refusal::from(error.clone());
                let reason = refusal.reason().code();
                if self.trouble != Some(reason) {
                    self.trouble = Some(reason);
                    tracing::error!(
                        reason,
                        detail = refusal.detail(),
                        "the store takes no writes: all acts are refused"
                    );
                }
            }
        }
    }

    fn hangs(&mut self) {
        if !self.silent {
            self.silent = true;
            let seconds = LONGEST_LOOK.as_secs();
            tracing::error!(seconds, "the store does not answer");
        }
    }
}
