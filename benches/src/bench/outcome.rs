//! What a case gives: a row of the table and an object of the summary.

use serde::Serialize;

use crate::usage::Cores;

/// The numbers of one case. What a case does not measure is absent.
#[derive(Serialize, Debug, Default)]
pub(crate) struct Outcome {
    /// Name of the case.
    pub(crate) case: &'static str,
    /// Values (calls, rows) per second end to end.
    pub(crate) values_per_second: Option<f64>,
    /// Values per second of the same cipher work in a bare loop on all cores.
    pub(crate) floor_per_second: Option<f64>,
    /// The first by the second.
    pub(crate) ratio: Option<f64>,
    /// What is measured, and how.
    pub(crate) includes: String,
    /// Median time of a call in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ms: Option<f64>,
    /// 99th percentile of the time of a call in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ms: Option<f64>,
    /// Calls that were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<u64>,
    /// Wall time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// Memory in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mib: Option<f64>,
    /// How many cores the daemon used on average while the case ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) daemon_cores: Option<f64>,
    /// How many cores this program used; of the command line once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_cores: Option<f64>,
    /// How many cores everything else on the machine used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other_cores: Option<f64>,
}

impl Outcome {
    /// So many values per second, beside a floor.
    pub(crate) fn rate(values_per_second: f64, floor_per_second: f64, includes: String) -> Self {
        Self {
            values_per_second: Some(values_per_second),
            floor_per_second: Some(floor_per_second),
            ratio: Some(values_per_second / floor_per_second),
            includes,
            ..Self::default()
        }
    }

    /// With what was busy meanwhile.
    #[must_use]
    pub(crate) fn with_cores(self, cores: Cores) -> Self {
        Self {
            daemon_cores: Some(cores.daemon),
            client_cores: Some(cores.client),
            other_cores: Some(cores.others),
            ..self
        }
    }

    /// One line of progress.
    pub(crate) fn line(&self) -> String {
        let mut parts = Vec::new();
        let mut say = |number: Option<f64>, digits: usize, unit: &str| {
            parts.extend(number.map(|it| format!("{it:.digits$} {unit}")));
        };
        say(self.values_per_second, 0, "/s");
        say(self.ratio, 2, "of the floor");
        say(self.p50_ms, 2, "ms p50");
        say(self.p99_ms, 2, "ms p99");
        say(self.seconds, 2, "s");
        say(self.mib, 0, "MiB");
        format!("{}: {}", self.case, parts.join(", "))
    }
}

/// So many cores may others use before the table says that the machine was busy.
const QUIET: f64 = 0.2;

/// The table, without `includes`.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut table = format!(
        "{:<24} {:>12} {:>12} {:>6} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7} {:>7}\n",
        "case",
        "values/s",
        "floor/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "refused",
        "seconds",
        "MiB",
        "daemon",
        "client",
        "others"
    );
    for outcome in outcomes {
        let cells = [
            (outcome.values_per_second.map(thousands), 12),
            (outcome.floor_per_second.map(thousands), 12),
            (outcome.ratio.map(|it| format!("{it:.2}")), 6),
            (outcome.p50_ms.map(|it| format!("{it:.2}")), 8),
            (outcome.p99_ms.map(|it| format!("{it:.2}")), 8),
            (outcome.refused.map(|it| it.to_string()), 8),
            (outcome.seconds.map(|it| format!("{it:.2}")), 8),
            (outcome.mib.map(|it| format!("{it:.0}")), 7),
            (outcome.daemon_cores.map(|it| format!("{it:.2}")), 7),
            (outcome.client_cores.map(|it| format!("{it:.2}")), 7),
            (outcome.other_cores.map(|it| format!("{it:.2}")), 7),
        ];
        table += &format!("{:<24}", outcome.case);
        for (cell, width) in cells {
            let text = cell.unwrap_or_else(|| "-".to_owned());
            table += &format!(" {text:>width$}");
        }
        table.push('\n');
    }
    table +=
        "daemon, client, others: cores in use while the case was measured, without its floor\n";
    let others = outcomes.iter().filter_map(|outcome| outcome.other_cores);
    let most = others.fold(0.0, f64::max);
    if most > QUIET {
        table += &format!(
            "THE MACHINE WAS BUSY: other programs used up to {most:.2} cores, so rates are too low and ratios unsure\n"
        );
    }
    table
}

/// A whole number with commas.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
