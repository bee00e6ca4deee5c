//! What is sent, what stays, and what is refused here.

use sluis_client::local::{Context, SendStep, SourceKeys};
use sluis_client::{DateFormat, v1};

use super::*;
use crate::data::columns;
use crate::data::input::Input;
use crate::expect::Expectation;

/// A chain with one element per treatment that needs no key.
pub(crate) fn chain() -> v1::Chain {
    let element = |name: &str, treatment: &str| v1::Element {
        name: name.into(),
        treatment: treatment.into(),
        ..Default::default()
    };
    let namespace = v1::ChainNamespace {
        namespace_id: "nl.bsn".into(),
        identifier: "nl-bsn".into(),
        input: "plain".into(),
        checksum: "strict".into(),
        ..Default::default()
    };
    let prefix = v1::Generalisation {
        to: "prefix".into(),
        length: 3,
        ..Default::default()
    };
    v1::Chain {
        chain_id: "c".into(),
        namespaces: vec![namespace],
        elements: vec![
            v1::Element {
                namespace_id: "nl.bsn".into(),
                ..element("bsn", "pseudonym")
            },
            element("note", "encrypt"),
            element("visit", "date-shift"),
            element("sex", "keep"),
            element("city", "keep"),
            element("name", "drop"),
            v1::Element {
                generalise: Some(prefix),
                ..element("postcode", "generalise")
            },
            v1::Element {
                generalise: Some(v1::Generalisation {
                    to: "year".into(),
                    ..Default::default()
                }),
                ..element("born", "generalise")
            },
        ],
        ..Default::default()
    }
}

pub(crate) fn limits() -> v1::StreamLimits {
    v1::StreamLimits {
        max_batch_rows: 1 << 16,
        max_message_bytes: 4 << 20,
        max_batches_in_flight: 4,
    }
}

/// A parser of a file for [`chain`], and the layout of its output.
pub(crate) fn parser(
    input: Input,
    rows: u32,
    limits: &v1::StreamLimits,
) -> (Parser<Box<dyn Read + Send>>, Layout) {
    let elements = columns::elements(&input.headers, &[], |_| true).expect("distinct");
    let (keys, date_format) = (
        SourceKeys::default(),
        "%d-%m-%Y".parse::<DateFormat>().expect("a format"),
    );
    let context = Context {
        source_keys: &keys,
        date_format: &date_format,
        decimal_mark: Default::default(),
    };
    let agreed = Expectation::default().agree(chain()).expect("no pin");
    let plans = columns::plan(&input.headers, elements, &agreed, context).expect("listed");
    let layout = Layout {
        delimiter: input.delimiter,
        terminator: input.terminator,
        encoding: input.encoding,
        columns: plans.iter().filter(|plan| plan.step.is_written()).count(),
        refuses_blank_lines: false,
    };
    (
        Parser::new(
            input.reader,
            plans,
            layout.clone(),
            BatchLimits::new(rows, limits),
        ),
        layout,
    )
}

fn parse_with(
    text: &[u8],
    encoding: Encoding,
    rows: u32,
    limits: &v1::StreamLimits,
) -> Vec<(Batch, Block)> {
    let input = Input::from_bytes(text, encoding).expect("readable");
    let (mut parser, _) = parser(input, rows, limits);
    std::iter::from_fn(|| parser.next().expect("well-formed")).collect()
}

fn parse(text: &str) -> (Batch, Block) {
    let mut batches = parse_with(text.as_bytes(), Encoding::Utf8, 100, &limits());
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

fn sent(batch: &Batch, element: &str) -> Vec<String> {
    let column = batch.column(element).expect("sent");
    column
        .iter()
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

fn pieces(block: &Block, row: usize) -> Vec<String> {
    block
        .pieces(row)
        .map(|piece| String::from_utf8_lossy(piece).into_owned())
        .collect()
}

#[test]
fn only_what_the_custodian_must_see_is_sent_and_the_rest_stays() {
    let (batch, block) = parse(
        "sex,bsn,name,postcode,visit,city\nf,950000012,Jansen,1234AB,07-03-2020,\"Den Haag, NL\"\nm,,Bakker,\"1,2\",,Ede\n",
    );
    assert_eq!(batch.columns(), 2);
    assert_eq!(sent(&batch, "bsn"), ["950000012", ""]);
    assert_eq!(sent(&batch, "visit"), ["2020-03-07", ""]);
    assert_eq!(pieces(&block, 0), ["f,", ",123,", ",\"Den Haag, NL\"\n"]);
    assert_eq!(pieces(&block, 1), ["m,", ",\"1,2\",", ",Ede\n"]);
}

#[test]
fn a_column_that_is_only_sent_leaves_no_gap() {
    for (header, rows, expected) in [
        ("study-no,sex,bsn", "P-1,f,950000012\n", vec!["f,", "\n"]),
        ("sex,study-no,bsn", "f,P-1,950000012\n", vec!["f,", "\n"]),
        ("bsn,sex,study-no", "950000012,f,P-1\n", vec!["", ",f\n"]),
    ] {
        let input = Input::from_bytes(format!("{header}\n{rows}").as_bytes(), Encoding::Utf8)
            .expect("readable");
        let plan = |header: &String| match header.as_str() {
            "sex" => ColumnPlan::keep(),
            name => {
                let step = if name == "bsn" {
                    Step::Send(SendStep::Opaque)
                } else {
                    Step::SendOnly(SendStep::Opaque)
                };
                ColumnPlan {
                    element: name.parse().ok(),
                    step,
                }
            }
        };
        let plans = input.headers.iter().map(plan).collect();
        let layout = Layout {
            delimiter: b',',
            terminator: b"\n",
            encoding: Encoding::Utf8,
            columns: 2,
            refuses_blank_lines: false,
        };
        let mut parser = Parser::new(input.reader, plans, layout, BatchLimits::new(10, &limits()));
        let (batch, block) = parser.next().expect("well-formed").expect("a row");
        assert_eq!((batch.columns(), block.gaps), (2, 1), "{header}");
        assert_eq!(
            (sent(&batch, "bsn"), sent(&batch, "study-no")),
            (vec!["950000012".into()], vec!["P-1".into()])
        );
        assert_eq!(pieces(&block, 0), expected, "{header}");
    }
}

#[test]
fn an_empty_line_that_would_be_a_row_of_the_output_is_refused_with_its_line() {
    let after = |refuses_blank_lines: bool| {
        let input = Input::from_bytes(b"bsn,sex\n1,f\n\n2,m\n", Encoding::Utf8).expect("readable");
        let layout = Layout {
            delimiter: b',',
            terminator: b"\n",
            encoding: Encoding::Utf8,
            columns: 1,
            refuses_blank_lines,
        };
        let plans = vec![
            ColumnPlan::send("bsn".parse().expect("an id")),
            ColumnPlan::drop(),
        ];
        let limits = BatchLimits::new(10, &limits());
        Parser::new(input.reader, plans, layout, limits).next()
    };
    let error = after(true).map(|_| ()).expect_err("a row would appear");
    assert!(error.to_string().starts_with("line 3 is empty"), "{error}");
    // Shuffled output has no lines to keep.
    assert!(after(false).is_ok());
}

#[test]
fn a_row_that_is_refused_here_leaves_no_trace_in_the_batch() {
    let (batch, block) = parse("bsn,born,note\n1,07-03-1984,a\n2,1984,b\n3,x,c\n4,,d\n");
    assert_eq!(sent(&batch, "bsn"), ["1", "4"]);
    assert_eq!(sent(&batch, "note"), ["a", "d"]);
    assert_eq!(pieces(&block, 0), ["", ",1984,", "\n"]);
    assert_eq!(
        block.positions,
        [Position { row: 1, line: 2 }, Position { row: 4, line: 5 }]
    );
    let reject = |row, line| Reject {
        at: Position { row, line },
        element: "born".into(),
        reason: "INVALID_DATE".into(),
    };
    assert_eq!(block.rejects, [reject(2, 3), reject(3, 4)]);
}

#[test]
fn invalid_utf8_is_a_matter_of_the_row_only_where_the_value_is_needed() {
    let batches = parse_with(
        b"bsn,city\n\xff,x\n1,\xfe\xff\n",
        Encoding::Utf8,
        100,
        &limits(),
    );
    let (batch, block) = &batches[0];
    assert_eq!(sent(batch, "bsn"), ["1"]);
    assert_eq!(block.rejects[0].reason, "INVALID_UTF8");
    assert_eq!(block.pieces(0).last(), Some(&b",\xfe\xff\n"[..]));
}

#[test]
fn a_mark_at_the_start_of_a_line_is_no_part_of_a_value() {
    let (batch, block) = parse("postcode,bsn\n\u{feff}1234,1\n5678,2\n");
    assert_eq!(sent(&batch, "bsn"), ["2"]);
    assert_eq!(block.rejects[0].reason, "INVISIBLE_CHARACTER");
}

#[test]
fn windows_1252_is_sent_as_utf8_and_stays_windows_1252() {
    let batches = parse_with(
        b"note,city,postcode\nAndr\xe9,\xe9\xe9n,\xe9\xe8\xe7\xe6\n",
        Encoding::Windows1252,
        9,
        &limits(),
    );
    let (batch, block) = &batches[0];
    assert_eq!(sent(batch, "note"), ["André"]);
    assert_eq!(
        block.pieces(0).last(),
        Some(&b",\xe9\xe9n,\xe9\xe8\xe7\n"[..])
    );
}

#[test]
fn batches_end_at_their_rows_and_bytes() {
    let text = format!("bsn\n{}", "950000012\n".repeat(25));
    let shape = |batches: Vec<(Batch, Block)>| {
        batches
            .iter()
            .map(|(batch, _)| batch.rows())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shape(parse_with(text.as_bytes(), Encoding::Utf8, 10, &limits())),
        [10, 10, 5]
    );
    let few = v1::StreamLimits {
        max_batch_rows: 7,
        ..limits()
    };
    assert_eq!(
        shape(parse_with(text.as_bytes(), Encoding::Utf8, 10, &few)),
        [7, 7, 7, 4]
    );
    let small = v1::StreamLimits {
        max_message_bytes: 1000,
        ..limits()
    };
    assert!(
        shape(parse_with(text.as_bytes(), Encoding::Utf8, 10, &small))
            .iter()
            .all(|rows| *rows <= 7)
    );
}

#[test]
fn a_value_that_fits_no_message_is_refused_by_row() {
    let small = v1::StreamLimits {
        max_message_bytes: 1000,
        ..limits()
    };
    let text = format!("note\n{}\nshort\n", "x".repeat(300));
    let batches = parse_with(text.as_bytes(), Encoding::Utf8, 10, &small);
    assert_eq!(sent(&batches[0].0, "note"), ["short"]);
    assert_eq!(batches[0].1.rejects[0].reason, "ROW_TOO_LONG");
}

#[test]
fn a_batch_of_refused_rows_is_not_sent() {
    let (batch, block) = parse("bsn,born\n1,x\n");
    assert_eq!(
        (batch.rows(), block.is_sent(), block.rejects.len()),
        (0, false, 1)
    );
}

#[test]
fn a_ragged_line_stops_the_file() {
    let input = Input::from_bytes(b"bsn,sex\n1,m\n2\n", Encoding::Utf8).expect("readable");
    let (mut parser, _) = parser(input, 1, &limits());
    assert!(parser.next().expect("well-formed").is_some());
    assert!(matches!(
        parser.next(),
        Err(CsvError::Ragged {
            line: 3,
            found: 1,
            expected: 2
        })
    ));
}
