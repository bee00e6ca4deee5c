//! Bytes that leave no copy of themselves behind: what held them is wiped when they grow and when they are dropped.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

/// A growing buffer for identifiers. Unlike a plain `Vec`, it wipes the memory that it leaves when it grows.
#[derive(Default)]
pub struct WipedBuffer(Zeroizing<Vec<u8>>);

impl WipedBuffer {
    /// Room for this many bytes at first.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// Appends one byte.
    pub fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    /// Appends a character in UTF-8.
    pub fn push_char(&mut self, character: char) {
        let mut buffer = [0; 4];
        self.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Keeps the first `length` bytes. The memory behind them stays with the buffer, and is wiped with it.
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// Keeps no byte.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Moves to larger memory, if needed, and wipes the old.
    fn make_room(&mut self, more: usize) {
        let needed = self.0.len() + more;
        if needed <= self.0.capacity() {
            return;
        }
        let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()).max(64));
        larger.extend_from_slice(&self.0);
        // The old memory is dropped here, and `Zeroizing` wipes all of it.
        self.0 = Zeroizing::new(larger);
    }
}

impl Deref for WipedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Says how long it is and nothing else.
impl fmt::Debug for WipedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WipedBuffer({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_shrinks_like_a_vec() {
        let mut buffer = WipedBuffer::with_capacity(2);
        let mut expected = Vec::new();
        for number in 0..1_000u32 {
            let text = number.to_string();
            buffer.extend_from_slice(text.as_bytes());
            expected.extend_from_slice(text.as_bytes());
        }
        buffer.push(b'x');
        buffer.push_char('\u{e9}');
        expected.extend_from_slice("x\u{e9}".as_bytes());
        assert_eq!(*buffer, expected);
        buffer.truncate(3);
        assert_eq!(*buffer, *b"012");
        buffer.clear();
        assert!(buffer.is_empty());
    }

    #[test]
    fn debug_shows_no_byte() {
        let mut buffer = WipedBuffer::default();
        buffer.extend_from_slice(b"950000012");
        assert_eq!(format!("{buffer:?}"), "WipedBuffer(9 bytes)");
    }
}
