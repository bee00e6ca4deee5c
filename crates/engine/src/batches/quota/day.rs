//! What a source has submitted to a chain on one UTC day.

use std::collections::BTreeMap;

use siphasher::sip::SipHasher24;
use sluis_domain::NamespaceId;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_ledger::days::{Days, Run};

use super::sketch::Sketch;

const FORMAT: u8 = 2;
/// Runs of days that are kept of a source ([`sluis_ledger::days`]): the present one, and two that a clock that jumped may
/// come back to.
const RUNS: usize = 3;

/// What is kept of a source.
///
/// | stored | bytes |
/// |---|---|
/// | format | 1: `0x02` |
/// | last day that was forgotten | 4: UTC days since 1970-01-01 |
/// | number of runs | 1 |
/// | each, ascending | first day, 4; counts of its last day: see [`Day`] |
pub(super) type SourceDays = Days<Day, RUNS>;

/// As stored.
pub(super) fn encode(days: &SourceDays) -> Vec<u8> {
    let mut out = Writer::new(FORMAT);
    out.u32(days.floor());
    out.u8(u8::try_from(days.runs().len()).expect("there are at most three"));
    for run in days.runs() {
        out.u32(run.first);
        run.count.write(&mut out);
    }
    out.finish()
}

/// From stored bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<SourceDays, DecodeError> {
    let mut input = Reader::new(bytes, FORMAT)?;
    let floor = input.u32()?;
    let mut runs = Vec::new();
    for _ in 0..input.u8()? {
        let first = input.u32()?;
        let count = Day::read(&mut input)?;
        runs.push(Run {
            first,
            day: count.number,
            count,
        });
    }
    input.end()?;
    SourceDays::from_runs(floor, runs).ok_or(DecodeError)
}

/// The counts of one day.
///
/// | stored | bytes |
/// |---|---|
/// | day | 4: UTC days since 1970-01-01 |
/// | rows, rejected | 8 + 8 |
/// | key | 16: random, made for this day |
/// | number of namespaces | 2 |
/// | each, ascending | LP namespace, sketch: see [`Sketch`] |
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) number: u32,
    /// Rows with identifiers.
    pub(super) rows: u64,
    /// Rows with a refused identifier.
    pub(super) rejected: u64,
    /// Nowhere but here, so that the counted hashes of two days have nothing in common, and the ones of a day that is
    /// over mean nothing.
    key: [u8; 16],
    /// By namespace: one person who is presented by two kinds of identifier is one subject of each.
    subjects: BTreeMap<NamespaceId, Sketch>,
}

impl Day {
    pub(super) fn begin(number: u32) -> Self {
        Self {
            number,
            rows: 0,
            rejected: 0,
            key: sluis_crypto::random::bytes(),
            subjects: BTreeMap::new(),
        }
    }

    /// Counts rows, and the subjects with these keyed hashes.
    pub(super) fn add(&mut self, rows: u64, rejected: u64, subjects: &[(NamespaceId, Vec<u64>)]) {
        self.rows = self.rows.saturating_add(rows);
        self.rejected = self.rejected.saturating_add(rejected);
        let hasher = SipHasher24::new_with_key(&self.key);
        for (namespace, hashes) in subjects {
            let sketch = self
                .subjects
                .entry(namespace.clone())
                .or_insert_with(Sketch::empty);
            hashes
                .iter()
                .for_each(|subject| sketch.insert(hasher.hash(&subject.to_be_bytes())));
        }
    }

    /// Number of different subjects, in the namespace that has most of them.
    pub(super) fn subjects(&self) -> u64 {
        self.subjects.values().map(Sketch::count).max().unwrap_or(0)
    }

    fn write(&self, out: &mut Writer) {
        out.u32(self.number)
            .u64(self.rows)
            .u64(self.rejected)
            .fixed(&self.key);
        out.u16(u16::try_from(self.subjects.len()).expect("a chain has few namespaces"));
        for (namespace, sketch) in &self.subjects {
            out.lp(namespace.as_str());
            sketch.write(out);
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut day = Self {
            number: input.u32()?,
            rows: input.u64()?,
            rejected: input.u64()?,
            key: input.array()?,
            subjects: BTreeMap::new(),
        };
        for _ in 0..input.u16()? {
            let namespace: NamespaceId = input.parse()?;
            let ascends = day
                .subjects
                .last_key_value()
                .is_none_or(|(last, _)| *last < namespace);
            if !ascends {
                return Err(DecodeError);
            }
            day.subjects.insert(namespace, Sketch::read(input)?);
        }
        if day.rejected <= day.rows {
            Ok(day)
        } else {
            Err(DecodeError)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl std::fmt::Debug for Day {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Day(..)")
        }
    }

    fn kept(day: Day) -> SourceDays {
        let mut days = SourceDays::default();
        days.set(day.number, day);
        days
    }

    fn namespace(id: &str) -> NamespaceId {
        id.parse().expect("an id")
    }

    #[test]
    fn the_same_subjects_of_two_days_have_nothing_in_common() {
        let mut days = [Day::begin(1), Day::begin(1)];
        days.iter_mut()
            .for_each(|day| day.add(3, 0, &[(namespace("n"), vec![1, 2, 3])]));
        assert_eq!(days[0].subjects(), 3);
        assert_ne!(
            days[0].subjects[&namespace("n")],
            days[1].subjects[&namespace("n")]
        );
    }

    #[test]
    fn two_kinds_of_identifier_of_the_same_people_do_not_add_up() {
        let mut day = Day::begin(1);
        day.add(
            3,
            0,
            &[
                (namespace("nl.bsn"), vec![1, 2, 3]),
                (namespace("e-mail"), vec![4, 5]),
            ],
        );
        assert_eq!(day.subjects(), 3);
    }

    #[test]
    fn stored_bytes_are_frozen() {
        let day = Day {
            number: 0x0102,
            rows: 3,
            rejected: 2,
            key: [9; 16],
            subjects: [(namespace("n"), Sketch::Exact(vec![7]))].into(),
        };
        let expected = [
            &b"\x02\0\0\0\0\x01\0\0\x01\x01\0\0\x01\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x02"[..],
            &[9; 16],
            b"\0\x01\0\x01n\x01\0\x01\0\0\0\0\0\0\0\x07",
        ];
        assert_eq!(encode(&kept(day)), expected.concat());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_nothing_shorter_or_longer(
            number in 1..u32::MAX, rows in 0..u64::MAX, subjects in prop::collection::vec(any::<u64>(), 0..700)
        ) {
            let mut day = Day::begin(number);
            day.add(rows, rows / 2, &[(namespace("n"), subjects)]);
            let days = kept(day);
            let stored = encode(&days);
            prop_assert_eq!(decode(&stored), Ok(days));
            prop_assert_eq!(decode(&stored[..stored.len() - 1]), Err(DecodeError));
            prop_assert_eq!(decode(&[&stored[..], &[0]].concat()), Err(DecodeError));
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_have_one_encoding(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() { *first = FORMAT; }
            if let Ok(days) = decode(&bytes) { prop_assert_eq!(encode(&days), bytes); }
        }
    }
}
