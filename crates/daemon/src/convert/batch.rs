//! Record batches.

use bytes::Bytes;
use sluis_domain::{BatchId, BatchOutcome, Column, ElementName, Reason, RecordBatch};
use sluis_ledger::registry::MAX_ELEMENTS_PER_CHAIN;
use sluis_proto::v1;
use v1::column::Form;

use super::missing;
use crate::config::Limits;
use crate::status::Denial;

/// What a value costs at most beside its own bytes while its batch is worked on: subject, token, link row, the copy that
/// sorts it, and the store's write batch.
const BYTES_PER_VALUE: usize = 256;

/// What must be remembered of a batch to answer it in the caller's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    sequence: u64,
    /// Whether each column came packed.
    packed: Vec<bool>,
    /// Values that are not missing.
    pub(crate) values: u64,
}

/// What a column costs beside its name and values.
const BYTES_PER_COLUMN: usize = size_of::<v1::Column>() + 64;

/// Bytes that a batch will hold from reading to answering, about; refuses a batch with nothing in it, or with more columns,
/// values or bytes than `limits` allow. To be asked before anything is done with a batch.
pub(crate) fn cost(batch: &v1::RecordBatch, limits: &Limits) -> Result<usize, Denial> {
    let too_large = |field: &str, most: usize, what: &str| {
        Err(Denial::from(Reason::BatchTooLarge).with(field, format!("at most {most}{what}")))
    };
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

/// Most rows of a batch with `columns` columns, so that every message of the largest size is within its share.
pub(crate) fn most_rows(limits: &Limits, columns: usize) -> usize {
    let columns = columns.clamp(1, MAX_ELEMENTS_PER_CHAIN);
    // A name is at most 64 bytes, and part of the message.
    let room = limits
        .share()
        .saturating_sub(limits.max_message_bytes + columns * BYTES_PER_COLUMN + BYTES_PER_VALUE);
    (room / (columns * BYTES_PER_VALUE)).clamp(1, limits.max_batch_rows)
}

/// Parses a batch of which [`cost`] was asked.
pub(crate) fn parse(batch: v1::RecordBatch) -> Result<(Shape, RecordBatch), Denial> {
    let rows = batch.rows as usize;
    let batch_id = batch_id(&batch.batch_id)?;
    let mut packed = Vec::with_capacity(batch.columns.len());
    let mut columns = Vec::with_capacity(batch.columns.len());
    let mut values = 0;
    for (i, wire) in batch.columns.into_iter().enumerate() {
        packed.push(matches!(wire.form, Some(Form::Packed(_))));
        let (name, column) = parse_column(i, wire)?;
        if column.rows() != rows {
            let field = format!("batch.columns[{i}]");
            return Err(Denial::from(Reason::InvalidBatch)
                .with(field, "does not have as many values as batch.rows"));
        }
        values += column.present() as u64;
        columns.push((name, column));
    }
    let shape = Shape {
        sequence: batch.sequence,
        packed,
        values,
    };
    Ok((shape, RecordBatch::new(batch_id, rows, columns)?))
}

fn batch_id(bytes: &[u8]) -> Result<Option<BatchId>, Denial> {
    if bytes.is_empty() {
        return Ok(None);
    }
    match BatchId::new(bytes) {
        Some(id) => Ok(Some(id)),
        None => Err(Denial::field(
            "batch.batch_id",
            format!("at most {} bytes", BatchId::MAX_LEN),
        )),
    }
}

fn parse_column(i: usize, wire: v1::Column) -> Result<(ElementName, Column), Denial> {
    let name = super::required(&format!("batch.columns[{i}].element"), &wire.element)?;
    let column = match wire.form {
        None => return Err(missing(&format!("batch.columns[{i}].form"))),
        Some(Form::Values(values)) => Column::from_values(&values.values),
        Some(Form::Packed(packed)) => {
            Column::from_packed(packed.data, &packed.lengths).map_err(|e| {
                Denial::from(Reason::InvalidBatch)
                    .with(format!("batch.columns[{i}].packed"), e.to_string())
            })?
        }
    };
    Ok((name, column))
}

/// The answer in the form of the request. `counted`: values that were counted under the grant, if there is one.
pub(crate) fn result(shape: &Shape, outcome: BatchOutcome, counted: u64) -> v1::BatchResult {
    let packed = shape.packed.iter().copied().chain(std::iter::repeat(true));
    let columns = outcome.columns.into_iter().zip(packed);
    let plain = v1::PlainOutput {
        columns: columns
            .map(|((name, column), packed)| wire(&name, &column, packed))
            .collect(),
    };
    let rejections = outcome
        .rejections
        .into_iter()
        .map(|rejection| v1::Rejection {
            row: rejection.row,
            element: rejection.element.as_str().to_owned(),
            reason: rejection.reason.code().to_owned(),
        });
    v1::BatchResult {
        sequence: shape.sequence,
        output: Some(v1::batch_result::Output::Plain(plain)),
        rejections: rejections.collect(),
        counted_values: counted,
    }
}

fn wire(name: &ElementName, column: &Column, packed: bool) -> v1::Column {
    let form = if packed {
        Form::Packed(v1::Packed {
            data: column.data().clone(),
            lengths: column.lengths().collect(),
        })
    } else {
        let values: Vec<Bytes> = (0..column.rows()).map(|row| column.slice(row)).collect();
        Form::Values(v1::Values { values })
    };
    v1::Column {
        element: name.as_str().to_owned(),
        form: Some(form),
    }
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
    fn an_answer_has_the_form_of_the_request() {
        let request = batch(
            3,
            vec![
                column("a", values(&["x", "", "yz"])),
                column("b", packed("pqr", &[1, 2, 0])),
            ],
        );
        let (shape, parsed) = parse(request.clone()).expect("valid");
        assert_eq!(shape.values, 4);
        let echo = BatchOutcome {
            columns: parsed.columns().to_vec(),
            rejections: Vec::new(),
        };
        let answer = result(&shape, echo, 0);
        assert_eq!(answer.sequence, 7);
        let Some(v1::batch_result::Output::Plain(plain)) = answer.output else {
            panic!("plain")
        };
        assert_eq!(plain.columns, request.columns);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused_with_their_field() {
        let limits = Limits {
            max_batch_rows: 10,
            ..Limits::default_for_tests()
        };
        let cases = [
            (
                batch(2, vec![column("a", values(&["x"]))]),
                Reason::InvalidBatch,
                "batch.columns[0]",
            ),
            (
                batch(1, vec![column("a", packed("xy", &[1]))]),
                Reason::InvalidBatch,
                "batch.columns[0].packed",
            ),
            (
                batch(1, vec![column("A", values(&["x"]))]),
                Reason::InvalidRequest,
                "batch.columns[0].element",
            ),
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
            (
                batch(
                    1,
                    vec![v1::Column {
                        element: "a".to_owned(),
                        form: None,
                    }],
                ),
                Reason::InvalidRequest,
                "batch.columns[0].form",
            ),
        ];
        for (request, reason, field) in cases {
            let denial = cost(&request, &limits)
                .and_then(|_| parse(request))
                .expect_err("does not fit");
            assert_eq!(
                (denial.reason, denial.violations[0].0.as_str()),
                (reason, field)
            );
        }
        let twice = batch(0, vec![column("a", values(&[])), column("a", values(&[]))]);
        assert_eq!(
            parse(twice).map_err(|d| d.reason),
            Err(Reason::InvalidBatch)
        );
        let mut named = batch(0, vec![]);
        named.batch_id = Bytes::from(vec![1; 65]);
        assert_eq!(
            parse(named).map_err(|d| d.violations[0].0.clone()),
            Err("batch.batch_id".to_owned())
        );
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
