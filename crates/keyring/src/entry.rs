//! Keyring entries as stored: one root, wrapped.
//!
//! | bytes | key of the entry |
//! |---|---|
//! | 1 | role, see [`Role`] |
//! | rest | namespace root: namespace; chain root: chain; line, escrow and element roots: kid (4); else nothing |
//!
//! | bytes | value of the entry |
//! |---|---|
//! | 1 | format `0x01` |
//! | 2 + n | LP(namespace), empty if none |
//! | 2 + n | LP(chain), empty if none |
//! | 4 | kid, zeros if none |
//! | 1 | state, see [`KeyState`] |
//! | 4 | generation |
//! | 2 + n | LP(method), `sluis/1` |
//! | 16 | key-check value of the wrapped root |
//! | 72 | nonce(24), XAES-256-GCM(wrapping key, aad, root): 32 + 16 |
//!
//! `aad = LP(role) LP(namespace) LP(chain) LP(kid) LP(state) LP(method) LP(generation)`.

use sluis_crypto::{METHOD, Secret, wrap};
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::port::{Family, Write};
use sluis_domain::{ChainId, Kid, NamespaceId};

use crate::{KeyState, KeyringError};

const FORMAT: u8 = 1;

/// What a root is for. Numbers are frozen; 8 is reserved for the audit signing key.
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
}

impl Role {
    const ALL: [Self; 7] =
        [Self::Master, Self::State, Self::Namespace, Self::Chain, Self::Line, Self::Escrow, Self::Element];
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
}

impl Header {
    pub(crate) fn new(role: Role) -> Self {
        Self { role, namespace: None, chain: None, kid: None, state: KeyState::Active, generation: 1 }
    }

    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = vec![self.role as u8];
        match self.role {
            Role::Master | Role::State => {}
            Role::Namespace => key.extend_from_slice(self.namespace_text().as_bytes()),
            Role::Chain => key.extend_from_slice(self.chain_text().as_bytes()),
            Role::Line | Role::Escrow | Role::Element => key.extend_from_slice(&self.kid_bytes()),
        }
        key
    }

    /// Wraps a root under `wrapping`.
    pub(crate) fn write(&self, wrapping: &Secret, root: &Secret) -> Write {
        let mut value = Writer::new(FORMAT);
        value.lp(self.namespace_text()).lp(self.chain_text()).fixed(&self.kid_bytes());
        value.u8(self.state as u8).u32(self.generation).lp(METHOD).fixed(&wrap::check_value(root));
        value.fixed(&wrap::seal(wrapping, &self.aad(), root.expose()));
        Write { family: Family::Keyring, key: self.key(), value: Some(value.finish()) }
    }

    /// Reads an entry's header and keeps what is still wrapped.
    pub(crate) fn read<'a>(key: &[u8], value: &'a [u8]) -> Result<(Self, Wrapped<'a>), KeyringError> {
        let corrupt = |_| KeyringError::Corrupt("malformed entry");
        let role = key
            .first()
            .and_then(|number| Role::ALL.into_iter().find(|r| *r as u8 == *number))
            .ok_or(KeyringError::Corrupt("unknown role"))?;
        let parse = || -> Result<(Self, Wrapped<'a>), DecodeError> {
            let mut input = Reader::new(value, FORMAT)?;
            let header = Self {
                role,
                namespace: input.parse_optional()?,
                chain: input.parse_optional()?,
                kid: Kid::from_be_bytes(input.array()?),
                state: KeyState::from_number(input.u8()?).ok_or(DecodeError)?,
                generation: input.u32()?,
            };
            if input.text()? != METHOD {
                return Err(DecodeError);
            }
            let wrapped = Wrapped { check: input.array()?, sealed: input.fixed(24 + Secret::LEN + 16)? };
            input.end()?;
            Ok((header, wrapped))
        };
        let (header, wrapped) = parse().map_err(corrupt)?;
        if header.key() == key { Ok((header, wrapped)) } else { Err(KeyringError::Corrupt("entry under another key")) }
    }

    fn aad(&self) -> Vec<u8> {
        let mut aad = Writer::default();
        aad.lp([self.role as u8]).lp(self.namespace_text()).lp(self.chain_text()).lp(self.kid_bytes());
        aad.lp([self.state as u8]).lp(METHOD).lp(self.generation.to_be_bytes()).finish()
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

/// A root still wrapped.
pub(crate) struct Wrapped<'a> {
    check: [u8; 16],
    sealed: &'a [u8],
}

impl Wrapped<'_> {
    pub(crate) fn open(&self, header: &Header, wrapping: &Secret) -> Result<Secret, KeyringError> {
        let root = wrap::open(wrapping, &header.aad(), self.sealed)
            .ok()
            .and_then(|bytes| Secret::from_slice(&bytes))
            .ok_or(KeyringError::Corrupt("an entry does not open"))?;
        if wrap::check_value(&root) == self.check { Ok(root) } else { Err(KeyringError::Corrupt("key-check value")) }
    }
}
