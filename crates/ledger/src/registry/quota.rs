//! How much a source may ask of a chain: the defence against trying out identifiers.

use std::collections::BTreeMap;
use std::fmt;

use sluis_domain::id::OrganisationId;

/// The limits of one source in one chain. `None` is no limit; [`Quota::default`] has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quota {
    /// Most distinct subjects per UTC day; at least 1.
    pub subjects_per_day: Option<u64>,
    /// Most rejected identifiers of a UTC day's rows, in percent, 1 to 100; looked at from
    /// [`super::MIN_ROWS_FOR_REJECTED_PERCENT`] rows on.
    pub rejected_percent: Option<u8>,
    /// Most batches per minute; at least 1.
    pub requests_per_minute: Option<u32>,
}

/// The quotas of one chain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Quotas {
    pub(super) by_source: BTreeMap<OrganisationId, Quota>,
    /// Of every source that is not in `by_source`.
    pub(super) others: Quota,
}

impl Quota {
    /// Whether it limits nothing.
    pub fn is_unlimited(self) -> bool {
        self == Self::default()
    }
}

/// `subjects_per_day=100000 rejected_percent=20`; nothing where nothing is limited.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = [
            ("subjects_per_day", self.subjects_per_day),
            ("rejected_percent", self.rejected_percent.map(u64::from)),
            (
                "requests_per_minute",
                self.requests_per_minute.map(u64::from),
            ),
        ];
        let mut space = "";
        for (key, limit) in limits {
            if let Some(limit) = limit {
                write!(f, "{space}{key}={limit}")?;
                space = " ";
            }
        }
        Ok(())
    }
}

impl Quotas {
    pub(super) fn of(&self, source: &OrganisationId) -> Quota {
        self.by_source.get(source).copied().unwrap_or(self.others)
    }
}
