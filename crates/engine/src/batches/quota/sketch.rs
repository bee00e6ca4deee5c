//! How many different hashes there were, in at most 4 KiB.
//!
//! Up to [`EXACT`] hashes are kept as they are, and counted exactly. Beyond that they become a HyperLogLog of 2^12
//! registers (Flajolet et al. 2007) with the estimator of Ertl ("New cardinality estimation algorithms for HyperLogLog
//! sketches", 2017, algorithm 6), which needs no correction for small or large numbers. Its standard error is 1.04 /
//! sqrt(4096) = 1.6 %: two of three estimates are that near, 95 of 100 within 3.3 %, practically all within 5 %.

use sluis_domain::codec::{DecodeError, Reader, Writer};

/// Most hashes that are counted exactly.
pub(super) const EXACT: usize = 512;
/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 12;
/// Registers.
const REGISTERS: usize = 1 << INDEX_BITS;
/// Highest value of a register: the other bits of the hash, all zero, and one.
const MAX_RANK: u8 = (64 - INDEX_BITS) as u8 + 1;

/// A set of 64-bit hashes, counted. The hashes must be uniform.
///
/// Stored: `0x01 || number(2) || hashes, ascending, 8 each` or `0x02 || registers, 1 each`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Sketch {
    /// Ascending.
    Exact(Vec<u64>),
    /// The highest rank per register.
    Registers(Box<[u8; REGISTERS]>),
}

impl Sketch {
    pub(super) fn empty() -> Self {
        Self::Exact(Vec::new())
    }

    pub(super) fn insert(&mut self, hash: u64) {
        match self {
            Self::Registers(registers) => set(registers, hash),
            Self::Exact(hashes) => {
                let Err(place) = hashes.binary_search(&hash) else {
                    return;
                };
                hashes.insert(place, hash);
                if hashes.len() > EXACT {
                    let mut registers = Box::new([0; REGISTERS]);
                    hashes.iter().for_each(|hash| set(&mut registers, *hash));
                    *self = Self::Registers(registers);
                }
            }
        }
    }

    /// Number of different hashes.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Registers(registers) => estimate(registers).round() as u64,
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Self::Exact(hashes) => {
                out.u8(1)
                    .u16(u16::try_from(hashes.len()).expect("at most 512 hashes are kept"));
                for hash in hashes {
                    out.u64(*hash);
                }
            }
            Self::Registers(registers) => {
                out.u8(2).fixed(&registers[..]);
            }
        }
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.u8()? {
            1 => {
                let hashes = (0..input.u16()?)
                    .map(|_| input.u64())
                    .collect::<Result<Vec<_>, _>>()?;
                let sound = hashes.len() <= EXACT && hashes.is_sorted_by(|a, b| a < b);
                if sound {
                    Ok(Self::Exact(hashes))
                } else {
                    Err(DecodeError)
                }
            }
            2 => {
                let registers: [u8; REGISTERS] = input.array()?;
                let sound = registers.iter().all(|rank| *rank <= MAX_RANK);
                if sound {
                    Ok(Self::Registers(Box::new(registers)))
                } else {
                    Err(DecodeError)
                }
            }
            _ => Err(DecodeError),
        }
    }
}

fn set(registers: &mut [u8; REGISTERS], hash: u64) {
    let register = &mut registers[(hash >> (64 - INDEX_BITS)) as usize];
    // The lowest bit set stands for the end of the hash.
    let rank = ((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))).leading_zeros() as u8 + 1;
    *register = rank.max(*register);
}

fn estimate(registers: &[u8; REGISTERS]) -> f64 {
    let mut having = [0f64; MAX_RANK as usize + 1];
    registers
        .iter()
        .for_each(|rank| having[usize::from(*rank)] += 1.0);
    let m = REGISTERS as f64;
    let last = usize::from(MAX_RANK);
    let mut z = m * tau(1.0 - having[last] / m);
    for rank in (1..last).rev() {
        z = 0.5 * (z + having[rank]);
    }
    z += m * sigma(having[0] / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

/// Of the share of registers that are zero: x + the sum of x^(2^k) 2^(k-1) over k from 1. Infinite for 1: nothing was
/// counted.
fn sigma(mut x: f64) -> f64 {
    let (mut sum, mut weight) = (x, 1.0);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight *= 2.0;
        if sum == before || sum.is_infinite() {
            return sum;
        }
    }
}

/// Of the share of registers that are not full: (1 - x - the sum of (1 - x^(2^-k))^2 2^-k over k from 1) / 3.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut sum, mut weight) = (1.0 - x, 1.0);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests;
