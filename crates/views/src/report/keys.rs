//! Key versions: how old, when last used, what became of them, and of which chain.

use std::collections::{BTreeMap, BTreeSet};

use sluis_domain::{ChainId, Kid, Timestamp};
use sluis_ledger::audit::{Act, Entry, KeyUse};

use super::model::{KeyVersion, sum};
use super::period::days;

/// Everything that the entries so far say about key versions.
#[derive(Default)]
pub(crate) struct Keys(BTreeMap<Kid, Book>);

struct Book {
    /// The chains it can belong to; `None`: any. A registry that brings new chains does not say which version is whose, and
    /// a conversion names two chains.
    chains: Option<BTreeSet<ChainId>>,
    line: String,
    concerns: bool,
    first: Timestamp,
    last_used: Option<Timestamp>,
    ended: &'static str,
}

impl Keys {
    /// An entry of an act that was done, and whether it concerns whom the report is about.
    pub(crate) fn take(&mut self, entry: &Entry, concerns: bool) {
        for used in &entry.keys {
            let line = used
                .namespace
                .as_ref()
                .map_or_else(|| "encrypted elements".to_owned(), ToString::to_string);
            let new = Book {
                chains: None,
                line,
                concerns,
                first: entry.at,
                last_used: None,
                ended: "",
            };
            let book = self.0.entry(used.kid).or_insert(new);
            book.concerns |= concerns;
            match entry.act {
                Act::DisableVersion => book.ended = "disabled",
                Act::DestroyVersion | Act::ExpireChain => book.ended = "destroyed",
                Act::CutEscrow => book.ended = "escrow cut",
                _ if concerns && used.values > 0 => book.last_used = Some(entry.at),
                _ => {}
            }
            let named: BTreeSet<_> = [&entry.chain, &entry.to_chain]
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            book.narrow(&named);
        }
        if let (Some(from), Some(to)) = (&entry.chain, &entry.to_chain) {
            self.separate(&entry.keys, from, to);
            self.separate(&entry.keys, to, from);
        }
    }

    /// A conversion makes as many tokens as it reads. So if all its versions but one are of one chain, and have as many
    /// values as that one, then that one is of the other chain.
    fn separate(&mut self, keys: &[KeyUse], one: &ChainId, other: &ChainId) {
        let is_of_one = |used: &&KeyUse| self.0.get(&used.kid).is_some_and(|book| book.is_of(one));
        let (known, rest): (Vec<&KeyUse>, Vec<&KeyUse>) = keys.iter().partition(is_of_one);
        let [last] = rest[..] else { return };
        if last.values == sum(known.iter().map(|used| used.values))
            && let Some(book) = self.0.get_mut(&last.kid)
        {
            book.narrow(&BTreeSet::from([other.clone()]));
        }
    }

    /// As they stand at `end`.
    pub(crate) fn finish(self, end: Timestamp) -> Vec<KeyVersion> {
        let version = |(kid, book): (Kid, Book)| KeyVersion {
            kid: kid.to_string(),
            chain: book
                .chains
                .iter()
                .flatten()
                .map(ChainId::as_str)
                .collect::<Vec<_>>()
                .join(" or "),
            namespace: book.line,
            first_seen: book.first.to_string(),
            age_days: days(book.first, end),
            last_used: book.last_used.map_or_else(String::new, |at| at.to_string()),
            ended: book.ended.to_owned(),
        };
        self.0
            .into_iter()
            .filter(|(_, book)| book.concerns)
            .map(version)
            .collect()
    }
}

impl Book {
    fn is_of(&self, chain: &ChainId) -> bool {
        self.chains
            .as_ref()
            .is_some_and(|chains| chains.len() == 1 && chains.contains(chain))
    }

    /// It belongs to one of these. None at all says nothing, nor does what contradicts earlier entries.
    fn narrow(&mut self, named: &BTreeSet<ChainId>) {
        let both: BTreeSet<_> = match &self.chains {
            None => named.clone(),
            Some(before) => before.intersection(named).cloned().collect(),
        };
        if !both.is_empty() {
            self.chains = Some(both);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(act: Act, chains: &[&str], keys: &[(u32, u64)]) -> Entry {
        let mut entry = Entry::new([0; 16], Timestamp::from_millis(1).expect("small"), act, 1);
        let mut chains = chains.iter().map(|chain| chain.parse().expect("an id"));
        (entry.chain, entry.to_chain) = (chains.next(), chains.next());
        let used = |(kid, values): &(u32, u64)| KeyUse {
            namespace: "n".parse().ok(),
            kid: Kid::new(*kid).expect("not zero"),
            values: *values,
        };
        entry.keys = keys.iter().map(used).collect();
        entry
    }

    fn chains(entries: &[Entry]) -> Vec<String> {
        let mut keys = Keys::default();
        entries.iter().for_each(|entry| keys.take(entry, true));
        keys.finish(Timestamp::MAX)
            .into_iter()
            .map(|version| version.chain)
            .collect()
    }

    #[test]
    fn a_version_is_of_the_chain_that_its_entries_leave() {
        let new = entry(Act::ApplyRegistry, &[], &[(1, 0), (2, 0), (3, 0)]);
        assert_eq!(chains(std::slice::from_ref(&new)), ["", "", ""]);
        let used = entry(Act::Pseudonymise, &["a"], &[(1, 5)]);
        let converted = entry(Act::Convert, &["a", "b"], &[(1, 4), (2, 4)]);
        assert_eq!(
            chains(&[new.clone(), used.clone(), converted.clone()]),
            ["a", "b", ""]
        );
        assert_eq!(
            chains(std::slice::from_ref(&converted)),
            ["a or b", "a or b"]
        );
        assert_eq!(
            chains(&[
                converted.clone(),
                entry(Act::RotateChain, &["b"], &[(2, 0)]),
                converted
            ]),
            ["a", "b"]
        );
        // Two versions were read, and one of them was not seen before.
        let both = entry(Act::Convert, &["a", "b"], &[(1, 4), (2, 2), (3, 6)]);
        assert_eq!(chains(&[used, both]), ["a", "a or b", "a or b"]);
    }
}
