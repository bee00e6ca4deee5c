//! A file there and back, with a custodian that answers `<value>`, and rejects and refuses what it is told to.

use std::fs;

use proptest::prelude::*;
use sluis_client::{Batch, Rejection};

use super::*;
use crate::data::target::Target;
use crate::data::treat::tests::{batcher, file, limits};
use crate::formats::csv::Encoding;

struct Written {
    output: Vec<u8>,
    rejects: String,
    tally: Tally,
}

/// Answers every value with itself in angle brackets; rejects values that are `bad`.
fn answer(batch: &Batch, elements: &[&str]) -> BatchResult {
    let columns: Vec<(String, Column)> = elements
        .iter()
        .map(|name| ((*name).to_owned(), batch.column(name).expect("sent")))
        .collect();
    let is_bad = |row: usize| columns.iter().find(|(_, column)| column.get(row) == b"bad");
    let rejections = (0..batch.rows() as usize).filter_map(|row| {
        let (element, _) = is_bad(row)?;
        Some(Rejection {
            row: row as u32,
            element: element.clone(),
            reason: "INVALID_IDENTIFIER".into(),
        })
    });
    let rejections: Vec<_> = rejections.collect();
    let answered = |column: &Column| {
        Column::from_values((0..column.rows()).map(|row| match column.get(row) {
            b"" => Vec::new(),
            _ if is_bad(row).is_some() => Vec::new(),
            value => [b"<", value, b">"].concat(),
        }))
    };
    let columns = columns
        .iter()
        .map(|(name, column)| (name.clone(), answered(column)))
        .collect();
    BatchResult {
        sequence: 0,
        columns,
        rejections,
        counted: 0,
    }
}

fn run(input: &[u8], encoding: Encoding, elements: &[&str], shuffled: bool) -> Written {
    let directory = tempfile::tempdir().expect("writable");
    let (output, rejects) = (
        directory.path().join("out.csv"),
        directory.path().join("rejects.csv"),
    );
    let target = |path| Target::create(path, false, false).expect("new");
    let targets = Targets {
        output: target(&output),
        rejects: Some(target(&rejects)),
    };
    let (mut batcher, sink) = batcher(file(input, encoding), 3, &limits());
    let mut assembler = Assembler::new(targets, sink, shuffled).expect("writable");
    while let Some((batch, block)) = batcher.next().expect("well-formed") {
        let result = block.is_sent().then(|| answer(&batch, elements));
        assembler.write(block, result).expect("fits");
    }
    let tally = assembler.finish().expect("complete");
    let rejects = fs::read_to_string(rejects).expect("there");
    Written {
        output: fs::read(output).expect("there"),
        rejects,
        tally,
    }
}

fn text(input: &str, elements: &[&str]) -> Written {
    run(input.as_bytes(), Encoding::Utf8, elements, false)
}

#[test]
fn headers_order_and_kept_columns_stay_and_dropped_columns_go() {
    let written = text(
        "sex;bsn;name;city\nf;1;Jansen;\"Den \"\"Haag\"\"\"\nm;;Bakker;\n",
        &["bsn"],
    );
    assert_eq!(
        String::from_utf8_lossy(&written.output),
        "sex;bsn;city\nf;<1>;\"Den \"\"Haag\"\"\"\nm;;\n"
    );
    assert_eq!(written.rejects, "line,row,element,reason\n");
    assert_eq!(
        (
            written.tally.rows,
            written.tally.written,
            written.tally.rejected
        ),
        (2, 2, 0)
    );
}

#[test]
fn byte_order_mark_and_line_endings_are_those_of_the_input() {
    let written = run(
        b"\xef\xbb\xbf\"bsn\",sex\r\n1,m\r\n\r\n2,f",
        Encoding::Utf8,
        &["bsn"],
        false,
    );
    assert_eq!(
        written.output,
        b"\xef\xbb\xbf\"bsn\",sex\r\n<1>,m\r\n\r\n<2>,f\r\n"
    );
}

#[test]
fn rejected_rows_of_both_kinds_are_left_out_and_listed_in_order() {
    let written = text(
        "bsn,born\nbad,01-01-2000\n2,\n\n3,secret\n4,\nbad,\n5,x\n",
        &["bsn"],
    );
    assert_eq!(
        String::from_utf8_lossy(&written.output),
        "bsn,born\n<2>,\n\n<4>,\n"
    );
    assert_eq!(
        written.rejects,
        "line,row,element,reason\n2,1,bsn,INVALID_IDENTIFIER\n5,3,born,INVALID_DATE\n7,5,bsn,INVALID_IDENTIFIER\n\
         8,6,born,INVALID_DATE\n"
    );
    assert_eq!(
        (
            written.tally.rows,
            written.tally.written,
            written.tally.rejected
        ),
        (6, 2, 4)
    );
    assert_eq!(written.tally.exit(), crate::error::Exit::SomeRejected);
}

#[test]
fn missing_values_stay_missing_also_where_a_row_has_nothing_else() {
    assert_eq!(text("bsn\n\"\"\n1\n", &["bsn"]).output, b"bsn\n\"\"\n<1>\n");
    assert_eq!(text("sex,name\n,x\nm,y\n", &[]).output, b"sex\n\"\"\nm\n");
}

#[test]
fn every_line_of_the_input_has_its_line_in_the_output() {
    for (input, expected, rows, blank_lines) in [
        ("bsn\n1\n\n2\n", "bsn\n<1>\n\"\"\n<2>\n", 3, 0),
        ("bsn\r\n1\r\n\r\n2", "bsn\r\n<1>\r\n\"\"\r\n<2>\r\n", 3, 0),
        (
            "\n\nbsn\n\n\n1\n\n",
            "\n\nbsn\n\"\"\n\"\"\n<1>\n\"\"\n",
            4,
            0,
        ),
        (
            "bsn;sex\n\n1;m\n\n\n\n\n2;f\n\n",
            "bsn;sex\n\n<1>;m\n\n\n\n\n<2>;f\n\n",
            2,
            6,
        ),
        ("sex\nm\n\nf\n", "sex\nm\n\"\"\nf\n", 3, 0),
    ] {
        let written = text(input, if input.contains("bsn") { &["bsn"] } else { &[] });
        assert_eq!(String::from_utf8_lossy(&written.output), expected);
        assert_eq!(
            (written.tally.rows, written.tally.blank_lines),
            (rows, blank_lines)
        );
    }
}

#[test]
fn missing_values_of_rows_that_are_written_are_counted() {
    let input = "bsn,born,sex\n1,,m\n,07-03-1984,f\nbad,,m\n,,\n2,x,\n";
    let tally = text(input, &["bsn"]).tally;
    let mut expected = Tally::default();
    expected.add_missing("bsn", 2, 3);
    expected.add_missing("born", 2, 2);
    assert_eq!(tally.missing, expected.missing);
}

#[test]
fn answers_are_quoted_where_they_must_be() {
    assert_eq!(
        text("note,sex\n\"a,\"\"b\nc\",m\n", &["note"]).output,
        b"note,sex\n\"<a,\"\"b\nc>\",m\n"
    );
}

#[test]
fn an_answer_without_a_place_in_the_encoding_rejects_its_row() {
    let directory = tempfile::tempdir().expect("writable");
    let path = directory.path().join("out.csv");
    let rejects = directory.path().join("rejects.csv");
    let target = |path| Target::create(path, false, false).expect("new");
    let targets = Targets {
        output: target(&path),
        rejects: Some(target(&rejects)),
    };
    let input = file(b"note,sex\n1,m\n2,f\n", Encoding::Windows1252);
    let (mut batcher, sink) = batcher(input, 9, &limits());
    let mut assembler = Assembler::new(targets, sink, false).expect("writable");
    let (_, block) = batcher.next().expect("well-formed").expect("rows");
    let columns = vec![("note".to_owned(), Column::from_values(["Łódź", "café"]))];
    assembler
        .write(
            block,
            Some(BatchResult {
                sequence: 0,
                columns,
                rejections: vec![],
                counted: 0,
            }),
        )
        .expect("fits");
    assert_eq!(assembler.finish().expect("complete").rejected, 1);
    assert_eq!(fs::read(&path).expect("there"), b"note,sex\ncaf\xe9,f\n");
    assert_eq!(
        fs::read(&rejects).expect("there"),
        b"line,row,element,reason\n2,1,note,UNENCODABLE\n"
    );
}

#[test]
fn a_shuffled_answer_gives_as_many_values_as_rows_were_accepted() {
    let directory = tempfile::tempdir().expect("writable");
    let path = directory.path().join("out.csv");
    let targets = Targets {
        output: Target::create(&path, false, false).expect("new"),
        rejects: None,
    };
    let input = file(b"bsn\n1\nbad\n3\n\"\"\n", Encoding::Utf8);
    let (mut batcher, sink) = batcher(input, 9, &limits());
    let mut assembler = Assembler::new(targets, sink, true).expect("writable");
    let (_, block) = batcher.next().expect("well-formed").expect("rows");
    let columns = vec![(
        "bsn".to_owned(),
        Column::from_values(["<3>", "<1>", "", ""]),
    )];
    let rejections = vec![Rejection {
        row: 1,
        element: "bsn".into(),
        reason: "MALFORMED_PSEUDONYM".into(),
    }];
    assembler
        .write(
            block,
            Some(BatchResult {
                sequence: 0,
                columns,
                rejections,
                counted: 0,
            }),
        )
        .expect("fits");
    let tally = assembler.finish().expect("complete");
    assert_eq!((tally.rows, tally.written, tally.rejected), (4, 3, 1));
    assert_eq!(fs::read(&path).expect("there"), b"bsn\n<3>\n<1>\n\"\"\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn kept_columns_come_back_byte_for_byte(
        rows in proptest::collection::vec(("[0-9]{0,3}", proptest::collection::vec(1u8..=255, 0..8)), 0..12),
        quote_all: bool,
    ) {
        let (mut input, mut expected) = (b"city,bsn,sex\n".to_vec(), b"city,bsn,sex\n".to_vec());
        for (number, bytes) in &rows {
            let mut kept = Vec::new();
            if quote_all {
                kept.push(b'"');
                for byte in bytes {
                    if *byte == b'"' { kept.push(b'"') }
                    kept.push(*byte);
                }
                kept.push(b'"');
            } else {
                write_value(bytes, b',', &mut kept);
            }
            let answer = if number.is_empty() { String::new() } else { format!("<{number}>") };
            input.extend_from_slice(&[&kept, &b","[..], number.as_bytes(), b",", &kept, b"\n"].concat());
            expected.extend_from_slice(&[&kept, &b","[..], answer.as_bytes(), b",", &kept, b"\n"].concat());
        }
        let written = run(&input, Encoding::Utf8, &["bsn"], false);
        prop_assert_eq!(written.output, expected);
        prop_assert_eq!(written.tally.rows, rows.len() as u64);
    }
}
