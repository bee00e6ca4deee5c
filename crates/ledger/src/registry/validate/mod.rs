//! From the raw shape to the typed registry, with every error at once.
//!
//! Each step turns one raw entry into a typed one, or reports why not and gives `None`. What has an id but is
//! otherwise broken stays known under its id (as `None`), so that a reference to it is not a second error.

mod chain;
mod dates;
mod keys;
mod namespace;
mod quota;
mod treatment;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use super::organisation::{Members, Organisation};
use super::problem::{Problems, quoted};
use super::raw::{At, Entry, RawOrganisation, RawRegistry, Texts};
use super::{Chain, MAX_CHAINS, MAX_NAME_CHARS, Namespace, Registry};
use sluis_domain::id::{Identity, MemberName, NamespaceId, OrganisationId};

/// Entries by id; `None` for one that is there but broken, and reported.
type Known<I, T> = BTreeMap<I, Option<T>>;

/// What chains may refer to.
struct Parties {
    organisations: Known<OrganisationId, Organisation>,
    namespaces: Known<NamespaceId, Namespace>,
}

/// The typed registry; `None`, or some problem reported, if it is not valid.
pub(super) fn registry(
    raw: &RawRegistry,
    custodians: &[Identity],
    problems: &mut Problems<'_>,
) -> Option<Registry> {
    let mut organisations = Register::new("organisation");
    for entry in &raw.organisations {
        let id = entry.id.as_ref();
        organisations.add(&entry.entry, "id", id, problems, |id, problems| {
            organisation(id, entry, custodians, problems)
        });
    }
    let mut namespaces = Register::new("namespace");
    for entry in &raw.namespaces {
        let id = entry.id.as_ref();
        namespaces.add(&entry.entry, "id", id, problems, |id, problems| {
            namespace::namespace(id, entry, problems)
        });
    }
    let keys = keys::keys(raw, &organisations.known, problems);
    let parties = Parties {
        organisations: organisations.known,
        namespaces: namespaces.known,
    };

    if let Some(surplus) = raw.chains.get(MAX_CHAINS) {
        problems.report(
            surplus.entry.at,
            "chain",
            format!("a registry has at most {MAX_CHAINS} chains"),
        );
    }
    let mut chains = Register::new("chain");
    for entry in &raw.chains {
        let id = entry.id.as_ref();
        chains.add(&entry.entry, "id", id, problems, |id, problems| {
            chain::chain(id, entry, &parties, problems)
        });
    }
    Some(Registry {
        organisations: all_sound(parties.organisations)?,
        keys: all_sound(keys)?,
        namespaces: all_sound(parties.namespaces)?,
        chains: all_sound::<_, Chain>(chains.known)?,
    })
}

fn organisation(
    id: &OrganisationId,
    raw: &RawOrganisation,
    custodians: &[Identity],
    problems: &mut Problems<'_>,
) -> Option<Organisation> {
    let name = raw
        .name
        .as_ref()
        .and_then(|name| organisation_name(name, &raw.entry, problems));
    let before = problems.count();
    let members = raw
        .members
        .as_ref()
        .map(|texts| members(texts, &raw.entry, problems));
    // A list of members that is itself broken would only repeat its problem at every role.
    let admitting = members.as_ref().filter(|_| problems.count() == before);
    let stewards = role("stewards", raw.stewards.as_ref(), raw, admitting, problems);
    for At { at, value } in &stewards {
        if custodians
            .iter()
            .any(|custodian| custodian.organisation == *id && custodian.member == *value)
        {
            let message = format!(
                "\"{value}\" is a custodian, and no custodian may approve grants; name another steward, or end their \
                 custody in the daemon's configuration"
            );
            problems.report(*at, raw.entry.key("stewards"), message);
        }
    }
    let auditors = role("auditors", raw.auditors.as_ref(), raw, admitting, problems);
    let blocked = role("blocked", raw.blocked.as_ref(), raw, admitting, problems);
    Some(Organisation {
        id: id.clone(),
        name: name?,
        members: members?,
        stewards: set(stewards),
        auditors: set(auditors),
        blocked: set(blocked),
    })
}

fn set(names: Vec<At<MemberName>>) -> BTreeSet<MemberName> {
    names.into_iter().map(|name| name.value).collect()
}

/// The names in one of an organisation's lists, which must all be members.
fn role(
    key: &str,
    texts: Option<&Texts>,
    raw: &RawOrganisation,
    admitting: Option<&Members>,
    problems: &mut Problems<'_>,
) -> Vec<At<MemberName>> {
    let names: Vec<At<MemberName>> = ids(texts, &raw.entry, key, problems);
    for At { at, value } in &names {
        if admitting.is_some_and(|members| !members.admit(value)) {
            let message = format!(
                "\"{value}\" is not one of the organisation's `members`; add it there or remove it here"
            );
            problems.report(*at, raw.entry.key(key), message);
        }
    }
    names
}

fn organisation_name(
    name: &At<String>,
    entry: &Entry,
    problems: &mut Problems<'_>,
) -> Option<String> {
    let length = name.value.chars().count();
    if (1..=MAX_NAME_CHARS).contains(&length) && !name.value.chars().any(char::is_control) {
        return Some(name.value.clone());
    }
    let message = format!(
        "a name is 1 to {MAX_NAME_CHARS} characters, without line breaks and other control characters"
    );
    problems.report(name.at, entry.key("name"), message);
    None
}

fn members(texts: &Texts, entry: &Entry, problems: &mut Problems<'_>) -> Members {
    match texts.value.iter().find(|text| text.value == "*") {
        Some(_) if texts.value.len() == 1 => Members::All,
        Some(star) => {
            let message =
                "\"*\" admits every member and stands alone; remove it, or the other names";
            problems.report(star.at, entry.key("members"), message);
            Members::All
        }
        None => Members::Listed(
            ids(Some(texts), entry, "members", problems)
                .into_iter()
                .map(|name| name.value)
                .collect(),
        ),
    }
}

/// Entries under construction: notices ids that come twice.
struct Register<I, T> {
    what: &'static str,
    known: Known<I, T>,
    first: BTreeMap<I, usize>,
}

impl<I: Ord + Clone + FromStr<Err: Display> + Display, T> Register<I, T> {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            known: BTreeMap::new(),
            first: BTreeMap::new(),
        }
    }

    /// Adds one entry. Its contents are validated even when its id is of no use.
    fn add(
        &mut self,
        entry: &Entry,
        key: &str,
        id: Option<&At<String>>,
        problems: &mut Problems<'_>,
        typed: impl FnOnce(&I, &mut Problems<'_>) -> Option<T>,
    ) {
        let usable = id.and_then(|text| Some((text.at, parsed::<I>(text, entry, key, problems)?)));
        let (at, id) = match usable {
            Some((at, id)) => (at, id),
            None => {
                // Any id will do: what comes of it is thrown away.
                let Some(stand_in) = ["0", "0/0"].iter().find_map(|text| text.parse().ok()) else {
                    return;
                };
                typed(&stand_in, problems);
                return;
            }
        };
        let before = problems.count();
        let value = typed(&id, problems).filter(|_| entry.sound && problems.count() == before);
        if let Some(first) = self.first.get(&id) {
            let message = format!(
                "{} \"{id}\" is there already, on line {}; rename or remove one",
                self.what,
                problems.line(*first)
            );
            problems.report(at, entry.key(key), message);
            return;
        }
        self.first.insert(id.clone(), at);
        self.known.insert(id, value);
    }
}

/// All entries, if none is broken.
fn all_sound<I: Ord, T>(known: Known<I, T>) -> Option<BTreeMap<I, T>> {
    known
        .into_iter()
        .map(|(id, entry)| Some((id, entry?)))
        .collect()
}

/// The typed form of a text, or its parser's message.
fn parsed<T: FromStr<Err: Display>>(
    text: &At<String>,
    entry: &Entry,
    key: &str,
    problems: &mut Problems<'_>,
) -> Option<T> {
    match text.value.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            problems.report(
                text.at,
                entry.key(key),
                format!("{} is not valid: {error}", quoted(&text.value)),
            );
            None
        }
    }
}

/// Typed ids of a list; those that are none, or come twice, are reported and left out.
fn ids<T: FromStr<Err: Display> + Ord + Clone + Display>(
    texts: Option<&Texts>,
    entry: &Entry,
    key: &str,
    problems: &mut Problems<'_>,
) -> Vec<At<T>> {
    let mut seen = BTreeSet::new();
    let mut ids = Vec::new();
    for text in texts.into_iter().flat_map(|texts| &texts.value) {
        let Some(id) = parsed::<T>(text, entry, key, problems) else {
            continue;
        };
        if seen.insert(id.clone()) {
            ids.push(At {
                at: text.at,
                value: id,
            });
        } else {
            problems.report(
                text.at,
                entry.key(key),
                format!("\"{id}\" is listed twice; remove one"),
            );
        }
    }
    ids
}

/// One of a fixed set of texts.
fn choice<T: Copy>(
    text: &At<String>,
    entry: &Entry,
    key: &str,
    choices: &[(&str, T)],
    problems: &mut Problems<'_>,
) -> Option<T> {
    let chosen = choices
        .iter()
        .find(|(name, _)| *name == text.value)
        .map(|(_, value)| *value);
    if chosen.is_none() {
        let names: Vec<String> = choices
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        let message = format!(
            "{} is unknown; use one of {}",
            quoted(&text.value),
            names.join(", ")
        );
        problems.report(text.at, entry.key(key), message);
    }
    chosen
}

/// A number from 1 to `most`.
fn number<T: TryFrom<u64> + Copy + Into<u64>>(
    entry: &Entry,
    key: &str,
    number: Option<&At<u64>>,
    most: T,
    problems: &mut Problems<'_>,
) -> Option<T> {
    let number = number?;
    let most = most.into();
    if (1..=most).contains(&number.value) {
        return T::try_from(number.value).ok();
    }
    problems.report(number.at, entry.key(key), format!("must be 1 to {most}"));
    None
}
