//! Numbers as this crate and the second implementation see them.
//!
//! The second needs Python with `cryptography`, so it is run only where `SLUIS_PYTHON` names a program that has it, such as
//! `deploy/python.sh`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::national::a_spelling;
use super::*;

#[test]
fn the_second_implementation_has_the_same_normal_forms_of_numbers() {
    let Some(python) = std::env::var_os("SLUIS_PYTHON") else {
        return;
    };
    let mut runner = TestRunner::deterministic();
    let strategy = (an_almost_number(), any_checksum());
    let mut questions = String::new();
    let mut expected = String::new();
    for _ in 0..10_000 {
        let tree = strategy.new_tree(&mut runner).expect("a value");
        let ((kind, value), checksum) = tree.current();
        let setting = match checksum {
            Checksum::Strict => "strict",
            Checksum::Off => "off",
        };
        let (outcome, form) = match norm_bytes(kind, checksum, value.as_bytes()) {
            Ok(Some(form)) => ("present", form),
            Ok(None) => ("missing", Vec::new()),
            Err(reason) => (reason.code(), Vec::new()),
        };
        writeln!(questions, "{kind} {setting} {}", hex(value.as_bytes())).expect("a String");
        writeln!(expected, "{outcome} {}", hex(&form)).expect("a String");
    }
    let answers = asked(&python, questions.clone());
    let pairs = answers.lines().zip(expected.lines());
    for ((answer, expected), question) in pairs.zip(questions.lines()) {
        assert_eq!(answer, expected, "{question}");
    }
    assert_eq!(answers.lines().count(), 10_000);
}

fn asked(python: &std::ffi::OsStr, questions: String) -> String {
    let mut second = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/second_implementation/normal_forms.py"
        ))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut stdin = second.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = second.wait_with_output().expect("ends");
    writer.join().expect("no panic").expect("written");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// A number in one of its spellings, with up to two characters put in, or something like a number, for any kind of number.
fn an_almost_number() -> impl Strategy<Value = (IdentifierKind, String)> {
    let added = proptest::sample::select(
        "0129AKXZa -.+/,'e()\u{661}\u{2013}\u{a0}\u{200b}\t"
            .chars()
            .collect::<Vec<_>>(),
    );
    let edits = proptest::collection::vec((0usize..24, any::<bool>(), added), 0..3);
    let edited = (a_spelling(), edits).prop_map(|((kind, value), edits)| {
        let mut characters: Vec<char> = value.chars().collect();
        for (place, replaces, added) in edits {
            let place = place % characters.len();
            if replaces {
                characters[place] = added;
            } else {
                characters.insert(place, added);
            }
        }
        (kind, characters.into_iter().collect())
    });
    let numbers = IdentifierKind::ALL
        .into_iter()
        .filter(|kind| kind.number().is_some());
    let kind = proptest::sample::select(numbers.collect::<Vec<_>>());
    let drawn = (
        kind,
        "[A-Zx']{0,2}[0-9]{0,9}([ .,eE+-]{0,2}[0-9]{1,9}){0,4}[ .-]{0,1}[0-9A-Za-z]{0,3}",
    );
    prop_oneof![edited, drawn]
}
