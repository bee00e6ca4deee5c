//! A clock that jumps is told. That it frees no day is in `refusals::quotas`.

use sluis_testkit::metrics;
use sluis_testkit::wait::until;
use sluis_testkit::world::{METRICS, World};

const DAY: u64 = 24 * 3600 * 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_is_told_in_both_directions() {
    let world = World::start_empty(METRICS).await;
    world.clock.advance_millis(DAY);
    counted(&world, "forward").await;
    world.clock.set_back_millis(DAY);
    counted(&world, "back").await;
}

/// The clock of the test stands still between two steps, which a watch that looks late takes for another jump back.
async fn counted(world: &World, direction: &str) {
    let name = format!("sluis_clock_jumps_total{{direction=\"{direction}\"}}");
    until(&name, async || {
        metrics::value(&world.metrics().await, &name).is_some_and(|jumps| jumps >= 1)
    })
    .await;
}
