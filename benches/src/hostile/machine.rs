//! What the machine and the daemon do: memory of a process, and how busy the processors are.

#![expect(
    clippy::disallowed_methods,
    reason = "memory and processors are looked at every so often"
)]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Watches the resident memory of a process.
pub(crate) struct Watch {
    peak: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watch {
    pub(crate) fn start(pid: u32) -> Self {
        let peak = Arc::new(AtomicU64::new(resident(pid)));
        let ended = Arc::new(AtomicBool::new(false));
        let (seen, end) = (peak.clone(), ended.clone());
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                seen.fetch_max(resident(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            peak,
            ended,
            thread,
        }
    }

    /// Most bytes since the start.
    pub(crate) fn peak(self) -> u64 {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("watches");
        self.peak.load(Ordering::Relaxed)
    }
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// How many percent of the processors' time were used in `time`, while we did nothing.
pub(crate) fn busy(time: Duration) -> u64 {
    let before = times();
    std::thread::sleep(time);
    let after = times();
    let (all, idle) = (after.0 - before.0, after.1 - before.1);
    100 - (idle * 100).checked_div(all).unwrap_or(100)
}

/// All, and idle.
fn times() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let numbers: Vec<u64> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    (
        numbers.iter().take(8).sum(),
        numbers.iter().skip(3).take(2).sum(),
    )
}
