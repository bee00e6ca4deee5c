//! What the operator decides.

use std::fmt;
use std::sync::Arc;

use sluis_domain::time::DAY_MILLIS;
use sluis_ledger::Custodian;

use super::journal::Journal;

/// In how many rounds of housekeeping on end something must be overdue before it ends for good: with a round a minute, an hour.
pub const OVERDUE_ROUNDS: u32 = 60;

/// What the operator decides.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The custodians, with their keys. None of them may be a steward.
    pub custodians: Vec<Custodian>,
    /// Trust domain of the members' SPIFFE ids; the first part of the log's origin.
    pub trust_domain: String,
    /// The life of chains and subjects.
    pub life: LifeSettings,
}

/// What the operator decides about the life of chains and subjects.
#[derive(Clone)]
pub struct LifeSettings {
    /// How long a chain past its retention is still there after the warning, in milliseconds.
    pub warning_millis: u64,
    /// Within how many milliseconds of its approval an erasure reaches every chain, each at its own random moment.
    pub erasure_window_millis: u64,
    /// In how many rounds on end something must be overdue before it ends for good.
    pub overdue_rounds: u32,
    /// Where opt-outs are kept apart from the store; without one, those after a backup are lost with the store.
    pub journal: Option<Arc<dyn Journal>>,
}

impl Default for LifeSettings {
    /// 30 days, 24 hours, [`OVERDUE_ROUNDS`], no journal.
    fn default() -> Self {
        Self {
            warning_millis: 30 * DAY_MILLIS,
            erasure_window_millis: DAY_MILLIS,
            overdue_rounds: OVERDUE_ROUNDS,
            journal: None,
        }
    }
}

impl fmt::Debug for LifeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            warning_millis,
            erasure_window_millis,
            overdue_rounds,
            journal,
        } = self;
        write!(
            f,
            "LifeSettings({warning_millis}, {erasure_window_millis}, {overdue_rounds}, journal: {})",
            journal.is_some()
        )
    }
}
