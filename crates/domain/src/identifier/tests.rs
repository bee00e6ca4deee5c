use proptest::prelude::*;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use unicode_normalization::UnicodeNormalization;

use super::*;

mod missing;
mod national;
mod second;
mod seen;

/// The normal form; `None` if missing. Also checks that `out` keeps what it had, and gets nothing on an error.
fn norm_bytes(
    kind: IdentifierKind,
    checksum: Checksum,
    value: &[u8],
) -> Result<Option<Vec<u8>>, Reason> {
    let mut out = WipedBuffer::default();
    out.extend_from_slice(b"before");
    let outcome = normalise(kind, checksum, value, &mut out);
    let appended = out
        .strip_prefix(b"before")
        .expect("what was there stays")
        .to_vec();
    assert_eq!(
        appended.is_empty(),
        outcome != Ok(true),
        "bytes are appended exactly when the value is present"
    );
    assert!(appended.len() <= MAX_NORMALISED);
    outcome.map(|present| present.then_some(appended))
}

fn norm(kind: IdentifierKind, value: &str) -> Result<Option<String>, Reason> {
    let normalised = norm_bytes(kind, Checksum::Strict, value.as_bytes())?;
    Ok(normalised.map(|bytes| String::from_utf8(bytes).expect("text in, text out")))
}

/// The rows of a table: input, normal form.
fn all(kind: IdentifierKind, rows: &[(&str, &str)]) {
    for (value, expected) in rows {
        assert_eq!(
            norm(kind, value),
            Ok(Some((*expected).to_owned())),
            "{kind} of {value:?}"
        );
    }
}

fn all_refused(kind: IdentifierKind, values: &[&str], reason: Reason) {
    for value in values {
        assert_eq!(norm(kind, value), Err(reason), "{kind} of {value:?}");
    }
}

fn all_missing(kind: IdentifierKind, values: &[&str]) {
    for value in values {
        assert_eq!(norm(kind, value), Ok(None), "{kind} of {value:?}");
    }
}

#[test]
fn names_are_the_same_everywhere() {
    for kind in IdentifierKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(kind.to_string(), kind.as_str());
        let from: StrDeserializer<'_, Error> = kind.as_str().into_deserializer();
        assert_eq!(IdentifierKind::deserialize(from), Ok(kind));
    }
    assert_eq!(
        "NL-BSN".parse::<IdentifierKind>(),
        Err(UnknownIdentifierKind)
    );
    let oprf: StrDeserializer<'_, Error> = "oprf".into_deserializer();
    assert!(InputMode::deserialize(oprf).is_err());
    let off: StrDeserializer<'_, Error> = "off".into_deserializer();
    assert_eq!(Checksum::deserialize(off), Ok(Checksum::Off));
    assert_eq!(Checksum::default(), Checksum::Strict);
}

#[test]
fn bsn() {
    let kind = IdentifierKind::NlBsn;
    all(
        kind,
        &[
            ("111222333", "111222333"),
            ("1112.22.333", "111222333"),
            (" 950-000-012 ", "950000012"),
            ("900095222", "900095222"),
            ("950053533", "950053533"),
            ("10000008", "010000008"),
            ("1000 0008", "010000008"),
        ],
    );
    all_missing(kind, &["", "  ", "\t\n"]);
    all_refused(
        kind,
        &["000000000", "00000000", "000.000.000"],
        Reason::AllZero,
    );
    all_refused(
        kind,
        &["999940003", "111222334", "10000009"],
        Reason::InvalidChecksum,
    );
    all_refused(
        kind,
        &[
            "0",
            "0000000",
            "1112223330",
            "11122233a",
            "1112223a",
            "-",
            "x",
        ],
        Reason::InvalidIdentifier,
    );
}

#[test]
fn nhs_number() {
    let kind = IdentifierKind::UkNhsNumber;
    all(
        kind,
        &[
            ("943 476 5919", "9434765919"),
            ("401-023-2137", "4010232137"),
            ("9434765870", "9434765870"),
        ],
    );
    all_missing(kind, &["", " "]);
    all_refused(kind, &["0000000000"], Reason::AllZero);
    all_refused(kind, &["9434765918", "9434765910"], Reason::InvalidChecksum);
    all_refused(
        kind,
        &["943476591", "94347659190", "943476591X"],
        Reason::InvalidIdentifier,
    );
}

/// 10·1 + 2·1 = 12 leaves 1, and 11 - 1 = 10.
#[test]
fn an_nhs_number_whose_check_would_be_10_is_never_valid() {
    for last in 0..10 {
        all_refused(
            IdentifierKind::UkNhsNumber,
            &[&format!("100000001{last}")],
            Reason::InvalidChecksum,
        );
    }
}

/// 10·1 + 2·6 = 22 leaves 0, and 11 - 0 = 11 stands for 0.
#[test]
fn an_nhs_number_whose_check_would_be_11_ends_in_0() {
    all(IdentifierKind::UkNhsNumber, &[("1000000060", "1000000060")]);
}

#[test]
fn iban() {
    let kind = IdentifierKind::Iban;
    all(
        kind,
        &[
            ("NL91 ABNA 0417 1643 00", "NL91ABNA0417164300"),
            ("gb82west12345698765432", "GB82WEST12345698765432"),
            ("NO93 8601 1117 947", "NO9386011117947"),
            (
                "MT84MALT011000012345MTLCAST001S",
                "MT84MALT011000012345MTLCAST001S",
            ),
        ],
    );
    all_missing(kind, &["", "   "]);
    all_refused(
        kind,
        &[
            "NL92ABNA0417164300",
            "NL91ABNA0417164301",
            "NL91ABNA4017164300",
        ],
        Reason::InvalidChecksum,
    );
    all_refused(
        kind,
        &[
            "N",
            "NL9",
            "NL91ABNA041716",
            "1L91ABNA0417164300",
            "NLX1ABNA0417164300",
            "NL91-ABNA-0417164300",
            "IBAN NL91ABNA0417164300",
            "NL91ÀBNA0417164300",
            "NL91ABNA04171643000000000000000000A",
        ],
        Reason::InvalidIdentifier,
    );
}

/// All three leave 1 when divided by 97 if their sibling (97, 98, 02) does.
#[test]
fn iban_check_digits_have_one_spelling() {
    let check_digits = |account: &str| -> Vec<String> {
        let candidates = (0..100).map(|check| format!("NL{check:02}{account}"));
        candidates
            .filter(|iban| norm(IdentifierKind::Iban, iban).is_ok())
            .collect()
    };
    for account in 0..200 {
        let valid = check_digits(&format!("ABNA{account:010}"));
        assert_eq!(valid.len(), 1, "{valid:?}");
    }
}

#[test]
fn email() {
    let kind = IdentifierKind::Email;
    all(
        kind,
        &[
            ("  Jan.Jansen@Example.ORG\r\n", "jan.jansen@example.org"),
            ("JOSE\u{301}@EXAMPLE.ORG", "jos\u{e9}@example.org"),
            ("STRA\u{1e9e}E@x", "stra\u{df}e@x"),
            ("\u{130}@x", "i\u{307}@x"),
            ("ΟΔΟΣ@x", "οδος@x"),
            ("\u{3000}ab@x\u{85}", "ab@x"),
        ],
    );
    all_missing(kind, &["", " \t\u{a0}"]);
    all_refused(
        kind,
        &[
            "@",
            "a@",
            "@b",
            "a b",
            "a@b@c",
            "a@@b",
            " a@ ",
            "a\u{ff20}b",
        ],
        Reason::InvalidIdentifier,
    );
}

#[test]
fn date() {
    let kind = IdentifierKind::Date;
    all(
        kind,
        &[("1984-03-07", "1984-03-07"), ("2024-02-29", "2024-02-29")],
    );
    all_missing(kind, &["", " "]);
    all_refused(
        kind,
        &[" 1984-03-07", "2023-02-29", "07-03-1984", "0000-01-01"],
        Reason::InvalidDate,
    );
}

#[test]
fn text() {
    let kind = IdentifierKind::Text;
    all(
        kind,
        &[
            ("  Van  der\tBERG \n", "van der berg"),
            ("a\u{b}\u{c}b", "a b"),
            ("Stra\u{df}e", "strasse"),
            ("STRASSE", "strasse"),
            ("Zoe\u{308}", "zo\u{eb}"),
            ("ZO\u{cb}", "zo\u{eb}"),
            ("a\u{a0}\u{2003}\u{3000}b\u{2028}", "a b"),
            ("a\u{200b}b\u{feff}", "ab"),
            ("ΟΔΟΣ", "οδοσ"),
            ("οδος", "οδοσ"),
            ("I\u{307}", "i\u{307}"),
            ("\u{130}", "i\u{307}"),
            ("I", "i"),
            ("\u{1f0}", "\u{1f0}"),
            ("\u{1fb3}", "\u{3b1}\u{3b9}"),
            ("\u{212b}", "\u{e5}"),
            ("\u{fb01}", "fi"),
            ("\u{ff21}", "a"),
            ("\u{bd}\u{2167}", "1\u{2044}2viii"),
            ("\u{ff8c}\u{ff9f}", "\u{30d7}"),
        ],
    );
    all_missing(
        kind,
        &[
            "",
            " ",
            "\t\r\n\u{b}\u{c}",
            "\u{2003}\u{85}",
            "\u{feff} \u{ad}",
        ],
    );
}

#[test]
fn opaque_is_left_alone() {
    assert_eq!(
        norm_bytes(IdentifierKind::Opaque, Checksum::Strict, b" \xff\0A "),
        Ok(Some(b" \xff\0A ".to_vec()))
    );
    all_missing(IdentifierKind::Opaque, &["", " ", "\r\n"]);
}

#[test]
fn checksum_off_keeps_the_form() {
    let off = |kind, value: &str| norm_bytes(kind, Checksum::Off, value.as_bytes());
    assert_eq!(
        off(IdentifierKind::NlBsn, "999940003"),
        Ok(Some(b"999940003".to_vec()))
    );
    assert_eq!(
        off(IdentifierKind::NlBsn, "000000000"),
        Err(Reason::AllZero)
    );
    assert_eq!(
        off(IdentifierKind::NlBsn, "99994000"),
        Ok(Some(b"099994000".to_vec()))
    );
    assert_eq!(
        off(IdentifierKind::NlBsn, "9999400"),
        Err(Reason::InvalidIdentifier)
    );
    assert_eq!(
        off(IdentifierKind::UkNhsNumber, "1000000010"),
        Ok(Some(b"1000000010".to_vec()))
    );
    assert_eq!(
        off(IdentifierKind::UkNhsNumber, "0000000000"),
        Err(Reason::AllZero)
    );
    assert_eq!(
        off(IdentifierKind::Iban, "nl00abna0417164300"),
        Ok(Some(b"NL00ABNA0417164300".to_vec()))
    );
    assert_eq!(
        off(IdentifierKind::Iban, "hello"),
        Err(Reason::InvalidIdentifier)
    );
}

#[test]
fn over_255_bytes_after_normalisation_is_too_long() {
    for kind in [IdentifierKind::Text, IdentifierKind::Opaque] {
        assert!(norm(kind, &"a".repeat(255)).is_ok());
        assert_eq!(norm(kind, &"a".repeat(256)), Err(Reason::TooLong));
    }
    for kind in IdentifierKind::ALL {
        assert_eq!(norm(kind, &"1".repeat(256)), Err(Reason::TooLong), "{kind}");
    }
    assert_eq!(
        norm(
            IdentifierKind::Email,
            &format!("{}@{}", "a".repeat(200), "b".repeat(55))
        ),
        Err(Reason::TooLong)
    );
    // One ligature of 18 characters, which are 33 bytes.
    assert!(norm(IdentifierKind::Text, &"\u{fdfa}".repeat(7)).is_ok());
    assert_eq!(
        norm(IdentifierKind::Text, &"\u{fdfa}".repeat(8)),
        Err(Reason::TooLong)
    );
    // 128 sharp s are 256 bytes, and so are their 128 foldings "ss".
    assert!(norm(IdentifierKind::Text, &"\u{df}".repeat(127)).is_ok());
    assert_eq!(
        norm(IdentifierKind::Text, &"\u{df}".repeat(128)),
        Err(Reason::TooLong)
    );
    assert!(norm(IdentifierKind::Text, &format!("a{}b", " ".repeat(4000))).is_ok());
}

#[test]
fn a_huge_value_is_not_looked_at() {
    for kind in IdentifierKind::ALL {
        assert_eq!(
            norm(kind, &" ".repeat(MAX_RAW + 1)),
            Err(Reason::TooLong),
            "{kind}"
        );
    }
    assert_eq!(norm(IdentifierKind::Text, &" ".repeat(MAX_RAW)), Ok(None));
}

#[test]
fn invalid_utf8_is_named_as_such_by_every_kind_but_opaque() {
    for kind in IdentifierKind::ALL
        .into_iter()
        .filter(|kind| *kind != IdentifierKind::Opaque)
    {
        for value in [
            &b"\xff"[..],
            b"11122233\xff",
            b"a@\xc3",
            &[0xed, 0xa0, 0x80],
            &[0xff; 300],
        ] {
            assert_eq!(
                norm_bytes(kind, Checksum::Strict, value),
                Err(Reason::InvalidUtf8),
                "{kind}"
            );
        }
    }
}

/// The ASCII short cuts say the same as the general rules.
#[test]
fn ascii_short_cuts_agree_with_the_general_rule() {
    for byte in 0..0x80u8 {
        // The added letter is outside ASCII and changes nothing but its own place.
        let short = norm(IdentifierKind::Text, &format!("{}x", char::from(byte)));
        let general = norm(
            IdentifierKind::Text,
            &format!("{}x\u{e9}", char::from(byte)),
        );
        assert_eq!(
            short.map(|form| form.map(|form| form + "\u{e9}")),
            general,
            "byte {byte}"
        );
        let (short, general) = (
            format!("{}x@y", char::from(byte)),
            format!("{}x@y\u{e9}", char::from(byte)),
        );
        let (short, general) = (
            norm(IdentifierKind::Email, &short),
            norm(IdentifierKind::Email, &general),
        );
        assert_eq!(
            short.map(|form| form.map(|form| form + "\u{e9}")),
            general,
            "byte {byte}"
        );
    }
}

/// The normal form of every character by itself.
///
/// If this fails after an upgrade of Rust, `caseless` or `unicode-normalization`, do not just change the number: find
/// the characters that differ. Were they assigned in Unicode 16.0, subjects would change their pseudonyms and the
/// upgrade must wait; were they not, the number may follow.
#[test]
fn the_unicode_tables_are_the_frozen_ones() {
    let found = (
        fingerprint(IdentifierKind::Text, ""),
        fingerprint(IdentifierKind::Email, "@x"),
    );
    assert_eq!(
        found,
        (13_879_649_607_792_906_514, 12_733_409_684_889_019_180),
        "text, email"
    );
}

/// FNV-1a, so that the test needs no table of a million entries.
fn fingerprint(kind: IdentifierKind, suffix: &str) -> u64 {
    let mut forms = WipedBuffer::default();
    for character in '\0'..=char::MAX {
        let _ = normalise(
            kind,
            Checksum::Strict,
            format!("{character}{suffix}").as_bytes(),
            &mut forms,
        );
        forms.push(0xff);
    }
    forms.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Words of characters that fold, compose, reorder or depend on their neighbours, and white space.
fn tricky_text() -> impl Strategy<Value = String> {
    const TRICKY: &str = "aAiIsSkjw\u{130}\u{131}\u{df}\u{1e9e}\u{17f}\u{149}\u{1f0}\u{390}\u{1fb3}\u{1fbc}\u{1fb4}\u{1fe4}\
        \u{3a3}\u{3c3}\u{3c2}\u{3b1}\u{391}\u{3b9}\u{345}\u{301}\u{307}\u{308}\u{30c}\u{323}\u{338}\u{342}\u{212a}\u{212b}\
        \u{2126}\u{fb03}\u{587}\u{ac00}\u{1100}\u{1161}\u{11a8}\u{10a0}\u{13a0}\u{ab70}\u{1c4}\u{1c5}\u{37e}\u{1fef}'.: @\
        \u{a0}\u{85}\u{2000}\u{2028}\t\u{200b}\u{feff}\0";
    let character = proptest::sample::select(TRICKY.chars().collect::<Vec<_>>());
    proptest::collection::vec(character, 0..12)
        .prop_map(|characters| characters.into_iter().collect())
}

fn any_kind() -> impl Strategy<Value = IdentifierKind> {
    proptest::sample::select(&IdentifierKind::ALL[..])
}

fn any_checksum() -> impl Strategy<Value = Checksum> {
    proptest::sample::select(vec![Checksum::Strict, Checksum::Off])
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        kind in any_kind(), checksum in any_checksum(), value in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = norm_bytes(kind, checksum, &value);
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form(kind in any_kind(), checksum in any_checksum(), value in tricky_text()) {
        if let Ok(Some(once)) = norm_bytes(kind, checksum, value.as_bytes()) {
            prop_assert_eq!(norm_bytes(kind, checksum, &once), Ok(Some(once)));
        }
    }

    #[test]
    fn almost_numbers_never_panic(kind in any_kind(), value in "[A-Za-z]{0,2}[0-9 .-]{0,40}[A-Z@]{0,2}") {
        if let Ok(Some(once)) = norm_bytes(kind, Checksum::Off, value.as_bytes()) {
            prop_assert_eq!(norm_bytes(kind, Checksum::Off, &once), Ok(Some(once)));
        }
    }

    #[test]
    fn canonically_equivalent_texts_are_one(value in tricky_text()) {
        let (composed, decomposed): (String, String) = (value.nfc().collect(), value.nfd().collect());
        for kind in [IdentifierKind::Text, IdentifierKind::Email] {
            prop_assert_eq!(norm(kind, &composed), norm(kind, &value));
            prop_assert_eq!(norm(kind, &decomposed), norm(kind, &value));
        }
    }

    /// All three checks find every single wrong digit.
    #[test]
    fn one_wrong_digit_is_always_found(bsn in 1u32..100_000_000, place in 0usize..9, change in 1u8..10) {
        for last in 0..10 {
            let number = format!("{bsn:08}{last}");
            if norm(IdentifierKind::NlBsn, &number).is_ok() {
                let mut wrong = number.into_bytes();
                wrong[place] = b'0' + (wrong[place] - b'0' + change) % 10;
                prop_assert!(norm_bytes(IdentifierKind::NlBsn, Checksum::Strict, &wrong).is_err());
            }
        }
    }

    #[test]
    fn one_wrong_digit_of_an_nhs_number_is_always_found(nhs in 1u32..1_000_000_000, place in 0usize..10, change in 1u8..10) {
        let valid: Vec<String> = (0..10).map(|last| format!("{nhs:09}{last}")).filter(|number| norm(IdentifierKind::UkNhsNumber, number).is_ok()).collect();
        prop_assert!(valid.len() <= 1);
        for number in valid {
            let mut wrong = number.into_bytes();
            wrong[place] = b'0' + (wrong[place] - b'0' + change) % 10;
            prop_assert!(norm_bytes(IdentifierKind::UkNhsNumber, Checksum::Strict, &wrong).is_err());
        }
    }
}
