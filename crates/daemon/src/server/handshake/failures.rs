//! The log lines for handshakes that failed. Strangers cause them, so there is a bound on how many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long what was logged counts.
const WINDOW: Duration = Duration::from_secs(60);
/// Most lines of one address with one reason in a window.
const EACH: u32 = 3;
/// Most lines of all in a window.
const ALL: u32 = 60;

/// Counts what was logged.
#[derive(Default)]
pub(in crate::server) struct FailureLog(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    since: Option<Instant>,
    lines: u32,
    not_logged: u64,
    each: HashMap<(IpAddr, &'static str), u32>,
}

impl FailureLog {
    /// Logs a failure, or counts it as not logged.
    pub(super) fn log(&self, peer: IpAddr, reason: &'static str) {
        if let Some(not_logged) = self.admit(peer, reason, Instant::now()) {
            tracing::info!(%peer, reason, not_logged, "handshake failed");
        }
    }

    /// Whether there is room for a line; then the number of failures before it that were not logged.
    fn admit(&self, peer: IpAddr, reason: &'static str, now: Instant) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *counts.since.get_or_insert(now);
        if now.duration_since(since) >= WINDOW {
            let not_logged = counts.not_logged;
            *counts = Counts {
                since: Some(now),
                not_logged,
                ..Counts::default()
            };
        }
        // No more entries than lines: the table cannot grow without bound.
        let so_far = counts.each.get(&(peer, reason)).copied().unwrap_or(0);
        if counts.lines >= ALL || so_far >= EACH {
            counts.not_logged += 1;
            return None;
        }
        counts.lines += 1;
        counts.each.insert((peer, reason), so_far + 1);
        Some(std::mem::take(&mut counts.not_logged))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn one_address_does_not_fill_the_log_and_hides_no_other() {
        let log = FailureLog::default();
        let now = Instant::now();
        let address = |n| IpAddr::V4(Ipv4Addr::new(10, 0, 0, n));
        for _ in 0..EACH {
            assert_eq!(log.admit(address(1), "expired", now), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(log.admit(address(1), "expired", now), None);
        }
        assert_eq!(log.admit(address(2), "expired", now), Some(1_000));
        assert_eq!(log.admit(address(1), "revoked", now), Some(0));
        let later = now + WINDOW;
        assert_eq!(log.admit(address(1), "expired", later), Some(0));
    }

    #[test]
    fn many_addresses_together_get_a_bounded_number_of_lines() {
        let log = FailureLog::default();
        let now = Instant::now();
        let lines = (0..10_000u32).filter(|n| {
            let address = IpAddr::V4(Ipv4Addr::from(*n));
            log.admit(address, "expired", now).is_some()
        });
        assert_eq!(lines.count(), ALL as usize);
        assert!(log.0.lock().expect("not poisoned").each.len() <= ALL as usize);
    }
}
