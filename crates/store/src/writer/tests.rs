//! The grouping, on a backend that can be held and that can fail.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};

use sluis_port::store::{PackedRows, Write};

use super::*;
use crate::Options;

type Rows = BTreeMap<(u8, Vec<u8>), Vec<u8>>;
type Numbered = (u32, Result<Receipt, StoreError>);

/// Remembers what was written, group by group.
#[derive(Default)]
struct Fake {
    rows: Mutex<Rows>,
    groups: Mutex<Vec<usize>>,
    /// The write of this number (from 1) fails.
    fails: Mutex<usize>,
    /// Nothing can be made ready.
    unprepared: Mutex<bool>,
    /// What [`Backend::ready`] says.
    refuses: Mutex<Option<StoreError>>,
    held: Mutex<bool>,
    /// What is held hangs here.
    hangs: Mutex<Place>,
    released: Condvar,
    /// Reading this key panics.
    panics: Mutex<Option<Vec<u8>>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    Read,
    #[default]
    Write,
    Mark,
}

impl Fake {
    fn wait_at(&self, place: Place) {
        if *self.hangs.lock().unwrap() == place {
            let held = self.held.lock().unwrap();
            drop(self.released.wait_while(held, |held| *held).unwrap());
        }
    }

    fn hold(&self) {
        *self.held.lock().unwrap() = true;
    }

    fn release(&self) {
        *self.held.lock().unwrap() = false;
        self.released.notify_all();
    }

    fn apply(&self, write: &Write) {
        let (mut rows, key) = (
            self.rows.lock().unwrap(),
            (write.family as u8, write.key.clone()),
        );
        match &write.value {
            Some(value) => rows.insert(key, value.clone()),
            None => rows.remove(&key),
        };
    }
}

impl Backend for Arc<Fake> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let panics = self.panics.lock().unwrap().as_deref() == Some(key);
        assert!(!panics, "broken on purpose");
        self.wait_at(Place::Read);
        Ok(self
            .rows
            .lock()
            .unwrap()
            .get(&(family as u8, key.to_vec()))
            .cloned())
    }

    fn ready(&self) -> Result<(), StoreError> {
        self.refuses.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn mark(&self, _: u64) {
        self.wait_at(Place::Mark);
    }

    fn acknowledge(&self, _: u64) {}

    type Prepared<'a> = ();

    fn prepare(&self, _: &[Placed]) -> Result<(), StoreError> {
        match *self.unprepared.lock().unwrap() {
            true => Err(StoreError::Full("no room for a table".into())),
            false => Ok(()),
        }
    }

    fn write(&self, group: &[Placed], (): ()) -> Result<(), StoreError> {
        self.wait_at(Place::Write);
        let mut groups = self.groups.lock().unwrap();
        groups.push(group.len());
        if groups.len() == *self.fails.lock().unwrap() {
            return Err(StoreError::Io("disk full".into()));
        }
        for placed in group {
            placed
                .commit
                .writes
                .iter()
                .for_each(|write| self.apply(write));
        }
        Ok(())
    }
}

/// A writer whose first group is held, so that all that is submitted next is one group.
fn held() -> (Arc<Fake>, Writer, Outcomes) {
    held_with(&Options::default())
}

fn held_with(options: &Options) -> (Arc<Fake>, Writer, Outcomes) {
    let fake = Arc::new(Fake::default());
    fake.hold();
    let writer = Writer::start(Arc::clone(&fake), 0, options, Arc::default()).unwrap();
    let (sender, receiver) = channel();
    let outcomes = Outcomes { sender, receiver };
    outcomes.submit(&writer, 0, Commit::default());
    // The writer has taken the first commit once the queue is empty again.
    while !writer.shared.queue.is_empty() {
        std::thread::yield_now();
    }
    (fake, writer, outcomes)
}

struct Outcomes {
    sender: Sender<Numbered>,
    receiver: Receiver<Numbered>,
}

impl Outcomes {
    fn submit(&self, writer: &Writer, number: u32, commit: Commit) {
        let sender = self.sender.clone();
        writer.submit(
            commit,
            Box::new(move |outcome| sender.send((number, outcome)).unwrap()),
        );
    }

    /// All outcomes, once the writer is gone.
    fn all(self) -> Vec<Numbered> {
        drop(self.sender);
        self.receiver.iter().collect()
    }
}

fn ok(first_entry: u64) -> Result<Receipt, StoreError> {
    Ok(Receipt { first_entry })
}

/// A counter that goes from one value to the next, with one audit entry.
fn step(from: Option<u8>, to: Option<u8>) -> Commit {
    let mut commit = Commit::default();
    commit
        .expect(Family::Grants, *b"counter", from.map(|n| vec![1, n]))
        .entry(vec![3]);
    let value = to.map(|n| vec![1, n]);
    commit.writes.push(Write {
        family: Family::Grants,
        key: b"counter".into(),
        value,
    });
    commit
}

#[test]
fn expectations_see_the_earlier_commits_of_the_group() {
    let (fake, writer, outcomes) = held();
    let steps = [
        (None, Some(1)),
        (Some(1), Some(2)),
        (Some(1), Some(3)),
        (Some(2), None),
        (Some(2), Some(4)),
        (None, Some(5)),
    ];
    for (number, (from, to)) in (1..).zip(steps) {
        outcomes.submit(&writer, number, step(from, to));
    }
    fake.release();
    drop(writer);
    let conflict = Err(StoreError::Conflict);
    let expected = [
        ok(0),
        ok(0),
        ok(1),
        conflict.clone(),
        ok(2),
        conflict,
        ok(3),
    ];
    assert_eq!(outcomes.all(), (0..).zip(expected).collect::<Vec<_>>());
    assert_eq!(
        *fake.groups.lock().unwrap(),
        [1, 4],
        "one write for the group"
    );
    assert_eq!(
        fake.rows.lock().unwrap().values().collect::<Vec<_>>(),
        [&[1, 5]]
    );
}

#[test]
fn expectations_see_bulk_rows_and_entries_of_the_group() {
    let (fake, writer, outcomes) = held();
    let (key, old, new) = ([7; 20], [1; 17], [[1; 1].as_slice(), &[9; 16]].concat());
    let mut rows = PackedRows::with_capacity(Family::Link, 20, 2, 74);
    for value in [&old[..], &new] {
        rows.push_with(|out| out.extend_from_slice(&[&key[..], value].concat()));
    }
    let mut first = Commit {
        rows: vec![rows],
        ..Commit::default()
    };
    first.entry(vec![3, 2]);
    let mut second = Commit::default();
    second.expect(Family::Link, key, Some(new)).expect(
        Family::Audit,
        rows::audit_key(0),
        Some(vec![3, 2]),
    );
    second.expect(Family::Audit, rows::audit_key(1), None);
    let mut third = Commit::default();
    third.expect(Family::Link, key, Some(old.into()));
    for (number, commit) in (1..).zip([first, second, third]) {
        outcomes.submit(&writer, number, commit);
    }
    fake.release();
    drop(writer);
    assert_eq!(
        outcomes.all(),
        [
            (0, ok(0)),
            (1, ok(0)),
            (2, ok(1)),
            (3, Err(StoreError::Conflict))
        ]
    );
}

#[test]
fn a_failed_write_fails_its_group_and_everything_after_it() {
    let (fake, writer, outcomes) = held();
    fake.release();
    assert_eq!(outcomes.receiver.recv().unwrap(), (0, ok(0)));
    *fake.fails.lock().unwrap() = 2;
    outcomes.submit(&writer, 1, step(None, Some(1)));
    let unknown = StoreError::Unknown("store I/O failed: disk full".into());
    assert_eq!(outcomes.receiver.recv().unwrap(), (1, Err(unknown)));
    let failed = StoreError::ReadOnly("store I/O failed: disk full".into());
    assert_eq!(writer.shared.trouble.writable(), Err(failed.clone()));
    outcomes.submit(&writer, 2, step(None, Some(1)));
    assert_eq!(outcomes.receiver.recv().unwrap(), (2, Err(failed)));
    assert_eq!(writer.next_entry(), 0);
    assert_eq!(
        *fake.groups.lock().unwrap(),
        [1, 1],
        "no write is tried after the failed one"
    );
}

#[test]
fn a_group_that_cannot_be_made_ready_is_refused_with_the_reason_and_the_next_one_is_written() {
    let (fake, writer, outcomes) = held();
    fake.release();
    assert_eq!(outcomes.receiver.recv().unwrap(), (0, ok(0)));
    *fake.unprepared.lock().unwrap() = true;
    outcomes.submit(&writer, 1, step(None, Some(1)));
    let full = StoreError::Full("no room for a table".into());
    assert_eq!(outcomes.receiver.recv().unwrap(), (1, Err(full)));
    *fake.unprepared.lock().unwrap() = false;
    outcomes.submit(&writer, 2, step(None, Some(1)));
    assert_eq!(outcomes.receiver.recv().unwrap(), (2, ok(0)));
    assert_eq!(*fake.groups.lock().unwrap(), [1, 1]);
}

#[test]
fn a_group_that_fails_takes_its_refusals_with_it() {
    let (fake, writer, outcomes) = held();
    outcomes.submit(&writer, 1, step(None, Some(1)));
    outcomes.submit(&writer, 2, step(None, Some(2)));
    *fake.fails.lock().unwrap() = 2;
    fake.release();
    drop(writer);
    let outcomes = outcomes.all();
    assert_eq!(outcomes[0], (0, ok(0)));
    assert!(
        matches!(
            &outcomes[1..],
            [
                (1, Err(StoreError::Unknown(_))),
                (2, Err(StoreError::ReadOnly(_)))
            ]
        ),
        "{outcomes:?}"
    );
}

#[test]
fn a_panicking_completion_does_not_stop_the_others() {
    let (fake, writer, outcomes) = held();
    writer.submit(
        Commit::default(),
        Box::new(|_| std::panic::resume_unwind(Box::new("on purpose"))),
    );
    outcomes.submit(&writer, 1, step(None, Some(1)));
    fake.release();
    drop(writer);
    assert_eq!(outcomes.all(), [(0, ok(0)), (1, ok(0))]);
}

#[test]
fn commits_that_do_not_fit_the_layout_are_refused_alone() {
    let (fake, writer, outcomes) = held();
    let mut audit = Commit::default();
    audit.put(Family::Audit, rows::audit_key(0), [1]);
    let mut format = Commit::default();
    format.put(Family::Grants, *b"g", [2]);
    let mut entry = Commit::default();
    entry.entry(vec![]);
    for (number, commit) in (1..).zip([audit, format, entry, step(None, Some(1))]) {
        outcomes.submit(&writer, number, commit);
    }
    fake.release();
    drop(writer);
    let outcomes = outcomes.all();
    assert!(
        outcomes[1..4]
            .iter()
            .all(|(_, outcome)| matches!(outcome, Err(StoreError::Corrupt(_)))),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[4], (4, ok(0)));
}

#[test]
fn a_read_that_panics_refuses_its_commit_and_the_writer_goes_on() {
    let (fake, writer, outcomes) = held();
    *fake.panics.lock().unwrap() = Some(b"broken".to_vec());
    let mut broken = Commit::default();
    broken.expect(Family::Meta, b"broken".to_vec(), None);
    outcomes.submit(&writer, 1, broken);
    let mut good = Commit::default();
    good.expect(Family::Meta, b"good".to_vec(), None);
    outcomes.submit(&writer, 2, good);
    fake.release();
    drop(writer);
    let outcomes = outcomes.all();
    assert_eq!(outcomes.len(), 3, "all are answered: {outcomes:?}");
    for (number, outcome) in outcomes {
        assert_eq!(outcome.is_err(), number == 1, "{number}: {outcome:?}");
    }
}

/// A limit that passes at once, so that a test waits for an event and not for time.
fn impatient() -> Options {
    Options {
        longest_write: Duration::ZERO,
        ..Options::default()
    }
}

#[test]
fn a_write_that_hangs_tells_its_callers_and_neither_holds_up_the_others_nor_the_end() {
    let (fake, writer, outcomes) = held_with(&impatient());
    outcomes.submit(&writer, 1, step(None, Some(1)));
    let first = outcomes.receiver.recv().unwrap();
    assert!(
        matches!(first, (0, Err(StoreError::Unknown(_)))),
        "{first:?}"
    );
    let second = outcomes.receiver.recv().unwrap();
    assert!(
        matches!(second, (1, Err(StoreError::Stalled(_)))),
        "{second:?}"
    );
    assert!(writer.shared.trouble.reopens());
    // The end does not wait for the write that hangs.
    drop(writer);
    assert_eq!(*fake.groups.lock().unwrap(), [] as [usize; 0]);
    fake.release();
    assert_eq!(outcomes.all(), [], "nobody is told twice");
}

#[test]
fn a_read_that_hangs_refuses_its_commit_of_which_nothing_is_written_ever() {
    let fake = Arc::new(Fake::default());
    *fake.hangs.lock().unwrap() = Place::Read;
    fake.hold();
    let options = Options {
        longest_stall: Duration::ZERO,
        ..impatient()
    };
    let writer = Writer::start(Arc::clone(&fake), 0, &options, Arc::default()).unwrap();
    let (sender, receiver) = channel();
    let outcomes = Outcomes { sender, receiver };
    for number in 0..2 {
        outcomes.submit(&writer, number, step(None, Some(1)));
        let refused = outcomes.receiver.recv().unwrap();
        assert!(
            matches!(&refused, (n, Err(StoreError::Stalled(_))) if *n == number),
            "{refused:?}"
        );
    }
    assert!(writer.shared.trouble.reopens());
    fake.release();
    drop(writer);
    // Those that were given up end by themselves.
    while Arc::strong_count(&fake) > 1 {
        std::thread::yield_now();
    }
    assert_eq!(outcomes.all(), [], "nobody is told twice");
    assert_eq!(*fake.groups.lock().unwrap(), [] as [usize; 0]);
}

#[test]
fn a_mark_that_hangs_after_the_write_leaves_the_outcome_unknown() {
    let fake = Arc::new(Fake::default());
    *fake.hangs.lock().unwrap() = Place::Mark;
    fake.hold();
    let writer = Writer::start(Arc::clone(&fake), 0, &impatient(), Arc::default()).unwrap();
    let (sender, receiver) = channel();
    let outcomes = Outcomes { sender, receiver };
    outcomes.submit(&writer, 0, step(None, Some(1)));
    let told = outcomes.receiver.recv().unwrap();
    assert!(matches!(told, (0, Err(StoreError::Unknown(_)))), "{told:?}");
    assert!(writer.shared.trouble.reopens());
    drop(writer);
    fake.release();
    assert_eq!(outcomes.all(), [], "nobody is told twice");
}

#[test]
fn a_full_disk_and_a_stall_refuse_what_was_not_tried_and_pass() {
    let (fake, writer, outcomes) = held_with(&Options {
        longest_stall: Duration::ZERO,
        ..Options::default()
    });
    fake.release();
    assert_eq!(outcomes.receiver.recv().unwrap(), (0, ok(0)));
    for trouble in [
        StoreError::Full("no room".into()),
        StoreError::Stalled("tables wait".into()),
    ] {
        *fake.refuses.lock().unwrap() = Some(trouble.clone());
        outcomes.submit(&writer, 1, step(None, Some(1)));
        let refused = (1, Err(trouble.clone()));
        assert_eq!(outcomes.receiver.recv().unwrap(), refused);
        assert_eq!(writer.shared.trouble.writable(), Err(trouble));
    }
    *fake.refuses.lock().unwrap() = None;
    outcomes.submit(&writer, 2, step(None, Some(1)));
    assert_eq!(outcomes.receiver.recv().unwrap(), (2, ok(0)));
    assert_eq!(writer.shared.trouble.writable(), Ok(()));
    assert_eq!(*fake.groups.lock().unwrap(), [1, 1]);
}

/// Counts the entries, if the row says how many come before them.
struct Counting;

impl LogEnd for Counting {
    fn after(&self, before: Option<&[u8]>, first: u64, entries: &[&[u8]]) -> Option<Vec<u8>> {
        let number: [u8; 8] = before?.get(1..)?.try_into().ok()?;
        let follows = u64::from_be_bytes(number) == first;
        follows.then(|| row(first + entries.len() as u64))
    }
}

fn row(entries: u64) -> Vec<u8> {
    [&[1][..], &entries.to_be_bytes()].concat()
}

#[test]
fn the_row_of_the_end_moves_on_from_what_its_own_group_makes_of_it() {
    let (fake, writer, outcomes) = held();
    let end: Arc<dyn LogEnd> = Arc::new(Counting);
    writer.protect_end(Arc::downgrade(&end));
    let mut start = Commit::default();
    start.put(Family::Meta, rows::META_LOG_END, row(0));
    outcomes.submit(&writer, 1, start);
    for number in 2..5 {
        let mut commit = Commit::default();
        commit.entry(vec![3]);
        outcomes.submit(&writer, number, commit);
    }
    // What protects the end lives until what was submitted is written.
    drop(end);
    fake.release();
    drop(writer);
    let rows = fake.rows.lock().unwrap();
    let key = (Family::Meta as u8, rows::META_LOG_END.to_vec());
    assert_eq!(rows.get(&key), Some(&row(3)));
    assert_eq!(outcomes.all().len(), 5);
}
