//! Reading tokens of a chain's line back.

use std::sync::Arc;

use sluis_crypto::escrow::{EscrowKeys, LINK_VALUE_LEN, ROW_KEY_LEN};
use sluis_crypto::{LinkValue, Pseudonym, token};
use sluis_domain::{ChainId, Column, Kid, NamespaceId, Reason};
use sluis_keyring::{Keyring, LineVersion};
use sluis_port::{Family, Store};

use crate::Refusal;
use crate::batches::rows::Refused;

/// Bytes of a link row, key and value.
pub(crate) const LINK_ROW_LEN: usize = ROW_KEY_LEN + LINK_VALUE_LEN;

/// A well-formed token of the right line: where its rows are, if there are any.
pub(crate) struct Found {
    pub(crate) row: usize,
    pub(crate) version: Arc<LineVersion>,
    pub(crate) pseudonym: Pseudonym,
}

impl Found {
    fn is_of_the_version_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.version, &other.version)
    }
}

/// The tokens of a column that belong to the line (chain, namespace), with the packed keys of their rows.
pub(crate) struct Tokens {
    pub(crate) found: Vec<Found>,
    pub(crate) keys: Vec<u8>,
}

impl Tokens {
    /// Parses a column. Malformed tokens, and tokens of other chains, elements or versions that lead nowhere (disabled,
    /// destroyed, or with their escrow cut), are refused.
    pub(crate) fn parse(
        keyring: &Keyring,
        chain: &ChainId,
        namespace: &NamespaceId,
        column: (usize, &Column),
        refused: &mut Refused,
    ) -> Self {
        let (index, column) = column;
        let mut tokens = Self {
            found: Vec::with_capacity(column.rows()),
            keys: Vec::with_capacity(column.rows() * ROW_KEY_LEN),
        };
        let mut line = Line {
            keyring,
            chain,
            namespace,
            last: None,
        };
        for (row, text) in column
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            match line.parse(text) {
                Ok(((version, escrow), pseudonym)) => {
                    tokens.keys.extend_from_slice(&escrow.row_key(&pseudonym));
                    tokens.found.push(Found {
                        row,
                        version: version.clone(),
                        pseudonym,
                    });
                }
                Err(reason) => refused.refuse(row, index, reason),
            }
        }
        tokens
    }

    /// The stored link values, one per found token; a token without a row is unknown, a damaged row is refused.
    pub(crate) fn links(
        &self,
        store: &dyn Store,
    ) -> Result<Vec<Result<LinkValue, Reason>>, Refusal> {
        let rows = store.get_many(Family::Link, ROW_KEY_LEN, &self.keys)?;
        let mut links = Vec::with_capacity(self.found.len());
        let mut rows = rows.iter();
        for of_version in self.found.chunk_by(Found::is_of_the_version_of) {
            let stored: Vec<&[u8]> = rows.by_ref().take(of_version.len()).collect();
            links.extend(open_links(of_version, &stored));
        }
        Ok(links)
    }

    /// The key of the rows of the token at `index`.
    pub(crate) fn key(&self, index: usize) -> [u8; ROW_KEY_LEN] {
        let start = index * ROW_KEY_LEN;
        self.keys[start..start + ROW_KEY_LEN]
            .try_into()
            .expect("a slice of that length")
    }
}

/// The line that tokens must belong to, with the verdict on the kid seen last: batches have few kids.
struct Line<'a> {
    keyring: &'a Keyring,
    chain: &'a ChainId,
    namespace: &'a NamespaceId,
    last: Option<(Kid, Result<Open<'a>, Reason>)>,
}

/// A version with tokens that lead out, and its escrow keys.
type Open<'a> = (&'a Arc<LineVersion>, &'a EscrowKeys);

impl<'a> Line<'a> {
    fn parse(&mut self, text: &[u8]) -> Result<(Open<'a>, Pseudonym), Reason> {
        let (kid, pseudonym) = token::parse_text(text).map_err(|_| Reason::MalformedPseudonym)?;
        let verdict = match self.last {
            Some((last, verdict)) if last == kid => verdict,
            _ => self.judge(kid),
        };
        self.last = Some((kid, verdict));
        verdict.map(|open| (open, pseudonym))
    }

    fn judge(&self, kid: Kid) -> Result<Open<'a>, Reason> {
        let version = self.keyring.line(kid).ok_or(Reason::UnknownPseudonym)?;
        let info = version.info();
        if info.chain != *self.chain || info.namespace.as_ref() != Some(self.namespace) {
            return Err(Reason::UnknownPseudonym);
        }
        if !info.state.leads_out() {
            return Err(Reason::VersionDisabled);
        }
        version
            .escrow
            .as_ref()
            .map(|escrow| (version, escrow))
            .ok_or(Reason::UnknownPseudonym)
    }
}

/// Opens the rows of tokens of one version.
fn open_links(found: &[Found], rows: &[&[u8]]) -> Vec<Result<LinkValue, Reason>> {
    let Some(version) = found.first().map(|found| &found.version) else {
        return Vec::new();
    };
    let Some(escrow) = &version.escrow else {
        let unknown = found.iter().map(|_| Err(Reason::UnknownPseudonym));
        return unknown.collect();
    };
    let pseudonyms = found.iter().map(|found| &found.pseudonym);
    let pairs: Vec<_> = pseudonyms.zip(rows.iter().copied()).collect();
    escrow
        .open_links(&version.pseudonym, &pairs)
        .into_iter()
        .zip(rows)
        .map(|(opened, row)| {
            opened.map_err(|_| match row.is_empty() {
                true => Reason::UnknownPseudonym,
                false => Reason::CorruptLinkRow,
            })
        })
        .collect()
}
