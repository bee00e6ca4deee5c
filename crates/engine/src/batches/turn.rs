//! The order in which the batches of a stream count.
//!
//! Batches of one stream are worked out side by side. What each takes from its grant must not depend on which is ready
//! first: a batch waits for the one before it before it counts, and does not count when that one was refused.

use std::sync::mpsc::{self, Receiver, Sender};

use sluis_domain::Reason;

/// Gives the batches of one stream their turns.
#[derive(Debug, Default)]
pub struct Turns(Option<Receiver<Step>>);

impl Turns {
    /// The turn of the next batch. Turns must be taken up in the order in which they were given, or by as many threads
    /// as there are turns: each waits for the one before it.
    pub fn give(&mut self) -> Turn {
        let (next, after) = mpsc::channel();
        Turn {
            before: self.0.replace(after),
            next,
        }
    }
}

/// One batch's turn. Dropped before the batch has counted, it refuses all turns after it.
#[derive(Debug)]
pub struct Turn {
    before: Option<Receiver<Step>>,
    next: Sender<Step>,
}

/// What a batch tells the one after it. Two steps, because a batch that waits may hold up a change of the registry, and
/// a change that waits holds up every batch that has not begun: no one may wait for one that has not.
#[derive(Debug)]
enum Step {
    Begun,
    Counted,
}

impl Turn {
    /// Waits until the batch before has begun, and begins: `hold` takes what is held while the batch is worked out.
    pub(crate) fn begin<T>(&self, hold: impl FnOnce() -> T) -> Result<T, Reason> {
        self.wait()?;
        let held = hold();
        self.tell(Step::Begun);
        Ok(held)
    }

    /// Waits until the batch before has counted or was refused. To be called once, after [`Self::begin`].
    pub(crate) fn wait(&self) -> Result<(), Reason> {
        match &self.before {
            None => Ok(()),
            Some(before) => before.recv().map(drop).map_err(|_| Reason::StreamRefused),
        }
    }

    /// The batch has counted.
    pub(crate) fn end(self) {
        self.tell(Step::Counted);
    }

    fn tell(&self, step: Step) {
        // No one hears it behind the last batch.
        drop(self.next.send(step));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::*;

    /// Plays a turn and says whether it counted.
    fn play(turn: Turn, refused: bool, counted: impl FnOnce()) -> Result<(), Reason> {
        turn.begin(|| ())?;
        turn.wait()?;
        if refused {
            return Err(Reason::GrantExhausted);
        }
        counted();
        turn.end();
        Ok(())
    }

    #[test]
    fn whoever_comes_first_they_count_in_order() {
        let mut turns = Turns::default();
        let given: Vec<Turn> = (0..16).map(|_| turns.give()).collect();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for (number, turn) in given.into_iter().enumerate().rev() {
                let order = &order;
                scope
                    .spawn(move || play(turn, false, || order.lock().expect("whole").push(number)));
            }
        });
        assert_eq!(
            order.into_inner().expect("whole"),
            (0..16).collect::<Vec<_>>()
        );
    }

    #[test]
    fn none_counts_after_one_that_was_refused_or_dropped() {
        let mut turns = Turns::default();
        assert_eq!(play(turns.give(), false, || ()), Ok(()));
        assert_eq!(play(turns.give(), true, || ()), Err(Reason::GrantExhausted));
        assert_eq!(play(turns.give(), false, || ()), Err(Reason::StreamRefused));
        assert_eq!(play(turns.give(), false, || ()), Err(Reason::StreamRefused));
        let mut turns = Turns::default();
        drop(turns.give());
        assert_eq!(play(turns.give(), false, || ()), Err(Reason::StreamRefused));
    }

    #[test]
    fn a_batch_begins_when_the_one_before_has_begun_and_not_before() {
        let mut turns = Turns::default();
        let (first, second) = (turns.give(), turns.give());
        let order = Mutex::new(Vec::new());
        let noting = |name| order.lock().expect("whole").push(name);
        let second = thread::scope(|scope| {
            let later = scope.spawn(|| second.begin(|| noting("second")).map(|()| second));
            first.begin(|| noting("first")).expect("the first");
            later
                .join()
                .expect("no panic")
                .expect("the first has begun, if not counted")
        });
        assert_eq!(order.into_inner().expect("whole"), ["first", "second"]);
        drop(first);
        assert_eq!(second.wait(), Err(Reason::StreamRefused));
    }
}
