//! Promise 1: without the keys, pseudonyms say nothing about identifiers, other chains, or who is in both.

use std::collections::HashSet;

use serde_json::Value;
use sluis_crypto::escrow::EscrowKeys;
use sluis_crypto::{LinkKey, PseudonymKey, Secret};
use sluis_domain::Kid;
use sluis_keyring::{Kek, Keyring, LineVersion};
use sluis_store::{Options, RocksStore};
use sluis_testkit_daemon::scene::Scene;

use super::{bsns, column, pseudonymise};

const ROWS: usize = 1_000;

/// The active key version of a line of a stopped custodian.
pub(super) fn line(scene: &Scene, chain: &str, namespace: &str) -> std::sync::Arc<LineVersion> {
    let store =
        RocksStore::open(&scene.path("data"), &Options::default()).expect("the daemon has stopped");
    let kek = Kek::from_file(&scene.path("kek")).expect("readable");
    let keyring = Keyring::load(&store, &kek).expect("the key fits");
    let line = keyring.active_line(
        &chain.parse().expect("an id"),
        &namespace.parse().expect("an id"),
    );
    line.expect("the chain has the namespace").clone()
}

/// The 16 bytes of each token.
fn pseudonyms(tokens: &[String]) -> Vec<u128> {
    let parse = |token: &String| {
        let (_, pseudonym) = sluis_crypto::token::parse_text(token.as_bytes()).expect("a token");
        u128::from_be_bytes(*pseudonym.as_bytes())
    };
    tokens.iter().map(parse).collect()
}

/// Two lists of pseudonyms of the same subjects in the same order look like independent random numbers.
fn assert_unrelated(a: &[u128], b: &[u128]) {
    let n = a.len() as f64;
    assert!(a.len() == b.len() && n >= 500.0);
    assert!(
        a.iter()
            .collect::<HashSet<_>>()
            .is_disjoint(&b.iter().collect()),
        "a pseudonym of both"
    );
    let xor: Vec<u128> = a.iter().zip(b).map(|(a, b)| a ^ b).collect();
    let sums: HashSet<u128> = a.iter().zip(b).map(|(a, b)| a.wrapping_sub(*b)).collect();
    assert_eq!(
        (xor.iter().collect::<HashSet<_>>().len(), sums.len()),
        (a.len(), a.len()),
        "a constant difference"
    );
    // Each bit of the difference is a fair coin: over n subjects its share of ones has a standard deviation of
    // 0.5 / sqrt(n). Eight of them are passed once in 10^15 times, and there are 128 bits.
    let bound = 8.0 * 0.5 / n.sqrt();
    for bit in 0..128 {
        let share = xor.iter().filter(|x| *x >> bit & 1 == 1).count() as f64 / n;
        assert!(
            (share - 0.5).abs() < bound,
            "bit {bit} is equal in {share} of all subjects"
        );
    }
    // Nor does the order of one give the order of the other (Kendall: pairs of neighbours that rise in both).
    let together = a
        .windows(2)
        .zip(b.windows(2))
        .filter(|(a, b)| (a[0] < a[1]) == (b[0] < b[1]))
        .count();
    assert!(
        (together as f64 / (n - 1.0) - 0.5).abs() < 2.0 * bound,
        "{together} of {n} pairs in the same order"
    );
}

#[test]
#[should_panic(expected = "bit 0")]
fn related_pseudonyms_are_noticed() {
    let a: Vec<u128> = (0..1_000_u128)
        .map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) & !1)
        .collect();
    let b: Vec<u128> = a
        .iter()
        .map(|a| a.wrapping_mul(0xd130_2a85_3f8d_5b1b_0f5b_6e6f_1c8f_6a31))
        .collect();
    assert_unrelated(&a, &b);
}

#[test]
fn promise_1_pseudonyms_of_two_chains_and_of_two_custodians_are_unrelated() {
    let (here, elsewhere) = (Scene::start(""), Scene::start(""));
    let ids: Vec<_> = bsns().take(ROWS).collect();
    // The e-mail line is unlinked; the same identifier in it must not show either.
    let with_email: Vec<_> = ids
        .iter()
        .map(|id| format!("{id},{id}@example.org"))
        .collect();
    let mut lists = Vec::new();
    for (scene, chain, input) in [
        (
            &here,
            "diabetes-study",
            format!("bsn,email\n{}\n", with_email.join("\n")),
        ),
        (
            &here,
            "national-registry",
            format!("bsn\n{}\n", ids.join("\n")),
        ),
        (
            &elsewhere,
            "diabetes-study",
            format!("bsn\n{}\n", ids.join("\n")),
        ),
    ] {
        scene.write("in.csv", input);
        pseudonymise(scene, "hospital-north/etl", chain, "in.csv", "out.csv");
        let output = scene.read("out.csv");
        let elements = if output.starts_with("bsn,email") {
            &["bsn", "email"][..]
        } else {
            &["bsn"]
        };
        lists.extend(
            elements
                .iter()
                .map(|element| pseudonyms(&column(&output, ',', element))),
        );
    }
    let identifiers: Vec<u128> = ids.iter().map(|id| id.parse().expect("digits")).collect();
    for (i, a) in lists.iter().enumerate() {
        assert_unrelated(
            a,
            &identifiers
                .iter()
                .map(|id| id << 96 | id << 64 | id << 32 | id)
                .collect::<Vec<_>>(),
        );
        lists[..i].iter().for_each(|b| assert_unrelated(a, b));
    }
}

/// What the method makes of a case of the published vectors under given roots.
struct Made {
    link_value: [u8; 16],
    pseudonym: [u8; 16],
    row_key: [u8; 20],
}

fn make(case: &Value, root_namespace: &Secret, root_kid: &Secret, escrow_kid: &Secret) -> Made {
    let linked = case["link"] != "none";
    let link = if linked {
        LinkKey::linked(root_namespace)
    } else {
        LinkKey::unlinked(root_kid)
    };
    let link_value = link.link_value(&hex(&case["x"]));
    let pseudonym = PseudonymKey::new(root_kid).pseudonym(&link_value);
    let kid =
        Kid::from_be_bytes(hex(&case["kid"]).try_into().expect("four bytes")).expect("not zero");
    let escrow = EscrowKeys::new(escrow_kid, kid);
    Made {
        link_value: *link_value.expose(),
        pseudonym: *pseudonym.as_bytes(),
        row_key: escrow.row_key(&pseudonym),
    }
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().expect("hexadecimal").as_bytes();
    let byte = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal")
    };
    digits.chunks(2).map(byte).collect()
}

#[test]
fn promise_1_every_root_matters_and_none_opens_another_chain() {
    let text = include_str!("../../../../docs/vectors/sluis-1.json");
    let vectors: Value = serde_json::from_str(text).expect("JSON");
    let root = |case: &Value, name: &str| case.get(name).and_then(|v| Secret::from_slice(&hex(v)));
    let mut seen = 0;
    for case in vectors["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .filter(|case| case["link"] == "escrow")
    {
        let roots = ["root_namespace", "root_kid", "escrow_kid"]
            .map(|name| root(case, name).expect("a root"));
        let [namespace, kid, escrow] = &roots;
        let other = Secret::random();
        let made = make(case, namespace, kid, escrow);
        assert_eq!(
            made.pseudonym.to_vec(),
            hex(&case["pseudonym"]),
            "this is the published method"
        );
        // Another namespace root: another subject value, so another pseudonym.
        let changed = make(case, &other, kid, escrow);
        assert!(changed.link_value != made.link_value && changed.pseudonym != made.pseudonym);
        // Another version's or chain's root: the same subject value, another pseudonym.
        let changed = make(case, namespace, &other, escrow);
        assert!(changed.link_value == made.link_value && changed.pseudonym != made.pseudonym);
        // Another escrow root: the same pseudonym, found nowhere in this escrow.
        let changed = make(case, namespace, kid, &other);
        assert!(changed.pseudonym == made.pseudonym && changed.row_key != made.row_key);
        // Unlinked: the pseudonym depends on nothing that other chains have.
        let mut unlinked = case.clone();
        unlinked["link"] = "none".into();
        let alone = make(&unlinked, namespace, kid, escrow);
        assert_eq!(
            alone.pseudonym,
            make(&unlinked, &other, kid, escrow).pseudonym
        );
        assert_ne!(alone.pseudonym, made.pseudonym);
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}
