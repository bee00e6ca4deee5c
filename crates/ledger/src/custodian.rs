//! The people who run the custodian, as its configuration names them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{Identity, PublicKey};

/// Fewest custodians: what they sign, two of them sign.
pub const FEWEST: usize = 2;

/// A custodian and the key that their signatures are verified with. Text form: `organisation/member=<base64 SPKI>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Custodian {
    /// Who.
    pub identity: Identity,
    /// Their pinned key.
    pub key: PublicKey,
}

/// What is wrong with a list of custodians: two of them sign, each with a key of their own.
pub fn problem(custodians: &[Custodian]) -> Option<&'static str> {
    let names: BTreeSet<_> = custodians.iter().map(|one| &one.identity).collect();
    let keys: BTreeSet<_> = custodians.iter().map(|one| &one.key).collect();
    if custodians.len() < FEWEST {
        Some("are fewer than two")
    } else if names.len() < custodians.len() {
        Some("are one person twice")
    } else if keys.len() < custodians.len() {
        Some("share a key")
    } else {
        None
    }
}

/// A text that names no custodian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotACustodian;

impl fmt::Display for NotACustodian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a custodian is written as organisation/member=PUBLIC-KEY; `sluis key show` prints that line")
    }
}

impl FromStr for Custodian {
    type Err = NotACustodian;
    fn from_str(text: &str) -> Result<Self, NotACustodian> {
        let (identity, key) = text.split_once('=').ok_or(NotACustodian)?;
        Ok(Self {
            identity: identity.trim().parse().map_err(|_| NotACustodian)?,
            key: key.trim().parse().map_err(|_| NotACustodian)?,
        })
    }
}

impl fmt::Display for Custodian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.identity, self.key)
    }
}

/// Canonical bytes of a list of custodians, as the audit log holds it: format `0x01`, count u16, then
/// LP(organisation/member) LP(SPKI) of each, sorted.
pub fn encode(custodians: &[Custodian]) -> Vec<u8> {
    let mut sorted = custodians.to_vec();
    sorted.sort();
    let mut out = Writer::new(1);
    out.u16(u16::try_from(sorted.len()).expect("a configuration names few custodians"));
    for custodian in sorted {
        out.lp(custodian.identity.to_string())
            .lp(custodian.key.spki());
    }
    out.finish()
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// [`DecodeError`].
pub fn decode(bytes: &[u8]) -> Result<Vec<Custodian>, DecodeError> {
    let mut input = Reader::new(bytes, 1)?;
    let custodians = (0..input.u16()?)
        .map(|_| {
            let identity = input.parse()?;
            let key = PublicKey::from_spki(input.lp()?).ok_or(DecodeError)?;
            Ok(Custodian { identity, key })
        })
        .collect::<Result<_, _>>()?;
    input.end()?;
    Ok(custodians)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_read_back() {
        let custodian = |name: &str, byte| Custodian {
            identity: name.parse().expect("an identity"),
            key: PublicKey::ed25519(&[byte; 32]),
        };
        let all = [custodian("c/anna", 1), custodian("c/bert", 2)];
        assert_eq!(all[0].to_string().parse(), Ok(all[0].clone()));
        assert_eq!(
            decode(&encode(&[all[1].clone(), all[0].clone()])),
            Ok(all.to_vec())
        );
        for bad in ["c/anna", "c/anna=", "anna=AAAA", ""] {
            assert_eq!(bad.parse::<Custodian>(), Err(NotACustodian));
        }
        assert_eq!(decode(&[1, 0, 1]), Err(DecodeError));
        let twin = custodian("c/bert", 1);
        for (list, wrong) in [
            (&all[..], None),
            (&all[..1], Some("are fewer than two")),
            (&[], Some("are fewer than two")),
            (&[all[0].clone(), twin], Some("share a key")),
            (
                &[all[0].clone(), custodian("c/anna", 3)],
                Some("are one person twice"),
            ),
        ] {
            assert_eq!(problem(list), wrong);
        }
    }
}
