use proptest::prelude::*;
use sluis_crypto::Secret;
use sluis_crypto::signature::LogKey;

use super::*;

/// The example of Go's `golang.org/x/mod/sumdb/note`.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const CRYPTOGRAPHY: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
/// The example of the specification, with a text that has an empty line.
const SERA: &str = "Ognuno sta solo sul cuor della terra\n\
    trafitto da un raggio di sole:\n\
    \n\
    ed è subito sera.\n\
    \n\
    — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

fn peter() -> VerifierKey {
    PETER.parse().expect("a key")
}

fn key(name: &str, seed: u8) -> (VerifierKey, LogKey) {
    let key = LogKey::new(&Secret::from_slice(&[seed; 32]).expect("32 bytes"));
    (VerifierKey::new(name, key.public()).expect("a key"), key)
}

fn signed(text: &str, keys: &[&(VerifierKey, LogKey)]) -> Note {
    let mut note = Note::new(text).expect("a note");
    for (public, key) in keys {
        note.sign(public, |text| key.sign(text)).expect("signs");
    }
    note
}

#[test]
fn a_note_of_another_implementation_verifies() {
    let note: Note = CRYPTOGRAPHY.parse().expect("a note");
    assert!(note.text().starts_with("If you") && note.text().ends_with("problem is.\n"));
    assert_eq!(note.verify(&[peter()]), Ok(vec![peter()]));
    assert_eq!(note.to_string(), CRYPTOGRAPHY);
}

#[test]
fn the_last_empty_line_parts_text_and_signatures() {
    let note: Note = SERA.parse().expect("a note");
    assert!(note.text().ends_with("sole:\n\ned è subito sera.\n"));
    assert_eq!(note.signatures()[0].name, "quasimodo.example/salvatore");
    assert_eq!(
        (note.signatures()[0].id, note.signatures()[0].bytes.len()),
        ([0x36, 0x7b, 0xa0, 0x4b], 64)
    );
    assert_eq!(note.to_string(), SERA);
    let ends_with_empty_line = signed("text\n\n\n", &[&key("a", 1)]);
    assert_eq!(
        ends_with_empty_line.to_string().parse(),
        Ok(ends_with_empty_line)
    );
}

#[test]
fn every_changed_byte_of_a_note_is_refused() {
    for at in 0..CRYPTOGRAPHY.len() {
        let mut changed = CRYPTOGRAPHY.as_bytes().to_vec();
        changed[at] ^= 1;
        let believed = Note::from_bytes(&changed).and_then(|note| note.verify(&[peter()]));
        assert!(believed.is_err(), "byte {at}");
    }
    for length in 0..CRYPTOGRAPHY.len() {
        assert!(
            Note::from_bytes(&CRYPTOGRAPHY.as_bytes()[..length]).is_err(),
            "length {length}"
        );
    }
}

#[test]
fn several_keys_sign_and_unknown_ones_are_ignored() {
    let (log, witness, other) = (key("log", 1), key("witness", 2), key("log", 3));
    let note: Note = signed("text\n", &[&log, &witness])
        .to_string()
        .parse()
        .expect("a note");
    let verify = |known: &[&(VerifierKey, LogKey)]| {
        note.verify(
            &known
                .iter()
                .map(|(public, _)| public.clone())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        verify(&[&witness, &log]),
        Ok(vec![log.0.clone(), witness.0.clone()])
    );
    assert_eq!(verify(&[&witness]), Ok(vec![witness.0.clone()]));
    assert_eq!(verify(&[&other, &log]), Ok(vec![log.0.clone()]));
    assert_eq!(verify(&[&other]), Err(NoteError::NoKnownSignature));
    assert_eq!(verify(&[]), Err(NoteError::NoKnownSignature));
}

#[test]
fn signatures_of_other_types_are_ignored() {
    let log = key("log", 1);
    let cosignature = format!(
        "{SIGNATURE_PREFIX}witness {}\n",
        BASE64.encode(&[9; 4 + 8 + 64])
    );
    let note: Note = (signed("text\n", &[&log]).to_string() + &cosignature)
        .parse()
        .expect("a note");
    assert_eq!(note.signatures().len(), 2);
    assert_eq!(note.verify(std::slice::from_ref(&log.0)), Ok(vec![log.0]));
}

#[test]
fn one_false_signature_of_a_known_key_refuses_the_note() {
    let (log, witness) = (key("log", 1), key("witness", 2));
    let mut note = signed("text\n", &[&log, &witness]);
    let known = [log.0.clone(), witness.0.clone()];
    note.signatures[1].bytes[63] ^= 0x10;
    assert_eq!(
        note.verify(&known),
        Err(NoteError::FalseSignature {
            name: "witness".to_owned()
        })
    );
    assert_eq!(note.verify(&known[..1]), Ok(vec![log.0.clone()]));
    for length in [1, 63, 65] {
        note.signatures[1].bytes.resize(length, 0);
        assert!(note.verify(&known).is_err(), "{length} bytes");
    }
    // A true signature does not make up for a false one of the same key.
    let mut note = signed("text\n", &[&log]);
    note.signatures.push(NoteSignature {
        bytes: vec![0; 64],
        ..note.signatures[0].clone()
    });
    assert!(note.verify(&known).is_err());
    note.signatures[1] = note.signatures[0].clone();
    assert_eq!(note.verify(&known), Ok(vec![log.0]));
}

#[test]
fn a_key_signs_once_and_under_its_own_name() {
    let (log, witness) = (key("log", 1), key("witness", 2));
    let mut note = signed("text\n", &[&log, &witness, &log]);
    assert_eq!(
        note.signatures()
            .iter()
            .map(|by| by.name.as_str())
            .collect::<Vec<_>>(),
        ["witness", "log"]
    );
    let refused = note.sign(&log.0, |text| witness.1.sign(text));
    assert_eq!(
        refused,
        Err(NoteError::OtherSigningKey {
            name: "log".to_owned()
        })
    );
    assert_eq!(note, signed("text\n", &[&witness, &log]));
}

#[test]
fn what_is_wrong_with_a_note_is_said() {
    let parse = |note: &str| note.parse::<Note>();
    assert_eq!(Note::from_bytes(b"text\xff\n\n"), Err(NoteError::NotUtf8));
    assert_eq!(
        parse("text\r\n\n— a AAAAAAA=\n"),
        Err(NoteError::ControlCharacter)
    );
    for note in [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n— a AAAAAAA=\n",
        "text\n\n— a AAAAAAA=",
    ] {
        assert_eq!(parse(note), Err(NoteError::NoSignatures), "{note:?}");
    }
    assert!(parse("text\n\n— a AAAAAAA=\n").is_ok());
    let lines = [
        "- a AAAAAAA=",
        "—a AAAAAAA=",
        "— a",
        "— a ",
        "— a  AAAAAAA=",
        "—  AAAAAAA=",
        "— a+b AAAAAAA=",
        "— a AAAAAA==",
    ];
    for line in lines.into_iter().chain([
        "— a AAAAAAB=",
        "— a AAAAAAA",
        "— a AAAAAAA= ",
        "— a\u{2003}b AAAAAAA=",
        "x",
    ]) {
        assert_eq!(
            parse(&format!("text\n\n— a AAAAAAA=\n{line}\n")),
            Err(NoteError::SignatureLine(2)),
            "{line}"
        );
    }
    assert_eq!(Note::new("text"), Err(NoteError::Text));
    assert_eq!(Note::new(""), Err(NoteError::Text));
    assert_eq!(Note::new("a\tb\n"), Err(NoteError::ControlCharacter));
}

#[test]
fn notes_have_bounds() {
    let many = |lines: usize| format!("text\n\n{}", "— a AAAAAAA=\n".repeat(lines));
    assert_eq!(
        many(MAX_SIGNATURES)
            .parse::<Note>()
            .map(|note| note.signatures().len()),
        Ok(MAX_SIGNATURES)
    );
    assert_eq!(
        many(MAX_SIGNATURES + 1).parse::<Note>(),
        Err(NoteError::TooManySignatures)
    );
    let long = |bytes: usize| "x".repeat(bytes - 1) + "\n";
    assert_eq!(
        Note::from_bytes(&[b'\n'; MAX_NOTE_BYTES + 1]),
        Err(NoteError::TooLong)
    );
    assert_eq!(Note::new(long(MAX_NOTE_BYTES + 1)), Err(NoteError::TooLong));

    let (public, key) = key("log", 1);
    let mut note = Note::new(long(MAX_NOTE_BYTES)).expect("a note");
    assert_eq!(
        note.sign(&public, |text| key.sign(text)),
        Err(NoteError::TooLong)
    );
    let mut note: Note = many(MAX_SIGNATURES).parse().expect("a note");
    assert_eq!(
        note.sign(&public, |text| key.sign(text)),
        Err(NoteError::TooManySignatures)
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(note) = Note::from_bytes(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn what_reads_prints_the_same(text in "(\\PC{0,5}\n){0,3}", lines in "\n(— [a-c+ ]{1,2} [A-Za-f+/=]{4,9}\n){0,3}") {
        let note = text + &lines;
        if let Ok(read) = note.parse::<Note>() {
            prop_assert_eq!(read.to_string(), note);
        }
    }

    #[test]
    fn what_is_signed_reads_back_and_verifies(text in "(\\PC{0,9}\n){1,4}", name in "[a-z./]{1,9}", seed in any::<u8>()) {
        let (public, key) = key(&name, seed);
        let note = signed(&text, &[&(public.clone(), key)]);
        let read: Note = note.to_string().parse().expect("a note");
        prop_assert_eq!(&read, &note);
        prop_assert_eq!(read.verify(std::slice::from_ref(&public)), Ok(vec![public]));
    }
}
