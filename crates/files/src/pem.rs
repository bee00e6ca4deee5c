//! Strict PEM: every block and every line is accounted for, or the file is refused.
//!
//! Readers that look for `-----BEGIN` at the start of a line skip all other lines, and so a block whose first line is
//! damaged: behind a byte order mark, say, or behind a space. A revocation list that is skipped like that lets in whom it
//! revokes. Here a file is either text between complete blocks, or refused with the number of the line.
//!
//! Text outside blocks is common (`openssl x509 -text`, lists of authorities with comments), and accepted where it cannot
//! be a damaged block: see `outside`.

mod outside;

use std::fmt;

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// What a block says it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Label {
    /// `CERTIFICATE`.
    Certificate,
    /// `TRUSTED CERTIFICATE`: OpenSSL's own form, with settings behind the certificate.
    TrustedCertificate,
    /// `X509 CRL`.
    RevocationList,
    /// `PRIVATE KEY` (PKCS#8).
    PrivateKey,
    /// `EC PRIVATE KEY` (SEC1).
    EcPrivateKey,
    /// `RSA PRIVATE KEY` (PKCS#1).
    RsaPrivateKey,
    /// `EC PARAMETERS`, which `openssl ecparam -genkey` writes before a key.
    EcParameters,
    /// `ENCRYPTED PRIVATE KEY`.
    EncryptedPrivateKey,
    /// `PUBLIC KEY`.
    PublicKey,
    /// `CERTIFICATE REQUEST` or `NEW CERTIFICATE REQUEST`.
    Request,
    /// `OPENSSH PRIVATE KEY`.
    OpenSshKey,
    /// `PKCS7` or `CMS`.
    Container,
    /// Any other.
    Other,
}

impl Label {
    fn parse(text: &str) -> Self {
        match text {
            "CERTIFICATE" => Self::Certificate,
            "TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            "X509 CRL" => Self::RevocationList,
            "PRIVATE KEY" => Self::PrivateKey,
            "EC PRIVATE KEY" => Self::EcPrivateKey,
            "RSA PRIVATE KEY" => Self::RsaPrivateKey,
            "EC PARAMETERS" => Self::EcParameters,
            "ENCRYPTED PRIVATE KEY" => Self::EncryptedPrivateKey,
            "PUBLIC KEY" => Self::PublicKey,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::Request,
            "OPENSSH PRIVATE KEY" => Self::OpenSshKey,
            "PKCS7" | "CMS" => Self::Container,
            _ => Self::Other,
        }
    }

    fn is_private_key(self) -> bool {
        matches!(
            self,
            Self::PrivateKey | Self::EcPrivateKey | Self::RsaPrivateKey
        )
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "a certificate",
            Self::TrustedCertificate => {
                "a TRUSTED CERTIFICATE, a form of OpenSSL's own (convert it: openssl x509 -in OLD -out NEW)"
            }
            Self::RevocationList => "a revocation list",
            Self::PrivateKey | Self::EcPrivateKey | Self::RsaPrivateKey => "a private key",
            Self::EcParameters => "parameters of an elliptic curve",
            Self::EncryptedPrivateKey => {
                "an encrypted private key (decrypt it: openssl pkey -in OLD -out NEW, readable by its owner only)"
            }
            Self::PublicKey => "a public key",
            Self::Request => "a certificate request, not the certificate",
            Self::OpenSshKey => "a private key in the form of OpenSSH",
            Self::Container => "a PKCS#7 container (unpack it: openssl pkcs7 -print_certs)",
            Self::Other => "a block of an unknown kind",
        })
    }
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it says it holds.
    pub label: Label,
    /// The line of its `-----BEGIN`, from 1.
    pub line: usize,
    /// What it holds; wiped when it is dropped.
    pub der: Zeroizing<Vec<u8>>,
}

/// Why a file is refused: the line, from 1, and what was seen. Shows nothing of what the file holds.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct PemError {
    /// 0 for the file as a whole.
    pub line: usize,
    /// What was seen.
    pub seen: String,
}

impl PemError {
    pub(crate) fn at(line: usize, seen: impl Into<String>) -> Self {
        let seen = seen.into();
        Self { line, seen }
    }

    fn whole(seen: &str) -> Self {
        Self::at(0, seen)
    }
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.seen),
            line => write!(f, "line {line}: {}", self.seen),
        }
    }
}

/// All blocks of a file, at least one.
///
/// # Errors
/// [`PemError`] for the first thing that is neither a complete block nor harmless text.
pub fn blocks(content: &[u8]) -> Result<Vec<Block>, PemError> {
    outside::must_be_text(content)?;
    let mut blocks = Vec::new();
    let mut open: Option<Open> = None;
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let number = index + 1;
        open = match open {
            None => outside::begins(line, number)?.map(|name| Open::new(name, number)),
            Some(block) => match block.take(line, number)? {
                Taken::More(block) => Some(block),
                Taken::Complete(block) => {
                    blocks.push(block);
                    None
                }
            },
        };
    }
    match open {
        Some(block) => Err(PemError::at(block.line, "a block that has no END line")),
        None if blocks.is_empty() => Err(PemError::whole("no PEM block in it")),
        None => Ok(blocks),
    }
}

/// A block of which the end was not seen yet.
struct Open {
    name: String,
    line: usize,
    base64: Zeroizing<Vec<u8>>,
}

enum Taken {
    More(Open),
    Complete(Block),
}

impl Open {
    fn new(name: &str, line: usize) -> Self {
        Self {
            name: name.to_owned(),
            line,
            base64: Zeroizing::default(),
        }
    }

    fn take(mut self, line: &[u8], number: usize) -> Result<Taken, PemError> {
        let text = line.trim_ascii_end();
        if let Some(name) = outside::end_line(text) {
            if name == self.name {
                return self.complete().map(Taken::Complete);
            }
            let seen = "the END line of a block of another kind";
            return Err(PemError::at(number, seen));
        }
        if outside::begin_line(text).is_some() {
            return Err(PemError::at(self.line, "a block that has no END line"));
        }
        if text.contains(&b':') {
            let seen = if text.starts_with(b"Proc-Type") || text.starts_with(b"DEK-Info") {
                Label::EncryptedPrivateKey.to_string()
            } else {
                "a header inside a block".to_owned()
            };
            return Err(PemError::at(number, seen));
        }
        let is_base64 = text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
        if text.is_empty() || !is_base64 {
            return Err(PemError::at(
                number,
                "not base64, inside a block that has not ended",
            ));
        }
        self.base64.extend_from_slice(text);
        Ok(Taken::More(self))
    }

    fn complete(self) -> Result<Block, PemError> {
        let decoded = BASE64.decode(&self.base64);
        let der = decoded
            .ok()
            .filter(|der| !der.is_empty())
            .ok_or_else(|| PemError::at(self.line, "a block that is empty or no whole base64"))?;
        Ok(Block {
            label: Label::parse(&self.name),
            line: self.line,
            der: Zeroizing::new(der),
        })
    }
}

/// The blocks of a file that may hold certificates only; no certificate twice.
///
/// # Errors
/// [`PemError`].
pub fn certificates(content: &[u8]) -> Result<Vec<Block>, PemError> {
    let found = only(content, Label::Certificate, "certificates")?;
    for (index, block) in found.iter().enumerate() {
        let earlier = found[..index].iter().find(|other| other.der == block.der);
        if let Some(other) = earlier {
            let seen = format!("the same certificate as in line {}", other.line);
            return Err(PemError::at(block.line, seen));
        }
    }
    Ok(found)
}

/// The blocks of a file that may hold revocation lists only.
///
/// # Errors
/// [`PemError`].
pub fn revocation_lists(content: &[u8]) -> Result<Vec<Block>, PemError> {
    only(content, Label::RevocationList, "revocation lists")
}

/// The one private key of a file. `EC PARAMETERS` may stand before it.
///
/// # Errors
/// [`PemError`].
pub fn private_key(content: &[u8]) -> Result<Block, PemError> {
    let mut key: Option<Block> = None;
    for block in blocks(content)? {
        let first = key.as_ref().map(|key| key.line);
        match (block.label, first) {
            (Label::EcParameters, None) => {}
            (label, None) if label.is_private_key() => key = Some(block),
            (label, Some(line)) if label.is_private_key() => {
                let seen = format!("a second private key; the first is in line {line}");
                return Err(PemError::at(block.line, seen));
            }
            (label, _) => return Err(wrong_kind(block.line, label, "one private key")),
        }
    }
    key.ok_or_else(|| PemError::whole("no private key in it"))
}

fn only(content: &[u8], wanted: Label, name: &str) -> Result<Vec<Block>, PemError> {
    let found = blocks(content)?;
    match found.iter().find(|block| block.label != wanted) {
        None => Ok(found),
        Some(block) => Err(wrong_kind(block.line, block.label, name)),
    }
}

fn wrong_kind(line: usize, seen: Label, wanted: &str) -> PemError {
    PemError::at(line, format!("{seen}; the file must hold {wanted} only"))
}

#[cfg(test)]
mod tests;
