//! Stage one: file, environment and flags become one table. Each value remembers where it comes from.

use std::collections::BTreeMap;

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source, Value};

use super::Sources;

const PREFIX: &str = "SLUISD";
/// Between the parts of a key in the name of a variable.
const SEPARATOR: &str = "__";
/// Where the values of [`Flags`] come from.
const FLAGS: &str = "--set";

/// All layers over one another, and what is wrong with them. What can be read is kept, so that later problems show too.
pub(super) fn merge(text: &str, sources: &Sources) -> (Map<String, Value>, Vec<String>) {
    let mut problems = Vec::new();
    let file = Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .build();
    let file = file.unwrap_or_else(|error| {
        let error = error.to_string();
        problems.push(format!("the file is not TOML: {}", error.trim_end()));
        Config::default()
    });
    let environment = Environment::with_prefix(PREFIX)
        .prefix_separator("_")
        .separator(SEPARATOR)
        .source(Some(variables(sources)));
    let (flags, not_flags) = Flags::parse(&sources.flags);
    problems.extend(not_flags);
    let named = variables(sources).into_keys();
    let named = named.map(|name| (key_of(&name), name));
    let named: Vec<_> = named.chain(flags.names()).collect();
    problems.extend(misnamed(&named));
    let merged = Config::builder()
        .add_source(file)
        .add_source(environment)
        .add_source(flags)
        .build()
        .and_then(|config| config.collect());
    let merged = merged.unwrap_or_else(|error| {
        problems.push(error.to_string());
        Map::new()
    });
    (merged, problems)
}

/// What stands before a value in a problem.
pub(super) fn origin(value: &Value) -> &str {
    value.origin().unwrap_or("the file")
}

/// Whether a value is text because it was written outside of the file.
pub(super) fn is_from_outside(value: &Value) -> bool {
    value.origin().is_some()
}

/// The variables that are ours and have a key for a name.
fn variables(sources: &Sources) -> Map<String, String> {
    let ours = sources.environment.iter();
    ours.filter(|(name, _)| name.starts_with(&format!("{PREFIX}_")))
        .cloned()
        .collect()
}

/// The key that a variable names.
fn key_of(variable: &str) -> String {
    let name = &variable[PREFIX.len() + 1..];
    name.to_lowercase().replace(SEPARATOR, ".")
}

/// What is wrong with keys and the names they come by: no keys, and keys that another name takes for a section. `config`
/// would give a section up for them.
fn misnamed(named: &[(String, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, name) in named {
        let section = format!("{key}.");
        if !key.split('.').all(is_part) {
            problems.push(format!("{name}: names no key"));
        } else if named.iter().any(|(other, _)| other.starts_with(&section)) {
            problems.push(format!("{name}: {key} is a section"));
        }
    }
    problems
}

fn is_part(part: &str) -> bool {
    let plain = part
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    plain && !part.is_empty()
}

/// `key=value` of the command line, the strongest layer. By key: the last of those that are alike.
#[derive(Clone, Debug, Default)]
struct Flags(BTreeMap<String, String>);

impl Flags {
    /// With a problem for what has no such form.
    fn parse(flags: &[String]) -> (Self, Vec<String>) {
        let mut parsed = BTreeMap::new();
        let mut problems = Vec::new();
        for flag in flags {
            match flag.split_once('=') {
                Some((key, value)) => drop(parsed.insert(key.to_owned(), value.to_owned())),
                None => problems.push(format!("{FLAGS} {flag}: must have the form key=value")),
            }
        }
        (Self(parsed), problems)
    }

    fn names(&self) -> impl Iterator<Item = (String, String)> {
        let keys = self.0.keys();
        keys.map(|key| (key.clone(), format!("{FLAGS} {key}")))
    }
}

impl Source for Flags {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let origin = FLAGS.to_owned();
        let values = self.0.iter();
        let values = values.map(|(key, text)| (key.clone(), Value::new(Some(&origin), &**text)));
        Ok(values.collect())
    }
}
