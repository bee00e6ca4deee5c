//! Signed notes (C2SP signed-note): a text, an empty line, and lines with signatures of the text.
//!
//! The text of a note means nothing before [`Note::verify`] has said who signed it.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use crate::VerifierKey;
use sluis_crypto::verifier_key::is_name;

/// The longest note that is read or made, in bytes.
pub const MAX_NOTE_BYTES: usize = 1_000_000;
/// The most signatures that a note may carry.
pub const MAX_SIGNATURES: usize = 100;
/// What a signature line begins with: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A text with signatures, which are well formed but not verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature of a note, by a key that may be unknown and of a type that may be unknown too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub id: [u8; 4],
    /// The signature itself; 64 bytes if the key is an Ed25519 key.
    pub bytes: Vec<u8>,
}

/// What is wrong with a note.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("the note is longer than {MAX_NOTE_BYTES} bytes")]
    TooLong,
    /// A control character other than newline.
    #[error("the note contains a control character")]
    ControlCharacter,
    /// The bytes are not UTF-8.
    #[error("the note is not UTF-8")]
    NotUtf8,
    /// The text is empty or its last line has no end.
    #[error("the text of a note must end with a newline")]
    Text,
    /// No empty line, or nothing after it.
    #[error("the note must end with an empty line and at least one signature line")]
    NoSignatures,
    /// More than [`MAX_SIGNATURES`].
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A line after the empty line is not a signature line.
    #[error("signature line {0} is not an em dash, the name of a key and base64")]
    SignatureLine(usize),
    /// A known key did not make the signature that stands under its name and id.
    #[error(
        "the signature of {name} is false: the note was changed after it was signed, or never signed"
    )]
    FalseSignature {
        /// Name of the key.
        name: String,
    },
    /// None of the signatures is by a known key.
    #[error("the note is not signed by any of the keys that are trusted here")]
    NoKnownSignature,
    /// Signing was asked for under a key that does not fit the one that signed.
    #[error("the signing key is not the one that {name} names")]
    OtherSigningKey {
        /// Name of the key.
        name: String,
    },
}

impl Note {
    /// An unsigned note. The text must end with a newline and have no other control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let note = Self {
            text: text.into(),
            signatures: Vec::new(),
        };
        check_characters(&note.text)?;
        if note.text.ends_with('\n') {
            Ok(note)
        } else {
            Err(NoteError::Text)
        }
    }

    /// Reads a signed note from bytes of any origin.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        std::str::from_utf8(bytes)
            .map_err(|_| NoteError::NotUtf8)?
            .parse()
    }

    /// The text, with the newline at its end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, not verified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds the signature of a key, in the place of one that the same key made before. `sign` gets the bytes of the text
    /// and makes the Ed25519 signature; one that `key` does not verify is refused.
    pub fn sign(
        &mut self,
        key: &VerifierKey,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<(), NoteError> {
        let bytes = sign(self.text.as_bytes()).to_vec();
        if !key.verify(&self.text, &bytes) {
            return Err(NoteError::OtherSigningKey {
                name: key.name().to_owned(),
            });
        }
        let mut signed = self.clone();
        signed.signatures.retain(|signature| !signature.is_by(key));
        signed.signatures.push(NoteSignature {
            name: key.name().to_owned(),
            id: key.id(),
            bytes,
        });
        if signed.signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        if signed.to_string().len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        *self = signed;
        Ok(())
    }

    /// Which of the known keys signed the note: at least one. Signatures by other keys are ignored; a false one by a known
    /// key makes the whole note false.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<Vec<VerifierKey>, NoteError> {
        let mut signed_by: Vec<VerifierKey> = Vec::new();
        for signature in &self.signatures {
            let mut candidates = known.iter().filter(|key| signature.is_by(key)).peekable();
            if candidates.peek().is_none() {
                continue;
            }
            // Two keys can have one name and id, if someone went to the trouble.
            let Some(key) = candidates.find(|key| key.verify(&self.text, &signature.bytes)) else {
                return Err(NoteError::FalseSignature {
                    name: signature.name.clone(),
                });
            };
            if !signed_by.contains(key) {
                signed_by.push(key.clone());
            }
        }
        if signed_by.is_empty() {
            Err(NoteError::NoKnownSignature)
        } else {
            Ok(signed_by)
        }
    }
}

impl NoteSignature {
    fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    /// A signature line without its newline.
    fn from_line(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
        let signature = BASE64.decode(signature.as_bytes()).ok()?;
        let (id, bytes) = signature.split_first_chunk::<4>()?;
        let whole = is_name(name) && !bytes.is_empty();
        whole.then(|| Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLong);
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        Err(NoteError::ControlCharacter)
    } else {
        Ok(())
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        check_characters(note)?;
        // The text may have empty lines too: the last one parts.
        let at = note.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = note[at + 2..]
            .strip_suffix('\n')
            .ok_or(NoteError::NoSignatures)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines.split('\n').enumerate().map(|(at, line)| {
            NoteSignature::from_line(line).ok_or(NoteError::SignatureLine(at + 1))
        });
        Ok(Self {
            text: note[..=at].to_owned(),
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }
}

/// The note as it is stored and sent. Without signatures it cannot be read back.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for NoteSignature { name, id, bytes } in &self.signatures {
            writeln!(
                f,
                "{SIGNATURE_PREFIX}{name} {}",
                BASE64.encode(&[id, &bytes[..]].concat())
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
