//! How to reach the custodian: flags, then `SLUIS_*`, then a profile of the configuration file.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use sluis_client::{Client, Config, Zeroizing};

use crate::credentials::{self, Files};
use crate::error::CliError;
use crate::output;
use crate::profile::{ConfigFile, Profile};

/// The connection flags, the same for every subcommand that talks to the custodian.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection (flags, then SLUIS_*, then the profile)")]
pub struct ConnectArgs {
    /// Address of the custodian, such as `https://sluis.example.org:7443`
    #[arg(long, env = "SLUIS_SERVER", value_name = "URL", hide_env_values = true)]
    server: Option<String>,
    /// PEM file with the CA certificates the custodian's certificate must chain to
    #[arg(long, env = "SLUIS_CA", value_name = "FILE", hide_env_values = true, value_parser = path())]
    ca: Option<PathBuf>,
    /// PEM file with your client certificate (chain)
    #[arg(long, env = "SLUIS_CERT", value_name = "FILE", hide_env_values = true, value_parser = path())]
    cert: Option<PathBuf>,
    /// PEM file with the private key of your client certificate
    #[arg(long, env = "SLUIS_KEY", value_name = "FILE", hide_env_values = true, value_parser = path())]
    key: Option<PathBuf>,
    /// Name the custodian's certificate must bear, where it is not the host of the address
    #[arg(
        long,
        env = "SLUIS_SERVER_NAME",
        value_name = "NAME",
        hide_env_values = true
    )]
    server_name: Option<String>,
    /// Profile of the configuration file [default: the file's `default`]
    #[arg(
        long,
        env = "SLUIS_PROFILE",
        value_name = "NAME",
        hide_env_values = true
    )]
    profile: Option<String>,
    /// Configuration file with profiles [default: ~/.config/sluis/config.toml]
    #[arg(long, env = "SLUIS_CONFIG", value_name = "FILE", hide_env_values = true, value_parser = path())]
    config: Option<PathBuf>,
}

/// All settings that a connection needs.
struct Settings {
    server: String,
    files: Files,
    server_name: Option<String>,
}

impl ConnectArgs {
    /// Connects over mutual TLS. Warns when the private key can be read by others.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a missing setting, [`CliError::Io`] for a file that cannot be read, [`CliError::Client`]
    /// when the connection does not come about.
    pub async fn connect(&self) -> Result<Client, CliError> {
        let settings = self.resolve()?;
        let files = settings.files;
        let config = Config {
            endpoint: settings.server,
            server_name: settings.server_name,
            ca_pem: credentials::read(&files.ca)?.to_vec(),
            cert_pem: credentials::read(&files.cert)?.to_vec(),
            key_pem: credentials::read_key(&files.key)?,
            connect_timeout: Config::DEFAULT_CONNECT_TIMEOUT,
        };
        warn_if_others_can_read(&files.key);
        credentials::check_dates(&files.cert, &config.cert_pem)?;
        Client::connect(config)
            .await
            .map_err(|error| files.name(error))
    }

    /// PEM of the own certificate (chain) and of its private key, for what is signed without a connection. Warns when the
    /// private key can be read by others.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a missing setting, [`CliError::Io`] for a file that cannot be read.
    pub fn credentials(&self) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CliError> {
        let profile = self.profile()?;
        let cert = path_over(&self.cert, profile.cert).ok_or_else(|| missing("cert"))?;
        let key = path_over(&self.key, profile.key).ok_or_else(|| missing("key"))?;
        warn_if_others_can_read(&key);
        let private = credentials::read_key(&key)?;
        let certificate = credentials::read(&cert)?;
        // What is signed without a connection is judged later, by the custodian's clock.
        if let Err(error @ CliError::Client(_)) = credentials::check_dates(&cert, &certificate) {
            output::warn(error.to_string());
        }
        Ok((certificate.to_vec(), private))
    }

    /// Where the client certificate is.
    ///
    /// # Errors
    /// [`CliError::Usage`] if neither flags nor environment nor a profile say.
    pub fn certificate(&self) -> Result<PathBuf, CliError> {
        // A certificate that is given needs no profile, and so no configuration file.
        let given = path_over(&self.cert, None).map(Ok);
        given.unwrap_or_else(|| self.profile()?.cert.ok_or_else(|| missing("cert")))
    }

    /// What `--key` or `SLUIS_KEY` names.
    pub(crate) fn given_key(&self) -> Option<&Path> {
        let key = self.key.as_deref();
        key.filter(|path| !path.as_os_str().is_empty())
    }

    /// The file of pins: the one that is given, else the one the profile names. An empty name is no way to have none: a
    /// script with an unset variable would send what it means to hold back.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a profile that is not there, and for an empty name.
    pub(crate) fn expected(&self, given: &Option<PathBuf>) -> Result<Option<PathBuf>, CliError> {
        match given {
            Some(path) if path.as_os_str().is_empty() => Err(CliError::usage(
                "--expect (or SLUIS_EXPECT) is empty and names no file of pins, so nothing was sent; name the file, or \
                 leave the flag out and unset the variable",
            )),
            Some(path) => Ok(Some(path.clone())),
            None => Ok(self.profile()?.expect),
        }
    }

    /// Flags and environment (clap has merged them), completed from the profile.
    fn resolve(&self) -> Result<Settings, CliError> {
        self.over(self.profile()?)
    }

    fn profile(&self) -> Result<Profile, CliError> {
        let explicit = self
            .config
            .as_ref()
            .filter(|path| !path.as_os_str().is_empty());
        let file = match explicit {
            Some(path) => Some(ConfigFile::read(path)?),
            None => ConfigFile::default_path()
                .filter(|path| path.exists())
                .map(|p| ConfigFile::read(&p))
                .transpose()?,
        };
        match (file, given(&self.profile)) {
            (Some(file), name) => file.profile(name),
            (None, None) => Ok(Profile::default()),
            (None, Some(name)) => Err(CliError::usage(format!(
                "profile {name} is asked for, but there is no configuration file; name one with --config"
            ))),
        }
    }

    /// These settings, and where one is missing that of the profile.
    fn over(&self, profile: Profile) -> Result<Settings, CliError> {
        Ok(Settings {
            server: given(&self.server)
                .map(str::to_owned)
                .or(profile.server)
                .ok_or_else(|| missing("server"))?,
            files: Files {
                ca: path_over(&self.ca, profile.ca).ok_or_else(|| missing("ca"))?,
                cert: path_over(&self.cert, profile.cert).ok_or_else(|| missing("cert"))?,
                key: path_over(&self.key, profile.key).ok_or_else(|| missing("key"))?,
            },
            server_name: given(&self.server_name)
                .map(str::to_owned)
                .or(profile.server_name),
        })
    }
}

/// A path that may be empty, because an empty variable counts as not set.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A path that is given, or else that of the profile.
fn path_over(mine: &Option<PathBuf>, theirs: Option<PathBuf>) -> Option<PathBuf> {
    mine.clone()
        .filter(|path| !path.as_os_str().is_empty())
        .or(theirs)
}

/// An empty variable counts as not set.
fn given(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().filter(|text| !text.is_empty())
}

fn missing(key: &str) -> CliError {
    let variable = key.to_ascii_uppercase();
    CliError::usage(format!(
        "connection setting `{key}` is missing: give --{key}, set SLUIS_{variable}, or write `{key} = \"...\"` in a \
         profile of ~/.config/sluis/config.toml and choose it with --profile"
    ))
}

#[cfg(unix)]
fn warn_if_others_can_read(key: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if let Ok(metadata) = key.metadata()
        && metadata.permissions().mode() & 0o077 != 0
    {
        let key = key.display();
        output::warn(format!(
            "the private key {key} can be read by others on this machine; run: chmod 600 {key}"
        ));
    }
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_key: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            server: Some("https://profile:1".into()),
            ca: Some("p/ca".into()),
            cert: Some("p/cert".into()),
            key: Some("p/key".into()),
            server_name: Some("profile".into()),
            expect: None,
        }
    }

    #[test]
    fn what_is_given_goes_before_the_profile() {
        let args = ConnectArgs {
            server: Some("https://flag:2".into()),
            cert: Some("f/cert".into()),
            ..Default::default()
        };
        let config = args.over(profile()).expect("complete");
        assert_eq!(
            (config.server.as_str(), config.files.cert.as_path()),
            ("https://flag:2", Path::new("f/cert"))
        );
        assert_eq!(
            (config.files.ca.as_path(), config.files.key.as_path()),
            (Path::new("p/ca"), Path::new("p/key"))
        );
        assert_eq!(config.server_name.as_deref(), Some("profile"));
    }

    #[test]
    fn an_empty_variable_is_not_a_setting() {
        let args = ConnectArgs {
            server: Some(String::new()),
            ca: Some(PathBuf::new()),
            ..Default::default()
        };
        let config = args.over(profile()).expect("complete");
        assert_eq!(
            (config.server.as_str(), config.files.ca.as_path()),
            ("https://profile:1", Path::new("p/ca"))
        );
    }

    #[test]
    fn an_empty_name_of_a_file_of_pins_is_not_taken_for_no_pin() {
        let error = ConnectArgs::default()
            .expected(&Some(PathBuf::new()))
            .expect_err("empty");
        assert!(
            matches!(&error, CliError::Usage(text) if text.contains("SLUIS_EXPECT")),
            "{error}"
        );
        let given = Some(PathBuf::from("pins.toml"));
        let expected = ConnectArgs::default().expected(&given);
        assert_eq!(expected.expect("named"), given);
    }

    #[test]
    fn a_missing_setting_is_named_in_all_three_spellings() {
        let message = ConnectArgs::default()
            .over(Profile {
                key: None,
                ..profile()
            })
            .err()
            .expect("no key")
            .to_string();
        for part in ["--key", "SLUIS_KEY", "`key = "] {
            assert!(message.contains(part), "{message}");
        }
    }
}
