//! The old pseudonyms that a file brings along.

use clap::Args;
use sluis_client::local::{SendStep, Step};
use sluis_domain::ElementName;

use super::columns::{self, ColumnPlan, NotOne};
use crate::error::CliError;

/// What the column of old pseudonyms is called on its way if its header is no id.
const OLD_COLUMN: &str = "old-pseudonym";

/// Which column stands for the subject of which element.
#[derive(Args, Debug)]
pub(crate) struct Mapping {
    /// The pseudonym element whose subjects the old pseudonyms stand for
    #[arg(long, value_name = "ELEMENT")]
    pub(crate) element: ElementName,
    /// Header of the column of old pseudonyms
    #[arg(long, value_name = "HEADER")]
    old: String,
}

/// The column of old pseudonyms in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OldColumn {
    /// Which column.
    pub(crate) place: usize,
    /// What it is called on its way.
    pub(crate) name: ElementName,
}

impl Mapping {
    /// Finds the column; its name is what `--columns` or its header say.
    pub(crate) fn place(
        &self,
        headers: &[String],
        elements: &[Option<ElementName>],
    ) -> Result<OldColumn, CliError> {
        let place = columns::only(headers, &self.old).map_err(|problem| match problem {
            // The headers are not listed: without a header line they are values.
            NotOne::Absent(nearly) => CliError::usage(format!(
                "the file has no column {:?}, which --old names; is the header line missing?{nearly}",
                self.old
            )),
            NotOne::Ambiguous(error) => error,
        })?;
        let name = match &elements[place] {
            Some(name) => name.clone(),
            None => OLD_COLUMN.parse().expect("a constant that is an id"),
        };
        Ok(OldColumn { place, name })
    }

    /// Whether the file has the element, and the old pseudonyms in a column of their own.
    pub(crate) fn check(&self, plans: &[ColumnPlan], old: &OldColumn) -> Result<(), CliError> {
        if holds(plans, &old.name) {
            return Err(CliError::usage(format!(
                "--old {:?} has the name of an element; give it another with --columns HEADER=NAME",
                self.old
            )));
        }
        if holds(plans, &self.element) {
            return Ok(());
        }
        let column = if old.name == self.element {
            "is in the column that --old names"
        } else {
            "is in no column"
        };
        Err(CliError::usage(format!(
            "element {}, which --element names, {column}",
            self.element
        )))
    }
}

fn holds(plans: &[ColumnPlan], element: &ElementName) -> bool {
    plans
        .iter()
        .any(|plan| plan.element.as_ref() == Some(element))
}

impl OldColumn {
    /// Sent, and left out of the output.
    pub(crate) fn plan(&self) -> ColumnPlan {
        ColumnPlan {
            element: Some(self.name.clone()),
            step: Step::SendOnly(SendStep::Opaque),
        }
    }
}

/// All items but the one at `place`.
pub(crate) fn without<T: Clone>(items: &[T], place: usize) -> Vec<T> {
    items
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != place)
        .map(|(_, item)| item.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(old: &str) -> Mapping {
        Mapping {
            element: "bsn".parse().expect("an id"),
            old: old.to_owned(),
        }
    }

    fn place(headers: &[&str], old: &str) -> Result<(usize, String), CliError> {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        let elements = columns::elements(&headers, &[], |_| true).expect("distinct");
        mapping(old)
            .place(&headers, &elements)
            .map(|found| (found.place, found.name.to_string()))
    }

    #[test]
    fn the_column_is_found_by_its_header_and_sent_under_an_id() {
        assert_eq!(
            place(&["bsn", "study-no"], "study-no").expect("there"),
            (1, "study-no".to_owned())
        );
        assert_eq!(
            place(&["Study No", "bsn"], "Study No").expect("there"),
            (0, "old-pseudonym".to_owned())
        );
        assert!(matches!(
            place(&["bsn"], "study-no"),
            Err(CliError::Usage(_))
        ));
        assert!(matches!(
            place(&["No 1", "No 1"], "No 1"),
            Err(CliError::Input(_))
        ));
    }

    #[test]
    fn the_element_must_be_there_beside_the_old_pseudonyms() {
        let plans = |names: &[&str]| {
            names
                .iter()
                .map(|n| ColumnPlan::send(n.parse().expect("an id")))
                .collect::<Vec<_>>()
        };
        let old = |name: &str| OldColumn {
            place: 0,
            name: name.parse().expect("an id"),
        };
        assert!(
            mapping("x")
                .check(&plans(&["bsn", "sex"]), &old("x"))
                .is_ok()
        );
        assert!(matches!(
            mapping("x").check(&plans(&["sex"]), &old("x")),
            Err(CliError::Usage(_))
        ));
        assert!(matches!(
            mapping("bsn").check(&plans(&["sex"]), &old("bsn")),
            Err(CliError::Usage(_))
        ));
        assert!(matches!(
            mapping("x").check(&plans(&["bsn", "x"]), &old("x")),
            Err(CliError::Usage(_))
        ));
    }

    #[test]
    fn old_pseudonyms_are_sent_and_not_written() {
        let plan = OldColumn {
            place: 1,
            name: "study-no".parse().expect("an id"),
        }
        .plan();
        assert!(plan.step.is_sent() && !plan.step.is_written());
        assert_eq!(without(&["a", "b", "c"], 1), ["a", "c"]);
    }
}
