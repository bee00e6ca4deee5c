//! How RocksDB is set up. The reasons are in `docs/decisions/0002-store-rocksdb.md`.

use std::time::Duration;

use rocksdb::statistics::StatsLevel;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompactionStyle, DBCompressionType,
    DBRecoveryMode, UniversalCompactOptions,
};
use sluis_port::store::Family;

/// Families with so many rows that they are written as tables: random keys, looked up one by one, sealed values.
pub(crate) const BULK: [Family; 2] = [Family::Link, Family::Identity];

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// Bytes of a block; filters and indexes have more.
const BLOCK: usize = 4 * KIB;

/// Memory and limits of a store. The defaults suit a daemon that must stay below 1 GiB with 100 million rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Cache of uncompressed blocks, filters and indexes.
    pub block_cache_bytes: usize,
    /// All write buffers of all families together.
    pub write_buffer_bytes: usize,
    /// Open SST files.
    pub max_open_files: i32,
    /// Submitted commits that wait for the writer, at most; `submit` blocks beyond.
    pub queue_commits: usize,
    /// Bytes of the submitted commits that wait, at most (one larger commit passes when nothing else waits).
    pub queue_bytes: usize,
    /// Commits written and synced together, at most.
    pub group_commits: usize,
    /// Bytes of the commits written and synced together, at most (one larger commit passes alone).
    pub group_bytes: usize,
    /// From so many rows of one family on, those of a group are written as a table that RocksDB takes in as it is.
    pub bulk_rows: usize,
    /// Nothing is written while fewer bytes are free: RocksDB needs room to merge its tables, and stops without. 0 turns
    /// the look at the disk off.
    pub least_free_bytes: u64,
    /// How long a commit waits while RocksDB holds writes back; then commits are refused.
    pub longest_stall: Duration,
    /// How long one write may take; then its commits are told that their outcome is unknown.
    pub longest_write: Duration,
    /// Opens a store that has lost acknowledged writes at the end of its write-ahead log, to look at it
    /// ([`crate::RocksStore::lost`]).
    pub sees_loss: bool,
}

impl Options {
    /// Room for all write buffers, and a quarter more, so that they can be written out and merged.
    pub fn least_free_bytes_for(write_buffer_bytes: usize) -> u64 {
        let bytes = write_buffer_bytes as u64;
        bytes + bytes / 4
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block_cache_bytes: 256 * MIB,
            write_buffer_bytes: 64 * MIB,
            max_open_files: 512,
            queue_commits: 1024,
            queue_bytes: 16 * MIB,
            group_commits: 64,
            group_bytes: 8 * MIB,
            bulk_rows: 4096,
            least_free_bytes: Self::least_free_bytes_for(64 * MIB),
            longest_stall: Duration::from_secs(10),
            longest_write: Duration::from_secs(30),
            sees_loss: false,
        }
    }
}

/// Options of the whole database.
pub(crate) fn database(options: &Options) -> rocksdb::Options {
    let mut db = rocksdb::Options::default();
    db.set_paranoid_checks(true);
    // The default recovery mode drops every record after the first bad one, and so acknowledged commits.
    db.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    db.set_db_write_buffer_size(options.write_buffer_bytes);
    db.set_max_total_wal_size(4 * options.write_buffer_bytes as u64);
    db.set_max_open_files(options.max_open_files);
    // A long merge leaves room for short ones beside it: bulk tables come faster than one long merge ends.
    db.set_max_background_jobs(4);
    db.set_bytes_per_sync(MIB as u64);
    db.set_max_log_file_size(4 * MIB);
    db.set_keep_log_file_num(4);
    db.set_stats_dump_period_sec(0);
    db.set_stats_persist_period_sec(0);
    db.enable_statistics();
    db.set_statistics_level(StatsLevel::ExceptHistogramOrTimers);
    db
}

/// All families with their options, sharing one cache. RocksDB insists on its own family `default`; it stays empty.
pub(crate) fn families(options: &Options) -> Vec<ColumnFamilyDescriptor> {
    // Look-ups take no lock in it.
    let cache = Cache::new_hyper_clock_cache(options.block_cache_bytes, BLOCK);
    let names = Family::ALL.map(|family| (family.name(), family_options(family, options, &cache)));
    // After a full disk RocksDB merges nothing until as much room is free as the largest write buffer, empty ones included.
    let mut empty = rocksdb::Options::default();
    empty.set_write_buffer_size(64 * KIB);
    let default = (rocksdb::DEFAULT_COLUMN_FAMILY_NAME, empty);
    names
        .into_iter()
        .chain([default])
        .map(|(name, options)| ColumnFamilyDescriptor::new(name, options))
        .collect()
}

/// How a table of a family is written that RocksDB takes in.
pub(crate) fn table(family: Family, options: &Options) -> rocksdb::Options {
    family_options(family, options, &Cache::new_lru_cache(0))
}

fn family_options(family: Family, options: &Options, cache: &Cache) -> rocksdb::Options {
    let bulk = BULK.contains(&family);
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    // Filters and indexes count against the cache: 1.5 bytes for each bulk row. In one piece, because a look-up of many keys
    // then finds them once for each table and not once for each key.
    table.set_cache_index_and_filter_blocks(true);
    table.set_cache_index_and_filter_blocks_with_high_priority(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    if bulk {
        table.set_bloom_filter(10.0, false);
    }
    let mut cf = rocksdb::Options::default();
    cf.set_block_based_table_factory(&table);
    let half = options.write_buffer_bytes / 2;
    cf.set_write_buffer_size(if bulk { half } else { half.min(4 * MIB) });
    // Link rows do not compress.
    cf.set_compression_type(if family == Family::Link {
        DBCompressionType::None
    } else {
        DBCompressionType::Lz4
    });
    if bulk {
        // Every table has keys from the whole range. Levels would merge each of them again and again.
        cf.set_compaction_style(DBCompactionStyle::Universal);
        let mut merging = UniversalCompactOptions::default();
        merging.set_min_merge_width(16);
        merging.set_size_ratio(10);
        cf.set_universal_compaction_options(&merging);
        cf.set_level_zero_file_num_compaction_trigger(24);
        cf.set_level_zero_slowdown_writes_trigger(160);
        cf.set_level_zero_stop_writes_trigger(224);
    }
    cf
}
