//! The two passes over a batch: what values become, and what is written once it is known which rows are refused.

use std::ops::Range;

use sluis_crypto::date_shift::DateShiftKey;
use sluis_crypto::escrow::ROW_KEY_LEN;
use sluis_crypto::{LinkValue, Pseudonym};
use sluis_domain::date::Date;
use sluis_domain::generalise::Generaliser;
use sluis_domain::plausible::DateShift;
use sluis_domain::{Column, ColumnBuilder, ElementName, Reason, RecordBatch, WipedBuffer};
use sluis_keyring::ElementVersion;
use sluis_ledger::registry::LinkMode;
use sluis_port::{Commit, Family, PackedRows};

use super::plan::{Line, Step};
use crate::Refusal;
use crate::batches::rows::Refused;
use crate::batches::shuffle::random_order;
use crate::batches::tokens::{LINK_ROW_LEN, TokenWriter};
use crate::core::input::method_input;

/// The subjects of a pseudonym column and, in a reversible line, their normalised identifiers.
pub(super) struct Subjects {
    /// Which of those named each row's subject is; `None` for a row without one, or refused for it.
    of_rows: Vec<Option<usize>>,
    /// Everyone named, in the order of the rows; also those who are refused because they opted out.
    links: Vec<LinkValue>,
    /// One per link value.
    pseudonyms: Vec<Pseudonym>,
    /// One per link value in a reversible line; otherwise none.
    identifiers: Inputs,
}

impl Subjects {
    /// The subjects of the rows that have one and were not refused for it.
    pub(super) fn of_rows(&self) -> impl Iterator<Item = Option<&LinkValue>> {
        self.of_rows
            .iter()
            .map(|subject| subject.map(|subject| &self.links[subject]))
    }

    /// All that someone was named with. Those who opted out too, so that no count tells how many they are.
    pub(super) fn named(&self) -> impl Iterator<Item = &LinkValue> {
        self.links.iter()
    }

    fn link(&self, row: usize) -> Option<&LinkValue> {
        self.of_rows[row].map(|subject| &self.links[subject])
    }
}

/// The method's inputs of a column, one after the other.
#[derive(Default)]
struct Inputs {
    bytes: WipedBuffer,
    places: Vec<Range<usize>>,
    /// The row of each.
    rows: Vec<usize>,
}

impl Inputs {
    /// Reads a column; refuses the rows with a value that cannot be an identifier.
    fn read(line: &Line, index: usize, input: &Column, refused: &mut Refused) -> Self {
        let mut inputs = Self {
            bytes: WipedBuffer::with_capacity(input.data().len() + input.rows() + 256),
            places: Vec::with_capacity(input.rows()),
            rows: Vec::with_capacity(input.rows()),
        };
        for (row, value) in input.iter().enumerate() {
            let start = inputs.bytes.len();
            match method_input(&line.namespace, value, &mut inputs.bytes) {
                Ok(true) => {
                    inputs.places.push(start..inputs.bytes.len());
                    inputs.rows.push(row);
                }
                Ok(false) => {}
                Err(reason) => refused.refuse(row, index, reason),
            }
        }
        inputs
    }

    fn get(&self, at: usize) -> &[u8] {
        &self.bytes[self.places[at].clone()]
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.places.iter().map(|place| &self.bytes[place.clone()])
    }
}

/// What a column has become before the refused rows are known.
pub(super) enum Worked {
    Subjects(Subjects),
    Done(Column),
    /// Nothing yet: encryption waits for the refused rows, date shifts and imports for the subjects.
    Later,
}

/// Subjects come first, because date shifts need them.
pub(super) fn first_pass(
    steps: &[Step],
    batch: &RecordBatch,
    refused: &mut Refused,
) -> Vec<Worked> {
    let mut worked: Vec<_> = steps
        .iter()
        .zip(batch.columns())
        .enumerate()
        .map(|(index, (step, (_, input)))| match step {
            Step::Pseudonym(line) => Worked::Subjects(subjects(line, index, input, refused)),
            Step::Generalise(how) => Worked::Done(generalise(how, index, input, refused)),
            Step::Encrypt(_) | Step::DateShift { .. } | Step::Import => Worked::Later,
        })
        .collect();
    for (index, step) in steps.iter().enumerate() {
        if let Step::DateShift {
            subject,
            shift,
            key,
        } = step
            && let Worked::Subjects(subjects) = &worked[*subject]
        {
            let input = &batch.columns()[index].1;
            let shifted = shift_dates(input, subjects, key, shift, index, refused);
            worked[index] = Worked::Done(shifted);
        }
    }
    worked
}

fn subjects(line: &Line, index: usize, input: &Column, refused: &mut Refused) -> Subjects {
    let inputs = Inputs::read(line, index, input, refused);
    let link_key = if line.link.is_linked() {
        &*line.version.linked
    } else {
        &line.version.unlinked
    };
    let links = link_key.link_values(inputs.iter());
    let pseudonyms = line.version.pseudonym.pseudonyms(links.iter());
    let mut of_rows = vec![None; input.rows()];
    for (subject, (link, row)) in links.iter().zip(&inputs.rows).enumerate() {
        if has_opted_out(line, link, inputs.get(subject)) {
            refused.refuse(*row, index, Reason::OptedOut);
        } else {
            of_rows[*row] = Some(subject);
        }
    }
    let identifiers = if line.reversible {
        inputs
    } else {
        Inputs::default()
    };
    Subjects {
        of_rows,
        links,
        pseudonyms,
        identifiers,
    }
}

/// Whether a subject is refused: the mark is over the linked link value, whatever the line's own is.
fn has_opted_out(line: &Line, link: &LinkValue, x: &[u8]) -> bool {
    line.opt_outs.as_ref().is_some_and(|marks| {
        if line.link.is_linked() {
            marks.has(link)
        } else {
            marks.has_input(x)
        }
    })
}

fn generalise(how: &Generaliser, index: usize, input: &Column, refused: &mut Refused) -> Column {
    let mut output = ColumnBuilder::with_capacity(input.rows(), input.data().len());
    for (row, value) in input.iter().enumerate() {
        if let Err(reason) = output.try_push_with(|out| how.apply(value, out)) {
            refused.refuse(row, index, reason);
        }
    }
    output.finish()
}

fn shift_dates(
    input: &Column,
    subjects: &Subjects,
    key: &DateShiftKey,
    shift: &DateShift,
    index: usize,
    refused: &mut Refused,
) -> Column {
    let mut output = ColumnBuilder::with_capacity(input.rows(), input.data().len());
    for (row, value) in input.iter().enumerate() {
        let shifted = output.try_push_with(|out| {
            if value.is_empty() {
                return Ok(());
            }
            let date = Date::parse(value)?;
            if !shift.moves(date)? {
                date.write(out);
                return Ok(());
            }
            let link = subjects.link(row).ok_or(Reason::NoSubject)?;
            let days = key.days(link, shift.max_days);
            date.shift(days)?.write(out);
            Ok(())
        });
        if let Err(reason) = shifted {
            refused.refuse(row, index, reason);
        }
    }
    output.finish()
}

pub(super) fn tokens(line: &Line, subjects: &Subjects, refused: &Refused) -> Column {
    let rows = subjects.of_rows.len();
    let writer = TokenWriter::new(&line.version, line.carrier());
    let mut output = ColumnBuilder::with_capacity(rows, rows * writer.text_len());
    for (row, subject) in subjects.of_rows.iter().enumerate() {
        match subject {
            Some(subject) if !refused.is_refused(row) => {
                let pseudonym = &subjects.pseudonyms[*subject];
                let link = &subjects.links[*subject];
                output.push_with(|out| writer.write(pseudonym, link, out));
            }
            _ => output.push_missing(),
        }
    }
    output.finish()
}

/// Link rows, and identity rows of a reversible line.
pub(super) fn write_rows(
    line: &Line,
    subjects: &Subjects,
    refused: &Refused,
    commit: &mut Commit,
) -> Result<(), Refusal> {
    let Some(escrow) = line
        .version
        .escrow
        .as_ref()
        .filter(|_| line.link == LinkMode::Escrow)
    else {
        return Ok(());
    };
    let rows = subjects.of_rows.len();
    let mut links = PackedRows::with_capacity(Family::Link, ROW_KEY_LEN, rows, rows * LINK_ROW_LEN);
    let mut identities = PackedRows::with_capacity(Family::Identity, ROW_KEY_LEN, 0, 0);
    let mut sealer = line.reversible.then(|| escrow.identity_sealer());
    // Nonces count upwards within a batch: sealed in random order, they do not tell which subjects were neighbours.
    let order = if line.reversible {
        random_order(rows)?
    } else {
        (0..rows).collect()
    };
    for row in order {
        let Some(subject) = subjects.of_rows[row].filter(|_| !refused.is_refused(row)) else {
            continue;
        };
        let (pseudonym, link) = (&subjects.pseudonyms[subject], &subjects.links[subject]);
        let key = escrow.row_key(pseudonym);
        links.push_with(|out| {
            out.extend_from_slice(&key);
            out.extend_from_slice(&escrow.seal_link(pseudonym, link));
        });
        if let Some(sealer) = &mut sealer {
            let mut sealed = Ok(());
            identities.push_with(|out| {
                out.extend_from_slice(&key);
                let identifier = subjects.identifiers.get(subject);
                sealed = sealer.seal(line.namespace.id(), &key, identifier, out);
            });
            sealed.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        }
    }
    commit.rows.extend(
        [links, identities]
            .into_iter()
            .filter(|rows| !rows.is_empty()),
    );
    Ok(())
}

pub(super) fn encrypt(
    version: &ElementVersion,
    name: &ElementName,
    input: &Column,
    refused: &Refused,
) -> Result<Column, Refusal> {
    let mut sealer = version.key(name).sealer();
    let mut sealed = Vec::with_capacity(input.data().len() * 4 / 3 + input.rows() * 68);
    let mut places = vec![0..0; input.rows()];
    // Nonces count upwards within a batch: sealed in random order, they do not tell the order of the rows.
    for row in random_order(input.rows())? {
        let value = input.get(row);
        if value.is_empty() || refused.is_refused(row) {
            continue;
        }
        let start = sealed.len();
        let written = sealer.write_text(value, &mut sealed);
        written.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        places[row] = start..sealed.len();
    }
    let mut output = ColumnBuilder::with_capacity(input.rows(), sealed.len());
    places
        .into_iter()
        .for_each(|place| output.push(&sealed[place]));
    Ok(output.finish())
}
