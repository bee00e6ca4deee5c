//! Watches the system's clock, which decides when grants, proposals, certificates and days end: a clock that jumps is told in
//! the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluis_domain::Timestamp;
use sluis_engine::Endings;

use super::Shared;

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);
/// What a clock that is only adjusted never reaches between two looks.
const LEAST_MILLIS: u64 = 2_000;
/// At most one line of the log in so long.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What two clocks say at the same moment.
#[derive(Clone, Copy)]
struct Look {
    wall: Timestamp,
    steady: Instant,
}

/// How far the wall clock was moved between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jump {
    Forward(u64),
    Back(u64),
}

impl Look {
    fn now(shared: &Shared) -> Self {
        Self {
            wall: shared.keeper.now(),
            steady: Instant::now(),
        }
    }

    fn jump_to(self, next: Self) -> Option<Jump> {
        let passed = next.steady.saturating_duration_since(self.steady);
        let expected = self.wall.millis() + passed.as_millis() as u64;
        let seen = next.wall.millis();
        if seen.abs_diff(expected) < LEAST_MILLIS {
            None
        } else if seen > expected {
            Some(Jump::Forward(seen - expected))
        } else {
            Some(Jump::Back(expected - seen))
        }
    }
}

impl Jump {
    fn direction(self) -> &'static str {
        match self {
            Self::Forward(_) => "forward",
            Self::Back(_) => "back",
        }
    }

    fn seconds(self) -> u64 {
        let (Self::Forward(millis) | Self::Back(millis)) = self;
        millis / 1_000
    }
}

/// Watches the clock until it is dropped. The first look is taken here and now, not when the task begins to run.
pub(super) fn watch(shared: Arc<Shared>) -> impl Future<Output = ()> {
    let first = Look::now(&shared);
    watch_since(first, shared)
}

async fn watch_since(first: Look, shared: Arc<Shared>) {
    let mut last = first;
    let mut said: Option<Instant> = None;
    let mut unsaid = 0_u64;
    loop {
        tokio::time::sleep(EVERY).await;
        let now = Look::now(&shared);
        if let Some(jump) = last.jump_to(now) {
            shared.metrics.clock_jumped(jump.direction());
            if said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
                say(&shared, jump, last.wall, now.wall, unsaid).await;
                (said, unsaid) = (Some(Instant::now()), 0);
            } else {
                unsaid += 1;
            }
        }
        last = now;
    }
}

/// Tells of a jump, with what it ends (forward) or brings back (back).
async fn say(shared: &Arc<Shared>, jump: Jump, before: Timestamp, after: Timestamp, unsaid: u64) {
    let at = shared.clone();
    let counted = tokio::task::spawn_blocking(move || {
        let engine = at.keeper.engine().ok()?;
        Some(engine.life().endings(before.min(after), before.max(after)))
    });
    let Endings { grants, proposals } = counted.await.ok().flatten().unwrap_or_default();
    tracing::warn!(
        direction = jump.direction(),
        seconds = jump.seconds(),
        grants,
        proposals,
        unsaid,
        "the clock jumped"
    );
}

/// Says at the start if the clock is behind what the log saw last.
pub(super) fn check_start(shared: &Shared) {
    let Ok(engine) = shared.keeper.engine() else {
        return;
    };
    let Ok(Some(last)) = engine.log().last_entry_at() else {
        return;
    };
    let behind = last.millis().saturating_sub(shared.keeper.now().millis());
    if behind >= LEAST_MILLIS {
        let seconds = behind / 1_000;
        tracing::warn!(
            seconds,
            "the clock is behind the last entry of the audit log"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_adjusted_or_a_look_that_is_late_is_no_jump() {
        let steady = Instant::now();
        let look = |wall, after| Look {
            wall: Timestamp::from_millis(wall).expect("small"),
            steady: steady + Duration::from_millis(after),
        };
        let first = look(100_000, 0);
        for (wall, after) in [(101_000, 1_000), (130_900, 30_000), (99_100, 1_000)] {
            assert_eq!(first.jump_to(look(wall, after)), None, "{wall}");
        }
        let forward = first.jump_to(look(3_701_000, 1_000));
        assert_eq!(forward, Some(Jump::Forward(3_600_000)));
        let back = first.jump_to(look(41_000, 1_000));
        assert_eq!(back, Some(Jump::Back(60_000)));
    }
}
