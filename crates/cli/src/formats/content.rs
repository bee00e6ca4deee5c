//! The bytes of an input, whatever their format.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sluis_client::Zeroizing;

use super::Steady;

/// The content of a file or pipe. What is read is added up; a regular file can be read at any place.
pub(crate) struct Content {
    name: String,
    stream: Stream,
    sum: Sum,
    /// Read, but not handed out yet.
    ahead: Zeroizing<Vec<u8>>,
}

enum Stream {
    File(Steady),
    Pipe(Box<dyn Read + Send>),
}

impl Content {
    /// Of a regular file.
    pub(crate) fn file(name: String, file: Steady) -> Self {
        Self::new(name, Stream::File(file))
    }

    /// Of anything else.
    pub(crate) fn pipe(name: String, pipe: Box<dyn Read + Send>) -> Self {
        Self::new(name, Stream::Pipe(pipe))
    }

    fn new(name: String, stream: Stream) -> Self {
        Self {
            name,
            stream,
            sum: Sum::default(),
            ahead: Zeroizing::default(),
        }
    }

    /// Its name for messages; a path if it is a file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The checksum of what is read, which goes on while it is read.
    pub(crate) fn sum(&self) -> Sum {
        self.sum.clone()
    }

    /// The next bytes, which stay: fewer than `length` only at the end.
    pub(crate) fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.ahead.len() < length {
            let mut buffer = Zeroizing::new(vec![0; length - self.ahead.len()]);
            match self.read_stream(&mut buffer) {
                Ok(0) => break,
                Ok(read) => self.ahead.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.ahead)
    }

    fn read_stream(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.stream {
            Stream::File(file) => file.read(buffer)?,
            Stream::Pipe(pipe) => pipe.read(buffer)?,
        };
        self.sum.add(&buffer[..read]);
        Ok(read)
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            return self.read_stream(buffer);
        }
        let length = self.ahead.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.ahead[..length]);
        self.ahead.drain(..length);
        Ok(length)
    }
}

/// A pipe is [`io::ErrorKind::NotSeekable`].
impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let Stream::File(file) = &mut self.stream else {
            return Err(io::ErrorKind::NotSeekable.into());
        };
        let to = match to {
            SeekFrom::Current(by) => SeekFrom::Current(by - self.ahead.len() as i64),
            to => to,
        };
        self.ahead.clear();
        file.seek(to)
    }
}

/// The checksum of what was read so far. It finds a file that changed, not one that was forged.
#[derive(Clone, Debug)]
pub(crate) struct Sum(Arc<AtomicU64>);

impl Default for Sum {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(0xcbf2_9ce4_8422_2325)))
    }
}

impl Sum {
    /// FNV-1a, 64 bits.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: &[u8]) {
        let sum = bytes.iter().fold(self.get(), |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.0.store(sum, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::super::Stamp;
    use super::*;

    fn pipe(bytes: &'static [u8]) -> Content {
        Content::pipe("pipe".to_owned(), Box::new(bytes))
    }

    #[test]
    fn the_sum_is_that_of_the_bytes_however_they_are_read() {
        let of = |bytes: &'static [u8], piece: usize| {
            let mut content = pipe(bytes);
            let mut buffer = vec![0; piece];
            while content.read(&mut buffer).expect("in memory") > 0 {}
            content.sum().get()
        };
        assert_eq!(
            of(b"foobar", 6),
            0x8594_4171_f739_67e8,
            "FNV-1a's own example"
        );
        assert_eq!(of(b"foobar", 1), of(b"foobar", 4));
        assert_ne!(of(b"foobar", 6), of(b"foobaz", 6));
    }

    #[test]
    fn what_is_looked_at_stays_and_counts_once() {
        let mut content = pipe(b"foobar");
        assert_eq!(content.peek(2).expect("in memory"), b"fo");
        assert_eq!(content.peek(3).expect("in memory"), b"foo");
        let mut all = Vec::new();
        content.read_to_end(&mut all).expect("in memory");
        assert_eq!(all, b"foobar");
        assert_eq!(content.sum().get(), 0x8594_4171_f739_67e8);
        assert_eq!(content.peek(9).expect("in memory"), b"");
        assert!(content.rewind().is_err(), "a pipe");
    }

    #[test]
    fn a_file_can_be_read_at_any_place() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("in");
        std::fs::write(&path, b"foobar").expect("writable");
        let file = File::open(&path).expect("readable");
        let stamp = Stamp::of(&file.metadata().expect("readable"));
        let mut content = Content::file("in".to_owned(), Steady::new(file.take(6), stamp));
        content.peek(4).expect("readable");
        let mut text = String::new();
        content.seek(SeekFrom::End(-3)).expect("a file");
        content.read_to_string(&mut text).expect("readable");
        content.rewind().expect("a file");
        content.peek(4).expect("readable");
        content.seek_relative(2).expect("a file");
        content.read_to_string(&mut text).expect("readable");
        assert_eq!(text, "barobar");
    }
}
