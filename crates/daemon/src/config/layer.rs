//! Stage one: file, environment and flags become one table.

use toml::{Table, Value};

use super::Sources;

const PREFIX: &str = "SLUISD_";

/// All layers over one another. Problems are added, and what can be read is kept, so that later problems show too.
pub(super) fn merge(text: &str, sources: &Sources, problems: &mut Vec<String>) -> Table {
    let mut table = text.parse::<Table>().unwrap_or_else(|e| {
        problems.push(format!(
            "the file is not TOML: {}",
            e.to_string().trim_end()
        ));
        Table::new()
    });
    let mut environment: Vec<_> = sources
        .environment
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    environment.sort();
    for (name, value) in environment {
        let path = name[PREFIX.len()..].to_ascii_lowercase();
        set(
            &mut table,
            &path.split("__").collect::<Vec<_>>(),
            value,
            name,
            problems,
        );
    }
    for flag in &sources.flags {
        match flag.split_once('=') {
            Some((path, value)) => set(
                &mut table,
                &path.split('.').collect::<Vec<_>>(),
                value,
                path,
                problems,
            ),
            None => problems.push(format!("--set {flag}: must have the form key=value")),
        }
    }
    table
}

fn set(table: &mut Table, path: &[&str], value: &str, origin: &str, problems: &mut Vec<String>) {
    let Some((last, sections)) = path.split_last().filter(|(last, _)| !last.is_empty()) else {
        problems.push(format!("{origin}: names no key"));
        return;
    };
    let mut at = table;
    for section in sections {
        let entry = at
            .entry(*section)
            .or_insert_with(|| Value::Table(Table::new()));
        match entry {
            Value::Table(inner) => at = inner,
            _ => {
                problems.push(format!("{origin}: {section} is not a section"));
                return;
            }
        }
    }
    at.insert((*last).to_owned(), scalar(value));
}

/// Text of the environment as a TOML value where it is one (numbers, booleans, arrays, quoted strings), else as text.
fn scalar(text: &str) -> Value {
    let parsed = format!("x = {text}")
        .parse::<Table>()
        .ok()
        .filter(|table| table.len() == 1);
    match parsed.and_then(|mut table| table.remove("x")) {
        Some(Value::Datetime(_) | Value::Table(_)) | None => Value::String(text.to_owned()),
        Some(value) => value,
    }
}
