//! Edge cases of CSV, and the `csv` crate as a second opinion.

use proptest::prelude::*;

use super::*;
use crate::formats::csv::write_value;

/// Gives one byte at a time, so that every record crosses the end of the buffer.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.len().min(buffer.len()).min(1);
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

type Rows = Vec<(u64, Vec<String>)>;

fn read_from(input: impl Read) -> Result<Rows, CsvError> {
    let mut reader = CsvReader::new(input, b',');
    let (mut rows, mut scratch) = (Vec::new(), Vec::new());
    while let Some(record) = reader.next()? {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("test data is text");
        if record.is_blank() {
            rows.push((record.line, Vec::new()));
            continue;
        }
        let values = (0..record.len())
            .map(|i| text(record.value(i, &mut scratch)))
            .collect();
        rows.push((record.line, values));
    }
    Ok(rows)
}

fn read(text: &str) -> Result<Rows, CsvError> {
    let all = read_from(text.as_bytes());
    let bit_by_bit = read_from(Trickle(text.as_bytes()));
    assert_eq!(
        format!("{all:?}"),
        format!("{bit_by_bit:?}"),
        "the buffer's edge must not matter"
    );
    all
}

fn values(text: &str) -> Vec<Vec<String>> {
    read(text)
        .expect("well-formed")
        .into_iter()
        .map(|(_, values)| values)
        .collect()
}

#[test]
fn plain_quoted_and_empty_values() {
    assert_eq!(values("a,b\n1,2\n"), [["a", "b"], ["1", "2"]]);
    assert_eq!(
        values("a,b\n\"1,\n2\",\"say \"\"hi\"\"\"\n"),
        [["a", "b"], ["1,\n2", "say \"hi\""]]
    );
    assert_eq!(
        values("a,b\n,\n\"\",\"\"\"\"\n"),
        [["a", "b"], ["", ""], ["", "\""]]
    );
    assert_eq!(values("a,b\n5\" pipe,x\n"), [["a", "b"], ["5\" pipe", "x"]]);
}

#[test]
fn line_endings() {
    assert_eq!(
        values("a,b\r\n1,2\r\n3,4"),
        [["a", "b"], ["1", "2"], ["3", "4"]]
    );
    assert_eq!(values("a\n\"\"\n"), [["a"], [""]]);
    assert!(values("").is_empty());
}

#[test]
fn an_empty_line_of_a_file_of_one_column_is_a_row_without_a_value() {
    for text in [
        "a\n1\n\n2\n",
        "a\r\n1\r\n\r\n2\r\n",
        "a\n1\n\r\n2",
        "\"a\"\n\"1\"\n\n\"2\"\n",
    ] {
        assert_eq!(values(text), [["a"], ["1"], [""], ["2"]], "{text:?}");
    }
    assert_eq!(
        values("a\n\n\n1\n\n\n"),
        [["a"], [""], [""], ["1"], [""], [""]]
    );
    assert_eq!(values("a\n\n"), [["a"], [""]]);
    assert_eq!(
        values("a\n"),
        [["a"]],
        "the end of the header line is no row"
    );
}

#[test]
fn an_empty_line_of_a_file_of_several_columns_is_handed_out_and_no_row() {
    let none: &[&str] = &[];
    assert_eq!(
        values("a,b\n\n1,2\r\n\r\n\n3,4\n\n"),
        [
            &["a", "b"][..],
            none,
            &["1", "2"],
            none,
            none,
            &["3", "4"],
            none
        ]
    );
}

#[test]
fn joined_files_are_refused_with_their_line() {
    let again = |text: &str| {
        let mut reader = CsvReader::new(text.as_bytes(), b',');
        let header = reader.next().expect("well-formed").expect("a header line");
        let raw: Vec<_> = (0..header.len()).map(|i| header.raw(i).to_vec()).collect();
        reader.refuse_again(&raw);
        loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error.to_string()),
            }
        }
    };
    for (text, expected) in [
        ("bsn\n1\nbsn\n2\n", "line 3: the header line comes again"),
        (
            "bsn,sex\n1,m\n\"Sex\", BSN\n2,f\n",
            "line 3: the header line",
        ),
        ("bsn\n1\n\u{feff}bsn\n2\n", "line 3: a byte order mark"),
        ("bsn\n1\u{feff}bsn\n2\n", "line 2: a byte order mark"),
    ] {
        let message = again(text).expect(text);
        assert!(message.starts_with(expected), "{message}");
    }
    for text in [
        "bsn,sex\nbsn,m\n",
        "bsn\nx\u{feff}y\n",
        "a,b\na,a\n",
        "\"\"\n\n\"\"\n",
    ] {
        assert_eq!(again(text), None, "{text}");
    }
}

#[test]
fn records_know_their_line() {
    let lines = |text| {
        read(text)
            .expect("well-formed")
            .into_iter()
            .map(|(line, _)| line)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines("a,b\r\n\r\n\"x\r\ny\",2\r\n3,4\r\n"), [1, 2, 3, 5]);
    assert_eq!(lines("a\n1\n2"), [1, 2, 3]);
}

#[test]
fn malformed_input_is_refused_with_its_line() {
    for (text, expected) in [
        (
            "a,b\n1,2\n3\n",
            "line 3: 1 fields, where the header line has 2",
        ),
        ("a,b\n1,2,3\n", "line 2: 3 fields"),
        ("a,b\n1,\"2\n3,4\n", "line 2: a quoted value"),
        ("a,b\n1,\"x\"y\n", "line 2: text after"),
        ("a,b\n1,\"x\ny\" \n", "line 3: text after"),
        ("a,b\n1,2\r3,4\n", "line 2: a carriage return"),
        ("a,b\r1,2\r", "line 1: a carriage return"),
        ("a,b\n1,2\n3,\0\n", "line 3: a NUL byte"),
        ("a\n1\n\u{1a}", "line 3: the file ends with"),
        ("a,b\n1,2\u{1a}", "line 2: the file ends with"),
        ("a,b\n  \n1,2\n", "line 2: 1 fields"),
    ] {
        let message = read(text).expect_err(text).to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn a_quote_that_is_never_closed_does_not_eat_the_memory() {
    let endless = io::Read::chain(&b"a,b\n1,\""[..], io::repeat(b'x'));
    assert!(matches!(
        read_from(endless),
        Err(CsvError::TooLong { line: 2 })
    ));
}

#[test]
fn what_is_consumed_is_counted() {
    let mut reader = CsvReader::new(&b"a\n\n\"1\"\n2"[..], b',');
    let mut counts = Vec::new();
    while reader.next().expect("well-formed").is_some() {
        counts.push(reader.consumed());
    }
    assert_eq!(counts, [2, 3, 7, 8]);
}

proptest! {
    #[test]
    fn values_written_by_others_and_by_us_come_back(
        rows in (1usize..5).prop_flat_map(|width| {
            proptest::collection::vec(proptest::collection::vec("[a-c,\"\r\n é]{0,6}", width), 1..8)
        }),
        crlf: bool,
    ) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut theirs = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        let mut ours = Vec::new();
        for row in &rows {
            theirs.write_record(row).expect("in memory");
            for (i, value) in row.iter().enumerate() {
                if i > 0 { ours.push(b',') }
                if row.len() == 1 && value.is_empty() { ours.extend_from_slice(b"\"\"") }
                write_value(value.as_bytes(), b',', &mut ours);
            }
            ours.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
        let theirs = String::from_utf8(theirs.into_inner().expect("flushes")).expect("text");
        prop_assert_eq!(&values(&theirs), &rows);
        prop_assert_eq!(&values(&String::from_utf8(ours).expect("text")), &rows);
    }

    #[test]
    fn any_bytes_are_read_or_refused(input in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut reader = CsvReader::new(&input[..], b';');
        while let Ok(Some(record)) = reader.next() {
            for field in 0..record.len() {
                record.value(field, &mut Vec::new());
            }
        }
    }
}
