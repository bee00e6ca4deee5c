//! SHAKE-128 (FIPS 202), only as the deterministic source and the hash of C2SP's accumulated test.

const RATE: usize = 168;

/// Write, then read; no writing after the first read.
#[derive(Default)]
pub(super) struct Shake128 {
    lanes: [u64; 25],
    at: usize,
    reading: bool,
}

impl Shake128 {
    pub(super) fn write(&mut self, data: &[u8]) {
        for byte in data {
            self.xor(self.at, *byte);
            self.advance();
        }
    }

    pub(super) fn read(&mut self, length: usize) -> Vec<u8> {
        if !self.reading {
            self.xor(self.at, 0x1f);
            self.xor(RATE - 1, 0x80);
            permute(&mut self.lanes);
            (self.at, self.reading) = (0, true);
        }
        let next = |_| {
            if self.at == RATE {
                permute(&mut self.lanes);
                self.at = 0;
            }
            let byte = self.lanes[self.at / 8].to_le_bytes()[self.at % 8];
            self.at += 1;
            byte
        };
        (0..length).map(next).collect()
    }

    fn xor(&mut self, at: usize, byte: u8) {
        self.lanes[at / 8] ^= u64::from(byte) << (8 * (at % 8));
    }

    fn advance(&mut self) {
        self.at += 1;
        if self.at == RATE {
            permute(&mut self.lanes);
            self.at = 0;
        }
    }
}

/// Keccak-f[1600]; the rotations and round constants are computed as FIPS 202 sections 3.2.2 and 3.2.5 define them.
fn permute(a: &mut [u64; 25]) {
    let mut lfsr = 1u8;
    for _ in 0..24 {
        let column = |a: &[u64; 25], x: usize| (0..5).fold(0, |sum, y| sum ^ a[x + 5 * y]);
        let columns: [u64; 5] = std::array::from_fn(|x| column(a, x));
        for (i, lane) in a.iter_mut().enumerate() {
            *lane ^= columns[(i + 4) % 5] ^ columns[(i % 5 + 1) % 5].rotate_left(1);
        }
        let (mut x, mut y, mut moved) = (1, 0, a[1]);
        for t in 0..24u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            moved = std::mem::replace(
                &mut a[x + 5 * y],
                moved.rotate_left((t + 1) * (t + 2) / 2 % 64),
            );
        }
        for row in a.as_chunks_mut::<5>().0 {
            let old = *row;
            for x in 0..5 {
                row[x] = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]);
            }
        }
        for j in 0..7 {
            a[0] ^= u64::from(lfsr & 1) << ((1 << j) - 1);
            lfsr = (lfsr << 1) ^ if lfsr & 0x80 != 0 { 0x71 } else { 0 };
        }
    }
}

#[test]
fn the_stream_of_nothing_starts_as_c2sp_says() {
    let start = data_encoding::HEXLOWER.encode(&Shake128::default().read(16));
    assert_eq!(start, "7f9c2ba4e88f827d616045507605853e");
}
