//! When certificates and revocation lists end, and when an operator is told.

use sluis_domain::time::DAY_MILLIS;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sluis_domain::Timestamp;

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A certificate of the daemon's own chain.
    ServerCertificate,
    /// The certificate of an authority that issues client certificates.
    ClientAuthority,
    /// The revocation lists of an authority.
    RevocationList,
}

impl Subject {
    /// Its name in logs and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ServerCertificate => "server-certificate",
            Self::ClientAuthority => "client-authority",
            Self::RevocationList => "revocation-list",
        }
    }
}

/// A certificate or a revocation list that ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ending {
    /// What it is.
    pub(crate) subject: Subject,
    /// Distinguished name of the subject, or of the issuer of a list; printable ASCII.
    pub(crate) name: String,
    /// Its last moment.
    pub(crate) ends: Timestamp,
}

impl Ending {
    /// Days from `now` until it ends; negative if it has ended.
    pub(crate) fn days_left(&self, now: Timestamp) -> f64 {
        (self.ends.millis() as f64 - now.millis() as f64) / DAY_MILLIS as f64
    }
}

/// How near an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nearness {
    /// Nothing to say.
    Far,
    /// Within `tls.warn_days`.
    Soon,
    /// Within `tls.alarm_days`.
    VerySoon,
    /// It has ended.
    Over,
}

/// When an operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warnings {
    /// Days before the end at which it is worth a look.
    pub warn_days: u64,
    /// Days before the end at which it should wake the operator.
    pub alarm_days: u64,
}

impl Warnings {
    /// How near the end is.
    pub(crate) fn nearness(self, ending: &Ending, now: Timestamp) -> Nearness {
        let left = ending.ends.millis().saturating_sub(now.millis());
        if now >= ending.ends {
            Nearness::Over
        } else if left <= self.alarm_days.saturating_mul(DAY_MILLIS) {
            Nearness::VerySoon
        } else if left <= self.warn_days.saturating_mul(DAY_MILLIS) {
            Nearness::Soon
        } else {
            Nearness::Far
        }
    }
}

/// What was told already, so that each end is told once at each nearness.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<Ending, Nearness>>);

impl Told {
    /// The ends that came nearer since they were told last. What is no longer there is forgotten.
    pub(crate) fn news(
        &self,
        endings: Vec<Ending>,
        warnings: Warnings,
        now: Timestamp,
    ) -> Vec<(Ending, Nearness)> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        let mut next = HashMap::new();
        for ending in endings {
            let nearness = warnings.nearness(&ending, now);
            let before = told.get(&ending).copied().unwrap_or(Nearness::Far);
            if nearness > before && !next.contains_key(&ending) {
                news.push((ending.clone(), nearness));
            }
            next.insert(ending, nearness);
        }
        *told = next;
        news
    }
}

/// Writes the log lines for what came nearer its end.
pub(crate) fn log(news: &[(Ending, Nearness)], now: Timestamp) {
    for (ending, nearness) in news {
        let what = ending.subject.as_str();
        let name = ending.name.as_str();
        let ends = ending.ends;
        let days_left = ending.days_left(now).floor() as i64;
        match nearness {
            Nearness::Far => {}
            Nearness::Soon => {
                tracing::warn!(what, name, %ends, days_left, "a certificate or revocation list ends soon");
            }
            Nearness::VerySoon => {
                tracing::error!(what, name, %ends, days_left, "a certificate or revocation list ends within days");
            }
            Nearness::Over => {
                tracing::error!(what, name, %ends, "a certificate or revocation list has ended");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("valid")
    }

    #[test]
    fn each_end_is_told_once_when_it_comes_near_and_again_when_it_comes_nearer() {
        let warnings = Warnings {
            warn_days: 14,
            alarm_days: 3,
        };
        let ending = Ending {
            subject: Subject::RevocationList,
            name: "CN=one".to_owned(),
            ends: at("2030-06-30T00:00:00Z"),
        };
        let told = Told::default();
        let news = |now| {
            let news = told.news(vec![ending.clone()], warnings, at(now));
            news.into_iter()
                .map(|(_, nearness)| nearness)
                .collect::<Vec<_>>()
        };
        assert_eq!(news("2030-06-01T00:00:00Z"), []);
        assert_eq!(news("2030-06-16T00:00:00Z"), [Nearness::Soon]);
        assert_eq!(news("2030-06-17T00:00:00Z"), []);
        assert_eq!(news("2030-06-27T00:00:00Z"), [Nearness::VerySoon]);
        assert_eq!(news("2030-06-30T00:00:00Z"), [Nearness::Over]);
        assert_eq!(news("2030-07-01T00:00:00Z"), []);
    }
}
