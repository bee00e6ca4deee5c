//! What cases share: the custodian, the streams, and the tokens of escrowed subjects.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sluis_client::Session;
use sluis_domain::{Column, GrantId};
use tokio::runtime::Runtime;

use crate::custodian::{Custodian, OWNER, SOURCE, chain_id, element};
use crate::load::{self, Load, Loaded};
use crate::subjects::{ROWS, column, fixed_width, of_batch, shuffled};
use crate::usage::{Cores, Usage};

/// Streams of a load, each over a connection of its own.
pub(crate) const STREAMS: usize = 2;
/// Most tokens that are converted or re-identified.
const MOST_TOKENS: u64 = 5_000_000;

/// A run of the benchmark.
pub(crate) struct Run {
    pub(crate) runtime: Runtime,
    pub(crate) custodian: Custodian,
    /// Number of subjects that are escrowed.
    pub(crate) subjects: u64,
    /// Tokens by the chain they are of, once its subjects were sent.
    tokens: BTreeMap<&'static str, Arc<Tokens>>,
}

/// Where a stream goes.
pub(crate) enum Stream<'a> {
    /// To an element of a chain.
    Pseudonymise(&'a str, &'a str),
    Convert(&'a GrantId),
    Reidentify(&'a GrantId),
}

/// Tokens of one chain as text, one behind the other.
pub(crate) struct Tokens {
    text: Vec<u8>,
    /// Bytes of one.
    width: usize,
}

impl Run {
    /// A new custodian in `directory`.
    pub(crate) fn start(directory: &Path, subjects: u64) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let custodian = Custodian::start(directory);
        runtime.block_on(custodian.apply_registry());
        Self {
            runtime,
            custodian,
            subjects,
            tokens: BTreeMap::new(),
        }
    }

    /// Sends a load over new streams. Connecting and opening them does not count.
    pub(crate) fn send(&self, stream: &Stream<'_>, load: Load) -> Loaded {
        self.runtime.block_on(async {
            let mut sessions = Vec::new();
            for _ in 0..STREAMS {
                sessions.push(self.open(stream).await);
            }
            load::send(sessions, load).await
        })
    }

    async fn open(&self, stream: &Stream<'_>) -> Session {
        let member = match stream {
            Stream::Convert(_) => OWNER,
            Stream::Pseudonymise(..) | Stream::Reidentify(_) => SOURCE,
        };
        let client = self.custodian.client(member).await;
        let session = match stream {
            Stream::Pseudonymise(chain, name) => {
                client
                    .pseudonymise(&chain_id(chain), &[element(name)])
                    .await
            }
            Stream::Convert(grant) => client.convert(grant).await,
            Stream::Reidentify(grant) => client.reidentify(grant).await,
        };
        session.expect("the registry and the grant allow it")
    }

    /// Does something, and says which processors were busy meanwhile.
    pub(crate) fn observed<T>(&self, work: impl FnOnce() -> T) -> (T, Cores) {
        let daemon = self.custodian.pid();
        let usage = Usage::now(daemon);
        let done = work();
        (done, usage.since(daemon))
    }

    /// Several rounds of the same load, after one that does not count; values per second of the median.
    pub(crate) fn rounds(&self, count: usize, stream: &Stream<'_>, load: &Load) -> (f64, Cores) {
        self.send(stream, load.clone());
        self.observed(|| {
            let rates = (0..count).map(|_| self.send(stream, load.clone()).rate());
            median(rates.collect())
        })
    }

    /// How many tokens are converted or re-identified: a quarter of the subjects in whole batches.
    pub(crate) fn token_batches(&self) -> u64 {
        (self.subjects / 4).clamp(ROWS, MOST_TOKENS) / ROWS
    }

    /// Sends new subjects to a chain, in order, and keeps the tokens of a part of them that is spread over the whole.
    pub(crate) fn send_new(&mut self, chain: &'static str, count: u64) -> Loaded {
        let batches = count.div_ceil(ROWS);
        let load = Load {
            element: element("bsn"),
            batches,
            make: Arc::new(move |index| column(of_batch(index, count))),
            keep_every: (batches / self.token_batches()).max(1),
        };
        let mut loaded = self.send(&Stream::Pseudonymise(chain, "bsn"), load);
        let kept = std::mem::take(&mut loaded.kept);
        self.tokens.insert(chain, Arc::new(Tokens::of(&kept)));
        loaded
    }

    /// Sends the subjects of an escrowing chain unless they were sent. Not counted.
    pub(crate) fn ensure_escrowed(&mut self, chain: &'static str, count: u64) -> Arc<Tokens> {
        if !self.tokens.contains_key(chain) {
            eprintln!("  (first {count} subjects for {chain}, not counted)");
            self.send_new(chain, count);
        }
        self.tokens[chain].clone()
    }
}

impl Tokens {
    /// The tokens of these and of those, which are of the same chain.
    pub(crate) fn and(mut self, kept: &[(u64, Column)]) -> Self {
        let more = Self::of(kept);
        self.text.extend_from_slice(&more.text);
        self.width = more.width;
        self
    }

    pub(crate) fn of(kept: &[(u64, Column)]) -> Self {
        let mut text = Vec::new();
        let mut rows = 0;
        for (_, column) in kept {
            text.extend_from_slice(column.data());
            rows += column.rows();
        }
        Self {
            width: text.len() / rows.max(1),
            text,
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        (self.text.len() / self.width) as u64
    }

    /// A load of the first `batches` batches in random order, or of as many as there are.
    pub(crate) fn load(self: Arc<Self>, batches: u64) -> Load {
        let count = self.count();
        Load {
            element: element("bsn"),
            batches: batches.min(count.div_ceil(ROWS)),
            make: Arc::new(move |index| {
                let width = self.width;
                let mut data = Vec::with_capacity(ROWS as usize * width);
                for place in of_batch(index, count) {
                    let at = shuffled(place, count) as usize * width;
                    data.extend_from_slice(&self.text[at..at + width]);
                }
                fixed_width(data, width)
            }),
            keep_every: 0,
        }
    }
}

/// The middle one.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
