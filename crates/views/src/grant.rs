//! A grant for people and as JSON.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sluis_client::GrantView;
use sluis_ledger::grant::{Approval, Kind, OutputOrder, State, Terms};

use crate::Safe;
use crate::words;

/// The whole grant, one aligned line per fact. Text of other parties cannot steer the terminal or fake a line.
pub fn lines(view: &GrantView) -> Vec<Safe> {
    facts(view)
        .into_iter()
        .map(|(name, fact)| format!("{name:<13}{fact}").into())
        .collect()
}

/// The state in one line, with what is still missing.
pub fn state(view: &GrantView) -> String {
    let word = state_word(view.state);
    match view.awaiting.as_slice() {
        [] => word.to_owned(),
        missing => format!("{word}, waits for a steward of: {}", words::listed(missing)),
    }
}

/// The state in one word.
pub fn state_word(state: State) -> &'static str {
    match state {
        State::Requested => "requested",
        State::Approved => "approved",
        State::Denied => "denied",
        State::Expired => "expired",
        State::Exhausted => "exhausted",
        State::Revoked => "revoked",
        State::Stale => "stale",
    }
}

/// What a grant permits, in a few words.
pub fn what(kind: &Kind) -> String {
    match kind {
        Kind::Convert { from, to, .. } => {
            format!("convert {}/{} to {}/{}", from.0, from.1, to.0, to.1)
        }
        Kind::Reidentify { chain, elements } => {
            format!("re-identify {chain}: {}", words::listed(elements))
        }
    }
}

fn facts(view: &GrantView) -> Vec<(&'static str, String)> {
    let (grant, terms) = (&view.grant, &view.grant.terms);
    let mut facts = vec![
        ("grant", grant.id.to_string()),
        ("state", state(view)),
        ("permits", what(&terms.kind)),
        ("grantee", grant.grantee.to_string()),
        (
            "requested",
            format!("by {} at {}", grant.requester, grant.requested_at),
        ),
        ("purpose", terms.purpose.clone()),
        ("legal basis", terms.legal_basis.clone()),
        ("values", values(view)),
        (
            "valid",
            format!(
                "from {} until {}",
                words::text(terms.not_before),
                terms.not_after
            ),
        ),
    ];
    if let Kind::Convert { order, .. } = &terms.kind {
        facts.insert(3, ("order", order_word(*order).to_owned()));
    }
    let approvals = view.approvals.iter();
    facts.extend(approvals.map(|a| ("approved", format!("by {} at {}", a.steward, a.at))));
    if let Some((by, at)) = &view.ended {
        facts.push(("ended", format!("by {by} at {at}")));
    }
    facts.push(("registry", format!("version {}", grant.registry_version)));
    facts.push(("digest", HEXLOWER.encode(grant.digest())));
    facts
}

/// How many there may be and were. Days are counted where they are limited.
fn values(view: &GrantView) -> String {
    let (most, used) = (view.grant.terms.max_values, view.used);
    match view.grant.terms.max_values_per_day {
        None => format!("at most {most}, used {used}"),
        Some(daily) => {
            let today = view.used_today;
            format!("at most {most}, {daily} a day, used {used}, today {today}")
        }
    }
}

fn order_word(order: OutputOrder) -> &'static str {
    match order {
        OutputOrder::Ordered => "ordered",
        OutputOrder::Shuffled => "shuffled",
    }
}

/// The grant with the field names of the wire; the kind of its terms is `convert` or `reidentify`.
pub fn json(view: &GrantView) -> Value {
    let grant = &view.grant;
    let (ended_by, ended_at) = view.ended.clone().unzip();
    json!({
        "grant_id": grant.id,
        "terms": terms(&grant.terms),
        "grantee": grant.grantee,
        "requester": grant.requester.to_string(),
        "requested_at": grant.requested_at.to_string(),
        "state": state_word(view.state),
        "approvals": view.approvals.iter().map(approval).collect::<Vec<_>>(),
        "awaiting": view.awaiting,
        "digest": HEXLOWER.encode(grant.digest()),
        "registry_version": grant.registry_version,
        "used_values": view.used,
        "used_values_today": view.used_today,
        "ended_by": words::text(ended_by),
        "ended_at": words::text(ended_at),
    })
}

fn terms(terms: &Terms) -> Value {
    let mut value = json!({
        "purpose": terms.purpose,
        "legal_basis": terms.legal_basis,
        "max_values": terms.max_values,
        "max_values_per_day": terms.max_values_per_day.unwrap_or_default(),
        "not_before": words::text(terms.not_before),
        "not_after": terms.not_after.to_string(),
    });
    match &terms.kind {
        Kind::Convert { from, to, order } => {
            value["convert"] = json!({
                "from_chain_id": from.0,
                "from_element": from.1,
                "to_chain_id": to.0,
                "to_element": to.1,
                "output_order": order_word(*order),
            });
        }
        Kind::Reidentify { chain, elements } => {
            value["reidentify"] = json!({ "chain_id": chain, "elements": elements });
        }
    }
    value
}

fn approval(approval: &Approval) -> Value {
    json!({
        "steward": approval.steward.to_string(),
        "approved_at": approval.at.to_string(),
        "registry_version": approval.registry_version,
    })
}

#[cfg(test)]
mod tests {
    use sluis_domain::Timestamp;
    use sluis_ledger::grant::{Grant, Record};

    use super::*;

    fn grant_with(change: impl FnOnce(&mut Terms)) -> GrantView {
        let at = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
        let mut terms = Terms {
            kind: Kind::Reidentify {
                chain: "study".parse().expect("an id"),
                elements: vec!["bsn".parse().expect("an id")],
            },
            purpose: "why".to_owned(),
            legal_basis: "law".to_owned(),
            max_values: 3,
            max_values_per_day: None,
            not_before: Some(at),
            not_after: at.plus_millis(1_000),
        };
        change(&mut terms);
        let owner = "uni".parse().expect("an id");
        let grant = Grant {
            id: "g-1".parse().expect("an id"),
            terms,
            namespaces: vec![None],
            grantee: "north".parse().expect("an id"),
            requester: "north/etl".parse().expect("an identity"),
            requested_at: at,
            registry_version: 1,
            required: vec![owner; 2],
        };
        GrantView::new(&Record::new(grant), State::Requested, 0, 0, "example.org/1")
    }

    fn grant() -> GrantView {
        grant_with(|_| ())
    }

    fn shown(grant: &GrantView) -> String {
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
            &HEXLOWER.encode(grant().grant.digest()),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_limit_of_a_day_is_shown_where_there_is_one() {
        let grant = grant_with(|terms| terms.max_values_per_day = Some(2));
        assert!(shown(&grant).contains("at most 3, 2 a day, used 0"));
        assert_eq!(json(&grant)["terms"]["max_values_per_day"], 2);
    }

    #[test]
    fn a_purpose_cannot_fake_another_line() {
        let fake = "x\nvalues       at most 1\r\u{1b}[2K";
        let grant = grant_with(|terms| terms.purpose = fake.to_owned());
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
        let digest = HEXLOWER.encode(grant().grant.digest());
        assert_eq!(value["digest"], digest);
    }
}
