//! An element of a chain and its treatment.

use std::num::NonZeroU32;

use sluis_domain::date::Date;
use sluis_domain::generalise::{Generalisation, Generaliser};
use sluis_domain::plausible::{DateShift, Placeholders, Plausible};
use sluis_ledger::registry::{Element, MAX_SHIFT_DAYS, Treatment};

use crate::{Invalid, field, v1};

impl From<&Element> for v1::Element {
    fn from(element: &Element) -> Self {
        let wire = Self {
            name: element.name().to_string(),
            treatment: element.treatment().name().to_owned(),
            ..Self::default()
        };
        match element.treatment() {
            Treatment::Pseudonym { namespace } => Self {
                namespace_id: namespace.to_string(),
                ..wire
            },
            Treatment::DateShift { subject, shift } => Self {
                subject: subject.to_string(),
                max_days: shift.max_days.get(),
                placeholders: field::texts(shift.placeholders.dates()),
                plausible_first: shift.plausible.first().to_string(),
                plausible_last: shift.plausible.last().to_string(),
                ..wire
            },
            Treatment::Generalise(generaliser) => Self {
                generalise: Some((&generaliser.to).into()),
                placeholders: field::texts(generaliser.placeholders.dates()),
                ..wire
            },
            Treatment::Encrypt | Treatment::Keep | Treatment::Drop => wire,
        }
    }
}

/// Without parameters.
fn to(word: &str) -> v1::Generalisation {
    v1::Generalisation {
        to: word.to_owned(),
        ..v1::Generalisation::default()
    }
}

/// A parameter of another treatment means nothing, and is not read.
impl TryFrom<v1::Element> for Element {
    type Error = Invalid;

    fn try_from(wire: v1::Element) -> Result<Self, Invalid> {
        let v1::Element {
            name,
            treatment,
            namespace_id,
            subject,
            max_days,
            generalise,
            placeholders,
            plausible_first,
            plausible_last,
        } = wire;
        let name = field::required("name", &name)?;
        let treatment = match treatment.as_str() {
            "pseudonym" => Treatment::Pseudonym {
                namespace: field::required("namespace_id", &namespace_id)?,
            },
            "encrypt" => Treatment::Encrypt,
            "date-shift" => Treatment::DateShift {
                subject: field::required("subject", &subject)?,
                shift: DateShift {
                    max_days: parse_max_days(max_days)?,
                    placeholders: parse_placeholders(&placeholders)?,
                    plausible: parse_plausible(&plausible_first, &plausible_last)?,
                },
            },
            "generalise" => Treatment::Generalise(Generaliser {
                to: field::message("generalise", generalise)?,
                placeholders: parse_placeholders(&placeholders)?,
            }),
            "keep" => Treatment::Keep,
            "drop" => Treatment::Drop,
            _ => return Err(field::unknown("treatment", "a treatment")),
        };
        Ok(Self::new(name, treatment))
    }
}

fn parse_max_days(days: u32) -> Result<NonZeroU32, Invalid> {
    NonZeroU32::new(days)
        .filter(|days| days.get() <= MAX_SHIFT_DAYS)
        .ok_or_else(|| Invalid::field("max_days", format!("must be 1 to {MAX_SHIFT_DAYS}")))
}

fn parse_placeholders(texts: &[String]) -> Result<Placeholders, Invalid> {
    let numbered = texts.iter().enumerate();
    let dates = numbered.map(|(i, text)| parse_date(&format!("placeholders[{i}]"), text));
    Ok(Placeholders::new(dates.collect::<Result<_, _>>()?))
}

fn parse_plausible(first: &str, last: &str) -> Result<Plausible, Invalid> {
    let first = parse_date("plausible_first", first)?;
    let last = parse_date("plausible_last", last)?;
    Plausible::new(first, last)
        .ok_or_else(|| Invalid::field("plausible_last", "is before plausible_first"))
}

fn parse_date(field: &str, text: &str) -> Result<Date, Invalid> {
    Date::parse(text.as_bytes()).map_err(|_| Invalid::field(field, "is not a date YYYY-MM-DD"))
}

impl From<&Generalisation> for v1::Generalisation {
    fn from(generalisation: &Generalisation) -> Self {
        match *generalisation {
            Generalisation::Year => to("year"),
            Generalisation::Month => to("month"),
            Generalisation::Decade => to("decade"),
            Generalisation::AgeBand {
                width,
                reference,
                top,
            } => Self {
                width: width.into(),
                reference: reference.to_string(),
                top: top.into(),
                ..to("age-band")
            },
            Generalisation::Prefix { length } => Self {
                length: length.into(),
                ..to("prefix")
            },
            Generalisation::Band { width } => Self {
                width,
                ..to("band")
            },
        }
    }
}

impl TryFrom<v1::Generalisation> for Generalisation {
    type Error = Invalid;

    fn try_from(wire: v1::Generalisation) -> Result<Self, Invalid> {
        let v1::Generalisation {
            to,
            width,
            reference,
            length,
            top,
        } = wire;
        Ok(match to.as_str() {
            "year" => Self::Year,
            "month" => Self::Month,
            "decade" => Self::Decade,
            "age-band" => Self::AgeBand {
                width: positive("width", width)?,
                reference: parse_date("reference", &reference)?,
                top: positive("top", top)?,
            },
            "prefix" => Self::Prefix {
                length: positive("length", length)?,
            },
            "band" => Self::Band {
                width: positive("width", width)?,
            },
            _ => return Err(field::unknown("to", "a generalisation")),
        })
    }
}

fn positive<T: TryFrom<u32>>(field: &str, number: u32) -> Result<T, Invalid> {
    if number == 0 {
        return Err(Invalid::missing(field));
    }
    field::narrow(field, number)
}
