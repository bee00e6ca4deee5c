use proptest::prelude::*;

use super::*;

fn apply(to: Generalisation, value: &str) -> Result<String, Reason> {
    let mut out = b"before".to_vec();
    let outcome = to.apply(value.as_bytes(), &mut out);
    let appended = out.strip_prefix(b"before").expect("what was there stays");
    assert!(
        outcome.is_ok() || appended.is_empty(),
        "an error must append nothing"
    );
    outcome.map(|()| String::from_utf8(appended.to_vec()).expect("UTF-8"))
}

fn date(text: &str) -> Date {
    Date::parse(text.as_bytes()).expect("a date")
}

/// Bands with the highest top there is.
fn ages(width: u16, reference: &str) -> Generalisation {
    ages_to(width, reference, MAX_TOP)
}

fn ages_to(width: u16, reference: &str, top: u16) -> Generalisation {
    Generalisation::AgeBand {
        width,
        reference: date(reference),
        top,
    }
}

/// The rows of a table: input, output.
fn all(to: Generalisation, rows: &[(&str, &str)]) {
    for (value, expected) in rows {
        assert_eq!(
            apply(to, value).as_deref(),
            Ok(*expected),
            "{to:?} of {value}"
        );
    }
}

fn all_refused(to: Generalisation, values: &[&str], reason: Reason) {
    for value in values {
        assert_eq!(apply(to, value), Err(reason), "{to:?} of {value}");
    }
}

#[test]
fn dates_become_years_months_and_decades() {
    all(
        Generalisation::Year,
        &[("1984-03-07", "1984"), ("0007-01-01", "0007")],
    );
    all(
        Generalisation::Month,
        &[("1984-03-07", "1984-03"), ("0007-12-31", "0007-12")],
    );
    all(
        Generalisation::Decade,
        &[
            ("1984-03-07", "1980s"),
            ("1990-01-01", "1990s"),
            ("0007-01-01", "0000s"),
        ],
    );
    for to in [
        Generalisation::Year,
        Generalisation::Month,
        Generalisation::Decade,
        ages(10, "2026-01-01"),
    ] {
        all_refused(
            to,
            &["1984", "1984-02-30", "07-03-1984", " 1984-03-07", "x"],
            Reason::InvalidDate,
        );
    }
}

#[test]
fn an_age_changes_on_the_birthday() {
    all(
        ages(10, "2026-03-06"),
        &[
            ("1986-03-06", "40-49"),
            ("1986-03-07", "30-39"),
            ("2026-03-06", "0-9"),
        ],
    );
    all(
        ages(5, "2026-11-22"),
        &[
            ("1936-11-22", "90-94"),
            ("1926-11-23", "95-99"),
            ("1926-11-22", "100-104"),
        ],
    );
    all(ages(1, "2026-01-01"), &[("1985-01-01", "41-41")]);
    all(ages(u16::MAX, "2026-01-01"), &[("1984-03-07", "0-139")]);
}

/// `140-149` singles out the one person who is that old.
#[test]
fn the_oldest_are_one_band() {
    let top = DEFAULT_TOP;
    let rows = [
        ("1936-01-02", "80-89"),
        ("1936-01-01", "90+"),
        ("1926-01-01", "90+"),
        ("1886-01-01", "90+"),
        ("1885-01-02", "90+"),
    ];
    all(ages_to(10, "2026-01-01", top), &rows);
    // The band below the top ends where the top begins.
    all(
        ages_to(20, "2026-01-01", top),
        &[("1940-01-01", "80-89"), ("1930-01-01", "90+")],
    );
    all(
        ages_to(10, "2026-01-01", 1),
        &[("2025-06-01", "0-0"), ("2025-01-01", "1+")],
    );
    all(ages(10, "2026-01-01"), &[("1886-01-01", "140+")]);
}

#[test]
fn an_age_that_nobody_has_is_refused() {
    for to in [ages(10, "2026-01-01"), ages_to(10, "2026-01-01", 90)] {
        all_refused(
            to,
            &["1885-01-01", "1800-01-01", "0001-01-01"],
            Reason::ImplausibleDate,
        );
    }
}

#[test]
fn placeholders_of_dates_stay_as_they_are() {
    let placeholders = Placeholders::new(vec![date("9999-12-31"), date("1900-01-01")]);
    let apply = |to: Generalisation, value: &str| {
        let generaliser = Generaliser {
            to,
            placeholders: placeholders.clone(),
        };
        let mut out = Vec::new();
        generaliser
            .apply(value.as_bytes(), &mut out)
            .map(|()| String::from_utf8(out).expect("UTF-8"))
    };
    for to in [
        Generalisation::Year,
        Generalisation::Month,
        Generalisation::Decade,
        ages_to(10, "2026-01-01", 90),
    ] {
        for value in ["9999-12-31", "1900-01-01", ""] {
            assert_eq!(apply(to, value).as_deref(), Ok(value), "{to:?}");
        }
        assert_ne!(apply(to, "1984-03-07").as_deref(), Ok("1984-03-07"));
        assert_eq!(apply(to, "9999-12-32"), Err(Reason::InvalidDate));
    }
    let prefix = Generalisation::Prefix { length: 4 };
    assert_eq!(apply(prefix, "9999-12-31").as_deref(), Ok("9999"));
}

#[test]
fn a_leap_day_has_its_birthday_on_the_first_of_march_in_common_years() {
    all(ages(1, "2025-02-28"), &[("2004-02-29", "20-20")]);
    all(ages(1, "2025-03-01"), &[("2004-02-29", "21-21")]);
    all(ages(1, "2024-02-29"), &[("2004-02-29", "20-20")]);
}

#[test]
fn a_birth_after_the_reference_is_refused() {
    all_refused(
        ages(10, "2026-01-01"),
        &["2026-01-02", "9999-12-31"],
        Reason::ImplausibleDate,
    );
}

#[test]
fn a_prefix_counts_characters_not_bytes() {
    let four = Generalisation::Prefix { length: 4 };
    all(
        four,
        &[
            ("1234AB", "1234"),
            ("123", "123"),
            ("Zoë Élan", "Zoë "),
            ("日本語文字", "日本語文"),
        ],
    );
    all(Generalisation::Prefix { length: 0 }, &[("1234AB", "")]);
    assert_eq!(
        four.apply(b"1234\xff", &mut Vec::new()),
        Err(Reason::InvalidUtf8)
    );
}

#[test]
fn numbers_fall_into_half_open_bands() {
    let rows = [
        ("0", "[0,10)"),
        ("9", "[0,10)"),
        ("10", "[10,20)"),
        ("+49", "[40,50)"),
        ("49.999999999999999999999999999999", "[40,50)"),
        ("50.0", "[50,60)"),
        ("0042", "[40,50)"),
        ("-0", "[0,10)"),
        ("-0.0", "[0,10)"),
        ("-0.5", "[-10,0)"),
        ("-10", "[-10,0)"),
        ("-10.000", "[-10,0)"),
        ("-10.001", "[-20,-10)"),
        ("000000000000000000000000000001", "[0,10)"),
        (
            "999999999999999999",
            "[999999999999999990,1000000000000000000)",
        ),
        (
            "-999999999999999999.9",
            "[-1000000000000000000,-999999999999999990)",
        ),
    ];
    all(Generalisation::Band { width: 10 }, &rows);
    all(
        Generalisation::Band { width: u32::MAX },
        &[("1", "[0,4294967295)"), ("-1", "[-4294967295,0)")],
    );
}

#[test]
fn what_is_not_a_plain_number_is_refused() {
    let not_numbers = [
        " ",
        "-",
        "+",
        ".",
        ".5",
        "5.",
        "1,5",
        "1.234.567",
        "1e3",
        "0x10",
        "--1",
        "+-1",
        "NaN",
        "inf",
        " 1",
        "1 ",
        "٣",
        "1000000000000000000",
    ];
    all_refused(
        Generalisation::Band { width: 10 },
        &not_numbers,
        Reason::InvalidNumber,
    );
}

#[test]
fn a_width_of_zero_refuses_instead_of_panicking() {
    all_refused(
        Generalisation::Band { width: 0 },
        &["1"],
        Reason::InvalidNumber,
    );
    all_refused(
        ages(0, "2026-01-01"),
        &["1984-03-07"],
        Reason::InvalidNumber,
    );
}

fn any_generalisation() -> impl Strategy<Value = Generalisation> {
    prop_oneof![
        Just(Generalisation::Year),
        Just(Generalisation::Month),
        Just(Generalisation::Decade),
        any::<u16>().prop_map(|width| ages(width, "2026-01-01")),
        any::<u16>().prop_map(|length| Generalisation::Prefix { length }),
        any::<u32>().prop_map(|width| Generalisation::Band { width }),
    ]
}

proptest! {
    #[test]
    fn missing_stays_missing(to in any_generalisation()) {
        prop_assert_eq!(apply(to, ""), Ok(String::new()));
    }

    #[test]
    fn arbitrary_bytes_are_generalised_or_refused_whole(
        to in any_generalisation(), value in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut out = b"before".to_vec();
        let outcome = to.apply(&value, &mut out);
        prop_assert!(out.starts_with(b"before"));
        prop_assert!(outcome.is_ok() || out.len() == 6);
    }

    #[test]
    fn almost_numbers_and_almost_dates_never_panic(to in any_generalisation(), value in "[-+]?[0-9]{0,40}[.-]?[0-9]{0,40}") {
        let _ = apply(to, &value);
    }

    #[test]
    fn a_number_lies_in_its_band(value in -1_000_000i64..1_000_000, thousandths in 0u32..1000, width in 1u32..5000) {
        // `value` is the floor: below zero a fraction is written from the other side.
        let text = match (value < 0, thousandths) {
            (false, _) => format!("{value}.{thousandths:03}"),
            (true, 0) => format!("{value}"),
            (true, _) => format!("-{}.{:03}", -value - 1, 1000 - thousandths),
        };
        let band = apply(Generalisation::Band { width }, &text).expect("a number");
        let (low, high) = band.strip_prefix('[').and_then(|rest| rest.strip_suffix(')')).and_then(|rest| rest.split_once(',')).expect("a band");
        let (low, high): (i64, i64) = (low.parse().expect("low"), high.parse().expect("high"));
        prop_assert!(low <= value && value < high, "{text} in {band}");
        prop_assert_eq!(high - low, i64::from(width));
        prop_assert_eq!(low % i64::from(width), 0);
    }
}
