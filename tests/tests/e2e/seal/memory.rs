//! What is in the memory of the real binary, read from outside: keys while it is open, none after a seal.
//!
//! The needles are opened here from a copy of the store, by the tables in `crates/keyring/src/entry.rs` and the primitives
//! of `sluis-crypto` alone. The daemon's memory is not this process's, so it does not matter that they are here.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sluis_crypto::{Secret, kdf, wrap};
use sluis_daemon::commands::Split;
use sluis_daemon::config::KekSource;
use sluis_port::{Family, Store};
use sluis_store::{Options, RocksStore};
use sluis_testkit_daemon::process::Sluisd;
use sluis_testkit_daemon::world::{self, World, batch, pseudonymise};

use super::forgery::{combine, point};
use super::{client_with, printed, seal, unseal, use_shares};
use crate::refusals::{BSNS, CUSTODIAN, SOURCE, STUDY, tokens};

/// What is looked for, and its name.
type Needle = (String, [u8; 32]);

/// Runs a command to its end with this standard input.
pub(super) fn with_input(mut command: Command, input: &str) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(input.as_bytes())
        .expect("reads its input");
    child.wait_with_output().expect("ends")
}

/// All roots in a store, opened with its KEK.
fn roots(store: &dyn Store, kek: &Secret) -> Vec<Needle> {
    let rows = store.scan(Family::Keyring, &[], 10_000).expect("readable");
    let (first, _) = &rows[0];
    assert_eq!(first[..], [1], "the master comes first");
    let master = open(&rows[0].0, &rows[0].1, kek);
    let mut needles = vec![("the keyring master".to_owned(), *master.expose())];
    for (key, value) in &rows[1..] {
        let role = [
            "",
            "master",
            "state",
            "namespace",
            "chain",
            "line",
            "escrow",
            "element",
            "audit",
        ][usize::from(key[0])];
        let root = open(key, value, &master);
        needles.push((format!("root of {role} {:02x?}", &key[1..]), *root.expose()));
        if role == "line" {
            needles.push((
                format!("pseudonym key {:02x?}", &key[1..]),
                *kdf(&root, b"sluis/1 pseudonym").expose(),
            ));
        }
        if role == "escrow" {
            needles.push((
                format!("index key {:02x?}", &key[1..]),
                *kdf(&root, b"sluis/1 index").expose(),
            ));
        }
    }
    needles
}

/// Opens one entry.
fn open(key: &[u8], value: &[u8], wrapping: &Secret) -> Secret {
    let mut rest = &value[1..];
    let mut take = |n: usize| {
        let (head, tail) = rest.split_at(n);
        rest = tail;
        head
    };
    let lp = |take: &mut dyn FnMut(usize) -> Vec<u8>| {
        let length = take(2);
        take(usize::from(u16::from_be_bytes([length[0], length[1]])))
    };
    let mut own = |n: usize| take(n).to_vec();
    let (namespace, chain) = (lp(&mut own), lp(&mut own));
    let (kid, state, generation, made) = (own(4), own(1), own(4), own(8));
    let method = lp(&mut own);
    let (_check, sealed) = (own(16), own(72));
    let parts = [
        &key[..1],
        &namespace,
        &chain,
        &kid,
        &state,
        &method,
        &generation,
        &made,
    ];
    let aad: Vec<u8> = parts
        .iter()
        .flat_map(|part| [&(part.len() as u16).to_be_bytes()[..], part].concat())
        .collect();
    let root = wrap::open(wrapping, &aad, &sealed).expect("the tables are right");
    Secret::from_slice(&root).expect("32 bytes")
}

/// The names of the needles in the memory of a process.
fn found(pid: u32, needles: &[Needle]) -> Vec<String> {
    let maps =
        std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("this test runs as root");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("this test runs as root");
    let mut hit = vec![false; needles.len()];
    for line in maps.lines().filter(|line| {
        line.split(' ')
            .nth(1)
            .is_some_and(|flags| flags.starts_with("rw"))
    }) {
        let (from, to) = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'))
            .expect("a range");
        let parse = |text| u64::from_str_radix(text, 16).expect("an address");
        search(&memory, parse(from), parse(to), needles, &mut hit);
    }
    needles
        .iter()
        .zip(hit)
        .filter(|(_, hit)| *hit)
        .map(|((name, _), _)| name.clone())
        .collect()
}

fn search(memory: &File, from: u64, to: u64, needles: &[Needle], hit: &mut [bool]) {
    const WINDOW: usize = 1 << 20;
    let mut buffer = vec![0; WINDOW + 31];
    let first_two = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let mut begins = vec![false; 1 << 16];
    needles
        .iter()
        .for_each(|(_, needle)| begins[first_two(needle)] = true);
    for at in (from..to).step_by(WINDOW) {
        let wanted = usize::try_from(to - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        // What cannot be read (a guard page) holds nothing.
        let Ok(length) = memory.read_at(&mut buffer[..wanted], at) else {
            return;
        };
        if buffer[..length].iter().all(|byte| *byte == 0) {
            continue;
        }
        for window in buffer[..length]
            .windows(32)
            .filter(|window| begins[first_two(window)])
        {
            for ((_, needle), hit) in needles.iter().zip(&mut *hit) {
                *hit |= window == needle;
            }
        }
    }
}

fn kek_of(path: &Path) -> Secret {
    let mut text = String::new();
    File::open(path)
        .expect("there")
        .read_to_string(&mut text)
        .expect("text");
    let byte = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal")
    };
    let bytes: Vec<u8> = text.trim().as_bytes().chunks(2).map(byte).collect();
    Secret::from_slice(&bytes).expect("32 bytes")
}

/// Runs the real binary in `directory`, opens it with `shares`, seals it, and looks for `kek` and all roots.
async fn keys_come_and_go(world: World, directory: impl FnOnce(&Path) -> (Secret, Vec<String>)) {
    let people = [CUSTODIAN, "custodian/ben", SOURCE].map(|member| world.pki.member(member));
    let (ca, _) = (world.pki.ca_pem(), tokens(&world, STUDY, &BSNS).await);
    let (_, scratch) = world.stop().await;
    let (kek, shares) = directory(scratch.path());
    let settings = world::settings(scratch.path());
    let store = RocksStore::open(&settings.data_directory, &Options::default()).expect("opens");
    let mut needles = roots(&store, &kek);
    drop(store);
    needles.push(("the key-encryption key".to_owned(), *kek.expose()));

    let daemon = Sluisd::start(scratch.path());
    let mut clients = Vec::new();
    for credentials in &people {
        clients.push(client_with(&ca, daemon.endpoint(), credentials).await);
    }
    for round in 0..2 {
        if !shares.is_empty() {
            assert_eq!(
                found(daemon.pid(), &needles),
                Vec::<String>::new(),
                "before it is opened, round {round}"
            );
        }
        for (client, share) in clients.iter().zip(&shares) {
            unseal(client, share).await;
        }
        pseudonymise(&clients[2], STUDY, batch(&[("bsn", &BSNS)]))
            .await
            .expect("open");
        let present = found(daemon.pid(), &needles);
        for name in [
            "the key-encryption key",
            "the keyring master",
            "root of namespace",
            "root of line",
            "root of escrow",
        ] {
            assert!(
                present.iter().any(|found| found.starts_with(name)),
                "{name} is not among {present:?}"
            );
        }
        assert_eq!(seal(&clients[0]).await, "sealed");
        assert_eq!(
            found(daemon.pid(), &needles),
            Vec::<String>::new(),
            "after a seal, round {round}"
        );
        if shares.is_empty() {
            assert_eq!(unseal(&clients[1], "").await, "open");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_from_a_file_are_gone_after_a_seal() {
    keys_come_and_go(World::start().await, |directory| {
        (kek_of(&directory.join("kek")), Vec::new())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_from_shares_are_gone_after_a_seal() {
    let rotated = |directory: &Path| {
        let split = Split {
            shares: 3,
            threshold: 2,
        };
        let said = super::rotate(&world::settings(directory), &KekSource::Shares, Some(split))
            .expect("rotated");
        use_shares(directory);
        let shares = printed(&said)[..2].to_vec();
        (
            Secret::from_slice(&combine(&point(&shares[0]), &point(&shares[1]))).expect("32 bytes"),
            shares,
        )
    };
    keys_come_and_go(World::start().await, rotated).await;
}
