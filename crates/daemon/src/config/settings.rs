//! Stage two: what the configuration means.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sluis_domain::batch::MAX_ROWS;
use sluis_engine::{LifeSettings, OVERDUE_ROUNDS};
use sluis_keyring::TokenSettings;
use sluis_ledger::{Custodian, custodian};

use super::reader::Reader;
use crate::journal::OptOutJournal;
use crate::tls::Warnings;

const MIB: u64 = 1 << 20;

/// One stream may hold this part of the budget of bytes, so that a stream whose caller does not read cannot stop all
/// others.
const STREAM_SHARE: usize = 4;
/// Least room in a share beside the bytes of a message: a batch of 8,192 rows and four columns, at 256 bytes a value, and
/// some for the columns themselves.
const LEAST_SHARE: usize = 9 << 20;

/// What the daemon is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address of the gRPC listener.
    pub listen: SocketAddr,
    /// Trust domain of the SPIFFE ids of members.
    pub trust_domain: String,
    /// Directory of the store.
    pub data_directory: PathBuf,
    /// Directory of backups; without one, backups are refused.
    pub backup_directory: Option<PathBuf>,
    /// Who runs this custodian, with the keys they sign with; at least two.
    pub custodians: Vec<Custodian>,
    /// TLS.
    pub tls: TlsSettings,
    /// Where the key-encryption key is.
    pub kek: KekSource,
    /// How often a hardware security module is asked whether it is still there.
    pub kek_watch: Duration,
    /// What becomes of memory that cannot be locked.
    pub memory: MemoryLock,
    /// The head of the audit log.
    pub audit: AuditSettings,
    /// How long a chain past its retention is still there after the warning.
    pub retention_warning: Duration,
    /// Within how much time of its approval an erasure reaches every chain.
    pub erasure_window: Duration,
    /// How often is done what is due.
    pub housekeeping: Duration,
    /// Limits.
    pub limits: Limits,
    /// Memory of the store.
    pub store: StoreSettings,
    /// Logs and metrics.
    pub telemetry: TelemetrySettings,
}

/// What is overdue for less than that, in seconds without a break, does not end for good.
const OVERDUE_SECONDS: u32 = 3_600;

impl Settings {
    /// What the engine is told.
    pub(crate) fn engine(&self) -> sluis_engine::Settings {
        let life = LifeSettings {
            warning_millis: self.retention_warning.as_millis() as u64,
            erasure_window_millis: self.erasure_window.as_millis() as u64,
            overdue_rounds: OVERDUE_ROUNDS
                .max(OVERDUE_SECONDS.div_ceil(self.housekeeping.as_secs() as u32) + 1),
            journal: Some(Arc::new(OptOutJournal::beside(&self.audit.head_file))),
        };
        sluis_engine::Settings {
            custodians: self.custodians.clone(),
            trust_domain: self.trust_domain.clone(),
            life,
        }
    }
}

/// Files of TLS; all are read again when they change.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// PEM, the daemon's certificate chain, its own certificate first.
    pub cert: PathBuf,
    /// PEM, the private key of the certificate.
    pub key: PathBuf,
    /// PEM, the authorities that may issue client certificates.
    pub client_ca: PathBuf,
    /// PEM, the revocation lists of all those authorities (and of intermediates).
    pub crl: Option<PathBuf>,
    /// What becomes of clients when a revocation list is past its next update.
    pub crl_expired: CrlExpiry,
    /// How often to look whether the files changed.
    pub reload: Duration,
    /// When the operator is told that a certificate or a list ends.
    pub warnings: Warnings,
}

/// What a revocation list past its next update means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrlExpiry {
    /// No one can connect until there is a new one.
    Refuse,
    /// It is used as it is.
    Accept,
}

/// Where the key-encryption key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KekSource {
    /// A file of 32 bytes, readable by the daemon's user only.
    File(PathBuf),
    /// A systemd credential.
    Credential(String),
    /// Shares in the hands of custodians: the daemon starts sealed.
    Shares,
    /// A hardware security module.
    Token(TokenSettings),
}

/// What becomes of memory that cannot be locked, and so may be swapped to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLock {
    /// The process does not start.
    Require,
    /// It starts with a warning.
    IfAllowed,
}

/// The signed head of the audit log.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// Where the last signed head is kept; outside the data directory.
    pub head_file: PathBuf,
    /// How often a new head is signed and written, if the log grew.
    pub head_every: Duration,
    /// How long the head may not be written before all acts are refused.
    pub max_lag: Duration,
}

/// Limits on what callers can make the daemon hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most connections after their handshake.
    pub max_connections: usize,
    /// Most connections in their handshake; further ones wait in the backlog.
    pub max_pending_handshakes: usize,
    /// Most of them from one IPv4 address, or one network of 64 bits of IPv6.
    pub max_handshakes_per_address: usize,
    /// Longest handshake.
    pub handshake_timeout: Duration,
    /// Most concurrent RPCs of one connection.
    pub max_streams_per_connection: u32,
    /// Most concurrent RPCs of the data services, all connections together.
    pub max_data_calls: usize,
    /// Most concurrent RPCs of the other services, all connections together.
    pub max_other_calls: usize,
    /// How long a call waits for a slot, or for its caller's rate, before it is refused.
    pub call_wait: Duration,
    /// Most calls of one member that wait for a slot.
    pub max_waiting_calls: usize,
    /// Acts that one member may have put on record in a second, in the long run.
    pub acts_per_second: u32,
    /// And at once.
    pub acts_burst: u32,
    /// How often one member may try what is used up: a grant, a quota of the day.
    pub used_up_per_minute: u32,
    /// Largest request message.
    pub max_message_bytes: usize,
    /// Most rows of a batch.
    pub max_batch_rows: usize,
    /// Most batches of one stream between reading and answering.
    pub max_batches_in_flight: usize,
    /// Most bytes of all batches between reading and answering.
    pub in_flight_bytes: usize,
    /// Bytes in a second that a caller must read of an answer, and send of a message that it has begun.
    pub least_bytes_per_second: u32,
    /// How long a caller may be behind in reading before the connection is cut.
    pub unread: Duration,
    /// How long a whole request, or the first message of a stream, may take to arrive, and a caller be behind in sending.
    pub request: Duration,
    /// How long the next batch of a stream may take to arrive.
    pub idle: Duration,
    /// Largest header block of a request.
    pub max_header_bytes: u32,
    /// How long a stop waits for work in flight.
    pub drain: Duration,
    /// Threads that work on batches of one member at once; all members together have twice as many.
    pub cpu_threads: usize,
}

impl Limits {
    /// Most bytes of the budget that one stream, and so one batch, may hold.
    pub(crate) fn share(&self) -> usize {
        self.in_flight_bytes / STREAM_SHARE
    }

    /// What a message may be decoded into, beside its own bytes. No batch within its share becomes more: each of its values
    /// counts 256 bytes there and takes at most 64 when it is decoded, and there are at most 4,096 columns.
    pub(crate) fn decoded_bytes(&self) -> usize {
        self.share() / 4 + (2 << 20)
    }

    /// What is in force when nothing is configured.
    #[cfg(test)]
    pub(crate) fn default_for_tests() -> Self {
        limits(&mut Reader::new(config::Map::new(), Vec::new()))
    }
}

/// Memory of the store.
#[derive(Debug, Clone, Default)]
pub struct StoreSettings {
    /// Cache of uncompressed blocks.
    pub block_cache_bytes: usize,
    /// Write buffers of all families together.
    pub write_buffer_bytes: usize,
    /// Open SST files.
    pub max_open_files: i32,
    /// Acts are refused while fewer bytes of the disk are free; 0 turns the look at the disk off.
    pub min_free_bytes: u64,
    /// How long an act waits while the store holds writes back.
    pub max_stall: Duration,
}

/// Logs and metrics.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// Form of the log on standard error.
    pub log_format: LogFormat,
    /// Filter: a level, or targets with levels.
    pub log_level: String,
    /// Address of the Prometheus listener (plain HTTP); none by default.
    pub metrics_listen: Option<SocketAddr>,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For reading on a terminal.
    Text,
}

/// `None` exactly when a required value could not be read; problems are in the reader.
pub(super) fn read(reader: &mut Reader) -> Option<Settings> {
    let listen = reader.required("listen");
    let trust_domain = reader.required::<TrustDomain>("trust_domain");
    let data_directory = reader.required_path("data_directory");
    let backup_directory = reader.optional_path("backup_directory");
    let custodians = custodians(reader);
    let tls = tls(reader);
    let kek = kek(reader);
    let kek_watch = Duration::from_secs(reader.number("kek.watch_seconds", 10, 1..=3_600));
    let lock = [
        ("require", MemoryLock::Require),
        ("if-allowed", MemoryLock::IfAllowed),
    ];
    let memory = reader.choice("memory.lock", &lock);
    let audit = audit(reader, data_directory.as_deref());
    let retention_warning =
        Duration::from_secs(reader.number("retention.warning_days", 30, 1..=3_650) * 86_400);
    let erasure_window = erasure_window(reader);
    let housekeeping =
        Duration::from_secs(reader.number("housekeeping.every_seconds", 60, 1..=3_600));
    let limits = limits(reader);
    let store = store(reader);
    let telemetry = telemetry(reader);
    Some(Settings {
        listen: listen?,
        trust_domain: trust_domain?.0,
        data_directory: data_directory?,
        backup_directory,
        custodians,
        tls: tls?,
        kek: kek?,
        kek_watch,
        memory,
        audit: audit?,
        retention_warning,
        erasure_window,
        housekeeping,
        limits,
        store,
        telemetry: telemetry?,
    })
}

fn custodians(reader: &mut Reader) -> Vec<Custodian> {
    if !reader.has("custodians") {
        let what = "is required: the custodian's members, as [\"organisation/member=KEY\"]; `sluis key show` prints that";
        reader.problem("custodians", what);
        return Vec::new();
    }
    let custodians: Vec<Custodian> = reader.list("custodians");
    if custodians.len() < custodian::FEWEST {
        reader.problem(
            "custodians",
            "must name at least two organisation/member=KEY: what custodians sign, two of them sign",
        );
    }
    for (i, custodian) in custodians.iter().enumerate() {
        for other in &custodians[..i] {
            if other.identity == custodian.identity {
                reader.problem(
                    "custodians",
                    format!("{} is named twice", custodian.identity),
                );
            } else if other.key == custodian.key {
                let (one, two) = (&other.identity, &custodian.identity);
                reader.problem(
                    "custodians",
                    format!("{one} and {two} have the same key: each needs one of their own"),
                );
            }
        }
    }
    custodians
}

fn tls(reader: &mut Reader) -> Option<TlsSettings> {
    let cert = reader.required_path("tls.cert");
    let key = reader.required_path("tls.key");
    let client_ca = reader.required_path("tls.client_ca");
    let crl = reader.optional_path("tls.crl");
    let crl_expired = reader.choice(
        "tls.crl_expired",
        &[("refuse", CrlExpiry::Refuse), ("accept", CrlExpiry::Accept)],
    );
    let reload = Duration::from_secs(reader.number("tls.reload_seconds", 5, 1..=86_400));
    let warnings = Warnings {
        warn_days: reader.number("tls.warn_days", 14, 0..=3_650),
        alarm_days: reader.number("tls.alarm_days", 3, 0..=3_650),
    };
    Some(TlsSettings {
        cert: cert?,
        key: key?,
        client_ca: client_ca?,
        crl,
        crl_expired,
        reload,
        warnings,
    })
}

fn kek(reader: &mut Reader) -> Option<KekSource> {
    let given: Vec<_> = KEK_PLACES
        .into_iter()
        .filter(|key| reader.has(key))
        .collect();
    let file = reader.optional_path("kek.file").map(KekSource::File);
    let credential = reader
        .optional::<CredentialName>("kek.credential")
        .map(|name| KekSource::Credential(name.0));
    let shares = reader.only_true("kek.shares").map(|()| KekSource::Shares);
    let token = if given.contains(&"kek.pkcs11") {
        token(reader).map(KekSource::Token)
    } else {
        None
    };
    if given.len() == 1 {
        return file.or(credential).or(shares).or(token);
    }
    reader.problem(
        "kek",
        "exactly one of file, credential, shares and pkcs11 is required",
    );
    None
}

/// The places a key-encryption key can come from.
const KEK_PLACES: [&str; 4] = ["kek.file", "kek.credential", "kek.shares", "kek.pkcs11"];

fn token(reader: &mut Reader) -> Option<TokenSettings> {
    let module = reader.required_path("kek.pkcs11.module");
    let token = reader.required_text("kek.pkcs11.token");
    let key = reader.required_text("kek.pkcs11.key");
    let pin_file = reader.required_path("kek.pkcs11.pin_file");
    Some(TokenSettings {
        module: module?,
        token: token?,
        key: key?,
        pin_file: pin_file?,
    })
}

fn audit(reader: &mut Reader, data_directory: Option<&Path>) -> Option<AuditSettings> {
    let head_file = reader.required_path("audit.head_file");
    if let (Some(file), Some(data)) = (&head_file, data_directory) {
        if absolute(file).starts_with(absolute(data)) {
            let what = "must not lie in data_directory: whoever puts an old store back would put an old head back too";
            reader.problem("audit.head_file", what);
        }
        if file.file_name().is_none() {
            reader.problem("audit.head_file", "must name a file");
        }
    }
    let head_every = Duration::from_secs(reader.number("audit.head_seconds", 5, 1..=3_600));
    let max_lag = Duration::from_secs(reader.number("audit.max_lag_seconds", 60, 1..=86_400));
    if max_lag < head_every {
        let what =
            "must be at least audit.head_seconds: a head that is not due yet would end all acts";
        reader.problem("audit.max_lag_seconds", what);
    }
    Some(AuditSettings {
        head_file: head_file?,
        head_every,
        max_lag,
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// In hours; in seconds for demonstrations and tests.
fn erasure_window(reader: &mut Reader) -> Duration {
    if !reader.has("erasure.window_seconds") {
        return Duration::from_secs(reader.number("erasure.window_hours", 24, 1..=8_760) * 3_600);
    }
    if reader.has("erasure.window_hours") {
        reader.problem(
            "erasure",
            "window_hours and window_seconds exclude each other",
        );
    }
    Duration::from_secs(reader.number("erasure.window_seconds", 0, 0..=31_536_000))
}

fn limits(reader: &mut Reader) -> Limits {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut size = |key: &str, default, range| as_usize(reader.number(key, default, range));
    let pending = size("limits.max_pending_handshakes", 1_024, 1..=1_000_000);
    let limits = Limits {
        max_connections: size("limits.max_connections", 256, 1..=1_000_000),
        max_pending_handshakes: pending,
        max_handshakes_per_address: size(
            "limits.max_handshakes_per_address",
            (pending as u64 / 4).max(64).min(pending as u64),
            1..=1_000_000,
        ),
        handshake_timeout: Duration::from_secs(
            size("limits.handshake_timeout_seconds", 3, 1..=60) as u64
        ),
        max_streams_per_connection: size("limits.max_streams_per_connection", 64, 1..=10_000)
            as u32,
        max_data_calls: size("limits.max_data_calls", 32, 1..=100_000),
        max_other_calls: size("limits.max_other_calls", 32, 1..=100_000),
        call_wait: Duration::from_secs(size("limits.call_wait_seconds", 5, 0..=300) as u64),
        max_waiting_calls: size("limits.max_waiting_calls", 64, 0..=10_000),
        acts_per_second: size("limits.acts_per_second", 500, 1..=1_000_000) as u32,
        acts_burst: size("limits.acts_burst", 2_000, 1..=1_000_000) as u32,
        used_up_per_minute: size("limits.used_up_per_minute", 60, 1..=1_000_000) as u32,
        max_message_bytes: size("limits.max_message_bytes", 4 * MIB, MIB..=64 * MIB),
        max_batch_rows: size("limits.max_batch_rows", 16_384, 1..=MAX_ROWS as u64),
        max_batches_in_flight: size("limits.max_batches_in_flight", 8, 1..=1_024),
        in_flight_bytes: size(
            "limits.in_flight_bytes",
            128 * MIB,
            MIB..=u64::from(u32::MAX) >> 1,
        ),
        least_bytes_per_second: size("limits.least_bytes_per_second", 16 << 10, 1..=1 << 30) as u32,
        unread: Duration::from_secs(size("limits.unread_seconds", 60, 1..=86_400) as u64),
        request: Duration::from_secs(size("limits.request_seconds", 30, 1..=3_600) as u64),
        idle: Duration::from_secs(size("limits.idle_seconds", 300, 1..=86_400) as u64),
        max_header_bytes: size("limits.max_header_bytes", 16 << 10, 4 << 10..=MIB) as u32,
        drain: Duration::from_secs(size("limits.drain_seconds", 20, 0..=3_600) as u64),
        cpu_threads: size("limits.cpu_threads", cores as u64, 1..=1_024),
    };
    let least = STREAM_SHARE * (limits.max_message_bytes + LEAST_SHARE);
    if limits.in_flight_bytes < least {
        let what = format!(
            "must be at least {least}: four batches of 8192 rows and four columns in the largest message"
        );
        reader.problem("limits.in_flight_bytes", what);
    }
    limits
}

fn store(reader: &mut Reader) -> StoreSettings {
    let defaults = sluis_store::Options::default();
    let mut size =
        |key: &str, default: usize, range| as_usize(reader.number(key, default as u64, range));
    let block_cache_bytes = size(
        "store.block_cache_bytes",
        defaults.block_cache_bytes,
        MIB..=1 << 40,
    );
    let write_buffer_bytes = size(
        "store.write_buffer_bytes",
        defaults.write_buffer_bytes,
        MIB..=1 << 36,
    );
    let max_open_files = size(
        "store.max_open_files",
        usize::try_from(defaults.max_open_files).unwrap_or(512),
        64..=1_000_000,
    );
    let least = sluis_store::Options::least_free_bytes_for(write_buffer_bytes);
    let stall = defaults.longest_stall.as_secs();
    StoreSettings {
        block_cache_bytes,
        write_buffer_bytes,
        max_open_files: i32::try_from(max_open_files).unwrap_or(512),
        min_free_bytes: reader.number("store.min_free_bytes", least, 0..=1 << 40),
        max_stall: Duration::from_secs(reader.number("store.max_stall_seconds", stall, 1..=600)),
    }
}

fn telemetry(reader: &mut Reader) -> Option<TelemetrySettings> {
    let log_format = reader.choice(
        "telemetry.log_format",
        &[("json", LogFormat::Json), ("text", LogFormat::Text)],
    );
    let log_level = reader.or_default::<LogFilter>("telemetry.log_level", "info");
    let metrics_listen = reader.optional("telemetry.metrics_listen");
    Some(TelemetrySettings {
        log_format,
        log_level: log_level?.0,
        metrics_listen,
    })
}

/// Ranges above keep every number within `usize` of a 64-bit machine.
fn as_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Name of a SPIFFE trust domain (SPIFFE ID, section 2.1).
struct TrustDomain(String);

impl FromStr for TrustDomain {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        if allowed && (1..=255).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a trust domain is 1 to 255 characters of a-z, 0-9, '.', '_' and '-'")
        }
    }
}

/// A file name in `$CREDENTIALS_DIRECTORY`.
struct CredentialName(String);

impl FromStr for CredentialName {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.contains('/') || text.starts_with('.') {
            Err("a credential is named by a plain file name")
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// A filter of `tracing-subscriber`.
struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = tracing_subscriber::filter::ParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        tracing_subscriber::EnvFilter::try_new(text).map(|_| Self(text.to_owned()))
    }
}
