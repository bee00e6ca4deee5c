//! Versions of key lines, ready for use.

use std::sync::Arc;

use sluis_crypto::element::ElementKey;
use sluis_crypto::escrow::EscrowKeys;
use sluis_crypto::{LinkKey, PseudonymKey, Secret};
use sluis_domain::{ChainId, ElementName, Kid, NamespaceId, Timestamp};

use crate::entry::{Header, Role, Stored};

/// What a key version may still do. Numbers are frozen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum KeyState {
    /// Makes new pseudonyms or ciphertexts.
    Active = 1,
    /// Only leads out: conversion and re-identification.
    ConvertOnly = 2,
    /// Nothing.
    Disabled = 3,
    /// Nothing, ever: its roots are gone, only what is public about it is kept.
    Destroyed = 4,
}

impl KeyState {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [
            Self::Active,
            Self::ConvertOnly,
            Self::Disabled,
            Self::Destroyed,
        ]
        .into_iter()
        .find(|s| *s as u8 == number)
    }

    /// Whether tokens and ciphertexts of such a version may still be read.
    pub fn leads_out(self) -> bool {
        matches!(self, Self::Active | Self::ConvertOnly)
    }
}

/// What is public about a version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionInfo {
    /// Its key id.
    pub kid: Kid,
    /// Its chain.
    pub chain: ChainId,
    /// Its namespace; `None` for the chain's line of encrypted elements.
    pub namespace: Option<NamespaceId>,
    /// What it may still do.
    pub state: KeyState,
    /// Version of the line, from 1.
    pub generation: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether something leads from its pseudonyms back and across: a (chain, namespace) line whose escrow was not cut.
    pub escrow: bool,
}

impl VersionInfo {
    /// The header of its entry of this role.
    pub(crate) fn header(&self, role: Role) -> Header {
        Header {
            role,
            namespace: self.namespace.clone(),
            chain: Some(self.chain.clone()),
            kid: Some(self.kid),
            state: self.state,
            generation: self.generation,
            created_at: self.created_at,
        }
    }
}

/// One version of a (chain, namespace) line.
#[derive(Debug)]
pub struct LineVersion {
    pub(crate) info: VersionInfo,
    pub(crate) root: Secret,
    pub(crate) escrow_root: Option<Secret>,
    /// The namespace's key, shared by all linked lines of it.
    pub linked: Arc<LinkKey>,
    /// This version's own key, for link = "none".
    pub unlinked: LinkKey,
    /// Makes pseudonyms of link values.
    pub pseudonym: PseudonymKey,
    /// Seals and opens link and identity rows; `None` once it was cut.
    pub escrow: Option<EscrowKeys>,
}

impl LineVersion {
    pub(crate) fn new(
        info: VersionInfo,
        root: Secret,
        escrow_root: Option<Secret>,
        linked: Arc<LinkKey>,
    ) -> Self {
        Self {
            linked,
            unlinked: LinkKey::unlinked(&root),
            pseudonym: PseudonymKey::new(&root),
            escrow: escrow_root
                .as_ref()
                .map(|root| EscrowKeys::new(root, info.kid)),
            info: VersionInfo {
                escrow: escrow_root.is_some(),
                ..info
            },
            root,
            escrow_root,
        }
    }

    /// What is public about it.
    pub fn info(&self) -> &VersionInfo {
        &self.info
    }
}

/// One version of a chain's line of encrypted elements.
#[derive(Debug)]
pub struct ElementVersion {
    pub(crate) info: VersionInfo,
    pub(crate) root: Secret,
}

impl ElementVersion {
    /// The key of one element.
    pub fn key(&self, element: &ElementName) -> ElementKey {
        ElementKey::new(&self.root, &self.info.chain, element, self.info.kid)
    }

    /// What is public about it.
    pub fn info(&self) -> &VersionInfo {
        &self.info
    }
}

/// A version as the keyring holds it.
#[derive(Clone, Debug)]
pub(crate) enum Version {
    Line(Arc<LineVersion>),
    Element(Arc<ElementVersion>),
    Destroyed(VersionInfo),
}

impl Version {
    pub(crate) fn info(&self) -> &VersionInfo {
        match self {
            Self::Line(version) => &version.info,
            Self::Element(version) => &version.info,
            Self::Destroyed(info) => info,
        }
    }

    /// Its entries under a master; `None` where there must be none.
    pub(crate) fn stored(&self, master: &Secret) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let info = self.info();
        match self {
            Self::Line(line) => {
                let escrow = match &line.escrow_root {
                    Some(root) => info.header(Role::Escrow).wrap(master, root),
                    None => info.header(Role::Escrow).bury(master),
                };
                vec![
                    some(info.header(Role::Line).wrap(master, &line.root)),
                    some(escrow),
                ]
            }
            Self::Element(elements) => {
                vec![some(
                    info.header(Role::Element).wrap(master, &elements.root),
                )]
            }
            Self::Destroyed(info) if info.namespace.is_some() => {
                vec![
                    some(info.header(Role::Line).bury(master)),
                    (info.header(Role::Escrow).key(), None),
                ]
            }
            Self::Destroyed(_) => vec![some(info.header(Role::Element).bury(master))],
        }
    }
}

fn some((key, value): Stored) -> (Vec<u8>, Option<Vec<u8>>) {
    (key, Some(value))
}
