//! What a verifier tells and refuses nothing for: honest logs have it too, if seldom.

use sluis_domain::Timestamp;
use sluis_domain::codec::{DecodeError, Reader, Writer};

use crate::event::{Entry, Event, Header};

/// By how much an entry may be earlier than one before it, because acts go on beside each other and clocks are put right; and
/// how long acts may go on that began before the keyring was closed.
const SLACK_MILLIS: u64 = 10 * 60 * 1000;
/// How many entries in a row may have one and the same time.
const MOST_AT_ONCE: u64 = 256;

/// The custodian's clock went back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetBack {
    /// The entry that is earlier than one before it.
    pub entry: u64,
    /// By how much, in milliseconds.
    pub millis: u64,
}

/// The custodian's clock stood still.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoodStill {
    /// The first entry of that time.
    pub entry: u64,
    /// How many entries in a row have it.
    pub entries: u64,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    latest: Timestamp,
    /// The last time, the first entry that has it in a row, and how many do.
    still: (Timestamp, StoodStill),
    /// When the keyring was closed, while nothing opened it.
    sealed: Option<Timestamp>,
    pub(crate) set_back: Option<SetBack>,
    pub(crate) stood_still: Option<StoodStill>,
    pub(crate) while_sealed: Option<u64>,
}

impl Told {
    /// Appends what was seen, for [`crate::Ledger::save`].
    pub(crate) fn write(&self, out: &mut Writer) {
        let (still_at, still) = self.still;
        out.u64(self.latest.millis()).u64(still_at.millis());
        out.u64(still.entry).u64(still.entries);
        write_optional(out, self.sealed.map(|at| [at.millis(), 0]));
        write_optional(out, self.set_back.map(|back| [back.entry, back.millis]));
        write_optional(out, self.stood_still.map(|row| [row.entry, row.entries]));
        write_optional(out, self.while_sealed.map(|entry| [entry, 0]));
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let latest = timestamp(input.u64()?)?;
        let still_at = timestamp(input.u64()?)?;
        let still = StoodStill {
            entry: input.u64()?,
            entries: input.u64()?,
        };
        let sealed = read_optional(input)?.map(|[at, _]| timestamp(at));
        let set_back = read_optional(input)?.map(|[entry, millis]| SetBack { entry, millis });
        let stood_still =
            read_optional(input)?.map(|[entry, entries]| StoodStill { entry, entries });
        Ok(Self {
            latest,
            still: (still_at, still),
            sealed: sealed.transpose()?,
            set_back,
            stood_still,
            while_sealed: read_optional(input)?.map(|[entry, _]| entry),
        })
    }

    /// The latest time of an entry.
    pub(crate) fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Takes over the next entry.
    pub(crate) fn see(&mut self, sequence: u64, entry: &Entry) {
        self.see_time(sequence, entry.header.at);
        self.see_act(sequence, &entry.header, &entry.event);
    }

    fn see_time(&mut self, sequence: u64, at: Timestamp) {
        let millis = self.latest.millis().saturating_sub(at.millis());
        let furthest = self.set_back.is_none_or(|before| before.millis < millis);
        if millis > SLACK_MILLIS && furthest {
            self.set_back = Some(SetBack {
                entry: sequence,
                millis,
            });
        }
        self.latest = self.latest.max(at);
        let (last, row) = &mut self.still;
        if *last != at {
            *row = StoodStill {
                entry: sequence,
                entries: 0,
            };
        }
        *last = at;
        row.entries += 1;
        let longest = self
            .stood_still
            .is_none_or(|before| before.entries < row.entries);
        if row.entries > MOST_AT_ONCE && longest {
            self.stood_still = Some(*row);
        }
    }

    /// Acts that were on their way when the keyring was closed come behind that, so no entry is refused.
    fn see_act(&mut self, sequence: u64, header: &Header, event: &Event) {
        let since = self.sealed.map(|at| at.plus_millis(SLACK_MILLIS));
        match event {
            Event::Refused(_) => {}
            Event::Seal => self.sealed = Some(header.at),
            Event::Unseal(opening) if opening.presented == opening.needed => self.sealed = None,
            Event::Unseal(_) => {}
            _ if header.caller.is_some() && since.is_some_and(|since| header.at > since) => {
                self.while_sealed = self.while_sealed.or(Some(sequence));
            }
            _ => {}
        }
    }
}

fn timestamp(millis: u64) -> Result<Timestamp, DecodeError> {
    Timestamp::from_millis(millis).ok_or(DecodeError)
}

fn write_optional(out: &mut Writer, numbers: Option<[u64; 2]>) {
    let [first, second] = numbers.unwrap_or_default();
    out.u8(numbers.is_some().into()).u64(first).u64(second);
}

fn read_optional(input: &mut Reader<'_>) -> Result<Option<[u64; 2]>, DecodeError> {
    let there = input.u8()? == 1;
    let numbers = [input.u64()?, input.u64()?];
    Ok(there.then_some(numbers))
}
