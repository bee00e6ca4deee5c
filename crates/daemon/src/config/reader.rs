//! Takes values out of the merged table, remembers the effective ones, and collects what is wrong.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use config::{Map, Value as Raw, ValueKind};
use toml::{Table, Value};

use super::layer::{is_from_outside, origin};

/// The table that is left, what was read, and the problems.
pub(super) struct Reader {
    left: Map<String, Raw>,
    effective: Table,
    problems: Vec<String>,
}

impl Reader {
    pub(super) fn new(table: Map<String, Raw>, problems: Vec<String>) -> Self {
        Self {
            left: table,
            effective: Table::new(),
            problems,
        }
    }

    /// A required value with a text form.
    pub(super) fn required<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        if !self.has(key) {
            self.problem(key, "is required");
            return None;
        }
        self.optional(key)
    }

    /// An optional value with a text form.
    pub(super) fn optional<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        let (text, raw) = self.text(key)?;
        match text.parse() {
            Ok(value) => {
                self.remember(key, Value::String(text));
                Some(value)
            }
            Err(e) => {
                self.wrong(key, &raw, format_args!("{text:?}: {e}"));
                None
            }
        }
    }

    /// A value with a text form, and its default in text form.
    pub(super) fn or_default<T: FromStr<Err: Display>>(
        &mut self,
        key: &str,
        default: &str,
    ) -> Option<T> {
        if self.has(key) {
            return self.optional(key);
        }
        self.remember(key, Value::String(default.to_owned()));
        default.parse().ok()
    }

    /// A required path.
    pub(super) fn required_path(&mut self, key: &str) -> Option<PathBuf> {
        self.required::<NonEmpty>(key).map(|text| text.0.into())
    }

    /// An optional path.
    pub(super) fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        self.optional::<NonEmpty>(key).map(|text| text.0.into())
    }

    /// A required text that is not empty.
    pub(super) fn required_text(&mut self, key: &str) -> Option<String> {
        self.required::<NonEmpty>(key).map(|text| text.0)
    }

    /// A switch that is on or absent.
    pub(super) fn only_true(&mut self, key: &str) -> Option<()> {
        let raw = self.take(key)?;
        let is_true = match &raw.kind {
            ValueKind::Boolean(value) => *value,
            ValueKind::String(text) => is_from_outside(&raw) && text == "true",
            _ => false,
        };
        if !is_true {
            self.wrong(key, &raw, "must be true, or absent");
            return None;
        }
        self.remember(key, Value::Boolean(true));
        Some(())
    }

    /// A list of values with a text form; empty if absent.
    pub(super) fn list<T: FromStr<Err: Display>>(&mut self, key: &str) -> Vec<T> {
        let Some(raw) = self.take(key) else {
            return Vec::new();
        };
        let Some(items) = texts(&raw) else {
            self.wrong(key, &raw, "must be a list of texts");
            return Vec::new();
        };
        let mut values = Vec::new();
        for item in &items {
            match item.parse() {
                Ok(value) => values.push(value),
                Err(e) => self.wrong(key, &raw, format_args!("{item:?}: {e}")),
            }
        }
        let items = items.into_iter().map(Value::String).collect();
        self.remember(key, Value::Array(items));
        values
    }

    /// A whole number; the default if absent or wrong.
    pub(super) fn number(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let mut value = default;
        if let Some(raw) = self.take(key) {
            match whole_number(&raw) {
                Some(number) if u64::try_from(number).is_ok_and(|n| range.contains(&n)) => {
                    value = number as u64;
                }
                Some(_) => {
                    let (least, most) = (range.start(), range.end());
                    self.wrong(key, &raw, format_args!("must be {least} to {most}"));
                }
                None => self.wrong(key, &raw, "must be a whole number"),
            }
        }
        self.remember(
            key,
            Value::Integer(i64::try_from(value).unwrap_or(i64::MAX)),
        );
        value
    }

    /// One of a few words; the first is the default.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&'static str, T)]) -> T {
        let (default, mut value) = choices[0];
        let mut word = default.to_owned();
        if let Some((text, raw)) = self.text(key) {
            match choices.iter().find(|(word, _)| *word == text) {
                Some((_, chosen)) => value = *chosen,
                None => {
                    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                    let words = words.join(", ");
                    self.wrong(key, &raw, format_args!("must be one of {words}"));
                }
            }
            word = text;
        }
        self.remember(key, Value::String(word));
        value
    }

    /// Adds a problem with a key.
    pub(super) fn problem(&mut self, key: &str, what: impl Display) {
        self.problems.push(format!("{key}: {what}"));
    }

    /// Whether the key is present and not taken yet.
    pub(super) fn has(&self, key: &str) -> bool {
        let mut at = &self.left;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            match at.get(part).map(|value| &value.kind) {
                Some(ValueKind::Table(inner)) if parts.peek().is_some() => at = inner,
                Some(_) => return parts.peek().is_none(),
                None => return false,
            }
        }
        false
    }

    /// The effective configuration as TOML, and all problems, those of keys that no one took included.
    pub(super) fn finish(mut self) -> (String, Vec<String>) {
        let mut unknown = leaves(&self.left, "");
        unknown.sort();
        self.problems.extend(unknown);
        (self.effective.to_string(), self.problems)
    }

    fn text(&mut self, key: &str) -> Option<(String, Raw)> {
        let raw = self.take(key)?;
        if let ValueKind::String(text) = &raw.kind {
            return Some((text.clone(), raw));
        }
        self.wrong(key, &raw, "must be a text");
        None
    }

    /// Adds a problem with a value, and where the value comes from.
    fn wrong(&mut self, key: &str, raw: &Raw, what: impl Display) {
        self.problem(key, format_args!("{what} ({})", origin(raw)));
    }

    fn take(&mut self, key: &str) -> Option<Raw> {
        let (sections, last) = split(key);
        let mut at = &mut self.left;
        for section in sections {
            match &mut at.get_mut(section)?.kind {
                ValueKind::Table(inner) => at = inner,
                _ => return None,
            }
        }
        at.remove(last)
    }

    fn remember(&mut self, key: &str, value: Value) {
        let (sections, last) = split(key);
        let mut at = &mut self.effective;
        for section in sections {
            let entry = at
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            at = entry
                .as_table_mut()
                .expect("sections of known keys are tables");
        }
        at.insert(last.to_owned(), value);
    }
}

/// A text that is not empty.
struct NonEmpty(String);

impl FromStr for NonEmpty {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            Err("must not be empty")
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

fn split(key: &str) -> (Vec<&str>, &str) {
    let mut parts: Vec<_> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    (parts, last)
}

/// A number; text where it was written outside of the file.
fn whole_number(raw: &Raw) -> Option<i64> {
    match &raw.kind {
        ValueKind::I64(number) => Some(*number),
        ValueKind::String(text) if is_from_outside(raw) => text.replace('_', "").parse().ok(),
        _ => None,
    }
}

/// A list of texts, or one text with commas; outside of the file it may be written as in the file.
fn texts(raw: &Raw) -> Option<Vec<String>> {
    match &raw.kind {
        ValueKind::Array(items) => {
            let items = items.iter().map(|item| match &item.kind {
                ValueKind::String(text) => Some(text.clone()),
                _ => None,
            });
            items.collect()
        }
        ValueKind::String(text) if is_from_outside(raw) && text.starts_with('[') => {
            let table: Table = format!("x = {text}").parse().ok()?;
            table.get("x")?.clone().try_into().ok()
        }
        ValueKind::String(text) => {
            let items = text.split(',').map(|item| item.trim().to_owned());
            Some(items.collect())
        }
        _ => None,
    }
}

/// A problem for each value that is left.
fn leaves(table: &Map<String, Raw>, prefix: &str) -> Vec<String> {
    let problems = table.iter().flat_map(|(key, value)| {
        let path = format!("{prefix}{key}");
        match &value.kind {
            ValueKind::Table(inner) => leaves(inner, &format!("{path}.")),
            _ => vec![format!("{path}: unknown key ({})", origin(value))],
        }
    });
    problems.collect()
}
