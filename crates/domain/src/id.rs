//! Ids. Every id matches `[a-z0-9][a-z0-9._-]{0,62}`; none of them is personal data, so all may be logged.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest id in bytes.
pub const MAX_ID_LEN: usize = 63;

/// A text that is not an id. Does not carry the text, which may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an id is 1 to 63 characters of a-z, 0-9, '.', '_' and '-', and starts with a letter or digit"
)]
pub struct InvalidId;

fn is_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    first
        && text.len() <= MAX_ID_LEN
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if is_id(text) { Ok(Self(text.into())) } else { Err(InvalidId) }
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> { text.parse() }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String { id.0.as_ref().to_owned() }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str { &self.0 }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(&self.0, f) }
        }
    )+};
}

id! {
    /// A party.
    OrganisationId,
    /// A certificate identity inside an organisation: the last segment of its SPIFFE id.
    MemberName,
    /// A kind of subject identifier shared by chains.
    NamespaceId,
    /// An information chain.
    ChainId,
    /// One named data element (column) of a chain.
    ElementName,
    /// A grant.
    GrantId,
    /// A proposal.
    ProposalId,
}

/// Key id: one version of one key line. Never zero; unique for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Kid(NonZeroU32);

impl Kid {
    /// A kid from its number; `None` for zero.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }
    /// A kid from its four big-endian bytes; `None` for zero.
    pub fn from_be_bytes(bytes: [u8; 4]) -> Option<Self> {
        Self::new(u32::from_be_bytes(bytes))
    }
    /// Four bytes, big-endian.
    pub fn to_be_bytes(self) -> [u8; 4] {
        self.0.get().to_be_bytes()
    }
    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Who a certificate says its holder is: `spiffe://<trust-domain>/<organisation>/<member>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Identity {
    /// The organisation segment.
    pub organisation: OrganisationId,
    /// The member segment.
    pub member: MemberName,
}

impl Identity {
    /// Parses a SPIFFE id of `trust_domain` with exactly two path segments, both ids.
    ///
    /// # Errors
    /// [`InvalidId`] for another scheme, trust domain or shape.
    pub fn from_spiffe(uri: &str, trust_domain: &str) -> Result<Self, InvalidId> {
        let path = uri
            .strip_prefix("spiffe://")
            .and_then(|rest| rest.strip_prefix(trust_domain))
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or(InvalidId)?;
        path.parse()
    }
}

impl FromStr for Identity {
    type Err = InvalidId;
    /// Parses `organisation/member`.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (organisation, member) = text.split_once('/').ok_or(InvalidId)?;
        Ok(Self {
            organisation: organisation.parse()?,
            member: member.parse()?,
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.organisation, self.member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_to_the_alphabet_and_length() {
        for good in ["a", "0", "nl.bsn", "study-042.participant", &"a".repeat(63)] {
            assert!(good.parse::<ChainId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            ".a",
            "-a",
            "_a",
            "a b",
            "a/b",
            "é",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<ChainId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn kid_zero_does_not_exist() {
        assert!(Kid::new(0).is_none());
        assert_eq!(Kid::from_be_bytes([0, 0, 1, 2]).map(Kid::get), Some(258));
    }

    #[test]
    fn a_spiffe_id_has_two_segments_in_our_trust_domain() {
        let id = Identity::from_spiffe("spiffe://example.org/uni/etl", "example.org");
        assert_eq!(id.map(|i| i.to_string()), Ok("uni/etl".to_owned()));
        for bad in [
            "spiffe://example.org/uni",
            "spiffe://example.org/uni/etl/x",
            "spiffe://example.orgx/uni/etl",
            "spiffe://other/uni/etl",
            "https://example.org/uni/etl",
            "spiffe://example.org/uni/",
            "spiffe://example.org/UNI/etl",
        ] {
            assert!(Identity::from_spiffe(bad, "example.org").is_err(), "{bad}");
        }
    }
}
