//! Who gets the answer of a batch: the one place that decides it for batches that give pseudonyms.

use sluis_domain::{BatchOutcome, Column, ElementName, Rejection};
use sluis_ledger::registry::Delivery;

/// The answer to a batch of a chain with this delivery.
pub(crate) fn answer(
    delivery: Delivery,
    columns: Vec<(ElementName, Column)>,
    rejections: Vec<Rejection>,
) -> BatchOutcome {
    match delivery {
        Delivery::Caller => BatchOutcome {
            columns,
            rejections,
        },
    }
}
