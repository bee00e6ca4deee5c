//! Keyring entries as stored: one root, wrapped; or the tombstone of one.
//!
//! | bytes | key of the entry |
//! |---|---|
//! | 1 | role, see [`Role`] |
//! | rest | namespace root: namespace; chain root: chain; line, escrow and element roots: kid (4); audit key: generation (4); else nothing |
//!
//! | bytes | value of the entry |
//! |---|---|
//! | 1 | format `0x01` |
//! | 2 + n | LP(namespace), empty if none |
//! | 2 + n | LP(chain), empty if none |
//! | 4 | kid, zeros if none |
//! | 1 | state, see [`KeyState`] |
//! | 4 | generation |
//! | 8 | when the root was made, milliseconds since 1970 |
//! | 2 + n | LP(method), `sluis/1` |
//! | 16 | key-check value of the wrapped root |
//! | 72 | nonce(24), XAES-256-GCM(wrapping key, aad, root): 32 + 16 |
//!
//! `aad = LP(role) LP(namespace) LP(chain) LP(kid) LP(state) LP(method) LP(generation) LP(made)`.
//!
//! A tombstone (state [`KeyState::Destroyed`]; of line, escrow and element roots only) has no key-check value, and seals
//! nothing: its last 40 bytes are nonce(24) and tag(16), so that no one makes one without the wrapping key.

use sluis_crypto::{METHOD, Secret, wrap};
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, Kid, NamespaceId, Timestamp};

use crate::{KeyState, KeyringError};

const FORMAT: u8 = 1;
/// Nonce and tag around a sealed root.
const SEAL: usize = 24 + 16;

/// Key and value of an entry.
pub(crate) type Stored = (Vec<u8>, Vec<u8>);

/// What a root is for. Numbers are frozen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Role {
    Master = 1,
    State = 2,
    Namespace = 3,
    Chain = 4,
    Line = 5,
    Escrow = 6,
    Element = 7,
    AuditKey = 8,
}

impl Role {
    const ALL: [Self; 8] = [
        Self::Master,
        Self::State,
        Self::Namespace,
        Self::Chain,
        Self::Line,
        Self::Escrow,
        Self::Element,
        Self::AuditKey,
    ];
}

/// Everything about an entry but its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) role: Role,
    pub(crate) namespace: Option<NamespaceId>,
    pub(crate) chain: Option<ChainId>,
    pub(crate) kid: Option<Kid>,
    pub(crate) state: KeyState,
    pub(crate) generation: u32,
    pub(crate) created_at: Timestamp,
}

impl Header {
    pub(crate) fn new(role: Role, created_at: Timestamp) -> Self {
        Self {
            role,
            namespace: None,
            chain: None,
            kid: None,
            state: KeyState::Active,
            generation: 1,
            created_at,
        }
    }

    /// The key of the one entry of such a role.
    pub(crate) fn single(role: Role) -> [u8; 1] {
        [role as u8]
    }

    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = vec![self.role as u8];
        match self.role {
            Role::Master | Role::State => {}
            Role::Namespace => key.extend_from_slice(self.namespace_text().as_bytes()),
            Role::Chain => key.extend_from_slice(self.chain_text().as_bytes()),
            Role::Line | Role::Escrow | Role::Element => key.extend_from_slice(&self.kid_bytes()),
            Role::AuditKey => key.extend_from_slice(&self.generation.to_be_bytes()),
        }
        key
    }

    /// Wraps a root under `wrapping`.
    pub(crate) fn wrap(&self, wrapping: &Secret, root: &Secret) -> Stored {
        let mut value = self.public();
        value.fixed(&wrap::check_value(root)).fixed(&wrap::seal(
            wrapping,
            &self.aad(),
            root.expose(),
        ));
        (self.key(), value.finish())
    }

    /// The tombstone of a root, in state [`KeyState::Destroyed`] whatever the state was.
    pub(crate) fn bury(mut self, wrapping: &Secret) -> Stored {
        self.state = KeyState::Destroyed;
        let sealed = wrap::seal(wrapping, &self.aad(), &[]);
        (self.key(), self.public().fixed(&sealed).finish())
    }

    /// Reads an entry's header and keeps what is still wrapped.
    pub(crate) fn read<'a>(
        key: &[u8],
        value: &'a [u8],
    ) -> Result<(Self, Wrapped<'a>), KeyringError> {
        let role = key
            .first()
            .and_then(|number| Role::ALL.into_iter().find(|r| *r as u8 == *number))
            .ok_or(KeyringError::Corrupt("unknown role"))?;
        let (header, wrapped) =
            Self::parse(role, value).map_err(|_| KeyringError::Corrupt("malformed entry"))?;
        if header.key() == key {
            Ok((header, wrapped))
        } else {
            Err(KeyringError::Corrupt("entry under another key"))
        }
    }

    fn parse(role: Role, value: &[u8]) -> Result<(Self, Wrapped<'_>), DecodeError> {
        let mut input = Reader::new(value, FORMAT)?;
        let header = Self {
            role,
            namespace: input.parse_optional()?,
            chain: input.parse_optional()?,
            kid: Kid::from_be_bytes(input.array()?),
            state: KeyState::from_number(input.u8()?).ok_or(DecodeError)?,
            generation: input.u32()?,
            created_at: Timestamp::from_millis(input.u64()?).ok_or(DecodeError)?,
        };
        if input.text()? != METHOD {
            return Err(DecodeError);
        }
        let wrapped = if header.state == KeyState::Destroyed {
            Wrapped {
                check: None,
                sealed: input.fixed(SEAL)?,
            }
        } else {
            Wrapped {
                check: Some(input.array()?),
                sealed: input.fixed(SEAL + Secret::LEN)?,
            }
        };
        input.end()?;
        Ok((header, wrapped))
    }

    fn public(&self) -> Writer {
        let mut value = Writer::new(FORMAT);
        value
            .lp(self.namespace_text())
            .lp(self.chain_text())
            .fixed(&self.kid_bytes());
        value
            .u8(self.state as u8)
            .u32(self.generation)
            .u64(self.created_at.millis())
            .lp(METHOD);
        value
    }

    fn aad(&self) -> Vec<u8> {
        let mut aad = Writer::default();
        aad.lp([self.role as u8])
            .lp(self.namespace_text())
            .lp(self.chain_text())
            .lp(self.kid_bytes());
        aad.lp([self.state as u8])
            .lp(METHOD)
            .lp(self.generation.to_be_bytes());
        aad.lp(self.created_at.millis().to_be_bytes()).finish()
    }

    fn namespace_text(&self) -> &str {
        self.namespace.as_ref().map_or("", NamespaceId::as_str)
    }

    fn chain_text(&self) -> &str {
        self.chain.as_ref().map_or("", ChainId::as_str)
    }

    fn kid_bytes(&self) -> [u8; 4] {
        self.kid.map_or([0; 4], Kid::to_be_bytes)
    }
}

/// A root still wrapped, or the seal of a tombstone.
pub(crate) struct Wrapped<'a> {
    check: Option<[u8; 16]>,
    sealed: &'a [u8],
}

impl Wrapped<'_> {
    /// The root; `None` for a tombstone.
    pub(crate) fn open(
        &self,
        header: &Header,
        wrapping: &Secret,
    ) -> Result<Option<Secret>, KeyringError> {
        let refused = KeyringError::Corrupt("an entry does not open");
        let opened =
            wrap::open(wrapping, &header.aad(), self.sealed).map_err(|_| refused.clone())?;
        let Some(check) = self.check else {
            return Ok(None);
        };
        let root = Secret::from_slice(&opened).ok_or(refused)?;
        if wrap::check_value(&root) == check {
            Ok(Some(root))
        } else {
            Err(KeyringError::Corrupt("key-check value"))
        }
    }
}
