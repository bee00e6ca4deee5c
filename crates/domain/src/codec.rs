//! The one way in which structured values become bytes: integers big-endian, texts and byte strings with a
//! 2-byte big-endian length before them (LP). No optional padding, no map order: one value, one encoding.

/// Bytes that are not a value of the expected type. Carries no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a value of the expected format")]
pub struct DecodeError;

/// Appends values to a buffer.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Starts with the format byte.
    pub fn new(format: u8) -> Self {
        Self(vec![format])
    }
    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }
    /// Two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Bytes without a length: only where the length is fixed.
    pub fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
    /// Length-prefixed bytes. Callers keep them below 64 KiB; more is cut never, but refused by a panic.
    pub fn lp(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.u16(
            u16::try_from(bytes.len()).expect("callers bound length-prefixed values below 64 KiB"),
        );
        self.fixed(bytes)
    }
    /// Bytes behind a length of four bytes. Callers keep them below 4 GiB.
    pub fn long(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u32::try_from(bytes.len());
        self.u32(length.expect("callers bound long values below 4 GiB"));
        self.fixed(bytes)
    }
    /// The bytes so far.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Takes values from a buffer; every method fails instead of reading past the end.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Over bytes that have no format byte.
    pub fn plain(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    /// Checks and takes off the format byte.
    ///
    /// # Errors
    /// [`DecodeError`] for another format.
    pub fn new(bytes: &'a [u8], format: u8) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((first, rest)) if *first == format => Ok(Self(rest)),
            _ => Err(DecodeError),
        }
    }
    /// `n` bytes.
    ///
    /// # Errors
    /// [`DecodeError`] if there are fewer.
    pub fn fixed(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(DecodeError)?;
        self.0 = rest;
        Ok(head)
    }
    /// `N` bytes as an array.
    ///
    /// # Errors
    /// [`DecodeError`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.fixed(N)?.try_into().map_err(|_| DecodeError)
    }
    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError`] at the end.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }
    /// Two bytes.
    ///
    /// # Errors
    /// [`DecodeError`] at the end.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    /// Four bytes.
    ///
    /// # Errors
    /// [`DecodeError`] at the end.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    /// Eight bytes.
    ///
    /// # Errors
    /// [`DecodeError`] at the end.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }
    /// Length-prefixed bytes.
    ///
    /// # Errors
    /// [`DecodeError`] if there are fewer than announced.
    pub fn lp(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u16()?;
        self.fixed(length.into())
    }
    /// Bytes behind a length of four bytes.
    ///
    /// # Errors
    /// [`DecodeError`] if there are fewer than announced.
    pub fn long(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u32()?).map_err(|_| DecodeError)?;
        self.fixed(length)
    }
    /// Length-prefixed UTF-8 text.
    ///
    /// # Errors
    /// [`DecodeError`] unless UTF-8.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.lp()?).map_err(|_| DecodeError)
    }
    /// A length-prefixed text that parses as `T`, such as an id.
    ///
    /// # Errors
    /// [`DecodeError`] unless it parses.
    pub fn parse<T: std::str::FromStr>(&mut self) -> Result<T, DecodeError> {
        self.text()?.parse().map_err(|_| DecodeError)
    }
    /// As [`Self::parse`]; the empty text is `None`.
    ///
    /// # Errors
    /// [`DecodeError`] unless empty or it parses.
    pub fn parse_optional<T: std::str::FromStr>(&mut self) -> Result<Option<T>, DecodeError> {
        match self.text()? {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| DecodeError),
        }
    }
    /// Nothing may be left.
    ///
    /// # Errors
    /// [`DecodeError`] if something is.
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError)
        }
    }
}
