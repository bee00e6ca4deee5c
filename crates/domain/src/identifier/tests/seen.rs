//! What looks like an identifier and is none: refused, with a reason that says what was seen.

use std::collections::BTreeSet;

use super::super::unseen::is_default_ignorable;
use super::*;

/// The 11-test lets 9 % of such numbers through.
#[test]
fn a_spreadsheets_number_is_not_another_persons_bsn() {
    let kind = IdentifierKind::NlBsn;
    assert!(norm(kind, "100001610").is_ok());
    let decimal = [
        "10000161.0",
        "10000161,0",
        "10000161.00",
        "1000016.10",
        "1000016,10",
        "100001610.",
        "100001610,",
        ".100001610",
        "111.222333",
        "10,000,161.0",
        "10.000.161,0",
        "10 000 161,00",
        "10'000'161.0",
        "-10000161.0",
        " 10000161.0 ",
    ];
    all_refused(kind, &decimal, Reason::NumberAsDecimal);
    let scientific = [
        "1.0000161E+8",
        "1.0000161e8",
        "1,0000161E+08",
        "1E8",
        "-1E-8",
    ];
    all_refused(kind, &scientific, Reason::NumberInScientificNotation);
    let kind = IdentifierKind::UkNhsNumber;
    all_refused(
        kind,
        &["943476591.9", "9434765919.0", "9434765919,00"],
        Reason::NumberAsDecimal,
    );
    all_refused(kind, &["9.434765919E9"], Reason::NumberInScientificNotation);
}

/// Eight digits are completed to nine, and one date in eleven passes the 11-test.
#[test]
fn a_date_is_not_a_bsn() {
    let dates = [
        "31-12-1984",
        "1984-12-31",
        "31.12.1984",
        "31 12 1984",
        "1984 12 31",
    ];
    all_refused(IdentifierKind::NlBsn, &dates, Reason::NumberAsDate);
}

#[test]
fn separators_stand_between_groups_and_are_of_one_kind() {
    all(
        IdentifierKind::NlBsn,
        &[
            ("111 222 333", "111222333"),
            ("100.001.610", "100001610"),
            ("10.000.008", "010000008"),
            ("11122-2333", "111222333"),
        ],
    );
    let misplaced = [
        "1.111.222.333",
        "1-11222333",
        "11122233-3",
        "111.222-333",
        "111 222-333",
        "111..222.333",
        ".111.222.333",
        "111.222.333.",
        "111  222 333",
        "100,001,610",
        "111'222'333",
        "111/222/333",
        "111\u{2013}222\u{2013}333",
    ];
    all_refused(
        IdentifierKind::NlBsn,
        &misplaced,
        Reason::MisplacedSeparator,
    );
    all_refused(IdentifierKind::NlBsn, &[". -"], Reason::InvalidIdentifier);
    all_refused(
        IdentifierKind::UkNhsNumber,
        &[
            "943.476.5919",
            "943 476-5919",
            "9 434 765 919",
            "943,476,5919",
        ],
        Reason::MisplacedSeparator,
    );
    all_refused(
        IdentifierKind::Iban,
        &[
            "N L91ABNA0417164300",
            "NL91  ABNA 0417 1643 00",
            "NL91 ABNA 0417 1643 0 0",
            "NL91 ABNA041716430 0",
        ],
        Reason::MisplacedSeparator,
    );
    // Four and four, and one is left.
    all(
        IdentifierKind::Iban,
        &[("CH93 0076 2011 6238 5295 7", "CH9300762011623852957")],
    );
}

#[test]
fn a_refusal_says_what_was_seen_in_a_number() {
    let rows: [(&[&str], Reason); 5] = [
        (
            &["+111222333", "-111222333", "111222333-", "(111222333)"],
            Reason::NumberWithSign,
        ),
        (
            &[
                "'111222333",
                "\"111222333\"",
                "=111222333",
                "\u{2019}111222333",
            ],
            Reason::NumberInQuotes,
        ),
        (
            &[
                "111222333\t",
                "111222333\n",
                "111\u{a0}222333",
                "111\u{202f}222\u{202f}333",
                "111222333\u{200b}",
                "111\u{ad}222\u{ad}333",
                "\u{feff}111222333",
                "111222333\0",
                "111222333\u{200e}",
            ],
            Reason::InvisibleCharacter,
        ),
        (
            &[
                "\u{661}11222333",
                "\u{ff11}11222333",
                "11122233\u{b3}",
                "١١١٢٢٢٣٣٣",
            ],
            Reason::ForeignDigits,
        ),
        (
            &[
                "111111111",
                "999999999",
                "123456789",
                "12345678",
                "987654321",
            ],
            Reason::PlaceholderNumber,
        ),
    ];
    for (values, reason) in rows {
        all_refused(IdentifierKind::NlBsn, values, reason);
    }
    all_refused(
        IdentifierKind::Iban,
        &[
            "NL91\u{a0}ABNA\u{a0}0417\u{a0}1643\u{a0}00",
            "NL91ABNA0417164300\u{200b}",
            "NL91\tABNA0417164300",
        ],
        Reason::InvisibleCharacter,
    );
}

/// Repeated digits and two well-known rows of digits pass modulus 11.
#[test]
fn a_placeholder_that_passes_the_check_is_no_nhs_number() {
    let repeated: Vec<String> = (1..10).map(|digit| digit.to_string().repeat(10)).collect();
    let rows = ["0123456789", "1234567890", "9876543210", "999 999 9999"];
    for number in repeated.iter().map(String::as_str).chain(rows) {
        let kind = IdentifierKind::UkNhsNumber;
        all_refused(kind, &[number], Reason::PlaceholderNumber);
    }
}

/// Silently, it was another pseudonym, and an opt-out of the address did not reach it.
#[test]
fn an_email_with_an_invisible_character_is_refused() {
    for invisible in "\u{200b}\u{200c}\u{200d}\u{200e}\u{202e}\u{2060}\u{feff}\u{ad}\u{34f}\u{fe0f}\u{3164}\u{e0041}\0\u{1f}\u{7f}\u{80}\u{fff9}".chars() {
        for value in [
            format!("{invisible}a@x.example"),
            format!("a{invisible}b@x.example"),
            format!("a@x{invisible}.example"),
            format!("a@x.example{invisible}"),
        ] {
            all_refused(IdentifierKind::Email, &[&value], Reason::InvisibleCharacter);
        }
    }
    all_refused(
        IdentifierKind::Email,
        &["a\tb@x", "a@x\r\ny"],
        Reason::InvisibleCharacter,
    );
}

#[test]
fn what_is_more_than_an_address_is_refused() {
    let more = [
        "a b@x",
        "a@ x",
        "a@x y",
        "a\u{a0}b@x",
        "Jan <jan@x>",
        "mailto:jan@x",
        "jan@x;",
        "jan@x, piet",
        "\"jan\"@x",
        "'jan@x'",
        "jan@x.",
        ".jan@x",
        "jan.@x",
        "jan..p@x",
        "jan@.x",
        "\u{ff41}@x",
        "\u{fb01}@x",
    ];
    all_refused(IdentifierKind::Email, &more, Reason::InvalidIdentifier);
    all(
        IdentifierKind::Email,
        &[("O'Neil+tag@x.example", "o'neil+tag@x.example")],
    );
}

/// Silently, it was another pseudonym than the address without them.
#[test]
fn an_email_in_quotation_marks_or_with_something_behind_it_is_refused() {
    let framed = [
        "\u{201c}ada@example.org\u{201d}",
        "\u{2018}ada@example.org\u{2019}",
        "\u{ab}ada@example.org\u{bb}",
        "\u{201e}ada@example.org",
        "\u{201c}ada@example.org",
        "ada\u{201d}@example.org",
        "`ada@example.org",
        "=ada@example.org",
        "ada@example.org'",
        "'ada'@example.org",
        "ada=@example.org",
        "{ada@example.org}",
        "{ada}@example.org",
        "o\u{2019}neil@example.org",
        "\u{2022}ada@example.org",
        "\u{2013}ada@example.org",
        "ada@example.org?subject=x",
        "ada@example.org/",
        "ada@example.org\u{3002}",
        "ada@example\u{3002}org",
        "?@?",
        "ada@-example.org",
        "ada@example-.org",
        "ada@example.org-",
        "ada@exam_ple.org",
        "ada@example.org!",
        "ada@\u{2665}.example",
        "ada@example.org\u{2026}",
    ];
    all_refused(IdentifierKind::Email, &framed, Reason::InvalidIdentifier);
}

#[test]
fn an_address_with_marks_within_is_taken() {
    let addresses = [
        "a{}b@example.org",
        "bounce+ada=example.org@x.example",
        "!#$%&*+-/?^_|~@example.org",
        "ada@b\u{fc}cher.example",
        "ada@xn--bcher-kva.example",
        "ada@exa-mple.org",
        "\u{909}\u{926}\u{93e}\u{939}\u{930}\u{923}@\u{909}\u{926}\u{93e}\u{939}\u{930}\u{923}.\u{92d}\u{93e}\u{930}\u{924}",
        "a\u{1f150}@example.org",
        "a@x",
    ];
    for address in addresses {
        all(IdentifierKind::Email, &[(address, address)]);
    }
}

/// Two names that lost the same character would be one subject.
#[test]
fn a_text_that_lost_a_character_is_refused() {
    for kind in [IdentifierKind::Text, IdentifierKind::Email] {
        all_refused(kind, &["m\u{fffd}ller@x"], Reason::ReplacementCharacter);
    }
}

#[test]
fn a_text_with_a_control_character_is_refused() {
    let controlled = ["a\u{1c}b", "\0", "a\u{7f}", "\u{1b}[1m", "a\u{fffa}b\u{e9}"];
    all_refused(
        IdentifierKind::Text,
        &controlled,
        Reason::InvisibleCharacter,
    );
}

proptest! {
    /// What comes out of a number is its digits, all of them and in their order, and at most one zero before them.
    #[test]
    fn no_number_has_a_normal_form_with_other_digits(
        kind in proptest::sample::select(vec![IdentifierKind::NlBsn, IdentifierKind::UkNhsNumber]),
        value in "[ '+(=-]{0,2}[0-9]{0,9}([ .,'eE+-]{0,2}[0-9]{0,9}){0,3}[ ).,-]{0,2}",
    ) {
        if let Ok(Some(form)) = norm_bytes(kind, Checksum::Off, value.as_bytes()) {
            let digits: Vec<u8> = value.bytes().filter(u8::is_ascii_digit).collect();
            let completed = kind == IdentifierKind::NlBsn && digits.len() == 8;
            let added = if completed { &b"0"[..] } else { b"" };
            prop_assert_eq!(form.strip_prefix(added), Some(&digits[..]));
            let inside = value.trim_matches(' ');
            let marks: BTreeSet<u8> = inside.bytes().filter(|byte| !byte.is_ascii_digit()).collect();
            prop_assert!(marks.len() <= 1, "one kind of separator: {}", value);
            let groups: Vec<&str> = inside.split(|c: char| !c.is_ascii_digit()).collect();
            prop_assert!(groups.iter().all(|group| group.len() >= 2), "{}", value);
            prop_assert!(inside.matches('.').count() != 1, "one dot is a decimal point: {}", value);
            prop_assert!(!inside.contains([',', 'e', 'E', '\'', '+', '(', ')', '=']), "{}", value);
        }
    }

    /// A character put into an accepted number makes it no other number, unless it is a digit or letter.
    #[test]
    fn a_character_more_never_makes_another_number(
        kind in proptest::sample::select(vec![IdentifierKind::NlBsn, IdentifierKind::UkNhsNumber, IdentifierKind::Iban]),
        which in 0usize..4, place in 0usize..24, added in any::<char>(),
    ) {
        let values = match kind {
            IdentifierKind::NlBsn => ["111222333", "1112.22.333", "10000008", "950-000-012"],
            IdentifierKind::UkNhsNumber => ["9434765919", "943 476 5919", "401-023-2137", "9434765870"],
            _ => ["NL91ABNA0417164300", "NL91 ABNA 0417 1643 00", "GB82WEST12345698765432", "NO93 8601 1117 947"],
        };
        let before = norm(kind, values[which]);
        let mut characters: Vec<char> = values[which].chars().collect();
        characters.insert(place % (characters.len() + 1), added);
        let after = norm(kind, &characters.into_iter().collect::<String>());
        if let Ok(Some(_)) = &after {
            prop_assert!(added.is_ascii_alphanumeric() || before == after);
            prop_assert!(added.is_ascii());
        }
    }

    /// Invisible characters, case and width make no other name.
    #[test]
    fn what_a_reader_does_not_see_makes_no_other_text(
        value in "[a-zA-Z \u{e9}\u{df}]{1,12}", place in 0usize..13,
        added in proptest::sample::select("\u{200b}\u{ad}\u{feff}\u{200d}\u{fe0f}\u{2060}\u{e0041}".chars().collect::<Vec<_>>()),
    ) {
        prop_assert!(is_default_ignorable(added));
        let mut characters: Vec<char> = value.chars().collect();
        characters.insert(place % (characters.len() + 1), added);
        let seen_alike: String = characters.into_iter().collect();
        prop_assert_eq!(norm(IdentifierKind::Text, &seen_alike), norm(IdentifierKind::Text, &value));
        let widened = |c: char| if c.is_ascii_alphabetic() {
            char::from_u32(c as u32 + 0xfee0).expect("a full-width letter")
        } else {
            c
        };
        let wide: String = value.chars().map(widened).collect();
        prop_assert_eq!(norm(IdentifierKind::Text, &wide), norm(IdentifierKind::Text, &value));
    }
}
