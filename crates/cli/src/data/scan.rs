//! Reading a file from end to end before the first value is sent.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::columns::ColumnPlan;
use super::input::{Input, malformed};
use super::parse::{BatchLimits, Layout, Parser};
use crate::error::CliError;

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Scanned {
    /// Rows.
    pub(crate) rows: u64,
    /// Values that will be sent: those that are missing, and those of rows that are rejected here, are not.
    pub(crate) values: u64,
    /// Bytes of the output without what is answered.
    pub(crate) kept_bytes: u64,
    /// Checksum of the input.
    pub(crate) sum: u64,
}

impl Scanned {
    /// 16 bits of the checksum.
    pub(crate) fn check(&self) -> u16 {
        let [a, b, c, d, e, f, g, h] = self.sum.to_be_bytes();
        u16::from_be_bytes([a ^ c ^ e ^ g, b ^ d ^ f ^ h])
    }
}

/// Reads all of it, with the reader and the checks that sending uses; gives the plans back.
///
/// # Errors
/// What is wrong with the file, as sending would find it.
pub(crate) fn scan(
    input: Input,
    plans: Vec<ColumnPlan>,
    layout: Layout,
    limits: BatchLimits,
) -> Result<(Scanned, Vec<ColumnPlan>), CliError> {
    let mut scanned = Scanned::default();
    let mut parser = Parser::new(input.reader, plans, layout, limits);
    while let Some((batch, block)) = parser
        .next()
        .map_err(|error| malformed(&input.name, error))?
    {
        scanned.rows += (block.positions.len() + block.rejects.len()) as u64;
        scanned.values += batch.values();
        scanned.kept_bytes += block.kept_bytes();
    }
    scanned.sum = input.sum.get();
    Ok((scanned, parser.into_plans()))
}

/// The checksum of what was read so far through a [`Summed`]. It finds a file that changed, not one that was forged.
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

/// Adds up what is read.
pub(crate) struct Summed<R> {
    input: R,
    sum: Sum,
}

impl<R> Summed<R> {
    /// Adds to `sum`.
    pub(crate) fn new(input: R, sum: Sum) -> Self {
        Self { input, sum }
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.sum.add(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_bytes_however_they_are_read() {
        let of = |bytes: &[u8], piece: usize| {
            let sum = Sum::default();
            let mut summed = Summed::new(bytes, sum.clone());
            let mut buffer = vec![0; piece];
            while summed.read(&mut buffer).expect("in memory") > 0 {}
            sum.get()
        };
        assert_eq!(
            of(b"foobar", 6),
            0x8594_4171_f739_67e8,
            "FNV-1a's own example"
        );
        assert_eq!(of(b"foobar", 1), of(b"foobar", 4));
        assert_ne!(of(b"foobar", 6), of(b"foobaz", 6));
    }
}
