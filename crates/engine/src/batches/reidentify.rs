//! Re-identify: tokens become identifiers and encrypted elements become values, under a grant.

use sluis_crypto::element::{self, ElementOpener};
use sluis_crypto::escrow::IdentityOpener;
use sluis_domain::{
    BatchOutcome, ChainId, Column, ColumnBuilder, ElementName, GrantId, Kid, NamespaceId, Reason,
    RecordBatch,
};
use sluis_keyring::VersionInfo;
use sluis_ledger::audit::Act;
use sluis_ledger::event::Event;
use sluis_ledger::grant::{Kind, Record};
use sluis_port::{Commit, Family};

use crate::batches::Batches;
use crate::batches::convert::Worked;
use crate::batches::rows::Refused;
use crate::batches::tokens::{OptedOut, Tokens};
use crate::batches::turn::Turn;
use crate::batches::uses::Uses;
use crate::core::meter::{Purpose, Remaining};
use crate::core::policy::{BeKnown, Permit, UseGrant};
use crate::core::record::{Asked, Named};
use crate::core::snapshot::Snapshot;
use crate::{Caller, Pending, Refusal};

/// An open re-identification. Grant, standing, registry and keys are looked at again for every batch.
#[derive(Debug)]
pub struct ReidentifySession {
    caller: Caller,
    grant: GrantId,
    remaining: Remaining,
}

impl ReidentifySession {
    /// What remained under the grant when the session was opened.
    pub fn remaining(&self) -> Remaining {
        self.remaining
    }
}

impl Batches {
    /// Opens a re-identification under a grant.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotTheGrantee`], [`Reason::GrantKind`], and every reason for which a grant
    /// may not be used now.
    pub fn open_reidentify(
        &self,
        caller: &Caller,
        grant: &GrantId,
    ) -> Result<ReidentifySession, Refusal> {
        let asked = Asked {
            act: Act::Reidentify,
            about: Named::Grant(grant),
        };
        self.on_record(caller, asked, || {
            self.authorise(caller, BeKnown)?;
            let record = self.known_grant(grant)?;
            let now = self.authorise(caller, UseGrant { record: &record })?.now();
            scope(&record)?;
            let remaining = self.remaining(&record, now)?;
            Ok(ReidentifySession {
                caller: caller.clone(),
                grant: grant.clone(),
                remaining,
            })
        })
    }

    /// Re-identifies a batch with columns of the grant's elements.
    ///
    /// # Errors
    /// As [`Self::open_reidentify`]; [`Reason::WrongElement`], [`Reason::GrantExhausted`], [`Reason::GrantDailyLimit`],
    /// [`Reason::BatchIdReused`], [`Reason::StreamRefused`], and the errors of the store. Nothing of the batch was done or
    /// counted then.
    pub fn reidentify(
        &self,
        session: &ReidentifySession,
        turn: Turn,
        batch: &RecordBatch,
    ) -> Result<Pending, Refusal> {
        let steady = turn.begin(|| self.steady())?;
        let asked = Asked {
            act: Act::Reidentify,
            about: Named::Grant(&session.grant),
        };
        self.batch_on_record(steady, &session.caller, asked, || {
            let grant = self.known_grant(&session.grant)?;
            let permit = self.authorise(&session.caller, UseGrant { record: &grant })?;
            let worked = self.reidentify_batch(&permit, batch)?;
            turn.wait()?;
            let batch = (batch, Purpose::Issued);
            let pending = self.charge(&permit, batch, Event::Reidentify, worked)?;
            turn.end();
            Ok(pending)
        })
    }

    fn reidentify_batch(
        &self,
        permit: &Permit<UseGrant<'_>>,
        batch: &RecordBatch,
    ) -> Result<Worked, Refusal> {
        let (chain, elements) = scope(permit.action().record)?;
        let namespaces = &permit.action().record.grant.namespaces;
        let mut refused = Refused::none(batch.rows());
        let mut columns = Vec::with_capacity(batch.columns().len());
        let mut uses = Uses::default();
        for (index, (name, input)) in batch.columns().iter().enumerate() {
            let position = elements.iter().position(|element| element == name);
            let namespace = position.and_then(|at| namespaces.get(at)).ok_or_else(|| {
                Refusal::field(
                    Reason::WrongElement,
                    "batch.columns.element",
                    name.to_string(),
                )
            })?;
            let (column, used) = match namespace {
                Some(namespace) => self.identities(
                    permit.snapshot(),
                    (chain, namespace),
                    (index, input),
                    &mut refused,
                )?,
                None => decrypted(
                    permit.snapshot(),
                    (chain, name),
                    (index, input),
                    &mut refused,
                ),
            };
            uses.add(used);
            columns.push((name.clone(), column));
        }
        for (_, column) in &mut columns {
            *column = refused.blank(std::mem::take(column));
        }
        Ok(Worked {
            outcome: BatchOutcome {
                columns,
                rejections: refused.rejections(batch),
            },
            rejected: refused.count() as u64,
            uses,
            commit: Commit::default(),
        })
    }

    /// The identifiers behind a column of tokens. A token without an identity row is looked for among the link rows,
    /// to tell a known subject without an identity from an unknown token.
    fn identities(
        &self,
        snapshot: &Snapshot,
        line: (&ChainId, &NamespaceId),
        column: (usize, &Column),
        refused: &mut Refused,
    ) -> Result<(Column, Uses), Refusal> {
        let tokens = Tokens::parse(&snapshot.keyring, line.0, line.1, column, refused);
        let rows = tokens.rows(&*self.store, Family::Identity)?;
        let mut stored = tokens.found.iter().map(|found| found.stored(&rows));
        let missing = stored.any(<[u8]>::is_empty);
        let opt_outs = snapshot.opt_outs.of(&snapshot.keyring, line.1);
        let opted_out = OptedOut {
            marks: opt_outs.as_ref(),
            all: false,
        };
        let links = if missing {
            tokens.links(&*self.store, &opted_out)?
        } else {
            Vec::new()
        };
        let mut output = ColumnBuilder::with_capacity(column.1.rows(), rows.data().len());
        let mut openers: Vec<(Kid, IdentityOpener)> = Vec::new();
        let mut uses = Uses::default();
        for (at, found) in tokens.found.iter().enumerate() {
            while output.rows() < found.row {
                output.push_missing();
            }
            uses.count(found.version.info(), 1);
            let stored = found.stored(&rows);
            let opened = output.try_push_with(|out| {
                if stored.is_empty() {
                    return Err(links[at]
                        .as_ref()
                        .map_or_else(|reason| *reason, |_| Reason::NoStoredIdentity));
                }
                let start = out.len();
                let escrow = found
                    .version
                    .escrow
                    .as_ref()
                    .ok_or(Reason::UnknownPseudonym)?;
                let opener = cached(&mut openers, found.version.info().kid, || {
                    Ok(escrow.identity_opener())
                })?;
                opener
                    .open(line.1, &escrow.row_key(&found.pseudonym), stored, out)
                    .map_err(|_| Reason::CorruptLinkRow)?;
                // Never the wrong person: the identifier must give the pseudonym it is returned for.
                let link = found.version.linked.link_value(&out[start..]);
                let same = found.version.pseudonym.pseudonym(&link).as_bytes()
                    == found.pseudonym.as_bytes();
                if same {
                    Ok(())
                } else {
                    Err(Reason::CorruptLinkRow)
                }
            });
            if let Err(reason) = opened {
                refused.refuse(found.row, column.0, reason);
            }
        }
        while output.rows() < column.1.rows() {
            output.push_missing();
        }
        Ok((output.finish(), uses))
    }
}

/// Chain and elements of a re-identification grant.
fn scope(record: &Record) -> Result<(&ChainId, &[ElementName]), Reason> {
    match &record.grant.terms.kind {
        Kind::Reidentify { chain, elements } => Ok((chain, elements)),
        Kind::Convert { .. } => Err(Reason::GrantKind),
    }
}

/// The values behind a column of encrypted elements.
fn decrypted(
    snapshot: &Snapshot,
    element: (&ChainId, &ElementName),
    column: (usize, &Column),
    refused: &mut Refused,
) -> (Column, Uses) {
    let mut uses = Uses::default();
    let mut openers: Vec<(Kid, (VersionInfo, ElementOpener))> = Vec::new();
    let mut output = ColumnBuilder::with_capacity(column.1.rows(), column.1.data().len());
    for (row, text) in column.1.iter().enumerate() {
        if text.is_empty() {
            output.push_missing();
            continue;
        }
        let opened = output.try_push_with(|out| {
            let ciphertext = element::parse_text(text).map_err(|_| Reason::MalformedCiphertext)?;
            let kid = ciphertext.kid();
            let (version, opener) = cached(&mut openers, kid, || opener(snapshot, element, kid))?;
            opener
                .open(&ciphertext, out)
                .map_err(|_| Reason::UnknownCiphertext)?;
            uses.count(version, 1);
            Ok(())
        });
        if let Err(reason) = opened {
            refused.refuse(row, column.0, reason);
        }
    }
    (output.finish(), uses)
}

/// The opener of a key version, made once per batch: batches have few versions.
fn cached<T>(
    openers: &mut Vec<(Kid, T)>,
    kid: Kid,
    make: impl FnOnce() -> Result<T, Reason>,
) -> Result<&mut T, Reason> {
    let at = match openers.iter().position(|(known, _)| *known == kid) {
        Some(at) => at,
        None => {
            openers.push((kid, make()?));
            openers.len() - 1
        }
    };
    Ok(&mut openers[at].1)
}

fn opener(
    snapshot: &Snapshot,
    element: (&ChainId, &ElementName),
    kid: Kid,
) -> Result<(VersionInfo, ElementOpener), Reason> {
    let version = snapshot
        .keyring
        .elements(kid)
        .filter(|version| version.info().chain == *element.0);
    let version = version.ok_or(Reason::UnknownCiphertext)?;
    if !version.info().state.leads_out() {
        return Err(Reason::VersionDisabled);
    }
    Ok((version.info().clone(), version.key(element.1).opener()))
}
