//! The daemon in one process: what all connections share, how it starts and how it stops.

mod body;
mod call;
mod clock_watch;
mod handshake;
mod head_watch;
mod health;
mod housekeeping;
mod job;
mod keeper;
mod listener;
mod pace;
mod pool;
mod rates;
mod routes;
mod rpc;
mod scan;
mod shares;
mod store_watch;
mod verification;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluis_domain::{Identity, Timestamp};
use sluis_engine::{EngineError, Housekeeping, Refusal};
use sluis_port::{Clock, Condition, Store};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) use call::Call;
pub(crate) use call::handle::transport_reason;
use handshake::FailureLog;
pub(crate) use job::{Job, OfStream};
use keeper::Keeper;
pub(crate) use keeper::{OpenEngine, SealStatus};
pub(crate) use pool::Pool;
use rates::Rates;
use shares::Shares;

use crate::config::Settings;
use crate::head::HeadFault;
use crate::kek::KekFault;
use crate::status::Denial;
use crate::telemetry::{Metrics, MetricsServer, State};
use crate::tls::{Reloaded, Tls, TlsError};

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key-encryption key.
    #[error("key-encryption key: {0}")]
    Kek(#[from] KekFault),
    /// The engine does not open the store.
    #[error("the store cannot be opened: {0}")]
    Engine(#[from] EngineError),
    /// The log does not continue its last signed head.
    #[error("the store is not opened: {0}")]
    Head(#[from] HeadFault),
    /// The opening cannot be put on record.
    #[error("the keyring is not opened, because that cannot be put on record: {0}")]
    Record(#[from] Refusal),
    /// TLS.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// An address.
    #[error("{what} {address}: {reason}")]
    Address {
        /// Which listener.
        what: &'static str,
        /// Its address.
        address: SocketAddr,
        /// Why.
        reason: std::io::Error,
    },
    /// Threads or metrics.
    #[error("{0}")]
    Internal(String),
}

/// How long jobs may still run when their callers are gone: a disk that hangs must not keep the process alive.
const LAST_JOBS: Duration = Duration::from_secs(10);

/// What all connections share.
pub(crate) struct Shared {
    /// Sealed, or open with an engine.
    pub(crate) keeper: Keeper,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
    pub(crate) tls: Tls,
    failures: FailureLog,
    pub(crate) pool: Pool,
    pub(crate) metrics: Metrics,
    pub(crate) started_at: Timestamp,
    /// Cancelled when the daemon stops taking work.
    pub(crate) drain: CancellationToken,
    /// Said when the health may have changed.
    health_changed: Notify,
    reload_wanted: Notify,
    connections: Arc<Shares<Option<Identity>>>,
    data_calls: Arc<Shares<Identity>>,
    other_calls: Arc<Shares<Identity>>,
    infrastructure_calls: Arc<Shares<Identity>>,
    /// Acts that go on record.
    acts: Rates,
    /// Trying what is used up.
    used_up: Rates,
    /// How the store was at the last look.
    store_condition: Mutex<Condition>,
}

impl Shared {
    /// Whether acts are accepted.
    pub(crate) fn serving(&self) -> bool {
        !self.drain.is_cancelled() && self.keeper.engine().is_ok_and(|engine| engine.accepts())
    }

    /// The engine, unless the keyring is sealed. Asked for each act, and held no longer than it takes.
    pub(crate) fn engine(&self) -> Result<OpenEngine, Denial> {
        Ok(self.keeper.engine()?)
    }

    /// Origin of the audit log, part of every signed statement.
    pub(crate) fn origin(&self) -> &str {
        self.keeper.origin()
    }

    /// Says that the health may have changed.
    pub(crate) fn look_at_health(&self) {
        self.health_changed.notify_one();
    }

    fn saw_store(&self, condition: &Condition) {
        *self.last_condition() = condition.clone();
    }

    fn last_condition(&self) -> MutexGuard<'_, Condition> {
        self.store_condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> State {
        State {
            store: self.last_condition().clone(),
            in_flight_bytes: self.pool.in_flight_bytes(),
            connections: self.connections.taken(),
            writable: self.store.writable().is_ok(),
            sealed: self.keeper.engine().is_err(),
            audit_entries: self.store.entries(),
            head: self
                .keeper
                .engine()
                .ok()
                .map(|engine| self.keeper.heads().state(&engine)),
            draining: self.drain.is_cancelled(),
        }
    }

    fn render_metrics(&self) -> String {
        self.metrics.state(&self.state());
        self.metrics.tls_days_left(self.tls.days_left());
        if let Ok(engine) = self.keeper.engine() {
            self.metrics.quotas(engine.batches().quota_fill());
        }
        let handle = self.metrics.handle();
        handle.run_upkeep();
        handle.render()
    }
}

/// The daemon.
pub struct Daemon;

/// A daemon that runs.
pub struct Running {
    addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    shared: Arc<Shared>,
    health: health::Reporter,
    listener: JoinHandle<JoinSet<()>>,
    helpers: JoinSet<()>,
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// All work in flight was finished.
    Drained,
    /// The deadline passed; connections were cut.
    DeadlinePassed,
}

impl Daemon {
    /// Opens the engine over `store`, or stays sealed if its key is in shares or its token is away, and listens. The
    /// store must have been initialised with the same key-encryption key ([`sluis_engine::Engine::initialise`]).
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Running, StartError> {
        let shared = tokio::task::spawn_blocking(move || open(settings, store, clock))
            .await
            .map_err(|_| StartError::Internal("opening was interrupted".to_owned()))?;
        let (shared, stamp) = shared?;
        let (listener, addr) = bind("listen", shared.settings.listen).await?;
        let mut helpers = JoinSet::new();
        let metrics_addr = start_metrics(&shared, &mut helpers).await?;
        let (health, health_server) = health::reporter(shared.serving()).await;
        helpers.spawn(health::watch(shared.clone(), health.clone()));
        helpers.spawn(reload_tls(shared.clone(), stamp));
        helpers.spawn(keeper::watch(shared.clone(), shared.settings.kek_watch));
        helpers.spawn(head_watch::watch(shared.clone()));
        helpers.spawn(verification::watch(shared.clone()));
        helpers.spawn(housekeeping::watch(shared.clone()));
        helpers.spawn(store_watch::watch(shared.clone()));
        helpers.spawn(clock_watch::watch(shared.clone()));
        let routes = routes::Routes::new(&shared, health_server)
            .map_err(|e| StartError::Internal(format!("reflection: {e}")))?;
        let listener = tokio::spawn(listener::accept(listener, shared.clone(), Arc::new(routes)));
        if shared.settings.tls.crl.is_none() {
            tracing::warn!("tls.crl is not set: revoked certificates are accepted");
        }
        shared.tls.log_notices();
        tracing::info!(%addr, sealed = shared.keeper.engine().is_err(), "serving");
        Ok(Running {
            addr,
            metrics_addr,
            shared,
            health,
            listener,
            helpers,
        })
    }
}

impl Running {
    /// Where gRPC is served.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where metrics are served, if they are.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Reads the files of TLS again now.
    pub fn reload(&self) {
        self.shared.reload_wanted.notify_one();
    }

    /// Does now what is due: retention, erasures, and rewriting of what was removed. The daemon does it by itself every
    /// `housekeeping.every_seconds`.
    ///
    /// # Errors
    /// [`sluis_domain::Reason::Sealed`], and the errors of [`sluis_engine::Life::housekeep`].
    pub async fn housekeep(&self) -> Result<Housekeeping, Refusal> {
        housekeeping::keep(&self.shared).await
    }

    /// Stops: health says so, new calls are refused, batches in flight are finished and answered, then connections
    /// close; what is not done by the deadline (`limits.drain_seconds`) is cut. When this returns, nothing of the
    /// daemon holds the store any more.
    pub async fn shutdown(self) -> Stopped {
        let drain = self.shared.settings.limits.drain;
        self.stop(drain).await
    }

    /// As [`Self::shutdown`], but connections are cut at once.
    pub async fn cut(self) -> Stopped {
        self.stop(Duration::ZERO).await
    }

    async fn stop(mut self, drain: Duration) -> Stopped {
        tracing::info!("draining");
        self.health.set(false).await;
        self.shared.drain.cancel();
        let deadline = tokio::time::Instant::now() + drain;
        let mut connections = self.listener.await.unwrap_or_default();
        let drained = tokio::time::timeout_at(deadline, async {
            while connections.join_next().await.is_some() {}
        })
        .await;
        connections.shutdown().await;
        self.helpers.shutdown().await;
        // Jobs of cut connections still run to their end on the pool, and each holds the engine.
        let shared = &self.shared;
        let quiet = tokio::time::timeout(LAST_JOBS, async {
            shared.pool.idle().await;
            head_watch::keep_for_next_start(shared).await;
            released(shared).await;
        });
        // Waited for after a cut as well.
        let quiet = quiet.await.is_ok();
        let drained = drained.is_ok() && quiet;
        let stopped = if drained {
            Stopped::Drained
        } else {
            Stopped::DeadlinePassed
        };
        tracing::info!(?stopped, "stopped");
        stopped
    }
}

/// Waits until no task or blocking job holds what the connections shared.
async fn released(shared: &Arc<Shared>) {
    while Arc::strong_count(shared) > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn open(
    settings: Settings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Shared>, crate::tls::Stamp), StartError> {
    let (tls, stamp) = Tls::load(settings.tls.clone(), clock.clone())?;
    let started_at = clock.now();
    let keeper = Keeper::start(&settings, store.clone(), clock)?;
    let limits = &settings.limits;
    let pool = Pool::new(limits.cpu_threads, limits.in_flight_bytes)
        .map_err(|e| StartError::Internal(format!("threads: {e}")))?;
    let metrics = Metrics::new().map_err(|e| StartError::Internal(format!("metrics: {e}")))?;
    let shared = Shared {
        keeper,
        store,
        tls,
        failures: FailureLog::default(),
        pool,
        metrics,
        started_at,
        drain: CancellationToken::new(),
        health_changed: Notify::new(),
        reload_wanted: Notify::new(),
        connections: Shares::quarters(limits.max_connections, 0),
        data_calls: Shares::quarters(limits.max_data_calls, limits.max_waiting_calls),
        other_calls: Shares::quarters(limits.max_other_calls, limits.max_waiting_calls),
        infrastructure_calls: Shares::quarters(limits.max_connections, limits.max_waiting_calls),
        acts: Rates::new(
            limits.acts_per_second,
            Duration::from_secs(1),
            limits.acts_burst,
        ),
        used_up: Rates::new(
            limits.used_up_per_minute,
            Duration::from_secs(60),
            limits.used_up_per_minute,
        ),
        store_condition: Mutex::default(),
        settings,
    };
    clock_watch::check_start(&shared);
    Ok((Arc::new(shared), stamp))
}

async fn bind(
    what: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = TcpListener::bind(address)
        .await
        .and_then(|listener| listener.local_addr().map(|addr| (listener, addr)));
    bound.map_err(|reason| StartError::Address {
        what,
        address,
        reason,
    })
}

async fn start_metrics(
    shared: &Arc<Shared>,
    helpers: &mut JoinSet<()>,
) -> Result<Option<SocketAddr>, StartError> {
    let Some(address) = shared.settings.telemetry.metrics_listen else {
        return Ok(None);
    };
    let (listener, addr) = bind("telemetry.metrics_listen", address).await?;
    // Weak: connections of scrapers are not drained and must not keep the store open.
    let shared = Arc::downgrade(shared);
    let server = MetricsServer::new(
        listener,
        Arc::new(move || {
            let shared = shared.upgrade();
            shared.map_or_else(String::new, |shared| shared.render_metrics())
        }),
    );
    helpers.spawn(server.serve());
    tracing::info!(%addr, "metrics");
    Ok(Some(addr))
}

/// Looks at the files of TLS, and at what in them ends soon, every few seconds and when asked to.
async fn reload_tls(shared: Arc<Shared>, mut stamp: crate::tls::Stamp) {
    let every = shared.settings.tls.reload;
    loop {
        shared.tls.log_endings();
        let wanted = tokio::time::timeout(every, shared.reload_wanted.notified())
            .await
            .is_ok();
        let (reloading, mut next) = (shared.clone(), stamp.clone());
        let done =
            tokio::task::spawn_blocking(move || (reloading.tls.reload(&mut next, wanted), next))
                .await;
        let Ok((outcome, next)) = done else { continue };
        stamp = next;
        match outcome {
            Ok(Reloaded::Unchanged) => {}
            Ok(Reloaded::Changed) => {
                shared.metrics.tls_reload("changed");
                tracing::info!("tls files read again");
                shared.tls.log_notices();
            }
            Err(e) => {
                shared.metrics.tls_reload("failed");
                tracing::error!(error = %e, "new tls files cannot be used; the old ones stay in force");
            }
        }
    }
}
