//! Erasures on their way: one job per subject and chain, each due at its own random moment.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZeroU64;
use std::sync::Arc;

use sluis_crypto::{LinkValue, random};
use sluis_domain::{ChainId, NamespaceId, Reason, Timestamp};
use sluis_keyring::{KeyState, Keyring, KeyringError, LineVersion, VersionInfo};
use sluis_ledger::event::{ErasedLine, Event, Header, SubjectsErased};
use sluis_port::{Commit, Family, Write, rows};

use super::{keys, link_row, open_link};
use crate::Refusal;
use crate::core::change::Change;
use crate::core::compaction;
use crate::core::opt_outs::Mark;
use crate::core::record::header;
use crate::core::scan;
use crate::core::snapshot::Snapshot;
use crate::life::Life;

/// Most subjects of one commit: batches wait as long as it takes.
const MAX_SUBJECTS: usize = 100;

/// A job as stored.
struct Job {
    key: Vec<u8>,
    stored: Vec<u8>,
    link: LinkValue,
}

/// Where a job is to be done.
type Place = (ChainId, NamespaceId);

impl Life {
    /// A job for every chain that has keys of the namespace.
    pub(super) fn jobs(
        &self,
        snapshot: &Snapshot,
        namespace: &NamespaceId,
        link: &LinkValue,
        now: Timestamp,
    ) -> Result<Vec<Write>, Refusal> {
        let versions = snapshot.keyring.versions().into_iter();
        let living = versions
            .filter(|v| v.namespace.as_ref() == Some(namespace) && v.state != KeyState::Destroyed);
        let chains: BTreeSet<_> = living.map(|version| version.chain).collect();
        let seal = snapshot.keyring.state();
        let jobs = chains.iter().map(|chain| {
            let due = now.plus_millis(below(self.life.erasure_window_millis));
            let key = rows::erasure_job_key(due, chain, namespace, &random::bytes());
            link_row(seal, key, link)
        });
        let end = now.plus_millis(self.life.erasure_window_millis);
        let noted = self.noted(&compaction::whole(Family::Optout), end)?;
        Ok(jobs.chain([noted]).collect())
    }

    /// Does the jobs that are due at `now`; how many subjects were erased, counted once per chain.
    pub(crate) fn erase_due(&self, now: Timestamp) -> Result<u64, Refusal> {
        let (mut erased, mut failed) = (0, None);
        for ((chain, namespace), jobs) in self.due_jobs(now)? {
            for jobs in jobs.chunks(MAX_SUBJECTS) {
                // A damaged row of one chain must not hold up the others.
                match self.erase(&chain, &namespace, jobs, now) {
                    Ok(subjects) => erased += subjects,
                    Err(refusal) => failed = failed.or(Some(refusal)),
                }
            }
        }
        failed.map_or(Ok(erased), Err)
    }

    fn due_jobs(&self, now: Timestamp) -> Result<BTreeMap<Place, Vec<Job>>, Refusal> {
        let snapshot = self.snapshot();
        let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, stored) in scan::of_kind(&*self.store, rows::ERASURE_JOB)? {
            let read = rows::read_erasure_job_key(&key);
            let (due, chain, namespace) = read.map_err(|_| KeyringError::Corrupt("optout"))?;
            if due > now {
                break;
            }
            let link = open_link(snapshot.keyring.state(), &key, &stored)?;
            places
                .entry((chain, namespace))
                .or_default()
                .push(Job { key, stored, link });
        }
        Ok(places)
    }

    /// Imported mappings first, in steps that no one waits for; then the other rows, jobs and entry in one commit. What ends
    /// in between is done once more, because its job is still there.
    fn erase(
        &self,
        chain: &ChainId,
        namespace: &NamespaceId,
        jobs: &[Job],
        now: Timestamp,
    ) -> Result<u64, Refusal> {
        let snapshot = self.snapshot();
        let opt_out = &keys(&snapshot, namespace)?.opt_out;
        let marks: HashSet<Mark> = jobs.iter().map(|job| opt_out.mark(&job.link)).collect();
        for version in escrowed(&snapshot.keyring, Some(chain), namespace) {
            self.remove_imports(&snapshot, &version, namespace, &marks)?;
        }
        self.govern(|| {
            let snapshot = self.snapshot();
            let mut commit = Commit::default();
            let mut versions = Vec::new();
            for version in escrowed(&snapshot.keyring, Some(chain), namespace) {
                for job in jobs {
                    remove_subject(&version, &job.link, &mut commit);
                }
                commit.writes.extend(self.removed(version.info(), now)?);
                versions.push(version.info().clone());
            }
            for job in jobs {
                commit.expect(Family::Optout, job.key.clone(), Some(job.stored.clone()));
                commit.delete(Family::Optout, job.key.clone());
            }
            let subjects = marks.len() as u64;
            let line = (chain, namespace, versions.as_slice());
            let (header, event) = erased(&snapshot, line, subjects, now)?;
            Ok((Change::of(header, event).with_rows(commit), subjects))
        })
    }

    /// The notes that rows of a version must leave the disk. Not at once: a version has many rows, and subjects are erased
    /// one after the other.
    pub(super) fn removed(
        &self,
        info: &VersionInfo,
        now: Timestamp,
    ) -> Result<Vec<Write>, Refusal> {
        let at = now.plus_millis(self.life.erasure_window_millis);
        let ranges = rows::rows_of_version(info.kid).into_iter();
        let ranges = ranges.chain([compaction::whole(Family::Optout)]);
        ranges.map(|range| self.noted(&range, at)).collect()
    }
}

/// The entry of an erasure: in these versions of a line, of so many subjects.
pub(super) fn erased(
    snapshot: &Snapshot,
    (chain, namespace, versions): (&ChainId, &NamespaceId, &[VersionInfo]),
    subjects: u64,
    now: Timestamp,
) -> Result<(Header, Event), Refusal> {
    let subjects = NonZeroU64::new(subjects)
        .ok_or_else(|| Refusal::new(Reason::Internal, "an erasure of no subject"))?;
    let kids: Vec<_> = versions.iter().map(|info| info.kid).collect();
    let line = ErasedLine {
        namespace: namespace.clone(),
        kids,
    };
    let erased = Event::EraseSubjects(SubjectsErased {
        chain: chain.clone(),
        subjects,
        line: (!line.kids.is_empty()).then_some(line),
    });
    Ok((header(now, None, snapshot.registry.version), erased))
}

/// The versions of a namespace, in one or all chains, that have an escrow.
pub(super) fn escrowed(
    keyring: &Keyring,
    chain: Option<&ChainId>,
    namespace: &NamespaceId,
) -> Vec<Arc<LineVersion>> {
    let versions = keyring.versions().into_iter().filter(|info| {
        info.escrow
            && info.namespace.as_ref() == Some(namespace)
            && chain.is_none_or(|chain| info.chain == *chain)
    });
    versions
        .filter_map(|info| keyring.line(info.kid).cloned())
        .collect()
}

/// Removes the link and identity rows of a subject in a version.
fn remove_subject(version: &LineVersion, link: &LinkValue, commit: &mut Commit) {
    let Some(escrow) = &version.escrow else {
        return;
    };
    let key = escrow.row_key(&version.pseudonym.pseudonym(link));
    commit
        .delete(Family::Link, key)
        .delete(Family::Identity, key);
}

/// A random number from 0 to `most`.
fn below(most: u64) -> u64 {
    // 64 bits over a window of days: the bias of the remainder is far below one in a million.
    u64::from_be_bytes(random::bytes()) % most.saturating_add(1).max(1)
}
