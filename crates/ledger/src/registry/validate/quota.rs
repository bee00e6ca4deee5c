//! The rules of a chain's quotas.

use std::collections::BTreeSet;

use super::super::problem::{Problems, quoted};
use super::super::quota::{Quota, Quotas};
use super::super::raw::{RawChain, RawQuota};
use super::{Register, number};
use sluis_domain::id::OrganisationId;

/// The quotas of a chain; `None` if one is broken and reported. `sources` are the chain's, where they are sound.
pub(super) fn quotas(
    raw: &RawChain,
    sources: Option<&BTreeSet<OrganisationId>>,
    problems: &mut Problems<'_>,
) -> Option<Quotas> {
    let mut own = Register::new("the quota of");
    let mut others: Option<(&RawQuota, Option<Quota>)> = None;
    for line in &raw.quotas {
        let named = line.source.is_some();
        if !named && let Some((first, _)) = others {
            let message = format!(
                "a quota for every source is there already, on line {}; name a `source` or remove one",
                problems.line(first.entry.at)
            );
            problems.report(line.entry.at, line.entry.path.clone(), message);
        } else if named {
            let id = line.source.as_ref();
            own.add(&line.entry, "source", id, problems, |id, problems| {
                source(id, line, sources, problems);
                limits(line, problems)
            });
        } else {
            others = Some((line, limits(line, problems)));
        }
    }
    let others = match others {
        Some((_, quota)) => quota?,
        None => Quota::default(),
    };
    Some(Quotas {
        by_source: super::all_sound(own.known)?,
        others,
    })
}

/// Reports a source that is none of the chain.
fn source(
    id: &OrganisationId,
    raw: &RawQuota,
    sources: Option<&BTreeSet<OrganisationId>>,
    problems: &mut Problems<'_>,
) {
    let Some(text) = raw.source.as_ref().filter(|text| text.value == id.as_str()) else {
        return;
    };
    if sources.is_some_and(|sources| !sources.contains(id)) {
        let message = format!(
            "{} is not one of the chain's `sources`; correct the name, add it there, or remove this quota",
            quoted(id.as_str())
        );
        problems.report(text.at, raw.entry.key("source"), message);
    }
}

fn limits(raw: &RawQuota, problems: &mut Problems<'_>) -> Option<Quota> {
    if !raw.entry.sound {
        return None;
    }
    let before = problems.count();
    let quota = Quota {
        subjects_per_day: number(
            &raw.entry,
            "subjects_per_day",
            raw.subjects_per_day.as_ref(),
            u64::MAX,
            problems,
        ),
        rejected_percent: number(
            &raw.entry,
            "rejected_percent",
            raw.rejected_percent.as_ref(),
            100u8,
            problems,
        ),
        requests_per_minute: number(
            &raw.entry,
            "requests_per_minute",
            raw.requests_per_minute.as_ref(),
            u32::MAX,
            problems,
        ),
    };
    if problems.count() > before {
        return None;
    }
    if quota.is_unlimited() {
        let message = "limits nothing; add `subjects_per_day`, `rejected_percent` or `requests_per_minute`, or remove it";
        problems.report(raw.entry.at, raw.entry.path.clone(), message);
        return None;
    }
    Some(quota)
}
