//! HMAC-SHA-256 of sixteen short messages at once: each word of a register belongs to another message.
//!
//! The processor rotates words, and combines three of them, in one instruction; that makes these lanes faster than its SHA
//! instructions. The functions of this module are compiled with the instructions, so they are called only from each other.

use core::arch::x86_64::{
    __m128i, __m512i, _mm_cvtsi128_si64, _mm_extract_epi64, _mm512_add_epi32,
    _mm512_extracti32x4_epi32, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_setr_epi64,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32,
    _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::{Block, Mac16, ROUND_CONSTANTS};

/// Messages taken at once.
pub(super) const LANES: usize = 16;

/// Truth tables of three bits.
const XOR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

/// Proof that this processor has the instructions used here.
#[derive(Clone, Copy)]
pub(crate) struct Instructions(());

impl Instructions {
    /// Asks the processor; the standard library keeps the answer.
    #[inline]
    pub(super) fn detected() -> Option<Self> {
        let detected = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        detected.then_some(Self(()))
    }

    /// `HMAC(key, message)[..16]` of each message. `inner` and `outer` are the states after the key blocks.
    #[inline]
    pub(super) fn hmac_16(
        self,
        inner: &[u32; 8],
        outer: &[u32; 8],
        blocks: &[Block; LANES],
        macs: &mut [Mac16; LANES],
    ) {
        // SAFETY: `self` exists, so `detected` found every feature that the function enables.
        #[expect(unsafe_code, reason = "the one call after the run-time check")]
        unsafe {
            hmac_16(inner, outer, blocks, macs)
        }
    }
}

/// One word of each message.
type Word = __m512i;

#[target_feature(enable = "avx512f,avx512bw")]
fn hmac_16(inner: &[u32; 8], outer: &[u32; 8], blocks: &[Block; LANES], macs: &mut [Mac16; LANES]) {
    let digest = compress(inner, words_of(blocks));
    let mut block = [_mm512_setzero_si512(); 16];
    block[..8].copy_from_slice(&digest);
    block[8] = _mm512_set1_epi32(0x8000_0000_u32.cast_signed());
    block[15] = _mm512_set1_epi32((64 + 32) * 8);
    let [a, b, c, d, ..] = compress(outer, block);
    write_first_16([a, b, c, d], macs);
}

/// Compresses one block of each message, all from the same state.
#[inline]
#[target_feature(enable = "avx512f")]
fn compress(start: &[u32; 8], mut words: [Word; 16]) -> [Word; 8] {
    let mut start_words = [_mm512_setzero_si512(); 8];
    for (word, value) in start_words.iter_mut().zip(start) {
        *word = _mm512_set1_epi32(value.cast_signed());
    }
    let mut state = start_words;
    let (sixteens, _) = ROUND_CONSTANTS.as_chunks::<16>();
    for (at, constants) in sixteens.iter().enumerate() {
        if at > 0 {
            for at in 0..16 {
                words[at] = next_word(&words, at);
            }
        }
        let (word_halves, _) = words.as_chunks::<8>();
        let (constant_halves, _) = constants.as_chunks::<8>();
        for (words, constants) in word_halves.iter().zip(constant_halves) {
            state = eight_rounds(state, words, constants);
        }
    }
    for (word, start) in state.iter_mut().zip(start_words) {
        *word = _mm512_add_epi32(*word, start);
    }
    state
}

/// After eight rounds each word is in its place again.
#[inline]
#[target_feature(enable = "avx512f")]
fn eight_rounds(state: [Word; 8], words: &[Word; 8], constants: &[u32; 8]) -> [Word; 8] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
    (d, h) = round([a, b, c, d, e, f, g, h], words[0], constants[0]);
    (c, g) = round([h, a, b, c, d, e, f, g], words[1], constants[1]);
    (b, f) = round([g, h, a, b, c, d, e, f], words[2], constants[2]);
    (a, e) = round([f, g, h, a, b, c, d, e], words[3], constants[3]);
    (h, d) = round([e, f, g, h, a, b, c, d], words[4], constants[4]);
    (g, c) = round([d, e, f, g, h, a, b, c], words[5], constants[5]);
    (f, b) = round([c, d, e, f, g, h, a, b], words[6], constants[6]);
    (e, a) = round([b, c, d, e, f, g, h, a], words[7], constants[7]);
    [a, b, c, d, e, f, g, h]
}

/// FIPS 180-4 section 6.2.2, step 3: the words that replace the fourth and the last one of the state.
#[inline]
#[target_feature(enable = "avx512f")]
fn round([a, b, c, d, e, f, g, h]: [Word; 8], word: Word, constant: u32) -> (Word, Word) {
    let constant = _mm512_set1_epi32(constant.cast_signed());
    let chosen = _mm512_ternarylogic_epi32::<CHOOSE>(e, f, g);
    let majority = _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c);
    let rotated_e = _mm512_ternarylogic_epi32::<XOR>(
        _mm512_ror_epi32::<6>(e),
        _mm512_ror_epi32::<11>(e),
        _mm512_ror_epi32::<25>(e),
    );
    let rotated_a = _mm512_ternarylogic_epi32::<XOR>(
        _mm512_ror_epi32::<2>(a),
        _mm512_ror_epi32::<13>(a),
        _mm512_ror_epi32::<22>(a),
    );
    let known_early = _mm512_add_epi32(_mm512_add_epi32(word, constant), h);
    let first = _mm512_add_epi32(_mm512_add_epi32(known_early, chosen), rotated_e);
    (
        _mm512_add_epi32(d, first),
        _mm512_add_epi32(first, _mm512_add_epi32(rotated_a, majority)),
    )
}

/// The message word that replaces the oldest one, which is at `at`.
#[inline]
#[target_feature(enable = "avx512f")]
fn next_word(words: &[Word; 16], at: usize) -> Word {
    let second = words[(at + 1) % 16];
    let newest_but_one = words[(at + 14) % 16];
    let small_0 = _mm512_ternarylogic_epi32::<XOR>(
        _mm512_ror_epi32::<7>(second),
        _mm512_ror_epi32::<18>(second),
        _mm512_srli_epi32::<3>(second),
    );
    let small_1 = _mm512_ternarylogic_epi32::<XOR>(
        _mm512_ror_epi32::<17>(newest_but_one),
        _mm512_ror_epi32::<19>(newest_but_one),
        _mm512_srli_epi32::<10>(newest_but_one),
    );
    _mm512_add_epi32(
        _mm512_add_epi32(words[at], words[(at + 9) % 16]),
        _mm512_add_epi32(small_0, small_1),
    )
}

/// The sixteen words of sixteen blocks: a transposition.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn words_of(blocks: &[Block; LANES]) -> [Word; 16] {
    let mut rows = [_mm512_setzero_si512(); 16];
    for (row, block) in rows.iter_mut().zip(blocks) {
        *row = swap_bytes(load(block));
    }
    // Four registers with the same four words of four messages each, for each four words.
    let mut fours = [_mm512_setzero_si512(); 16];
    let (four_rows, _) = rows.as_chunks::<4>();
    for (at, four_rows) in four_rows.iter().enumerate() {
        for (word, four) in transpose_4(*four_rows).into_iter().enumerate() {
            fours[4 * word + at] = four;
        }
    }
    let mut words = [_mm512_setzero_si512(); 16];
    let (messages, _) = fours.as_chunks::<4>();
    for (at, [m0, m1, m2, m3]) in messages.iter().enumerate() {
        // Quarters 0 and 2, and 1 and 3, of two registers.
        let low_even = _mm512_shuffle_i32x4::<0b10_00_10_00>(*m0, *m1);
        let low_odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(*m0, *m1);
        let high_even = _mm512_shuffle_i32x4::<0b10_00_10_00>(*m2, *m3);
        let high_odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(*m2, *m3);
        words[at] = _mm512_shuffle_i32x4::<0b10_00_10_00>(low_even, high_even);
        words[4 + at] = _mm512_shuffle_i32x4::<0b10_00_10_00>(low_odd, high_odd);
        words[8 + at] = _mm512_shuffle_i32x4::<0b11_01_11_01>(low_even, high_even);
        words[12 + at] = _mm512_shuffle_i32x4::<0b11_01_11_01>(low_odd, high_odd);
    }
    words
}

/// In each quarter, a transposition of four rows of four words.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_4([r0, r1, r2, r3]: [Word; 4]) -> [Word; 4] {
    let (low_01, high_01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
    let (low_23, high_23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
    [
        _mm512_unpacklo_epi64(low_01, low_23),
        _mm512_unpackhi_epi64(low_01, low_23),
        _mm512_unpacklo_epi64(high_01, high_23),
        _mm512_unpackhi_epi64(high_01, high_23),
    ]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(block: &Block) -> __m512i {
    let (eights, _) = block.as_chunks::<8>();
    let at = |i: usize| i64::from_le_bytes(eights[i]);
    _mm512_setr_epi64(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7))
}

/// The first four words of each digest, as bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn write_first_16(words: [Word; 4], macs: &mut [Mac16; LANES]) {
    for (at, four) in transpose_4(words).into_iter().enumerate() {
        let four = swap_bytes(four);
        // Quarter q is message 4q + at.
        macs[at] = bytes_of(_mm512_extracti32x4_epi32::<0>(four));
        macs[4 + at] = bytes_of(_mm512_extracti32x4_epi32::<1>(four));
        macs[8 + at] = bytes_of(_mm512_extracti32x4_epi32::<2>(four));
        macs[12 + at] = bytes_of(_mm512_extracti32x4_epi32::<3>(four));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn bytes_of(quarter: __m128i) -> Mac16 {
    let mut bytes = [0; 16];
    let (halves, _) = bytes.as_chunks_mut::<8>();
    halves[0] = _mm_cvtsi128_si64(quarter).to_le_bytes();
    halves[1] = _mm_extract_epi64::<1>(quarter).to_le_bytes();
    bytes
}

/// Turns each word from big-endian to little-endian or back.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn swap_bytes(words: __m512i) -> __m512i {
    let order = _mm512_setr_epi64(
        0x0405_0607_0001_0203,
        0x0c0d_0e0f_0809_0a0b,
        0x0405_0607_0001_0203,
        0x0c0d_0e0f_0809_0a0b,
        0x0405_0607_0001_0203,
        0x0c0d_0e0f_0809_0a0b,
        0x0405_0607_0001_0203,
        0x0c0d_0e0f_0809_0a0b,
    );
    _mm512_shuffle_epi8(words, order)
}
