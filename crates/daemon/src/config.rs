//! Configuration in two stages: layers of raw values (file < `SLUISD_` environment < flags), then meaning. The crate
//! `config` lays the layers over one another; `reader` gives them meaning, and has the defaults.
//!
//! Every problem is told at once: unknown keys, wrong types, values out of range, contradictions. No secret is ever
//! in the file: it names files and credentials. `docs/samples/sluisd.toml` shows every key.

mod layer;
mod reader;
mod settings;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use settings::{
    AuditSettings, CrlExpiry, KekSource, Limits, LogFormat, MemoryLock, Settings, StoreSettings,
    TelemetrySettings, TlsSettings,
};

/// Longest configuration file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} problem(s):\n  {}", .0.len(), .0.join("\n  "))]
pub struct ConfigError(pub Vec<String>);

/// Where the values come from, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The TOML file; `None` for none.
    pub file: Option<PathBuf>,
    /// Variables of the environment; only those that start with `SLUISD_` count. `__` separates the parts of a key:
    /// `SLUISD_TLS__CERT` is `tls.cert`.
    pub environment: Vec<(String, String)>,
    /// `key=value` of the command line, such as `limits.max_connections=100`.
    pub flags: Vec<String>,
}

impl Sources {
    /// A file and the environment of this process.
    pub fn of_process(file: Option<&Path>, flags: Vec<String>) -> Self {
        // Variables that are not text cannot be ours; `std::env::vars` would panic on them.
        let environment = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        Self {
            file: file.map(Path::to_path_buf),
            environment,
            flags,
        }
    }
}

/// Settings and the text of the effective configuration (TOML, defaults included, without secrets).
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it means.
    pub settings: Settings,
    /// What it says, for `sluisd check-config`.
    pub effective: String,
}

/// Reads all layers and gives them meaning.
///
/// # Errors
/// Every problem of every layer.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let text = match &sources.file {
        None => String::new(),
        Some(path) => read_text(path)
            .map_err(|e| ConfigError(vec![format!("{}: cannot be read: {e}", path.display())]))?,
    };
    parse(&text, sources)
}

fn read_text(path: &Path) -> std::io::Result<String> {
    use std::io::{Error, ErrorKind};
    let content = sluis_files::read(path, MAX_FILE_BYTES)?;
    let text = std::str::from_utf8(&content);
    let text = text.map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))?;
    Ok(text.to_owned())
}

/// As [`load`], with the text of the file given.
///
/// # Errors
/// Every problem of every layer.
pub fn parse(text: &str, sources: &Sources) -> Result<Loaded, ConfigError> {
    let (table, problems) = layer::merge(text, sources);
    let mut reader = reader::Reader::new(table, problems);
    let settings = settings::read(&mut reader);
    let (effective, problems) = reader.finish();
    match settings {
        Some(settings) if problems.is_empty() => Ok(Loaded {
            settings,
            effective,
        }),
        _ => Err(ConfigError(problems)),
    }
}
