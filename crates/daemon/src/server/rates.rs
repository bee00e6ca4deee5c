//! How often one person may do something: a number a second, and some more at once now and then.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sluis_domain::Identity;

/// Most people that are remembered. Those beyond share one rate.
const MOST: usize = 16_384;

/// The rates of all people.
pub(crate) struct Rates {
    /// What one costs.
    each: Duration,
    /// What may be owed: the number at once.
    most: Duration,
    /// When each person's debt is paid, as long as it is not.
    owed: Mutex<BTreeMap<Option<Identity>, Instant>>,
}

impl Rates {
    /// `number` in `time`, and `burst` at once.
    pub(crate) fn new(number: u32, time: Duration, burst: u32) -> Self {
        let each = time / number.max(1);
        Self {
            each,
            most: each.saturating_mul(burst.max(1)),
            owed: Mutex::default(),
        }
    }

    /// Counts one.
    ///
    /// # Errors
    /// How long until it may be; it does not count then.
    pub(crate) fn take(&self, who: &Identity, now: Instant) -> Result<(), Duration> {
        let wait = self.book(who, now, Duration::ZERO)?;
        debug_assert!(wait.is_zero(), "nothing is booked ahead");
        Ok(())
    }

    /// Counts one that is done after a wait of at most `patience`; how long to wait.
    ///
    /// # Errors
    /// How long it would be, if that is more; it does not count then.
    pub(crate) fn book(
        &self,
        who: &Identity,
        now: Instant,
        patience: Duration,
    ) -> Result<Duration, Duration> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.name(&mut owed, who, now);
        let paid = owed.get(&name).copied().map_or(now, |at| at.max(now)) + self.each;
        let wait = (paid - now).saturating_sub(self.most);
        if wait > patience {
            return Err(wait);
        }
        owed.insert(name, paid);
        Ok(wait)
    }

    /// Whether one more may be; nothing is counted.
    ///
    /// # Errors
    /// How long until then.
    pub(crate) fn look(&self, who: &Identity, now: Instant) -> Result<(), Duration> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.name(&mut owed, who, now);
        let paid = owed.get(&name).copied().map_or(now, |at| at.max(now)) + self.each;
        match (paid - now).saturating_sub(self.most) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    /// Under which name a person counts: the own one, or that of all beyond those who are remembered.
    fn name(
        &self,
        owed: &mut BTreeMap<Option<Identity>, Instant>,
        who: &Identity,
        now: Instant,
    ) -> Option<Identity> {
        let own = Some(who.clone());
        if owed.len() >= MOST && !owed.contains_key(&own) {
            owed.retain(|_, at| *at > now);
            if owed.len() >= MOST {
                return None;
            }
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> Identity {
        format!("a/{name}").parse().expect("an identity")
    }

    #[test]
    fn a_burst_then_the_rate_and_each_person_has_their_own() {
        let rates = Rates::new(10, Duration::from_secs(1), 3);
        let now = Instant::now();
        let taken = (0..10).filter(|_| rates.take(&who("a"), now).is_ok());
        assert_eq!(taken.count(), 3);
        assert_eq!(
            rates.take(&who("a"), now),
            Err(Duration::from_millis(100)),
            "and what is refused does not count"
        );
        assert_eq!(rates.look(&who("a"), now), Err(Duration::from_millis(100)));
        assert_eq!(rates.look(&who("b"), now), Ok(()));
        let later = now + Duration::from_millis(100);
        assert_eq!(rates.take(&who("a"), later), Ok(()));
        assert!(rates.take(&who("a"), later).is_err());
        assert_eq!(rates.take(&who("b"), now), Ok(()));
    }

    #[test]
    fn what_waits_is_counted_ahead() {
        let rates = Rates::new(10, Duration::from_secs(1), 1);
        let (now, patience) = (Instant::now(), Duration::from_millis(250));
        let waits: Vec<_> = (0..4)
            .map(|_| rates.book(&who("a"), now, patience))
            .collect();
        let millis = Duration::from_millis;
        assert_eq!(
            waits,
            [
                Ok(millis(0)),
                Ok(millis(100)),
                Ok(millis(200)),
                Err(millis(300))
            ]
        );
    }

    #[test]
    fn many_people_are_not_remembered_for_ever_and_share_what_is_left() {
        let rates = Rates::new(1, Duration::from_secs(1), 1);
        let now = Instant::now();
        for i in 0..MOST {
            assert!(rates.take(&who(&i.to_string()), now).is_ok());
        }
        assert!(rates.take(&who("one"), now).is_ok());
        assert!(rates.take(&who("two"), now).is_err(), "one rate for both");
        assert!(rates.take(&who("0"), now).is_err(), "has its own");
        let later = now + Duration::from_secs(2);
        assert!(rates.take(&who("two"), later).is_ok());
        let remembered = rates.owed.lock().expect("whole").len();
        assert_eq!(remembered, 1, "those whose time is over are forgotten");
    }
}
