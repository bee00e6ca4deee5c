use proptest::prelude::*;
use sluis_crypto::Secret;
use sluis_crypto::signature::LogKey;

use super::*;
use crate::hash::EMPTY_ROOT;

/// The text of the example of the specification.
const SOFA: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const ORIGIN: &str = "custodian.example/audit";

fn key(name: &str, seed: u8) -> (VerifierKey, LogKey) {
    let key = LogKey::new(&Secret::from_slice(&[seed; 32]).expect("32 bytes"));
    (VerifierKey::new(name, key.public()).expect("a key"), key)
}

fn head(size: u64) -> Checkpoint {
    Checkpoint::new(ORIGIN, size, EMPTY_ROOT).expect("a checkpoint")
}

#[test]
fn the_text_is_that_of_the_specification() {
    let checkpoint: Checkpoint = SOFA.parse().expect("a checkpoint");
    assert_eq!(
        (checkpoint.origin(), checkpoint.size()),
        ("example.com/behind-the-sofa", 20_852_163)
    );
    assert_eq!(checkpoint.root()[..4], [0x0a, 0xc5, 0x18, 0x6a]);
    assert!(checkpoint.extensions().is_empty());
    assert_eq!(checkpoint.to_string(), SOFA);
}

#[test]
fn extension_lines_are_kept() {
    let text = format!("{SOFA}one\ntwo words\n");
    let checkpoint: Checkpoint = text.parse().expect("a checkpoint");
    assert_eq!(checkpoint.extensions(), ["one", "two words"]);
    assert_eq!(checkpoint.to_string(), text);
    for line in ["", "a\nb", "a\n"] {
        assert_eq!(
            head(1).with_extensions(vec![line.to_owned()]),
            Err(CheckpointError::Extension),
            "{line:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_checkpoint_is_said() {
    let parse = |text: &str| text.parse::<Checkpoint>();
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for text in ["", "\n", "origin\n1\n", &format!("origin\n1\n{root}")] {
        assert_eq!(parse(text), Err(CheckpointError::Lines), "{text:?}");
    }
    for size in [
        "",
        "01",
        "00",
        "+1",
        "-1",
        "1 ",
        "0x1",
        "18446744073709551616",
        "٣",
    ] {
        assert_eq!(
            parse(&format!("origin\n{size}\n{root}\n")),
            Err(CheckpointError::Size),
            "{size}"
        );
    }
    for size in ["0", "18446744073709551615"] {
        assert!(
            parse(&format!("origin\n{size}\n{root}\n")).is_ok(),
            "{size}"
        );
    }
    for root in [
        "",
        &root[..43],
        &root[4..],
        &root.replace("2I=", "2J="),
        &root.replace("2I=", "2I== "),
        &format!("AAAA{root}"),
    ] {
        assert_eq!(
            parse(&format!("origin\n1\n{root}\n")),
            Err(CheckpointError::Root),
            "{root}"
        );
    }
    assert_eq!(
        parse(&format!("\n1\n{root}\n")),
        Err(CheckpointError::Origin)
    );
    assert_eq!(
        parse(&format!("a\tb\n1\n{root}\n")),
        Err(CheckpointError::Origin)
    );
    assert_eq!(
        Checkpoint::new("a\nb", 1, EMPTY_ROOT),
        Err(CheckpointError::Origin)
    );
    assert_eq!(parse(&format!("{SOFA}\n")), Err(CheckpointError::Extension));
    assert_eq!(
        parse(&format!("{SOFA}a\r\n")),
        Err(CheckpointError::Extension)
    );
}

#[test]
fn a_signed_checkpoint_opens() {
    let (public, key) = key(ORIGIN, 1);
    let signed = head(7).sign(&public, |text| key.sign(text)).expect("signs");
    assert!(signed.starts_with(&format!("{}\n\u{2014} {ORIGIN} ", head(7))));
    let opened = Checkpoint::open(signed.as_bytes(), ORIGIN, std::slice::from_ref(&public));
    assert_eq!(
        opened,
        Ok(OpenedCheckpoint {
            checkpoint: head(7),
            signed_by: vec![public]
        })
    );
}

#[test]
fn a_checkpoint_carries_the_signatures_of_old_and_new_key() {
    let keys = [key(ORIGIN, 1), key(ORIGIN, 2)];
    let mut note = head(7).to_note().expect("a note");
    for (public, key) in &keys {
        note.sign(public, |text| key.sign(text)).expect("signs");
    }
    let signed = note.to_string();
    for (public, _) in &keys {
        let opened = Checkpoint::open(signed.as_bytes(), ORIGIN, std::slice::from_ref(public))
            .expect("opens");
        assert_eq!(opened.signed_by, std::slice::from_ref(public));
    }
    let known = keys.map(|(public, _)| public);
    assert_eq!(
        Checkpoint::open(signed.as_bytes(), ORIGIN, &known)
            .expect("opens")
            .signed_by,
        known
    );
}

#[test]
fn another_log_key_or_text_is_refused() {
    let (public, log) = key(ORIGIN, 1);
    let known = std::slice::from_ref(&public);
    let signed = head(7).sign(&public, |text| log.sign(text)).expect("signs");
    let refused = Checkpoint::open(signed.as_bytes(), "other.example/audit", known);
    assert_eq!(
        refused,
        Err(OpenError::OtherLog {
            expected: "other.example/audit".to_owned(),
            found: ORIGIN.to_owned()
        })
    );
    let refused = Checkpoint::open(signed.as_bytes(), ORIGIN, &[key(ORIGIN, 2).0]);
    assert_eq!(refused, Err(OpenError::Note(NoteError::NoKnownSignature)));
    let refused = Checkpoint::open(signed.replace("\n7\n", "\n8\n").as_bytes(), ORIGIN, known);
    assert_eq!(
        refused,
        Err(OpenError::Note(NoteError::FalseSignature {
            name: ORIGIN.to_owned()
        }))
    );

    let mut note = Note::new("not a checkpoint\n").expect("a note");
    note.sign(&public, |text| log.sign(text)).expect("signs");
    let refused = Checkpoint::open(note.to_string().as_bytes(), ORIGIN, known);
    assert_eq!(refused, Err(OpenError::Checkpoint(CheckpointError::Lines)));
}

proptest! {
    #[test]
    fn a_checkpoint_reads_back(
            origin in "\\PC{1,20}",
            size in any::<u64>(),
            root in any::<Hash>(),
            lines in prop::collection::vec("\\PC{1,9}", 0..3),
        ) {
        let made = Checkpoint::new(&origin, size, root).and_then(|made| made.with_extensions(lines)).expect("a checkpoint");
        prop_assert_eq!(made.to_string().parse(), Ok(made));
    }

    #[test]
    fn what_reads_prints_the_same(text in "(\\PC{0,3}\n?)(0?[0-9]{0,3})\n(AAAA){9,10}[AQ]{2,3}=\n(\\PC{0,2}\n){0,2}") {
        if let Ok(checkpoint) = text.parse::<Checkpoint>() {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }

    #[test]
    fn no_text_panics(text in "(\\PC|\n|\t){0,60}") {
        if let Ok(checkpoint) = text.parse::<Checkpoint>() {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }
}
