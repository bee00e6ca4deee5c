//! Pseudonymise: a batch of records of a source becomes a batch as the chain may see it.

mod passes;
mod plan;

use std::sync::Arc;

use sluis_domain::{BatchOutcome, ChainId, ElementName, Reason, RecordBatch};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Event, Submitted};
use sluis_ledger::registry::{Chain, LinkMode};
use sluis_port::{Commit, PackedRows};

use crate::batches::Batches;
use crate::batches::delivery;
use crate::batches::import::{Claimed, Import, Mapping, field};
use crate::batches::quota::{Counted, Seen};
use crate::batches::rows::Refused;
use crate::batches::uses::Uses;
use crate::core::epoch;
use crate::core::policy::{Permit, Submit};
use crate::core::record::{Asked, Named, encoded};
use crate::core::registry::RegistryState;
use crate::core::snapshot::Snapshot;
use crate::{Caller, Pending, Refusal};
use passes::{Worked, encrypt, first_pass, tokens, write_rows};
use plan::{Step, plan};

/// An open stream of a source into a chain. Standing, registry and keys are looked at again for every batch.
#[derive(Debug)]
pub struct PseudonymiseSession {
    caller: Caller,
    chain: ChainId,
    import: Option<Import>,
    opened_under: Arc<RegistryState>,
}

impl PseudonymiseSession {
    /// The registry version the stream was opened under.
    pub fn registry_version(&self) -> u64 {
        self.opened_under.version
    }

    /// Whether its batches write a row for each subject.
    pub fn writes_rows(&self) -> bool {
        let chain = self.opened_under.registry.chain(&self.chain);
        let mut namespaces = chain.iter().flat_map(|chain| chain.namespaces());
        self.import.is_some() || namespaces.any(|line| line.link() == LinkMode::Escrow)
    }

    /// The source prepared its records for what it was told when it opened the stream.
    fn check_unchanged(&self, now: &Snapshot) -> Result<(), Reason> {
        let (then, now) = (&self.opened_under.registry, &now.registry.registry);
        match then.treats_as_before(now, &self.chain) {
            true => Ok(()),
            false => Err(Reason::ChainChanged),
        }
    }
}

impl Batches {
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

    /// Opens a stream of batches that have, beside the chain's elements, a column of old pseudonyms, which are kept with
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
        self.on_record(caller, asked(import.as_ref(), chain), || {
            let permit = self.authorise(
                caller,
                Submit {
                    chain: chain.clone(),
                },
            )?;
            if to_recipient {
                return Err(Reason::UnsupportedDelivery.into());
            }
            let registered = chain_of(&permit)?;
            let unknown: Vec<_> = elements
                .iter()
                .filter(|name| registered.element(name).is_none())
                .collect();
            if !unknown.is_empty() {
                return Err(unknown.iter().fold(
                    Refusal::from(Reason::UnknownElement),
                    |refusal, name| {
                        refusal.with("elements", format!("{name} is not an element of {chain}"))
                    },
                ));
            }
            import
                .as_ref()
                .map_or(Ok(()), |import| import.check(registered))?;
            Ok(PseudonymiseSession {
                caller: caller.clone(),
                chain: chain.clone(),
                import,
                opened_under: permit.snapshot().registry.clone(),
            })
        })
    }

    /// Applies the chain's treatments to a batch.
    ///
    /// # Errors
    /// As [`Self::open_pseudonymise`]; [`Reason::ChainChanged`]; [`Reason::ClientOnlyElement`] for a keep or drop column,
    /// [`Reason::MissingSubject`], [`Reason::QuotaRequests`], [`Reason::QuotaRejected`], [`Reason::QuotaSubjects`], and
    /// the errors of the store. Nothing of the batch was done then.
    pub fn pseudonymise(
        &self,
        session: &PseudonymiseSession,
        batch: &RecordBatch,
    ) -> Result<Pending, Refusal> {
        let steady = self.steady();
        let import = session.import.as_ref();
        let asked = asked(import, &session.chain);
        self.batch_on_record(steady, &session.caller, asked, || {
            let permit = self.authorise(
                &session.caller,
                Submit {
                    chain: session.chain.clone(),
                },
            )?;
            session.check_unchanged(permit.snapshot())?;
            let (seal, source) = (
                permit.snapshot().keyring.state(),
                &session.caller.identity.organisation,
            );
            let counted = self
                .quotas
                .admit(chain_of(&permit)?, source, seal, permit.now())?;
            let Treated {
                outcome,
                mut commit,
                seen,
                claimed,
            } = self.treat(&permit, import, batch, counted.as_ref())?;
            epoch::expect(permit.snapshot().epoch, &mut commit);
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
                Some(
                    self.imports
                        .add(&*self.store, &mapping, &mut refused, &mut commit)?,
                )
            }
            None => None,
        };
        let seen = counted.map(|counted| seen(counted, &steps, &worked, &refused, batch.rows()));
        let mut columns = Vec::with_capacity(steps.len());
        let (mut uses, mut values) = (Uses::default(), 0);
        for (index, ((name, input), worked)) in batch.columns().iter().zip(worked).enumerate() {
            let output = match (&steps[index], worked) {
                (Step::Pseudonym(line), Worked::Subjects(subjects)) => {
                    write_rows(line, &subjects, &refused, &mut commit)?;
                    tokens(line, &subjects, &refused)
                }
                (Step::Encrypt(version), _) => encrypt(version, name, input, &refused)?,
                (Step::Import, _) => continue,
                (_, Worked::Done(column)) => refused.blank(column),
                _ => {
                    return Err(Refusal::new(
                        Reason::Internal,
                        "a step and its work do not match",
                    ));
                }
            };
            let present = output.present() as u64;
            values += present;
            if let Some(version) = steps[index].version() {
                uses.count(version, present);
            }
            columns.push((name.clone(), output));
        }
        let submitted = Submitted {
            chain: permit.action().chain.clone(),
            rows: batch.rows() as u64,
            values,
            rejected: refused.count() as u64,
            keys: uses.finish(),
        };
        let event = match import {
            None => Event::Pseudonymise(submitted),
            Some(_) => Event::Import(submitted),
        };
        commit.entry(encoded(permit.header(), event));
        let delivery = chain_of(permit)?.delivery();
        let outcome = delivery::answer(delivery, columns, refused.rejections(batch));
        Ok(Treated {
            outcome,
            commit,
            seen,
            claimed,
        })
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

fn asked<'a>(import: Option<&Import>, chain: &'a ChainId) -> Asked<'a> {
    Asked {
        act: import.map_or(Act::Pseudonymise, |_| Act::Import),
        about: Named::Chain(chain),
    }
}

fn chain_of(permit: &Permit<Submit>) -> Result<&Chain, Reason> {
    permit
        .snapshot()
        .registry
        .registry
        .chain(&permit.action().chain)
        .ok_or(Reason::UnknownChain)
}

/// What counts towards the source's quota. A batch without identifiers is none of a quota's business.
fn seen(
    counted: &Counted,
    steps: &[Step],
    worked: &[Worked],
    refused: &Refused,
    rows: usize,
) -> Seen {
    let rows = if steps.iter().any(identifies) {
        rows
    } else {
        0
    };
    // An import that tries out to which subject an old pseudonym belongs counts like one that tries out identifiers.
    let rejected = refused.count_where(|column, reason| {
        identifies(&steps[column]) && reason != Reason::OptedOut || reason == Reason::ImportConflict
    });
    let links = steps
        .iter()
        .zip(worked)
        .filter_map(|(step, worked)| match (step, worked) {
            (Step::Pseudonym(line), Worked::Subjects(subjects)) => {
                Some((line.namespace.id(), subjects.named()))
            }
            _ => None,
        });
    counted.seen(rows, rejected, links)
}

fn identifies(step: &Step) -> bool {
    matches!(step, Step::Pseudonym(_))
}

/// The subjects of a batch with their old pseudonyms.
fn mapping<'a>(
    snapshot: &'a Snapshot,
    import: &Import,
    batch: &'a RecordBatch,
    steps: &'a [Step],
    worked: &'a [Worked],
) -> Result<Mapping<'a>, Refusal> {
    let element = place(batch, &import.element)?;
    let column = place(batch, &import.column)?;
    let (Step::Pseudonym(line), Worked::Subjects(subjects)) = (&steps[element], &worked[element])
    else {
        return Err(Refusal::new(
            Reason::Internal,
            "an import of what is no pseudonym element",
        ));
    };
    let links = subjects.of_rows().collect();
    Ok(Mapping {
        keyring: &snapshot.keyring,
        version: &line.version,
        missing: line.namespace.missing(),
        links,
        old: (column, &batch.columns()[column].1),
    })
}

fn place(batch: &RecordBatch, name: &ElementName) -> Result<usize, Refusal> {
    let mut columns = batch.columns().iter();
    columns.position(|(other, _)| other == name).ok_or_else(|| {
        let why = format!("an imported batch needs the column {name}");
        field("batch.columns", &why)
    })
}
