//! Who uses the processors: the daemon, this program, or others on the machine.

use std::fs;
use std::time::Instant;

/// Clock ticks in a second: `USER_HZ` is 100 on every Linux.
const TICKS: f64 = 100.0;

/// Processor time up to a moment.
pub(crate) struct Usage {
    at: Instant,
    daemon: f64,
    own: f64,
    machine: f64,
}

/// Cores in use on average.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cores {
    pub(crate) daemon: f64,
    pub(crate) client: f64,
    pub(crate) others: f64,
}

impl Usage {
    /// Up to now.
    pub(crate) fn now(daemon: u32) -> Self {
        Self {
            at: Instant::now(),
            daemon: of_process(&daemon.to_string()),
            own: of_process("self"),
            machine: of_machine(),
        }
    }

    /// From this moment until now.
    pub(crate) fn since(&self, daemon: u32) -> Cores {
        let now = Self::now(daemon);
        let seconds = (now.at - self.at).as_secs_f64().max(0.01);
        let ours = now.daemon - self.daemon + now.own - self.own;
        Cores {
            daemon: (now.daemon - self.daemon) / seconds,
            client: (now.own - self.own) / seconds,
            others: ((now.machine - self.machine - ours) / seconds).max(0.0),
        }
    }
}

/// Seconds of a process and of its children that ended.
fn of_process(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program is in parentheses and may have blanks; 11 fields later come the times.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(4);
    times
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS
}

/// Seconds that all processors were busy: user, nice, system, interrupts.
fn of_machine() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    let busy = [0, 1, 2, 5, 6].map(|at| fields.get(at).copied().unwrap_or_default());
    busy.iter().sum::<f64>() / TICKS
}
