//! Grants.

use sluis_domain::{ChainId, ElementName};
use sluis_engine::GrantView;
use sluis_ledger::grant::{Kind, OutputOrder, State, Terms};
use sluis_ledger::registry::MAX_ELEMENTS_PER_CHAIN;
use sluis_proto::v1;
use v1::grant_terms::Kind as WireKind;

use super::{missing, optional_time, present, required};
use crate::status::Denial;

/// Parses what is asked for. Lengths and times are judged by the domain, which knows the time.
pub(crate) fn parse_terms(wire: Option<v1::GrantTerms>) -> Result<Terms, Denial> {
    let wire = present("terms", wire)?;
    let kind = match wire.kind {
        None => return Err(missing("terms.kind")),
        Some(WireKind::Convert(convert)) => parse_convert(&convert)?,
        Some(WireKind::Reidentify(reidentify)) => parse_reidentify(&reidentify)?,
    };
    Ok(Terms {
        kind,
        purpose: wire.purpose,
        legal_basis: wire.legal_basis,
        max_values: wire.max_values,
        max_values_per_day: Some(wire.max_values_per_day).filter(|most| *most > 0),
        not_before: optional_time("terms.not_before", &wire.not_before)?,
        not_after: optional_time("terms.not_after", &wire.not_after)?
            .ok_or_else(|| missing("terms.not_after"))?,
    })
}

fn parse_convert(wire: &v1::ConvertTerms) -> Result<Kind, Denial> {
    let order = match v1::OutputOrder::try_from(wire.output_order) {
        Ok(v1::OutputOrder::Unspecified | v1::OutputOrder::Ordered) => OutputOrder::Ordered,
        Ok(v1::OutputOrder::Shuffled) => OutputOrder::Shuffled,
        Err(_) => {
            return Err(Denial::field(
                "terms.convert.output_order",
                "is not an order this version knows",
            ));
        }
    };
    let place =
        |chain, chain_id: &str, element, name: &str| -> Result<(ChainId, ElementName), Denial> {
            Ok((required(chain, chain_id)?, required(element, name)?))
        };
    let from = place(
        "terms.convert.from_chain_id",
        &wire.from_chain_id,
        "terms.convert.from_element",
        &wire.from_element,
    )?;
    let to = place(
        "terms.convert.to_chain_id",
        &wire.to_chain_id,
        "terms.convert.to_element",
        &wire.to_element,
    )?;
    Ok(Kind::Convert { from, to, order })
}

fn parse_reidentify(wire: &v1::ReidentifyTerms) -> Result<Kind, Denial> {
    let chain = required("terms.reidentify.chain_id", &wire.chain_id)?;
    let name =
        |(i, text): (usize, &String)| required(&format!("terms.reidentify.elements[{i}]"), text);
    super::at_most(
        "terms.reidentify.elements",
        wire.elements.len(),
        MAX_ELEMENTS_PER_CHAIN,
    )?;
    let elements = wire
        .elements
        .iter()
        .enumerate()
        .map(name)
        .collect::<Result<_, _>>()?;
    Ok(Kind::Reidentify { chain, elements })
}

/// Parses a state to filter by.
pub(crate) fn parse_state(field: &str, wire: i32) -> Result<Option<State>, Denial> {
    match v1::GrantState::try_from(wire) {
        Ok(v1::GrantState::Unspecified) => Ok(None),
        Ok(v1::GrantState::Requested) => Ok(Some(State::Requested)),
        Ok(v1::GrantState::Approved) => Ok(Some(State::Approved)),
        Ok(v1::GrantState::Denied) => Ok(Some(State::Denied)),
        Ok(v1::GrantState::Expired) => Ok(Some(State::Expired)),
        Ok(v1::GrantState::Exhausted) => Ok(Some(State::Exhausted)),
        Ok(v1::GrantState::Revoked) => Ok(Some(State::Revoked)),
        Ok(v1::GrantState::Stale) => Ok(Some(State::Stale)),
        Err(_) => Err(Denial::field(field, "is not a state this version knows")),
    }
}

/// A grant as it stands.
pub(crate) fn grant(view: &GrantView, origin: &str) -> v1::Grant {
    let (record, grant) = (&view.record, &view.record.grant);
    let approval = |approval: &sluis_ledger::grant::Approval| v1::Approval {
        steward: approval.steward.to_string(),
        approved_at: approval.at.to_string(),
        registry_version: approval.registry_version,
        signature: approval.signed.signature.clone().into(),
        certificate: approval.signed.certificate.clone().into(),
    };
    v1::Grant {
        grant_id: grant.id.as_str().to_owned(),
        terms: Some(terms(&grant.terms)),
        grantee: grant.grantee.as_str().to_owned(),
        requester: grant.requester.to_string(),
        requested_at: grant.requested_at.to_string(),
        state: state(view.state).into(),
        approvals: record.approvals.iter().map(approval).collect(),
        awaiting: record
            .awaiting()
            .into_iter()
            .map(|organisation| organisation.as_str().to_owned())
            .collect(),
        digest: view.digest.to_vec().into(),
        registry_version: grant.registry_version,
        used_values: view.used,
        used_values_today: view.used_today,
        ended_by: record
            .ended
            .as_ref()
            .map(|ended| ended.by.to_string())
            .unwrap_or_default(),
        ended_at: record
            .ended
            .as_ref()
            .map(|ended| ended.at.to_string())
            .unwrap_or_default(),
        canonical: grant.encode().into(),
        origin: origin.to_owned(),
    }
}

fn terms(terms: &Terms) -> v1::GrantTerms {
    v1::GrantTerms {
        kind: Some(kind(&terms.kind)),
        purpose: terms.purpose.clone(),
        legal_basis: terms.legal_basis.clone(),
        max_values: terms.max_values,
        max_values_per_day: terms.max_values_per_day.unwrap_or_default(),
        not_before: terms
            .not_before
            .map(|at| at.to_string())
            .unwrap_or_default(),
        not_after: terms.not_after.to_string(),
    }
}

fn kind(kind: &Kind) -> WireKind {
    match kind {
        Kind::Convert { from, to, order } => WireKind::Convert(v1::ConvertTerms {
            from_chain_id: from.0.as_str().to_owned(),
            from_element: from.1.as_str().to_owned(),
            to_chain_id: to.0.as_str().to_owned(),
            to_element: to.1.as_str().to_owned(),
            output_order: match order {
                OutputOrder::Ordered => v1::OutputOrder::Ordered,
                OutputOrder::Shuffled => v1::OutputOrder::Shuffled,
            }
            .into(),
        }),
        Kind::Reidentify { chain, elements } => WireKind::Reidentify(v1::ReidentifyTerms {
            chain_id: chain.as_str().to_owned(),
            elements: elements
                .iter()
                .map(|element| element.as_str().to_owned())
                .collect(),
        }),
    }
}

fn state(state: State) -> v1::GrantState {
    match state {
        State::Requested => v1::GrantState::Requested,
        State::Approved => v1::GrantState::Approved,
        State::Denied => v1::GrantState::Denied,
        State::Expired => v1::GrantState::Expired,
        State::Exhausted => v1::GrantState::Exhausted,
        State::Revoked => v1::GrantState::Revoked,
        State::Stale => v1::GrantState::Stale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert_terms() -> v1::GrantTerms {
        v1::GrantTerms {
            kind: Some(WireKind::Convert(v1::ConvertTerms {
                from_chain_id: "a".to_owned(),
                from_element: "x".to_owned(),
                to_chain_id: "b".to_owned(),
                to_element: "y".to_owned(),
                output_order: v1::OutputOrder::Shuffled.into(),
            })),
            purpose: "why".to_owned(),
            legal_basis: "law".to_owned(),
            max_values: 5,
            max_values_per_day: 3,
            not_before: "2026-01-01T00:00:00Z".to_owned(),
            not_after: "2027-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn terms_survive_the_way_in_and_out() {
        let wire = convert_terms();
        assert_eq!(
            terms(&parse_terms(Some(wire.clone())).expect("valid")),
            wire
        );
        let reidentify = WireKind::Reidentify(v1::ReidentifyTerms {
            chain_id: "a".to_owned(),
            elements: vec!["x".to_owned()],
        });
        let wire = v1::GrantTerms {
            kind: Some(reidentify),
            ..wire
        };
        assert_eq!(
            terms(&parse_terms(Some(wire.clone())).expect("valid")),
            wire
        );
    }

    #[test]
    fn errors_name_the_field() {
        type Break = fn(&mut v1::GrantTerms);
        let cases: [(Break, &str); 5] = [
            (|t| t.kind = None, "terms.kind"),
            (|t| t.not_after.clear(), "terms.not_after"),
            (|t| t.not_before = "soon".to_owned(), "terms.not_before"),
            (
                |t| change_convert(t, |c| c.to_element.clear()),
                "terms.convert.to_element",
            ),
            (
                |t| change_convert(t, |c| c.output_order = 99),
                "terms.convert.output_order",
            ),
        ];
        for (break_it, field) in cases {
            let mut wire = convert_terms();
            break_it(&mut wire);
            let denial = parse_terms(Some(wire)).expect_err(field);
            assert_eq!(denial.violations[0].0, field);
        }
        assert_eq!(
            parse_terms(None).expect_err("required").violations[0].0,
            "terms"
        );
    }

    fn change_convert(terms: &mut v1::GrantTerms, change: impl FnOnce(&mut v1::ConvertTerms)) {
        if let Some(WireKind::Convert(convert)) = &mut terms.kind {
            change(convert);
        }
    }
}
