//! Custody: status, rotation, disabling, backup.

use std::path::Path;

use sluis_domain::{Reason, Timestamp};
use sluis_keyring::{KeyState, VersionInfo};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Disabled, Event, Rotated};
use sluis_ledger::instruction::Task;
use sluis_port::Commit;

use crate::core::change::Change;
use crate::core::instruction::{Instructed, malformed};
use crate::core::policy::Custody;
use crate::core::record::{Asked, encoded};
use crate::core::versions::{self, MAX_VERSIONS, line_version, living};
use crate::life::Expiring;
use crate::life::Life;
use crate::{Caller, Refusal};

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

impl Life {
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
    /// The errors of an instruction, [`Reason::UnknownChain`], [`Reason::InvalidRequest`] for a namespace the chain does not have,
    /// [`Reason::TooManyVersions`], and the errors of the store.
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
            self.govern(|| self.rotation(caller, instructed))
        })
    }

    fn rotation(
        &self,
        caller: &Caller,
        instructed: &Instructed,
    ) -> Result<(Change, Vec<VersionInfo>), Refusal> {
        let (permit, instruction, signature) =
            self.instructed(caller, Act::RotateChain, instructed)?;
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
        if versions::is_destroyed(&snapshot.keyring, chain) {
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
        let change = Change::of(permit.header(), rotated).keys(change.finish());
        Ok((change, versions))
    }

    /// Disables a convert-only version, as a custodian instructs: its tokens lead nowhere from then on.
    ///
    /// # Errors
    /// The errors of an instruction, [`Reason::UnknownVersion`], [`Reason::VersionState`] unless it is convert-only, and the errors of the
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
            self.govern(|| self.disabling(caller, instructed))
        })
    }

    fn disabling(
        &self,
        caller: &Caller,
        instructed: &Instructed,
    ) -> Result<(Change, VersionInfo), Refusal> {
        let (permit, instruction, signature) =
            self.instructed(caller, Act::DisableVersion, instructed)?;
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
        let change = Change::of(permit.header(), disabled).keys(change.finish());
        Ok((change, info))
    }

    /// Writes a backup into `directory`. The entry about it comes first, so the backup holds it. What was removed and must
    /// have left the disk by now leaves it before.
    ///
    /// # Errors
    /// [`Reason::RemovalPending`] if it does not, [`Reason::BackupFailed`], [`Reason::NotACustodian`], and the errors of the store.
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
