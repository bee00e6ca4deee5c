//! The rules of namespaces.

use std::collections::BTreeSet;

use super::super::Namespace;
use super::super::problem::{Problems, quoted};
use super::super::raw::{At, Entry, RawNamespace, Texts};
use super::{choice, parsed};
use sluis_domain::id::NamespaceId;
use sluis_domain::identifier::{
    Checksum, DEFAULT_WORDS, IdentifierRules, InputMode, MAX_WORD_BYTES, MAX_WORDS,
};

/// A namespace; `None` if something of it is broken and reported.
pub(super) fn namespace(
    id: &NamespaceId,
    raw: &RawNamespace,
    problems: &mut Problems<'_>,
) -> Option<Namespace> {
    let entry = &raw.entry;
    let identifier = raw
        .identifier
        .as_ref()
        .and_then(|text| parsed(text, entry, "identifier", problems));
    let input = raw
        .input
        .as_ref()
        .and_then(|text| input_mode(text, entry, problems));
    let checksum = match &raw.checksum {
        Some(text) => choice(
            text,
            entry,
            "checksum",
            &[("strict", Checksum::Strict), ("off", Checksum::Off)],
            problems,
        ),
        None => Some(Checksum::default()),
    };
    let words = match &raw.missing {
        Some(texts) => missing_words(texts, entry, problems),
        None => DEFAULT_WORDS.map(str::to_owned).to_vec(),
    };
    Some(Namespace {
        id: id.clone(),
        input: input?,
        rules: IdentifierRules::new(identifier?, checksum?, words),
    })
}

fn input_mode(text: &At<String>, entry: &Entry, problems: &mut Problems<'_>) -> Option<InputMode> {
    if text.value == "oprf" {
        let message =
            "input \"oprf\" is reserved for a later version; use \"plain\" or \"prehash\"";
        problems.report(text.at, entry.key("input"), message);
        return None;
    }
    choice(
        text,
        entry,
        "input",
        &[("plain", InputMode::Plain), ("prehash", InputMode::Prehash)],
        problems,
    )
}

/// The words that stand for a missing value. Any word will do, a valid identifier too: a test number that many people
/// were given is one.
fn missing_words(texts: &Texts, entry: &Entry, problems: &mut Problems<'_>) -> Vec<String> {
    let path = entry.key("missing");
    if texts.value.len() > MAX_WORDS {
        let message = format!("a namespace has at most {MAX_WORDS} words for what is missing");
        problems.report(texts.at, path.clone(), message);
    }
    let mut seen = BTreeSet::new();
    for At { at, value } in &texts.value {
        if let Some(wrong) = wrong_with(value) {
            problems.report(*at, path.clone(), format!("{} {wrong}", quoted(value)));
        } else if !seen.insert(value) {
            let message = format!("{} is listed twice; remove one", quoted(value));
            problems.report(*at, path.clone(), message);
        }
    }
    texts.value.iter().map(|text| text.value.clone()).collect()
}

fn wrong_with(word: &str) -> Option<String> {
    if word.trim_ascii().is_empty() {
        Some("is always missing, as all blank values are; remove it".to_owned())
    } else if word.trim_ascii() != word {
        Some("has white space around it, which does not count; remove it".to_owned())
    } else if word.len() > MAX_WORD_BYTES {
        Some(format!("is longer than {MAX_WORD_BYTES} bytes"))
    } else if word.chars().any(char::is_control) {
        Some("has a control character; a word is one line of text".to_owned())
    } else {
        None
    }
}
