//! `docs/telemetry.md` and the code say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = include_str!("../../../../docs/telemetry.md");
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// What is said beside a message, in all the places together. No levels: the code chooses among them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    levels: BTreeSet<String>,
    fields: BTreeSet<String>,
}

#[test]
fn every_message_of_the_log_has_its_row_with_level_and_fields_and_every_row_its_message() {
    let mut code = messages_of_the_code();
    let document = messages_of_the_document();
    for (message, said) in &mut code {
        if said.levels.contains("$level") {
            said.levels = document
                .get(message)
                .map(|row| row.levels.clone())
                .unwrap_or_default();
        }
    }
    assert_eq!(code, document, "left the code, right docs/telemetry.md");
}

#[test]
fn every_metric_has_its_row_and_every_row_its_metric() {
    let is_name = |text: &&str| {
        text.starts_with("sluis_") && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let code: BTreeSet<_> = include_str!("metrics.rs")
        .split('"')
        .filter(is_name)
        .collect();
    let document: BTreeSet<_> = rows("## Metrics")
        .into_iter()
        .map(|cells| ticked(cells[0])[0])
        .collect();
    assert_eq!(code, document, "left the code, right docs/telemetry.md");
}

#[test]
fn a_line_of_the_log_is_taken_apart() {
    // In two parts: this file is among those that are looked at.
    let source = "before tracing::".to_owned()
        + "warn!(%chain, ?stopped, n = f(1, \"a, b\"), plain,\n \"it \\\"ends\\\" (soon\"); after";
    let [(level, arguments)] = &calls(&source)[..] else {
        panic!("one call")
    };
    assert_eq!(level, "warn");
    assert_eq!(
        arguments,
        &[
            "%chain",
            "?stopped",
            "n = f(1, \"a, b\")",
            "plain",
            "\"it \\\"ends\\\" (soon\""
        ]
    );
    assert_eq!(
        arguments
            .iter()
            .map(|a| field(a))
            .take(4)
            .collect::<Vec<_>>(),
        ["chain", "stopped", "n", "plain"]
    );
}

fn messages_of_the_code() -> BTreeMap<String, Said> {
    let mut found: BTreeMap<_, Said> = BTreeMap::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = fs::read_to_string(&path).expect("the sources are there");
        assert!(
            !source.contains(concat!("use ", "tracing::")),
            "{}: write it out",
            path.display()
        );
        for (level, mut arguments) in calls(&source) {
            // A message has no parameters: it would have no row.
            let message = arguments
                .pop()
                .filter(|last| last.starts_with('"') && !last.contains('{'));
            let message = message.unwrap_or_else(|| {
                panic!("{}: no plain message behind {arguments:?}", path.display())
            });
            let said = found
                .entry(message.trim_matches('"').to_owned())
                .or_default();
            said.levels.insert(level);
            said.fields
                .extend(arguments.iter().map(|argument| field(argument).to_owned()));
        }
    }
    found
}

fn messages_of_the_document() -> BTreeMap<String, Said> {
    let mut found = BTreeMap::new();
    for cells in rows("## Logs") {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let words = cells[1]
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| LEVELS.contains(word))
            .collect();
        let said = Said {
            levels: owned(words),
            fields: owned(ticked(cells[2])),
        };
        let twice = found.insert(ticked(cells[0])[0].to_owned(), said);
        assert_eq!(twice, None, "{}", cells[0]);
    }
    found
}

/// Cells of the table's rows under a heading.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = DOCUMENT.split_once(heading).expect("the heading is there");
    let lines = section
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    lines
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').collect())
        .collect()
}

/// What stands between backticks.
fn ticked(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .expect("the sources are there")
        .map(|entry| entry.expect("readable").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let rust = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.chain(directories.iter().flat_map(|directory| sources(directory)))
        .collect()
}

/// Level and arguments of every call of a macro of `tracing`.
fn calls(source: &str) -> Vec<(String, Vec<String>)> {
    let behind = source.split("tracing::").skip(1);
    let split = behind.filter_map(|text| text.split_once("!("));
    let is_level = |level: &str| LEVELS.contains(&level) || level == "$level";
    split
        .filter(|(level, _)| is_level(level))
        .map(|(level, text)| (level.to_owned(), arguments(text)))
        .collect()
}

/// Arguments up to the bracket that closes the call.
fn arguments(text: &str) -> Vec<String> {
    let (mut found, mut depth, mut quoted, mut escaped) = (vec![String::new()], 0, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        found.last_mut().expect("never empty").push(c);
    }
    found
        .iter()
        .map(|argument| argument.trim().to_owned())
        .filter(|argument| !argument.is_empty())
        .collect()
}

/// The name of a field: `name = value`, `%name`, `?name` or `name`.
fn field(argument: &str) -> &str {
    let name = argument.split_once('=').map_or(argument, |(name, _)| name);
    name.trim().trim_start_matches(['%', '?'])
}
