//! Which column of a file is which element.

use sluis_client::ChainView;
use sluis_client::local::{PlanError, SendStep, SourceKeys, Step};
use sluis_domain::{ChainId, ElementName};

use super::names::ColumnName;
use crate::error::CliError;
use crate::expect::Agreed;

/// What becomes of one column of a file.
#[derive(Debug)]
pub(crate) struct ColumnPlan {
    /// The element the column holds; a column that only passes through may have none.
    pub(crate) element: Option<ElementName>,
    /// What becomes of its values.
    pub(crate) step: Step,
}

impl ColumnPlan {
    /// A column that passes through as it is.
    pub(crate) fn keep() -> Self {
        Self {
            element: None,
            step: Step::Keep,
        }
    }

    /// A column that is left out.
    pub(crate) fn drop() -> Self {
        Self {
            element: None,
            step: Step::Drop,
        }
    }

    /// A column of tokens or ciphertexts. What is neither, such as an identifier, is rejected here and never sent.
    pub(crate) fn send(element: ElementName) -> Self {
        Self {
            element: Some(element),
            step: Step::Send(SendStep::Issued),
        }
    }
}

/// The element of each header: as `--columns` says, else that of the same name; `None` where the header is no id, and for
/// elements that are not `wanted`.
///
/// # Errors
/// A header of `--columns` that the file does not have; an element or a header that is there twice, also where two headers
/// differ only in capitals or spaces.
pub(crate) fn elements(
    headers: &[String],
    names: &[ColumnName],
    wanted: impl Fn(&ElementName) -> bool,
) -> Result<Vec<Option<ElementName>>, CliError> {
    check_names(headers, names)?;
    let elements: Vec<Option<ElementName>> = headers
        .iter()
        .map(|header| element_of(header, names).filter(&wanted))
        .collect();
    for (i, element) in elements.iter().enumerate() {
        if element.is_none() {
            continue;
        }
        // By number: without a header line these are values.
        if let Some(other) = elements.iter().skip(i + 1).position(|e| e == element) {
            return Err(CliError::input(format!(
                "two columns of the file, {} and {}, are the same element; take one out, or give it another element with \
                 --columns",
                i + 1,
                i + 1 + other + 1
            )));
        }
        if let Some(other) = look_alike(headers, i) {
            return Err(look_alikes(i, other));
        }
    }
    Ok(elements)
}

fn element_of(header: &str, names: &[ColumnName]) -> Option<ElementName> {
    match names.iter().find(|name| name.header == header) {
        Some(name) => Some(name.element.clone()),
        None => header.parse().ok(),
    }
}

/// Refuses names that say two things, or nothing about this file.
fn check_names(headers: &[String], names: &[ColumnName]) -> Result<(), CliError> {
    for (i, name) in names.iter().enumerate() {
        if names[..i].iter().any(|other| other.header == name.header) {
            return Err(CliError::usage(format!(
                "--columns names the header {:?} twice; a column is one element",
                name.header
            )));
        }
        if names[..i].iter().any(|other| other.element == name.element) {
            return Err(CliError::usage(format!(
                "--columns names the element {} twice; an element is in one column",
                name.element
            )));
        }
        if headers.contains(&name.header) {
            continue;
        }
        return Err(CliError::usage(format!(
            "--columns names {:?}, but the file has no such header{}",
            name.header,
            nearly(headers, &name.header)
        )));
    }
    Ok(())
}

/// Why there is not just one column with a header.
pub(crate) enum NotOne {
    /// None has it; the text says which one nearly has it, or is empty.
    Absent(String),
    /// Two have it, or differ from it in capitals or spaces only.
    Ambiguous(CliError),
}

/// The place of the only column with this header.
pub(crate) fn only(headers: &[String], wanted: &str) -> Result<usize, NotOne> {
    let Some(place) = headers.iter().position(|header| header == wanted) else {
        return Err(NotOne::Absent(nearly(headers, wanted)));
    };
    match look_alike(headers, place) {
        None => Ok(place),
        Some(other) => Err(NotOne::Ambiguous(look_alikes(place, other))),
    }
}

/// A column that has the header of another, but for capitals and spaces.
fn look_alike(headers: &[String], place: usize) -> Option<usize> {
    let folded = fold(&headers[place]);
    if folded.is_empty() {
        return None;
    }
    headers
        .iter()
        .enumerate()
        .position(|(other, header)| other != place && fold(header) == folded)
}

/// By number: without a header line the headers are values.
fn look_alikes(one: usize, other: usize) -> CliError {
    CliError::input(format!(
        "columns {} and {} of the file have the same header, or headers that differ only in capitals or spaces; rename one, \
         or take it out",
        one.min(other) + 1,
        one.max(other) + 1
    ))
}

/// Which column nearly has this header, as the end of a sentence.
fn nearly(headers: &[String], wanted: &str) -> String {
    let folded = fold(wanted);
    let place = headers.iter().position(|header| fold(header) == folded);
    place.map_or_else(String::new, |place| {
        format!(
            "; that of column {} differs from it only in capitals or spaces: write it as it stands there",
            place + 1
        )
    })
}

/// A header without what is easily overlooked: capitals, spaces, and characters that are not shown.
fn fold(header: &str) -> String {
    header
        .chars()
        .filter(is_shown)
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_shown(c: &char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
}

/// The plan of every column for a chain. A column that the chain does not list is refused, and so is a source key that
/// hashes none of them.
pub(crate) fn plan(
    headers: &[String],
    elements: Vec<Option<ElementName>>,
    chain: &Agreed,
    source_keys: &SourceKeys,
) -> Result<Vec<ColumnPlan>, CliError> {
    let chain = chain.chain();
    let listed = listed(chain);
    let unlisted: Vec<_> = headers
        .iter()
        .zip(&elements)
        .filter(|(_, e)| e.as_ref().is_none_or(|e| !listed.contains(&e.as_str())))
        .map(|(h, _)| h)
        .collect();
    if unlisted.len() == headers.len() {
        return Err(no_listed_column(headers.len(), chain));
    }
    if !unlisted.is_empty() {
        return Err(unlisted_columns(&unlisted, chain));
    }
    let names = elements.iter().flatten().map(ElementName::as_str);
    let used = source_keys.check_used(chain, &names.collect());
    let mut plans = Vec::new();
    for element in elements.into_iter().flatten() {
        let step = Step::of(chain, &element, source_keys).map_err(no_plan)?;
        plans.push(ColumnPlan {
            element: Some(element),
            step,
        });
    }
    // A namespace that is not hashed says more than a key without use.
    used.map_err(no_plan)?;
    Ok(plans)
}

/// Why an element cannot be treated, and the flag that helps if one does.
pub(crate) fn no_plan(error: PlanError) -> CliError {
    match error {
        PlanError::NoSourceKey { .. } => {
            CliError::usage(format!("{error}; give --source-key FILE"))
        }
        PlanError::NotHashed { unnamed: true, .. } => differs(
            &error,
            "if that is what you agreed to, say which namespaces the key is for: --source-key NAMESPACE=FILE",
        ),
        PlanError::NotHashed { .. } => differs(
            &error,
            "if that is what you agreed to, leave the key out; otherwise tell the owner of the chain",
        ),
        PlanError::UnusedSourceKey(_) | PlanError::UnusedDefaultKey => differs(
            &error,
            "`sluis chain list CHAIN` shows which elements and namespaces have input prehash; without any, leave the key out",
        ),
        PlanError::UnknownElement(_) | PlanError::UnknownNamespace(_) => {
            CliError::usage(error.to_string())
        }
    }
}

/// A source key contradicts what the custodian says.
fn differs(error: &PlanError, advice: &str) -> CliError {
    CliError::Differs {
        what: format!("{error}; nothing was sent"),
        details: vec![advice.to_owned()],
    }
}

/// The elements of all columns that hold one.
pub(crate) fn held(plans: &[ColumnPlan]) -> Vec<ElementName> {
    plans
        .iter()
        .filter_map(|plan| plan.element.clone())
        .collect()
}

/// What a source that relies on source keys alone must know: which elements leave its machine as they are, by the
/// custodian's word. Nothing if there are none.
pub(crate) fn sent_unhashed(plans: &[ColumnPlan], chain: &ChainId) -> Option<String> {
    let unhashed = plans.iter().filter(|plan| plan.step.is_sent_unhashed());
    let elements = unhashed.filter_map(|plan| plan.element.as_ref());
    let elements: Vec<&str> = elements.map(ElementName::as_str).collect();
    (!elements.is_empty()).then(|| {
        format!(
            "by the custodian's word these elements are sent unhashed: {}. A source key cannot check that, a pin can: read \
             and keep what `sluis chain pin {chain}` writes, and name that file with --expect",
            elements.join(", ")
        )
    })
}

/// Names no column: a file without a header line has a person's record there.
fn no_listed_column(columns: usize, chain: &ChainView) -> CliError {
    CliError::input(format!(
        "UNKNOWN_ELEMENT: none of the {columns} columns of the file is an element of chain {}; its elements are {}. Is the \
         header line missing? Otherwise name columns with --columns header=element",
        chain.id,
        listed(chain).join(", "),
    ))
}

fn listed(chain: &ChainView) -> Vec<&str> {
    let elements = chain.elements.iter();
    elements.map(|element| element.name().as_str()).collect()
}

fn unlisted_columns(headers: &[&String], chain: &ChainView) -> CliError {
    let listed = listed(chain);
    let quoted: Vec<_> = headers.iter().map(|header| format!("{header:?}")).collect();
    let mut message = format!(
        "UNKNOWN_ELEMENT: chain {} does not list {}; its elements are {}. Name columns with --columns header=element, \
         take the column out of the file, or ask the custodian to list it (as drop, for example)",
        chain.id,
        quoted.join(", "),
        listed.join(", "),
    );
    if headers.iter().any(|header| header.is_empty()) {
        message += ". A header is empty: does the header line end with a delimiter?";
    }
    for header in headers {
        let folded = fold(header);
        if let Some(element) = listed.iter().find(|element| fold(element) == folded) {
            message += &format!(". {header:?} may be {element}: --columns '{header}={element}'");
        }
    }
    CliError::input(message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sluis_client::NamespaceView;
    use sluis_domain::identifier::{Checksum, IdentifierKind, InputMode};
    use sluis_ledger::registry::{Element, LinkMode, Treatment};

    use super::*;
    use crate::data::names::parsed as names;
    use crate::expect::Expectation;

    fn headers(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn found(
        headers: &[String],
        names: &[ColumnName],
    ) -> Result<Vec<Option<ElementName>>, CliError> {
        elements(headers, names, |_| true)
    }

    #[test]
    fn a_header_is_the_element_of_the_same_name_unless_it_is_told_otherwise() {
        let found = found(
            &headers(&["BSN", "sex", "a=b", "Não"]),
            &names("BSN=bsn,a=b=ab"),
        )
        .expect("fits");
        let text: Vec<_> = found
            .iter()
            .map(|e| e.as_ref().map(ElementName::as_str))
            .collect();
        assert_eq!(text, [Some("bsn"), Some("sex"), Some("ab"), None]);
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for (columns, mapping, expected) in [
            (&["a"][..], "b=a", "no such header"),
            (&["a "], "a=b", "column 1 differs"),
            (&["a", "c"], "a=x,a=y", "twice"),
            (&["a", "c"], "a=x,c=x", "element x twice"),
        ] {
            let error = found(&headers(columns), &names(mapping)).expect_err(expected);
            assert!(
                matches!(&error, CliError::Usage(text) if text.contains(expected)),
                "{error}"
            );
        }
    }

    fn element(name: &str, treatment: Treatment) -> Element {
        Element::new(name.parse().expect("an id"), treatment)
    }

    fn chain_of(id: &str, elements: Vec<Element>) -> ChainView {
        ChainView {
            id: id.parse().expect("an id"),
            owner: "o".parse().expect("an id"),
            sources: BTreeSet::new(),
            recipients: BTreeSet::new(),
            reidentify_to: BTreeSet::new(),
            reidentify_approvals: 2,
            retention: None,
            retained_until: None,
            quota: None,
            namespaces: Vec::new(),
            elements,
        }
    }

    #[test]
    fn a_custodian_that_swaps_two_columns_is_told_of_by_the_name_of_what_it_is_sent() {
        let prehash = NamespaceView {
            id: "study.email".parse().expect("an id"),
            link: LinkMode::Escrow,
            reversible: false,
            identifier: IdentifierKind::Opaque,
            input: InputMode::Prehash,
            checksum: Checksum::Strict,
            missing_words: Vec::new(),
        };
        let mut keys = sluis_client::local::SourceKeys::default();
        let key = sluis_client::SourceKey::from_file_content(&[7; 32]).expect("a key");
        keys.insert("study.email".parse().expect("an id"), key);
        let id: ChainId = "study".parse().expect("an id");
        let warned = |elements: Vec<Element>| {
            let chain = ChainView {
                namespaces: vec![prehash.clone()],
                ..chain_of("study", elements)
            };
            let headers = headers(&["email", "diagnosis"]);
            let elements = found(&headers, &[]).expect("distinct");
            let chain = Expectation::default().agree(chain).expect("no pin");
            let plans = plan(&headers, elements, &chain, &keys).expect("plans");
            sent_unhashed(&plans, &id)
        };
        let hashed = Treatment::Pseudonym {
            namespace: "study.email".parse().expect("an id"),
        };
        let swapped = vec![
            element("email", Treatment::Encrypt),
            element("diagnosis", hashed.clone()),
        ];
        let text = warned(swapped).expect("the address goes out as it is");
        assert!(
            text.contains("unhashed: email.") && text.contains("sluis chain pin study"),
            "{text}"
        );
        let kept = vec![
            element("email", hashed),
            element("diagnosis", Treatment::Keep),
        ];
        assert_eq!(warned(kept), None);
    }

    #[test]
    fn one_element_in_two_columns_is_refused() {
        for (columns, mapping) in [
            (&["a", "b"][..], "b=a"),
            (&["a", "a"], ""),
            (&["bsn", "BSN"], ""),
            (&["BSN", "sex", " bsn"], "BSN=bsn"),
            (&["bsn", "bsn\u{200b}"], ""),
            (&["birth date", "birthdate"], ""),
        ] {
            let error = found(&headers(columns), &names(mapping)).expect_err("ambiguous");
            assert!(matches!(error, CliError::Input(_)), "{columns:?}");
        }
        let unwanted = elements(&headers(&["a", "n", "n"]), &[], |e| e.as_str() == "a");
        assert!(
            unwanted.is_ok(),
            "columns that only pass through may be alike"
        );
    }

    #[test]
    fn every_column_that_the_chain_does_not_list_is_named() {
        let chain = chain_of("c", vec![element("sex", Treatment::Keep)]);
        let headers = headers(&["sex", "name", "Född"]);
        let keys = Default::default();
        let elements = found(&headers, &[]).expect("distinct");
        let chain = Expectation::default().agree(chain).expect("nothing else");
        let message = plan(&headers, elements, &chain, &keys)
            .expect_err("unlisted")
            .to_string();
        assert!(
            message.contains("UNKNOWN_ELEMENT") && message.contains("\"name\", \"Född\""),
            "{message}"
        );
    }
}
