//! The house rules within a crate: files do not use each other in a circle, except a file and the files below it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The path of a module within its crate; empty for the root.
type Module = Vec<String>;

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    for directory in entries(&crates) {
        let circles = circles(uses(&modules(&directory.join("src"))));
        assert!(circles.is_empty(), "{}: {circles:?}", directory.display());
    }
}

#[test]
fn a_circle_is_found_and_a_parent_may_use_its_children() {
    let module = |path: &str, text: &str| {
        (
            path.split('/').map(str::to_owned).collect(),
            text.to_owned(),
        )
    };
    let modules = BTreeMap::from([
        module("a", "use std::fmt;\nuse crate::{b, c::{self, d::E as F}};"),
        module("a/child", "use super::A;"),
        module("b", "fn f() { super::a::g(); }"),
        module("c", "use crate::c::d::E;"),
        module("c/d", "// use crate::b;\nuse super::C;"),
    ]);
    let found: Vec<Module> = circles(uses(&modules)).into_keys().collect();
    assert_eq!(found, [vec!["a"], vec!["b"]]);
}

/// The text of every module below `src` without its tests.
fn modules(src: &Path) -> BTreeMap<Module, String> {
    let files = files(src).into_iter().filter_map(|file| {
        let module = module(file.strip_prefix(src).expect("below it"));
        let text = fs::read_to_string(&file).expect("readable");
        let is_test = module.iter().any(|name| name.ends_with("tests"));
        (!is_test).then(|| (module, without_tests(&text)))
    });
    files.collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let below = entries(directory).into_iter().map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    below.flatten().collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| entry.expect("readable").path())
        .collect()
}

/// `a/b.rs` and `a/b/mod.rs` are a::b, `lib.rs` and `main.rs` the root.
fn module(file: &Path) -> Module {
    let path = file.with_extension("");
    let names = path
        .iter()
        .map(|name| name.to_str().expect("UTF-8").to_owned());
    names
        .filter(|name| !["lib", "main", "mod"].contains(&name.as_str()))
        .collect()
}

fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    code.unwrap_or_default().to_owned()
}

/// Which modules each module uses, but for those above and below it.
fn uses(modules: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let of_each = modules.iter().map(|(module, text)| {
        let tokens = tokens(text);
        let used = Paths::new(&tokens).map(|path| known(modules, absolute(module, &path)));
        let apart = used.filter(|other| !module.starts_with(other) && !other.starts_with(module));
        (module.clone(), apart.collect())
    });
    of_each.collect()
}

/// The path from the root of a path in this module.
fn absolute(module: &[String], path: &[&str]) -> Module {
    let up = path.iter().take_while(|name| **name == "super").count();
    let (base, rest) = match path {
        ["crate", rest @ ..] => (&[][..], rest),
        _ => (&module[..module.len().saturating_sub(up)], &path[up..]),
    };
    let names = base.iter().map(String::as_str).chain(rest.iter().copied());
    names.map(str::to_owned).collect()
}

/// The module that a path leads to: what comes after it is an item.
fn known(modules: &BTreeMap<Module, String>, mut path: Module) -> Module {
    while !path.is_empty() && !modules.contains_key(&path) {
        path.pop();
    }
    path
}

/// What is left when modules that use none of the others, or that none of them uses, are taken away again and again.
fn circles(mut uses: BTreeMap<Module, BTreeSet<Module>>) -> BTreeMap<Module, BTreeSet<Module>> {
    loop {
        let before = uses.len();
        let used: BTreeSet<Module> = uses.values().flatten().cloned().collect();
        let users: BTreeSet<Module> = uses.keys().cloned().collect();
        uses.values_mut()
            .for_each(|used| used.retain(|module| users.contains(module)));
        uses.retain(|module, of_module| !of_module.is_empty() && used.contains(module));
        if uses.len() == before {
            return uses;
        }
    }
}

/// Names, `::` and single characters; no comments.
fn tokens(text: &str) -> Vec<&str> {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(|line| std::iter::successors(next_token(line), |(_, rest)| next_token(rest)))
        .map(|(token, _)| token)
        .collect()
}

/// The first token, and the text after it.
fn next_token(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let first = text.chars().next()?;
    let name = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let length = match name {
        0 if text.starts_with("::") => 2,
        0 => first.len_utf8(),
        name => name,
    };
    Some(text.split_at(length))
}

/// The paths of a text that begin with `crate` or `super`; `a::{b, c}` is two.
struct Paths<'a> {
    tokens: &'a [&'a str],
    found: Vec<Vec<&'a str>>,
}

impl<'a> Paths<'a> {
    fn new(tokens: &'a [&'a str]) -> Self {
        let found = Vec::new();
        Self { tokens, found }
    }

    fn take(&mut self) -> &'a str {
        let Some((first, rest)) = self.tokens.split_first() else {
            return "";
        };
        self.tokens = rest;
        first
    }

    fn is_at(&self, tokens: &[&str]) -> bool {
        self.tokens
            .first()
            .is_none_or(|token| tokens.contains(token))
    }

    /// The paths that begin with `path` and the tokens from here.
    fn path(&mut self, mut path: Vec<&'a str>) -> Vec<Vec<&'a str>> {
        loop {
            match self.take() {
                "{" => return self.group(&path),
                "self" => {}
                name => path.push(name),
            }
            if self.is_at(&["::"]) && !self.take().is_empty() {
                continue;
            }
            return vec![path];
        }
    }

    /// The paths of a group, up to its end.
    fn group(&mut self, path: &[&'a str]) -> Vec<Vec<&'a str>> {
        let mut paths = Vec::new();
        while !self.is_at(&["}"]) {
            paths.extend(self.path(path.to_vec()));
            // An item may have another name after `as`.
            while !self.is_at(&[",", "}"]) {
                self.take();
            }
            if self.is_at(&[","]) {
                self.take();
            }
        }
        self.take();
        paths
    }
}

impl<'a> Iterator for Paths<'a> {
    type Item = Vec<&'a str>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.found.is_empty() && !self.tokens.is_empty() {
            match self.tokens {
                ["crate" | "super", "::", ..] => self.found = self.path(Vec::new()),
                _ => drop(self.take()),
            }
        }
        self.found.pop()
    }
}
