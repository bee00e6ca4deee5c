//! What is said when a stream of batches is opened.

use sluis_domain::{ChainId, ElementName, GrantId};
use sluis_ledger::registry::MAX_ELEMENTS_PER_CHAIN;

use crate::{Invalid, field, v1};

/// What a caller must keep to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamLimits {
    /// Most rows of a batch.
    pub max_batch_rows: u32,
    /// Most bytes of a message.
    pub max_message_bytes: u32,
    /// Most batches that are not answered yet.
    pub max_batches_in_flight: u32,
}

impl StreamLimits {
    /// For a custodian that states none: small batches, one at a time.
    pub const CAUTIOUS: Self = Self {
        max_batch_rows: 1024,
        max_message_bytes: 1 << 20,
        max_batches_in_flight: 1,
    };
}

impl From<StreamLimits> for v1::StreamLimits {
    fn from(limits: StreamLimits) -> Self {
        Self {
            max_batch_rows: limits.max_batch_rows,
            max_message_bytes: limits.max_message_bytes,
            max_batches_in_flight: limits.max_batches_in_flight,
        }
    }
}

/// None are [`StreamLimits::CAUTIOUS`].
impl From<Option<v1::StreamLimits>> for StreamLimits {
    fn from(wire: Option<v1::StreamLimits>) -> Self {
        wire.map_or(Self::CAUTIOUS, |limits| Self {
            max_batch_rows: limits.max_batch_rows,
            max_message_bytes: limits.max_message_bytes,
            max_batches_in_flight: limits.max_batches_in_flight,
        })
    }
}

/// What a source opens a stream with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenPseudonymise {
    /// The chain.
    pub chain: ChainId,
    /// The elements of all columns that the source holds; at least one.
    pub elements: Vec<ElementName>,
    /// Whether the output is asked for the recipient of the chain, and not for the caller.
    pub to_recipient: bool,
    /// A mapping that exists, if one is imported.
    pub import: Option<Import>,
}

/// A mapping that is imported: old pseudonyms of the subjects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// The pseudonym element whose subjects have them.
    pub element: ElementName,
    /// The column that they are in; no element of the chain.
    pub column: ElementName,
}

impl OpenPseudonymise {
    /// Columns of the batches: beside the elements, that of the old pseudonyms.
    pub fn columns(&self) -> usize {
        self.elements.len() + usize::from(self.import.is_some())
    }
}

impl From<OpenPseudonymise> for v1::PseudonymiseOpen {
    fn from(open: OpenPseudonymise) -> Self {
        let deliver = match open.to_recipient {
            true => v1::Delivery::Recipient,
            false => v1::Delivery::Caller,
        };
        Self {
            chain_id: open.chain.to_string(),
            elements: field::texts(open.elements),
            deliver: deliver.into(),
            import: open.import.map(|import| v1::Import {
                element: import.element.to_string(),
                column: import.column.to_string(),
            }),
        }
    }
}

impl TryFrom<v1::PseudonymiseOpen> for OpenPseudonymise {
    type Error = Invalid;

    fn try_from(wire: v1::PseudonymiseOpen) -> Result<Self, Invalid> {
        let chain = field::required("chain_id", &wire.chain_id)?;
        let deliver = v1::Delivery::try_from(wire.deliver)
            .map_err(|_| field::unknown("deliver", "a delivery"))?;
        field::at_most("elements", wire.elements.len(), MAX_ELEMENTS_PER_CHAIN)?;
        if wire.elements.is_empty() {
            let problem = "name at least one column of the batches";
            return Err(Invalid::field("elements", problem));
        }
        let import = wire.import.map(Import::try_from).transpose();
        Ok(Self {
            chain,
            elements: field::each("elements", &wire.elements)?,
            to_recipient: deliver == v1::Delivery::Recipient,
            import: import.map_err(|it| it.within("import"))?,
        })
    }
}

impl TryFrom<v1::Import> for Import {
    type Error = Invalid;

    fn try_from(wire: v1::Import) -> Result<Self, Invalid> {
        Ok(Self {
            element: field::required("element", &wire.element)?,
            column: field::required("column", &wire.column)?,
        })
    }
}

/// What opens a stream under a grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenUnderGrant {
    /// The grant.
    pub grant: GrantId,
    /// Whether the values are old pseudonyms that were imported; only for conversions.
    pub from_imported: bool,
}

impl From<OpenUnderGrant> for v1::ConvertOpen {
    fn from(open: OpenUnderGrant) -> Self {
        Self {
            grant_id: open.grant.to_string(),
            from_imported: open.from_imported,
        }
    }
}

impl From<OpenUnderGrant> for v1::ReidentifyOpen {
    fn from(open: OpenUnderGrant) -> Self {
        Self {
            grant_id: open.grant.to_string(),
        }
    }
}

impl TryFrom<v1::ConvertOpen> for OpenUnderGrant {
    type Error = Invalid;

    fn try_from(wire: v1::ConvertOpen) -> Result<Self, Invalid> {
        Ok(Self {
            grant: field::required("grant_id", &wire.grant_id)?,
            from_imported: wire.from_imported,
        })
    }
}

impl TryFrom<v1::ReidentifyOpen> for OpenUnderGrant {
    type Error = Invalid;

    fn try_from(wire: v1::ReidentifyOpen) -> Result<Self, Invalid> {
        Ok(Self {
            grant: field::required("grant_id", &wire.grant_id)?,
            from_imported: false,
        })
    }
}

/// What the custodian says when it opened a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// What it accepts.
    pub limits: StreamLimits,
    /// Values that remained under the grant; `None` for pseudonymisation.
    pub remaining: Option<u64>,
    /// Values that remained on this UTC day; `None` without a daily limit and for pseudonymisation.
    pub remaining_today: Option<u64>,
    /// Number of the registry version in force; `None` under a grant.
    pub registry_version: Option<u64>,
}

impl From<v1::PseudonymiseOpened> for Opened {
    fn from(wire: v1::PseudonymiseOpened) -> Self {
        Self {
            limits: wire.limits.into(),
            remaining: None,
            remaining_today: None,
            registry_version: Some(wire.registry_version),
        }
    }
}

impl From<v1::ConvertOpened> for Opened {
    fn from(wire: v1::ConvertOpened) -> Self {
        Self {
            limits: wire.limits.into(),
            remaining: Some(wire.remaining),
            remaining_today: wire.remaining_today,
            registry_version: None,
        }
    }
}

impl From<v1::ReidentifyOpened> for Opened {
    fn from(wire: v1::ReidentifyOpened) -> Self {
        Self {
            limits: wire.limits.into(),
            remaining: Some(wire.remaining),
            remaining_today: wire.remaining_today,
            registry_version: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> OpenPseudonymise {
        OpenPseudonymise {
            chain: "c".parse().expect("an id"),
            elements: vec!["a".parse().expect("an id")],
            to_recipient: true,
            import: Some(Import {
                element: "a".parse().expect("an id"),
                column: "old".parse().expect("an id"),
            }),
        }
    }

    #[test]
    fn an_opening_survives_the_way_out_and_in() {
        let wire = v1::PseudonymiseOpen::from(open());
        assert_eq!(OpenPseudonymise::try_from(wire), Ok(open()));
        assert_eq!(open().columns(), 2);
        let under = OpenUnderGrant {
            grant: "g-1".parse().expect("an id"),
            from_imported: true,
        };
        let wire = v1::ConvertOpen::from(under.clone());
        assert_eq!(OpenUnderGrant::try_from(wire), Ok(under));
    }

    #[test]
    fn errors_name_the_field() {
        type Break = fn(&mut v1::PseudonymiseOpen);
        let cases: [(Break, &str); 7] = [
            (|o| o.chain_id.clear(), "chain_id"),
            (|o| o.deliver = 99, "deliver"),
            (|o| o.elements.clear(), "elements"),
            (|o| o.elements = vec!["a".into(); 4_097], "elements"),
            (|o| o.elements.push("A".into()), "elements[1]"),
            (
                |o| o.import.as_mut().expect("one").element.clear(),
                "import.element",
            ),
            (
                |o| o.import.as_mut().expect("one").column.clear(),
                "import.column",
            ),
        ];
        for (break_it, field) in cases {
            let mut wire = v1::PseudonymiseOpen::from(open());
            break_it(&mut wire);
            let invalid = OpenPseudonymise::try_from(wire).expect_err(field);
            assert_eq!(invalid.field, field);
        }
        let nameless = OpenUnderGrant::try_from(v1::ReidentifyOpen::default());
        assert_eq!(nameless.expect_err("no id").field, "grant_id");
        let nameless = OpenUnderGrant::try_from(v1::ConvertOpen::default());
        assert_eq!(nameless.expect_err("no id").field, "grant_id");
    }
}
