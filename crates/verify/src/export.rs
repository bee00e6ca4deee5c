//! Checks an export: a directory with checkpoint, tiles, bundles of entries, registry texts and handovers.
//!
//! | path | what |
//! |---|---|
//! | `checkpoint` | the head of the log as a signed note |
//! | `verifier-key` | the key that signed it, a line of text; a convenience, never the anchor of trust |
//! | `handovers/000`, ... | heads signed by two keys, one per rotation of the signing key, oldest first |
//! | `tile/...`, `tile/entries/...` | the tree and the entries as C2SP tlog-tiles has them |
//! | `registry/<version>.toml` | texts of registries, bound by the digests in the entries |
//!
//! One pass over the entries; memory does not grow with their number.

use sluis_ledger::audit::MAX_ENTRY;
use sluis_ledger::event::{Entry, Event};
use sluis_tlog::{
    Bundle, BundleError, Checkpoint, HASH_BYTES, Hash, Note, NoteError, Tile, Tree, VerifierKey,
    decode_bundle, leaf_hash,
};

use crate::replay::Replay;
use sluis_ledger::fault::Wrong;
use sluis_ledger::state::State;

/// Path of the signed head.
pub const CHECKPOINT: &str = "checkpoint";
/// Path of the verifier key.
pub const VERIFIER_KEY: &str = "verifier-key";

/// Path of a handover, counted from 0.
pub fn handover_path(number: usize) -> String {
    format!("handovers/{number:03}")
}

/// Path of a registry text.
pub fn registry_path(version: u64) -> String {
    format!("registry/{version}.toml")
}

/// The most bytes that a file of an export may have; anyone who reads more reads something else.
pub fn limit(path: &str) -> u64 {
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["tile", "entries", ..] => BUNDLE_LIMIT,
        ["tile", ..] => TILE_LIMIT,
        ["registry", ..] => REGISTRY_LIMIT,
        _ => NOTE_LIMIT,
    }
}

/// 256 entries, each with its length.
const BUNDLE_LIMIT: u64 = 256 * (2 + MAX_ENTRY as u64);
/// 256 hashes.
const TILE_LIMIT: u64 = 256 * HASH_BYTES as u64;
/// Far more than a registry can say.
const REGISTRY_LIMIT: u64 = 64 << 20;
/// A checkpoint, a handover, a key: texts of a few lines.
const NOTE_LIMIT: u64 = 64 << 10;

/// The files of an export.
pub trait Files {
    /// Why a file cannot be read.
    type Error;

    /// A file by its path, with `/` between its parts; `None` if there is none.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// What was checked, all of it right.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The signed head.
    pub checkpoint: Checkpoint,
    /// Tiles of hashes.
    pub tiles: u64,
    /// Bundles of entries.
    pub bundles: u64,
    /// Rotations of the signing key, each with a handover.
    pub handovers: usize,
    /// What the entries say.
    pub state: State,
}

/// Something that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// A file is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// The checkpoint is not a signed checkpoint, or a signature under it is false.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    /// The export is of another log than the key.
    #[error("the checkpoint is of the log {found}, and the key of {expected}")]
    OtherLog {
        /// Name of the key.
        expected: String,
        /// Origin of the checkpoint.
        found: String,
    },
    /// The key that was given never signed this log.
    #[error("the key that was given is not one of this log's signing keys")]
    Key,
    /// `verifier-key` is not the key that signed the checkpoint.
    #[error("verifier-key is not the key that the log names as its present one")]
    VerifierKey,
    /// A handover does not hand over.
    #[error("{path}: {what}")]
    Handover {
        /// Its path.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// There are as many handovers as rotations.
    #[error(
        "the log has {rotations} rotations of its signing key, and there are {found} handovers"
    )]
    Handovers {
        /// In the entries.
        rotations: usize,
        /// In the export.
        found: usize,
    },
    /// A bundle of entries cannot be taken apart.
    #[error("entry {sequence} cannot be read from {path}: {error}")]
    Bundle {
        /// Its path.
        path: String,
        /// The first entry that cannot be read.
        sequence: u64,
        /// Why.
        error: BundleError,
    },
    /// A tile has the wrong length.
    #[error("{0} has the wrong length")]
    TileLength(String),
    /// A tile does not fit the entries, which fit the checkpoint.
    #[error("{0} was changed: it does not fit the entries")]
    Tile(String),
    /// An entry is not the one that the tree holds.
    #[error("entry {0} was changed: it is not the one in the signed tree")]
    Entry(u64),
    /// Entries and tiles agree with each other, but not with the checkpoint.
    #[error("the entries are not those that the checkpoint signs")]
    Root,
    /// An entry breaks a rule.
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

impl Problem {
    /// The entry that it is about, if it is about one.
    pub fn sequence(&self) -> Option<u64> {
        match self {
            Self::Bundle { sequence, .. } | Self::Entry(sequence) => Some(*sequence),
            Self::Wrong(wrong) => Some(wrong.sequence),
            _ => None,
        }
    }
}

/// Checks an export against `anchor`, a key that is or was the log's signing key and that the caller trusts.
///
/// `progress` hears how many entries were read, of how many. The verdict names every kind of problem once, what concerns
/// the earliest entry first.
///
/// # Errors
/// The errors of reading the files.
pub fn verify<F: Files>(
    files: &F,
    anchor: &VerifierKey,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Result<Checked, Vec<Problem>>, F::Error> {
    let head = match open_head(files, anchor)? {
        Ok(head) => head,
        Err(problem) => return Ok(Err(vec![problem])),
    };
    let mut scan = Scan::new(files, &head, anchor.name());
    let unreadable = scan.run(progress)?.err();
    let mut problems: Vec<Problem> = unreadable
        .clone()
        .into_iter()
        .chain(scan.wrong.take().map(Problem::Wrong))
        .collect();
    if unreadable.is_none() {
        problems.extend(
            scan.replay
                .unfinished()
                .filter(|_| problems.is_empty())
                .map(Problem::Wrong),
        );
        problems.extend(scan.compare());
        problems.extend(check_keys(files, &head, anchor, &scan)?);
    }
    // An entry that was changed comes before the rule that it breaks.
    problems.sort_by_key(|problem| {
        (
            problem.sequence().unwrap_or(u64::MAX),
            matches!(problem, Problem::Wrong(_)),
        )
    });
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    Ok(Ok(Checked {
        checkpoint: head.checkpoint,
        tiles: scan.tiles,
        bundles: scan.bundles,
        handovers: head.handovers.len(),
        state: scan.replay.state().clone(),
    }))
}

/// Checkpoint and handovers, their signatures not verified.
struct HeadFiles {
    checkpoint: Checkpoint,
    note: Note,
    handovers: Vec<(Checkpoint, Note)>,
}

fn open_head<F: Files>(
    files: &F,
    anchor: &VerifierKey,
) -> Result<Result<HeadFiles, Problem>, F::Error> {
    let Some(bytes) = files.read(CHECKPOINT)? else {
        return Ok(Err(Problem::Missing(CHECKPOINT.to_owned())));
    };
    let (checkpoint, note) = match open_note(&bytes) {
        Ok(opened) => opened,
        Err(what) => return Ok(Err(Problem::Checkpoint(what))),
    };
    if checkpoint.origin() != anchor.name() {
        let (expected, found) = (anchor.name().to_owned(), checkpoint.origin().to_owned());
        return Ok(Err(Problem::OtherLog { expected, found }));
    }
    // A signature under a key that is known already can be judged before all entries are read.
    if let Err(error @ NoteError::FalseSignature { .. }) = note.verify(std::slice::from_ref(anchor))
    {
        return Ok(Err(Problem::Checkpoint(error.to_string())));
    }
    let mut handovers = Vec::new();
    while let Some(bytes) = files.read(&handover_path(handovers.len()))? {
        match open_note(&bytes) {
            Ok(opened) => handovers.push(opened),
            Err(what) => {
                return Ok(Err(Problem::Handover {
                    path: handover_path(handovers.len()),
                    what,
                }));
            }
        }
    }
    Ok(Ok(HeadFiles {
        checkpoint,
        note,
        handovers,
    }))
}

fn open_note(bytes: &[u8]) -> Result<(Checkpoint, Note), String> {
    let note = Note::from_bytes(bytes).map_err(|error| error.to_string())?;
    let checkpoint = note
        .text()
        .parse()
        .map_err(|error: sluis_tlog::CheckpointError| error.to_string())?;
    Ok((checkpoint, note))
}

/// Keys from the entries, signatures from the notes: who signed what.
fn check_keys<F: Files>(
    files: &F,
    head: &HeadFiles,
    anchor: &VerifierKey,
    scan: &Scan<'_, F>,
) -> Result<Vec<Problem>, F::Error> {
    let keys: Vec<VerifierKey> = scan.keys.iter().map(|(_, key)| key.clone()).collect();
    // Without keys the first entry is wrong, which is named already.
    let Some(present) = keys.last() else {
        return Ok(Vec::new());
    };
    let mut problems = Vec::new();
    if !keys.contains(anchor) {
        problems.push(Problem::Key);
    }
    if let Err(what) = signed_by(&head.note, &keys, std::slice::from_ref(present)) {
        problems.push(Problem::Checkpoint(what));
    }
    if head.handovers.len() + 1 != keys.len() {
        problems.push(Problem::Handovers {
            rotations: keys.len() - 1,
            found: head.handovers.len(),
        });
    }
    let rotations = keys
        .windows(2)
        .zip(scan.keys.iter().skip(1).map(|(sequence, _)| *sequence));
    for (number, ((checkpoint, note), (pair, sequence))) in
        head.handovers.iter().zip(rotations).enumerate()
    {
        if let Err(what) = check_handover(checkpoint, note, pair, sequence, scan, anchor) {
            problems.push(Problem::Handover {
                path: handover_path(number),
                what,
            });
        }
    }
    match files.read(VERIFIER_KEY)? {
        None => problems.push(Problem::Missing(VERIFIER_KEY.to_owned())),
        Some(bytes) if bytes != format!("{present}\n").as_bytes() => {
            problems.push(Problem::VerifierKey)
        }
        Some(_) => {}
    }
    Ok(problems)
}

/// A head that was signed by the old and the new key, after the entry that names the new one.
fn check_handover<F: Files>(
    checkpoint: &Checkpoint,
    note: &Note,
    pair: &[VerifierKey],
    rotated: u64,
    scan: &Scan<'_, F>,
    anchor: &VerifierKey,
) -> Result<(), String> {
    if checkpoint.origin() != anchor.name() {
        return Err(format!("it is of the log {}", checkpoint.origin()));
    }
    if checkpoint.size() <= rotated {
        return Err(format!(
            "it does not cover entry {rotated}, which names the new key"
        ));
    }
    if scan.root_at(checkpoint.size()) != Some(checkpoint.root()) {
        return Err("it is of another tree than the checkpoint".to_owned());
    }
    signed_by(note, pair, pair)
}

/// Every signature must be by a known key, and all `wanted` keys must have signed.
fn signed_by(note: &Note, known: &[VerifierKey], wanted: &[VerifierKey]) -> Result<(), String> {
    let by = note.verify(known).map_err(|error| error.to_string())?;
    if let Some(key) = wanted.iter().find(|key| !by.contains(key)) {
        return Err(format!("the signature of {key} is missing"));
    }
    if note.signatures().len() == by.len() {
        Ok(())
    } else {
        Err("it has a signature of an unknown key".to_owned())
    }
}

/// One pass over the entries.
struct Scan<'a, F> {
    files: &'a F,
    size: u64,
    root: Hash,
    /// Made of the entries.
    entries: Tree,
    replay: Replay,
    wrong: Option<Wrong>,
    /// The log's signing keys and the entries that name them.
    keys: Vec<(u64, VerifierKey)>,
    /// Roots at the sizes of handovers.
    roots: Vec<(u64, Option<Hash>)>,
    /// The first entry whose hash is not the one in its tile, and that tile.
    mismatch: Option<(u64, String)>,
    /// The first tile above the lowest that does not fit the entries.
    bad_tile: Option<String>,
    tiles: u64,
    bundles: u64,
}

impl<'a, F: Files> Scan<'a, F> {
    fn new(files: &'a F, head: &HeadFiles, origin: &str) -> Self {
        Self {
            files,
            size: head.checkpoint.size(),
            root: *head.checkpoint.root(),
            entries: Tree::new(),
            replay: Replay::new(origin),
            wrong: None,
            keys: Vec::new(),
            roots: head
                .handovers
                .iter()
                .map(|(checkpoint, _)| (checkpoint.size(), None))
                .collect(),
            mismatch: None,
            bad_tile: None,
            tiles: 0,
            bundles: 0,
        }
    }

    fn root_at(&self, size: u64) -> Option<&Hash> {
        self.roots
            .iter()
            .find(|(at, _)| *at == size)
            .and_then(|(_, root)| root.as_ref())
    }

    /// The inner error: what is missing or cannot be read.
    fn run(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<Result<(), Problem>, F::Error> {
        for bundle in Bundle::all(self.size) {
            if let Err(problem) = self.read_bundle(&bundle)? {
                return Ok(Err(problem));
            }
            progress(self.entries.size(), self.size);
        }
        self.read_unfinished()
    }

    fn read_bundle(&mut self, bundle: &Bundle) -> Result<Result<(), Problem>, F::Error> {
        let (path, first) = (bundle.to_string(), bundle.index() * 256);
        let tile = Tile::in_tree(0, bundle.index(), self.size)
            .map_or_else(String::new, |tile| tile.to_string());
        let Some(bytes) = self.files.read(&path)? else {
            return Ok(Err(Problem::Missing(path)));
        };
        let entries = match decode_bundle(&bytes, bundle.width()) {
            Ok(entries) => entries,
            Err(error) => {
                let position = match error {
                    BundleError::Truncated { position, .. } => position as u64,
                    _ => u64::from(bundle.width()) - 1,
                };
                return Ok(Err(Problem::Bundle {
                    path,
                    sequence: first + position,
                    error,
                }));
            }
        };
        let Some(hashes) = self.files.read(&tile)? else {
            return Ok(Err(Problem::Missing(tile)));
        };
        if hashes.len() != entries.len() * HASH_BYTES {
            return Ok(Err(Problem::TileLength(tile)));
        }
        for (entry, hash) in entries.iter().zip(hashes.chunks_exact(HASH_BYTES)) {
            self.take(entry, hash.try_into().expect("chunks of 32 bytes"), &tile)?;
        }
        (self.bundles, self.tiles) = (self.bundles + 1, self.tiles + 1);
        Ok(Ok(()))
    }

    fn take(&mut self, bytes: &[u8], hash: Hash, tile: &str) -> Result<(), F::Error> {
        let (sequence, leaf) = (self.entries.size(), leaf_hash(bytes));
        if leaf != hash && self.mismatch.is_none() {
            self.mismatch = Some((sequence, tile.to_owned()));
        }
        for full in self.entries.append(leaf) {
            if let Some(tile) = Tile::new(full.level, full.index, 256)
                .ok()
                .filter(|tile| tile.level() > 0)
            {
                self.compare_tile(&tile, &full.data)?;
            }
        }
        let size = self.entries.size();
        for (_, root) in self.roots.iter_mut().filter(|(at, _)| *at == size) {
            *root = Some(self.entries.root());
        }
        self.keys
            .extend(named_key(bytes).map(|key| (sequence, key)));
        self.replay(sequence, bytes)
    }

    fn replay(&mut self, sequence: u64, bytes: &[u8]) -> Result<(), F::Error> {
        if self.wrong.is_some() {
            return Ok(());
        }
        let mut failed = None;
        let pushed = self.replay.push(sequence, bytes, &mut |version| {
            match self.files.read(&registry_path(version)) {
                // Text or not, its digest decides.
                Ok(bytes) => bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }
        });
        self.wrong = pushed.err();
        failed.map_or(Ok(()), Err)
    }

    /// The tiles above the lowest that are not full.
    fn read_unfinished(&mut self) -> Result<Result<(), Problem>, F::Error> {
        for tile in Tile::all(self.size).filter(|tile| tile.level() > 0 && tile.width() < 256) {
            let expected = self
                .entries
                .unfinished_tile(tile.level(), tile.index(), tile.width())
                .map(<[u8]>::to_vec);
            self.compare_tile(&tile, &expected.unwrap_or_default())?;
        }
        Ok(Ok(()))
    }

    fn compare_tile(&mut self, tile: &Tile, expected: &[u8]) -> Result<(), F::Error> {
        self.tiles += 1;
        let path = tile.to_string();
        if self.files.read(&path)?.as_deref() != Some(expected) {
            self.bad_tile.get_or_insert(path);
        }
        Ok(())
    }

    /// What is to be believed, entries or tiles, is for the root in the checkpoint to say.
    fn compare(&self) -> Option<Problem> {
        if self.entries.root() == self.root {
            let tile = self
                .mismatch
                .as_ref()
                .map(|(_, tile)| tile)
                .or(self.bad_tile.as_ref());
            return tile.map(|tile| Problem::Tile(tile.clone()));
        }
        match &self.mismatch {
            Some((sequence, _)) => Some(Problem::Entry(*sequence)),
            None => Some(Problem::Root),
        }
    }
}

/// The signing key that an entry names.
fn named_key(bytes: &[u8]) -> Option<VerifierKey> {
    match Entry::decode(bytes).ok()?.event {
        Event::Initialise(first) => Some(first.key),
        Event::RotateAuditKey(rotated) => Some(rotated.key),
        _ => None,
    }
}
