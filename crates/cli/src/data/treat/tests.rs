//! What is sent, what stays, and what is refused here.

use std::collections::BTreeSet;

use sluis_client::local::{SendStep, SourceKeys};
use sluis_client::{ChainView, NamespaceView, Spelling, StreamLimits};
use sluis_domain::generalise::{Generalisation, Generaliser};
use sluis_domain::identifier::{Checksum, IdentifierKind, InputMode};
use sluis_domain::plausible::{DateShift, Placeholders, Plausible};
use sluis_ledger::registry::{Element, LinkMode, Treatment};

use super::*;
use crate::data::columns;
use crate::data::input::Input;
use crate::expect::Expectation;
use crate::formats::csv::Encoding;
use crate::formats::{Options, RecordSink};

/// A chain with one element per treatment that needs no key.
pub(crate) fn chain() -> ChainView {
    let namespace = NamespaceView {
        id: "nl.bsn".parse().expect("an id"),
        link: LinkMode::Escrow,
        reversible: false,
        identifier: IdentifierKind::NlBsn,
        input: InputMode::Plain,
        checksum: Checksum::Strict,
        missing_words: Vec::new(),
    };
    let pseudonym = Treatment::Pseudonym {
        namespace: namespace.id.clone(),
    };
    let shifted = Treatment::DateShift {
        subject: "bsn".parse().expect("an id"),
        shift: DateShift {
            max_days: 30.try_into().expect("not zero"),
            placeholders: Placeholders::of_date_shift(),
            plausible: Plausible::default(),
        },
    };
    let elements = [
        ("bsn", pseudonym),
        ("note", Treatment::Encrypt),
        ("visit", shifted),
        ("sex", Treatment::Keep),
        ("city", Treatment::Keep),
        ("name", Treatment::Drop),
        (
            "postcode",
            generalised(Generalisation::Prefix { length: 3 }),
        ),
        ("born", generalised(Generalisation::Year)),
    ];
    let elements =
        elements.map(|(name, treatment)| Element::new(name.parse().expect("an id"), treatment));
    ChainView {
        id: "c".parse().expect("an id"),
        owner: "o".parse().expect("an id"),
        sources: BTreeSet::new(),
        recipients: BTreeSet::new(),
        reidentify_to: BTreeSet::new(),
        reidentify_approvals: 2,
        retention: None,
        retained_until: None,
        quota: None,
        namespaces: vec![namespace],
        elements: elements.to_vec(),
    }
}

fn generalised(to: Generalisation) -> Treatment {
    let placeholders = Placeholders::new(Vec::new());
    Treatment::Generalise(Generaliser { to, placeholders })
}

pub(crate) fn limits() -> StreamLimits {
    StreamLimits {
        max_batch_rows: 1 << 16,
        max_message_bytes: 4 << 20,
        max_batches_in_flight: 4,
    }
}

/// A CSV file whose dates have the day first.
pub(crate) fn file(bytes: &[u8], encoding: Encoding) -> Box<dyn RecordSource> {
    let options = Options {
        encoding,
        spelling: Spelling {
            dates: "%d-%m-%Y".parse().expect("a format"),
            ..Spelling::default()
        },
        ..Options::default()
    };
    Input::from_bytes(bytes, &options).expect("readable").source
}

/// Treats a file for [`chain`], and a sink for its output.
pub(crate) fn batcher(
    source: Box<dyn RecordSource>,
    rows: u32,
    limits: &StreamLimits,
) -> (Batcher, Box<dyn RecordSink>) {
    let headers = source.headers();
    let elements = columns::elements(headers, &[], |_| true).expect("distinct");
    let agreed = Expectation::default().agree(chain()).expect("no pin");
    let keys = SourceKeys::default();
    let plans = columns::plan(headers, elements, &agreed, &keys).expect("listed");
    let sink = source.sink(&written(&plans));
    let mut shape = OutputShape::of(&plans, false).expect("a column is left");
    shape.refuses_blank_lines = false;
    let limits = BatchLimits::new(rows, limits);
    (Batcher::new(source, plans, shape, limits), sink)
}

fn parse_with(
    text: &[u8],
    encoding: Encoding,
    rows: u32,
    limits: &StreamLimits,
) -> Vec<(Batch, Block)> {
    let (mut batcher, _) = batcher(file(text, encoding), rows, limits);
    std::iter::from_fn(|| batcher.next().expect("well-formed")).collect()
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

/// What a row of the output consists of; `_` is for what is answered.
fn cells(block: &Block, row: usize) -> Vec<String> {
    block
        .parts()
        .map(|(part, cells)| match part {
            Part::Answered => "_".to_owned(),
            _ => String::from_utf8_lossy(cells.get(row)).into_owned(),
        })
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
    assert_eq!(cells(&block, 0), ["f", "_", "123", "_", "\"Den Haag, NL\""]);
    assert_eq!(cells(&block, 1), ["m", "_", "1,2", "_", "Ede"]);
}

#[test]
fn a_column_that_is_only_sent_leaves_no_gap() {
    for (header, rows, expected) in [
        ("study-no,sex,bsn", "P-1,f,950000012\n", vec!["f", "_"]),
        ("sex,study-no,bsn", "f,P-1,950000012\n", vec!["f", "_"]),
        ("bsn,sex,study-no", "950000012,f,P-1\n", vec!["_", "f"]),
    ] {
        let source = file(format!("{header}\n{rows}").as_bytes(), Encoding::Utf8);
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
        let plans: Vec<_> = source.headers().iter().map(plan).collect();
        let shape = OutputShape::of(&plans, false).expect("a column is left");
        let mut batcher = Batcher::new(source, plans, shape, BatchLimits::new(10, &limits()));
        let (batch, block) = batcher.next().expect("well-formed").expect("a row");
        assert_eq!((batch.columns(), block.answers()), (2, 1), "{header}");
        assert_eq!(
            (sent(&batch, "bsn"), sent(&batch, "study-no")),
            (vec!["950000012".into()], vec!["P-1".into()])
        );
        assert_eq!(cells(&block, 0), expected, "{header}");
    }
}

#[test]
fn an_empty_line_that_would_be_a_row_of_the_output_is_refused_with_its_line() {
    let after = |shuffled: bool| {
        let source = file(b"bsn,sex\n1,f\n\n2,m\n", Encoding::Utf8);
        let plans = vec![
            ColumnPlan::send("bsn".parse().expect("an id")),
            ColumnPlan::drop(),
        ];
        let shape = OutputShape::of(&plans, shuffled).expect("a column is left");
        Batcher::new(source, plans, shape, BatchLimits::new(10, &limits())).next()
    };
    let error = after(false).map(|_| ()).expect_err("a row would appear");
    assert!(error.to_string().starts_with("line 3 is empty"), "{error}");
    // Shuffled output has no lines to keep.
    assert!(after(true).is_ok());
}

#[test]
fn a_row_that_is_refused_here_leaves_no_trace_in_the_batch() {
    let (batch, block) = parse("bsn,born,note\n1,07-03-1984,a\n2,1984,b\n3,x,c\n4,,d\n");
    assert_eq!(sent(&batch, "bsn"), ["1", "4"]);
    assert_eq!(sent(&batch, "note"), ["a", "d"]);
    assert_eq!(cells(&block, 0), ["_", "1984", "_"]);
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
    let (_, kept) = block.parts().last().expect("a column that is kept");
    assert_eq!(kept.get(0), b"\xfe\xff");
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
    let cells: Vec<_> = block.parts().map(|(_, cells)| cells).collect();
    assert_eq!(cells[1].get(0), b"\xe9\xe9n", "as it was");
    assert_eq!(cells[2].get(0), "éèç".as_bytes(), "a value");
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
    let few = StreamLimits {
        max_batch_rows: 7,
        ..limits()
    };
    assert_eq!(
        shape(parse_with(text.as_bytes(), Encoding::Utf8, 10, &few)),
        [7, 7, 7, 4]
    );
    let small = StreamLimits {
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
    let small = StreamLimits {
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
    let input = file(b"bsn,sex\n1,m\n2\n", Encoding::Utf8);
    let (mut batcher, _) = batcher(input, 1, &limits());
    assert!(batcher.next().expect("well-formed").is_some());
    let error = batcher.next().err().expect("ragged").to_string();
    assert!(error.starts_with("line 3: 1 fields"), "{error}");
}

#[test]
fn kept_columns_side_by_side_are_one_part() {
    let (_, block) = parse("sex,city,name,bsn\nf,Ede,Jansen,1\n");
    let parts: Vec<_> = block.parts().map(|(part, _)| part.clone()).collect();
    assert_eq!(parts, [Part::Kept(0..2), Part::Answered]);
}
