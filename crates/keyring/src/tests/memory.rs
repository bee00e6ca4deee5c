//! Nothing of a keyring is left in this process's memory once its last snapshot is gone.

use std::fs::File;
use std::os::unix::fs::FileExt;

use sluis_crypto::{Secret, kdf, labels};
use zeroize::Zeroize;

use super::*;
use crate::{Collecting, Share};

/// Secrets to look for, masked, so that looking does not put them there. Halves, because the allocator writes over the
/// beginning of what it gets back.
#[derive(Default)]
struct Wanted(Vec<(&'static str, [u8; HALF])>);

const HALF: usize = 16;

const MASK: u8 = 0xa7;

impl Wanted {
    fn add(&mut self, name: &'static str, secret: &Secret) {
        for half in secret.expose().as_chunks::<HALF>().0 {
            let mut masked = [0; HALF];
            for (out, byte) in masked.iter_mut().zip(half) {
                *out = byte ^ MASK;
            }
            self.0.push((name, masked));
        }
    }

    /// The names of what is found anywhere in memory that can be written to.
    fn found(&self) -> Vec<&'static str> {
        let memory = File::open("/proc/self/mem").expect("own memory");
        let maps = std::fs::read_to_string("/proc/self/maps").expect("own memory");
        let mut found = Vec::new();
        for line in maps.lines().filter(|line| {
            line.split(' ')
                .nth(1)
                .is_some_and(|mode| mode.starts_with("rw"))
        }) {
            let (start, end) = line
                .split(' ')
                .next()
                .and_then(|range| range.split_once('-'))
                .expect("a range");
            let hex = |text| u64::from_str_radix(text, 16).expect("an address");
            self.search(&memory, hex(start), hex(end), &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn search(&self, memory: &File, start: u64, end: u64, found: &mut Vec<&'static str>) {
        let mut buffer = vec![0u8; 1 << 20];
        let mut at = start;
        while at < end {
            let length = buffer.len().min((end - at) as usize);
            // Some mappings cannot be read, and some end meanwhile.
            let Ok(read) = memory.read_at(&mut buffer[..length], at) else {
                break;
            };
            for byte in &mut buffer[..read] {
                *byte ^= MASK;
            }
            for window in buffer[..read].windows(HALF) {
                found.extend(
                    self.0
                        .iter()
                        .filter(|(_, masked)| masked == window)
                        .map(|(name, _)| *name),
                );
            }
            buffer.zeroize();
            if read <= HALF {
                break;
            }
            // What lies across the end of a piece is found at the beginning of the next.
            at += read as u64
                - if at + (read as u64) < end {
                    HALF as u64 - 1
                } else {
                    0
                };
        }
    }
}

fn wanted(keyring: &Keyring) -> Wanted {
    let mut wanted = Wanted::default();
    wanted.add("KEK", keyring.kek.secret());
    wanted.add("master", &keyring.master.secret);
    wanted.add("state key", &keyring.state.key);
    wanted.add("audit seed", &keyring.current_audit_key().seed);
    for keys in keyring.namespaces.values() {
        wanted.add("namespace root", &keys.root);
    }
    for keys in keyring.chains.values() {
        wanted.add("chain root", &keys.root);
    }
    for info in keyring.versions() {
        if let Some(elements) = keyring.elements(info.kid) {
            wanted.add("element root", &elements.root);
        }
        if let Some(line) = keyring.line(info.kid) {
            wanted.add("line root", &line.root);
            let escrow = line.escrow_root.as_ref().expect("none was cut");
            wanted.add("escrow root", escrow);
            wanted.add("identity seal key", &kdf(escrow, labels::IDENTITY_SEAL));
        }
    }
    wanted
}

/// In a thread of its own, so that its dead stack frames are not those of the search.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(work).join().expect("does not panic")
}

#[test]
fn nothing_of_a_keyring_is_left_when_its_last_snapshot_is_dropped() {
    let (desk, shares) = aside(|| {
        let (kek, shares) = Kek::split(2, 3).expect("splits");
        let mut desk = Desk::furnished();
        desk.change(4000, |change| change.rotate_kek(&kek));
        desk.kek = kek;
        (desk, shares)
    });
    let names = [
        "KEK",
        "audit seed",
        "chain root",
        "element root",
        "escrow root",
        "identity seal key",
        "line root",
        "master",
        "namespace root",
        "share",
        "state key",
    ];
    let (first, shares) = aside({
        let keyring = desk.keyring.clone();
        move || {
            let mut wanted = wanted(&keyring);
            shares
                .iter()
                .for_each(|share| wanted.add("share", &share.secret));
            (wanted, shares)
        }
    });
    assert_eq!(first.found(), names, "the search finds what is there");
    let Desk {
        store,
        kek,
        keyring,
    } = desk;
    // A second way in, as after a seal and an unseal, and a destruction on top.
    let after = aside(move || {
        drop((keyring, kek));
        let record = KekRecord::read(&store).expect("there");
        let mut collecting = Collecting::new(&record).expect("in shares");
        let mut give = |share: &Share| {
            collecting
                .give(share.text().parse().expect("a share"))
                .expect("right")
        };
        assert!(give(&shares[2]).is_none());
        let kek = give(&shares[0]).expect("enough");
        drop(shares);
        let keyring = Keyring::load(&store, &kek).expect("opens");
        let (changed, writes) = {
            let mut change = keyring.change(time(5000));
            change.destroy_chain(&chain("b"));
            change.finish()
        };
        store.apply(writes);
        let after = wanted(&changed);
        drop((keyring, kek));
        assert!(changed.date_shift(&chain("a")).is_some());
        after
    });
    let left = |wanted: &Wanted| wanted.found();
    assert_eq!(left(&first), [""; 0]);
    assert_eq!(left(&after), [""; 0]);
}
