//! Slots of a bounded number of things at once, of which one identity can have a part only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sluis_domain::Identity;

/// One identity may hold this part of all slots.
const PART: usize = 4;
/// And always so many, however few slots there are.
const LEAST: usize = 4;

/// The slots. Holders without an identity count as one.
pub(crate) struct Slots {
    most: usize,
    most_each: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    each: BTreeMap<Option<Identity>, usize>,
}

/// A slot; given back on drop.
#[must_use]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    holder: Option<Identity>,
}

impl Slots {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let most_each = (most / PART).max(LEAST).min(most);
        Arc::new(Self {
            most,
            most_each,
            taken: Mutex::default(),
        })
    }

    /// A slot, if there is one left and one left for this holder.
    pub(crate) fn take(self: &Arc<Self>, holder: Option<&Identity>) -> Option<Slot> {
        let holder = holder.cloned();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.each.get(&holder).copied().unwrap_or_default();
        if taken.all >= self.most || own >= self.most_each {
            return None;
        }
        taken.all += 1;
        taken.each.insert(holder.clone(), own + 1);
        Some(Slot {
            slots: self.clone(),
            holder,
        })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .all
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self
            .slots
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(own) = taken.each.get_mut(&self.holder) {
            *own -= 1;
            if *own == 0 {
                taken.each.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_gets_a_quarter_and_all_together_get_all() {
        let slots = Slots::new(40);
        let names: Vec<Identity> = (0..5)
            .map(|i| format!("a/m{i}").parse().expect("identity"))
            .collect();
        let take =
            |name: &Identity| std::iter::from_fn(|| slots.take(Some(name))).collect::<Vec<_>>();
        let mut held: Vec<_> = names.iter().map(take).collect();
        assert_eq!(
            held.iter().map(Vec::len).collect::<Vec<_>>(),
            [10, 10, 10, 10, 0]
        );
        assert!(slots.take(None).is_none());
        drop(held.remove(0));
        assert_eq!(slots.taken(), 30);
        assert!(
            slots.take(Some(&names[1])).is_none(),
            "has a quarter already"
        );
        assert!(slots.take(None).is_some());
    }

    #[test]
    fn few_slots_are_for_whoever_comes() {
        for (most, each) in [(1, 1), (2, 2), (4, 4), (10, 4), (100, 25)] {
            let slots = Slots::new(most);
            assert_eq!(
                std::iter::from_fn(|| slots.take(None))
                    .collect::<Vec<_>>()
                    .len(),
                each
            );
        }
    }
}
