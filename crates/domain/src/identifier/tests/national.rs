//! The national numbers: how each is written, what its check refuses, and what they have in common.

use super::*;

use IdentifierKind::{
    BeRrn, DeKvnr, DkCpr, EsDni, FiHetu, FrNir, ItCodicefiscale, LuMatricule, NoFnr, PlPesel,
    SePersonnummer, UkChi,
};

/// Numbers, and other ways to write them.
const SPELLINGS: [(IdentifierKind, &[&[&str]]); 12] = [
    (
        BeRrn,
        &[
            &[
                "85073003328",
                "85.07.30-033.28",
                "85.07.30 033-28",
                "85 07 30 033 28",
                "850730-033-28",
                " 850730.033.28 ",
            ],
            // Born since 2000.
            &["17073003384"],
            // BIS numbers, and dates that are not known.
            &["98472899765", "98.47.28-997.65"],
            &["00000100562"],
            &["85003003308"],
        ],
    ),
    (
        DeKvnr,
        &[
            &["X110411675", "x110411675", "X 110 411 675", "X110 411 675"],
            &["Z999999997"],
        ],
    ),
    (
        FrNir,
        &[
            &[
                "185057800608491",
                "1 85 05 78 006 084 91",
                "1.85.05.78.006.084.91",
                "1850578006084-91",
                "1850578006084 91",
            ],
            &["185052A00608435", "1 85 05 2a 006 084 35"],
            &["185052B00608462", "1 85 05 2B 006 084 62"],
            &["785057800608482"],
        ],
    ),
    (
        EsDni,
        &[
            &[
                "54362315K",
                "54362315-K",
                "54362315 k",
                "54.362.315-K",
                "54.362.315 K",
                "54.362.315K",
            ],
            &["01234568C"],
            &["X1234569K", "X-1234569-K", "x 1234569 k", "X-1.234.569-K"],
            &["Y2345678Z"],
            &["Z3456789D"],
        ],
    ),
    (
        FiHetu,
        &[
            &["131052-308T", "131052-308t", " 131052-308T "],
            // The sign alone makes another person.
            &["131052F308T"],
            &["131052Y308T"],
            &["010594Y803U", "010594y803u"],
            &["020202A899D"],
            &["010100+002H"],
            &["290200A1239"],
        ],
    ),
    (
        SePersonnummer,
        &[
            &[
                "198112289841",
                "19811228-9841",
                "19811228 9841",
                "1981-12-28-9841",
            ],
            &["188112289841", "18811228-9841"],
            &["200002291235"],
            &["197010632391", "19701063-2391"],
        ],
    ),
    (
        NoFnr,
        &[
            &["15108695088", "151086 95088", "151086-95088"],
            // D-number, and a test person of the tax administration.
            &["55108695071"],
            &["15908695051"],
            // The rule of 2032.
            &["02013299997"],
            &["02013299903"],
            &["30108299939"],
        ],
    ),
    (
        DkCpr,
        &[
            &["2110625629", "211062-5629", "211062 5629"],
            &["2902004120"],
            &["2902605120"],
        ],
    ),
    (
        ItCodicefiscale,
        &[
            &[
                "RCCMNL83S18D969H",
                "rccmnl83s18d969h",
                "RCC MNL 83S18 D969H",
                "RCCMNL-83S18-D969-H",
            ],
            // Omocodia: two people.
            &["RSSMRA80A01H501U"],
            &["RSSMRA80A01H50MM"],
            &["CNTCHR83T41D969D"],
            &["RSSMRA11A11A111K"],
        ],
    ),
    (
        PlPesel,
        &[
            &["44051401359", "440514 01359", "440514-01359"],
            &["02211307589"],
            &["99862901358"],
            &["02631307583"],
        ],
    ),
    (
        UkChi,
        &[
            &["0701901233", "070190 1233", "070190-1233", "070 190 1233"],
            &["2902001231"],
        ],
    ),
    (
        LuMatricule,
        &[
            &["1893120105732", "1893 1201 05732", "18931201-05732"],
            &["2000022912312"],
        ],
    ),
];

#[test]
fn a_national_number_has_one_normal_form_however_it_is_written() {
    for (kind, people) in SPELLINGS {
        for spellings in people {
            for spelling in *spellings {
                all(kind, &[(*spelling, spellings[0])]);
            }
        }
    }
}

#[test]
fn a_national_number_that_fails_its_check_is_refused_unless_the_checksum_is_off() {
    let wrong: [(IdentifierKind, &[&str]); 12] = [
        // No month 13 or 60; a wrong check digit.
        (BeRrn, &["85133003370", "85603003311", "85073003329"]),
        (DeKvnr, &["X110411674", "Y110411675"]),
        // 20 is no 2A; no one has 5.
        (
            FrNir,
            &["185057800608492", "185052000608435", "585057800608485"],
        ),
        (EsDni, &["54362315T", "Y1234569K"]),
        // No 29 February 1900; 001 and 900 are no one's.
        (
            FiHetu,
            &["131052-308U", "290200-1239", "010100-001F", "010594Y9032"],
        ),
        // No 29 February 1900; 1781; day 60.
        (
            SePersonnummer,
            &[
                "198112289842",
                "190002291235",
                "178112289841",
                "197010602394",
            ],
        ),
        // The substitutes of hospitals.
        (NoFnr, &["15108695077", "15508695060", "99800112318"]),
        (DkCpr, &["3102991234", "2902000120", "7110625629"]),
        (
            ItCodicefiscale,
            &["RCCMNL83S18D969I", "RSSMRA80A81H501C", "RSSMRA01B29A000H"],
        ),
        (PlPesel, &["44051401358", "02381307589"]),
        (UkChi, &["0701901234", "2902011237", "3201901237"]),
        (
            LuMatricule,
            &["1893120105722", "1893120105731", "1900022912344"],
        ),
    ];
    for (kind, values) in wrong {
        all_refused(kind, values, Reason::InvalidChecksum);
        for value in values {
            let form = norm_bytes(kind, Checksum::Off, value.as_bytes());
            assert_eq!(form, Ok(Some(value.as_bytes().to_vec())), "{kind}");
        }
    }
}

#[test]
fn a_national_number_of_another_form_is_refused() {
    let other: [(IdentifierKind, &[&str]); 12] = [
        (BeRrn, &["8507300332", "850730033288", "A5073003328"]),
        (
            DeKvnr,
            &["X11041167", "1110411675", "X1104116756", "Ä110411675"],
        ),
        (
            FrNir,
            // Without its key; Corsica has no 2C.
            &["1850578006084", "185052C00608435", "1850578006084912"],
        ),
        // Without its leading zero, or without its X?
        (
            EsDni,
            &["1234569K", "K1234569K", "543623155", "ES54362315K"],
        ),
        // Without its sign; no such sign, no such check character.
        (
            FiHetu,
            &["131052308T", "131052G308T", "131052-308G", "13105-2308T"],
        ),
        (SePersonnummer, &["19811228984", "811228984"]),
        (NoFnr, &["1510869508", "5108695088"]),
        (DkCpr, &["211062562", "211062AA01"]),
        // A company; no such month, no such letter for a digit.
        (
            ItCodicefiscale,
            &["00743110157", "RCCMNL83F18D969H", "RCCMNLO3S18D969H"],
        ),
        (PlPesel, &["4405140135", "440514013599"]),
        (UkChi, &["701901233", "07019012333"]),
        (LuMatricule, &["18931201057", "189312010573"]),
    ];
    for (kind, values) in other {
        for value in values {
            let refused = norm(kind, value).expect_err(value);
            let expected = match (kind, *value) {
                (FiHetu, "13105-2308T") => Reason::MisplacedSeparator,
                _ => Reason::InvalidIdentifier,
            };
            assert_eq!(refused, expected, "{kind} of {value:?}");
        }
    }
}

/// With a `-` a person born in 1920 was, in 2019, who is now written with a `+`: the form would change on New Year's Eve.
#[test]
fn a_swedish_number_without_its_century_is_refused() {
    let short = [
        "8112289841",
        "811228-9841",
        "811228 9841",
        "811228+9841",
        " 811228+9841 ",
    ];
    all_refused(SePersonnummer, &short, Reason::NoCentury);
    all_refused(
        SePersonnummer,
        &["19811228+9841", "811228--9841"],
        Reason::MisplacedSeparator,
    );
}

#[test]
fn a_placeholder_is_no_ones_national_number() {
    let zeros = [
        (BeRrn, "00.00.00-000.00"),
        (DeKvnr, "A000000000"),
        (FrNir, "000000000000000"),
        (EsDni, "00000000T"),
        (EsDni, "X0000000T"),
        (FiHetu, "000000-0000"),
        (FiHetu, "000000A000A"),
        (SePersonnummer, "00000000-0000"),
        (NoFnr, "000000 00000"),
        (DkCpr, "000000-0000"),
        (PlPesel, "00000000000"),
        (UkChi, "0000000000"),
        (LuMatricule, "0000000000000"),
    ];
    let rows = [
        (BeRrn, "11111111111"),
        (BeRrn, "12345678901"),
        (DeKvnr, "A123456780"),
        (DeKvnr, "M111111111"),
        (FrNir, "111111111111111"),
        (FrNir, "123456789012345"),
        (EsDni, "11111111H"),
        (EsDni, "12345678Z"),
        (EsDni, "X1234567L"),
        (EsDni, "X-9999999-J"),
        (FiHetu, "111111-111C"),
        (FiHetu, "012345-6789"),
        (SePersonnummer, "19121212-1212"),
        (NoFnr, "22222222222"),
        (DkCpr, "111111-1111"),
        (DkCpr, "123456-7890"),
        (PlPesel, "44444444444"),
        (UkChi, "1111111111"),
        (UkChi, "0123456789"),
        (LuMatricule, "1111111111111"),
    ];
    for (numbers, reason) in [
        (&zeros[..], Reason::AllZero),
        (&rows[..], Reason::PlaceholderNumber),
    ] {
        for (kind, number) in numbers {
            for checksum in [Checksum::Strict, Checksum::Off] {
                let refused = norm_bytes(*kind, checksum, number.as_bytes());
                assert_eq!(refused, Err(reason), "{kind} of {number:?}");
            }
        }
    }
}

#[test]
fn a_refusal_says_what_was_seen_in_a_national_number() {
    let rows: [(IdentifierKind, &str, Reason); 22] = [
        (BeRrn, "85.07.30.033-28", Reason::MisplacedSeparator),
        (BeRrn, "850730033.28", Reason::NumberAsDecimal),
        (
            BeRrn,
            "8.5073003328E+10",
            Reason::NumberInScientificNotation,
        ),
        (DeKvnr, "X-110411675", Reason::MisplacedSeparator),
        (DeKvnr, "'X110411675", Reason::NumberInQuotes),
        (DeKvnr, "X 1 10411675", Reason::MisplacedSeparator),
        (FrNir, "185057800608491.0", Reason::NumberAsDecimal),
        (
            FrNir,
            "1.85057800608491E14",
            Reason::NumberInScientificNotation,
        ),
        (FrNir, "1 85 05 78 006 084/91", Reason::MisplacedSeparator),
        (EsDni, "54.362.315.K", Reason::MisplacedSeparator),
        (EsDni, "54362315_K", Reason::MisplacedSeparator),
        (EsDni, "DNI: 54362315K", Reason::MisplacedSeparator),
        (EsDni, "54362315K\t", Reason::InvisibleCharacter),
        (FiHetu, "131052\u{2013}308T", Reason::MisplacedSeparator),
        (FiHetu, "131052 -308T", Reason::MisplacedSeparator),
        (FiHetu, "131052-308\u{ff34}", Reason::InvalidIdentifier),
        (FiHetu, "\u{661}31052-308T", Reason::ForeignDigits),
        (DkCpr, "211062.5629", Reason::NumberAsDecimal),
        (DkCpr, "2110625629.0", Reason::NumberAsDecimal),
        (NoFnr, "+15108695088", Reason::NumberWithSign),
        (
            ItCodicefiscale,
            "RCC/MNL83S18D969H",
            Reason::MisplacedSeparator,
        ),
        (PlPesel, "4 4 0 5 1 4 0 1 3 5 9", Reason::MisplacedSeparator),
    ];
    for (kind, value, reason) in rows {
        all_refused(kind, &[value], reason);
    }
}

#[test]
fn verhoeff_and_luhn_find_what_they_promise() {
    let valid = "1893120105732";
    for (place, _) in valid.char_indices() {
        for digit in '0'..='9' {
            let mut wrong = valid.to_owned();
            wrong.replace_range(place..=place, &digit.to_string());
            assert_eq!(norm(LuMatricule, &wrong).is_ok(), wrong == valid, "{wrong}");
        }
        // Neighbours that change places: Verhoeff finds all of them among the first eleven.
        if place + 1 < 11 && valid[place..=place] != valid[place + 1..place + 2] {
            let mut wrong: Vec<char> = valid.chars().collect();
            wrong.swap(place, place + 1);
            assert!(norm(LuMatricule, &wrong.iter().collect::<String>()).is_err());
        }
    }
}

/// Numbers without their check characters, as patterns, and how many check digits follow (0: one character).
fn without_check() -> Vec<(IdentifierKind, String, usize)> {
    const DAY_MONTH_YEAR: &str = "(0[1-9]|1[0-9]|2[0-8])(0[1-9]|1[0-2])[0-9]{2}";
    const YEAR_MONTH_DAY: &str = "(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])";
    vec![
        (DeKvnr, "[A-Z][0-9]{8}".to_owned(), 1),
        (FrNir, "[12][0-9]{4}([0-9]{2}|2A|2B)[0-9]{6}".to_owned(), 2),
        (EsDni, "[0-9XYZ][0-9]{7}".to_owned(), 0),
        (
            FiHetu,
            format!("{DAY_MONTH_YEAR}[-+YXWVUABCDEF][1-8][0-9]{{2}}"),
            0,
        ),
        (SePersonnummer, format!("{YEAR_MONTH_DAY}[0-9]{{3}}"), 1),
        (NoFnr, format!("{DAY_MONTH_YEAR}[0-9]{{3}}"), 2),
        (
            ItCodicefiscale,
            "[A-Z]{6}[0-9]{2}[ABCDEHLMPRST](0[1-9]|[15][0-9]|2[0-8])[A-Z][0-9]{3}".to_owned(),
            0,
        ),
        (
            PlPesel,
            "[0-9]{2}[02468][1-9](0[1-9]|1[0-9]|2[0-8])[0-9]{4}".to_owned(),
            1,
        ),
        (UkChi, format!("{DAY_MONTH_YEAR}[0-9]{{3}}"), 1),
        (LuMatricule, format!("{YEAR_MONTH_DAY}[0-9]{{3}}"), 2),
    ]
}

fn a_number_without_check() -> impl Strategy<Value = (IdentifierKind, String, usize)> {
    proptest::sample::select(without_check()).prop_flat_map(|(kind, pattern, digits)| {
        let body = proptest::string::string_regex(&pattern).expect("a pattern");
        body.prop_map(move |body| (kind, body, digits))
    })
}

/// The numbers with right check characters: `digits` digits, or one character.
fn completed(kind: IdentifierKind, body: &str, digits: usize) -> Vec<String> {
    let checks: Vec<String> = match digits {
        0 => ('0'..='9').chain('A'..='Z').map(String::from).collect(),
        1 => (0..10).map(|check| format!("{check}")).collect(),
        _ => (0..100).map(|check| format!("{check:02}")).collect(),
    };
    let numbers = checks.iter().map(|check| format!("{body}{check}"));
    numbers
        .filter(|number| norm(kind, number) == Ok(Some(number.clone())))
        .collect()
}

pub(super) fn a_spelling() -> impl Strategy<Value = (IdentifierKind, &'static str)> {
    let people = SPELLINGS
        .into_iter()
        .flat_map(|(kind, people)| people.iter().map(move |spellings| (kind, *spellings)));
    let spellings =
        people.flat_map(|(kind, spellings)| spellings.iter().map(move |value| (kind, *value)));
    proptest::sample::select(spellings.collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn one_wrong_digit_of_a_national_number_is_always_found(
        (kind, body, digits) in a_number_without_check(), place in 0usize..16, change in 1u8..10,
    ) {
        let numbers = completed(kind, &body, digits);
        let most = if kind == NoFnr { 4 } else { 1 };
        prop_assert!(numbers.len() <= most, "{kind} {numbers:?}");
        for number in numbers {
            let place = place % number.len();
            // Luhn's check begins behind the century.
            if !number.as_bytes()[place].is_ascii_digit() || (kind == SePersonnummer && place < 2) {
                continue;
            }
            let mut wrong = number.clone().into_bytes();
            wrong[place] = b'0' + (wrong[place] - b'0' + change) % 10;
            prop_assert!(norm_bytes(kind, Checksum::Strict, &wrong).is_err(), "{kind} {number} {wrong:?}");
        }
    }

    /// A character put into an accepted number makes it no other number, unless it is a digit or letter.
    #[test]
    fn a_character_more_never_makes_another_national_number(
        (kind, value) in a_spelling(), place in 0usize..24, added in prop_oneof![any::<char>(), proptest::char::range(' ', '/')],
    ) {
        let mut characters: Vec<char> = value.chars().collect();
        characters.insert(place % (characters.len() + 1), added);
        let after = norm(kind, &characters.into_iter().collect::<String>());
        if let Ok(Some(_)) = &after {
            prop_assert!(added.is_ascii());
            prop_assert!(added.is_ascii_alphanumeric() || norm(kind, value) == after);
        }
    }

    /// What comes out are the digits, the letters and the sign, all of them and in their order.
    #[test]
    fn nothing_but_separators_leaves_a_national_number(
        kind in proptest::sample::select(SPELLINGS.map(|(kind, _)| kind).to_vec()),
        value in "[A-Zxyz']{0,2}[0-9]{0,9}([ .,eE+-]{0,2}[0-9]{1,9}){0,4}[ .-]{0,1}[0-9A-Za-z]{0,5}",
    ) {
        if let Ok(Some(form)) = norm_bytes(kind, Checksum::Off, value.as_bytes()) {
            let characters = value.bytes().filter(|byte| byte.is_ascii_alphanumeric());
            let kept: Vec<u8> = characters.map(|byte| byte.to_ascii_uppercase()).collect();
            let sign = |byte: &u8| kind == FiHetu && matches!(byte, b'-' | b'+');
            let unsigned: Vec<u8> = form.iter().copied().filter(|byte| !sign(byte)).collect();
            prop_assert_eq!(unsigned, kept, "{} of {}", kind, value);
            prop_assert!(!value.contains([',', '\'']), "{}", value);
            prop_assert!(kind == FiHetu || !value.contains('+'), "{}", value);
        }
    }

    #[test]
    fn what_is_no_national_number_never_panics(
        kind in proptest::sample::select(SPELLINGS.map(|(kind, _)| kind).to_vec()),
        checksum in any_checksum(), value in "[0-9A-Z+ .-]{8,18}",
    ) {
        if let Ok(Some(once)) = norm_bytes(kind, checksum, value.as_bytes()) {
            prop_assert_eq!(norm_bytes(kind, checksum, &once), Ok(Some(once)));
        }
    }
}
