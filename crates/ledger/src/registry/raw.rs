//! The shape of the TOML text: which keys there are and of which type, every value with its place.
//!
//! Read from `toml`'s spanned document rather than through serde, because serde stops at the first error and the
//! operator shall see all of them. A value of the wrong type is reported here and then counts as absent; a missing
//! required one is reported here too. So whatever is `None` further on needs no second report.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problems, quoted};
use sluis_domain::id::{ChainId, Identity};

/// A value and the byte of the text where it begins.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) at: usize,
    pub(super) value: T,
}

/// A list of texts; `at` is where the list begins.
pub(super) type Texts = At<Vec<At<String>>>;

#[derive(Debug)]
pub(super) struct RawRegistry {
    pub(super) organisations: Vec<RawOrganisation>,
    pub(super) keys: Vec<RawKey>,
    pub(super) namespaces: Vec<RawNamespace>,
    pub(super) chains: Vec<RawChain>,
}

/// Where an entry begins and how its problems name it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: usize,
    pub(super) path: String,
    /// No value of it is missing or of the wrong type.
    pub(super) sound: bool,
}

impl Entry {
    fn new(at: usize, path: String) -> Self {
        Self {
            at,
            path,
            sound: true,
        }
    }

    /// The path of one of its keys.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

#[derive(Debug)]
pub(super) struct RawOrganisation {
    pub(super) entry: Entry,
    pub(super) id: Option<At<String>>,
    pub(super) name: Option<At<String>>,
    pub(super) members: Option<Texts>,
    pub(super) stewards: Option<Texts>,
    pub(super) auditors: Option<Texts>,
    pub(super) blocked: Option<Texts>,
}

#[derive(Debug)]
pub(super) struct RawKey {
    pub(super) entry: Entry,
    pub(super) member: Option<At<String>>,
    pub(super) public_key: Option<At<String>>,
}

#[derive(Debug)]
pub(super) struct RawNamespace {
    pub(super) entry: Entry,
    pub(super) id: Option<At<String>>,
    pub(super) identifier: Option<At<String>>,
    pub(super) input: Option<At<String>>,
    pub(super) checksum: Option<At<String>>,
    pub(super) missing: Option<Texts>,
}

#[derive(Debug)]
pub(super) struct RawChain {
    pub(super) entry: Entry,
    pub(super) id: Option<At<String>>,
    pub(super) owner: Option<At<String>>,
    pub(super) sources: Option<Texts>,
    pub(super) recipients: Option<Texts>,
    pub(super) reidentify_to: Option<Texts>,
    pub(super) reidentify_approvals: Option<At<u64>>,
    pub(super) retention: Option<At<String>>,
    pub(super) deliver: Option<At<String>>,
    pub(super) quotas: Vec<RawQuota>,
    pub(super) namespaces: Vec<RawChainNamespace>,
    pub(super) elements: Vec<RawElement>,
}

#[derive(Debug)]
pub(super) struct RawQuota {
    pub(super) entry: Entry,
    pub(super) source: Option<At<String>>,
    pub(super) subjects_per_day: Option<At<u64>>,
    pub(super) rejected_percent: Option<At<u64>>,
    pub(super) requests_per_minute: Option<At<u64>>,
}

#[derive(Debug)]
pub(super) struct RawChainNamespace {
    pub(super) entry: Entry,
    pub(super) id: Option<At<String>>,
    pub(super) link: Option<At<String>>,
    pub(super) reversible: Option<At<bool>>,
}

#[derive(Debug)]
pub(super) struct RawElement {
    pub(super) entry: Entry,
    pub(super) name: Option<At<String>>,
    pub(super) treatment: Option<At<String>>,
    pub(super) namespace: Option<At<String>>,
    pub(super) subject: Option<At<String>>,
    pub(super) max_days: Option<At<u64>>,
    pub(super) to: Option<At<String>>,
    pub(super) width: Option<At<u64>>,
    pub(super) length: Option<At<u64>>,
    pub(super) reference: Option<At<String>>,
    pub(super) top: Option<At<u64>>,
    pub(super) placeholders: Option<Texts>,
    pub(super) plausible: Option<Texts>,
    /// The parameters that are written there, of whatever type.
    pub(super) parameters: Vec<At<&'static str>>,
}

/// The parameters of all treatments together.
const PARAMETERS: [&str; 10] = [
    "namespace",
    "subject",
    "max_days",
    "to",
    "width",
    "length",
    "reference",
    "top",
    "placeholders",
    "plausible",
];

/// Reads the shape; `None` after a syntax error.
pub(super) fn read(text: &str, problems: &mut Problems<'_>) -> Option<RawRegistry> {
    let (document, errors) = DeTable::parse_recoverable(text);
    // The first only: what follows it is mostly the parser's way of coming to itself again.
    if let Some(error) = errors
        .iter()
        .min_by_key(|error| error.span().map_or(0, |span| span.start))
    {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        problems.report(at, "", format!("this is not valid TOML: {message}"));
        return None;
    }
    let mut fields = Fields::new(document.get_ref(), Entry::new(0, String::new()));
    let registry = RawRegistry {
        organisations: fields
            .entries("organisation", "id", problems)
            .into_iter()
            .map(|f| organisation(f, problems))
            .collect(),
        keys: fields
            .entries("key", "member", problems)
            .into_iter()
            .map(|f| key(f, problems))
            .collect(),
        namespaces: fields
            .entries("namespace", "id", problems)
            .into_iter()
            .map(|f| namespace(f, problems))
            .collect(),
        chains: fields
            .entries("chain", "id", problems)
            .into_iter()
            .map(|f| chain(f, problems))
            .collect(),
    };
    fields.finish(problems);
    Some(registry)
}

fn organisation(mut fields: Fields<'_>, problems: &mut Problems<'_>) -> RawOrganisation {
    let raw = RawOrganisation {
        id: fields.required_text("id", problems),
        name: fields.required_text("name", problems),
        members: fields.required("members", problems, members_type),
        stewards: fields.texts("stewards", problems),
        auditors: fields.texts("auditors", problems),
        blocked: fields.texts("blocked", problems),
        entry: fields.entry.clone(),
    };
    fields.finish(problems);
    raw
}

fn key(mut fields: Fields<'_>, problems: &mut Problems<'_>) -> RawKey {
    let raw = RawKey {
        member: fields.required_text("member", problems),
        public_key: fields.required_text("public_key", problems),
        entry: fields.entry.clone(),
    };
    fields.finish(problems);
    raw
}

fn namespace(mut fields: Fields<'_>, problems: &mut Problems<'_>) -> RawNamespace {
    if let Some((key, _)) = fields.take("parts") {
        let path = fields.entry.key("parts");
        problems.report(
            key.span().start,
            path,
            "composite namespaces are reserved for a later version; remove `parts` and name one `identifier`",
        );
    }
    let raw = RawNamespace {
        id: fields.required_text("id", problems),
        identifier: fields.required_text("identifier", problems),
        input: fields.required_text("input", problems),
        checksum: fields.text("checksum", problems),
        missing: fields.texts("missing", problems),
        entry: fields.entry.clone(),
    };
    fields.finish(problems);
    raw
}

fn chain(mut fields: Fields<'_>, problems: &mut Problems<'_>) -> RawChain {
    let raw = RawChain {
        id: fields.required_text("id", problems),
        owner: fields.required_text("owner", problems),
        sources: fields.required("sources", problems, texts_type),
        recipients: fields.texts("recipients", problems),
        reidentify_to: fields.texts("reidentify_to", problems),
        reidentify_approvals: fields.number("reidentify_approvals", problems),
        retention: fields.text("retention", problems),
        deliver: fields.text("deliver", problems),
        quotas: fields
            .entries("quota", "source", problems)
            .into_iter()
            .map(|f| quota(f, problems))
            .collect(),
        namespaces: fields
            .entries("namespace", "id", problems)
            .into_iter()
            .map(|f| chain_namespace(f, problems))
            .collect(),
        elements: fields
            .entries("element", "name", problems)
            .into_iter()
            .map(|f| element(f, problems))
            .collect(),
        entry: fields.entry.clone(),
    };
    fields.finish(problems);
    raw
}

fn quota(mut fields: Fields<'_>, problems: &mut Problems<'_>) -> RawQuota {
    let raw = RawQuota {
        source: fields.text("source", problems),
        subjects_per_day: fields.number("subjects_per_day", problems),
        rejected_percent: fields.number("rejected_percent", problems),
        requests_per_minute: fields.number("requests_per_minute", problems),
        entry: fields.entry.clone(),
    };
    fields.finish(problems);
    raw
}

fn chain_namespace(mut fields: Fields<'_>, problems: &mut Problems<'_>) -> RawChainNamespace {
    let raw = RawChainNamespace {
        id: fields.required_text("id", problems),
        link: fields.text("link", problems),
        reversible: fields.optional("reversible", problems, boolean_type),
        entry: fields.entry.clone(),
    };
    fields.finish(problems);
    raw
}

fn element(mut fields: Fields<'_>, problems: &mut Problems<'_>) -> RawElement {
    let raw = RawElement {
        name: fields.required_text("name", problems),
        treatment: fields.required_text("treatment", problems),
        parameters: PARAMETERS
            .into_iter()
            .filter_map(|key| fields.place_of(key))
            .collect(),
        namespace: fields.text("namespace", problems),
        subject: fields.text("subject", problems),
        max_days: fields.number("max_days", problems),
        to: fields.text("to", problems),
        width: fields.number("width", problems),
        length: fields.number("length", problems),
        reference: fields.optional("reference", problems, date_type),
        top: fields.number("top", problems),
        placeholders: fields.optional("placeholders", problems, dates_type),
        plausible: fields.optional("plausible", problems, dates_type),
        entry: fields.entry.clone(),
    };
    fields.finish(problems);
    raw
}

/// The keys of one table, taken one by one; what is left over at the end is unknown.
struct Fields<'d> {
    table: &'d DeTable<'d>,
    entry: Entry,
    taken: Vec<&'static str>,
}

type Key<'d> = &'d Spanned<std::borrow::Cow<'d, str>>;
type Value<'d> = &'d Spanned<DeValue<'d>>;
/// Turns a value into what is wanted, or says everything that is wrong with it.
type Read<T> = fn(Value<'_>) -> Result<T, Vec<Wrong>>;

/// A value of the wrong type.
struct Wrong {
    at: usize,
    wanted: &'static str,
    found: String,
}

impl<'d> Fields<'d> {
    fn new(table: &'d DeTable<'d>, entry: Entry) -> Self {
        Self {
            table,
            entry,
            taken: Vec::new(),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<(Key<'d>, Value<'d>)> {
        self.taken.push(key);
        self.table.get_key_value(key)
    }

    fn place_of(&self, key: &'static str) -> Option<At<&'static str>> {
        let (found, _) = self.table.get_key_value(key)?;
        Some(At {
            at: found.span().start,
            value: key,
        })
    }

    fn optional<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems<'_>,
        read: Read<T>,
    ) -> Option<At<T>> {
        let (_, value) = self.take(key)?;
        let at = value.span().start;
        match read(value) {
            Ok(value) => Some(At { at, value }),
            Err(wrongs) => {
                self.entry.sound = false;
                for Wrong { at, wanted, found } in wrongs {
                    problems.report(
                        at,
                        self.entry.key(key),
                        format!("must be {wanted}; this is {found}"),
                    );
                }
                None
            }
        }
    }

    fn required<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems<'_>,
        read: Read<T>,
    ) -> Option<At<T>> {
        if !self.table.contains_key(key) {
            self.entry.sound = false;
            problems.report(
                self.entry.at,
                self.entry.key(key),
                format!("is required; add `{key} = ...`"),
            );
        }
        self.optional(key, problems, read)
    }

    fn text(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<At<String>> {
        self.optional(key, problems, text_type)
    }

    fn required_text(
        &mut self,
        key: &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<At<String>> {
        self.required(key, problems, text_type)
    }

    fn texts(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<Texts> {
        self.optional(key, problems, texts_type)
    }

    fn number(&mut self, key: &'static str, problems: &mut Problems<'_>) -> Option<At<u64>> {
        self.optional(key, problems, number_type)
    }

    /// The tables of `[[key]]`; each is called by its `name_key` where that is usable.
    fn entries(
        &mut self,
        key: &'static str,
        name_key: &str,
        problems: &mut Problems<'_>,
    ) -> Vec<Fields<'d>> {
        let Some((_, value)) = self.take(key) else {
            return Vec::new();
        };
        let place = self.entry.key(key);
        let header = if self.entry.path.is_empty() {
            format!("[[{key}]]")
        } else {
            format!("[[chain.{key}]]")
        };
        let Some(items) = value.get_ref().as_array() else {
            problems.report(
                value.span().start,
                place,
                format!("must be a list of tables; write {header}"),
            );
            return Vec::new();
        };
        let mut entries = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = item.span().start;
            match item.get_ref().as_table() {
                Some(table) => {
                    let path = format!("{place}[{}]", entry_name(table, name_key, index));
                    entries.push(Fields::new(table, Entry::new(at, path)));
                }
                None => problems.report(
                    at,
                    format!("{place}[#{}]", index + 1),
                    format!("must be a table; write {header}"),
                ),
            }
        }
        entries
    }

    fn finish(self, problems: &mut Problems<'_>) {
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if !self.taken.contains(&name) {
                let shown = if is_plain(name) {
                    name.to_owned()
                } else {
                    quoted(name)
                };
                let known = self.taken.join(", ");
                problems.report(
                    key.span().start,
                    self.entry.key(&shown),
                    format!("unknown key; known here: {known}"),
                );
            }
        }
    }
}

fn entry_name(table: &DeTable<'_>, name_key: &str, index: usize) -> String {
    let name = table
        .get(name_key)
        .and_then(|value| value.get_ref().as_str());
    // All ids have one syntax; keys are named by an organisation and a member.
    name.filter(|name| name.parse::<ChainId>().is_ok() || name.parse::<Identity>().is_ok())
        .map_or_else(|| format!("#{}", index + 1), str::to_owned)
}

fn is_plain(key: &str) -> bool {
    key.len() <= 63
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

fn wrong(value: Value<'_>, wanted: &'static str) -> Wrong {
    let found = match value.get_ref() {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(_) | DeValue::Float(_) => "a number".to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    Wrong {
        at: value.span().start,
        wanted,
        found,
    }
}

fn text_type(value: Value<'_>) -> Result<String, Vec<Wrong>> {
    value
        .get_ref()
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| vec![wrong(value, "a text in quotes")])
}

fn boolean_type(value: Value<'_>) -> Result<bool, Vec<Wrong>> {
    value
        .get_ref()
        .as_bool()
        .ok_or_else(|| vec![wrong(value, "true or false, without quotes")])
}

fn number_type(value: Value<'_>) -> Result<u64, Vec<Wrong>> {
    let integer = value.get_ref().as_integer();
    let number =
        integer.and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok());
    number.ok_or_else(|| {
        vec![wrong(
            value,
            "a whole number, not below zero and without quotes",
        )]
    })
}

fn texts_type(value: Value<'_>) -> Result<Vec<At<String>>, Vec<Wrong>> {
    let wanted = "a list of texts in quotes";
    let items = value
        .get_ref()
        .as_array()
        .ok_or_else(|| vec![wrong(value, wanted)])?;
    let mut texts = Vec::with_capacity(items.len());
    let mut wrongs = Vec::new();
    for item in items.iter() {
        match item.get_ref().as_str() {
            Some(text) => texts.push(At {
                at: item.span().start,
                value: text.to_owned(),
            }),
            None => wrongs.push(wrong(item, wanted)),
        }
    }
    if wrongs.is_empty() {
        Ok(texts)
    } else {
        Err(wrongs)
    }
}

/// A list, or `"*"` alone.
fn members_type(value: Value<'_>) -> Result<Vec<At<String>>, Vec<Wrong>> {
    match value.get_ref().as_str() {
        Some("*") => Ok(vec![At {
            at: value.span().start,
            value: "*".to_owned(),
        }]),
        Some(_) => Err(vec![wrong(
            value,
            "a list of member names in quotes, or \"*\" for every member",
        )]),
        None => texts_type(value),
    }
}

/// A date, with or without quotes, as text.
fn date_type(value: Value<'_>) -> Result<String, Vec<Wrong>> {
    match value.get_ref() {
        DeValue::Datetime(datetime) if datetime.time.is_none() => Ok(datetime.to_string()),
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(vec![wrong(value, "a date (YYYY-MM-DD)")]),
    }
}

/// A list of dates, each with or without quotes, as texts.
fn dates_type(value: Value<'_>) -> Result<Vec<At<String>>, Vec<Wrong>> {
    let wanted = "a list of dates (YYYY-MM-DD)";
    let items = value
        .get_ref()
        .as_array()
        .ok_or_else(|| vec![wrong(value, wanted)])?;
    let mut dates = Vec::with_capacity(items.len());
    let mut wrongs = Vec::new();
    for item in items.iter() {
        match date_type(item) {
            Ok(date) => dates.push(At {
                at: item.span().start,
                value: date,
            }),
            Err(_) => wrongs.push(wrong(item, wanted)),
        }
    }
    if wrongs.is_empty() {
        Ok(dates)
    } else {
        Err(wrongs)
    }
}
