//! Convert: pseudonyms of one chain become pseudonyms of another, under a grant.

use sluis_crypto::LinkValue;
use sluis_crypto::escrow::ROW_KEY_LEN;
use sluis_domain::{
    BatchOutcome, ChainId, Column, ColumnBuilder, ElementName, GrantId, NamespaceId, Reason,
    RecordBatch,
};
use sluis_keyring::{Keyring, LineVersion};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Event, GrantRef, Granted};
use sluis_ledger::grant::{Kind, OutputOrder, Record};
use sluis_ledger::registry::{Chain, LinkMode};
use sluis_port::{Commit, Family, PackedRows, Store};

use crate::batches::Batches;
use crate::batches::delivery;
use crate::batches::import::{self, Read};
use crate::batches::rows::Refused;
use crate::batches::shuffle::random_order;
use crate::batches::tokens::{LINK_ROW_LEN, OptedOut, TokenWriter, Tokens};
use crate::batches::turn::Turn;
use crate::batches::uses::Uses;
use crate::core::meter::{Charge, Purpose, Remaining, Unmetered};
use crate::core::opt_outs::Marks;
use crate::core::policy::{BeKnown, Permit, UseGrant};
use crate::core::record::{Asked, Named};
use crate::core::snapshot::Snapshot;
use crate::core::{epoch, versions};
use crate::{Caller, Pending, Refusal};

/// An open conversion. Grant, standing, registry and keys are looked at again for every batch.
#[derive(Debug)]
pub struct ConvertSession {
    caller: Caller,
    grant: GrantId,
    from_imported: bool,
    remaining: Remaining,
    writes_rows: bool,
}

impl ConvertSession {
    /// Whether its batches wrote a row for each subject when the session was opened.
    pub fn writes_rows(&self) -> bool {
        self.writes_rows
    }

    /// What remained under the grant when the session was opened.
    pub fn remaining(&self) -> Remaining {
        self.remaining
    }
}

/// What a convert grant says, taken apart.
struct Route<'a> {
    from: &'a (ChainId, ElementName),
    to: &'a (ChainId, ElementName),
    namespace: &'a NamespaceId,
    order: OutputOrder,
}

impl<'a> Route<'a> {
    fn of(record: &'a Record) -> Result<Self, Reason> {
        match (&record.grant.terms.kind, record.grant.namespaces.first()) {
            (Kind::Convert { from, to, order }, Some(Some(namespace))) => Ok(Self {
                from,
                to,
                namespace,
                order: *order,
            }),
            _ => Err(Reason::GrantKind),
        }
    }
}

/// The link modes of the lines that a conversion leads from and to, as they are now.
struct Modes {
    from: Option<LinkMode>,
    to: Option<LinkMode>,
}

impl Modes {
    fn of(snapshot: &Snapshot, route: &Route<'_>) -> Self {
        let registry = &snapshot.registry.registry;
        let [from, to] = [&route.from.0, &route.to.0].map(|chain| {
            let line = registry.chain(chain)?.namespace(route.namespace)?;
            Some(line.link())
        });
        Self { from, to }
    }

    /// Whether either carries its links. A token with a link is neither read for a subject who opted out nor made.
    fn carry(&self) -> bool {
        [self.from, self.to].contains(&Some(LinkMode::Carried))
    }
}

/// A batch under a grant that was worked out and is not charged yet.
pub(crate) struct Worked {
    pub(crate) outcome: BatchOutcome,
    /// Rows refused.
    pub(crate) rejected: u64,
    pub(crate) uses: Uses,
    /// What it writes.
    pub(crate) commit: Commit,
}

impl Batches {
    /// Opens a conversion under a grant. `from_imported`: the values are old pseudonyms that were imported into the chain
    /// converted from, no tokens.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotTheGrantee`], [`Reason::GrantKind`], and every reason for which a grant
    /// may not be used now.
    pub fn open_convert(
        &self,
        caller: &Caller,
        grant: &GrantId,
        from_imported: bool,
    ) -> Result<ConvertSession, Refusal> {
        let asked = Asked {
            act: Act::Convert,
            about: Named::Grant(grant),
        };
        self.on_record(caller, asked, || {
            self.authorise(caller, BeKnown)?;
            let record = self.known_grant(grant)?;
            let permit = self.authorise(caller, UseGrant { record: &record })?;
            let modes = Modes::of(permit.snapshot(), &Route::of(&record)?);
            let remaining = self.remaining(&record, permit.now())?;
            Ok(ConvertSession {
                caller: caller.clone(),
                grant: grant.clone(),
                from_imported,
                remaining,
                writes_rows: modes.to == Some(LinkMode::Escrow),
            })
        })
    }

    /// Converts a batch of exactly one column, the one of the grant's from-element.
    ///
    /// # Errors
    /// As [`Self::open_convert`]; [`Reason::WrongElement`], [`Reason::GrantExhausted`], [`Reason::GrantDailyLimit`],
    /// [`Reason::BatchIdReused`], [`Reason::StreamRefused`], and the errors of the store. Nothing of the batch was done or
    /// counted then.
    pub fn convert(
        &self,
        session: &ConvertSession,
        turn: Turn,
        batch: &RecordBatch,
    ) -> Result<Pending, Refusal> {
        let steady = turn.begin(|| self.steady())?;
        let asked = Asked {
            act: Act::Convert,
            about: Named::Grant(&session.grant),
        };
        self.batch_on_record(steady, &session.caller, asked, || {
            let grant = self.known_grant(&session.grant)?;
            let permit = self.authorise(&session.caller, UseGrant { record: &grant })?;
            let worked = self.convert_batch(&permit, session.from_imported, batch)?;
            turn.wait()?;
            let purpose = match session.from_imported {
                true => Purpose::Imported,
                false => Purpose::Issued,
            };
            let batch = (batch, purpose);
            let pending = self.charge(&permit, batch, Event::Convert, worked)?;
            turn.end();
            Ok(pending)
        })
    }

    fn convert_batch(
        &self,
        permit: &Permit<UseGrant<'_>>,
        from_imported: bool,
        batch: &RecordBatch,
    ) -> Result<Worked, Refusal> {
        let route = Route::of(permit.action().record)?;
        let input = match batch.columns() {
            [(name, column)] if *name == route.from.1 => column,
            _ => {
                return Err(Refusal::field(
                    Reason::WrongElement,
                    "batch.columns",
                    format!("send {}", route.from.1),
                ));
            }
        };
        let snapshot = permit.snapshot();
        let mut refused = Refused::none(batch.rows());
        let (store, keyring, line) = (
            &*self.store,
            &snapshot.keyring,
            (&route.from.0, route.namespace),
        );
        let modes = Modes::of(snapshot, &route);
        let opt_outs = snapshot.opt_outs.of(keyring, route.namespace);
        let opted_out = OptedOut {
            marks: opt_outs.as_ref(),
            all: modes.carry(),
        };
        let read = match from_imported {
            true => import::read(store, keyring, line, (0, input), &opted_out, &mut refused)?,
            false => read_tokens(store, keyring, line, input, &opted_out, &mut refused)?,
        };
        let target = keyring
            .active_line(&route.to.0, route.namespace)
            .ok_or_else(|| no_line(keyring, &route.to.0))?;
        let to = snapshot.registry.registry.chain(&route.to.0);
        let mut commit = Commit::default();
        let output = rekey(
            target,
            &read.subjects,
            (modes.to, opt_outs.as_ref()),
            &mut commit,
        );
        let uses = uses(&output, &read, target);
        let output = match route.order {
            OutputOrder::Ordered => output,
            OutputOrder::Shuffled => shuffled(&output)?,
        };
        let delivery = to.map(Chain::delivery).unwrap_or_default();
        let columns = vec![(route.to.1.clone(), output)];
        let rejected = refused.count() as u64;
        Ok(Worked {
            rejected,
            outcome: delivery::answer(delivery, columns, refused.rejections(batch)),
            uses,
            commit,
        })
    }

    /// Counts a batch under its grant and submits it, with its entry.
    pub(crate) fn charge(
        &self,
        permit: &Permit<UseGrant<'_>>,
        (batch, purpose): (&RecordBatch, Purpose),
        event: fn(Granted) -> Event,
        worked: Worked,
    ) -> Result<Pending, Refusal> {
        let Worked {
            outcome,
            rejected,
            uses,
            mut commit,
        } = worked;
        let snapshot = permit.snapshot();
        let record = permit.action().record;
        epoch::expect(snapshot.epoch, &mut commit);
        // The store would sort them too, but while the grant's counter is locked.
        commit.rows.iter_mut().for_each(PackedRows::sort);
        let mut answer = None;
        let columns = batch.columns().iter();
        let values = columns.map(|(_, column)| column.present() as u64).sum();
        let entry = Unmetered {
            header: permit.header(),
            event,
            batch: Granted {
                grant: GrantRef::of(&record.grant),
                rows: batch.rows() as u64,
                values,
                rejected,
                counter: 0,
                keys: uses.finish(),
            },
        };
        let charge = Charge {
            record,
            batch,
            purpose,
            entry,
            commit,
        };
        self.meters
            .charge(&*self.store, snapshot.keyring.state(), charge, |charged| {
                let (pending, done) = Pending::new(outcome, Some(charged));
                answer = Some(pending);
                done
            })?;
        answer.ok_or_else(|| Refusal::new(Reason::Internal, "a charged batch has no answer"))
    }
}

/// Why nothing leads into a chain.
fn no_line(keyring: &Keyring, chain: &ChainId) -> Reason {
    if versions::is_destroyed(keyring, chain) {
        Reason::ChainDestroyed
    } else {
        Reason::NotLinked
    }
}

/// The subjects of a column of tokens.
fn read_tokens(
    store: &dyn Store,
    keyring: &Keyring,
    line: (&ChainId, &NamespaceId),
    input: &Column,
    opted_out: &OptedOut<'_>,
    refused: &mut Refused,
) -> Result<Read, Refusal> {
    let tokens = Tokens::parse(keyring, line.0, line.1, (0, input), refused);
    let mut read = Read::nothing(input.rows());
    for (found, link) in tokens.found.iter().zip(tokens.links(store, opted_out)?) {
        match link {
            Ok(link) => read.subjects[found.row] = Some(link),
            Err(reason) => refused.refuse(found.row, 0, reason),
        }
    }
    read.used = tokens
        .found
        .into_iter()
        .map(|found| found.version)
        .collect();
    Ok(read)
}

/// Pseudonyms of the target line, in tokens with their links where it carries them, and its link rows where it escrows: none
/// for who opted out, so that an erasure that is done in one chain is not undone from another.
fn rekey(
    target: &LineVersion,
    subjects: &[Option<LinkValue>],
    (mode, opt_outs): (Option<LinkMode>, Option<&Marks>),
    commit: &mut Commit,
) -> Column {
    let (escrow, carrier) = match (mode, target.escrow.as_ref()) {
        (Some(LinkMode::Escrow), escrow) => (escrow, None),
        (Some(LinkMode::Carried), escrow) => (None, escrow),
        _ => (None, None),
    };
    let links: Vec<&LinkValue> = subjects.iter().flatten().collect();
    let pseudonyms = target.pseudonym.pseudonyms(links.into_iter());
    let writer = TokenWriter::new(target, carrier);
    let mut output =
        ColumnBuilder::with_capacity(subjects.len(), subjects.len() * writer.text_len());
    let mut rows = PackedRows::with_capacity(
        Family::Link,
        ROW_KEY_LEN,
        subjects.len(),
        subjects.len() * LINK_ROW_LEN,
    );
    let mut converted = pseudonyms.iter();
    for subject in subjects {
        let pair = subject
            .as_ref()
            .and_then(|link| Some((link, converted.next()?)));
        let Some((link, pseudonym)) = pair else {
            output.push_missing();
            continue;
        };
        output.push_with(|out| writer.write(pseudonym, link, out));
        let opted_out = opt_outs.is_some_and(|marks| marks.has(link));
        if let Some(escrow) = escrow.filter(|_| !opted_out) {
            rows.push_with(|out| {
                out.extend_from_slice(&escrow.row_key(pseudonym));
                out.extend_from_slice(&escrow.seal_link(pseudonym, link));
            });
        }
    }
    if !rows.is_empty() {
        commit.rows.push(rows);
    }
    output.finish()
}

/// The versions of the tokens that were read, and the one that the new ones were made with.
fn uses(output: &Column, read: &Read, target: &LineVersion) -> Uses {
    let mut uses = Uses::default();
    for version in &read.used {
        uses.count(version.info(), 1);
    }
    uses.count(target.info(), output.present() as u64);
    uses
}

/// The present values in random order, missing ones last, so that row i says nothing about row i.
fn shuffled(column: &Column) -> Result<Column, Refusal> {
    let present: Vec<&[u8]> = column.iter().filter(|value| !value.is_empty()).collect();
    let mut output = ColumnBuilder::with_capacity(column.rows(), column.data().len());
    for place in random_order(present.len())? {
        output.push(present[place]);
    }
    while output.rows() < column.rows() {
        output.push_missing();
    }
    Ok(output.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_keeps_the_values_and_moves_them() {
        let values: Vec<String> = (0..64).map(|i| i.to_string()).collect();
        let column = Column::from_values([&values[..], &[String::new()], &values[..]].concat());
        let output = shuffled(&column).expect("random bytes");
        let sorted = |column: &Column| {
            let mut all: Vec<_> = column.iter().map(<[u8]>::to_vec).collect();
            all.sort();
            all
        };
        assert_eq!(sorted(&output), sorted(&column));
        assert_ne!(output, column, "one in 128! fails by chance");
        assert!(output.get(128).is_empty(), "missing values come last");
    }
}
