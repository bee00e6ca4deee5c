//! Vectors of dates that are shifted or not, and of generalised values.

use std::num::NonZeroU32;

use serde::Serialize;
use sluis_domain::Reason;
use sluis_domain::date::Date;
use sluis_domain::generalise::{Generalisation, Generaliser};
use sluis_domain::plausible::{DEFAULT_PLACEHOLDERS, DateShift, Placeholders, Plausible};

#[derive(Serialize)]
pub(crate) struct ShiftedDate {
    value: &'static str,
    days: i64,
    placeholders: Vec<String>,
    plausible_first: String,
    plausible_last: String,
    /// The date that comes out, or the reason.
    pub(crate) outcome: String,
}

#[derive(Serialize)]
pub(crate) struct Generalised {
    to: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u16>,
    placeholders: Vec<String>,
    value: &'static str,
    /// What comes out, or the reason.
    pub(crate) outcome: String,
}

pub(crate) fn shifted_dates() -> Vec<ShiftedDate> {
    let usual = DateShift {
        max_days: NonZeroU32::MIN,
        placeholders: Placeholders::of_date_shift(),
        plausible: Plausible::default(),
    };
    let own = DateShift {
        max_days: NonZeroU32::MIN,
        placeholders: Placeholders::new(vec![date("1970-01-01"), date("9999-12-31")]),
        plausible: Plausible::new(date("0001-01-01"), date("9999-12-30")).expect("a range"),
    };
    let of = |rules: &DateShift, value, days| ShiftedDate {
        value,
        days,
        placeholders: texts(&rules.placeholders),
        plausible_first: rules.plausible.first().to_string(),
        plausible_last: rules.plausible.last().to_string(),
        outcome: told(shifted(rules, value, days)),
    };
    let mut all: Vec<ShiftedDate> = DEFAULT_PLACEHOLDERS
        .into_iter()
        .map(|placeholder| of(&usual, placeholder, 17))
        .collect();
    all.extend([
        of(&usual, "2024-02-28", 1),
        of(&usual, "2024-03-01", -2),
        of(&usual, "1850-01-02", -30),
        of(&usual, "2150-12-30", 30),
        of(&usual, "1970-01-01", 17),
        of(&usual, "9999-12-30", 17),
        of(&usual, "1849-12-31", 17),
        of(&usual, "2151-01-01", 17),
        of(&usual, "2023-02-29", 17),
        of(&own, "1970-01-01", 17),
        of(&own, "1900-01-01", 17),
        of(&own, "9999-12-31", 17),
        of(&own, "9999-12-30", 1),
        of(&own, "9999-12-30", 2),
        of(&own, "0001-01-01", -1),
    ]);
    all
}

fn shifted(rules: &DateShift, value: &str, days: i64) -> Result<String, Reason> {
    let date = Date::parse(value.as_bytes())?;
    let shifted = if rules.moves(date)? {
        date.shift(days)?
    } else {
        date
    };
    Ok(shifted.to_string())
}

pub(crate) fn generalised() -> Vec<Generalised> {
    let ages = |width, top| Generalisation::AgeBand {
        width,
        reference: date("2026-01-01"),
        top,
    };
    let none = Placeholders::default();
    let known = Placeholders::new(vec![date("1900-01-01"), date("9999-12-31")]);
    let mut all = Vec::new();
    for to in [
        Generalisation::Year,
        Generalisation::Month,
        Generalisation::Decade,
    ] {
        for value in ["1984-03-07", "9999-12-31", "0001-01-01", "1984-02-30"] {
            all.push(of(to, &none, value));
        }
        all.push(of(to, &known, "9999-12-31"));
        all.push(of(to, &known, "9999-12-30"));
    }
    for value in [
        "1984-03-07",
        "1936-01-01",
        "1936-01-02",
        "1935-12-31",
        "1886-01-01",
        "1885-12-31",
        "1885-01-02",
        "1885-01-01",
        "0001-01-01",
        "1900-01-01",
        "2026-01-01",
        "2026-01-02",
        "9999-12-31",
    ] {
        all.push(of(ages(10, 90), &none, value));
    }
    for value in ["1900-01-01", "9999-12-31", "1984-03-07"] {
        all.push(of(ages(10, 90), &known, value));
    }
    for value in ["1946-01-01", "1945-12-31", "1936-01-02", "1936-01-01"] {
        all.push(of(ages(20, 90), &none, value));
    }
    for value in ["1936-01-02", "1885-12-31", "1886-01-01", "1887-01-01"] {
        all.push(of(ages(1, 140), &none, value));
    }
    for value in ["1234AB", "12", "Zo\u{eb}s"] {
        all.push(of(Generalisation::Prefix { length: 3 }, &none, value));
    }
    let numbers = [
        "49.99",
        "-0.5",
        "40",
        "1e3",
        "1,5",
        "999999999999999999",
        "-999999999999999999.5",
        "1000000000000000000",
        "-1000000000000000000",
        "000000000000000000000042.5",
        "0000999999999999999999",
        "00001000000000000000000",
        "0.0000000000000000000001",
        "+0",
        ".5",
        "5.",
    ];
    for value in numbers {
        all.push(of(Generalisation::Band { width: 10 }, &none, value));
    }
    all
}

fn of(to: Generalisation, placeholders: &Placeholders, value: &'static str) -> Generalised {
    let generaliser = Generaliser {
        to,
        placeholders: placeholders.clone(),
    };
    let mut out = Vec::new();
    let outcome = generaliser.apply(value.as_bytes(), &mut out);
    let outcome = outcome.map(|()| String::from_utf8(out).expect("UTF-8"));
    let mut vector = Generalised {
        to: "",
        width: None,
        reference: None,
        top: None,
        length: None,
        placeholders: texts(placeholders),
        value,
        outcome: told(outcome),
    };
    vector.to = match to {
        Generalisation::Year => "year",
        Generalisation::Month => "month",
        Generalisation::Decade => "decade",
        Generalisation::AgeBand {
            width,
            reference,
            top,
        } => {
            vector.width = Some(width.into());
            vector.reference = Some(reference.to_string());
            vector.top = Some(top);
            "age-band"
        }
        Generalisation::Prefix { length } => {
            vector.length = Some(length);
            "prefix"
        }
        Generalisation::Band { width } => {
            vector.width = Some(width);
            "band"
        }
    };
    vector
}

fn told(outcome: Result<String, Reason>) -> String {
    outcome.unwrap_or_else(|reason| reason.code().to_owned())
}

fn texts(placeholders: &Placeholders) -> Vec<String> {
    placeholders.dates().iter().map(Date::to_string).collect()
}

fn date(text: &str) -> Date {
    Date::parse(text.as_bytes()).expect("a date")
}
