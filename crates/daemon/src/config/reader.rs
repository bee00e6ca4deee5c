//! Takes values out of the merged table, remembers the effective ones, and collects what is wrong.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use toml::{Table, Value};

/// The table that is left, what was read, and the problems.
pub(super) struct Reader {
    left: Table,
    effective: Table,
    problems: Vec<String>,
}

impl Reader {
    pub(super) fn new(table: Table, problems: Vec<String>) -> Self {
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
        let text = self.text(key)?;
        match text.parse() {
            Ok(value) => {
                self.remember(key, Value::String(text));
                Some(value)
            }
            Err(e) => {
                self.problem(key, format_args!("{text:?}: {e}"));
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
        match self.take(key)? {
            Value::Boolean(true) => {
                self.remember(key, Value::Boolean(true));
                Some(())
            }
            _ => {
                self.problem(key, "must be true, or absent");
                None
            }
        }
    }

    /// A list of values with a text form; empty if absent.
    pub(super) fn list<T: FromStr<Err: Display>>(&mut self, key: &str) -> Vec<T> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(Value::String(text)) => text
                .split(',')
                .map(|item| Value::String(item.trim().to_owned()))
                .collect(),
            Some(_) => {
                self.problem(key, "must be a list of texts");
                return Vec::new();
            }
        };
        let mut values = Vec::new();
        for item in &items {
            match item.as_str().map(str::parse) {
                Some(Ok(value)) => values.push(value),
                Some(Err(e)) => self.problem(key, format_args!("{item}: {e}")),
                None => self.problem(key, "must be a list of texts"),
            }
        }
        self.remember(key, Value::Array(items));
        values
    }

    /// A whole number; the default if absent or wrong.
    pub(super) fn number(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let value = match self.take(key) {
            None => default,
            Some(Value::Integer(number)) => match u64::try_from(number) {
                Ok(number) if range.contains(&number) => number,
                _ => self.wrong(
                    key,
                    format_args!("must be {} to {}", range.start(), range.end()),
                    default,
                ),
            },
            Some(_) => self.wrong(key, "must be a whole number", default),
        };
        self.remember(
            key,
            Value::Integer(i64::try_from(value).unwrap_or(i64::MAX)),
        );
        value
    }

    /// One of a few words; the first is the default.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&'static str, T)]) -> T {
        let (default, mut value) = choices[0];
        let text = self.text(key).unwrap_or_else(|| default.to_owned());
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, chosen)) => value = *chosen,
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                self.problem(key, format_args!("must be one of {}", words.join(", ")));
            }
        }
        self.remember(key, Value::String(text));
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
            match at.get(part) {
                Some(Value::Table(inner)) if parts.peek().is_some() => at = inner,
                Some(_) => return parts.peek().is_none(),
                None => return false,
            }
        }
        false
    }

    /// The effective configuration as TOML, and all problems, those of keys that nobody took included.
    pub(super) fn finish(mut self) -> (String, Vec<String>) {
        let mut unknown = Vec::new();
        leaves(&self.left, "", &mut unknown);
        self.problems
            .extend(unknown.iter().map(|key| format!("{key}: unknown key")));
        (self.effective.to_string(), self.problems)
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.problem(key, "must be a text");
                None
            }
        }
    }

    fn wrong<T>(&mut self, key: &str, what: impl Display, default: T) -> T {
        self.problem(key, what);
        default
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let (sections, last) = split(key);
        let mut at = &mut self.left;
        for section in sections {
            at = at.get_mut(section)?.as_table_mut()?;
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

fn leaves(table: &Table, prefix: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Table(inner) => leaves(inner, &path, found),
            _ => found.push(path),
        }
    }
}
