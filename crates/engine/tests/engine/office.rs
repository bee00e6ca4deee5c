//! An engine over any store, with the registry of the tests, without sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sluis_domain::{BatchId, BatchOutcome, Column, GrantId, Reason, RecordBatch, Timestamp};
use sluis_engine::{Caller, Engine, Refusal, Turns};
use sluis_keyring::Kek;
use sluis_ledger::grant::{Kind, OutputOrder, Terms};
use sluis_port::{Clock, Store};
use sluis_testkit::clock::TestClock;
use sluis_testkit::people;
pub(crate) use sluis_testkit::people::caller;
use sluis_testkit::registry::{CUSTODIANS, registry};
use tokio::runtime::Builder;

pub(crate) const STUDY: &str = "diabetes-study";
pub(crate) const REGISTER: &str = "national-registry";

/// An engine and what it was opened with. At the end of a test its store is opened once more: whatever the engine did, it
/// must find in order when it starts again.
pub(crate) struct Office<S: Store + 'static> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<S>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) kek: Kek,
    damaged: AtomicBool,
}

pub(crate) fn custodian() -> Caller {
    caller(CUSTODIANS[0])
}

impl<S: Store + 'static> Office<S> {
    /// An engine over an empty store.
    pub(crate) fn open(store: S) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kek = Kek::generate_file(&directory.path().join("kek")).unwrap();
        let (store, clock) = (Arc::new(store), Arc::new(TestClock::now()));
        Engine::initialise(&*store, &kek, &*clock, &people::settings()).unwrap();
        let engine = start(&store, &kek, &clock);
        people::apply(&engine, &registry()).unwrap();
        Self {
            engine,
            store,
            clock,
            kek,
            damaged: AtomicBool::new(false),
        }
    }

    /// A new engine over the same store, as after a restart.
    pub(crate) fn reopen(&mut self) {
        self.engine = start(&self.store, &self.kek, &self.clock);
    }

    /// The test edits the store, so that it does not open any more.
    pub(crate) fn damage(&self) -> &S {
        self.damaged.store(true, Ordering::Relaxed);
        &self.store
    }

    /// What the keyring opens with.
    pub(crate) fn kek(&self) -> &Kek {
        &self.kek
    }

    /// An approved grant of the registry office to convert tokens of `from` into tokens of `to`.
    pub(crate) fn grant(&self, from: &str, to: &str, max_values: u64) -> GrantId {
        self.daily_grant(from, to, max_values, None)
    }

    /// As [`Self::grant`], with a limit of a day; ends in three days.
    pub(crate) fn daily_grant(
        &self,
        from: &str,
        to: &str,
        max_values: u64,
        daily: Option<u64>,
    ) -> GrantId {
        let not_after = self.clock.now().plus_millis(3 * 24 * 3_600_000);
        let terms = convert_terms(from, to, max_values, not_after);
        self.approved(Terms {
            max_values_per_day: daily,
            ..terms
        })
    }

    /// As [`Self::grant`], for ten values between two moments.
    pub(crate) fn grant_between(
        &self,
        from: &str,
        to: &str,
        begin: Timestamp,
        end: Timestamp,
    ) -> GrantId {
        self.approved(Terms {
            not_before: Some(begin),
            ..convert_terms(from, to, 10, end)
        })
    }

    fn approved(&self, terms: Terms) -> GrantId {
        let view = self
            .engine
            .governance()
            .request_grant(&caller("registry-office/etl"), terms)
            .unwrap();
        for steward in ["uni-research/steward-1", "registry-office/steward-a"] {
            people::approve(&self.engine, steward, &view.record.grant.id).unwrap();
        }
        view.record.grant.id.clone()
    }

    /// Terms of one re-identification from the study.
    pub(crate) fn reidentify_terms(&self) -> Terms {
        Terms {
            kind: Kind::Reidentify {
                chain: STUDY.parse().unwrap(),
                elements: vec!["bsn".parse().unwrap()],
            },
            purpose: "test".into(),
            legal_basis: "test".into(),
            max_values: 1,
            max_values_per_day: None,
            not_before: None,
            not_after: self.clock.now().plus_millis(3_600_000),
        }
    }

    /// Values used under a grant.
    pub(crate) fn used(&self, grant: &GrantId) -> u64 {
        self.engine
            .governance()
            .get_grant(&caller("registry-office/etl"), grant)
            .unwrap()
            .used
    }

    /// Tokens of identifiers in a chain.
    pub(crate) fn pseudonymise(&self, chain: &str, identifiers: &[String]) -> Vec<String> {
        self.submit("hospital-north/etl", chain, identifiers)
            .unwrap()
    }

    /// As [`Self::pseudonymise`], as any source.
    pub(crate) fn submit(
        &self,
        source: &str,
        chain: &str,
        identifiers: &[String],
    ) -> Result<Vec<String>, Refusal> {
        let (source, chain) = (caller(source), chain.parse().unwrap());
        let session = self.engine.batches().open_pseudonymise(
            &source,
            &chain,
            &["bsn".parse().unwrap()],
            false,
        )?;
        Ok(texts(&wait(
            self.engine
                .batches()
                .pseudonymise(&session, &batch(None, identifiers))?,
        )?))
    }

    /// Converts under a grant as its grantee.
    pub(crate) fn convert(
        &self,
        grant: &GrantId,
        batch: &RecordBatch,
    ) -> Result<BatchOutcome, Refusal> {
        let session =
            self.engine
                .batches()
                .open_convert(&caller("registry-office/etl"), grant, false)?;
        wait(
            self.engine
                .batches()
                .convert(&session, Turns::default().give(), batch)?,
        )
    }

    /// As [`Self::convert`]: the tokens, or why not.
    pub(crate) fn converted(
        &self,
        grant: &GrantId,
        tokens: &[String],
    ) -> Result<Vec<String>, Reason> {
        self.convert(grant, &batch(None, tokens))
            .map(|outcome| texts(&outcome))
            .map_err(|refusal| refusal.reason())
    }
}

fn start<S: Store + 'static>(store: &Arc<S>, kek: &Kek, clock: &Arc<TestClock>) -> Arc<Engine> {
    Arc::new(people::open(store.clone(), kek, clock.clone()))
}

/// Terms of a conversion of `bsn`.
pub(crate) fn convert_terms(from: &str, to: &str, max_values: u64, not_after: Timestamp) -> Terms {
    let bsn = |chain: &str| (chain.parse().unwrap(), "bsn".parse().unwrap());
    Terms {
        kind: Kind::Convert {
            from: bsn(from),
            to: bsn(to),
            order: OutputOrder::Ordered,
        },
        purpose: "test".into(),
        legal_basis: "test".into(),
        max_values,
        max_values_per_day: None,
        not_before: None,
        not_after,
    }
}

/// One column of `bsn`.
pub(crate) fn batch(id: Option<&[u8]>, values: &[String]) -> RecordBatch {
    let id = id.map(|id| BatchId::new(id).unwrap());
    RecordBatch::new(
        id,
        values.len(),
        vec![("bsn".parse().unwrap(), Column::from_values(values))],
    )
    .unwrap()
}

/// The values of the only column of an outcome.
pub(crate) fn texts(outcome: &BatchOutcome) -> Vec<String> {
    outcome.columns[0]
        .1
        .iter()
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
        .collect()
}

pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

impl<S: Store + 'static> Drop for Office<S> {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.damaged.load(Ordering::Relaxed) {
            let opened = Engine::open(
                self.store.clone(),
                &self.kek,
                self.clock.clone(),
                people::settings(),
            );
            opened.map(drop).expect("what was done is in order");
        }
    }
}
