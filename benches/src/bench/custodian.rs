//! A custodian of the real binaries: `sluisd` as a process, its registry, and grants.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sluis_client::Client;
use sluis_domain::{ChainId, ElementName, GrantId};
use sluis_ledger::grant::{Kind, OutputOrder, Terms};
use sluis_port::Clock;
use sluis_testkit::clock::TestClock;
use sluis_testkit::pki::Pki;
use sluis_testkit::registry::{CUSTODIANS, pinned};
use sluis_testkit_daemon::process::{Sluis, Sluisd, peak_memory};
use sluis_testkit_daemon::world::connect;

/// Who sends identifiers and re-identifies.
pub(crate) const SOURCE: &str = "source/etl";
/// Who converts.
pub(crate) const OWNER: &str = "owner/etl";
const STEWARDS: [&str; 2] = ["owner/steward-1", "owner/steward-2"];

const REGISTRY: &str = include_str!("registry.toml");
/// What one member may do in a second: by default 500 calls and batches, which would be the result of most cases.
/// Everything else is the default; docs/benchmarks.md says so.
const CONFIGURATION: &str = "[limits]\nacts_per_second = 1000000\nacts_burst = 1000000\n";
/// More values than any case sends.
const MANY: u64 = 1 << 40;
const DAY: u64 = 24 * 3_600_000;

/// A running daemon.
pub(crate) struct Custodian {
    daemon: Option<Sluisd>,
    pki: Pki,
    directory: PathBuf,
    /// Most memory of the daemons that have ended, in bytes.
    peak: u64,
}

impl Custodian {
    /// A daemon with its certificates, configuration, store and log in `directory`, which serves; without a registry.
    pub(crate) fn start(directory: &Path) -> Self {
        let pki = Sluisd::prepare(directory, CONFIGURATION);
        Self {
            daemon: Some(Sluisd::start(directory)),
            pki,
            directory: directory.to_owned(),
            peak: 0,
        }
    }

    /// Puts the registry of the benchmark in force.
    pub(crate) async fn apply_registry(&self) {
        let text = pinned(REGISTRY, &STEWARDS);
        let custodian = self.client(CUSTODIANS[0]).await;
        let preview = custodian.preview_registry(&text).await;
        let version = preview.expect("a valid registry").version;
        let proposed = custodian.propose_registry(&text, version).await;
        let proposal = proposed.expect("a valid registry").proposal;
        let mut proposal = proposal.expect("an empty custodian has another registry");
        for member in CUSTODIANS {
            let signed = self.client(member).await.sign_proposal(&proposal).await;
            proposal = signed.expect("a custodian signs");
        }
    }

    /// A connection of its own for `organisation/member`.
    pub(crate) async fn client(&self, member: &str) -> Client {
        let credentials = self.pki.member(member);
        let client = connect(&self.pki, self.daemon().endpoint(), &credentials).await;
        client.expect("the daemon accepts its members")
    }

    /// The command line of `organisation/member`.
    pub(crate) fn sluis(&self, member: &str) -> Sluis {
        Sluis::of(&self.pki, &self.daemon().endpoint(), member)
    }

    /// A grant for [`OWNER`] to convert the BSNs of a chain, in order.
    pub(crate) async fn convert_grant(&self, from: &str, to: &str) -> GrantId {
        let end = |chain: &str| (chain_id(chain), element("bsn"));
        let kind = Kind::Convert {
            from: end(from),
            to: end(to),
            order: OutputOrder::Ordered,
        };
        self.grant(OWNER, kind).await
    }

    /// A grant for [`SOURCE`] to re-identify an element of a chain.
    pub(crate) async fn reidentify_grant(&self, chain: &str, name: &str) -> GrantId {
        let kind = Kind::Reidentify {
            chain: chain_id(chain),
            elements: vec![element(name)],
        };
        self.grant(SOURCE, kind).await
    }

    async fn grant(&self, requester: &str, kind: Kind) -> GrantId {
        let terms = Terms {
            kind,
            purpose: "a benchmark".to_owned(),
            legal_basis: "none needed".to_owned(),
            max_values: MANY,
            max_values_per_day: None,
            not_before: None,
            not_after: TestClock::now().now().plus_millis(DAY),
        };
        let requested = self.client(requester).await.request_grant(&terms).await;
        let mut grant = requested.expect("the registry allows it");
        for steward in STEWARDS {
            let approved = self.client(steward).await.approve_grant(&grant).await;
            grant = approved.expect("a steward of the owner approves");
        }
        grant.grant.id.clone()
    }

    /// Where record files of the command line go.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Process id of the daemon.
    pub(crate) fn pid(&self) -> u32 {
        self.daemon().pid()
    }

    /// Stops the daemon in order and starts it again; the time from its start until it serves. Its address is another then.
    pub(crate) fn restart(&mut self) -> Duration {
        self.peak = self.peak_memory();
        let daemon = self.daemon.take().expect("it runs");
        let (code, log) = daemon.terminate();
        assert_eq!(code, Some(0), "{log}");
        let started = Instant::now();
        self.daemon = Some(Sluisd::start(&self.directory));
        started.elapsed()
    }

    /// Most resident memory of the daemon so far, in bytes, over all its starts.
    pub(crate) fn peak_memory(&self) -> u64 {
        let now = peak_memory(self.pid()).expect("it runs");
        now.max(self.peak)
    }

    fn daemon(&self) -> &Sluisd {
        self.daemon.as_ref().expect("it runs")
    }
}

/// A chain of the registry.
pub(crate) fn chain_id(id: &str) -> ChainId {
    id.parse().expect("an id of the registry")
}

/// An element of the registry.
pub(crate) fn element(name: &str) -> ElementName {
    name.parse().expect("an element of the registry")
}
