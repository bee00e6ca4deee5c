//! A custodian as a process, with the registry of the tests, and the command line of any member.

use std::fs;
use std::path::{Path, PathBuf};

use sluis_client::Client;
use tempfile::TempDir;

use crate::process::{Sluis, Sluisd};
use crate::world::connect;
use sluis_testkit::pki::Pki;
use sluis_testkit::registry::{CUSTODIANS, registry};

/// A running `sluisd` and a directory for record files. Everything is gone when it is dropped.
pub struct Scene {
    daemon: Option<Sluisd>,
    /// Certificates.
    pub pki: Pki,
    directory: TempDir,
}

impl Scene {
    /// A custodian with the registry of [`sluis_testkit::registry::registry`]. `extra` is added to its configuration file.
    pub fn start(extra: &str) -> Self {
        Self::start_in(tempfile::tempdir().expect("scratch directory"), extra)
    }

    /// As [`Self::start`], in a directory where something was prepared, such as a small disk at `data`.
    pub fn start_in(directory: TempDir, extra: &str) -> Self {
        let pki = Sluisd::prepare(directory.path(), extra);
        fs::create_dir(directory.path().join("files")).expect("scratch directory");
        let daemon = Some(Sluisd::start(directory.path()));
        let scene = Self {
            daemon,
            pki,
            directory,
        };
        scene.apply(registry(), &CUSTODIANS);
        scene
    }

    /// Proposes a registry as a custodian (`sluis registry apply`) and signs it as each of `signers`; the id of the
    /// proposal.
    pub fn apply(&self, text: impl AsRef<[u8]>, signers: &[&str]) -> String {
        let file = self.write("registry.toml", text);
        let said = self.sluis(CUSTODIANS[0]).ok(&[
            "registry",
            "apply",
            &file,
            "--yes",
            "--no-sign",
            "--json",
        ]);
        let id = field(&said, "proposal_id");
        for signer in signers {
            self.sluis(signer).ok(&["registry", "sign", &id, "--yes"]);
        }
        id
    }

    /// The daemon.
    ///
    /// # Panics
    /// After [`Self::stop`].
    pub fn daemon(&self) -> &Sluisd {
        self.daemon.as_ref().expect("not stopped")
    }

    /// Where configuration, store and head file are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Stops the daemon; its exit code and its log.
    ///
    /// # Panics
    /// When it is stopped already.
    pub fn stop(&mut self) -> (Option<i32>, String) {
        self.daemon.take().expect("not stopped").terminate()
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// When it is stopped already.
    pub fn kill(&mut self) {
        self.daemon.take().expect("not stopped").kill();
    }

    /// Starts the daemon again after [`Self::stop`] or [`Self::kill`], on another port.
    pub fn start_again(&mut self) {
        self.daemon = Some(Sluisd::start(self.directory.path()));
    }

    /// From now on the daemon is the one that lives in `directory`, with the same certificates. Returns the directory
    /// it lived in, where the certificates still are.
    ///
    /// # Panics
    /// Unless it is stopped.
    #[must_use]
    pub fn move_to(&mut self, directory: TempDir) -> TempDir {
        assert!(self.daemon.is_none(), "stop it first");
        std::mem::replace(&mut self.directory, directory)
    }

    /// The command line of `organisation/member`.
    pub fn sluis(&self, member: &str) -> Sluis {
        Sluis::of(&self.pki, &self.daemon().endpoint(), member)
    }

    /// A connected client of `organisation/member`.
    pub async fn client(&self, member: &str) -> Client {
        connect(
            &self.pki,
            self.daemon().endpoint(),
            &self.pki.member(member),
        )
        .await
        .expect("connects")
    }

    /// Something of the daemon: `pki/`, `sluisd.toml`, `kek`, `data/`, `backup/`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where a record file is, as an argument.
    pub fn file(&self, name: &str) -> String {
        self.path("files").join(name).display().to_string()
    }

    /// Writes a record file; returns where it is.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.file(name);
        fs::write(&path, content).expect("scratch file");
        path
    }

    /// A record file as text.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8(self.read_bytes(name)).expect("UTF-8")
    }

    /// A record file.
    pub fn read_bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The names of all record files, hidden ones too.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("files")).expect("scratch directory");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// Asks for a grant as `requester` (`sluis grant request TERMS...`) and approves it as each of `approvers`; its id.
    pub fn grant(&self, requester: &str, terms: &[&str], approvers: &[&str]) -> String {
        let why = [
            "--purpose",
            "a test",
            "--legal-basis",
            "none needed",
            "--until",
            "1d",
            "--json",
        ];
        let arguments = [&["grant", "request"], terms, &why[..]].concat();
        let said = self.sluis(requester).ok(&arguments);
        let id = field(&said, "grant_id");
        for approver in approvers {
            self.sluis(approver).ok(&["grant", "approve", &id, "--yes"]);
        }
        id
    }
}

/// A text in the indented JSON of a command; testkit has no JSON parser, and ids need no escapes.
pub fn field(json: &str, name: &str) -> String {
    let rest = json.split(&format!("\"{name}\": \"")).nth(1);
    rest.and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| panic!("no {name} in {json}"))
        .to_owned()
}
