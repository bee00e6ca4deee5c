//! Promise 10 before a custodian that lies about a chain: a source that knows what it agreed to sends nothing.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sluis_testkit_daemon::process::Sluis;
use sluis_testkit_daemon::scene::Scene;
use sluis_wire::v1;

use super::{bsns, json, said, source_key};
use crate::liar::{self, Lies};

const SOURCE: &str = "hospital-north/etl";
const STUDY: &str = "diabetes-study";

/// Changes what it says of the study, and counts what it is sent.
struct Describes {
    lie: fn(&mut v1::Chain),
    sent: Arc<AtomicUsize>,
}

impl Lies for Describes {
    fn chains(&self, mut honest: v1::ListChainsResponse) -> v1::ListChainsResponse {
        let mut study = honest.chains.iter_mut().filter(|c| c.chain_id == STUDY);
        study.by_ref().for_each(self.lie);
        honest
    }

    fn sent(&self) {
        self.sent.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tells the truth once, and something else when the input was read.
#[derive(Default)]
struct ChangesItsWord(AtomicUsize);

impl Lies for ChangesItsWord {
    fn chains(&self, mut honest: v1::ListChainsResponse) -> v1::ListChainsResponse {
        if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
            let mut study = honest.chains.iter_mut().filter(|c| c.chain_id == STUDY);
            study
                .by_ref()
                .for_each(|study| element(study, "diagnosis").treatment = "drop".into());
        }
        honest
    }
}

/// A scene, and the arguments of every command that sends something of a person.
struct Source {
    scene: Scene,
    commands: Vec<(&'static str, Vec<String>)>,
}

impl Source {
    fn new() -> Self {
        let scene = Scene::start("");
        let key = source_key(&scene);
        let file = key.split_once('=').expect("a name").1.to_owned();
        let bsn = bsns().next().expect("one");
        let row = format!("{bsn},anna@mail.example,Anna,2025-03-01,Utrecht,E11.9");
        let header = "bsn,email,name,visit_date,city,diagnosis";
        let records = scene.write("in.csv", format!("{header}\n{row}\n"));
        let study = scene.write("study.csv", format!("{header},study-no\n{row},S-1\n"));
        let address = scene.write("address", "anna@mail.example\n");
        let out = scene.file("out.csv");
        let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect();
        let to_study = [
            "--chain",
            STUDY,
            "--source-key",
            &key,
            "-o",
            &out,
            "--force",
        ];
        let import = ["import", &study, "--element", "bsn", "--old", "study-no"];
        let erase = ["subject", "erase", "--namespace", "study.email"];
        let of_address = ["--identifier-file", &address, "--source-key", &file];
        let commands = vec![
            (
                "pseudonymise",
                words(&[&["pseudonymise", &records][..], &to_study].concat()),
            ),
            ("import", words(&[&import[..], &to_study].concat())),
            ("erase", words(&[&erase[..], &of_address].concat())),
        ];
        Self { scene, commands }
    }

    /// What a command says to a liar, its exit code, and how often it sent something.
    async fn told(&self, lie: fn(&mut v1::Chain), arguments: &[&str]) -> (i32, String, usize) {
        let sent = Arc::new(AtomicUsize::new(0));
        let lies = Describes {
            lie,
            sent: sent.clone(),
        };
        let liar = liar::before(&self.scene, SOURCE, lies).await;
        let output: Output = Sluis::of(&self.scene.pki, &liar.endpoint, SOURCE).run(arguments);
        let code = output.status.code().expect("an exit code");
        (code, said(&output), sent.load(Ordering::SeqCst))
    }
}

fn words<'a>(arguments: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    let arguments = arguments.iter().map(String::as_str);
    arguments.chain(more.iter().copied()).collect()
}

fn namespace<'a>(chain: &'a mut v1::Chain, id: &str) -> &'a mut v1::ChainNamespace {
    let mut found = chain.namespaces.iter_mut();
    found.find(|n| n.namespace_id == id).expect("listed")
}

fn element<'a>(chain: &'a mut v1::Chain, name: &str) -> &'a mut v1::Element {
    let mut found = chain.elements.iter_mut();
    found.find(|e| e.name == name).expect("listed")
}

/// What a lie changes, and the lie.
type Lie = (&'static str, fn(&mut v1::Chain));

/// Ways to be sent an address that was to be hashed.
const ABOUT_HASHING: [Lie; 4] = [
    ("input", |c| {
        namespace(c, "study.email").input = "plain".into()
    }),
    ("treatment", |c| {
        element(c, "email").treatment = "encrypt".into()
    }),
    ("namespace", |c| {
        element(c, "email").namespace_id = "nl.bsn".into();
        namespace(c, "nl.bsn").identifier = "opaque".into();
    }),
    ("two descriptions", |c| {
        let mut plain = element(c, "email").clone();
        plain.treatment = "encrypt".into();
        c.elements.insert(0, plain);
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_10_what_has_a_source_key_is_not_sent_unhashed_whatever_the_custodian_says() {
    let source = Source::new();
    for (command, arguments) in &source.commands {
        let (code, told, sent) = source.told(|_| (), &words(arguments, &[])).await;
        assert_eq!((code, sent), (0, 1), "{command}, honestly: {told}");
        for (what, lie) in ABOUT_HASHING {
            let (code, told, sent) = source.told(lie, &words(arguments, &[])).await;
            assert!(code != 0 && sent == 0, "{command}, {what}: {code} {told}");
        }
        let (code, told, _) = source
            .told(ABOUT_HASHING[0].1, &words(arguments, &[]))
            .await;
        assert!(
            code == 9 && told.contains("source key"),
            "{command}: {told}"
        );
    }
}

#[test]
fn a_source_key_that_nothing_is_hashed_with_is_refused_and_one_without_a_namespace_is_for_all() {
    let scene = Scene::start("");
    let source = scene.sluis(SOURCE);
    let key = scene.write("key", super::SOURCE_KEY);
    let bsn = bsns().next().expect("one");
    let only = scene.write("only.csv", format!("bsn\n{bsn}\n"));
    let both = scene.write("both.csv", format!("bsn,email\n{bsn},a@b.example\n"));
    let named = format!("study.email={key}");
    let other = format!("nl.bsn={key}");
    for (file, chain, key, why) in [
        (&only, "national-registry", &key, "nl.bsn"),
        (
            &only,
            "national-registry",
            &named,
            "no column that is sent is hashed",
        ),
        (&only, STUDY, &named, "no column that is sent is hashed"),
        (&both, STUDY, &key, "--source-key NAMESPACE=FILE"),
        (&both, STUDY, &other, "namespace nl.bsn"),
    ] {
        let arguments = ["pseudonymise", file, "--chain", chain, "--source-key", key];
        let output = source.run(&arguments);
        let told = super::exits(&output, 9);
        assert!(
            told.contains(why) && output.stdout.is_empty(),
            "{why}: {told}"
        );
        assert!(told.contains("nothing was sent"), "{told}");
    }
    let arguments = [
        "pseudonymise",
        &both,
        "--chain",
        STUDY,
        "--source-key",
        &named,
    ];
    assert_eq!(source.ok(&arguments).lines().count(), 2);
}

/// What a custodian can say of a chain that a source did not agree to, and the difference that is named.
const LIES: [Lie; 27] = [
    ("namespace[study.email].input", |c| {
        namespace(c, "study.email").input = "plain".into()
    }),
    ("namespace[study.email].identifier", |c| {
        namespace(c, "study.email").identifier = "opaque".into();
    }),
    ("namespace[nl.bsn].checksum", |c| {
        namespace(c, "nl.bsn").checksum = "off".into()
    }),
    ("namespace[nl.bsn].link", |c| {
        namespace(c, "nl.bsn").link = "none".into()
    }),
    ("namespace[nl.bsn].reversible", |c| {
        namespace(c, "nl.bsn").reversible = false
    }),
    ("namespace[study.email].reversible", |c| {
        namespace(c, "study.email").reversible = true
    }),
    ("namespace[uk.nhs]", |c| {
        let mut new = namespace(c, "nl.bsn").clone();
        new.namespace_id = "uk.nhs".into();
        c.namespaces.push(new);
    }),
    ("element[diagnosis].treatment", |c| {
        element(c, "diagnosis").treatment = "encrypt".into()
    }),
    ("element[diagnosis].treatment", |c| {
        element(c, "diagnosis").treatment = "pseudonym".into();
        element(c, "diagnosis").namespace_id = "nl.bsn".into();
    }),
    ("element[city].treatment", |c| {
        element(c, "city").treatment = "keep".into()
    }),
    ("element[city].treatment", |c| {
        element(c, "city").treatment = "encrypt".into()
    }),
    ("element[postcode].generalise.length", |c| {
        element(c, "postcode")
            .generalise
            .as_mut()
            .expect("one")
            .length = 6;
    }),
    ("element[birth_date].generalise.to", |c| {
        element(c, "birth_date")
            .generalise
            .as_mut()
            .expect("one")
            .to = "month".into();
    }),
    ("element[birth_date].generalise.width", |c| {
        element(c, "birth_date")
            .generalise
            .as_mut()
            .expect("one")
            .width = 1;
    }),
    ("element[visit_date].treatment", |c| {
        element(c, "visit_date").treatment = "keep".into()
    }),
    ("element[visit_date].max_days", |c| {
        element(c, "visit_date").max_days = 1
    }),
    ("element[visit_date].subject", |c| {
        element(c, "visit_date").subject = "email".into()
    }),
    ("element[email].namespace", |c| {
        element(c, "email").namespace_id = "nl.bsn".into()
    }),
    ("element[income]", |c| {
        let mut new = element(c, "diagnosis").clone();
        new.name = "income".into();
        c.elements.push(new);
    }),
    ("element[name]", |c| {
        c.elements.retain(|element| element.name != "name")
    }),
    ("namespace[study.email].missing_words", |c| {
        let words = &mut namespace(c, "study.email").missing_words;
        words.push("anna@mail.example".into());
    }),
    ("element[birth_date].placeholders", |c| {
        element(c, "birth_date").placeholders = vec!["1984-03-07".into()];
    }),
    ("element[birth_date].generalise.top", |c| {
        element(c, "birth_date")
            .generalise
            .as_mut()
            .expect("one")
            .top = 139;
    }),
    ("element[visit_date].plausible_first", |c| {
        element(c, "visit_date").plausible_first = "0001-01-01".into();
    }),
    ("recipients", |c| c.recipients.push("outsider".into())),
    ("reidentify_approvals", |c| c.reidentify_approvals = 9),
    // The source key has its use, and the address would go out as it is.
    ("element[email].treatment", |c| {
        let address = element(c, "email").clone();
        let diagnosis = element(c, "diagnosis").clone();
        *element(c, "email") = v1::Element {
            name: address.name.clone(),
            ..diagnosis.clone()
        };
        *element(c, "diagnosis") = v1::Element {
            name: diagnosis.name,
            ..address
        };
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_10_nothing_is_sent_to_a_chain_that_is_not_what_was_agreed_to() {
    let source = Source::new();
    let pins = source.scene.file("pins.toml");
    let pin = ["chain", "pin", STUDY, "--out", &pins];
    source.scene.sluis(SOURCE).ok(&pin);
    for (path, lie) in LIES {
        let check = ["chain", "pin", "--check", &pins];
        let (code, told, _) = source.told(lie, &check).await;
        let difference = format!("chain[{STUDY}].{path}: ");
        assert!(code == 9 && told.contains(&difference), "{path}: {told}");
    }
    for (command, arguments) in &source.commands {
        let expecting = words(arguments, &["--expect", &pins]);
        let (code, told, sent) = source.told(|_| (), &expecting).await;
        assert_eq!((code, sent), (0, 1), "{command}, honestly: {told}");
        // Every lie for the first command, and for the others one of each kind.
        let step = if *command == "pseudonymise" { 1 } else { 7 };
        for (path, lie) in LIES.into_iter().step_by(step) {
            let (code, told, sent) = source.told(lie, &expecting).await;
            assert_eq!((code, sent), (9, 0), "{command}, {path}: {told}");
            assert!(told.contains(path), "{command}, {path}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_changes_while_the_input_is_read_is_looked_at_again() {
    let source = Source::new();
    let out = source.scene.file("out.csv");
    for (command, arguments) in &source.commands[..2] {
        let liar = liar::before(&source.scene, SOURCE, ChangesItsWord::default()).await;
        let output =
            Sluis::of(&source.scene.pki, &liar.endpoint, SOURCE).run(&words(arguments, &[]));
        let told = said(&output);
        assert_eq!(output.status.code(), Some(9), "{command}: {told}");
        assert!(
            told.contains("element[diagnosis].treatment"),
            "{command}: {told}"
        );
        assert!(
            told.contains("was changed while the input was read"),
            "{command}: {told}"
        );
        assert!(!std::path::Path::new(&out).exists(), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_of_the_profile_holds_for_all_its_chains_and_for_no_other() {
    let source = Source::new();
    let scene = &source.scene;
    let pins = scene.file("pins.toml");
    scene
        .sluis(SOURCE)
        .ok(&["chain", "pin", STUDY, "-o", &pins]);
    let profile = "default = 'p'\n[profiles.p]\nexpect = 'pins.toml'\n";
    let config = scene.write("config.toml", profile);
    let (_, arguments) = &source.commands[0];
    let with_profile = words(arguments, &["--config", &config]);
    let (code, told, sent) = source.told(|_| (), &with_profile).await;
    assert_eq!((code, sent), (0, 1), "{told}");
    let (code, told, sent) = source.told(LIES[0].1, &with_profile).await;
    assert_eq!((code, sent), (9, 0), "{told}");
    // A flag goes before the profile, and a file that is not there is no file without pins.
    let flag = words(
        arguments,
        &["--config", &config, "--expect", "/nowhere/pins.toml"],
    );
    let (code, told, sent) = source.told(|_| (), &flag).await;
    assert_eq!((code, sent), (6, 0), "{told}");
    let bsn = bsns().next().expect("one");
    let only = scene.write("only.csv", format!("bsn\n{bsn}\n"));
    let other = [
        "pseudonymise",
        &only,
        "--chain",
        "national-registry",
        "--expect",
        &pins,
    ];
    let told = super::exits(&scene.sluis(SOURCE).run(&other), 9);
    assert!(told.contains("national-registry is not in"), "{told}");
    let file = scene.write("bsn", &bsn);
    let erase = [
        "subject",
        "erase",
        "--namespace",
        "uk.nhs",
        "--identifier-file",
        &file,
    ];
    let erase = [&erase[..], &["--expect", &pins]].concat();
    super::exits(&scene.sluis(SOURCE).run(&erase), 2);
}

#[test]
fn a_pin_is_a_file_that_people_read_and_that_is_not_overwritten() {
    let scene = Scene::start("");
    let source = scene.sluis(SOURCE);
    let shown = source.ok(&["chain", "pin", STUDY]);
    for part in [
        "format = \"sluis-pin/1\"",
        "[chain.diabetes-study.namespace.\"study.email\"]",
        "input = \"prehash\"",
        "[chain.diabetes-study.element.visit_date]",
        "max_days = 30",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let file = scene.file("pins.toml");
    let both = ["chain", "pin", STUDY, "national-registry", "--out", &file];
    source.ok(&both);
    assert!(
        scene
            .read("pins.toml")
            .contains("[chain.national-registry.element.bsn]")
    );
    super::exits(&source.run(&both), 2);
    source.ok(&[&both[..], &["--force"]].concat());
    let same = source.ok(&["chain", "pin", "--check", &file, "--json"]);
    assert_eq!(json(&same)["same"], true);
    let edited = scene
        .read("pins.toml")
        .replacen("max_days = 30", "max_days = 60", 1);
    scene.write("pins.toml", edited);
    let output = source.run(&["chain", "pin", "--check", &file, "--json"]);
    super::exits(&output, 9);
    let found = json(&String::from_utf8(output.stdout).expect("text"));
    let difference = &found["differences"][0];
    assert_eq!(
        difference["path"],
        "chain[diabetes-study].element[visit_date].max_days"
    );
    assert_eq!(
        (&difference["agreed"], &difference["told"]),
        (&60.into(), &30.into())
    );
    super::exits(
        &source.run(&["chain", "pin", "no-such", "--check", &file]),
        2,
    );
    super::exits(&source.run(&["chain", "pin", "no-such"]), 1);
}
