//! A small reproducible random number generator for synthetic data. Not for secrets.

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same numbers on every machine.
pub(super) struct Random(u64);

impl Random {
    /// A generator whose numbers depend on every one of the seeds.
    pub(super) fn seeded(seeds: &[u64]) -> Self {
        seeds.iter().fold(Self(0x9e37_79b9), |random, seed| {
            let mut next = Self(random.0 ^ seed);
            Self(next.next())
        })
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`. (The bias of the remainder does not matter for made-up patients.)
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of the items.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.below(items.len() as u64);
        &items[index as usize]
    }
}

/// A shuffled order of `0..size` that needs no memory: `i -> factor * i + offset mod size`, the factor coprime to it.
pub(super) struct Shuffle {
    size: u64,
    factor: u64,
    offset: u64,
}

impl Shuffle {
    /// An order of `0..size`; `size` is at most 2^32.
    pub(super) fn new(size: u64, random: &mut Random) -> Self {
        let size = size.max(1);
        let mut factor = random.below(size).max(1);
        while gcd(factor, size) != 1 {
            factor = factor % size + 1;
        }
        Self {
            size,
            factor,
            offset: random.below(size),
        }
    }

    /// What stands at position `i`, below the size.
    pub(super) fn at(&self, i: u64) -> u64 {
        (self.factor * (i % self.size) + self.offset) % self.size
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn splitmix64_gives_its_published_numbers() {
        // Seed 1234567, from the reference implementation (prng.di.unimi.it).
        let mut random = Random(1_234_567);
        assert_eq!(
            [random.next(), random.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn a_shuffle_visits_everything_once() {
        for size in [1, 2, 9, 10, 1_000, 1_024] {
            let shuffle = Shuffle::new(size, &mut Random::seeded(&[size]));
            let seen: HashSet<u64> = (0..size).map(|i| shuffle.at(i)).collect();
            assert_eq!(seen.len() as u64, size);
            assert!(seen.iter().all(|i| *i < size));
        }
    }
}
