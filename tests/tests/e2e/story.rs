//! The main job as users see it: the two binaries, from records to the audit log.

mod carried;
mod files;
mod imported;
mod interrupted;
mod irreversible;
mod lied_to;
mod main_job;
mod refused_files;
mod resumed;
mod spelled;
mod travel;
mod wrong_person;

use std::process::Output;

use serde_json::Value;
use sluis_testkit_daemon::scene::Scene;

/// A source key as its file holds it.
pub(crate) const SOURCE_KEY: &str =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Valid BSNs, no two alike (11-test: weights 9 to 2 and -1).
pub(crate) fn bsns() -> impl Iterator<Item = String> {
    let check = |digits: u32| {
        let weighted: u32 = (0..8).map(|i| digits / 10_u32.pow(i) % 10 * (i + 2)).sum();
        (weighted % 11 < 10).then(|| format!("{digits}{}", weighted % 11))
    };
    (0..).map(|i| 95_000_000 + 37 * i).filter_map(check)
}

/// The values of a column of a CSV text without quoted values.
pub(crate) fn column(text: &str, delimiter: char, header: &str) -> Vec<String> {
    assert!(!text.contains('"'), "quoted values are not for this helper");
    let mut lines = text.lines();
    let headers = lines.next().expect("a header line");
    let at = headers
        .split(delimiter)
        .position(|h| h == header)
        .unwrap_or_else(|| panic!("{header} in {headers}"));
    lines
        .map(|line| {
            line.split(delimiter)
                .nth(at)
                .expect("not ragged")
                .to_owned()
        })
        .collect()
}

/// The JSON document that a command printed.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// What a command said on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The exit code must be this one; what was said on standard error.
#[track_caller]
pub(crate) fn exits(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    said(output)
}

/// The argument of `--source-key` for the namespace that the registry of the tests has hashed.
pub(crate) fn source_key(scene: &Scene) -> String {
    format!("study.email={}", scene.write("source.key", SOURCE_KEY))
}

/// `--source-key` for a file with this header line, if the chain has one of its columns hashed: a key that hashes nothing is
/// refused.
pub(crate) fn key_of(scene: &Scene, chain: &str, header: &str) -> Vec<String> {
    let hashed = [
        ("diabetes-study", "email", "study.email"),
        ("kinds", "hashed", "person.name-at-source"),
    ];
    let has = |column: &str| header.split([',', ';']).any(|name| name.trim() == column);
    let found = hashed
        .iter()
        .find(|(of, column, _)| *of == chain && has(column));
    let Some((_, _, namespace)) = found else {
        return Vec::new();
    };
    let file = scene.write("source.key", SOURCE_KEY);
    vec!["--source-key".into(), format!("{namespace}={file}")]
}

/// Pseudonymises a file as a member; both are names of record files.
pub(crate) fn pseudonymise(
    scene: &Scene,
    member: &str,
    chain: &str,
    input: &str,
    output: &str,
) -> Value {
    let bytes = scene.read_bytes(input);
    let header = bytes.split(|byte| *byte == b'\n').next().expect("a line");
    let keys = key_of(scene, chain, &String::from_utf8_lossy(header));
    let (input, output) = (scene.file(input), scene.file(output));
    let mut arguments = vec!["pseudonymise", &input, "--chain", chain, "-o", &output];
    arguments.extend(["--json", "--force"]);
    arguments.extend(keys.iter().map(String::as_str));
    json(&scene.sluis(member).ok(&arguments))
}

#[test]
fn the_bsns_of_these_tests_are_valid() {
    let known: Vec<_> = bsns().take(3).collect();
    for bsn in bsns()
        .take(500)
        .chain(["950000012".into(), "111222333".into()])
    {
        let mut normalised = sluis_domain::WipedBuffer::default();
        let kind = sluis_domain::identifier::IdentifierKind::NlBsn;
        let strict = sluis_domain::identifier::Checksum::Strict;
        assert_eq!(
            sluis_domain::identifier::normalise(kind, strict, bsn.as_bytes(), &mut normalised),
            Ok(true),
            "{known:?}"
        );
    }
}
