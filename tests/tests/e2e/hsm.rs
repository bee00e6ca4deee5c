//! A hardware security module that goes and comes back, against SoftHSM and the real binary. The module is a library in
//! the daemon's process, which finds its tokens through `SOFTHSM2_CONF`; it "goes" when its directory is moved away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sluis_client::Client;
use sluis_testkit::pki::Pki;
use sluis_testkit_daemon::process::Sluisd;
use sluis_testkit_daemon::wait::until;
use sluis_testkit_daemon::world;
use sluis_wire::v1;
use tempfile::TempDir;

use crate::refusals::{CUSTODIAN, outcome};
use sluis_testkit_daemon::raw::Services;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

struct House {
    directory: TempDir,
    pki: Pki,
}

impl House {
    /// A token, and a custodian whose key is in it.
    fn new() -> Self {
        assert!(
            Path::new(MODULE).exists(),
            "SoftHSM is needed; run: deploy/setup.sh test"
        );
        let directory = tempfile::tempdir().expect("scratch directory");
        let house = Self {
            pki: Pki::create(&directory.path().join("pki")),
            directory,
        };
        let (tokens, pin) = (house.path("tokens"), house.path("pin"));
        fs::create_dir(&tokens).expect("scratch directory");
        fs::write(
            house.path("softhsm2.conf"),
            format!("directories.tokendir = {}\n", tokens.display()),
        )
        .expect("written");
        fs::write(&pin, "1234\n").expect("written");
        fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).expect("own file");
        let mut util = Command::new("softhsm2-util");
        util.args([
            "--init-token",
            "--free",
            "--label",
            "sluis",
            "--so-pin",
            "87654321",
            "--pin",
            "1234",
        ]);
        let made = util
            .env("SOFTHSM2_CONF", house.path("softhsm2.conf"))
            .output()
            .expect("softhsm2-util runs");
        assert!(made.status.success(), "{made:?}");
        house.configure();
        let output = house.command("init").output().expect("sluisd runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        house
    }

    fn configure(&self) {
        world::write_config(self.directory.path(), "");
        let path = self.path("sluisd.toml");
        let text = fs::read_to_string(&path).expect("written");
        let file = format!("file = {:?}", self.path("kek").display().to_string());
        assert!(text.contains(&file));
        let token = format!(
            "pkcs11 = {{ module = {MODULE:?}, token = \"sluis\", key = \"kek\", pin_file = {:?} }}\nwatch_seconds = 1",
            self.path("pin").display().to_string()
        );
        fs::write(path, text.replace(&file, &token)).expect("scratch file");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, command: &str) -> Command {
        let mut sluisd = Sluisd::command(self.directory.path(), command);
        sluisd.env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        sluisd
    }

    fn start(&self) -> Sluisd {
        Sluisd::start_command(self.command("run"))
    }

    async fn custodian(&self, daemon: &Sluisd) -> Client {
        let credentials = self.pki.member(CUSTODIAN);
        world::connect(&self.pki, daemon.endpoint(), &credentials)
            .await
            .expect("connects")
    }

    /// Takes the token away.
    fn take_away(&self) {
        fs::rename(self.path("tokens"), self.path("aside")).expect("same directory");
    }

    fn bring_back(&self) {
        fs::rename(self.path("aside"), self.path("tokens")).expect("same directory");
    }
}

async fn whoami(client: &Client) -> String {
    outcome(client.identity().who_am_i(v1::WhoAmIRequest {}).await)
}

async fn status(client: &Client) -> (bool, String) {
    let answer = client
        .seal_service()
        .get_seal_status(v1::GetSealStatusRequest {})
        .await
        .expect("a custodian")
        .into_inner();
    assert_eq!(answer.provider, "pkcs11");
    (answer.sealed, answer.reason)
}

/// Waits until the daemon has noticed.
async fn becomes(client: &Client, sealed: bool, reason: &str) {
    until("the daemon notices", async || {
        status(client).await == (sealed, reason.to_owned())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_goes_seals_the_custodian_until_it_is_back() {
    let house = House::new();
    let daemon = house.start();
    let client = house.custodian(&daemon).await;
    assert_eq!(whoami(&client).await, "allowed");
    house.take_away();
    becomes(&client, true, "HSM_UNAVAILABLE").await;
    assert_eq!(whoami(&client).await, "SEALED");
    let unseal = client
        .seal_service()
        .unseal(v1::UnsealRequest::default())
        .await;
    assert_eq!(outcome(unseal), "HSM_UNAVAILABLE");
    house.bring_back();
    becomes(&client, false, "").await;
    assert_eq!(whoami(&client).await, "allowed");
    let (code, log) = daemon.terminate();
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_away_at_the_start_is_waited_for() {
    let house = House::new();
    house.take_away();
    let daemon = house.start();
    let client = house.custodian(&daemon).await;
    assert_eq!(status(&client).await, (true, "HSM_UNAVAILABLE".to_owned()));
    house.bring_back();
    becomes(&client, false, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custodian_seals_and_unseals_with_the_token() {
    let house = House::new();
    let daemon = house.start();
    let client = house.custodian(&daemon).await;
    assert_eq!(
        outcome(client.seal_service().seal(v1::SealRequest {}).await),
        "allowed"
    );
    assert_eq!(status(&client).await, (true, String::new()));
    assert_eq!(
        outcome(
            client
                .seal_service()
                .unseal(v1::UnsealRequest::default())
                .await
        ),
        "allowed"
    );
    assert_eq!(status(&client).await, (false, String::new()));
}

#[test]
fn a_wrong_pin_is_refused_at_the_start_and_tried_once() {
    let house = House::new();
    fs::write(house.path("pin"), "4321\n").expect("written");
    let output = house.command("run").output().expect("sluisd runs");
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("the token refuses the PIN"),
        "{output:?}"
    );
}
