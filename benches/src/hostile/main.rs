//! One member does its worst against a daemon with default limits, while another goes on with its work.
//!
//! `make hostile`. The daemon is the real binary, over mutual TLS on loopback. Each attack runs in a process of its own, at the
//! lowest priority, as if it came from another machine. For each attack the memory of the daemon and the honest member's
//! latencies before, during and after are printed. It fails if memory leaves what the configuration allows one member, or if
//! the honest 99th percentile is more than three times its quiet value.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

mod attack;
mod load;
mod machine;

use std::process::ExitCode;
use std::time::Duration;

use sluis_testkit_daemon::scene::Scene;
use tokio::runtime::Runtime;

use attack::{ATTACKS, Attack, Target};
use load::{Honest, Latencies};
use machine::{Watch, busy};

const QUIET: Duration = Duration::from_secs(10);
const BEFORE: Duration = Duration::from_secs(4);
const DURING: Duration = Duration::from_secs(8);
const AFTER: Duration = Duration::from_secs(4);
/// How many times its quiet value the honest 99th percentile may be.
const TIMES: u32 = 3;

const MIB: u64 = 1 << 20;
/// What the default limits let one member hold (docs/samples/sluisd.toml): half of the bytes of batches; a quarter of the
/// requests as they arrive, of the room for decoding and of the answers; commits that wait for the disk.
const OF_MEMBER: u64 = (64 + 64 + 80 + 16 + 24) * MIB;
/// The store's caches and write buffers, which fill while it works, and what the allocator keeps.
const STORE: u64 = (256 + 64 + 64) * MIB;
/// The receive window of a connection.
const OF_CONNECTION: u64 = 2 * MIB;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = Runtime::new().expect("a runtime");
    match arguments.first().map(String::as_str) {
        Some("attack") => {
            let attack = Attack::named(&arguments[1]).expect("an attack");
            let target = Target::from_arguments(&arguments[2..]).expect("a target");
            println!("{}", runtime.block_on(attack.run(&target)));
            ExitCode::SUCCESS
        }
        only => run(&runtime, only),
    }
}

/// Runs all attacks, or only one.
fn run(runtime: &Runtime, only: Option<&str>) -> ExitCode {
    let scene = Scene::start("");
    let target = Target::prepare(&scene);
    let honest = runtime.block_on(Honest::new(&scene));
    runtime.block_on(honest.measure(Duration::from_secs(2)));
    let quiet_machine = busy(QUIET / 2);
    let mut quiet = runtime.block_on(honest.measure(QUIET));
    let base = Watch::start(scene.daemon().pid()).peak();
    println!(
        "quiet: p50 {:.1?}, p99 {:.1?} of {} batches; daemon {} MiB; the machine was {quiet_machine} % busy without us",
        quiet.percentile(50),
        quiet.percentile(99),
        quiet.len(),
        base / MIB,
    );
    println!(
        "{:<22} {:>14} {:>19} {:>19} {:>19}  attacker",
        "attack", "memory (bound)", "before p50 / p99", "during p50 / p99", "after p50 / p99"
    );
    let (mut failures, mut measured) = (Vec::new(), Vec::new());
    for attack in ATTACKS
        .iter()
        .filter(|a| only.is_none_or(|only| a.name == only))
    {
        let before = runtime.block_on(honest.measure(BEFORE));
        let watch = Watch::start(scene.daemon().pid());
        let attacker = attack.start(&target, DURING);
        let during = runtime.block_on(honest.measure(DURING));
        let said = attacker.end();
        let after = runtime.block_on(honest.measure(AFTER));
        let (peak, bound) = (watch.peak(), bound(base, attack));
        println!(
            "{:<22} {:>14} {:>19} {:>19} {:>19}  {said}",
            attack.name,
            format!("{} ({})", peak / MIB, bound / MIB),
            show(&before),
            show(&during),
            show(&after),
        );
        quiet.add(&before);
        if peak > bound {
            failures.push(format!("{}: memory", attack.name));
        }
        measured.extend([(attack, "during", during), (attack, "after", after)]);
    }
    // Quiet is what was measured between the attacks too, so that a machine that becomes slower does not decide.
    println!(
        "quiet in all: p99 {:.1?} of {} batches; allowed {:.1?}",
        quiet.percentile(99),
        quiet.len(),
        quiet.percentile(99) * TIMES
    );
    for (attack, when, latencies) in &measured {
        failures.extend(too_slow(attack, when, latencies, &quiet));
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if failures.is_empty() {
        println!("nobody exhausts it");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn bound(base: u64, attack: &Attack) -> u64 {
    base + OF_MEMBER + STORE + attack.connections * OF_CONNECTION
}

fn too_slow(
    attack: &Attack,
    when: &str,
    latencies: &Latencies,
    quiet: &Latencies,
) -> Option<String> {
    let (p99, allowed) = (latencies.percentile(99), quiet.percentile(99) * TIMES);
    let failed = latencies.failed();
    (p99 > allowed || failed > 0).then(|| {
        format!(
            "{}: p99 {when} {p99:.1?}, allowed {allowed:.1?}; {failed} batches failed",
            attack.name
        )
    })
}

fn show(latencies: &Latencies) -> String {
    let (p50, p99) = (latencies.percentile(50), latencies.percentile(99));
    format!("{p50:.1?} / {p99:.1?}")
}
