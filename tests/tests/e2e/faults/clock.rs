//! A clock that jumps is told. That it frees no day is in `refusals::quotas`.

use sluis_testkit_daemon::metrics;
use sluis_testkit_daemon::wait::until;
use sluis_testkit_daemon::world::{METRICS, World};

const DAY: u64 = 24 * 3600 * 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_is_told_in_both_directions() {
    let world = World::start_empty(METRICS).await;
    counted(&world, "forward", || world.clock.advance_millis(DAY)).await;
    counted(&world, "back", || world.clock.set_back_millis(DAY)).await;
}

/// The clock of the test stands still between two steps, which a watch that looks late takes for another jump back.
async fn counted(world: &World, direction: &str, jump: impl FnOnce()) {
    let name = format!("sluis_clock_jumps_total{{direction=\"{direction}\"}}");
    let jumps = async || metrics::value(&world.metrics().await, &name).unwrap_or_default();
    let before = jumps().await;
    jump();
    until(&name, async || jumps().await > before).await;
}
