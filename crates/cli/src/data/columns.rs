//! Which column of a file is which element.

use sluis_client::local::{Context, PlanError, SendStep, Step};
use sluis_client::v1;
use sluis_domain::ElementName;

use super::args::ColumnName;
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

/// The element of each header: as `--columns` says, else that of the same name; `None` where the header is no id.
///
/// # Errors
/// A header of `--columns` that the file does not have, or two columns of one element.
pub(crate) fn elements(
    headers: &[String],
    names: &[ColumnName],
) -> Result<Vec<Option<ElementName>>, CliError> {
    if let Some(stray) = names.iter().find(|name| !headers.contains(&name.header)) {
        return Err(CliError::usage(format!(
            "--columns names {:?}, but the file has no such header",
            stray.header
        )));
    }
    let element_of = |header: &String| match names.iter().find(|name| name.header == *header) {
        Some(name) => Some(name.element.clone()),
        None => header.parse().ok(),
    };
    let elements: Vec<Option<ElementName>> = headers.iter().map(element_of).collect();
    for (i, element) in elements
        .iter()
        .enumerate()
        .filter(|(_, element)| element.is_some())
    {
        if let Some(earlier) = elements[..i].iter().position(|other| other == element) {
            // By number: without a header line these are values.
            return Err(CliError::input(format!(
                "two columns of the file, {} and {}, are the same element",
                earlier + 1,
                i + 1
            )));
        }
    }
    Ok(elements)
}

/// The plan of every column for a chain. A column that the chain does not list is refused, and so is a source key that
/// hashes none of them.
pub(crate) fn plan(
    headers: &[String],
    elements: Vec<Option<ElementName>>,
    chain: &Agreed,
    context: Context<'_>,
) -> Result<Vec<ColumnPlan>, CliError> {
    let chain = chain.chain();
    let listed = listed(chain);
    let is_listed = |element: &Option<ElementName>| {
        element
            .as_ref()
            .is_some_and(|e| listed.contains(&e.as_str()))
    };
    let unlisted: Vec<_> = headers
        .iter()
        .zip(&elements)
        .filter(|(_, e)| !is_listed(e))
        .map(|(h, _)| h)
        .collect();
    if unlisted.len() == headers.len() {
        return Err(no_listed_column(headers.len(), chain));
    }
    if !unlisted.is_empty() {
        return Err(unlisted_columns(&unlisted, chain));
    }
    let names = elements.iter().flatten().map(ElementName::as_str);
    let used = context.source_keys.check_used(chain, &names.collect());
    let plan_of = |element: ElementName| match Step::of(chain, &element, context) {
        Ok(step) => Ok(ColumnPlan {
            element: Some(element),
            step,
        }),
        Err(error) => Err(no_plan(error)),
    };
    let plans: Result<_, _> = elements.into_iter().flatten().map(plan_of).collect();
    // A namespace that is not hashed says more than a key without use.
    let plans = plans?;
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
        PlanError::UnknownElement(_) | PlanError::NotUnderstood(_) => {
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

/// Names no column: a file without a header line has a person's record there.
fn no_listed_column(columns: usize, chain: &v1::Chain) -> CliError {
    CliError::input(format!(
        "UNKNOWN_ELEMENT: none of the {columns} columns of the file is an element of chain {}; its elements are {}. Is the \
         header line missing? Otherwise name columns with --columns header=element",
        chain.chain_id,
        listed(chain).join(", "),
    ))
}

fn listed(chain: &v1::Chain) -> Vec<&str> {
    chain
        .elements
        .iter()
        .map(|element| element.name.as_str())
        .collect()
}

fn unlisted_columns(headers: &[&String], chain: &v1::Chain) -> CliError {
    let quoted: Vec<_> = headers.iter().map(|header| format!("{header:?}")).collect();
    CliError::input(format!(
        "UNKNOWN_ELEMENT: chain {} does not list {}; its elements are {}. Name columns with --columns header=element, \
         take the column out of the file, or ask the custodian to list it (as drop, for example)",
        chain.chain_id,
        quoted.join(", "),
        listed(chain).join(", "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expect::Expectation;

    fn headers(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn names(text: &str) -> Vec<ColumnName> {
        text.split(',')
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().expect("header=element"))
            .collect()
    }

    #[test]
    fn a_header_is_the_element_of_the_same_name_unless_it_is_told_otherwise() {
        let found = elements(
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
        assert!(matches!(
            elements(&headers(&["a"]), &names("b=a")),
            Err(CliError::Usage(_))
        ));
        assert!(matches!(
            elements(&headers(&["a", "b"]), &names("b=a")),
            Err(CliError::Input(_))
        ));
        assert!(matches!(
            elements(&headers(&["a", "a"]), &[]),
            Err(CliError::Input(_))
        ));
        assert!("bsn".parse::<ColumnName>().is_err());
        assert!("bsn=BSN".parse::<ColumnName>().is_err());
    }

    #[test]
    fn every_column_that_the_chain_does_not_list_is_named() {
        let chain = v1::Chain {
            chain_id: "c".into(),
            elements: vec![v1::Element {
                name: "sex".into(),
                treatment: "keep".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let headers = headers(&["sex", "name", "Född"]);
        let keys = Default::default();
        let date_format = Default::default();
        let context = Context {
            source_keys: &keys,
            date_format: &date_format,
        };
        let elements = elements(&headers, &[]).expect("distinct");
        let chain = Expectation::default().agree(chain).expect("nothing else");
        let message = plan(&headers, elements, &chain, context)
            .expect_err("unlisted")
            .to_string();
        assert!(
            message.contains("UNKNOWN_ELEMENT") && message.contains("\"name\", \"Född\""),
            "{message}"
        );
    }
}
