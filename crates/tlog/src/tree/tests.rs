use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::hash::leaf_hash;
use crate::oracle::{Stored, leaves, root};
use crate::tile::Tile;

fn tree_of(leaves: &[Hash]) -> Tree {
    Stored::of(leaves).tree
}

/// The entries and roots with which the reference implementations of Certificate Transparency are tested.
#[test]
fn roots_are_those_of_certificate_transparency() {
    let entries = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = Tree::new();
    assert_eq!(tree.root(), EMPTY_ROOT);
    for (entry, root) in entries.iter().zip(roots) {
        tree.append(leaf_hash(
            &HEXLOWER.decode(entry.as_bytes()).expect("hexadecimal"),
        ));
        assert_eq!(HEXLOWER.encode(&tree.root()), root, "size {}", tree.size());
    }
}

#[test]
fn every_root_is_that_of_the_definition() {
    let leaves = leaves(600);
    let mut tree = Tree::new();
    for size in 0..leaves.len() {
        assert_eq!(tree.size(), size as u64);
        assert_eq!(tree.root(), root(&leaves[..size]), "size {size}");
        tree.append(leaves[size]);
    }
}

#[test]
fn roots_are_right_across_the_second_level_of_tiles() {
    let leaves = leaves(65_793);
    for size in [65_535, 65_536, 65_537, 65_791, 65_792, 65_793] {
        assert_eq!(
            tree_of(&leaves[..size]).root(),
            root(&leaves[..size]),
            "size {size}"
        );
    }
}

/// The example of the specification: 273 full tiles and one of 112 hashes; one full and one of 17; one of 1.
#[test]
fn tiles_are_those_of_the_specification() {
    let leaves = leaves(70_000);
    let stored = Stored::of(&leaves);
    assert_eq!(
        stored.full.keys().filter(|(level, _)| *level == 0).count(),
        273
    );
    assert_eq!(stored.full.len(), 274);
    let width = |level, index, width| {
        stored
            .tree
            .unfinished_tile(level, index, width)
            .map(<[u8]>::len)
    };
    assert_eq!(
        [width(0, 273, 112), width(0, 273, 113)],
        [Some(112 * 32), None]
    );
    assert_eq!([width(1, 1, 17), width(1, 1, 18)], [Some(17 * 32), None]);
    assert_eq!(
        [width(2, 0, 1), width(2, 0, 2), width(3, 0, 1)],
        [Some(32), None, None]
    );
    assert_eq!(
        [width(0, 272, 1), width(0, 274, 1), width(200, 0, 1)],
        [None, None, None]
    );
    for tile in Tile::all(70_000) {
        let (level, index) = (tile.level(), tile.index());
        let full = stored.full.get(&(level, index)).map(Vec::as_slice);
        let data = full
            .or_else(|| stored.tree.unfinished_tile(level, index, tile.width()))
            .expect("a tile of the tree");
        let span = 256_usize.pow(level.into());
        let first = usize::try_from(index).expect("small") * 256;
        let expected: Vec<u8> = (first..first + usize::from(tile.width()))
            .flat_map(|at| root(&leaves[at * span..(at + 1) * span]))
            .collect();
        assert!(data == expected, "{tile}");
    }
}

#[test]
fn a_tile_is_handed_out_with_the_entry_that_fills_it() {
    let leaves = leaves(65_536);
    let mut tree = Tree::new();
    for (at, leaf) in leaves.iter().enumerate() {
        let full: Vec<_> = tree
            .append(*leaf)
            .into_iter()
            .map(|tile| (tile.level, tile.index, tile.data.len()))
            .collect();
        let expected = match at {
            65_535 => vec![(0, 255, 8192), (1, 0, 8192)],
            _ if at % 256 == 255 => vec![(0, (at / 256) as u64, 8192)],
            _ => vec![],
        };
        assert_eq!(full, expected, "entry {at}");
    }
}

#[test]
fn a_tree_keeps_its_right_edge_only() {
    let tree = tree_of(&leaves(65_535));
    let kept: usize = tree
        .levels
        .iter()
        .map(|edge| edge.tile.len() / 32 + edge.peaks.len())
        .sum();
    assert_eq!((tree.levels.len(), kept), (2, 2 * (255 + 8)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn roots_of_random_trees(entries in prop::collection::vec(any::<[u8; 32]>(), 0..900)) {
        prop_assert_eq!(tree_of(&entries).root(), root(&entries));
    }
}

#[test]
fn a_tree_goes_on_from_its_saved_bytes() {
    let mut tree = Tree::new();
    for number in 0..66_000_u64 {
        let around_a_tile = number < 600 || (65_530..65_800).contains(&number);
        if around_a_tile {
            assert_eq!(Tree::load(&tree.save()), Some(tree.clone()), "{number}");
        }
        tree.append(leaf_hash(&number.to_be_bytes()));
    }
    let bytes = tree.save();
    assert_eq!(Tree::load(&bytes[..bytes.len() - 1]), None);
    assert_eq!(Tree::load(&[&bytes[..], &[0]].concat()), None);
    assert_eq!(Tree::load(&bytes[..7]), None);
}
