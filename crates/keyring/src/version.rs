//! Versions of key lines, ready for use.

use std::sync::Arc;

use sluis_crypto::element::ElementKey;
use sluis_crypto::escrow::EscrowKeys;
use sluis_crypto::{LinkKey, PseudonymKey, Secret};
use sluis_domain::{ChainId, ElementName, Kid, NamespaceId};

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
    /// Reserved: its roots are gone.
    Destroyed = 4,
}

impl KeyState {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Active, Self::ConvertOnly, Self::Disabled, Self::Destroyed].into_iter().find(|s| *s as u8 == number)
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
}

/// One version of a (chain, namespace) line.
#[derive(Debug)]
pub struct LineVersion {
    pub(crate) info: VersionInfo,
    pub(crate) root: Secret,
    pub(crate) escrow_root: Secret,
    /// The namespace's key, shared by all linked lines of it.
    pub linked: Arc<LinkKey>,
    /// This version's own key, for link = "none".
    pub unlinked: LinkKey,
    /// Makes pseudonyms of link values.
    pub pseudonym: PseudonymKey,
    /// Seals and opens link and identity rows.
    pub escrow: EscrowKeys,
}

impl LineVersion {
    pub(crate) fn new(info: VersionInfo, root: Secret, escrow_root: Secret, linked: Arc<LinkKey>) -> Self {
        Self {
            linked,
            unlinked: LinkKey::unlinked(&root),
            pseudonym: PseudonymKey::new(&root),
            escrow: EscrowKeys::new(&escrow_root, info.kid),
            info,
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
