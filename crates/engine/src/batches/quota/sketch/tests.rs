use proptest::prelude::*;
use siphasher::sip::SipHasher24;

use super::*;

/// Hashes of 0, 1, 2 ... under a seed.
fn hashes(seed: u64) -> impl Iterator<Item = u64> {
    let hasher = SipHasher24::new_with_keys(seed, 7);
    (0u64..).map(move |i| hasher.hash(&i.to_be_bytes()))
}

fn of(seed: u64, count: usize) -> Sketch {
    let mut sketch = Sketch::empty();
    hashes(seed)
        .take(count)
        .for_each(|hash| sketch.insert(hash));
    sketch
}

fn bytes(sketch: &Sketch) -> Vec<u8> {
    let mut out = Writer::default();
    sketch.write(&mut out);
    out.finish()
}

/// The reader takes the format byte off, so there is one before.
fn read(bytes: &[u8]) -> Result<Sketch, DecodeError> {
    let whole = [&[9], bytes].concat();
    let mut input = Reader::new(&whole, 9)?;
    let sketch = Sketch::read(&mut input)?;
    input.end()?;
    Ok(sketch)
}

#[test]
fn small_numbers_are_exact_and_repetitions_do_not_count() {
    for count in [0, 1, 2, 10, 100, EXACT] {
        let mut sketch = of(1, count);
        hashes(1).take(count).for_each(|hash| sketch.insert(hash));
        assert_eq!(sketch.count(), count as u64);
    }
}

#[test]
fn the_error_of_large_numbers_is_as_documented() {
    let (mut within_one, mut all) = (0, 0);
    for seed in 0..20 {
        for count in [EXACT + 1, 1_000, 3_000, 10_000, 30_000, 100_000] {
            let error = (of(seed, count).count() as f64 / count as f64 - 1.0).abs();
            assert!(error < 0.05, "{error} at {count}, seed {seed}");
            within_one += u32::from(error < 0.0163);
            all += 1;
        }
    }
    assert!(
        f64::from(within_one) / f64::from(all) > 0.6,
        "{within_one} of {all}"
    );
}

#[test]
fn a_hundred_thousand_are_counted_within_four_percent() {
    for seed in [11, 12, 13, 14] {
        assert!(of(seed, 100_000).count().abs_diff(100_000) < 4_000);
    }
}

#[test]
fn a_hash_without_a_bit_set_has_the_highest_rank() {
    let mut registers = [0; REGISTERS];
    set(&mut registers, 0);
    set(&mut registers, 0xfff0_0000_0000_0001);
    set(&mut registers, 0xffe8_0000_0000_0000);
    assert_eq!(
        (registers[0], registers[0xfff], registers[0xffe]),
        (MAX_RANK, MAX_RANK - 1, 1)
    );
}

#[test]
fn extremes_have_finite_counts() {
    let full = Sketch::Registers(Box::new([MAX_RANK; REGISTERS]));
    assert_eq!(full.count(), u64::MAX, "more than can be counted");
    assert_eq!(Sketch::Registers(Box::new([0; REGISTERS])).count(), 0);
}

#[test]
fn unsorted_repeated_too_many_or_impossible_contents_are_refused() {
    let exact = |hashes: &[u64]| {
        let mut out = Writer::default();
        out.u8(1).u16(hashes.len() as u16);
        for hash in hashes {
            out.u64(*hash);
        }
        out.finish()
    };
    assert_eq!(read(&exact(&[1, 2])), Ok(Sketch::Exact(vec![1, 2])));
    let too_many: Vec<u64> = (0..=EXACT as u64).collect();
    for bad in [&[2, 1][..], &[1, 1], &too_many] {
        assert_eq!(read(&exact(bad)), Err(DecodeError));
    }
    let mut registers = bytes(&of(1, 1_000));
    registers[1] = MAX_RANK + 1;
    assert_eq!(read(&registers), Err(DecodeError));
    assert_eq!(read(&[3]), Err(DecodeError));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(seed in any::<u64>(), count in 0..1_100usize) {
        let sketch = of(seed, count);
        let stored = bytes(&sketch);
        prop_assert_eq!(read(&stored), Ok(sketch));
        prop_assert_eq!(read(&stored[..stored.len() - 1]), Err(DecodeError));
        prop_assert_eq!(read(&[&stored[..], &[0]].concat()), Err(DecodeError));
    }

    #[test]
    fn the_order_does_not_matter(seed in any::<u64>(), count in 0..1_100usize, at in any::<prop::sample::Index>()) {
        let mut all: Vec<_> = hashes(seed).take(count).collect();
        if count > 0 { all.rotate_left(at.index(count)); }
        let mut turned = Sketch::empty();
        all.into_iter().for_each(|hash| turned.insert(hash));
        prop_assert_eq!(turned, of(seed, count));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_have_one_encoding(stored in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(sketch) = read(&stored) { prop_assert_eq!(bytes(&sketch), stored); }
    }
}
