//! Checkpoints (C2SP tlog-checkpoint): the head of a log as the text of a signed note.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use crate::VerifierKey;
use crate::hash::{HASH_BYTES, Hash};
use crate::note::{Note, NoteError};

/// The head of a log: how many entries it has, and the root of its tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// A checkpoint with verified signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The known keys that signed it: at least one, each once, in the order of the signatures.
    pub signed_by: Vec<VerifierKey>,
}

/// What is not the text of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Fewer than three lines, or no newline at the end.
    #[error(
        "a checkpoint has three lines (origin, size, root), each with its newline, and extension lines after them"
    )]
    Lines,
    /// The origin is empty or has control characters.
    #[error("the origin of a checkpoint must not be empty and must not contain control characters")]
    Origin,
    /// The size is not a decimal number of at most 64 bits without leading zeroes.
    #[error("the size of a checkpoint must be a decimal number below 2^64 without leading zeroes")]
    Size,
    /// The root is not the base64 of 32 bytes.
    #[error("the root of a checkpoint must be the base64 of 32 bytes")]
    Root,
    /// An extension line is empty or has control characters.
    #[error(
        "an extension line of a checkpoint must not be empty and must not contain control characters"
    )]
    Extension,
}

/// Why a signed checkpoint cannot be believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not a note that the known keys signed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text that was signed is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It is of another log.
    #[error("the checkpoint is of the log {found}, not of {expected}")]
    OtherLog {
        /// Origin that was expected.
        expected: String,
        /// Origin of the checkpoint.
        found: String,
    },
}

impl Checkpoint {
    /// The head of the log `origin`, which should be a URL without scheme, like `custodian.example/audit`, and the name of
    /// the log's key.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if !is_line(origin) {
            return Err(CheckpointError::Origin);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            extensions: Vec::new(),
        })
    }

    /// The same with extension lines, without their newlines.
    pub fn with_extensions(self, extensions: Vec<String>) -> Result<Self, CheckpointError> {
        if extensions.iter().all(|line| is_line(line)) {
            Ok(Self { extensions, ..self })
        } else {
            Err(CheckpointError::Extension)
        }
    }

    /// Reads a signed checkpoint of the log `origin`, and believes it if at least one of the known keys signed it and no
    /// signature under the name of a known key is false. A caller that asks for the signature of a certain key, or of
    /// several, must look at `signed_by`.
    pub fn open(
        signed: &[u8],
        origin: &str,
        known: &[VerifierKey],
    ) -> Result<OpenedCheckpoint, OpenError> {
        let note = Note::from_bytes(signed)?;
        let signed_by = note.verify(known)?;
        let checkpoint: Self = note.text().parse()?;
        if checkpoint.origin != origin {
            return Err(OpenError::OtherLog {
                expected: origin.to_owned(),
                found: checkpoint.origin,
            });
        }
        Ok(OpenedCheckpoint {
            checkpoint,
            signed_by,
        })
    }

    /// The checkpoint as a signed note with one signature. `sign` gets the bytes of the text and makes the Ed25519
    /// signature that belongs to `key`.
    pub fn sign(
        &self,
        key: &VerifierKey,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<String, NoteError> {
        let mut note = self.to_note()?;
        note.sign(key, sign)?;
        Ok(note.to_string())
    }

    /// The checkpoint as a note to which several keys can add signatures.
    pub fn to_note(&self) -> Result<Note, NoteError> {
        Note::new(self.to_string())
    }

    /// Which log it is of.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree of that size.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// The extension lines.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

/// Whether a text can be a line of a checkpoint.
fn is_line(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte >= 0x20)
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::Lines)?
            .split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        let size = read_size(size).ok_or(CheckpointError::Size)?;
        let root = BASE64
            .decode(root.as_bytes())
            .ok()
            .and_then(|root| <[u8; HASH_BYTES]>::try_from(root).ok());
        Self::new(origin, size, root.ok_or(CheckpointError::Root)?)?
            .with_extensions(lines.map(str::to_owned).collect())
    }
}

fn read_size(text: &str) -> Option<u64> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// The text of the checkpoint, as it is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            BASE64.encode(&self.root)
        )?;
        self.extensions
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests;
