//! A grant for people and as JSON.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sluis_client::v1::grant_terms::Kind;
use sluis_client::v1::{Approval, Grant, GrantState, OutputOrder};

use crate::Safe;

/// The whole grant, one aligned line per fact. Text of other parties cannot steer the terminal or fake a line.
pub fn lines(grant: &Grant) -> Vec<Safe> {
    facts(grant)
        .into_iter()
        .map(|(name, fact)| format!("{name:<13}{fact}").into())
        .collect()
}

/// The state in one line, with what is still missing.
pub fn state(grant: &Grant) -> String {
    match grant.awaiting.as_slice() {
        [] => state_word(grant).to_owned(),
        missing => format!(
            "{}, waits for a steward of: {}",
            state_word(grant),
            missing.join(", ")
        ),
    }
}

/// The state in one word.
pub fn state_word(grant: &Grant) -> &'static str {
    match grant.state() {
        GrantState::Unspecified => "unknown",
        GrantState::Requested => "requested",
        GrantState::Approved => "approved",
        GrantState::Denied => "denied",
        GrantState::Expired => "expired",
        GrantState::Exhausted => "exhausted",
        GrantState::Revoked => "revoked",
        GrantState::Stale => "stale",
    }
}

/// What the grant permits, in a few words.
pub fn what(grant: &Grant) -> String {
    match grant.terms.as_ref().and_then(|terms| terms.kind.as_ref()) {
        Some(Kind::Convert(t)) => {
            format!(
                "convert {}/{} to {}/{}",
                t.from_chain_id, t.from_element, t.to_chain_id, t.to_element
            )
        }
        Some(Kind::Reidentify(t)) => {
            format!("re-identify {}: {}", t.chain_id, t.elements.join(", "))
        }
        None => "unknown".to_owned(),
    }
}

fn facts(grant: &Grant) -> Vec<(&'static str, String)> {
    let terms = grant.terms.clone().unwrap_or_default();
    let mut facts = vec![
        ("grant", grant.grant_id.clone()),
        ("state", state(grant)),
        ("permits", what(grant)),
        ("grantee", grant.grantee.clone()),
        (
            "requested",
            format!("by {} at {}", grant.requester, grant.requested_at),
        ),
        ("purpose", terms.purpose),
        ("legal basis", terms.legal_basis),
        (
            "values",
            format!(
                "at most {}{}, used {}{}",
                terms.max_values,
                daily(terms.max_values_per_day),
                grant.used_values,
                today(grant, terms.max_values_per_day)
            ),
        ),
        (
            "valid",
            format!("from {} until {}", terms.not_before, terms.not_after),
        ),
    ];
    if let Some(Kind::Convert(convert)) = &terms.kind {
        facts.insert(3, ("order", order(convert.output_order()).to_owned()));
    }
    facts.extend(
        grant
            .approvals
            .iter()
            .map(|a| ("approved", format!("by {} at {}", a.steward, a.approved_at))),
    );
    if !grant.ended_by.is_empty() {
        facts.push((
            "ended",
            format!("by {} at {}", grant.ended_by, grant.ended_at),
        ));
    }
    facts.push(("registry", format!("version {}", grant.registry_version)));
    facts.push(("digest", HEXLOWER.encode(&grant.digest)));
    facts
}

fn daily(max_values: u64) -> String {
    if max_values == 0 {
        String::new()
    } else {
        format!(", {max_values} a day")
    }
}

/// Where days count.
fn today(grant: &Grant, max_values_per_day: u64) -> String {
    if max_values_per_day == 0 {
        String::new()
    } else {
        format!(", today {}", grant.used_values_today)
    }
}

fn order(order: OutputOrder) -> &'static str {
    match order {
        OutputOrder::Unspecified | OutputOrder::Ordered => "ordered",
        OutputOrder::Shuffled => "shuffled",
    }
}

/// The grant with the field names of the wire; the kind of its terms is `convert` or `reidentify`.
pub fn json(grant: &Grant) -> Value {
    json!({
        "grant_id": grant.grant_id,
        "terms": terms(grant),
        "grantee": grant.grantee,
        "requester": grant.requester,
        "requested_at": grant.requested_at,
        "state": state_word(grant),
        "approvals": grant.approvals.iter().map(approval).collect::<Vec<_>>(),
        "awaiting": grant.awaiting,
        "digest": HEXLOWER.encode(&grant.digest),
        "registry_version": grant.registry_version,
        "used_values": grant.used_values,
        "used_values_today": grant.used_values_today,
        "ended_by": grant.ended_by,
        "ended_at": grant.ended_at,
    })
}

fn terms(grant: &Grant) -> Value {
    let Some(terms) = &grant.terms else {
        return Value::Null;
    };
    let mut value = json!({
        "purpose": terms.purpose,
        "legal_basis": terms.legal_basis,
        "max_values": terms.max_values,
        "max_values_per_day": terms.max_values_per_day,
        "not_before": terms.not_before,
        "not_after": terms.not_after,
    });
    match &terms.kind {
        Some(Kind::Convert(t)) => {
            value["convert"] = json!({
                "from_chain_id": t.from_chain_id,
                "from_element": t.from_element,
                "to_chain_id": t.to_chain_id,
                "to_element": t.to_element,
                "output_order": order(t.output_order()),
            });
        }
        Some(Kind::Reidentify(t)) => {
            value["reidentify"] = json!({ "chain_id": t.chain_id, "elements": t.elements })
        }
        None => {}
    }
    value
}

fn approval(approval: &Approval) -> Value {
    json!({
        "steward": approval.steward,
        "approved_at": approval.approved_at,
        "registry_version": approval.registry_version,
    })
}

#[cfg(test)]
mod tests {
    use sluis_client::v1::{GrantTerms, ReidentifyTerms};

    use super::*;

    fn grant() -> Grant {
        let kind = Kind::Reidentify(ReidentifyTerms {
            chain_id: "study".into(),
            elements: vec!["bsn".into()],
        });
        Grant {
            grant_id: "g-1".into(),
            terms: Some(GrantTerms {
                kind: Some(kind),
                purpose: "why".into(),
                max_values: 3,
                ..Default::default()
            }),
            state: GrantState::Requested.into(),
            awaiting: vec!["uni".into(), "uni".into()],
            digest: vec![0xab; 32].into(),
            ..Default::default()
        }
    }

    fn shown(grant: &Grant) -> String {
        let lines = lines(grant);
        lines
            .iter()
            .map(Safe::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn a_steward_sees_what_is_asked_and_what_is_missing() {
        let text = shown(&grant());
        for part in [
            "re-identify study: bsn",
            "why",
            "at most 3, used 0",
            "waits for a steward of: uni, uni",
            "abab",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_limit_of_a_day_is_shown_where_there_is_one() {
        let mut grant = grant();
        grant.terms.as_mut().expect("terms").max_values_per_day = 2;
        assert!(shown(&grant).contains("at most 3, 2 a day, used 0"));
        assert_eq!(json(&grant)["terms"]["max_values_per_day"], 2);
    }

    #[test]
    fn a_purpose_cannot_fake_another_line() {
        let mut grant = grant();
        grant.terms.as_mut().expect("terms").purpose =
            "x\nvalues       at most 1\r\u{1b}[2K".into();
        assert_eq!(
            lines(&grant)
                .iter()
                .filter(|line| line.as_str().starts_with("values"))
                .count(),
            1
        );
        assert!(
            lines(&grant)
                .iter()
                .all(|line| !line.as_str().contains(['\n', '\r', '\u{1b}']))
        );
    }

    #[test]
    fn json_keeps_the_names_of_the_wire() {
        let value = json(&grant());
        assert_eq!(value["terms"]["reidentify"]["chain_id"], "study");
        assert_eq!(value["state"], "requested");
        assert_eq!(value["digest"], "ab".repeat(32));
    }
}
