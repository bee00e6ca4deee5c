//! The keys that the engine chooses. No one else builds or takes apart a key.

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, GrantId, Kid, NamespaceId, OrganisationId, ProposalId, Timestamp};

use crate::store::{Family, Range};

/// Key of the wrapped key-encryption record in `meta`.
pub const META_KEK: &[u8] = b"kek";
/// Key of the log's origin in `meta`.
pub const META_LOG_ORIGIN: &[u8] = b"log-origin";
/// Key of the nonce of a restore request in `meta`.
pub const META_RESTORE_NONCE: &[u8] = b"restore-nonce";
/// Key of the row in `meta` that names the tables that are taken in after it.
pub const META_BULK_TABLES: &[u8] = b"bulk-tables";
/// Key of the row in `meta` that says how the audit log ends: see [`LogEnd`](crate::store::LogEnd).
pub const META_LOG_END: &[u8] = b"log-end";
/// Key of the row in `meta` that every governed act moves on: its number.
pub const META_EPOCH: &[u8] = b"epoch";
/// Beginning of the keys of handovers in `meta`.
const META_HANDOVER: &[u8] = b"handover/";

/// Rows of one kind: a family, and the first byte of their keys there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// Where they are.
    pub family: Family,
    /// First byte of their keys.
    pub first: u8,
}

impl Kind {
    const fn new(family: Family, first: u8) -> Self {
        Self { family, first }
    }

    /// All keys of this kind.
    pub fn range(self) -> Range {
        Range {
            family: self.family,
            from: vec![self.first],
            to: vec![self.first + 1],
        }
    }

    fn named(self, name: &str) -> Vec<u8> {
        [&[self.first], name.as_bytes()].concat()
    }
}

/// Marks of counted batches.
pub const COUNTED_BATCH: Kind = Kind::new(Family::Grants, b'b');
/// Counters of grants.
pub const COUNTER: Kind = Kind::new(Family::Grants, b'c');
/// Proposals that have ended, by SHA-256.
pub const ENDED_PROPOSAL_DIGEST: Kind = Kind::new(Family::Grants, b'd');
/// Grants that have ended.
pub const ENDED_GRANT: Kind = Kind::new(Family::Grants, b'e');
/// Proposals that have ended.
pub const ENDED_PROPOSAL: Kind = Kind::new(Family::Grants, b'f');
/// Warnings of chains past their retention.
pub const WARNING: Kind = Kind::new(Family::Grants, b'l');
/// Registry texts of open proposals.
pub const PROPOSED_TEXT: Kind = Kind::new(Family::Grants, b't');
/// Ranges of the store that must be rewritten.
pub const COMPACTION: Kind = Kind::new(Family::Optout, b'c');
/// Subjects that are to be erased from a chain.
pub const ERASURE_JOB: Kind = Kind::new(Family::Optout, b'j');
/// Marks of subjects that opted out.
pub const MARK: Kind = Kind::new(Family::Optout, b'm');
/// Subjects of open erasure proposals.
pub const ERASURE_REQUEST: Kind = Kind::new(Family::Optout, b'r');
/// Counts of quotas.
pub const QUOTA: Kind = Kind::new(Family::Quota, b's');

/// Key of an audit entry.
pub fn audit_key(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

/// Key of a registry version.
pub fn registry_key(version: u64) -> [u8; 8] {
    version.to_be_bytes()
}

/// Key of a full tile of the log's tree.
pub fn tile_key(level: u8, index: u64) -> Vec<u8> {
    [&[level][..], &index.to_be_bytes()].concat()
}

/// Key of a grant's counter.
pub fn counter_key(id: &GrantId) -> Vec<u8> {
    COUNTER.named(id.as_str())
}

/// Key of the mark of a counted batch; `name` is a keyed digest of its id.
pub fn counted_batch_key(grant: &GrantId, name: &[u8; 32]) -> Vec<u8> {
    Writer::new(COUNTED_BATCH.first)
        .lp(grant.as_str())
        .fixed(name)
        .finish()
}

/// Key of a grant that has ended.
pub fn ended_grant_key(id: &GrantId) -> Vec<u8> {
    ENDED_GRANT.named(id.as_str())
}

/// Key of a proposal that has ended.
pub fn ended_proposal_key(id: &ProposalId) -> Vec<u8> {
    ENDED_PROPOSAL.named(id.as_str())
}

/// Key of the id of a proposal that has ended; `digest` is the SHA-256 of its canonical bytes.
pub fn ended_proposal_digest_key(digest: &[u8; 32]) -> Vec<u8> {
    [&[ENDED_PROPOSAL_DIGEST.first], &digest[..]].concat()
}

/// Key of the warning of a chain.
pub fn warning_key(chain: &ChainId) -> Vec<u8> {
    WARNING.named(chain.as_str())
}

/// Key of the registry text of a proposal.
pub fn proposed_text_key(id: &ProposalId) -> Vec<u8> {
    PROPOSED_TEXT.named(id.as_str())
}

/// Key of the subject of an erasure proposal.
pub fn erasure_request_key(id: &ProposalId) -> Vec<u8> {
    ERASURE_REQUEST.named(id.as_str())
}

/// Key of the counts of one source in one chain.
pub fn quota_key(chain: &ChainId, source: &OrganisationId) -> Vec<u8> {
    Writer::new(QUOTA.first)
        .lp(chain.as_str())
        .lp(source.as_str())
        .finish()
}

/// Key of the checkpoint that handed trust over to the signing key of this generation.
pub fn handover_key(generation: u32) -> Vec<u8> {
    [META_HANDOVER, &generation.to_be_bytes()].concat()
}

/// The generation in a key of `meta`; `None` if the key is of something else.
///
/// # Errors
/// [`DecodeError`] for a handover without a generation.
pub fn read_handover_key(key: &[u8]) -> Option<Result<u32, DecodeError>> {
    let generation = key.strip_prefix(META_HANDOVER)?;
    let generation = generation.try_into().map(u32::from_be_bytes);
    Some(generation.map_err(|_| DecodeError))
}

/// Key of the mark of a subject; `name` is a keyed digest of the mark.
pub fn mark_key(namespace: &NamespaceId, name: &[u8; 32]) -> Vec<u8> {
    Writer::new(MARK.first)
        .lp(namespace.as_str())
        .fixed(name)
        .finish()
}

/// Namespace and name in the key of a mark.
///
/// # Errors
/// [`DecodeError`] for any other key.
pub fn read_mark_key(key: &[u8]) -> Result<(NamespaceId, [u8; 32]), DecodeError> {
    let mut input = Reader::new(key, MARK.first)?;
    let parts = (input.parse()?, input.array()?);
    input.end()?;
    Ok(parts)
}

/// Key of a subject that is to be erased from a chain at `due`; `random` keeps equal ones apart.
pub fn erasure_job_key(
    due: Timestamp,
    chain: &ChainId,
    namespace: &NamespaceId,
    random: &[u8; 16],
) -> Vec<u8> {
    Writer::new(ERASURE_JOB.first)
        .u64(due.millis())
        .lp(chain.as_str())
        .lp(namespace.as_str())
        .fixed(random)
        .finish()
}

/// Time, chain and namespace in the key of an erasure.
///
/// # Errors
/// [`DecodeError`] for any other key.
pub fn read_erasure_job_key(key: &[u8]) -> Result<(Timestamp, ChainId, NamespaceId), DecodeError> {
    let mut input = Reader::new(key, ERASURE_JOB.first)?;
    let due = Timestamp::from_millis(input.u64()?).ok_or(DecodeError)?;
    let parts = (due, input.parse()?, input.parse()?);
    let _: [u8; 16] = input.array()?;
    input.end()?;
    Ok(parts)
}

/// Every row of a key version: link, identity and import rows, and the index of the latter.
pub fn rows_of_version(kid: Kid) -> [Range; 4] {
    let from = kid.to_be_bytes().to_vec();
    let next = kid.get().checked_add(1);
    let to = next.map_or_else(|| vec![0xff; 23], |next| next.to_be_bytes().to_vec());
    let families = [
        Family::Link,
        Family::Identity,
        Family::Import,
        Family::ImportIndex,
    ];
    families.map(|family| Range {
        family,
        from: from.clone(),
        to: to.clone(),
    })
}

/// Key of a range that must be rewritten.
pub fn compaction_key(range: &Range) -> Vec<u8> {
    Writer::new(COMPACTION.first)
        .u8(range.family as u8)
        .lp(&range.from)
        .lp(&range.to)
        .finish()
}

/// The range in the key of one that must be rewritten.
///
/// # Errors
/// [`DecodeError`] for any other key.
pub fn read_compaction_key(key: &[u8]) -> Result<Range, DecodeError> {
    let mut input = Reader::new(key, COMPACTION.first)?;
    let number = input.u8()?;
    let family = Family::ALL
        .into_iter()
        .find(|family| *family as u8 == number)
        .ok_or(DecodeError)?;
    let range = Range {
        family,
        from: input.lp()?.to_vec(),
        to: input.lp()?.to_vec(),
    };
    input.end()?;
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_frozen() {
        let grant = "g-1".parse().expect("an id");
        let proposal = "p-1".parse().expect("an id");
        let chain = "a".parse().expect("an id");
        let namespace = "n".parse().expect("an id");
        let due = Timestamp::from_millis(258).expect("valid");
        let range = Range {
            family: Family::Link,
            from: vec![1],
            to: vec![2, 3],
        };
        let long = |head: &[u8], rest: u8, count| [head, &vec![rest; count]].concat();
        for (key, expected) in [
            (registry_key(258).to_vec(), vec![0, 0, 0, 0, 0, 0, 1, 2]),
            (tile_key(1, 258), vec![1, 0, 0, 0, 0, 0, 0, 1, 2]),
            (counter_key(&grant), b"cg-1".to_vec()),
            (
                counted_batch_key(&grant, &[7; 32]),
                long(b"b\0\x03g-1", 7, 32),
            ),
            (ended_grant_key(&grant), b"eg-1".to_vec()),
            (ended_proposal_key(&proposal), b"fp-1".to_vec()),
            (ended_proposal_digest_key(&[7; 32]), long(b"d", 7, 32)),
            (warning_key(&chain), b"la".to_vec()),
            (proposed_text_key(&proposal), b"tp-1".to_vec()),
            (erasure_request_key(&proposal), b"rp-1".to_vec()),
            (
                quota_key(&chain, &"uni".parse().expect("an id")),
                b"s\0\x01a\0\x03uni".to_vec(),
            ),
            (handover_key(258), b"handover/\0\0\x01\x02".to_vec()),
            (mark_key(&namespace, &[7; 32]), long(b"m\0\x01n", 7, 32)),
            (
                erasure_job_key(due, &chain, &namespace, &[7; 16]),
                long(b"j\0\0\0\0\0\0\x01\x02\0\x01a\0\x01n", 7, 16),
            ),
            (
                compaction_key(&range),
                b"c\x04\0\x01\x01\0\x02\x02\x03".to_vec(),
            ),
        ] {
            assert_eq!(key, expected);
        }
    }

    #[test]
    fn the_rows_of_a_version_end_where_those_of_the_next_begin() {
        let kid = |number| Kid::new(number).expect("not zero");
        let [link, .., index] = rows_of_version(kid(258));
        assert_eq!(link.from, [0, 0, 1, 2]);
        assert_eq!(index.to, rows_of_version(kid(259))[0].from);
        let last = rows_of_version(kid(u32::MAX));
        assert!(last[3].to > vec![0xff; crate::rows::IMPORT_INDEX_KEY_BYTES]);
    }

    #[test]
    fn keys_are_read_back_and_others_refused() {
        let chain: ChainId = "a".parse().expect("an id");
        let namespace: NamespaceId = "n".parse().expect("an id");
        let due = Timestamp::from_millis(258).expect("valid");
        let job = erasure_job_key(due, &chain, &namespace, &[7; 16]);
        assert_eq!(
            read_erasure_job_key(&job),
            Ok((due, chain, namespace.clone()))
        );
        let mark = mark_key(&namespace, &[7; 32]);
        assert_eq!(read_mark_key(&mark), Ok((namespace, [7; 32])));
        let range = ERASURE_JOB.range();
        let compaction = compaction_key(&range);
        assert_eq!(read_compaction_key(&compaction), Ok(range));
        assert_eq!(read_handover_key(&handover_key(9)), Some(Ok(9)));
        assert_eq!(read_handover_key(META_KEK), None);
        for key in [job, mark, compaction] {
            let short = &key[..key.len() - 1];
            let long = [&key[..], &[0]].concat();
            for wrong in [short, &long] {
                assert_eq!(read_erasure_job_key(wrong), Err(DecodeError));
                assert_eq!(read_mark_key(wrong), Err(DecodeError));
                assert_eq!(read_compaction_key(wrong), Err(DecodeError));
            }
        }
        assert_eq!(read_handover_key(b"handover/\0"), Some(Err(DecodeError)));
    }
}
