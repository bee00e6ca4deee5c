//! What a grant asks for.

use sluis_domain::{ChainId, ElementName};
use sluis_ledger::grant::{Kind, OutputOrder, Terms};
use sluis_ledger::registry::MAX_ELEMENTS_PER_CHAIN;

use crate::v1::grant_terms::Kind as WireKind;
use crate::{Invalid, field, v1};

/// Lengths and times are for the rules of grants to judge, which know the time.
impl TryFrom<v1::GrantTerms> for Terms {
    type Error = Invalid;

    fn try_from(wire: v1::GrantTerms) -> Result<Self, Invalid> {
        let kind = match field::present("kind", wire.kind)? {
            WireKind::Convert(convert) => {
                Kind::try_from(&convert).map_err(|it| it.within("convert"))?
            }
            WireKind::Reidentify(reidentify) => {
                Kind::try_from(&reidentify).map_err(|it| it.within("reidentify"))?
            }
        };
        Ok(Self {
            kind,
            purpose: wire.purpose,
            legal_basis: wire.legal_basis,
            max_values: wire.max_values,
            max_values_per_day: Some(wire.max_values_per_day).filter(|most| *most > 0),
            not_before: field::optional_time("not_before", &wire.not_before)?,
            not_after: field::time("not_after", &wire.not_after)?,
        })
    }
}

impl TryFrom<&v1::ConvertTerms> for Kind {
    type Error = Invalid;

    fn try_from(wire: &v1::ConvertTerms) -> Result<Self, Invalid> {
        let order = v1::OutputOrder::try_from(wire.output_order)
            .map_err(|_| field::unknown("output_order", "an order"))?;
        let from_chain: ChainId = field::required("from_chain_id", &wire.from_chain_id)?;
        let from_element: ElementName = field::required("from_element", &wire.from_element)?;
        let to_chain: ChainId = field::required("to_chain_id", &wire.to_chain_id)?;
        let to_element: ElementName = field::required("to_element", &wire.to_element)?;
        Ok(Self::Convert {
            from: (from_chain, from_element),
            to: (to_chain, to_element),
            order: match order {
                v1::OutputOrder::Unspecified | v1::OutputOrder::Ordered => OutputOrder::Ordered,
                v1::OutputOrder::Shuffled => OutputOrder::Shuffled,
            },
        })
    }
}

impl TryFrom<&v1::ReidentifyTerms> for Kind {
    type Error = Invalid;

    fn try_from(wire: &v1::ReidentifyTerms) -> Result<Self, Invalid> {
        let chain = field::required("chain_id", &wire.chain_id)?;
        field::at_most("elements", wire.elements.len(), MAX_ELEMENTS_PER_CHAIN)?;
        let elements = field::each("elements", &wire.elements)?;
        Ok(Self::Reidentify { chain, elements })
    }
}

impl From<&Terms> for v1::GrantTerms {
    fn from(terms: &Terms) -> Self {
        Self {
            kind: Some((&terms.kind).into()),
            purpose: terms.purpose.clone(),
            legal_basis: terms.legal_basis.clone(),
            max_values: terms.max_values,
            max_values_per_day: terms.max_values_per_day.unwrap_or_default(),
            not_before: field::text(terms.not_before),
            not_after: terms.not_after.to_string(),
        }
    }
}

impl From<&Kind> for WireKind {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Convert { from, to, order } => Self::Convert(v1::ConvertTerms {
                from_chain_id: from.0.to_string(),
                from_element: from.1.to_string(),
                to_chain_id: to.0.to_string(),
                to_element: to.1.to_string(),
                output_order: match order {
                    OutputOrder::Ordered => v1::OutputOrder::Ordered,
                    OutputOrder::Shuffled => v1::OutputOrder::Shuffled,
                }
                .into(),
            }),
            Kind::Reidentify { chain, elements } => Self::Reidentify(v1::ReidentifyTerms {
                chain_id: chain.to_string(),
                elements: field::texts(elements),
            }),
        }
    }
}
