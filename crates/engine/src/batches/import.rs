//! Import: old pseudonyms of a study that moves in are kept beside their subjects, and are converted like tokens.
//!
//! One old pseudonym stands for one subject. Whether it does is decided while [`Imports`] is locked, against the stored
//! rows and against the rows of batches that are not durable yet, so that no two batches decide differently.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sluis_crypto::LinkValue;
use sluis_crypto::escrow::{EscrowKeys, ROW_KEY_LEN};
use sluis_crypto::import::{IMPORT_VALUE_LEN, INDEX_KEY_LEN, MAX_OLD_LEN};
use sluis_crypto::opt_out::OptOutKey;
use sluis_domain::identifier::MissingWords;
use sluis_domain::{ChainId, Column, ElementName, NamespaceId, Reason};
use sluis_keyring::{KeyState, Keyring, LineVersion};
use sluis_ledger::registry::{Chain, LinkMode, Treatment};
use sluis_port::{Commit, Completion, Family, PackedRows, Store};

use crate::Refusal;
use crate::batches::rows::Refused;
use crate::batches::shuffle::random_order;
use crate::batches::tokens::OptedOut;

/// Where the old pseudonyms of a stream are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The pseudonym element whose subject has the old pseudonym.
    pub element: ElementName,
    /// The column of the old pseudonyms; no element of the chain.
    pub column: ElementName,
}

impl Import {
    /// Whether a chain takes it: the column must not be one of its elements, and something must lead out of the line.
    pub(crate) fn check(&self, chain: &Chain) -> Result<(), Refusal> {
        if chain.element(&self.column).is_some() {
            return Err(field(
                "import.column",
                "is an element of the chain; give the column another name",
            ));
        }
        let element = chain.element(&self.element).ok_or_else(|| {
            Refusal::field(
                Reason::UnknownElement,
                "import.element",
                format!("{} is not an element", self.element),
            )
        })?;
        let link = match element.treatment() {
            Treatment::Pseudonym { namespace } => {
                chain.namespace(namespace).map(|line| line.link())
            }
            _ => return Err(field("import.element", "is not a pseudonym element")),
        };
        if link.is_some_and(LinkMode::leads_out) {
            Ok(())
        } else {
            Err(Reason::NotLinked.into())
        }
    }
}

/// A violation of a field.
pub(crate) fn field(name: &str, what: &str) -> Refusal {
    Refusal::field(Reason::InvalidRequest, name, what.to_owned())
}

/// The old pseudonyms of batches between their check and their durability.
#[derive(Default)]
pub(crate) struct Imports(Mutex<Vec<Weak<Claim>>>);

/// The claims of one batch, by the key of their row.
type Claim = HashMap<[u8; ROW_KEY_LEN], LinkValue>;

/// Holds a batch's claim; dropped when the batch is durable or has failed.
pub(crate) struct Claimed(Arc<Claim>);

impl Claimed {
    /// A completion that lets go of the claim.
    pub(crate) fn until(self, done: Completion) -> Completion {
        Box::new(move |result| {
            drop(self.0);
            done(result);
        })
    }
}

/// The old pseudonyms of a batch and their subjects.
pub(crate) struct Mapping<'a> {
    pub(crate) keyring: &'a Keyring,
    /// The line's active version.
    pub(crate) version: &'a LineVersion,
    /// The words that stand for a missing value, an old pseudonym too.
    pub(crate) missing: &'a MissingWords,
    /// One per row; `None` for a row without a subject.
    pub(crate) links: Vec<Option<&'a LinkValue>>,
    /// The number of the column in the batch, and its values.
    pub(crate) old: (usize, &'a Column),
}

/// A row that may be imported.
struct Candidate<'a> {
    row: usize,
    key: [u8; ROW_KEY_LEN],
    old: &'a [u8],
    link: &'a LinkValue,
}

impl Imports {
    /// Adds the import rows of a batch to its commit; refuses rows whose old pseudonym is missing, too long or another
    /// subject's. Nothing may refuse rows of the batch after this.
    pub(crate) fn add(
        &self,
        store: &dyn Store,
        mapping: &Mapping<'_>,
        refused: &mut Refused,
        commit: &mut Commit,
    ) -> Result<Claimed, Refusal> {
        let info = mapping.version.info();
        let (Some(namespace), Some(escrow)) = (&info.namespace, &mapping.version.escrow) else {
            return Err(Reason::NotLinked.into());
        };
        let candidates = mapping.candidates(escrow, refused);
        let versions = leading_out(mapping.keyring, &info.chain, namespace);
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A claim that is gone is in the store, or will never be; so this comes before the store is read.
        let live: Vec<_> = claims.iter().filter_map(Weak::upgrade).collect();
        claims.retain(|claim| claim.strong_count() > 0);
        let mut verdicts = stored(store, namespace, &versions, &candidates)?;
        let mut own = Claim::with_capacity(candidates.len());
        for (candidate, verdict) in candidates.iter().zip(&mut verdicts) {
            let claimed = live.iter().map(|claim| &**claim).chain([&own]);
            if claimed
                .filter_map(|claim| claim.get(&candidate.key))
                .any(|link| link != candidate.link)
            {
                *verdict = verdict.and(Err(Reason::ImportConflict));
            }
            match verdict {
                Ok(()) => drop(own.insert(
                    candidate.key,
                    LinkValue::from_bytes(*candidate.link.expose()),
                )),
                Err(reason) => refused.refuse(candidate.row, mapping.old.0, *reason),
            }
        }
        let accepted: Vec<_> = candidates
            .iter()
            .zip(verdicts)
            .filter_map(|(candidate, verdict)| verdict.ok().map(|()| candidate))
            .collect();
        let keys = mapping.keyring.namespace(namespace);
        let opt_out = &keys.ok_or(Reason::Internal)?.opt_out;
        seal(escrow, namespace, opt_out, &accepted, commit)?;
        let own = Arc::new(own);
        claims.push(Arc::downgrade(&own));
        Ok(Claimed(own))
    }
}

impl<'a> Mapping<'a> {
    fn candidates(&self, escrow: &EscrowKeys, refused: &mut Refused) -> Vec<Candidate<'a>> {
        let (column, old) = self.old;
        let mut candidates = Vec::with_capacity(old.rows());
        for (row, (old, link)) in old.iter().zip(&self.links).enumerate() {
            if refused.is_refused(row) {
                continue;
            }
            // For a word that stands for what is missing, one of many subjects would get the conversions.
            if self.missing.is_missing(old) {
                refused.refuse(row, column, Reason::MissingImport);
                continue;
            }
            match (link, escrow.import().row_key(old)) {
                (Some(link), Some(key)) => candidates.push(Candidate {
                    row,
                    key,
                    old,
                    link,
                }),
                (_, None) if old.len() > MAX_OLD_LEN => {
                    refused.refuse(row, column, Reason::TooLong)
                }
                (_, None) => refused.refuse(row, column, Reason::MissingImport),
                (None, Some(_)) => refused.refuse(row, column, Reason::NoSubject),
            }
        }
        candidates
    }
}

/// What the stored rows of all versions say about each candidate.
fn stored(
    store: &dyn Store,
    namespace: &NamespaceId,
    versions: &[&Arc<LineVersion>],
    candidates: &[Candidate<'_>],
) -> Result<Vec<Result<(), Reason>>, Refusal> {
    let mut verdicts = vec![Ok(()); candidates.len()];
    for version in versions {
        let old: Vec<_> = candidates.iter().map(|candidate| candidate.old).collect();
        let found = find(store, namespace, version, &old)?;
        for ((candidate, verdict), found) in candidates.iter().zip(&mut verdicts).zip(found) {
            *verdict = verdict.and(match found {
                Some(Err(reason)) => Err(reason),
                Some(Ok(link)) if link != *candidate.link => Err(Reason::ImportConflict),
                Some(Ok(_)) | None => Ok(()),
            });
        }
    }
    Ok(verdicts)
}

/// Adds the rows, and the entries by which an erasure finds them.
fn seal(
    escrow: &EscrowKeys,
    namespace: &NamespaceId,
    opt_out: &OptOutKey,
    accepted: &[&Candidate<'_>],
    commit: &mut Commit,
) -> Result<(), Refusal> {
    let bytes = accepted.len() * (ROW_KEY_LEN + IMPORT_VALUE_LEN);
    let mut rows = PackedRows::with_capacity(Family::Import, ROW_KEY_LEN, accepted.len(), bytes);
    let index_bytes = accepted.len() * (INDEX_KEY_LEN + IMPORT_VALUE_LEN);
    let mut index = PackedRows::with_capacity(
        Family::ImportIndex,
        INDEX_KEY_LEN,
        accepted.len(),
        index_bytes,
    );
    let keys = escrow.import();
    let mut sealer = keys.sealer();
    // Nonces count upwards within a batch: sealed in random order, they do not tell which subjects were neighbours.
    for place in random_order(accepted.len())? {
        let candidate = accepted[place];
        let mut sealed = Ok(());
        rows.push_with(|out| {
            out.extend_from_slice(&candidate.key);
            sealed = sealer.seal(namespace, &candidate.key, candidate.link, out);
        });
        sealed.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
    }
    // In another random order, so that the nonces do not tell which entry is of which row.
    for place in random_order(accepted.len())? {
        let candidate = accepted[place];
        let key = keys.index_key(&opt_out.mark(candidate.link), &candidate.key);
        let mut sealed = Ok(());
        index.push_with(|out| {
            out.extend_from_slice(&key);
            sealed = sealer.seal_index(namespace, &key, &candidate.key, out);
        });
        sealed.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
    }
    if !rows.is_empty() {
        commit.rows.extend([rows, index]);
    }
    Ok(())
}

/// Subjects that were read from a column, and with which versions' keys.
pub(crate) struct Read {
    /// One per row; `None` where the value is missing or refused.
    pub(crate) subjects: Vec<Option<LinkValue>>,
    /// The version of each value that belongs to one.
    pub(crate) used: Vec<Arc<LineVersion>>,
}

impl Read {
    /// Nothing read of `rows` rows yet.
    pub(crate) fn nothing(rows: usize) -> Self {
        let mut subjects = Vec::new();
        subjects.resize_with(rows, || None);
        Self {
            subjects,
            used: Vec::new(),
        }
    }
}

/// Reads a column of old pseudonyms of the line (chain, namespace).
pub(crate) fn read(
    store: &dyn Store,
    keyring: &Keyring,
    line: (&ChainId, &NamespaceId),
    column: (usize, &Column),
    opted_out: &OptedOut<'_>,
    refused: &mut Refused,
) -> Result<Read, Refusal> {
    let (index, column) = column;
    let mut read = Read::nothing(column.rows());
    let mut open: Vec<_> = column
        .iter()
        .enumerate()
        .filter(|(_, old)| !old.is_empty())
        .collect();
    for version in leading_out(keyring, line.0, line.1) {
        let old: Vec<_> = open.iter().map(|(_, old)| *old).collect();
        let mut still_open = Vec::new();
        for ((row, old), found) in open.into_iter().zip(find(store, line.1, version, &old)?) {
            let found = found.map(|link| opted_out.check(false, link?));
            match found {
                Some(Ok(link)) => {
                    read.subjects[row] = Some(link);
                    read.used.push(version.clone());
                }
                Some(Err(reason)) => refused.refuse(row, index, reason),
                None => still_open.push((row, old)),
            }
        }
        open = still_open;
    }
    for (row, _) in open {
        refused.refuse(row, index, Reason::UnknownPseudonym);
    }
    Ok(read)
}

/// The versions of a line that something leads out of: the active one, then the others from new to old.
fn leading_out<'a>(
    keyring: &'a Keyring,
    chain: &ChainId,
    namespace: &NamespaceId,
) -> Vec<&'a Arc<LineVersion>> {
    let infos = keyring.versions_of(chain, Some(namespace)).iter();
    let leading = infos.filter(|info| info.escrow && info.state.leads_out());
    let mut versions: Vec<_> = leading.filter_map(|info| keyring.line(info.kid)).collect();
    versions.sort_by_key(|version| {
        (
            version.info().state != KeyState::Active,
            std::cmp::Reverse(version.info().generation),
        )
    });
    versions
}

/// What one version keeps of old pseudonyms: `None` without a row, an error for a damaged one.
fn find(
    store: &dyn Store,
    namespace: &NamespaceId,
    version: &LineVersion,
    old: &[&[u8]],
) -> Result<Vec<Option<Result<LinkValue, Reason>>>, Refusal> {
    let Some(escrow) = &version.escrow else {
        return Ok(old.iter().map(|_| None).collect());
    };
    // What cannot have been imported has no key, and is looked for nowhere.
    let keys: Vec<_> = old.iter().map(|old| escrow.import().row_key(old)).collect();
    let packed: Vec<u8> = keys.iter().flatten().flatten().copied().collect();
    let rows = store.get_many(Family::Import, ROW_KEY_LEN, &packed)?;
    let (mut rows, mut opener) = (rows.iter(), escrow.import().opener());
    Ok(keys
        .into_iter()
        .map(|key| {
            let key = key?;
            let row = rows.next().filter(|row| !row.is_empty())?;
            Some(
                opener
                    .open(namespace, &key, row)
                    .map_err(|_| Reason::CorruptLinkRow),
            )
        })
        .collect())
}
