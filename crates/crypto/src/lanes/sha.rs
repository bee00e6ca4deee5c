//! HMAC-SHA-256 of three short messages at once, with the SHA instructions of x86-64.
//!
//! Each pair of rounds needs the pair before it, so one message leaves the processor waiting. Messages taken in turns fill
//! the gaps: it starts an instruction for one while another's is under way.
//!
//! Closures and `array::map` stay out of the rounds: the standard library is compiled without these instructions, so
//! the compiler would make calls of them.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_cvtsi128_si64, _mm_extract_epi64,
    _mm_set_epi32, _mm_set_epi64x, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32,
    _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::{Block, Mac16, ROUND_CONSTANTS};

/// Messages taken at once. With two the processor still waits; four do not fit its registers.
pub(super) const LANES: usize = 3;

/// Proof that this processor has the instructions used here.
#[derive(Clone, Copy)]
pub(crate) struct Instructions(());

impl Instructions {
    /// Asks the processor; the standard library keeps the answer.
    #[inline]
    pub(super) fn detected() -> Option<Self> {
        let detected = is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("sse2")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1");
        detected.then_some(Self(()))
    }

    /// `HMAC(key, message)[..16]` of messages that are padded to one block each (FIPS 180-4 section 5.1.1; the length
    /// counts the key block). `inner` and `outer` are the states after the key blocks.
    #[inline]
    pub(super) fn hmac_16<const N: usize>(
        self,
        inner: &[u32; 8],
        outer: &[u32; 8],
        blocks: &[Block; N],
    ) -> [Mac16; N] {
        // SAFETY: `self` exists, so `detected` found every feature that the function enables.
        #[expect(unsafe_code, reason = "the one call after the run-time check")]
        unsafe {
            hmac_16(inner, outer, blocks)
        }
    }
}

/// A state as the instructions take it.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

/// The sixteen message words that the next rounds need.
type Schedule = [__m128i; 4];

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn hmac_16<const N: usize>(inner: &[u32; 8], outer: &[u32; 8], blocks: &[Block; N]) -> [Mac16; N] {
    let mut schedules = [[_mm_set_epi32(0, 0, 0, 0); 4]; N];
    for lane in 0..N {
        schedules[lane] = load_block(&blocks[lane]);
    }
    let digests = compress(load_state(inner), schedules);
    for lane in 0..N {
        schedules[lane] = digest_block(digests[lane]);
    }
    let digests = compress(load_state(outer), schedules);
    let mut macs = [[0; 16]; N];
    for lane in 0..N {
        macs[lane] = first_16(digests[lane]);
    }
    macs
}

/// Compresses one block per lane, all from the same state.
#[expect(clippy::needless_range_loop, reason = "other loops became calls")]
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn compress<const N: usize>(start: State, mut schedules: [Schedule; N]) -> [State; N] {
    let mut states = [start; N];
    for at in 0..4 {
        for lane in 0..N {
            states[lane] = four_rounds(states[lane], schedules[lane][at], at);
        }
    }
    for sixteen in [4, 8, 12] {
        for at in 0..4 {
            for lane in 0..N {
                let words = next_words(&schedules[lane], at);
                schedules[lane][at] = words;
                states[lane] = four_rounds(states[lane], words, sixteen + at);
            }
        }
    }
    for state in &mut states {
        state.abef = _mm_add_epi32(state.abef, start.abef);
        state.cdgh = _mm_add_epi32(state.cdgh, start.cdgh);
    }
    states
}

#[inline]
#[target_feature(enable = "sha,sse2")]
fn four_rounds(state: State, words: __m128i, at: usize) -> State {
    let [k0, k1, k2, k3] = ROUND_CONSTANTS.as_chunks::<4>().0[at].map(u32::cast_signed);
    let first_two = _mm_add_epi32(words, _mm_set_epi32(k3, k2, k1, k0));
    let last_two = _mm_shuffle_epi32(first_two, 0x0e);
    // Two rounds turn abef into cdgh, and give the new abef.
    let middle = _mm_sha256rnds2_epu32(state.cdgh, state.abef, first_two);
    State {
        abef: _mm_sha256rnds2_epu32(state.abef, middle, last_two),
        cdgh: middle,
    }
}

/// The four message words that replace the oldest ones, which are at `at`.
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn next_words(schedule: &Schedule, at: usize) -> __m128i {
    let oldest = schedule[at];
    let second = schedule[(at + 1) % 4];
    let third = schedule[(at + 2) % 4];
    let newest = schedule[(at + 3) % 4];
    let sums = _mm_add_epi32(
        _mm_sha256msg1_epu32(oldest, second),
        _mm_alignr_epi8(newest, third, 4),
    );
    _mm_sha256msg2_epu32(sums, newest)
}

#[inline]
#[target_feature(enable = "sse2,ssse3,sse4.1")]
fn load_state(state: &[u32; 8]) -> State {
    let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
    State {
        abef: _mm_set_epi32(a, b, e, f),
        cdgh: _mm_set_epi32(c, d, g, h),
    }
}

#[inline]
#[target_feature(enable = "sse2,ssse3")]
fn load_block(block: &Block) -> Schedule {
    let mut schedule = [_mm_set_epi32(0, 0, 0, 0); 4];
    let (quarters, _) = block.as_chunks::<16>();
    for (words, bytes) in schedule.iter_mut().zip(quarters) {
        let both = u128::from_le_bytes(*bytes);
        let (high, low) = ((both >> 64) as i64, both as i64);
        *words = swap_bytes(_mm_set_epi64x(high, low));
    }
    schedule
}

/// The last block of an outer hash: a digest, its padding, and the length of the key block and itself.
#[inline]
#[target_feature(enable = "sse2,ssse3,sse4.1")]
fn digest_block(digest: State) -> Schedule {
    let feba = _mm_shuffle_epi32(digest.abef, 0x1b);
    let dchg = _mm_shuffle_epi32(digest.cdgh, 0xb1);
    [
        _mm_blend_epi16(feba, dchg, 0xf0),
        _mm_alignr_epi8(dchg, feba, 8),
        _mm_set_epi32(0, 0, 0, 0x8000_0000_u32.cast_signed()),
        _mm_set_epi32((64 + 32) * 8, 0, 0, 0),
    ]
}

#[inline]
#[target_feature(enable = "sse2,ssse3,sse4.1")]
fn first_16(digest: State) -> Mac16 {
    let [dcba, ..] = digest_block(digest);
    let bytes = swap_bytes(dcba);
    let mut first = [0; 16];
    let (halves, _) = first.as_chunks_mut::<8>();
    halves[0] = _mm_cvtsi128_si64(bytes).to_le_bytes();
    halves[1] = _mm_extract_epi64(bytes, 1).to_le_bytes();
    first
}

/// Turns each of four words from big-endian to little-endian or back.
#[inline]
#[target_feature(enable = "sse2,ssse3")]
fn swap_bytes(words: __m128i) -> __m128i {
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm_shuffle_epi8(words, order)
}
