//! What is done with each column of a batch.

use std::sync::Arc;

use sluis_crypto::date_shift::DateShiftKey;
use sluis_crypto::escrow::EscrowKeys;
use sluis_domain::generalise::Generaliser;
use sluis_domain::plausible::DateShift;
use sluis_domain::{ElementName, NamespaceId, Reason, RecordBatch};
use sluis_keyring::{ElementVersion, LineVersion, VersionInfo};
use sluis_ledger::registry::{Chain, LinkMode, Namespace, Treatment};

use crate::Refusal;
use crate::batches::import::Import;
use crate::core::opt_outs::Marks;
use crate::core::snapshot::Snapshot;
use crate::core::versions;

/// What is to be done with one column of a batch.
pub(super) enum Step {
    Pseudonym(Line),
    Encrypt(Arc<ElementVersion>),
    DateShift {
        subject: usize,
        shift: DateShift,
        key: Arc<DateShiftKey>,
    },
    Generalise(Generaliser),
    /// The old pseudonyms of an import.
    Import,
}

impl Step {
    /// The key version that it uses.
    pub(super) fn version(&self) -> Option<&VersionInfo> {
        match self {
            Self::Pseudonym(line) => Some(line.version.info()),
            Self::Encrypt(version) => Some(version.info()),
            Self::DateShift { .. } | Self::Generalise(_) | Self::Import => None,
        }
    }
}

/// A pseudonym column's namespace in the chain, and its key version.
pub(super) struct Line {
    pub(super) version: Arc<LineVersion>,
    pub(super) namespace: Namespace,
    pub(super) link: LinkMode,
    pub(super) reversible: bool,
    /// Tells who opted out; `None` if no one did.
    pub(super) opt_outs: Option<Marks>,
}

impl Line {
    /// What seals the links that its tokens carry; `None` for another mode, and once the escrow was cut.
    pub(super) fn carrier(&self) -> Option<&EscrowKeys> {
        let escrow = self.version.escrow.as_ref();
        escrow.filter(|_| self.link == LinkMode::Carried)
    }
}

/// A step for each column, or why the batch is refused before any of its rows is looked at.
pub(super) fn plan(
    snapshot: &Snapshot,
    chain: &Chain,
    import: Option<&Import>,
    batch: &RecordBatch,
) -> Result<Vec<Step>, Refusal> {
    // The chain may have changed since the stream was opened.
    import.map_or(Ok(()), |import| import.check(chain))?;
    // Not even what takes no key.
    if versions::is_destroyed(&snapshot.keyring, chain.id()) {
        return Err(Reason::ChainDestroyed.into());
    }
    let columns = batch.columns().iter();
    columns
        .map(|(name, _)| step(snapshot, chain, import, batch, name))
        .collect()
}

fn step(
    snapshot: &Snapshot,
    chain: &Chain,
    import: Option<&Import>,
    batch: &RecordBatch,
    name: &ElementName,
) -> Result<Step, Refusal> {
    if import.is_some_and(|import| import.column == *name) {
        return Ok(Step::Import);
    }
    let element = chain
        .element(name)
        .ok_or_else(|| refuse(Reason::UnknownElement, name))?;
    match element.treatment() {
        Treatment::Keep | Treatment::Drop => Err(refuse(Reason::ClientOnlyElement, name)),
        Treatment::Generalise(how) => Ok(Step::Generalise(how.clone())),
        Treatment::Encrypt => {
            let version = snapshot.keyring.active_elements(chain.id());
            Ok(Step::Encrypt(version.ok_or_else(|| no_key(chain))?.clone()))
        }
        Treatment::Pseudonym { namespace } => {
            Ok(Step::Pseudonym(line(snapshot, chain, namespace)?))
        }
        Treatment::DateShift { subject, shift } => Ok(Step::DateShift {
            subject: batch
                .columns()
                .iter()
                .position(|(other, _)| other == subject)
                .ok_or_else(|| refuse(Reason::MissingSubject, name))?,
            shift: shift.clone(),
            key: snapshot
                .keyring
                .date_shift(chain.id())
                .ok_or_else(|| no_key(chain))?
                .clone(),
        }),
    }
}

fn refuse(reason: Reason, name: &ElementName) -> Refusal {
    Refusal::field(reason, "batch.columns.element", name.to_string())
}

fn line(snapshot: &Snapshot, chain: &Chain, namespace: &NamespaceId) -> Result<Line, Refusal> {
    let version = snapshot
        .keyring
        .active_line(chain.id(), namespace)
        .ok_or_else(|| no_key(chain))?;
    let used = chain.namespace(namespace).ok_or_else(|| no_key(chain))?;
    Ok(Line {
        version: version.clone(),
        namespace: snapshot
            .registry
            .registry
            .namespace(namespace)
            .ok_or_else(|| no_key(chain))?
            .clone(),
        link: used.link(),
        reversible: used.reversible(),
        opt_outs: snapshot.opt_outs.of(&snapshot.keyring, namespace),
    })
}

fn no_key(chain: &Chain) -> Refusal {
    Refusal::new(
        Reason::Internal,
        format!("chain {} has a registered line without a key", chain.id()),
    )
}
