//! Pseudonymise: a batch of records of a source becomes a batch as the chain may see it.

use std::sync::Arc;

use sluis_crypto::date_shift::DateShiftKey;
use sluis_crypto::escrow::ROW_KEY_LEN;
use sluis_crypto::{LinkValue, Pseudonym, token};
use sluis_domain::audit::{Act, Entry, KeyUse};
use sluis_domain::date::Date;
use sluis_domain::generalise::Generalisation;
use sluis_domain::identifier::{InputMode, normalise};
use sluis_domain::port::{Commit, Family, PackedRows};
use sluis_domain::registry::{Chain, LinkMode, Namespace, Treatment};
use sluis_domain::{BatchOutcome, ChainId, Column, ColumnBuilder, ElementName, Reason, RecordBatch};
use sluis_keyring::{ElementVersion, LineVersion};

use crate::engine::Engine;
use crate::policy::{Permit, Submit};
use crate::rows::Refused;
use crate::shuffle::random_order;
use crate::snapshot::Snapshot;
use crate::tokens::LINK_ROW_LEN;
use crate::{Caller, Pending, Refusal};

/// Bytes of a prehash value.
const PREHASH_LEN: usize = 32;

/// An open stream of a source into a chain. Standing, registry and keys are looked at anew for every batch.
#[derive(Debug)]
pub struct PseudonymiseSession {
    caller: Caller,
    chain: ChainId,
    registry_version: u64,
}

impl PseudonymiseSession {
    /// The registry version the stream was opened under.
    pub fn registry_version(&self) -> u64 {
        self.registry_version
    }
}

/// What is to be done with one column of a batch.
enum Step {
    Pseudonym(Line),
    Encrypt(Arc<ElementVersion>),
    DateShift { subject: usize, max_days: u32, key: Arc<DateShiftKey> },
    Generalise(Generalisation),
}

struct Line {
    version: Arc<LineVersion>,
    namespace: Namespace,
    link: LinkMode,
    reversible: bool,
}

/// One subject of a row.
struct Subject {
    link: LinkValue,
    pseudonym: Pseudonym,
    /// Where its normalised identifier is, in a reversible line.
    identifier: std::ops::Range<usize>,
}

/// The subjects of a pseudonym column and, in a reversible line, their normalised identifiers.
struct Subjects {
    of_rows: Vec<Option<Subject>>,
    identifiers: zeroize::Zeroizing<Vec<u8>>,
}

/// What a column has become before the refused rows are known.
enum Worked {
    Subjects(Subjects),
    Done(Column),
    /// Nothing yet: encryption waits for the refused rows, date shifts for the subjects.
    Later,
}

impl Engine {
    /// Opens a stream: checks the caller and the names of all its columns.
    ///
    /// # Errors
    /// [`Reason::NotASource`], [`Reason::UnknownChain`], [`Reason::UnknownElement`] with a violation per column,
    /// [`Reason::UnsupportedDelivery`].
    pub fn open_pseudonymise(
        &self,
        caller: &Caller,
        chain: &ChainId,
        elements: &[ElementName],
        to_recipient: bool,
    ) -> Result<PseudonymiseSession, Refusal> {
        self.on_record(caller, Act::Pseudonymise, |entry| {
            entry.chain = Some(chain.clone());
            let permit = self.authorise(caller, Submit { chain: chain.clone() })?;
            if to_recipient {
                return Err(Reason::UnsupportedDelivery.into());
            }
            let registered = chain_of(&permit)?;
            let unknown: Vec<_> = elements.iter().filter(|name| registered.element(name).is_none()).collect();
            if !unknown.is_empty() {
                return Err(unknown.iter().fold(Refusal::from(Reason::UnknownElement), |refusal, name| {
                    refusal.with("elements", format!("{name} is not an element of {chain}"))
                }));
            }
            let registry_version = permit.snapshot().registry.version;
            Ok(PseudonymiseSession { caller: caller.clone(), chain: chain.clone(), registry_version })
        })
    }

    /// Applies the chain's treatments to a batch.
    ///
    /// # Errors
    /// As [`Self::open_pseudonymise`]; [`Reason::ClientOnlyElement`] for a keep or drop column,
    /// [`Reason::MissingSubject`], and those of the store. Nothing of the batch was done then.
    pub fn pseudonymise(&self, session: &PseudonymiseSession, batch: &RecordBatch) -> Result<Pending, Refusal> {
        let _steady = self.steady();
        self.on_record(&session.caller, Act::Pseudonymise, |entry| {
            entry.chain = Some(session.chain.clone());
            let permit = self.authorise(&session.caller, Submit { chain: session.chain.clone() })?;
            let (outcome, mut commit) = work(&permit, batch, entry)?;
            self.expect_unchanged(permit.snapshot(), None, &mut commit);
            let (pending, done) = Pending::new(outcome, None);
            self.store.submit(commit, done);
            Ok(pending)
        })
    }
}

fn chain_of(permit: &Permit<Submit>) -> Result<&Chain, Reason> {
    permit.snapshot().registry.registry.chain(&permit.action().chain).ok_or(Reason::UnknownChain)
}

/// The whole way of a batch: plan, first pass (validate and derive), second pass (write outputs and rows).
fn work(permit: &Permit<Submit>, batch: &RecordBatch, entry: &mut Entry) -> Result<(BatchOutcome, Commit), Refusal> {
    let steps = plan(permit.snapshot(), chain_of(permit)?, batch)?;
    let mut refused = Refused::none(batch.rows());
    let worked = first_pass(&steps, batch, &mut refused);
    let mut commit = Commit::default();
    let mut columns = Vec::with_capacity(steps.len());
    for (index, ((name, input), worked)) in batch.columns().iter().zip(worked).enumerate() {
        let output = match (&steps[index], worked) {
            (Step::Pseudonym(line), Worked::Subjects(subjects)) => {
                write_rows(line, &subjects, &refused, &mut commit)?;
                tokens(line, &subjects, &refused)
            }
            (Step::Encrypt(version), _) => encrypt(version, name, input, &refused)?,
            (_, Worked::Done(column)) => refused.blank(column),
            _ => return Err(Refusal::new(Reason::Internal, "a step and its work do not match")),
        };
        note_use(&steps[index], &output, entry);
        columns.push((name.clone(), output));
    }
    entry.rows = batch.rows() as u64;
    entry.rejected = refused.count() as u64;
    commit.entry(entry.encode());
    Ok((BatchOutcome { columns, rejections: refused.rejections(batch) }, commit))
}

fn plan(snapshot: &Snapshot, chain: &Chain, batch: &RecordBatch) -> Result<Vec<Step>, Refusal> {
    let refuse = |reason, name: &ElementName| Refusal::field(reason, "batch.columns.element", name.to_string());
    let step = |name: &ElementName| {
        let element = chain.element(name).ok_or_else(|| refuse(Reason::UnknownElement, name))?;
        match element.treatment() {
            Treatment::Keep | Treatment::Drop => Err(refuse(Reason::ClientOnlyElement, name)),
            Treatment::Generalise(how) => Ok(Step::Generalise(*how)),
            Treatment::Encrypt => {
                let version = snapshot.keyring.active_elements(chain.id());
                Ok(Step::Encrypt(version.ok_or_else(|| no_key(chain))?.clone()))
            }
            Treatment::Pseudonym { namespace } => Ok(Step::Pseudonym(line(snapshot, chain, namespace)?)),
            Treatment::DateShift { subject, max_days } => Ok(Step::DateShift {
                subject: batch
                    .columns()
                    .iter()
                    .position(|(other, _)| other == subject)
                    .ok_or_else(|| refuse(Reason::MissingSubject, name))?,
                max_days: *max_days,
                key: snapshot.keyring.date_shift(chain.id()).ok_or_else(|| no_key(chain))?.clone(),
            }),
        }
    };
    batch.columns().iter().map(|(name, _)| step(name)).collect()
}

fn line(snapshot: &Snapshot, chain: &Chain, namespace: &sluis_domain::NamespaceId) -> Result<Line, Refusal> {
    let version = snapshot.keyring.active_line(chain.id(), namespace).ok_or_else(|| no_key(chain))?;
    let used = chain.namespace(namespace).ok_or_else(|| no_key(chain))?;
    Ok(Line {
        version: version.clone(),
        namespace: snapshot.registry.registry.namespace(namespace).ok_or_else(|| no_key(chain))?.clone(),
        link: used.link(),
        reversible: used.reversible(),
    })
}

fn no_key(chain: &Chain) -> Refusal {
    Refusal::new(Reason::Internal, format!("chain {} has a registered line without a key", chain.id()))
}

/// Subjects come first, because date shifts need them.
fn first_pass(steps: &[Step], batch: &RecordBatch, refused: &mut Refused) -> Vec<Worked> {
    let mut worked: Vec<_> = steps
        .iter()
        .zip(batch.columns())
        .enumerate()
        .map(|(index, (step, (_, input)))| match step {
            Step::Pseudonym(line) => Worked::Subjects(subjects(line, index, input, refused)),
            Step::Generalise(how) => Worked::Done(generalise(how, index, input, refused)),
            Step::Encrypt(_) | Step::DateShift { .. } => Worked::Later,
        })
        .collect();
    for (index, step) in steps.iter().enumerate() {
        if let Step::DateShift { subject, max_days, key } = step
            && let Worked::Subjects(subjects) = &worked[*subject]
        {
            let input = &batch.columns()[index].1;
            let shifted = shift_dates(input, subjects, key, *max_days, index, refused);
            worked[index] = Worked::Done(shifted);
        }
    }
    worked
}

fn subjects(line: &Line, index: usize, input: &Column, refused: &mut Refused) -> Subjects {
    let link_key = if line.link.is_linked() { &*line.version.linked } else { &line.version.unlinked };
    let mut identifiers = zeroize::Zeroizing::new(Vec::with_capacity(input.data().len() + input.rows() + 256));
    let mut of_rows = Vec::with_capacity(input.rows());
    for (row, value) in input.iter().enumerate() {
        if !line.reversible {
            identifiers.clear();
        }
        let start = identifiers.len();
        let subject = match method_input(&line.namespace, value, &mut identifiers) {
            Ok(false) => None,
            Ok(true) => {
                let link = link_key.link_value(&identifiers[start..]);
                let pseudonym = line.version.pseudonym.pseudonym(&link);
                Some(Subject { link, pseudonym, identifier: start..identifiers.len() })
            }
            Err(reason) => {
                refused.refuse(row, index, reason);
                None
            }
        };
        of_rows.push(subject);
    }
    Subjects { of_rows, identifiers }
}

/// Appends the method's input x for a value; `false` if it is missing.
fn method_input(namespace: &Namespace, value: &[u8], out: &mut Vec<u8>) -> Result<bool, Reason> {
    match namespace.input() {
        InputMode::Plain => normalise(namespace.identifier(), namespace.checksum(), value, out),
        InputMode::Prehash if value.is_empty() => Ok(false),
        InputMode::Prehash if value.len() == PREHASH_LEN => {
            out.extend_from_slice(value);
            Ok(true)
        }
        InputMode::Prehash => Err(Reason::InvalidPrehash),
    }
}

fn generalise(how: &Generalisation, index: usize, input: &Column, refused: &mut Refused) -> Column {
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
    max_days: u32,
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
            let subject = subjects.of_rows[row].as_ref().ok_or(Reason::NoSubject)?;
            date.shift(key.days(&subject.link, max_days))?.write(out);
            Ok(())
        });
        if let Err(reason) = shifted {
            refused.refuse(row, index, reason);
        }
    }
    output.finish()
}

fn tokens(line: &Line, subjects: &Subjects, refused: &Refused) -> Column {
    let kid = line.version.info().kid;
    let rows = subjects.of_rows.len();
    let mut output = ColumnBuilder::with_capacity(rows, rows * token::TEXT_LEN);
    for (row, subject) in subjects.of_rows.iter().enumerate() {
        match subject {
            Some(subject) if !refused.is_refused(row) => {
                output.push_with(|out| token::write_text(kid, &subject.pseudonym, out));
            }
            _ => output.push_missing(),
        }
    }
    output.finish()
}

/// Link rows, and identity rows of a reversible line.
fn write_rows(line: &Line, subjects: &Subjects, refused: &Refused, commit: &mut Commit) -> Result<(), Refusal> {
    let Some(escrow) = line.version.escrow.as_ref().filter(|_| line.link == LinkMode::Escrow) else {
        return Ok(());
    };
    let rows = subjects.of_rows.len();
    let mut links = PackedRows::with_capacity(Family::Link, ROW_KEY_LEN, rows, rows * LINK_ROW_LEN);
    let mut identities = PackedRows::with_capacity(Family::Identity, ROW_KEY_LEN, 0, 0);
    let mut sealer = line.reversible.then(|| escrow.identity_sealer());
    // Nonces count upwards within a batch: sealed in random order, they do not tell who stood next to whom.
    let order = if line.reversible { random_order(rows)? } else { (0..rows).collect() };
    for row in order {
        let Some(subject) = subjects.of_rows[row].as_ref().filter(|_| !refused.is_refused(row)) else { continue };
        let key = escrow.row_key(&subject.pseudonym);
        links.push_with(|out| {
            out.extend_from_slice(&key);
            out.extend_from_slice(&escrow.seal_link(&subject.pseudonym, &subject.link));
        });
        if let Some(sealer) = &mut sealer {
            let mut sealed = Ok(());
            identities.push_with(|out| {
                out.extend_from_slice(&key);
                let identifier = &subjects.identifiers[subject.identifier.clone()];
                sealed = sealer.seal(line.namespace.id(), &key, identifier, out);
            });
            sealed.map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        }
    }
    commit.rows.extend([links, identities].into_iter().filter(|rows| !rows.is_empty()));
    Ok(())
}

fn encrypt(version: &ElementVersion, name: &ElementName, input: &Column, refused: &Refused) -> Result<Column, Refusal> {
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
    places.into_iter().for_each(|place| output.push(&sealed[place]));
    Ok(output.finish())
}

fn note_use(step: &Step, output: &Column, entry: &mut Entry) {
    let values = output.present() as u64;
    entry.values += values;
    let (namespace, kid) = match step {
        Step::Pseudonym(line) => (Some(line.namespace.id().clone()), line.version.info().kid),
        Step::Encrypt(version) => (None, version.info().kid),
        Step::DateShift { .. } | Step::Generalise(_) => return,
    };
    match entry.keys.iter_mut().find(|key| key.kid == kid) {
        Some(key) => key.values += values,
        None => entry.keys.push(KeyUse { namespace, kid, values }),
    }
}
