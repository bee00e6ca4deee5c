//! The report as tables, for text and HTML alike.

use super::model::{Amount, NOT_VERIFIED, Report, Standing};

/// A table with its heading.
pub struct Section {
    /// What it is about.
    pub title: &'static str,
    /// One for each column.
    pub headings: &'static [&'static str],
    /// With as many cells as there are headings.
    pub rows: Vec<Vec<String>>,
}

impl Section {
    /// The title, marked if what stands below was not verified.
    pub fn heading(&self, report: &Report) -> String {
        mark(self.title.to_owned(), report)
    }
}

fn mark(text: String, report: &Report) -> String {
    match report.standing {
        Standing::Verified(_) => text,
        Standing::NotVerified(_) => format!("{text} ({NOT_VERIFIED})"),
    }
}

/// Against what the report was checked, or why it was not.
pub fn standing(report: &Report) -> String {
    match &report.standing {
        Standing::NotVerified(why) => format!("{NOT_VERIFIED}: {why}"),
        Standing::Verified(log) => format!(
            "Verified: log {}, {} entries, root {}, with the key {}",
            log.origin, log.entries, log.root, log.verifier_key
        ),
    }
}

/// The report's own title.
pub fn title(report: &Report) -> String {
    let about = report
        .organisation
        .as_ref()
        .map_or_else(String::new, |organisation| format!(" about {organisation}"));
    let title = format!(
        "Audit report{about}, {} to {} (UTC), {} entries",
        report.from, report.to, report.entries
    );
    mark(title, report)
}

/// All sections in their order.
pub fn all(report: &Report) -> Vec<Section> {
    vec![
        work(report),
        chains(report),
        months(report),
        grants(report),
        open(report),
        refusals(report),
        quotas(report),
        keys(report),
        proposals(report),
        custody(report),
    ]
}

fn amount(amount: &Amount) -> [String; 4] {
    [amount.batches, amount.rows, amount.values, amount.rejected].map(|number| number.to_string())
}

fn section(
    title: &'static str,
    headings: &'static [&'static str],
    rows: Vec<Vec<String>>,
) -> Section {
    Section {
        title,
        headings,
        rows,
    }
}

fn work(report: &Report) -> Section {
    let rows = report.work.iter().map(|w| {
        let texts = [&w.who, &w.act, &w.chain, &w.grant, &w.purpose].map(Clone::clone);
        texts.into_iter().chain(amount(&w.amount)).collect()
    });
    let headings = &[
        "who", "act", "chain", "grant", "purpose", "batches", "rows", "values", "rejected",
    ];
    section("Who did what, for which purpose", headings, rows.collect())
}

fn chains(report: &Report) -> Section {
    let rows = report.chains.iter().map(|c| {
        [c.chain.clone(), c.act.clone()]
            .into_iter()
            .chain(amount(&c.amount))
            .collect()
    });
    section(
        "Per chain",
        &["chain", "act", "batches", "rows", "values", "rejected"],
        rows.collect(),
    )
}

fn months(report: &Report) -> Section {
    let rows = report.months.iter().map(|m| {
        [m.month.clone(), m.act.clone()]
            .into_iter()
            .chain(amount(&m.amount))
            .collect()
    });
    section(
        "Per month",
        &["month", "act", "batches", "rows", "values", "rejected"],
        rows.collect(),
    )
}

fn grants(report: &Report) -> Section {
    let rows = report.grants.iter().map(|g| {
        vec![
            g.grant.clone(),
            g.kind.clone(),
            g.grantee.clone(),
            g.requester.clone(),
            g.purpose.clone(),
            g.legal_basis.clone(),
            g.approved_by.join(", "),
            g.state.clone(),
            g.ended_by.clone(),
            g.in_period.batches.to_string(),
            g.in_period.values.to_string(),
        ]
    });
    let headings = &[
        "grant",
        "what",
        "grantee",
        "requested by",
        "purpose",
        "legal basis",
        "approved by",
        "state",
        "ended by",
        "batches",
        "values",
    ];
    section(
        "Grants and their use in the period",
        headings,
        rows.collect(),
    )
}

fn open(report: &Report) -> Section {
    let open = report.grants.iter().filter(|grant| grant.open);
    let rows = open.map(|g| {
        vec![
            g.grant.clone(),
            g.grantee.clone(),
            g.state.clone(),
            g.used.to_string(),
            g.remaining.to_string(),
            g.not_after.clone(),
        ]
    });
    section(
        "Open grants",
        &["grant", "grantee", "state", "used", "remaining", "until"],
        rows.collect(),
    )
}

fn refusals(report: &Report) -> Section {
    let rows = report.refusals.iter().map(|r| {
        vec![
            r.reason.clone(),
            r.who.clone(),
            r.act.clone(),
            r.times.to_string(),
            r.last.clone(),
        ]
    });
    section(
        "Refused attempts",
        &["reason", "who", "act", "times", "last"],
        rows.collect(),
    )
}

fn quotas(report: &Report) -> Section {
    let rows = report.quota_alarms.iter().map(|q| {
        vec![
            q.reason.clone(),
            q.who.clone(),
            q.place.clone(),
            q.times.to_string(),
            q.first.clone(),
            q.last.clone(),
        ]
    });
    section(
        "Quota alarms",
        &["limit", "who", "chain or grant", "times", "first", "last"],
        rows.collect(),
    )
}

fn keys(report: &Report) -> Section {
    let rows = report.keys.iter().map(|k| {
        vec![
            k.kid.clone(),
            k.chain.clone(),
            k.namespace.clone(),
            k.first_seen.clone(),
            k.age_days.to_string(),
            k.last_used.clone(),
            k.ended.clone(),
        ]
    });
    let headings = &[
        "key version",
        "chain",
        "line",
        "first seen",
        "age in days",
        "last used",
        "ended",
    ];
    section("Key versions", headings, rows.collect())
}

fn proposals(report: &Report) -> Section {
    let rows = report.proposals.iter().map(|p| {
        vec![
            p.proposal.clone(),
            p.matter.clone(),
            p.proposer.clone(),
            p.proposed_at.clone(),
            p.signed_by.join(", "),
            p.outcome.clone(),
        ]
    });
    let headings = &[
        "proposal",
        "about",
        "proposed by",
        "at",
        "signed by",
        "outcome",
    ];
    section("Proposals and who signed them", headings, rows.collect())
}

fn custody(report: &Report) -> Section {
    let rows = report.custody.iter().map(|c| {
        vec![
            c.at.clone(),
            c.who.clone(),
            c.act.clone(),
            c.about.clone(),
            c.signed_by.join(", "),
            c.outcome.clone(),
        ]
    });
    section(
        "Acts of custody",
        &["at", "who", "act", "about", "signed by", "outcome"],
        rows.collect(),
    )
}
