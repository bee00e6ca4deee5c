//! HMAC-SHA-256 of several short messages at once, with instructions that not every x86-64 processor has.
//! `docs/decisions/0004-own-hmac.md` has the measurements.

mod avx512;
mod sha;

/// A message and its padding (FIPS 180-4 section 5.1.1; the length counts the key block).
pub(crate) type Block = [u8; 64];

/// The first half of an HMAC.
pub(crate) type Mac16 = [u8; 16];

/// Most messages in one call.
pub(crate) const AT_ONCE: usize = avx512::LANES;

/// With fewer messages than that, sixteen lanes take longer than three.
const ENOUGH: usize = 10;

/// FIPS 180-4 section 4.2.2.
#[rustfmt::skip]
const ROUND_CONSTANTS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
    0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
    0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// What this processor can do.
#[derive(Clone, Copy)]
pub(crate) enum Lanes {
    /// Sixteen messages at once, and few of them in another way if there is one.
    Avx512(avx512::Instructions, Option<sha::Instructions>),
    /// Three messages in turns.
    Sha(sha::Instructions),
}

impl Lanes {
    /// Asks the processor; the standard library keeps the answer.
    #[inline]
    pub(crate) fn detected() -> Option<Self> {
        let sha = sha::Instructions::detected();
        match avx512::Instructions::detected() {
            Some(wide) => Some(Self::Avx512(wide, sha)),
            None => sha.map(Self::Sha),
        }
    }

    /// All that this processor can do, for tests.
    #[cfg(test)]
    pub(crate) fn all_detected() -> Vec<Self> {
        let sha = sha::Instructions::detected();
        let wide = avx512::Instructions::detected();
        let mut all: Vec<_> = sha.map(Self::Sha).into_iter().collect();
        if let Some(wide) = wide {
            all.push(Self::Avx512(wide, None));
            all.push(Self::Avx512(wide, sha));
        }
        all
    }

    /// `HMAC(key, message)[..16]` of the first `filled` messages, in order. `inner` and `outer` are the states after the
    /// key blocks.
    #[inline]
    pub(crate) fn hmac_16(
        self,
        inner: &[u32; 8],
        outer: &[u32; 8],
        blocks: &[Block; AT_ONCE],
        filled: usize,
        macs: &mut [Mac16; AT_ONCE],
    ) {
        let sha = match self {
            Self::Avx512(_, Some(sha)) if filled < ENOUGH => sha,
            Self::Sha(sha) => sha,
            Self::Avx512(wide, _) => return wide.hmac_16(inner, outer, blocks, macs),
        };
        let (blocks, macs) = (&blocks[..filled], &mut macs[..filled]);
        let (threes, rest) = blocks.as_chunks::<{ sha::LANES }>();
        let (threes_out, rest_out) = macs.as_chunks_mut::<{ sha::LANES }>();
        for (three, out) in threes.iter().zip(threes_out) {
            *out = sha.hmac_16(inner, outer, three);
        }
        for (block, out) in rest.iter().zip(rest_out) {
            [*out] = sha.hmac_16(inner, outer, &[*block]);
        }
    }
}
