//! The rules of the dates that a treatment lists.

use std::collections::BTreeSet;

use super::super::problem::{Problems, quoted};
use super::super::raw::{At, RawElement, Texts};
use sluis_domain::date::Date;
use sluis_domain::plausible::{MAX_PLACEHOLDERS, Placeholders, Plausible};

/// The date of a text under a key of the element.
pub(super) fn date(
    raw: &RawElement,
    key: &str,
    text: &At<String>,
    problems: &mut Problems<'_>,
) -> Option<Date> {
    let date = Date::parse(text.value.as_bytes()).ok();
    if date.is_none() {
        let message = format!("{} is not a date; write YYYY-MM-DD", quoted(&text.value));
        problems.report(text.at, raw.entry.key(key), message);
    }
    date
}

/// The element's placeholders, or those that it has without a list.
pub(super) fn placeholders(
    raw: &RawElement,
    without_list: Placeholders,
    problems: &mut Problems<'_>,
) -> Option<Placeholders> {
    let Some(texts) = &raw.placeholders else {
        return Some(without_list);
    };
    let path = raw.entry.key("placeholders");
    if texts.value.len() > MAX_PLACEHOLDERS {
        let message = format!("an element has at most {MAX_PLACEHOLDERS} placeholders");
        problems.report(texts.at, path.clone(), message);
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut dates = Vec::with_capacity(texts.value.len());
    for text in &texts.value {
        let date = date(raw, "placeholders", text, problems)?;
        if !seen.insert(date) {
            let message = format!("{date} is listed twice; remove one");
            problems.report(text.at, path.clone(), message);
        }
        dates.push(date);
    }
    Some(Placeholders::new(dates))
}

/// The first and the last plausible date.
pub(super) fn plausible(
    raw: &RawElement,
    texts: &Texts,
    problems: &mut Problems<'_>,
) -> Option<Plausible> {
    let [first, last] = &texts.value[..] else {
        let message = "is a list of two dates, the first and the last that are plausible";
        problems.report(texts.at, raw.entry.key("plausible"), message);
        return None;
    };
    let first = date(raw, "plausible", first, problems)?;
    let last = date(raw, "plausible", last, problems)?;
    let range = Plausible::new(first, last);
    if range.is_none() {
        let message = format!("{first} is after {last}; write the first date first");
        problems.report(texts.at, raw.entry.key("plausible"), message);
    }
    range
}
