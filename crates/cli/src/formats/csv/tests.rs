//! Files as a whole: what stands before the records, and how rows are written again.

use super::*;

fn source(bytes: &[u8], encoding: Encoding) -> Result<CsvSource, String> {
    let pipe = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let options = Options {
        encoding,
        ..Options::default()
    };
    let content = Content::pipe("test.csv".to_owned(), pipe);
    CsvSource::open(content, &options).map_err(|error| error.to_string())
}

fn written(source: &CsvSource, columns: &[usize]) -> String {
    let mut sink = source.sink(columns);
    String::from_utf8_lossy(sink.written()).into_owned()
}

#[test]
fn an_empty_file_says_so() {
    for bytes in [&b""[..], b"\n\n", b"\xef\xbb\xbf"] {
        let error = source(bytes, Encoding::Utf8).err().expect("refused");
        assert!(error.contains("is empty"), "{error}");
    }
}

#[test]
fn headers_are_text_and_stay_as_they_were_written() {
    let source = source(
        b"\xef\xbb\xbf\"bsn\";\"a;\"\"b\"\r\n1;2\r\n",
        Encoding::Utf8,
    )
    .expect("readable");
    assert_eq!(source.headers(), ["bsn", "a;\"b"]);
    assert_eq!(written(&source, &[0, 1]), "\u{feff}\"bsn\";\"a;\"\"b\"\r\n");
    assert_eq!(written(&source, &[1]), "\u{feff}\"a;\"\"b\"\r\n");
}

#[test]
fn headers_in_windows_1252() {
    let windows = source(b"pr\xe9nom\n", Encoding::Windows1252).expect("readable");
    assert_eq!(windows.headers(), ["prénom"]);
    let error = source(b"pr\xe9nom\n", Encoding::Utf8)
        .err()
        .expect("refused");
    assert!(error.contains("--encoding windows-1252"));
}

#[test]
fn columns_that_stand_side_by_side_are_kept_as_they_stand() {
    let mut source = source(b"a,b,c\n1,\"2,\",3\n", Encoding::Utf8).expect("readable");
    assert_eq!(
        source.advance().expect("whole"),
        Some(Next::Record { line: 2 })
    );
    assert_eq!(source.kept(0..2), b"1,\"2,\"");
    assert_eq!(source.kept(1..3), b"\"2,\",3");
    let wanted = Wanted::always(sluis_client::Form::Text);
    assert_eq!(source.value(1, wanted), Ok(&b"2,"[..]));
}

#[test]
fn a_row_that_is_taken_back_leaves_nothing() {
    let source = source(b"a,b\n", Encoding::Windows1252).expect("readable");
    let mut sink = source.sink(&[0, 1]);
    sink.clear();
    sink.kept(b"1");
    assert_eq!(sink.value("Łódź".as_bytes()), Err(Reason::Unencodable));
    sink.take_back_row();
    sink.kept(b"2");
    sink.value("é,".as_bytes()).expect("has a place");
    assert_eq!(sink.written(), b"", "no row ended");
    sink.end_row();
    sink.blank_lines(1);
    assert_eq!(sink.written(), b"2,\"\xe9,\"\n\n");
}
