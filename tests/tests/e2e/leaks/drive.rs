//! Leads a custodian down every path with marked values. What it answers to those who may know is no leak; everything
//! else that anybody is told comes back to the caller of these functions.

use std::process::Output;

use sluis_client::{Client, ClientError, Config, Zeroizing};
use sluis_testkit_daemon::process::Sluis;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::{batch, convert, pseudonymise, reidentify};
use sluis_wire::v1;

use super::scanner::Scanner;
use crate::story::{SOURCE_KEY, column, source_key};

const STUDY: &str = "diabetes-study";
const REGISTRY: &str = "national-registry";
const ROWS: usize = 60;

/// The identifiers of the records.
pub(super) fn bsns() -> Vec<String> {
    crate::story::bsns().skip(1_000).take(ROWS).collect()
}

/// The output of a command that is not meant for its caller's eyes only.
struct Said(String);

impl Said {
    fn add(&mut self, output: &Output, code: i32) {
        assert_eq!(
            output.status.code(),
            Some(code),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.0.push_str(&String::from_utf8_lossy(&output.stderr));
        self.0.push_str(&String::from_utf8_lossy(&output.stdout));
    }
}

/// With the command line: records, rejects, conversion, re-identification, failed handshakes.
pub(super) fn files(scene: &Scene, scanner: &mut Scanner) -> String {
    let mut said = Said(String::new());
    records(scene, scanner, &mut said);
    imports(scene, scanner, &mut said);
    grants(scene, scanner, &mut said);
    handshakes(scene, &mut said);
    said.0
}

fn records(scene: &Scene, scanner: &mut Scanner, said: &mut Said) {
    let key = source_key(scene);
    scanner.mark("the source key", SOURCE_KEY.as_bytes());
    let mut text = String::from("bsn,email,name,birth_date,postcode,diagnosis,visit_date,city\n");
    for (i, bsn) in bsns().iter().enumerate() {
        let email = format!("leak-{i:03}@marked.example");
        let name = format!("Zoë Gemärkt-{i:03}");
        let (diagnosis, city) = (format!("diagnosis-{i:03}"), format!("Lekkerkerk-{i:03}"));
        text.push_str(&format!(
            "{bsn},{email},{name},1957-03-09,2931 XQ,{diagnosis},2021-11-23,{city}\n"
        ));
        for (what, value) in [
            ("a BSN", bsn),
            ("an e-mail", &email),
            ("a name", &name),
            ("a diagnosis", &diagnosis),
        ] {
            scanner.mark(what, value.as_bytes());
        }
        scanner.mark("a city", city.as_bytes());
    }
    for (what, value) in [
        ("a birth date", "1957-03-09"),
        ("a visit date", "2021-11-23"),
    ] {
        scanner.mark(what, value.as_bytes());
    }
    // Rows that the custodian rejects.
    for (i, bad) in ["987654328", "not-a-bsn-8812", "95-000-001-9999"]
        .iter()
        .enumerate()
    {
        text.push_str(&format!(
            "{bad},bad-{i}@marked.example,Bad Row-{i},1957-03-09,2931 XQ,bad-diagnosis,2021-11-23,x\n"
        ));
        scanner.mark("a rejected BSN", bad.as_bytes());
        scanner.mark("a rejected name", format!("Bad Row-{i}").as_bytes());
    }
    text.push_str(
        "950000012,ok@marked.example,Bad Date,1957-03-09,2931 XQ,x,2021-02-31-marked,x\n",
    );
    scanner.mark("a rejected date", b"2021-02-31-marked");
    let input = scene.write("in.csv", text);
    for (member, chain, output, code) in [
        ("hospital-north/etl", STUDY, "study.csv", 3),
        ("gp-south/etl", STUDY, "study-again.csv", 3),
        ("hospital-north/etl", REGISTRY, "registry.csv", 3),
        // Not a source: refused, with the records at the door.
        ("uni-research/etl", STUDY, "never.csv", 1),
    ] {
        let (output, rejects) = (scene.file(output), scene.file(&format!("{output}.rejects")));
        let mut arguments = vec!["pseudonymise", &input, "--chain", chain];
        arguments.extend(["-o", &output, "--rejects", &rejects]);
        if chain == STUDY {
            arguments.extend(["--source-key", &key]);
        }
        said.add(&scene.sluis(member).run(&arguments), code);
        said.0
            .push_str(&std::fs::read_to_string(rejects).unwrap_or_default());
    }
    for (file, elements) in [
        ("study.csv", &["bsn", "email"][..]),
        ("registry.csv", &["bsn"]),
    ] {
        let text = scene.read(file);
        elements
            .iter()
            .flat_map(|e| column(&text, ',', e))
            .for_each(|token| scanner.mark_token(&token));
    }
    column(&scene.read("study.csv"), ',', "name")
        .iter()
        .for_each(|c| scanner.mark("a ciphertext", c.as_bytes()));
}

/// Old pseudonyms of a study that moves in: taken, refused, converted, unknown.
fn imports(scene: &Scene, scanner: &mut Scanner, said: &mut Said) {
    let old = |i: usize| format!("Old-Pseudonym-{i:03}");
    (0..=ROWS).for_each(|i| scanner.mark("an old pseudonym", old(i).as_bytes()));
    let rows: String = bsns()
        .iter()
        .enumerate()
        .map(|(i, bsn)| format!("{bsn},{}\n", old(i)))
        .collect();
    let conflict = format!("{},{}\n", bsns()[0], old(1));
    let input = scene.write("mapping.csv", format!("bsn,study-no\n{rows}{conflict}"));
    let (output, rejects) = (scene.file("imported.csv"), scene.file("imported.rejects"));
    let mapping = [
        "import",
        &input,
        "--element",
        "bsn",
        "--old",
        "study-no",
        "--rejects",
        &rejects,
        "-o",
        &output,
    ];
    let import = [&mapping[..], &["--force", "--chain", STUDY]].concat();
    said.add(&scene.sluis("hospital-north/etl").run(&import), 3);
    said.0.push_str(&scene.read("imported.rejects"));
    // Not a source of it: refused, with the mapping at the door.
    let elsewhere = [&mapping[..], &["--force", "--chain", "open-release"]].concat();
    said.add(&scene.sluis("hospital-north/etl").run(&elsewhere), 1);
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "100",
    ];
    let grant = scene.grant(
        "registry-office/etl",
        &terms,
        &["uni-research/steward-1", "registry-office/steward-a"],
    );
    let values: String = (0..=ROWS).map(|i| old(i) + "\n").collect();
    let values = scene.write("old.csv", format!("bsn\n{values}"));
    let convert = [
        "convert",
        &values,
        "--grant",
        &grant,
        "--from-imported",
        "-o",
        &scene.file("moved.csv"),
    ];
    said.add(&scene.sluis("registry-office/etl").run(&convert), 3);
}

fn grants(scene: &Scene, scanner: &mut Scanner, said: &mut Said) {
    let study = scene.read("study.csv");
    let good = column(&study, ',', "bsn");
    let names = column(&study, ',', "name");
    // One character changed; of another chain; not a token at all.
    let registry = column(&scene.read("registry.csv"), ',', "bsn");
    let changed: String = good[0]
        .char_indices()
        .map(|(i, c)| {
            if i == 20 {
                if c == 'a' { 'b' } else { 'a' }
            } else {
                c
            }
        })
        .collect();
    let bad = [
        changed,
        registry[0].clone(),
        "psn1-marked-nonsense".to_owned(),
    ];
    bad.iter()
        .for_each(|token| scanner.mark("a bad token", token.as_bytes()));
    let tokens = scene.write(
        "tokens.csv",
        format!("bsn\n{}\n{}\n", good.join("\n"), bad.join("\n")),
    );
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "100",
    ];
    let live = scene.grant(
        "registry-office/etl",
        &terms,
        &["uni-research/steward-1", "registry-office/steward-a"],
    );
    let waiting = scene.grant("registry-office/etl", &terms, &[]);
    for (grant, output, code) in [
        (&live, "converted.csv", 3),
        (&live, "exhausted.csv", 1),
        (&waiting, "waiting.csv", 1),
    ] {
        let arguments = [
            "convert",
            &tokens,
            "--grant",
            grant,
            "-o",
            &scene.file(output),
        ];
        said.add(&scene.sluis("registry-office/etl").run(&arguments), code);
    }
    let unknown = [
        "convert",
        &tokens,
        "--grant",
        "g-unknown",
        "-o",
        &scene.file("no.csv"),
    ];
    said.add(&scene.sluis("registry-office/etl").run(&unknown), 1);

    let terms = [
        "reidentify",
        "--chain",
        STUDY,
        "--element",
        "bsn",
        "--element",
        "name",
        "--max-values",
        "500",
    ];
    let live = scene.grant(
        "hospital-north/doctor",
        &terms,
        &["uni-research/steward-1", "uni-research/steward-2"],
    );
    let waiting = scene.grant("hospital-north/doctor", &terms, &["uni-research/steward-1"]);
    let swapped: String = names[0]
        .char_indices()
        .map(|(i, c)| {
            if i == 40 {
                if c == 'A' { 'B' } else { 'A' }
            } else {
                c
            }
        })
        .collect();
    scanner.mark("a changed ciphertext", swapped.as_bytes());
    let mut text = String::from("bsn,name\n");
    good.iter()
        .zip(&names)
        .for_each(|(token, name)| text.push_str(&format!("{token},{name}\n")));
    text.push_str(&format!(
        "{},{swapped}\n{},{}\n{},\n",
        good[0], bad[0], names[1], registry[1]
    ));
    let input = scene.write("to-call.csv", text);
    for (member, grant, output, code) in [
        ("hospital-north/doctor", &live, "called.csv", 3),
        ("hospital-north/doctor", &waiting, "not-called.csv", 1),
        ("gp-south/etl", &live, "stolen.csv", 1),
    ] {
        let arguments = [
            "reidentify",
            &input,
            "--grant",
            grant,
            "-o",
            &scene.file(output),
        ];
        said.add(&scene.sluis(member).run(&arguments), code);
    }
    assert_eq!(
        column(&scene.read("called.csv"), ',', "bsn"),
        bsns(),
        "the values were really there to be leaked"
    );
}

/// Certificates that are not accepted: unknown authority, expired, without an identity.
fn handshakes(scene: &Scene, said: &mut Said) {
    use sluis_testkit::pki::{Pki, TRUST_DOMAIN, Wanted};
    let endpoint = scene.daemon().endpoint();
    let input = scene.file("in.csv");
    let key = source_key(scene);
    let stranger = Pki::create(&scene.path("other-pki")).member("hospital-north/etl");
    let uris = vec![format!("spiffe://{TRUST_DOMAIN}/hospital-north/etl")];
    let expired = scene.pki.client(&Wanted {
        uris,
        dns: Vec::new(),
        expired: true,
    });
    for (name, credentials, code) in [("stranger", stranger, 5), ("expired", expired, 5)] {
        let sluis = Sluis::with(&scene.pki, &endpoint, name, &credentials);
        said.add(
            &sluis.run(&[
                "pseudonymise",
                &input,
                "--chain",
                STUDY,
                "--source-key",
                &key,
            ]),
            code,
        );
    }
}

/// With calls that the command line would not make.
pub(super) async fn calls(scene: &Scene, scanner: &mut Scanner) -> String {
    let client = connect(scene, "hospital-north/etl").await;
    let long = format!("{}-marked-oversized-value", "9".repeat(300));
    scanner.mark("an oversized value", b"-marked-oversized-value");
    let good = bsns()[0].clone();
    let mut said = String::new();
    let mut tell = |outcome: Result<v1::BatchResult, ClientError>| match outcome {
        Ok(result) => said.push_str(&format!("{:?}\n", result.rejections)),
        Err(error) => said.push_str(&format!("{error} {error:?}\n")),
    };
    for columns in [
        &[("bsn", &[long.as_str(), "\u{0}marked-control\u{1b}"][..])][..],
        &[("bsn", &[good.as_str()]), ("diagnosis", &["diagnosis-001"])],
        &[
            ("bsn", &[good.as_str()]),
            ("no-such-element", &["leak-001@marked.example"]),
        ],
        &[
            ("bsn", &[good.as_str()]),
            ("name", &["Zoë Gemärkt-001", "one too many"]),
        ],
        &[("bsn", &[good.as_str()]), ("bsn", &[good.as_str()])],
        &[("email", &["leak-001@marked.example"])],
        &[("visit_date", &["2021-11-23"])],
        &[("bsn", &[""]), ("visit_date", &["2021-11-23"])],
        &[("leak-001@marked.example", &["x"])],
    ] {
        tell(pseudonymise(&client, STUDY, batch(columns)).await);
    }
    // A value where a name belongs that could be one: the caller is told which column is not listed, no one else is.
    let misplaced = pseudonymise(&client, STUDY, batch(&[(good.as_str(), &["x"])])).await;
    assert_eq!(
        misplaced.expect_err("no such element").reason(),
        Some("UNKNOWN_ELEMENT")
    );
    scanner.mark("a control value", b"marked-control");
    tell(pseudonymise(&client, &good, batch(&[("bsn", &[good.as_str()])])).await);
    let mut invalid = batch(&[("bsn", &["x"])]);
    let bytes = b"\xff\xfemarked-invalid\xff".as_slice();
    invalid.columns[0].form = Some(v1::column::Form::Values(v1::Values {
        values: vec![bytes.into()],
    }));
    scanner.mark("a value that is not UTF-8", b"marked-invalid");
    tell(pseudonymise(&client, STUDY, invalid).await);
    let rows = vec![good.as_str(); 70_000];
    tell(pseudonymise(&client, STUDY, batch(&[("bsn", &rows)])).await);
    let large = format!("marked-too-large-{}", "x".repeat(5 << 20));
    scanner.mark("a message that is too large", b"marked-too-large-");
    tell(pseudonymise(&client, STUDY, batch(&[("bsn", &[large.as_str()])])).await);
    let token = column(&scene.read("study.csv"), ',', "bsn")[0].clone();
    for grant in [token.as_str(), good.as_str(), "g-unknown"] {
        tell(convert(&client, grant, batch(&[("bsn", &[token.as_str()])])).await);
        tell(reidentify(&client, grant, batch(&[("bsn", &[token.as_str()])])).await);
    }
    assert_eq!(said.lines().count(), 19, "every call was answered");
    said
}

async fn connect(scene: &Scene, member: &str) -> Client {
    let credentials = scene.pki.member(member);
    let key = Zeroizing::new(credentials.key_pem.into_bytes());
    let ca = scene.pki.ca_pem().into_bytes();
    let config = Config::new(
        scene.daemon().endpoint(),
        ca,
        credentials.cert_pem.into_bytes(),
        key,
    );
    Client::connect(config).await.expect("connects")
}

/// The rest of what writes to disk.
pub(super) fn rotate_and_back_up(scene: &Scene) {
    let anna = scene.sluis("custodian/anna");
    anna.ok(&["chain", "rotate", STUDY, "--yes"]);
    let (input, output, key) = (
        scene.file("in.csv"),
        scene.file("rotated.csv"),
        source_key(scene),
    );
    let arguments = [
        "pseudonymise",
        &input,
        "--chain",
        STUDY,
        "--source-key",
        &key,
        "-o",
        &output,
    ];
    assert_eq!(
        scene
            .sluis("hospital-north/etl")
            .run(&arguments)
            .status
            .code(),
        Some(3)
    );
    anna.ok(&["backup"]);
    scene
        .sluis("uni-research/privacy-officer")
        .ok(&["audit", "read"]);
}
