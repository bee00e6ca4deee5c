//! A copy of the log in memory, to be tampered with.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::ops::Range;
use std::path::Path;

use sluis_tlog::{Bundle, Tile, Tree, decode_bundle, leaf_hash};
use sluis_verify::{Checked, Files, Problem};

/// The files of an export by their paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Copy(pub(super) BTreeMap<String, Vec<u8>>);

impl Files for Copy {
    type Error = Infallible;

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(path).cloned())
    }
}

impl Copy {
    pub(super) fn read(directory: &str) -> Self {
        let mut copy = Self(BTreeMap::new());
        copy.read_below(Path::new(directory), Path::new(directory));
        copy
    }

    fn read_below(&mut self, root: &Path, directory: &Path) {
        for entry in fs::read_dir(directory).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                self.read_below(root, &path);
            } else {
                let name = path
                    .strip_prefix(root)
                    .expect("below")
                    .display()
                    .to_string();
                self.0.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }

    pub(super) fn write(&self, directory: &str) {
        for (name, content) in &self.0 {
            let path = Path::new(directory).join(name);
            fs::create_dir_all(path.parent().expect("below")).expect("made");
            fs::write(path, content).expect("written");
        }
    }

    /// The verdict of the library that `sluis audit verify` is made of.
    pub(super) fn verify(&self, key: &str) -> Result<Checked, Vec<Problem>> {
        let Ok(verdict) = sluis_verify::verify(self, &key.parse().expect("a key"), &mut |_, _| ());
        verdict
    }

    /// All problems as text; there must be some.
    pub(super) fn problems(&self, key: &str) -> Vec<String> {
        let problems = self.verify(key).expect_err("accepted");
        problems.iter().map(ToString::to_string).collect()
    }

    pub(super) fn size(&self) -> u64 {
        super::parsed(&self.0["checkpoint"]).size()
    }

    fn bundles(&self) -> Vec<(String, u16)> {
        Bundle::all(self.size())
            .map(|bundle| (bundle.to_string(), bundle.width()))
            .collect()
    }

    /// Canonical bytes of all entries.
    pub(super) fn entries(&self) -> Vec<Vec<u8>> {
        let entries = |(path, width): &(String, u16)| -> Vec<Vec<u8>> {
            let entries = decode_bundle(&self.0[path], *width).expect("a bundle");
            entries.into_iter().map(<[u8]>::to_vec).collect()
        };
        self.bundles().iter().flat_map(entries).collect()
    }

    /// Puts other entries in the place of all.
    pub(super) fn set_entries(&mut self, entries: &[Vec<u8>]) {
        for ((path, _), entries) in self.bundles().into_iter().zip(entries.chunks(256)) {
            self.0.insert(
                path,
                sluis_tlog::encode_bundle(entries).expect("not too long"),
            );
        }
    }

    /// One bit of a file.
    pub(super) fn flip(&mut self, path: &str, at: usize) {
        self.0.get_mut(path).unwrap_or_else(|| panic!("no {path}"))[at] ^= 1;
    }

    /// Makes all tiles again, as someone would who has changed entries. The new root.
    pub(super) fn set_tiles(&mut self) -> sluis_tlog::Hash {
        let mut tree = Tree::new();
        for entry in self.entries() {
            for full in tree.append(leaf_hash(&entry)) {
                let tile = Tile::new(full.level, full.index, 256).expect("a tile");
                self.0.insert(tile.to_string(), full.data.to_vec());
            }
        }
        for tile in Tile::all(tree.size()).filter(|tile| tile.width() < 256) {
            let hashes = tree
                .unfinished_tile(tile.level(), tile.index(), tile.width())
                .expect("unfinished");
            self.0.insert(tile.to_string(), hashes.to_vec());
        }
        tree.root()
    }
}

/// Bytes of a part of a body.
const PART: usize = 40;

/// The fields of an entry's header as `docs/audit-log.md` has them, with the places of their bytes, and then parts of what follows.
pub(super) fn fields(entry: &[u8]) -> Vec<(&'static str, Range<usize>)> {
    let mut walk = Walk {
        entry,
        at: 0,
        fields: Vec::new(),
    };
    walk.fixed("format", 1);
    walk.fixed("salt", 16);
    walk.fixed("at", 8);
    walk.fixed("act", 1);
    if walk.fixed("outcome", 1) == 1 {
        walk.lp("reason");
    }
    walk.fixed("registry version", 8);
    while walk.at < entry.len() {
        walk.fixed("body", PART.min(entry.len() - walk.at));
    }
    walk.fields
}

struct Walk<'a> {
    entry: &'a [u8],
    at: usize,
    fields: Vec<(&'static str, Range<usize>)>,
}

impl Walk<'_> {
    fn fixed(&mut self, name: &'static str, bytes: usize) -> usize {
        let range = self.at..self.at + bytes;
        self.at = range.end;
        self.fields.push((name, range.clone()));
        self.entry[range]
            .iter()
            .fold(0, |number, byte| (number << 8) | usize::from(*byte))
    }

    fn lp(&mut self, name: &'static str) {
        let length = usize::from(u16::from_be_bytes([
            self.entry[self.at],
            self.entry[self.at + 1],
        ]));
        self.fields.push((name, self.at..self.at + 2 + length));
        self.at += 2 + length;
    }
}
