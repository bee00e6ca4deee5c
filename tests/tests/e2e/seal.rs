//! The keyring is opened by several people, closed by one, and gone from memory in between.

mod file;
mod forgery;
mod locked;
mod memory;
mod race;
mod rotation;
mod shares;
mod terminal;

use std::path::Path;
use std::sync::Arc;

use sluis_client::Client;
use sluis_daemon::commands::{self, CommandError, Split};
use sluis_daemon::config::{KekSource, Settings};
use sluis_daemon::{Daemon, Stopped};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Entry, Event};
use sluis_port::{Family, Store};
use sluis_store::{Options, RocksStore};
use sluis_testkit::clock::TestClock;
use sluis_testkit::people;
use sluis_testkit::pki::{Credentials, Pki};
use sluis_testkit_daemon::health::Health;
use sluis_testkit_daemon::world::{self, Cut};
use sluis_wire::v1;
use tempfile::TempDir;

use crate::refusals::outcome;
use sluis_testkit_daemon::raw::Services;

/// Five people with a share each.
const HOLDERS: [&str; 5] = [
    "custodian/anna",
    "custodian/ben",
    "custodian/carol",
    "custodian/dirk",
    "custodian/eva",
];

/// A custodian whose key is in shares.
struct House {
    directory: TempDir,
    pki: Pki,
    clock: Arc<TestClock>,
    shares: Vec<String>,
}

/// While it runs.
struct Open<'a> {
    house: &'a House,
    running: Cut,
    store: Arc<RocksStore>,
}

impl House {
    /// Set up, with the shares that were printed.
    fn new(split: Split) -> Self {
        let directory = tempfile::tempdir().expect("scratch directory");
        let pki = Pki::create(&directory.path().join("pki"));
        world::write_config(directory.path(), "");
        name_holders(directory.path());
        use_shares(directory.path());
        let said =
            commands::init(&world::settings(directory.path()), Some(split)).expect("a new store");
        Self {
            directory,
            pki,
            clock: Arc::new(TestClock::now()),
            shares: printed(&said),
        }
    }

    async fn start(&self) -> Open<'_> {
        let settings = world::settings(self.directory.path());
        let store = Arc::new(
            RocksStore::open(&settings.data_directory, &Options::default()).expect("opens"),
        );
        let running = Daemon::start(settings, store.clone(), self.clock.clone())
            .await
            .expect("starts, sealed");
        Open {
            house: self,
            running: Cut::new(running),
            store,
        }
    }
}

impl Open<'_> {
    async fn stop(self) {
        let Self { running, store, .. } = self;
        assert_eq!(running.shutdown().await, Stopped::Drained);
        drop(store);
    }

    fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.running.addr().port())
    }

    async fn client(&self, member: &str) -> Client {
        self.with(&self.house.pki.member(member)).await
    }

    async fn with(&self, credentials: &Credentials) -> Client {
        world::connect(&self.house.pki, self.endpoint(), credentials)
            .await
            .expect("connects")
    }

    /// Presents a share; `presented of threshold`, or why not.
    async fn unseal(&self, member: &str, share: &str) -> String {
        unseal(&self.client(member).await, share).await
    }

    async fn status(&self) -> v1::GetSealStatusResponse {
        let request = v1::GetSealStatusRequest {};
        self.client(HOLDERS[0])
            .await
            .seal_service()
            .get_seal_status(request)
            .await
            .expect("a custodian")
            .into_inner()
    }

    async fn health(&self) -> Health {
        Health::of(&self.house.pki, &self.endpoint()).await
    }

    /// All entries of the log.
    fn entries(&self) -> Vec<Told> {
        entries(&*self.store)
    }
}

/// What was done, which member did it, and how the keyring was opened, or why it was refused.
type Told = (Act, Option<String>, Result<Vec<u8>, String>);

fn entries(store: &dyn Store) -> Vec<Told> {
    let rows = store.scan(Family::Audit, &[], 10_000).expect("readable");
    let entries = rows
        .iter()
        .map(|(_, bytes)| Entry::decode(bytes).expect("an entry"));
    entries
        .map(|entry| {
            let caller = entry.header.caller;
            let member = caller.map(|caller| caller.identity.member.to_string());
            let outcome = match &entry.event {
                Event::Unseal(opening) => Ok(opening.encode()),
                other => other
                    .refused()
                    .map_or(Ok(Vec::new()), |reason| Err(reason.code().to_owned())),
            };
            (entry.event.act(), member, outcome)
        })
        .collect()
}

/// Presents a share; `presented of threshold` while sealed, `open`, or why not.
async fn unseal(client: &Client, share: &str) -> String {
    match client
        .seal_service()
        .unseal(v1::UnsealRequest {
            share: share.to_owned(),
        })
        .await
    {
        Ok(answer) => match answer.into_inner().status.expect("always set") {
            v1::GetSealStatusResponse { sealed: false, .. } => "open".to_owned(),
            v1::GetSealStatusResponse {
                presented,
                threshold,
                ..
            } => format!("{presented} of {threshold}"),
        },
        refused => outcome(refused),
    }
}

async fn seal(client: &Client) -> String {
    match client.seal_service().seal(v1::SealRequest {}).await {
        Ok(answer) => {
            assert!(answer.into_inner().status.expect("always set").sealed);
            "sealed".to_owned()
        }
        refused => outcome(refused),
    }
}

async fn whoami(client: &Client) -> String {
    outcome(client.identity().who_am_i(v1::WhoAmIRequest {}).await)
}

/// Connects to a daemon whose world is gone.
async fn client_with(ca_pem: &str, endpoint: String, credentials: &Credentials) -> Client {
    let pem = |text: &str| text.as_bytes().to_vec();
    let key = sluis_client::Zeroizing::new(pem(&credentials.key_pem));
    let config = sluis_client::Config::new(endpoint, pem(ca_pem), pem(&credentials.cert_pem), key);
    Client::connect(config).await.expect("connects")
}

/// `sluisd rotate-kek`: all that it showed and said.
fn rotate(
    settings: &Settings,
    to: &KekSource,
    split: Option<Split>,
) -> Result<String, CommandError> {
    let mut shown = String::new();
    let said = commands::rotate_kek(settings, to, split, |text| {
        shown.push_str(text);
        Ok(())
    })?;
    Ok(shown + &said)
}

/// The shares among what a command said.
fn printed(said: &str) -> Vec<String> {
    let lines = said
        .lines()
        .filter_map(|line| line.strip_prefix("share ")?.split_once(": "));
    let shares: Vec<_> = lines
        .enumerate()
        .map(|(i, (number, share))| {
            assert_eq!(number, (i + 1).to_string());
            share.to_owned()
        })
        .collect();
    assert!(!shares.is_empty(), "{said}");
    shares
}

/// Edits the configuration.
fn edit(directory: &Path, from: &str, to: &str) {
    let path = directory.join("sluisd.toml");
    let text = std::fs::read_to_string(&path).expect("written before");
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replace(from, to)).expect("scratch file");
}

/// From a key file to shares.
fn use_shares(directory: &Path) {
    edit(
        directory,
        &format!("file = {:?}", directory.join("kek").display().to_string()),
        "shares = true",
    );
}

/// Makes all of [`HOLDERS`] custodians.
fn name_holders(directory: &Path) {
    let last = people::custodians().pop().expect("there are some");
    let more: String = HOLDERS[2..]
        .iter()
        .map(|member| format!(", \"{member}={}\"", people::public_key(member)))
        .collect();
    edit(
        directory,
        &format!("\"{last}\""),
        &format!("\"{last}\"{more}"),
    );
}
