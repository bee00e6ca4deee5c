//! The files that travel in the ceremony after a restore: the request from the custodian's machine, and a signature back.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use super::Restore;
use crate::statement::{MAX_CERTIFICATE, MAX_SIGNATURE, Signed};
use sluis_domain::codec::DecodeError;

const REQUEST: &str = "sluis restore request 2";
const SIGNATURE: &str = "sluis restore signature 1";
/// Most certificates of authorities in a [`Signature`].
pub const MAX_ISSUERS: usize = 4;

/// What is to be signed: three lines, `sluis restore request 2`, the origin of the audit log, and the base64 of
/// [`Restore::encode`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Origin of the audit log.
    pub origin: String,
    /// What is signed.
    pub restore: Restore,
}

/// A signature under a request: lines `sluis restore signature 1`, the base64 of the signature, the base64 of the signer's
/// certificate (DER), and one for each authority between it and one that the custodian knows, at most [`MAX_ISSUERS`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// Signature and the signer's certificate.
    pub signed: Signed,
    /// Certificates (DER) of the authorities between, the signer's own first.
    pub issuers: Vec<Vec<u8>>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{REQUEST}\n{}\n{}",
            self.origin,
            BASE64.encode(&self.restore.encode())
        )
    }
}

impl FromStr for Request {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let [origin, restore] = lines(text, REQUEST)?[..] else {
            return Err(DecodeError);
        };
        let restore = BASE64.decode(restore.as_bytes()).map_err(|_| DecodeError)?;
        if origin.is_empty() || origin.chars().any(char::is_control) {
            return Err(DecodeError);
        }
        Ok(Self {
            origin: origin.to_owned(),
            restore: Restore::decode(&restore)?,
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signed {
            signature,
            certificate,
        } = &self.signed;
        writeln!(
            f,
            "{SIGNATURE}\n{}\n{}",
            BASE64.encode(signature),
            BASE64.encode(certificate)
        )?;
        self.issuers
            .iter()
            .try_for_each(|issuer| writeln!(f, "{}", BASE64.encode(issuer)))
    }
}

impl FromStr for Signature {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let lines = lines(text, SIGNATURE)?;
        let decoded = lines
            .iter()
            .map(|line| BASE64.decode(line.as_bytes()).map_err(|_| DecodeError));
        let mut decoded = decoded.collect::<Result<Vec<_>, _>>()?.into_iter();
        let (Some(signature), Some(certificate)) = (decoded.next(), decoded.next()) else {
            return Err(DecodeError);
        };
        let issuers: Vec<_> = decoded.collect();
        let long = issuers
            .iter()
            .chain([&certificate])
            .any(|certificate| certificate.len() > MAX_CERTIFICATE);
        if long || signature.len() > MAX_SIGNATURE || issuers.len() > MAX_ISSUERS {
            return Err(DecodeError);
        }
        Ok(Self {
            signed: Signed {
                signature,
                certificate,
            },
            issuers,
        })
    }
}

/// The lines after the first.
fn lines<'a>(text: &'a str, first: &str) -> Result<Vec<&'a str>, DecodeError> {
    let mut lines = text.strip_suffix('\n').ok_or(DecodeError)?.split('\n');
    if lines.next() == Some(first) {
        Ok(lines.collect())
    } else {
        Err(DecodeError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sluis_domain::Timestamp;

    fn request() -> Request {
        let at = Timestamp::from_millis(5).expect("small");
        let restore = Restore {
            at,
            restored_size: 7,
            restored_root: [1; 32],
            lost_size: 9,
            lost_root: [2; 32],
            nonce: [3; 16],
            lost_rows: Default::default(),
        };
        Request {
            origin: "c.example/00".into(),
            restore,
        }
    }

    #[test]
    fn both_files_are_read_back() {
        assert_eq!(request().to_string().parse(), Ok(request()));
        let signed = Signed {
            signature: vec![3; 72],
            certificate: vec![4; 900],
        };
        for issuers in 0..=MAX_ISSUERS {
            let signature = Signature {
                signed: signed.clone(),
                issuers: vec![vec![5; 800]; issuers],
            };
            assert_eq!(signature.to_string().parse(), Ok(signature.clone()));
            assert_eq!(signature.to_string().parse::<Request>(), Err(DecodeError));
        }
        assert_eq!(request().to_string().parse::<Signature>(), Err(DecodeError));
        let long = Signed {
            signature: vec![3; MAX_SIGNATURE + 1],
            certificate: vec![],
        };
        let many = vec![vec![5; 800]; MAX_ISSUERS + 1];
        for (signed, issuers) in [
            (long, vec![]),
            (signed.clone(), many),
            (signed, vec![vec![5; MAX_CERTIFICATE + 1]]),
        ] {
            assert_eq!(
                Signature { signed, issuers }
                    .to_string()
                    .parse::<Signature>(),
                Err(DecodeError)
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(at in 0usize..200, put in "[ -~\n]?") {
            let text = request().to_string();
            let at = at.min(text.len() - 1);
            let changed = format!("{}{put}{}", &text[..at], &text[at + 1..]);
            if let Ok(read) = changed.parse::<Request>() {
                prop_assert_eq!(read.to_string(), changed);
            }
        }
    }
}
