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
use sluis_keyring::{ElementVersion, Keyring, LineVersion};

use crate::engine::Engine;
use crate::erasure::Marks;
use crate::import::{Claimed, Import, Mapping, field};
use crate::policy::{Permit, Submit};
use crate::quota::{Counted, Seen};
use crate::rows::Refused;
use crate::shuffle::random_order;
use crate::snapshot::Snapshot;
use crate::tokens::LINK_ROW_LEN;
use crate::{Caller, Pending, Refusal, life};

/// Bytes of a prehash value.
const PREHASH_LEN: usize = 32;

/// An open stream of a source into a chain. Standing, registry and keys are looked at anew for every batch.
#[derive(Debug)]
pub struct PseudonymiseSession {
    caller: Caller,
    chain: ChainId,
    import: Option<Import>,
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
    DateShift {
        subject: usize,
        max_days: u32,
        key: Arc<DateShiftKey>,
    },
    Generalise(Generalisation),
    /// The old pseudonyms of an import.
    Import,
}

struct Line {
    version: Arc<LineVersion>,
    namespace: Namespace,
    link: LinkMode,
    reversible: bool,
    /// Tells who opted out; `None` if nobody did.
    opt_outs: Option<Marks>,
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
    /// Nothing yet: encryption waits for the refused rows, date shifts and imports for the subjects.
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
        self.open_submission(caller, chain, elements, to_recipient, None)
    }

    /// Opens a stream whose batches have, beside the chain's elements, a column of old pseudonyms, which are kept with
    /// their subjects. The output has no such column.
    ///
    /// # Errors
    /// As [`Self::open_pseudonymise`]; [`Reason::NotLinked`] if nothing leads out of the element's line,
    /// [`Reason::InvalidRequest`] if the element holds no pseudonyms or the column is an element of the chain.
    pub fn open_import(
        &self,
        caller: &Caller,
        chain: &ChainId,
        elements: &[ElementName],
        to_recipient: bool,
        import: Import,
    ) -> Result<PseudonymiseSession, Refusal> {
        self.open_submission(caller, chain, elements, to_recipient, Some(import))
    }

    fn open_submission(
        &self,
        caller: &Caller,
        chain: &ChainId,
        elements: &[ElementName],
        to_recipient: bool,
        import: Option<Import>,
    ) -> Result<PseudonymiseSession, Refusal> {
        self.on_record(caller, act(import.as_ref()), |entry| {
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
            import.as_ref().map_or(Ok(()), |import| import.check(registered))?;
            let registry_version = permit.snapshot().registry.version;
            Ok(PseudonymiseSession { caller: caller.clone(), chain: chain.clone(), import, registry_version })
        })
    }

    /// Applies the chain's treatments to a batch.
    ///
    /// # Errors
    /// As [`Self::open_pseudonymise`]; [`Reason::ClientOnlyElement`] for a keep or drop column,
    /// [`Reason::MissingSubject`], [`Reason::QuotaRequests`], [`Reason::QuotaRejected`], [`Reason::QuotaSubjects`], and
    /// those of the store. Nothing of the batch was done then.
    pub fn pseudonymise(&self, session: &PseudonymiseSession, batch: &RecordBatch) -> Result<Pending, Refusal> {
        let _steady = self.steady();
        let import = session.import.as_ref();
        self.on_record(&session.caller, act(import), |entry| {
            entry.chain = Some(session.chain.clone());
            let permit = self.authorise(&session.caller, Submit { chain: session.chain.clone() })?;
            let (seal, source) = (permit.snapshot().keyring.state(), &session.caller.identity.organisation);
            let counted = self.quotas.admit(chain_of(&permit)?, source, seal, permit.now())?;
            let Treated { outcome, mut commit, seen, claimed } =
                self.treat(&permit, import, batch, entry, counted.as_ref())?;
            self.expect_unchanged(permit.snapshot(), None, &mut commit);
            let (pending, done) = Pending::new(outcome, None);
            let done = match claimed {
                Some(claimed) => claimed.until(done),
                None => done,
            };
            match counted.zip(seen) {
                None => self.store.submit(commit, done),
                Some((counted, seen)) => {
                    // The store would sort them too, but while the counter is locked.
                    commit.rows.iter_mut().for_each(PackedRows::sort);
                    counted.charge(&*self.store, seal, permit.now(), &seen, commit, done)?;
                }
            }
            Ok(pending)
        })
    }

    /// The whole way of a batch: plan, first pass (validate and derive), second pass (write outputs and rows).
    fn treat(
        &self,
        permit: &Permit<Submit>,
        import: Option<&Import>,
        batch: &RecordBatch,
        entry: &mut Entry,
        counted: Option<&Counted>,
    ) -> Result<Treated, Refusal> {
        let steps = plan(permit.snapshot(), chain_of(permit)?, import, batch)?;
        let mut refused = Refused::none(batch.rows());
        let worked = first_pass(&steps, batch, &mut refused);
        let mut commit = Commit::default();
        // Refuses rows for the last time.
        let claimed = match import {
            Some(import) => {
                let mapping = mapping(permit.snapshot(), import, batch, &steps, &worked)?;
                Some(self.imports.add(&*self.store, &mapping, &mut refused, &mut commit)?)
            }
            None => None,
        };
        let seen = counted.map(|counted| seen(counted, &steps, &worked, &refused, batch.rows()));
        let mut columns = Vec::with_capacity(steps.len());
        for (index, ((name, input), worked)) in batch.columns().iter().zip(worked).enumerate() {
            let output = match (&steps[index], worked) {
                (Step::Pseudonym(line), Worked::Subjects(subjects)) => {
                    write_rows(line, &subjects, &refused, &mut commit)?;
                    tokens(line, &subjects, &refused)
                }
                (Step::Encrypt(version), _) => encrypt(version, name, input, &refused)?,
                (Step::Import, _) => continue,
                (_, Worked::Done(column)) => refused.blank(column),
                _ => return Err(Refusal::new(Reason::Internal, "a step and its work do not match")),
            };
            note_use(&steps[index], &output, entry);
            columns.push((name.clone(), output));
        }
        entry.rows = batch.rows() as u64;
        entry.rejected = refused.count() as u64;
        commit.entry(entry.encode());
        let outcome = BatchOutcome { columns, rejections: refused.rejections(batch) };
        Ok(Treated { outcome, commit, seen, claimed })
    }
}

/// What became of a batch.
struct Treated {
    outcome: BatchOutcome,
    commit: Commit,
    /// For the source's quota.
    seen: Option<Seen>,
    /// The old pseudonyms of an import, until they are durable.
    claimed: Option<Claimed>,
}

fn act(import: Option<&Import>) -> Act {
    import.map_or(Act::Pseudonymise, |_| Act::Import)
}

fn chain_of(permit: &Permit<Submit>) -> Result<&Chain, Reason> {
    permit.snapshot().registry.registry.chain(&permit.action().chain).ok_or(Reason::UnknownChain)
}

/// What counts towards the source's quota. A batch without identifiers is none of a quota's business.
fn seen(counted: &Counted, steps: &[Step], worked: &[Worked], refused: &Refused, rows: usize) -> Seen {
    let identifies = |step: &Step| matches!(step, Step::Pseudonym(_));
    let rows = if steps.iter().any(identifies) { rows } else { 0 };
    // An import that tries out which old pseudonym is whose counts like one that tries out identifiers.
    let no_identifier = |column: usize, reason| {
        identifies(&steps[column]) && reason != Reason::OptedOut || reason == Reason::ImportConflict
    };
    let links = steps.iter().zip(worked).filter_map(|(step, worked)| match (step, worked) {
        (Step::Pseudonym(line), Worked::Subjects(subjects)) => {
            Some((line.namespace.id(), subjects.of_rows.iter().flatten().map(|subject| &subject.link)))
        }
        _ => None,
    });
    counted.seen(rows, refused.count_where(no_identifier), links)
}

fn plan(
    snapshot: &Snapshot,
    chain: &Chain,
    import: Option<&Import>,
    batch: &RecordBatch,
) -> Result<Vec<Step>, Refusal> {
    // The chain may have changed since the stream was opened.
    import.map_or(Ok(()), |import| import.check(chain))?;
    let refuse = |reason, name: &ElementName| Refusal::field(reason, "batch.columns.element", name.to_string());
    let step = |name: &ElementName| {
        if import.is_some_and(|import| import.column == *name) {
            return Ok(Step::Import);
        }
        let element = chain.element(name).ok_or_else(|| refuse(Reason::UnknownElement, name))?;
        match element.treatment() {
            Treatment::Keep | Treatment::Drop => Err(refuse(Reason::ClientOnlyElement, name)),
            Treatment::Generalise(how) => Ok(Step::Generalise(*how)),
            Treatment::Encrypt => {
                let version = snapshot.keyring.active_elements(chain.id());
                Ok(Step::Encrypt(version.ok_or_else(|| no_key(&snapshot.keyring, chain))?.clone()))
            }
            Treatment::Pseudonym { namespace } => Ok(Step::Pseudonym(line(snapshot, chain, namespace)?)),
            Treatment::DateShift { subject, max_days } => Ok(Step::DateShift {
                subject: batch
                    .columns()
                    .iter()
                    .position(|(other, _)| other == subject)
                    .ok_or_else(|| refuse(Reason::MissingSubject, name))?,
                max_days: *max_days,
                key: snapshot.keyring.date_shift(chain.id()).ok_or_else(|| no_key(&snapshot.keyring, chain))?.clone(),
            }),
        }
    };
    batch.columns().iter().map(|(name, _)| step(name)).collect()
}

fn line(snapshot: &Snapshot, chain: &Chain, namespace: &sluis_domain::NamespaceId) -> Result<Line, Refusal> {
    let version =
        snapshot.keyring.active_line(chain.id(), namespace).ok_or_else(|| no_key(&snapshot.keyring, chain))?;
    let used = chain.namespace(namespace).ok_or_else(|| no_key(&snapshot.keyring, chain))?;
    Ok(Line {
        version: version.clone(),
        namespace: snapshot
            .registry
            .registry
            .namespace(namespace)
            .ok_or_else(|| no_key(&snapshot.keyring, chain))?
            .clone(),
        link: used.link(),
        reversible: used.reversible(),
        opt_outs: snapshot.opt_outs.of(&snapshot.keyring, namespace),
    })
}

fn no_key(keyring: &Keyring, chain: &Chain) -> Refusal {
    if life::is_destroyed(keyring, chain.id()) {
        return Reason::ChainDestroyed.into();
    }
    Refusal::new(Reason::Internal, format!("chain {} has a registered line without a key", chain.id()))
}

/// The subjects of a batch with their old pseudonyms.
fn mapping<'a>(
    snapshot: &'a Snapshot,
    import: &Import,
    batch: &'a RecordBatch,
    steps: &'a [Step],
    worked: &'a [Worked],
) -> Result<Mapping<'a>, Refusal> {
    let place = |name: &ElementName| batch.columns().iter().position(|(other, _)| other == name);
    let missing = |name| field("batch.columns", &format!("an imported batch needs the column {name}"));
    let element = place(&import.element).ok_or_else(|| missing(&import.element))?;
    let column = place(&import.column).ok_or_else(|| missing(&import.column))?;
    let (Step::Pseudonym(line), Worked::Subjects(subjects)) = (&steps[element], &worked[element]) else {
        return Err(Refusal::new(Reason::Internal, "an import of what is no pseudonym element"));
    };
    let links = subjects.of_rows.iter().map(|subject| subject.as_ref().map(|subject| &subject.link)).collect();
    Ok(Mapping { keyring: &snapshot.keyring, version: &line.version, links, old: (column, &batch.columns()[column].1) })
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
            Step::Encrypt(_) | Step::DateShift { .. } | Step::Import => Worked::Later,
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
                if opted_out(line, &link, &identifiers[start..]) {
                    refused.refuse(row, index, Reason::OptedOut);
                    None
                } else {
                    let pseudonym = line.version.pseudonym.pseudonym(&link);
                    Some(Subject { link, pseudonym, identifier: start..identifiers.len() })
                }
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

/// Whether a subject is refused: the mark is over the linked link value, whatever the line's own is.
fn opted_out(line: &Line, link: &LinkValue, x: &[u8]) -> bool {
    line.opt_outs.as_ref().is_some_and(|marks| if line.link.is_linked() { marks.has(link) } else { marks.has_input(x) })
}

/// Appends the method's input x for a value; `false` if it is missing.
pub(crate) fn method_input(namespace: &Namespace, value: &[u8], out: &mut Vec<u8>) -> Result<bool, Reason> {
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
        Step::DateShift { .. } | Step::Generalise(_) | Step::Import => return,
    };
    match entry.keys.iter_mut().find(|key| key.kid == kid) {
        Some(key) => key.values += values,
        None => entry.keys.push(KeyUse { namespace, kid, values }),
    }
}
