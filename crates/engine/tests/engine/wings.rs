//! The wings of the engine do not know each other, and the core knows none of them.

use std::fs;
use std::path::{Path, PathBuf};

const WINGS: [&str; 4] = ["batches", "governance", "life", "log"];

fn files(of: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(of).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The files of a part: its own, and those below.
fn of(part: &str) -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![source.join(format!("{part}.rs"))];
    files(&source.join(part), &mut found);
    found
}

#[test]
fn no_wing_imports_another_and_the_core_imports_none() {
    for part in WINGS.into_iter().chain(["core"]) {
        for file in of(part) {
            let text = fs::read_to_string(&file).unwrap();
            for other in WINGS.into_iter().filter(|other| *other != part) {
                let named = text.contains(&format!("crate::{other}::"));
                assert!(!named, "{} names {other}", file.display());
            }
        }
    }
}
