//! The directory of a development PKI: who may read what, and the two lists of serial numbers.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sluis_client::Holder;
use sluis_domain::Identity;
use tempfile::NamedTempFile;

use super::authority::Serial;
use crate::credentials;
use crate::data::Target;
use crate::error::CliError;
use crate::key;
use crate::profile::{ConfigFile, Profile};

const ISSUED: &str = "issued.txt";
const REVOKED: &str = "revoked.txt";
const CONFIG: &str = "config.toml";
/// How a configuration file of ours begins.
const MADE: &str = "# Made by `sluis dev pki`";

pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Opens the directory; makes it, for its owner only, if it does not exist.
    pub(super) fn open(root: &Path) -> Result<Self, CliError> {
        make_private(root)?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Certificate and key of the authority, if it was made before.
    pub(super) fn authority(&self) -> Result<Option<(String, String)>, CliError> {
        if !self.has("ca") {
            return Ok(None);
        }
        let certificate = credentials::read(&self.path("ca.pem"))?;
        credentials::authority(&self.path("ca.pem"), &certificate)?;
        let key = credentials::read_key(&self.path("ca.key"))?;
        Ok(Some((text(&certificate)?, text(&key)?)))
    }

    /// Whether a certificate of this name exists.
    pub(super) fn has(&self, name: &str) -> bool {
        self.path(&format!("{name}.pem")).exists()
    }

    /// Writes `name.key`, for its owner only, and then `name.pem`.
    pub(super) fn keep(&self, name: &str, certificate: &str, key: &str) -> Result<(), CliError> {
        let path = self.path(&format!("{name}.key"));
        if let Some(parent) = path.parent() {
            make_private(parent)?;
        }
        write_private(&path, key.as_bytes())?;
        self.write(&format!("{name}.pem"), certificate)
    }

    /// Writes `name.key.toml`: the key of a member's certificate as the registry pins it, should they be a steward.
    pub(super) fn write_key_table(&self, name: &str, certificate: &str) -> Result<(), CliError> {
        let holder = Holder::from_pem(certificate.as_bytes())?;
        self.write(
            &format!("{name}.key.toml"),
            &format!("{}\n", key::table(&holder)),
        )
    }

    pub(super) fn write_crl(&self, crl: &str) -> Result<(), CliError> {
        self.write("crl.pem", crl)
    }

    pub(super) fn remember_issued(
        &self,
        serial: &Serial,
        member: &Identity,
    ) -> Result<(), CliError> {
        self.append(ISSUED, &[(*serial, member.to_string())])
    }

    /// Revokes all serials that were issued to the member.
    pub(super) fn remember_revoked(&self, member: &Identity) -> Result<(), CliError> {
        let name = member.to_string();
        let mut entries = self.entries(ISSUED)?;
        entries.retain(|(_, holder)| *holder == name);
        if entries.is_empty() {
            return Err(CliError::usage(format!(
                "no certificate was issued to {name}, so none can be revoked"
            )));
        }
        let revoked = self.revoked()?;
        entries.retain(|(serial, _)| !revoked.contains(serial));
        self.append(REVOKED, &entries)
    }

    pub(super) fn revoked(&self) -> Result<Vec<Serial>, CliError> {
        Ok(self
            .entries(REVOKED)?
            .into_iter()
            .map(|(serial, _)| serial)
            .collect())
    }

    /// Writes a profile per member, named `organisation-member`, for this server or that of the file so far.
    pub(super) fn write_profiles(&self, server: Option<&str>) -> Result<(), CliError> {
        let path = self.path(CONFIG);
        let before = if path.exists() {
            if !self.read(CONFIG)?.starts_with(MADE) {
                return Err(CliError::usage(format!(
                    "{} was not made by `sluis dev pki`, which would replace its profiles; name another directory",
                    path.display()
                )));
            }
            ConfigFile::read(&path)?
        } else {
            ConfigFile::default()
        };
        let known = before
            .profiles
            .values()
            .find_map(|profile| profile.server.clone());
        let Some(server) = server.map(str::to_owned).or(known) else {
            return Ok(());
        };
        let mut profiles = BTreeMap::new();
        for (_, member) in self.entries(ISSUED)? {
            let name = member.replace('/', "-");
            let mut profile = profile(&server, &member);
            // What the member agreed to is not ours to forget.
            let earlier = before.profiles.get(&name);
            profile.expect = earlier.and_then(|earlier| earlier.expect.clone());
            if profiles
                .insert(name.clone(), profile.clone())
                .is_some_and(|other| other != profile)
            {
                return Err(CliError::usage(format!(
                    "two members would get the profile {name}; rename one"
                )));
            }
        }
        let text = toml::to_string(&ConfigFile {
            default: before.default,
            profiles,
        })
        .map_err(|error| CliError::Io {
            what: format!("cannot write {CONFIG}"),
            source: io::Error::other(error),
        })?;
        self.write(CONFIG, &format!("{MADE}, for development only.\n{text}"))
    }

    /// `serial member` a line.
    fn entries(&self, list: &str) -> Result<Vec<(Serial, String)>, CliError> {
        if !self.path(list).exists() {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for (n, line) in self.read(list)?.lines().enumerate() {
            entries.push(parse(line).ok_or_else(|| {
                CliError::input(format!(
                    "{list}, line {}: not a serial number and a member",
                    n + 1
                ))
            })?);
        }
        Ok(entries)
    }

    fn append(&self, list: &str, entries: &[(Serial, String)]) -> Result<(), CliError> {
        let text: String = entries
            .iter()
            .map(|(serial, member)| format!("{} {member}\n", HEXLOWER.encode(serial)))
            .collect();
        let path = self.path(list);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(CliError::writing(&path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn read(&self, name: &str) -> Result<String, CliError> {
        let path = self.path(name);
        fs::read_to_string(&path).map_err(CliError::reading(&path))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), CliError> {
        let path = self.path(name);
        Target::write_whole(&path, text.as_bytes(), true, false)
    }
}

fn parse(line: &str) -> Option<(Serial, String)> {
    let (serial, member) = line.split_once(' ')?;
    let serial = HEXLOWER.decode(serial.as_bytes()).ok()?.try_into().ok()?;
    Some((serial, member.to_owned()))
}

fn text(pem: &[u8]) -> Result<String, CliError> {
    let text = std::str::from_utf8(pem);
    let text = text.map_err(|_| CliError::input("ca.pem or ca.key is not text"))?;
    Ok(text.to_owned())
}

fn profile(server: &str, member: &str) -> Profile {
    Profile {
        server: Some(server.to_owned()),
        ca: Some("ca.pem".into()),
        cert: Some(format!("{member}.pem").into()),
        key: Some(format!("{member}.key").into()),
        server_name: None,
        expect: None,
    }
}

/// Makes a directory that only its owner may enter. An existing one is left as it is.
fn make_private(path: &Path) -> Result<(), CliError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(CliError::writing(path))
}

/// Writes a new file that only its owner may read: as a temporary file (mode 0600), then under its name. A key that lies
/// there without its certificate is kept.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write_new(path, bytes).map_err(CliError::writing(path))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}
