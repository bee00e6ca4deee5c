use bytes::Bytes;
use sluis_domain::{BatchOutcome, Reason};

use super::*;

fn of(element: &str, form: Form) -> v1::Column {
    v1::Column {
        element: element.to_owned(),
        form: Some(form),
    }
}

fn values(all: &[&'static str]) -> Form {
    let values = all.iter().map(|v| Bytes::from_static(v.as_bytes()));
    Form::Values(v1::Values {
        values: values.collect(),
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
fn an_answer_has_the_form_of_the_request_and_reads_back() {
    let columns = vec![
        of("a", values(&["x", "", "yz"])),
        of("b", packed("pqr", &[1, 2, 0])),
    ];
    let (shape, parsed) = parse(batch(3, columns.clone())).expect("valid");
    assert_eq!(shape.values(), 4);
    let echo = BatchOutcome {
        columns: parsed.columns().to_vec(),
        rejections: Vec::new(),
    };
    let answer = answer(&shape, echo, 2);
    assert_eq!(answer.sequence, 7);
    let Some(v1::batch_result::Output::Plain(plain)) = &answer.output else {
        panic!("plain")
    };
    assert_eq!(plain.columns, columns);
    let read = BatchResult::parse(answer, 3, 2).expect("ours");
    assert_eq!((read.sequence, read.counted), (7, 2));
    let sent = parsed.columns().iter();
    assert!(
        read.columns
            .iter()
            .zip(sent)
            .all(|(read, sent)| { (read.0.as_str(), &read.1) == (sent.0.as_str(), &sent.1) })
    );
}

#[test]
fn packed_bytes_are_not_copied() {
    let data = Bytes::from(vec![b'x'; 100]);
    let column = Column::from_packed(data.clone(), &[60, 40]).expect("adds up");
    let sent = [("a".parse().expect("an id"), column)];
    let message = request(0, Bytes::new(), 2, &sent);
    let (shape, parsed) = parse(message).expect("valid");
    let column = &parsed.columns()[0].1;
    assert_eq!(column.data().as_ptr(), data.as_ptr());
    let outcome = BatchOutcome {
        columns: parsed.columns().to_vec(),
        rejections: Vec::new(),
    };
    let read = BatchResult::parse(answer(&shape, outcome, 0), 2, 1).expect("ours");
    assert_eq!(read.columns[0].1.data().as_ptr(), data.as_ptr());
}

#[test]
fn shapes_that_do_not_fit_are_refused_with_their_field() {
    let nameless = v1::Column {
        element: "a".to_owned(),
        form: None,
    };
    let named = v1::RecordBatch {
        batch_id: Bytes::from(vec![1; 65]),
        ..batch(0, Vec::new())
    };
    let twice = vec![of("a", values(&[])), of("a", values(&[]))];
    let cases = [
        (
            batch(2, vec![of("a", values(&["x"]))]),
            Reason::InvalidBatch,
            "batch.columns[0]",
        ),
        (
            batch(1, vec![of("a", packed("xy", &[1]))]),
            Reason::InvalidBatch,
            "batch.columns[0].packed",
        ),
        (
            batch(1, vec![of("A", values(&["x"]))]),
            Reason::InvalidRequest,
            "batch.columns[0].element",
        ),
        (
            batch(1, vec![nameless]),
            Reason::InvalidRequest,
            "batch.columns[0].form",
        ),
        (batch(0, twice), Reason::InvalidBatch, "batch.columns"),
        (named, Reason::InvalidRequest, "batch.batch_id"),
    ];
    for (request, reason, field) in cases {
        let invalid = parse(request).expect_err("does not fit");
        assert_eq!((invalid.reason, invalid.field.as_str()), (reason, field));
    }
}

fn result(lengths: &[u32], rejected: &[u32]) -> v1::BatchResult {
    let rejections = rejected.iter().map(|row| v1::Rejection {
        row: *row,
        element: "bsn".into(),
        reason: "TOO_LONG".into(),
    });
    v1::BatchResult {
        sequence: 0,
        output: Some(v1::batch_result::Output::Plain(v1::PlainOutput {
            columns: vec![of("bsn", packed("abc", lengths))],
        })),
        rejections: rejections.collect(),
        counted_values: 0,
    }
}

#[test]
fn a_result_must_have_the_shape_of_its_batch() {
    assert!(BatchResult::parse(result(&[1, 0, 2], &[1]), 3, 1).is_ok());
    for (lengths, rejected, rows, columns, field) in [
        (&[1, 2][..], &[][..], 3, 1, "output.plain.columns[0].form"),
        (&[1, 0, 1], &[], 3, 1, "output.plain.columns[0].packed"),
        (&[1, 0, 2], &[], 3, 2, "output"),
        (&[1, 0, 2], &[3], 3, 1, "rejections"),
        (&[1, 0, 2], &[1, 1], 3, 1, "rejections"),
        (&[1, 0, 2], &[2, 1], 3, 1, "rejections"),
    ] {
        let invalid = BatchResult::parse(result(lengths, rejected), rows, columns);
        assert_eq!(invalid.map_err(|it| it.field), Err(field.to_owned()));
    }
}

#[test]
fn a_rejection_names_an_element_and_a_code_and_carries_no_text() {
    for (element, reason, field) in [
        ("bsn", "it was 950000012", "rejections[0].reason"),
        ("bsn", "\u{1b}[2K", "rejections[0].reason"),
        ("bsn", "", "rejections[0].reason"),
        ("950000012 or\n", "TOO_LONG", "rejections[0].element"),
    ] {
        let mut hostile = result(&[1, 0, 2], &[1]);
        hostile.rejections[0].element = element.into();
        hostile.rejections[0].reason = reason.into();
        let invalid = BatchResult::parse(hostile, 3, 1).expect_err("hostile");
        assert_eq!(invalid.field, field);
        assert!(!invalid.to_string().contains("950000012"));
    }
}
