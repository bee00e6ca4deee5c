//! The files that travel in the ceremony after a restore: the request from the custodian's machine, and a signature back.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use super::Restore;
use crate::codec::DecodeError;
use crate::statement::{MAX_CERTIFICATE, MAX_SIGNATURE, Signed};

const REQUEST: &str = "sluis restore request 1";
const SIGNATURE: &str = "sluis restore signature 1";

/// What is to be signed: three lines, `sluis restore request 1`, the origin of the audit log, and the base64 of
/// [`Restore::encode`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Origin of the audit log.
    pub origin: String,
    /// What is signed.
    pub restore: Restore,
}

/// A signature under a request: three lines, `sluis restore signature 1`, the base64 of the signature, and that of the
/// signer's certificate (DER).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature(pub Signed);

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{REQUEST}\n{}\n{}", self.origin, BASE64.encode(&self.restore.encode()))
    }
}

impl FromStr for Request {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let [origin, restore] = lines(text, REQUEST)?;
        let restore = BASE64.decode(restore.as_bytes()).map_err(|_| DecodeError)?;
        if origin.is_empty() || origin.chars().any(char::is_control) {
            return Err(DecodeError);
        }
        Ok(Self { origin: origin.to_owned(), restore: Restore::decode(&restore)? })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signed { signature, certificate } = &self.0;
        writeln!(f, "{SIGNATURE}\n{}\n{}", BASE64.encode(signature), BASE64.encode(certificate))
    }
}

impl FromStr for Signature {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let decode = |line: &str| BASE64.decode(line.as_bytes()).map_err(|_| DecodeError);
        let [signature, certificate] = lines(text, SIGNATURE)?;
        let (signature, certificate) = (decode(signature)?, decode(certificate)?);
        if signature.len() > MAX_SIGNATURE || certificate.len() > MAX_CERTIFICATE {
            return Err(DecodeError);
        }
        Ok(Self(Signed { signature, certificate }))
    }
}

/// The two lines after the first.
fn lines<'a>(text: &'a str, first: &str) -> Result<[&'a str; 2], DecodeError> {
    let lines: Vec<_> = text.strip_suffix('\n').ok_or(DecodeError)?.split('\n').collect();
    match lines[..] {
        [head, one, two] if head == first => Ok([one, two]),
        _ => Err(DecodeError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use proptest::prelude::*;

    fn request() -> Request {
        let at = Timestamp::from_millis(5).expect("small");
        let restore = Restore { at, restored_size: 7, restored_root: [1; 32], lost_size: 9, lost_root: [2; 32] };
        Request { origin: "c.example/00".into(), restore }
    }

    #[test]
    fn both_files_are_read_back() {
        assert_eq!(request().to_string().parse(), Ok(request()));
        let signature = Signature(Signed { signature: vec![3; 72], certificate: vec![4; 900] });
        assert_eq!(signature.to_string().parse(), Ok(signature.clone()));
        assert_eq!(request().to_string().parse::<Signature>(), Err(DecodeError));
        assert_eq!(signature.to_string().parse::<Request>(), Err(DecodeError));
        let long = Signature(Signed { signature: vec![3; MAX_SIGNATURE + 1], certificate: vec![] });
        assert_eq!(long.to_string().parse::<Signature>(), Err(DecodeError));
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
