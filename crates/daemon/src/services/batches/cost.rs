//! What a batch may cost, before anything is done with it.

use bytes::Bytes;
use sluis_domain::Reason;
use sluis_ledger::registry::MAX_ELEMENTS_PER_CHAIN;
use sluis_wire::v1;
use v1::column::Form;

use crate::config::Limits;
use crate::status::Denial;

/// What a value costs at most beside its own bytes while its batch is worked on: subject, token, link row, the copy that
/// sorts it, and the store's write batch.
const BYTES_PER_VALUE: usize = 256;

/// What a column costs beside its name and values.
const BYTES_PER_COLUMN: usize = size_of::<v1::Column>() + 64;

/// Bytes that a batch will hold from reading to answering, about; refuses a batch with nothing in it, or with more columns,
/// values or bytes than `limits` allow. To be asked before anything is done with a batch.
pub(super) fn cost(batch: &v1::RecordBatch, limits: &Limits) -> Result<usize, Denial> {
    let most_rows = limits.max_batch_rows;
    // It would go on record all the same, and count for no quota.
    for (field, none) in [
        ("batch.rows", batch.rows == 0),
        ("batch.columns", batch.columns.is_empty()),
    ] {
        if none {
            let what = "a batch has at least one";
            return Err(Denial::from(Reason::InvalidBatch).with(field, what));
        }
    }
    if batch.rows as usize > most_rows {
        return too_large("batch.rows", most_rows, "");
    }
    // Also bounds the comparison of every name with every other.
    if batch.columns.len() > MAX_ELEMENTS_PER_CHAIN {
        return too_large("batch.columns", MAX_ELEMENTS_PER_CHAIN, "");
    }
    let mut cost = BYTES_PER_VALUE;
    for (i, column) in batch.columns.iter().enumerate() {
        let (values, bytes) = match &column.form {
            Some(Form::Packed(packed)) => (packed.lengths.len(), packed.data.len()),
            Some(Form::Values(values)) => (
                values.values.len(),
                values.values.iter().map(Bytes::len).sum(),
            ),
            None => (0, 0),
        };
        if values > most_rows {
            return too_large(&format!("batch.columns[{i}]"), most_rows, " values");
        }
        // A message is at most 64 MiB, and so is what it holds.
        cost += BYTES_PER_COLUMN + column.element.len() + bytes + values * BYTES_PER_VALUE;
    }
    if cost > limits.share() {
        let what = " bytes of memory for one batch (each value counts 256); send fewer rows";
        return too_large("batch", limits.share(), what);
    }
    Ok(cost)
}

fn too_large(field: &str, most: usize, what: &str) -> Result<usize, Denial> {
    Err(Denial::from(Reason::BatchTooLarge).with(field, format!("at most {most}{what}")))
}

/// Most rows of a batch with `columns` columns, so that every message of the largest size is within its share.
pub(crate) fn most_rows(limits: &Limits, columns: usize) -> usize {
    let columns = columns.clamp(1, MAX_ELEMENTS_PER_CHAIN);
    // A name is at most 64 bytes, and part of the message.
    let room = limits
        .share()
        .saturating_sub(limits.max_message_bytes + columns * BYTES_PER_COLUMN + BYTES_PER_VALUE);
    (room / (columns * BYTES_PER_VALUE)).clamp(1, limits.max_batch_rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(element: &str, form: Form) -> v1::Column {
        v1::Column {
            element: element.to_owned(),
            form: Some(form),
        }
    }
    fn values(all: &[&'static str]) -> Form {
        Form::Values(v1::Values {
            values: all
                .iter()
                .map(|v| Bytes::from_static(v.as_bytes()))
                .collect(),
        })
    }
    fn packed(data: &'static str, lengths: &[u32]) -> Form {
        Form::Packed(v1::Packed {
            data: Bytes::from_static(data.as_bytes()),
            lengths: lengths.to_vec(),
        })
    }
    fn batch(rows: u32, columns: Vec<v1::Column>) -> v1::RecordBatch {
        v1::RecordBatch {
            sequence: 7,
            batch_id: Bytes::new(),
            rows,
            columns,
        }
    }

    #[test]
    fn batches_that_are_too_large_or_empty_are_refused_with_their_field() {
        let limits = Limits {
            max_batch_rows: 10,
            ..Limits::default_for_tests()
        };
        let cases = [
            (
                batch(11, vec![column("a", values(&[]))]),
                Reason::BatchTooLarge,
                "batch.rows",
            ),
            (
                batch(0, vec![column("a", values(&[]))]),
                Reason::InvalidBatch,
                "batch.rows",
            ),
            (batch(1, vec![]), Reason::InvalidBatch, "batch.columns"),
            (
                batch(1, vec![column("a", values(&["x"; 11]))]),
                Reason::BatchTooLarge,
                "batch.columns[0]",
            ),
            (
                batch(1, vec![column("a", packed("", &[0; 11]))]),
                Reason::BatchTooLarge,
                "batch.columns[0]",
            ),
            (
                batch(1, vec![column("a", values(&[""])); 4_097]),
                Reason::BatchTooLarge,
                "batch.columns",
            ),
        ];
        for (request, reason, field) in cases {
            let denial = cost(&request, &limits).expect_err("does not fit");
            assert_eq!(
                (denial.reason, denial.violations[0].0.as_str()),
                (reason, field)
            );
        }
    }

    #[test]
    fn a_batch_as_large_as_a_caller_is_told_is_never_refused_and_a_larger_one_is() {
        let limits = Limits::default_for_tests();
        for columns in [1, 2, 4, 40, 400, MAX_ELEMENTS_PER_CHAIN] {
            let rows = most_rows(&limits, columns);
            let of = |rows: usize, bytes: usize| {
                let form = |i| {
                    let data = Bytes::from(vec![b'x'; if i == 0 { bytes } else { 0 }]);
                    Form::Packed(v1::Packed {
                        data,
                        lengths: vec![0; rows],
                    })
                };
                let columns = (0..columns).map(|i| column("a", form(i))).collect();
                batch(u32::try_from(rows).expect("few"), columns)
            };
            // As many values and as many bytes as there can be.
            assert!(
                cost(&of(rows, limits.max_message_bytes - columns), &limits).is_ok(),
                "{columns}"
            );
            let many = of(rows * 3 / 2 + 1, 0);
            assert_eq!(
                cost(&many, &limits).map_err(|d| d.reason),
                Err(Reason::BatchTooLarge),
                "{columns}"
            );
        }
        assert_eq!(most_rows(&limits, 1), limits.max_batch_rows);
        assert!(most_rows(&limits, 4) >= 8_192);
    }
}
