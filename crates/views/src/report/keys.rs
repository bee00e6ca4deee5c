//! Key versions: how old, when last used, what became of them, and of which chain.

use std::collections::BTreeMap;

use sluis_domain::{ChainId, Kid, Timestamp};
use sluis_ledger::event::{Entry, Event};

use super::model::KeyVersion;
use super::period::days;

/// Everything that the entries so far say about key versions.
#[derive(Default)]
pub(crate) struct Keys(BTreeMap<Kid, Book>);

struct Book {
    chain: ChainId,
    line: String,
    concerns: bool,
    first: Timestamp,
    last_used: Option<Timestamp>,
    ended: &'static str,
}

impl Keys {
    /// An entry of an act that was done, and whether it concerns the organisation of the report.
    pub(crate) fn take(&mut self, entry: &Entry, concerns: bool) {
        let at = entry.header.at;
        for used in entry.event.keys() {
            let line = used
                .namespace
                .map_or_else(|| "encrypted elements".to_owned(), |id| id.to_string());
            let new = Book {
                chain: used.chain,
                line,
                concerns,
                first: at,
                last_used: None,
                ended: "",
            };
            let book = self.0.entry(used.kid).or_insert(new);
            book.concerns |= concerns;
            match entry.event {
                Event::DisableVersion(_) => book.ended = "disabled",
                Event::DestroyVersion(_) | Event::ExpireChain(_) => book.ended = "destroyed",
                Event::CutEscrow(_) => book.ended = "escrow cut",
                _ if concerns && used.values > 0 => book.last_used = Some(at),
                _ => {}
            }
        }
    }

    /// As they stand at `end`.
    pub(crate) fn finish(self, end: Timestamp) -> Vec<KeyVersion> {
        let concerning = self.0.into_iter().filter(|(_, book)| book.concerns);
        let versions = concerning.map(|(kid, book)| KeyVersion {
            kid: kid.to_string(),
            chain: book.chain.to_string(),
            namespace: book.line,
            first_seen: book.first.to_string(),
            age_days: days(book.first, end),
            last_used: book.last_used.map_or_else(String::new, |at| at.to_string()),
            ended: book.ended.to_owned(),
        });
        versions.collect()
    }
}
