//! A chain with tokens that carry their links: from records to conversions, an objection and a cut, without a row on the disk.

use sluis_crypto::token::Token;
use sluis_port::{Family, Store};
use sluis_store::{Options, RocksStore};
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::scene::{Scene, field};

use super::{bsns, column, exits, pseudonymise};

const CHAIN: &str = "national-registry";
const STUDY: &str = "diabetes-study";
const OWNERS: [&str; 2] = ["uni-research/steward-1", "registry-office/steward-a"];
const SIGNERS: [&str; 2] = ["registry-office/steward-a", "registry-office/steward-b"];

/// The registry of the tests, in which the national registry carries its links.
fn carried() -> String {
    let text = registry();
    let (before, chain) = text.split_once(CHAIN).expect("a chain");
    let chain = chain.replacen("link = \"escrow\"", "link = \"carried\"", 1);
    format!("{before}{CHAIN}{chain}")
}

fn parsed(text: &str) -> Token {
    Token::parse(text.as_bytes()).expect("a token")
}

/// Tokens of a file of identifiers.
fn tokens(scene: &Scene, chain: &str) -> Vec<String> {
    let identifiers = scene.file("identifiers.csv");
    pseudonymise(scene, "hospital-north/etl", chain, &identifiers, "out.csv");
    column(&scene.read("out.csv"), ',', "bsn")
}

fn grant(scene: &Scene, from: &str, to: &str) -> String {
    let (from, to) = (format!("{from}/bsn"), format!("{to}/bsn"));
    let terms = [
        "convert",
        "--from",
        &from,
        "--to",
        &to,
        "--max-values",
        "1000",
    ];
    scene.grant("registry-office/etl", &terms, &OWNERS)
}

/// Converts tokens; what came out and what was refused.
#[track_caller]
fn converted(scene: &Scene, grant: &str, tokens: &[String], code: i32) -> (Vec<String>, String) {
    let input = scene.write("tokens.csv", format!("bsn\n{}\n", tokens.join("\n")));
    let (output, rejects) = (scene.file("converted.csv"), scene.file("rejects.csv"));
    let arguments = [
        "convert",
        &input,
        "--grant",
        grant,
        "-o",
        &output,
        "--rejects",
        &rejects,
        "--force",
    ];
    exits(&scene.sluis("registry-office/etl").run(&arguments), code);
    let made = column(&scene.read("converted.csv"), ',', "bsn");
    let refused = match code {
        0 => String::new(),
        _ => scene.read("rejects.csv"),
    };
    (made, refused)
}

#[test]
fn a_chain_carries_its_links() {
    let mut scene = Scene::start("");
    scene.apply(carried(), &SIGNERS);
    let subjects: Vec<String> = bsns().take(20).collect();
    scene.write("identifiers.csv", format!("bsn\n{}\n", subjects.join("\n")));
    let (here, study) = (tokens(&scene, CHAIN), tokens(&scene, STUDY));
    assert!(here.iter().all(|token| token.len() == 70), "{here:?}");
    assert!(study.iter().all(|token| token.len() == 44));

    let (out, back) = (grant(&scene, CHAIN, STUDY), grant(&scene, STUDY, CHAIN));
    assert_eq!(converted(&scene, &out, &here, 0).0, study);
    assert_eq!(converted(&scene, &back, &study, 0).0, here);
    let mut mixed = here.clone();
    mixed[1].replace_range(30..31, if &here[1][30..31] == "a" { "b" } else { "a" });
    // Head of one token, tail of another: the check sum is not theirs.
    mixed[2] = format!("{}{}", &here[2][..40], &here[3][40..]);
    mixed[4] = study[4].clone();
    let (made, refused) = converted(&scene, &out, &mixed, 3);
    assert_eq!(made.len(), 17);
    assert_eq!(
        refused,
        "line,row,element,reason\n3,2,bsn,MALFORMED_PSEUDONYM\n4,3,bsn,MALFORMED_PSEUDONYM\n\
         6,5,bsn,UNKNOWN_PSEUDONYM\n"
    );

    an_objection_is_enough(&scene, &subjects[0], &here, &study, (&out, &back));
    a_cut_ends_it(&scene, &here, &out);
    the_log_proves_itself(&scene);
    nothing_was_stored(&mut scene);
}

fn an_objection_is_enough(
    scene: &Scene,
    subject: &str,
    here: &[String],
    study: &[String],
    (out, back): (&str, &str),
) {
    let identifier = scene.write("identifier", format!("{subject}\n"));
    let erase = [
        "subject",
        "erase",
        "--namespace",
        "nl.bsn",
        "--identifier-file",
        &identifier,
        "--json",
    ];
    let id = field(&scene.sluis("hospital-north/etl").ok(&erase), "proposal_id");
    for steward in OWNERS {
        scene.sluis(steward).ok(&["proposal", "sign", &id, "--yes"]);
    }
    let unknown = "line,row,element,reason\n2,1,bsn,UNKNOWN_PSEUDONYM\n";
    for (grant, from, to) in [(out, here, study), (back, study, here)] {
        let (made, refused) = converted(scene, grant, from, 3);
        assert_eq!((&made[..], &*refused), (&to[1..], unknown));
    }
    let (input, output) = (scene.file("identifiers.csv"), scene.file("again.csv"));
    let again = ["pseudonymise", &input, "--chain", CHAIN, "-o", &output];
    let said = exits(&scene.sluis("hospital-north/etl").run(&again), 3);
    assert!(said.contains("OPTED_OUT"), "{said}");
    assert_eq!(column(&scene.read("again.csv"), ',', "bsn"), here[1..]);
}

fn a_cut_ends_it(scene: &Scene, here: &[String], out: &str) {
    let custodian = scene.sluis("custodian/anna");
    let kid = parsed(&here[0]).kid.to_string();
    let cut = ["chain", "cut-escrow", &kid, "--yes", "--json"];
    let id = field(&custodian.ok(&cut), "proposal_id");
    for steward in SIGNERS {
        scene.sluis(steward).ok(&["proposal", "sign", &id, "--yes"]);
    }
    let (made, _) = converted(scene, out, here, 3);
    assert!(made.is_empty());
    let (input, output) = (scene.file("identifiers.csv"), scene.file("short.csv"));
    let again = ["pseudonymise", &input, "--chain", CHAIN, "-o", &output];
    exits(&scene.sluis("hospital-north/etl").run(&again), 3);
    let short = column(&scene.read("short.csv"), ',', "bsn");
    for (long, short) in here[1..].iter().zip(&short) {
        let (long, short) = (parsed(long), parsed(short));
        assert_eq!((short.kid, short.pseudonym), (long.kid, long.pseudonym));
        assert_eq!(short.link, None);
    }
}

fn the_log_proves_itself(scene: &Scene) {
    let auditor = scene.sluis("uni-research/privacy-officer");
    let directory = scene.file("audit");
    auditor.ok(&["audit", "export", &directory]);
    let key = scene.file("audit/verifier-key");
    auditor.ok(&["audit", "verify", &directory, "--key", &key]);
}

/// Only the study, which escrows, has rows.
fn nothing_was_stored(scene: &mut Scene) {
    let kid = |chain: &str| {
        let status = scene.sluis("custodian/anna").ok(&["status", "--json"]);
        let status = super::json(&status);
        let versions = status["key_versions"].as_array().expect("a list").clone();
        let version = versions
            .iter()
            .rfind(|version| version["chain_id"] == chain && version["namespace_id"] == "nl.bsn");
        let kid = version.expect("has one")["kid"]
            .as_str()
            .expect("text")
            .to_owned();
        u32::from_str_radix(&kid, 16)
            .expect("hexadecimal")
            .to_be_bytes()
    };
    let (carried, escrowed) = (kid(CHAIN), kid(STUDY));
    scene.stop();
    let store = RocksStore::open(&scene.path("data"), &Options::default()).expect("it has stopped");
    let rows = store.scan(Family::Link, &[], 1_000).expect("readable");
    let of = |kid: [u8; 4]| rows.iter().filter(|(key, _)| key.starts_with(&kid)).count();
    assert_eq!(of(carried), 0);
    assert!(of(escrowed) >= 19, "one may be erased by now");
}
