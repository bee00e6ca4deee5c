//! Grants and proposals that have ended, as rows. The log says the same of them, so a row that is not there is written again
//! when the log is read; nothing changes one.

use std::collections::VecDeque;
use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::codec::DecodeError;
use sluis_domain::{GrantId, ProposalId};
use sluis_keyring::StateSeal;
use sluis_ledger::state::{Ended, Past};
use sluis_ledger::{grant, proposal};
use sluis_port::{Commit, Family, Row, Store, rows};

use crate::EngineError;
use crate::core::scan;

const FAMILY: Family = Family::Grants;
/// Rows that are read at a time.
const PAGE: usize = 64;

/// Where the rows are, and what opens them.
#[derive(Clone, Copy)]
pub(crate) struct PastRows<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) seal: &'a StateSeal,
}

impl<'a> PastRows<'a> {
    /// The grant with this id, if it has ended and left memory.
    pub(crate) fn grant(self, id: &GrantId) -> Result<Option<Ended<grant::Record>>, EngineError> {
        self.read(&rows::ended_grant_key(id), grant::Record::decode)
    }

    /// As [`Self::grant`].
    pub(crate) fn proposal(
        self,
        id: &ProposalId,
    ) -> Result<Option<Ended<proposal::Record>>, EngineError> {
        self.read(&rows::ended_proposal_key(id), proposal::Record::decode)
    }

    /// As [`Self::proposal`], by the SHA-256 of its canonical bytes.
    pub(crate) fn proposal_with(
        self,
        digest: &[u8; 32],
    ) -> Result<Option<Ended<proposal::Record>>, EngineError> {
        let key = rows::ended_proposal_digest_key(digest);
        let Some(id) = self.store.get(FAMILY, &key)? else {
            return Ok(None);
        };
        let (_, id) = self.seal.open(FAMILY, &key, &id)?;
        let id = std::str::from_utf8(&id).ok().and_then(|id| id.parse().ok());
        self.proposal(&id.ok_or(CORRUPT)?)
    }

    /// Grants that have ended, in the order of their ids, after this one.
    pub(crate) fn grants(self, after: Option<&GrantId>) -> Rows<'a, grant::Record> {
        let from = after.map_or_else(
            || rows::ENDED_GRANT.range().from,
            |id| [&rows::ended_grant_key(id)[..], &[0]].concat(),
        );
        self.rows(rows::ENDED_GRANT, from, grant::Record::decode)
    }

    /// Proposals that have ended, in the order of their ids.
    pub(crate) fn proposals(self) -> Rows<'a, proposal::Record> {
        let from = rows::ENDED_PROPOSAL.range().from;
        self.rows(rows::ENDED_PROPOSAL, from, proposal::Record::decode)
    }

    fn rows<R>(self, kind: rows::Kind, from: Vec<u8>, decode: Decode<R>) -> Rows<'a, R> {
        Rows {
            rows: self,
            from: Some(from),
            to: kind.range().to,
            page: VecDeque::new(),
            decode,
        }
    }

    /// Writes the rows of these. One that is there already must say the same.
    pub(crate) fn put(self, past: &[Past]) -> Result<(), EngineError> {
        let mut commit = Commit::default();
        for past in past {
            let (key, entries, record) = match past {
                Past::Grant(Ended { record, entries }) => {
                    let key = rows::ended_grant_key(&record.grant.id);
                    (key, *entries, record.encode())
                }
                Past::Proposal(Ended { record, entries }) => {
                    let id = &record.proposal.id;
                    let digest = sha256(&record.proposal.encode());
                    let key = rows::ended_proposal_digest_key(&digest);
                    self.put_row(&key, *entries, id.as_str().as_bytes(), &mut commit)?;
                    (rows::ended_proposal_key(id), *entries, record.encode())
                }
            };
            self.put_row(&key, entries, &record, &mut commit)?;
        }
        if !commit.writes.is_empty() {
            self.store.commit(commit)?;
        }
        Ok(())
    }

    /// Keys of the rows of a log that had more entries than these: of one that was given up.
    pub(crate) fn behind(self, entries: u64) -> Result<Vec<Vec<u8>>, EngineError> {
        let kinds = [
            rows::ENDED_PROPOSAL_DIGEST,
            rows::ENDED_GRANT,
            rows::ENDED_PROPOSAL,
        ];
        let mut keys = Vec::new();
        for kind in kinds {
            for (key, value) in scan::of_kind(self.store, kind)? {
                let (ended, _) = self.seal.open(FAMILY, &key, &value)?;
                if ended > entries {
                    keys.push(key);
                }
            }
        }
        Ok(keys)
    }

    fn put_row(
        self,
        key: &[u8],
        entries: u64,
        value: &[u8],
        commit: &mut Commit,
    ) -> Result<(), EngineError> {
        let Some(stored) = self.store.get(FAMILY, key)? else {
            let sealed = self.seal.seal(FAMILY, key, entries, value);
            commit.put(FAMILY, key.to_vec(), sealed);
            return Ok(());
        };
        let (generation, kept) = self.seal.open(FAMILY, key, &stored)?;
        if (generation, &kept[..]) == (entries, value) {
            Ok(())
        } else {
            Err(CORRUPT)
        }
    }

    fn read<R>(self, key: &[u8], decode: Decode<R>) -> Result<Option<Ended<R>>, EngineError> {
        let stored = self.store.get(FAMILY, key)?;
        stored
            .map(|value| self.open(key, &value, decode))
            .transpose()
    }

    fn open<R>(self, key: &[u8], value: &[u8], decode: Decode<R>) -> Result<Ended<R>, EngineError> {
        let (entries, bytes) = self.seal.open(FAMILY, key, value)?;
        let record = Arc::new(decode(&bytes).map_err(|DecodeError| CORRUPT)?);
        Ok(Ended { record, entries })
    }
}

const CORRUPT: EngineError = EngineError::Corrupt("grant or proposal that has ended");

type Decode<R> = fn(&[u8]) -> Result<R, DecodeError>;

/// Records in the order of their ids, read some at a time.
pub(crate) struct Rows<'a, R> {
    rows: PastRows<'a>,
    /// Where to read on; `None` at the end.
    from: Option<Vec<u8>>,
    to: Vec<u8>,
    page: VecDeque<Row>,
    decode: Decode<R>,
}

impl<R> Rows<'_, R> {
    fn read_page(&mut self) -> Result<(), EngineError> {
        let Some(from) = self.from.take() else {
            return Ok(());
        };
        let page = self.rows.store.scan(FAMILY, &from, PAGE)?;
        let full = page.len() == PAGE;
        self.page = page.into();
        self.page.retain(|(key, _)| *key < self.to);
        if full && self.page.len() == PAGE {
            let last = self.page.back();
            self.from = last.map(|(key, _)| [&key[..], &[0]].concat());
        }
        Ok(())
    }
}

impl<R> Iterator for Rows<'_, R> {
    type Item = Result<Arc<R>, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && let Err(error) = self.read_page()
        {
            return Some(Err(error));
        }
        let (key, value) = self.page.pop_front()?;
        let opened = self.rows.open(&key, &value, self.decode);
        Some(opened.map(|past| past.record))
    }
}
