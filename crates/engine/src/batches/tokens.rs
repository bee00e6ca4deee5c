//! Reading tokens of a chain's line back.

use std::sync::Arc;

use sluis_crypto::escrow::{EscrowKeys, LINK_VALUE_LEN, ROW_KEY_LEN};
use sluis_crypto::token::{self, Token};
use sluis_crypto::{LinkValue, Pseudonym, SealedLink};
use sluis_domain::{ChainId, Column, Kid, NamespaceId, Reason};
use sluis_keyring::{Keyring, LineVersion};
use sluis_port::{Family, Store};

use crate::Refusal;
use crate::batches::rows::Refused;
use crate::core::opt_outs::Marks;

/// Bytes of a link row, key and value.
pub(crate) const LINK_ROW_LEN: usize = ROW_KEY_LEN + LINK_VALUE_LEN;

/// Writes tokens of one version.
pub(crate) struct TokenWriter<'a> {
    kid: Kid,
    carrier: Option<&'a EscrowKeys>,
}

impl<'a> TokenWriter<'a> {
    /// With a `carrier`, the tokens hold their sealed links.
    pub(crate) fn new(version: &LineVersion, carrier: Option<&'a EscrowKeys>) -> Self {
        Self {
            kid: version.info().kid,
            carrier,
        }
    }

    /// Bytes of a token.
    pub(crate) fn text_len(&self) -> usize {
        match self.carrier {
            Some(_) => token::CARRIED_TEXT_LEN,
            None => token::TEXT_LEN,
        }
    }

    /// Appends the token of a subject.
    pub(crate) fn write(&self, pseudonym: &Pseudonym, link: &LinkValue, out: &mut Vec<u8>) {
        match self.carrier {
            Some(escrow) => {
                let link = escrow.seal_carried(pseudonym, link);
                token::write_carried_text(self.kid, pseudonym, &link, out);
            }
            None => token::write_text(self.kid, pseudonym, out),
        }
    }
}

/// Where the link of a token is.
pub(crate) enum LinkPlace {
    /// In a link row: the number of its key in [`Tokens::keys`]. Its identity row has the same key.
    Row(usize),
    /// In the token itself. There is no row of any kind.
    Carried(SealedLink),
}

/// A well-formed token of the right line.
pub(crate) struct Found {
    pub(crate) row: usize,
    pub(crate) version: Arc<LineVersion>,
    pub(crate) pseudonym: Pseudonym,
    pub(crate) place: LinkPlace,
}

impl Found {
    fn is_of_the_version_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.version, &other.version)
    }
}

/// The tokens of a column that belong to the line (chain, namespace), with the packed keys of their rows. A token that carries its
/// link has no key here.
pub(crate) struct Tokens {
    pub(crate) found: Vec<Found>,
    pub(crate) keys: Vec<u8>,
}

/// Refuses subjects who opted out. Nothing of a carried link can be deleted, so that the mark alone ends it; rows are deleted in
/// time.
pub(crate) struct OptedOut<'a> {
    pub(crate) marks: Option<&'a Marks>,
    /// Not only those whose link was carried.
    pub(crate) all: bool,
}

impl OptedOut<'_> {
    /// The subject, unless it opted out. The answer is the same as for an erased row, so that it tells nothing more.
    pub(crate) fn check(&self, carried: bool, link: LinkValue) -> Result<LinkValue, Reason> {
        let looked_at = self.marks.filter(|_| carried || self.all);
        if looked_at.is_some_and(|marks| marks.has(&link)) {
            Err(Reason::UnknownPseudonym)
        } else {
            Ok(link)
        }
    }
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
                Ok(((version, escrow), token)) => {
                    let place = match token.link {
                        Some(link) => LinkPlace::Carried(link),
                        None => {
                            let key = escrow.row_key(&token.pseudonym);
                            tokens.keys.extend_from_slice(&key);
                            LinkPlace::Row(tokens.keys.len() / ROW_KEY_LEN - 1)
                        }
                    };
                    tokens.found.push(Found {
                        row,
                        version: version.clone(),
                        pseudonym: token.pseudonym,
                        place,
                    });
                }
                Err(reason) => refused.refuse(row, index, reason),
            }
        }
        tokens
    }

    /// The stored rows of [`Self::keys`]; the store is not asked where there are none.
    pub(crate) fn rows(&self, store: &dyn Store, family: Family) -> Result<Column, Refusal> {
        if self.keys.is_empty() {
            return Ok(Column::default());
        }
        Ok(store.get_many(family, ROW_KEY_LEN, &self.keys)?)
    }

    /// The link values, one per found token. A token without a row, and one that carries a link that is not its own, is
    /// unknown; a damaged row is refused. If all tokens carry their links, the store is not read.
    pub(crate) fn links(
        &self,
        store: &dyn Store,
        opted_out: &OptedOut<'_>,
    ) -> Result<Vec<Result<LinkValue, Reason>>, Refusal> {
        let rows = self.rows(store, Family::Link)?;
        let mut links = Vec::with_capacity(self.found.len());
        for of_version in self.found.chunk_by(Found::is_of_the_version_of) {
            let opened = open_links(of_version, &rows).into_iter();
            links.extend(opened.zip(of_version).map(|(link, found)| {
                let carried = matches!(found.place, LinkPlace::Carried(_));
                opted_out.check(carried, link?)
            }));
        }
        Ok(links)
    }
}

impl Found {
    /// Its row among those that were read for [`Tokens::keys`]; empty if there is none.
    pub(crate) fn stored<'a>(&self, rows: &'a Column) -> &'a [u8] {
        match self.place {
            LinkPlace::Row(at) => rows.get(at),
            LinkPlace::Carried(_) => &[],
        }
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
    fn parse(&mut self, text: &[u8]) -> Result<(Open<'a>, Token), Reason> {
        let token = Token::parse(text).map_err(|_| Reason::MalformedPseudonym)?;
        let kid = token.kid;
        let verdict = match self.last {
            Some((last, verdict)) if last == kid => verdict,
            _ => self.judge(kid),
        };
        self.last = Some((kid, verdict));
        verdict.map(|open| (open, token))
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

/// Opens the links of tokens of one version. A forged link in a token, and one of another subject, is no other answer than an
/// unknown token.
fn open_links(found: &[Found], rows: &Column) -> Vec<Result<LinkValue, Reason>> {
    let Some(version) = found.first().map(|found| &found.version) else {
        return Vec::new();
    };
    let Some(escrow) = &version.escrow else {
        let unknown = found.iter().map(|_| Err(Reason::UnknownPseudonym));
        return unknown.collect();
    };
    let sealed: Vec<_> = found.iter().map(|found| Sealed::of(found, rows)).collect();
    let pseudonyms = found.iter().map(|found| &found.pseudonym);
    let pairs: Vec<_> = pseudonyms.zip(sealed.iter().map(Sealed::bytes)).collect();
    escrow
        .open_links(&version.pseudonym, &pairs)
        .into_iter()
        .zip(&sealed)
        .map(|(opened, sealed)| opened.map_err(|_| sealed.refused()))
        .collect()
}

/// A sealed link in the form of a row's value.
enum Sealed<'a> {
    Row(&'a [u8]),
    Carried([u8; LINK_VALUE_LEN]),
}

impl<'a> Sealed<'a> {
    fn of(found: &Found, rows: &'a Column) -> Self {
        match &found.place {
            LinkPlace::Row(at) => Self::Row(rows.get(*at)),
            LinkPlace::Carried(link) => Self::Carried(link.as_row_value()),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Row(value) => value,
            Self::Carried(value) => value,
        }
    }

    /// Why one that does not open is refused.
    fn refused(&self) -> Reason {
        match self {
            Self::Row(value) if !value.is_empty() => Reason::CorruptLinkRow,
            Self::Row(_) | Self::Carried(_) => Reason::UnknownPseudonym,
        }
    }
}
