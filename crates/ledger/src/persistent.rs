//! Ordered collections that share structure: a clone costs nothing, a change copies the path to it.
//!
//! A rehearsal works on a clone of the state, so its cost must follow the change and not the number of grants.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Bound;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

/// An ordered map.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Map<K: Ord, V>(RedBlackTreeMapSync<K, V>);

impl<K: Ord, V> Default for Map<K, V> {
    fn default() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter()).finish()
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.0.size()
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Puts a value; returns the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.0.get(&key).cloned();
        self.0.insert_mut(key, value);
        before
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.0.remove_mut(key);
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.0.iter()
    }

    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.0.values()
    }

    /// The values of the keys after `key`, or of all keys.
    pub(crate) fn after<'a>(&'a self, key: Option<&'a K>) -> impl Iterator<Item = &'a V> {
        let start = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.0
            .range((start, Bound::Unbounded))
            .map(|(_, value)| value)
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// An ordered set.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Set<T: Ord>(RedBlackTreeSetSync<T>);

impl<T: Ord> Default for Set<T> {
    fn default() -> Self {
        Self(RedBlackTreeSetSync::new_sync())
    }
}

impl<T: Ord + fmt::Debug> fmt::Debug for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter()).finish()
    }
}

impl<T: Ord> Set<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.size()
    }

    pub(crate) fn contains(&self, value: &T) -> bool {
        self.0.contains(value)
    }

    pub(crate) fn insert(&mut self, value: T) {
        self.0.insert_mut(value);
    }

    pub(crate) fn extend(&mut self, values: impl IntoIterator<Item = T>) {
        values.into_iter().for_each(|value| self.insert(value));
    }

    /// Removes a value; returns whether it was there.
    pub(crate) fn remove(&mut self, value: &T) -> bool {
        self.0.remove_mut(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}
