//! Another key-encryption key, the same pseudonyms.

use std::sync::Arc;

use sluis_daemon::commands::{self, CommandError, Split};
use sluis_daemon::config::KekSource;
use sluis_daemon::{Daemon, KekFault, StartError};
use sluis_ledger::audit::Act;
use sluis_store::{Options, RocksStore};
use sluis_testkit::clock::TestClock;
use sluis_testkit_daemon::world::{self, World, batch, pseudonymise, values};

use super::{client_with, entries, name_holders, printed, unseal, use_shares};
use crate::refusals::{BSNS, CUSTODIAN, SOURCE, STUDY, tokens};

const TWO_OF_THREE: Split = Split {
    shares: 3,
    threshold: 2,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_file_to_shares_no_pseudonym_changes_and_the_file_opens_nothing() {
    let world = World::start().await;
    let before = tokens(&world, STUDY, &BSNS).await;
    let members = [CUSTODIAN, "custodian/ben", SOURCE].map(|member| world.pki.member(member));
    let ca = world.pki.ca_pem();
    let (_, directory) = world.stop().await;
    let settings = world::settings(directory.path());

    let same = super::rotate(&settings, &settings.kek, None);
    assert!(matches!(same, Err(CommandError::Usage(_))));
    let unsplit = super::rotate(&settings, &KekSource::Shares, None);
    assert!(matches!(unsplit, Err(CommandError::Usage(_))));
    let said = super::rotate(&settings, &KekSource::Shares, Some(TWO_OF_THREE)).expect("rotated");
    let shares = printed(&said);

    let store = || {
        Arc::new(RocksStore::open(&settings.data_directory, &Options::default()).expect("opens"))
    };
    let clock = || Arc::new(TestClock::now());
    let refused = Daemon::start(settings.clone(), store(), clock())
        .await
        .err();
    assert!(
        matches!(refused, Some(StartError::Kek(KekFault::Store(_)))),
        "{refused:?}"
    );

    use_shares(directory.path());
    let opened = store();
    let running = Daemon::start(world::settings(directory.path()), opened.clone(), clock())
        .await
        .expect("starts");
    let mut clients = Vec::new();
    for credentials in &members {
        let endpoint = format!("https://localhost:{}", running.addr().port());
        clients.push(client_with(&ca, endpoint, credentials).await);
    }
    assert_eq!(unseal(&clients[0], &shares[2]).await, "1 of 2");
    assert_eq!(unseal(&clients[1], &shares[0]).await, "open");
    let after = pseudonymise(&clients[2], STUDY, batch(&[("bsn", &BSNS)]))
        .await
        .expect("a source");
    assert_eq!(values(&after, "bsn"), before);
    let rotations = entries(&*opened)
        .into_iter()
        .filter(|(act, ..)| *act == Act::RotateKek);
    assert_eq!(
        rotations
            .map(|(_, who, end)| (who, end))
            .collect::<Vec<_>>(),
        [(None, Ok(Vec::new()))]
    );
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_of_an_older_set_are_foreign() {
    let house = super::House::new(TWO_OF_THREE);
    let path = house.directory.path();
    let file = KekSource::File(path.join("kek.2"));
    // The command reads shares from its standard input, so it is run as a process.
    let mut config = sluis_testkit_daemon::process::Sluisd::command(path, "rotate-kek");
    config.args(["--new-file", &path.join("kek.2").display().to_string()]);
    let input = format!("{}\n{}\n", house.shares[0], house.shares[2]);
    let output = super::memory::with_input(config, &input);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!String::from_utf8_lossy(&output.stdout).contains("sluisshare1"));

    super::edit(
        path,
        "shares = true",
        &format!("file = {:?}", path.join("kek.2").display().to_string()),
    );
    let settings = world::settings(path);
    assert_eq!(settings.kek, file);
    let said = super::rotate(&settings, &KekSource::Shares, Some(TWO_OF_THREE)).expect("rotated");
    let new = printed(&said);
    super::edit(
        path,
        &format!("file = {:?}", path.join("kek.2").display().to_string()),
        "shares = true",
    );
    let open = house.start().await;
    assert_eq!(
        open.unseal(super::HOLDERS[0], &house.shares[0]).await,
        "FOREIGN_SHARE"
    );
    assert_eq!(open.unseal(super::HOLDERS[0], &new[0]).await, "1 of 2");
    assert_eq!(open.unseal(super::HOLDERS[1], &new[1]).await, "open");
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_that_cannot_be_shown_are_not_put_into_force() {
    let world = World::start().await;
    let before = tokens(&world, STUDY, &BSNS).await;
    let (source, ca) = (world.pki.member(SOURCE), world.pki.ca_pem());
    let (_, directory) = world.stop().await;
    let settings = world::settings(directory.path());
    let mut shown = String::new();
    let failed = commands::rotate_kek(&settings, &KekSource::Shares, Some(TWO_OF_THREE), |said| {
        shown = said.to_owned();
        Err(std::io::ErrorKind::BrokenPipe.into())
    });
    assert!(
        matches!(failed, Err(CommandError::Process(..))),
        "{:?}",
        failed.map(drop)
    );
    assert_eq!(
        printed(&shown).len(),
        3,
        "all of them, and the command knew no other time"
    );

    let store =
        Arc::new(RocksStore::open(&settings.data_directory, &Options::default()).expect("opens"));
    let running = Daemon::start(settings, store.clone(), Arc::new(TestClock::now()))
        .await
        .expect("with the old key");
    let client = client_with(
        &ca,
        format!("https://localhost:{}", running.addr().port()),
        &source,
    )
    .await;
    let after = pseudonymise(&client, STUDY, batch(&[("bsn", &BSNS)]))
        .await
        .expect("a source");
    assert_eq!(values(&after, "bsn"), before);
    assert!(
        entries(&*store)
            .iter()
            .all(|(act, ..)| *act != Act::RotateKek)
    );
    running.shutdown().await;
}

/// A test of the tests' own helper: five holders are custodians.
#[test]
fn all_holders_are_custodians() {
    let directory = tempfile::tempdir().expect("scratch directory");
    world::write_config(directory.path(), "");
    name_holders(directory.path());
    assert_eq!(
        world::settings(directory.path()).custodians.len(),
        super::HOLDERS.len()
    );
}
