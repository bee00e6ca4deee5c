//! Custody: status, rotation, disabling, backup.

use std::collections::BTreeMap;
use std::path::Path;

use sluis_domain::id::MAX_ID_LEN;
use sluis_domain::{ChainId, Reason, Timestamp};
use sluis_keyring::{Change, KeyState, Keyring, VersionInfo};
use sluis_ledger::audit::{Act, MAX_ENTRY};
use sluis_ledger::event::{Disabled, Event, Header, KeyVersion, LineVersion, Rotated};
use sluis_ledger::instruction::Task;
use sluis_ledger::statement::MAX_CERTIFICATE;
use sluis_port::Commit;

use crate::audit::{Asked, encoded};
use crate::engine::Engine;
use crate::instruction::{Instructed, malformed};
use crate::life::{self, Expiring};
use crate::policy::Custody;
use crate::{Caller, Refusal};

/// Most key versions that a chain has at a time: when it ends, its entry names all that are not destroyed, and a batch may use
/// all of them.
pub(crate) const MAX_VERSIONS: usize = 800;
/// Most bytes of an entry beside the key versions that it names, unless it bears a signature.
pub(crate) const BESIDE_VERSIONS: usize = 2_000;

/// Of a key use in an entry, at most: LP(namespace), kid, values.
const KEY_USE_BYTES: usize = 2 + MAX_ID_LEN + 4 + 8;
/// Of a new version in an entry, at most: LP(namespace), kid.
const MADE_BYTES: usize = 2 + MAX_ID_LEN + 4;

const _: () = assert!(MAX_VERSIONS * KEY_USE_BYTES + BESIDE_VERSIONS <= MAX_ENTRY);
const _: () = assert!(MAX_VERSIONS * MADE_BYTES + MAX_CERTIFICATE + 1_000 <= MAX_ENTRY);

/// The state of the custodian.
#[derive(Debug)]
pub struct Status {
    /// Whether acts are accepted.
    pub writable: bool,
    /// Registry version in force.
    pub registry_version: u64,
    /// Number of audit entries.
    pub audit_entries: u64,
    /// Hash of the last act of custody, which the next instruction must name; `None` if the log cannot be read.
    pub custody_head: Option<[u8; 32]>,
    /// The time.
    pub now: Timestamp,
    /// All key versions.
    pub versions: Vec<VersionInfo>,
    /// Chains past their retention, which will be destroyed.
    pub expiring: Vec<Expiring>,
}

/// A backup was made.
#[derive(Debug)]
pub struct BackupDone {
    /// Size of all backups in the directory.
    pub bytes: u64,
    /// Number of audit entries it holds, at least.
    pub entries: u64,
}

impl Engine {
    /// The state of the custodian.
    ///
    /// # Errors
    /// [`Reason::NotACustodian`].
    pub fn status(&self, caller: &Caller) -> Result<Status, Refusal> {
        self.on_record(caller, Act::ReadStatus, || {
            let permit = self.authorise(caller, Custody)?;
            Ok(Status {
                writable: self.accepts(),
                registry_version: permit.snapshot().registry.version,
                audit_entries: self.store.entries(),
                custody_head: self.custody_head().ok(),
                now: permit.now(),
                versions: permit.snapshot().keyring.versions(),
                expiring: self.expiring()?,
            })
        })
    }

    /// A new version of one key line of a chain, or of all of them, as a custodian instructs; the versions active until now become
    /// convert-only.
    ///
    /// # Errors
    /// Those of an instruction, [`Reason::UnknownChain`], [`Reason::InvalidRequest`] for a namespace the chain does not have,
    /// [`Reason::TooManyVersions`], and those of the store.
    pub fn rotate(
        &self,
        caller: &Caller,
        instructed: &Instructed,
    ) -> Result<Vec<VersionInfo>, Refusal> {
        let chain = instructed.chain();
        let asked = Asked {
            act: Act::RotateChain,
            about: chain.as_ref().into(),
        };
        self.on_record(caller, asked, || {
            let _governing = self.govern();
            let (permit, instruction, signature) =
                self.instructed(caller, asked.act, instructed)?;
            let Task::RotateChain { chain, namespace } = &instruction.task else {
                return Err(malformed("is about another act"));
            };
            let namespace = namespace.as_ref();
            let snapshot = permit.snapshot();
            let lines = snapshot
                .registry
                .registry
                .chain(chain)
                .ok_or(Reason::UnknownChain)?;
            if life::is_destroyed(&snapshot.keyring, chain) {
                return Err(Reason::ChainDestroyed.into());
            }
            if namespace.is_some_and(|id| lines.namespace(id).is_none()) {
                return Err(Refusal::field(
                    Reason::InvalidRequest,
                    "instruction",
                    "the chain does not have it",
                ));
            }
            let mut change = snapshot.keyring.change(permit.now());
            let mut versions = Vec::new();
            for line in lines
                .namespaces()
                .filter(|line| namespace.is_none_or(|id| line.id() == id))
            {
                versions.push(change.new_line_version(chain, line.id()));
            }
            if namespace.is_none() && snapshot.keyring.active_elements(chain).is_some() {
                versions.push(change.new_element_version(chain));
            }
            if versions.is_empty() {
                let why = "the chain has no key lines";
                return Err(Refusal::field(Reason::InvalidRequest, "instruction", why));
            }
            if living(&snapshot.keyring).get(chain).unwrap_or(&0) + versions.len() > MAX_VERSIONS {
                return Err(Reason::TooManyVersions.into());
            }
            let rotated = Event::RotateChain(Rotated {
                made: versions.iter().map(line_version).collect(),
                instruction,
                signature,
            });
            self.commit_keys(change, permit.header(), rotated)?;
            Ok(versions)
        })
    }

    /// Disables a convert-only version, as a custodian instructs: its tokens lead nowhere from then on.
    ///
    /// # Errors
    /// Those of an instruction, [`Reason::UnknownVersion`], [`Reason::VersionState`] unless it is convert-only, and those of the
    /// store.
    pub fn disable(
        &self,
        caller: &Caller,
        instructed: &Instructed,
    ) -> Result<VersionInfo, Refusal> {
        let chain = instructed.chain();
        let asked = Asked {
            act: Act::DisableVersion,
            about: chain.as_ref().into(),
        };
        self.on_record(caller, asked, || {
            let _governing = self.govern();
            let (permit, instruction, signature) =
                self.instructed(caller, asked.act, instructed)?;
            let Task::DisableVersion {
                kid,
                chain,
                namespace,
            } = &instruction.task
            else {
                return Err(malformed("is about another act"));
            };
            let kid = *kid;
            let versions = permit.snapshot().keyring.versions();
            let present = versions
                .iter()
                .find(|info| info.kid == kid)
                .ok_or(Reason::UnknownVersion)?;
            if present.chain != *chain || present.namespace != *namespace {
                return Err(malformed(
                    "names another chain or namespace than the version has",
                ));
            }
            if present.state != KeyState::ConvertOnly {
                return Err(Reason::VersionState.into());
            }
            let mut change = permit.snapshot().keyring.change(permit.now());
            let info = change.disable(kid).map_err(|_| Reason::VersionState)?;
            let disabled = Event::DisableVersion(Disabled {
                instruction,
                signature,
            });
            self.commit_keys(change, permit.header(), disabled)?;
            Ok(info)
        })
    }

    fn commit_keys(&self, change: Change, header: Header, event: Event) -> Result<(), Refusal> {
        let (keyring, writes) = change.finish();
        let mut commit = Commit {
            writes,
            ..Commit::default()
        };
        commit.entry(encoded(header, event));
        self.commit_governed(commit, None)?;
        self.replace(None, keyring);
        Ok(())
    }

    /// Writes a backup into `directory`. The entry about it comes first, so the backup holds it. What was removed and must
    /// have left the disk by now leaves it before.
    ///
    /// # Errors
    /// [`Reason::RemovalPending`] if it does not, [`Reason::BackupFailed`], [`Reason::NotACustodian`], and those of the store.
    pub fn backup(&self, caller: &Caller, directory: &Path) -> Result<BackupDone, Refusal> {
        self.on_record(caller, Act::CreateBackup, || {
            let now = self.authorise(caller, Custody)?.now();
            self.compact_due(now)?;
            let commit = Commit {
                entries: vec![encoded(self.header(Some(caller)), Event::CreateBackup)],
                ..Commit::default()
            };
            self.store.commit(commit)?;
            let entries = self.store.entries();
            let bytes = self
                .store
                .backup(directory)
                .map_err(|error| Refusal::new(Reason::BackupFailed, error.to_string()))?;
            Ok(BackupDone { bytes, entries })
        })
    }
}

/// How many versions of each chain are not destroyed.
pub(crate) fn living(keyring: &Keyring) -> BTreeMap<ChainId, usize> {
    let mut living = BTreeMap::new();
    for info in keyring
        .versions()
        .into_iter()
        .filter(|info| info.state != KeyState::Destroyed)
    {
        *living.entry(info.chain).or_default() += 1;
    }
    living
}

/// A version as an audit entry names it.
pub(crate) fn key_version(info: &VersionInfo) -> KeyVersion {
    line_version(info).of(&info.chain)
}

/// A version as an audit entry about its chain names it.
pub(crate) fn line_version(info: &VersionInfo) -> LineVersion {
    LineVersion {
        namespace: info.namespace.clone(),
        kid: info.kid,
    }
}
