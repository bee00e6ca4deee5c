use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::hash::leaf_hash;
use crate::oracle::{Stored, leaves, path, proof, root};
use crate::verify::{verify_consistency, verify_inclusion};

/// Sizes on both sides of the borders of tiles of level 0 and 1.
const BORDERS: [u64; 11] = [
    1, 255, 256, 257, 258, 511, 512, 65_535, 65_536, 65_537, 66_000,
];

fn at(size: u64) -> usize {
    usize::try_from(size).expect("small")
}

#[test]
fn roots_are_those_of_the_definition() {
    let leaves = leaves(600);
    let stored = Stored::of(&leaves);
    let prover = Prover::new(&stored, 600);
    for size in 0..=600 {
        assert_eq!(
            prover.root(size),
            Ok(root(&leaves[..at(size)])),
            "size {size}"
        );
    }
}

#[test]
fn small_proofs_are_those_of_the_definition_and_verify() {
    let leaves = leaves(70);
    for tree in [70, 41] {
        let stored = Stored::of(&leaves[..tree]);
        let prover = Prover::new(&stored, tree as u64);
        for new in 0..=tree {
            let new_root = root(&leaves[..new]);
            for old in 0..=new {
                let made = prover.consistency(old as u64, new as u64).expect("a proof");
                assert_eq!(made, proof(old, &leaves[..new]), "{old}..{new}");
                let old_root = root(&leaves[..old]);
                assert_eq!(
                    verify_consistency(old as u64, &old_root, new as u64, &new_root, &made),
                    Ok(()),
                    "{old}..{new}"
                );
            }
            for index in 0..new {
                let made = prover.inclusion(index as u64, new as u64).expect("a proof");
                assert_eq!(made, path(index, &leaves[..new]), "{index} in {new}");
                assert_eq!(
                    verify_inclusion(index as u64, new as u64, &leaves[index], &made, &new_root),
                    Ok(())
                );
            }
        }
    }
}

#[test]
fn proofs_across_the_borders_of_tiles() {
    let leaves = leaves(66_000);
    let stored = Stored::of(&leaves);
    let prover = Prover::new(&stored, 66_000);
    for new in BORDERS {
        let new_root = root(&leaves[..at(new)]);
        assert_eq!(prover.root(new), Ok(new_root), "size {new}");
        for old in BORDERS.into_iter().filter(|old| *old <= new) {
            let made = prover.consistency(old, new).expect("a proof");
            assert_eq!(made, proof(at(old), &leaves[..at(new)]), "{old}..{new}");
            assert_eq!(
                verify_consistency(old, &root(&leaves[..at(old)]), new, &new_root, &made),
                Ok(()),
                "{old}..{new}"
            );

            let made = prover.inclusion(old - 1, new).expect("a proof");
            assert_eq!(
                made,
                path(at(old - 1), &leaves[..at(new)]),
                "{} in {new}",
                old - 1
            );
            assert_eq!(
                verify_inclusion(old - 1, new, &leaves[at(old - 1)], &made, &new_root),
                Ok(())
            );
        }
    }
}

/// SHA-256 over all proofs among the borders, in the order of this loop, as made by the crate `tlog_tiles` 0.2.0.
#[test]
fn proofs_are_those_of_another_implementation() {
    let stored = Stored::of(&leaves(66_000));
    let prover = Prover::new(&stored, 66_000);
    let mut digest = Sha256::new();
    for new in BORDERS {
        digest.update(prover.root(new).expect("a root"));
        for old in BORDERS.into_iter().filter(|old| *old <= new) {
            prover
                .consistency(old, new)
                .expect("a proof")
                .iter()
                .for_each(|hash| digest.update(hash));
            prover
                .inclusion(old - 1, new)
                .expect("a proof")
                .iter()
                .for_each(|hash| digest.update(hash));
        }
    }
    assert_eq!(
        data_encoding::HEXLOWER.encode(&digest.finalize()),
        "05362045d510156c06ca5d796db6920e6c9294e72c2c4630f51aaaae455e1240"
    );
}

#[test]
fn only_the_needed_tiles_are_read_and_each_once() {
    let stored = Stored::of(&leaves(66_000));
    let prover = Prover::new(&stored, 66_000);
    let asked = || {
        stored
            .asked
            .take()
            .iter()
            .map(Tile::to_string)
            .collect::<Vec<_>>()
    };
    prover.inclusion(300, 66_000).expect("a proof");
    assert_eq!(
        asked(),
        [
            "tile/1/001.p/1",
            "tile/0/257.p/208",
            "tile/1/000",
            "tile/0/001"
        ]
    );
    prover.root(65_536).expect("a root");
    assert_eq!(asked(), ["tile/2/000.p/1"]);
    prover.root(256).expect("a root");
    assert_eq!(asked(), ["tile/1/000"]);
    prover.consistency(65_536, 66_000).expect("a proof");
    assert_eq!(asked(), ["tile/1/001.p/1", "tile/0/257.p/208"]);
    prover.consistency(66_000, 66_000).expect("a proof");
    prover.consistency(0, 66_000).expect("a proof");
    prover.inclusion(0, 1).expect("a proof");
    assert_eq!(asked(), Vec::<String>::new());
}

#[test]
fn what_is_not_in_the_log_has_no_proof() {
    let stored = Stored::of(&leaves(5));
    let prover = Prover::new(&stored, 5);
    assert_eq!(
        prover.root(6),
        Err(ProveError::NotThatLong { asked: 6, size: 5 })
    );
    assert_eq!(
        prover.inclusion(0, 6),
        Err(ProveError::NotThatLong { asked: 6, size: 5 })
    );
    assert_eq!(
        prover.inclusion(4, 4),
        Err(ProveError::NotInTree { index: 4, size: 4 })
    );
    assert_eq!(
        prover.inclusion(0, 0),
        Err(ProveError::NotInTree { index: 0, size: 0 })
    );
    assert_eq!(
        prover.consistency(3, 6),
        Err(ProveError::NotThatLong { asked: 6, size: 5 })
    );
    assert_eq!(
        prover.consistency(4, 3),
        Err(ProveError::Shrunk { old: 4, new: 3 })
    );
}

#[test]
fn a_missing_tile_is_an_error() {
    let stored = Stored::of(&leaves(5));
    let missing = Tile::new(0, 0, 6).expect("a tile");
    assert_eq!(
        Prover::new(&stored, 6).root(6),
        Err(ProveError::Source(missing))
    );
}

/// Tiles of a tree whose entries are all the same, of any size; `extra` makes them too long or too short.
struct Monotone {
    extra: isize,
}

impl TileSource for Monotone {
    type Error = std::convert::Infallible;

    fn tile(&self, level: u8, _index: u64, width: u16) -> Result<Vec<u8>, Self::Error> {
        let hash =
            (0..u32::from(level) * 8).fold(leaf_hash(b""), |hash, _| node_hash(&hash, &hash));
        let mut tile = hash.repeat(width.into());
        tile.resize(tile.len().saturating_add_signed(self.extra), 0);
        Ok(tile)
    }
}

#[test]
fn a_tile_of_wrong_length_is_an_error() {
    for extra in [-32, -1, 1, 32] {
        let refused = Prover::new(&Monotone { extra }, 300).inclusion(0, 300);
        assert!(
            matches!(refused, Err(ProveError::TileLength { expected, bytes, .. }) if expected != bytes),
            "{extra}"
        );
    }
}

#[test]
fn the_largest_logs_have_proofs() {
    let prover = Prover::new(&Monotone { extra: 0 }, u64::MAX);
    let leaf = leaf_hash(b"");
    for new in [
        u64::MAX,
        u64::MAX - 1,
        1 << 63,
        (1 << 63) + 1,
        (1 << 56) - 1,
        1 << 56,
    ] {
        let new_root = prover.root(new).expect("a root");
        for old in [1, 2, 3, 255, 1 << 32, (1 << 55) + 7, new / 2, new - 1, new] {
            let made = prover.consistency(old, new).expect("a proof");
            let old_root = prover.root(old).expect("a root");
            assert_eq!(
                verify_consistency(old, &old_root, new, &new_root, &made),
                Ok(()),
                "{old}..{new}"
            );
            let made = prover.inclusion(old - 1, new).expect("a proof");
            assert_eq!(
                verify_inclusion(old - 1, new, &leaf, &made, &new_root),
                Ok(()),
                "{} in {new}",
                old - 1
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_proofs_verify(a in 0_usize..3000, b in 0_usize..3000, tree in 0_usize..3000, pick in any::<prop::sample::Index>()) {
        let mut sizes = [a, b, tree];
        sizes.sort_unstable();
        let [old, new, tree] = sizes;
        let leaves = leaves(tree as u64);
        let stored = Stored::of(&leaves);
        let prover = Prover::new(&stored, tree as u64);
        let (old_root, new_root) = (root(&leaves[..old]), root(&leaves[..new]));
        let made = prover.consistency(old as u64, new as u64).expect("a proof");
        prop_assert_eq!(verify_consistency(old as u64, &old_root, new as u64, &new_root, &made), Ok(()));
        if new > 0 {
            let index = pick.index(new);
            let made = prover.inclusion(index as u64, new as u64).expect("a proof");
            prop_assert_eq!(&made, &path(index, &leaves[..new]));
            prop_assert_eq!(verify_inclusion(index as u64, new as u64, &leaves[index], &made, &new_root), Ok(()));
        }
    }
}
