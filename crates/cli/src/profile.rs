//! The configuration file: named profiles with connection settings. Unknown keys are refused.
//!
//! ```toml
//! default = "study"
//!
//! [profiles.study]
//! server = "https://sluis.example.org:7443"
//! ca = "ca.pem"             # paths are relative to this file
//! cert = "uni-research/etl.pem"
//! key = "uni-research/etl.key"
//! server_name = "sluis"     # optional: where the certificate's name is not the host of the address
//! expect = "pins.toml"      # optional: what `sluis chain pin` wrote; records go to chains in it only, as described there
//! ```

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// The file.
#[derive(Deserialize, Serialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// Settings of a connection; every one may be left to flags and environment.
#[derive(Deserialize, Serialize, Debug, Default, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expect: Option<PathBuf>,
}

impl ConfigFile {
    /// `$XDG_CONFIG_HOME/sluis/config.toml`, by default `~/.config/sluis/config.toml`.
    pub(crate) fn default_path() -> Option<PathBuf> {
        let base = variable("XDG_CONFIG_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".config")))?;
        Some(base.join("sluis/config.toml"))
    }

    /// Reads a file; its relative paths become relative to the file.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let text = fs::read_to_string(path).map_err(CliError::reading(path))?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
    }

    fn parse(text: &str, directory: &Path) -> Result<Self, toml::de::Error> {
        let mut file: Self = toml::from_str(text)?;
        for profile in file.profiles.values_mut() {
            let Profile {
                server: _,
                ca,
                cert,
                key,
                server_name: _,
                expect,
            } = profile;
            for path in [ca, cert, key, expect].into_iter().flatten() {
                *path = directory.join(&*path);
            }
        }
        Ok(file)
    }

    /// The named profile, or else the file's default, or else an empty one.
    pub(crate) fn profile(mut self, name: Option<&str>) -> Result<Profile, CliError> {
        let Some(name) = name.map(str::to_owned).or(self.default.take()) else {
            return Ok(Profile::default());
        };
        self.profiles.remove(&name).ok_or_else(|| {
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            CliError::usage(format!(
                "the configuration file has no profile {name}; it has: {}",
                known.join(", ")
            ))
        })
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "default = 'a'\n[profiles.a]\nserver = 'https://a:1'\nca = 'ca.pem'\ncert = '/abs/c.pem'\n\
                        expect = 'pins.toml'\n\
                        [profiles.b]\nserver = 'https://b:1'\n";

    fn parse(text: &str) -> Result<ConfigFile, toml::de::Error> {
        ConfigFile::parse(text, Path::new("/etc/sluis"))
    }

    #[test]
    fn the_named_profile_goes_before_the_default() {
        let server = |name| {
            parse(FILE)
                .expect("valid")
                .profile(name)
                .expect("there")
                .server
        };
        assert_eq!(server(None).as_deref(), Some("https://a:1"));
        assert_eq!(server(Some("b")).as_deref(), Some("https://b:1"));
        let message = parse(FILE)
            .expect("valid")
            .profile(Some("c"))
            .expect_err("unknown")
            .to_string();
        assert!(
            message.contains("no profile c") && message.contains("a, b"),
            "{message}"
        );
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let profile = parse(FILE).expect("valid").profile(None).expect("there");
        assert_eq!(profile.ca.as_deref(), Some(Path::new("/etc/sluis/ca.pem")));
        assert_eq!(profile.cert.as_deref(), Some(Path::new("/abs/c.pem")));
        assert_eq!(
            profile.expect.as_deref(),
            Some(Path::new("/etc/sluis/pins.toml"))
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        for bad in [
            "defualt = 'a'",
            "[profiles.a]\nserver = 'x'\ncertificate = 'y'",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
