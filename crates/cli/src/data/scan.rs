//! Reading a file from end to end before the first value is sent.

use super::columns::ColumnPlan;
use super::input::{Input, malformed};
use super::treat::{BatchLimits, Batcher, OutputShape};
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

/// Reads all of it, with the source and the checks that sending uses; gives the plans back.
///
/// # Errors
/// What is wrong with the file, as sending would find it.
pub(crate) fn scan(
    input: Input,
    plans: Vec<ColumnPlan>,
    shape: OutputShape,
    limits: BatchLimits,
) -> Result<(Scanned, Vec<ColumnPlan>), CliError> {
    let mut scanned = Scanned::default();
    let mut batcher = Batcher::new(input.source, plans, shape, limits);
    while let Some((batch, block)) = batcher
        .next()
        .map_err(|error| malformed(&input.name, error))?
    {
        scanned.rows += (block.positions.len() + block.rejects.len()) as u64;
        scanned.values += batch.values();
        scanned.kept_bytes += block.kept_bytes();
    }
    scanned.sum = input.sum.get();
    Ok((scanned, batcher.into_plans()))
}
