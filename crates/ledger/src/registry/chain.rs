//! An information chain: the parties that use the same pseudonyms, and what becomes of each column.

use sluis_domain::time::DAY_MILLIS;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::delivery::Delivery;
use super::quota::{Quota, Quotas};
use sluis_domain::generalise::{Generalisation, Generaliser};
use sluis_domain::id::{ChainId, ElementName, NamespaceId, OrganisationId};
use sluis_domain::plausible::{DateShift, Placeholders, Plausible};

/// An information chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    pub(super) id: ChainId,
    pub(super) owner: OrganisationId,
    pub(super) sources: BTreeSet<OrganisationId>,
    pub(super) recipients: BTreeSet<OrganisationId>,
    pub(super) reidentify_to: BTreeSet<OrganisationId>,
    pub(super) reidentify_approvals: u8,
    pub(super) retention: Option<Retention>,
    pub(super) delivery: Delivery,
    pub(super) quotas: Quotas,
    pub(super) namespaces: BTreeMap<NamespaceId, ChainNamespace>,
    pub(super) elements: Elements,
}

/// A namespace as one chain uses it: the rules of one line of pseudonym keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainNamespace {
    pub(super) id: NamespaceId,
    pub(super) link: LinkMode,
    pub(super) reversible: bool,
}

/// What leads from a chain's pseudonyms to pseudonyms of other chains.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkMode {
    /// Conversions lead in and out, under grants: the custodian keeps sealed link rows.
    Escrow,
    /// Conversions lead in and out, under grants: each token holds its sealed link, and the custodian keeps no row.
    Carried,
    /// Conversions lead in; nothing leads out, because no row is kept (for releases).
    Inbound,
    /// Nothing leads in or out: no key is shared with any other chain.
    None,
}

/// One named data element (a column) of a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Element {
    pub(super) name: ElementName,
    pub(super) treatment: Treatment,
}

/// What becomes of the values of an element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Treatment {
    /// Replaced by a token, at the custodian.
    Pseudonym {
        /// One of the chain's namespaces.
        namespace: NamespaceId,
    },
    /// Replaced by a ciphertext, at the custodian.
    Encrypt,
    /// A date moved by a number of days that is the same for all dates of one subject, at the custodian.
    DateShift {
        /// The pseudonym element, in the same chain, whose subject the date belongs to.
        subject: ElementName,
        /// How far, at most [`super::MAX_SHIFT_DAYS`], and which dates.
        shift: DateShift,
    },
    /// Made coarser, at the client, or at the custodian if sent.
    Generalise(Generaliser),
    /// Unchanged, at the client only.
    Keep,
    /// Absent from the output, at the client only.
    Drop,
}

/// How long a chain's escrow is kept: `"10y"`, `"18m"`, `"6w"`, `"90d"`.
///
/// A duration, not a date on a calendar: a month is 31 days and a year 366, so that it never ends before the same day
/// of a later month or year would come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Retention {
    count: u16,
    unit: RetentionUnit,
}

/// The unit of a [`Retention`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RetentionUnit {
    /// `d`: 24 hours.
    Days,
    /// `w`: 7 days.
    Weeks,
    /// `m`: 31 days.
    Months,
    /// `y`: 366 days.
    Years,
}

/// A text that is not a retention.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a retention is a whole number from 1 to 9999 and a unit: \"90d\" (days), \"6w\" (weeks), \"18m\" (months), \"10y\" (years)"
)]
pub struct InvalidRetention;

/// Elements in the order of the registry, found by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Elements {
    ordered: Vec<Element>,
    by_name: BTreeMap<ElementName, usize>,
}

impl Chain {
    /// The id.
    pub fn id(&self) -> &ChainId {
        &self.id
    }

    /// The organisation that owns it and whose stewards decide about grants.
    pub fn owner(&self) -> &OrganisationId {
        &self.owner
    }

    /// Who may submit records; at least one.
    pub fn sources(&self) -> &BTreeSet<OrganisationId> {
        &self.sources
    }

    /// Who receives pseudonyms and may, like the owner, ask to convert them.
    pub fn recipients(&self) -> &BTreeSet<OrganisationId> {
        &self.recipients
    }

    /// Who may ask to re-identify; the sources unless the registry says otherwise, no one if it says `[]`.
    pub fn reidentify_to(&self) -> &BTreeSet<OrganisationId> {
        &self.reidentify_to
    }

    /// How many different stewards of the owner must approve a re-identification; at least two.
    pub fn reidentify_approvals(&self) -> u8 {
        self.reidentify_approvals
    }

    /// How long the escrow is kept; `None` for without limit.
    pub fn retention(&self) -> Option<Retention> {
        self.retention
    }

    /// Who gets its answers.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// What limits this source: its own quota, or else the one that the chain has for every source; without limits if
    /// there is none. The answer for an organisation that is no source means nothing.
    pub fn quota(&self, source: &OrganisationId) -> Quota {
        self.quotas.of(source)
    }

    /// How the chain uses this namespace.
    pub fn namespace(&self, id: &NamespaceId) -> Option<&ChainNamespace> {
        self.namespaces.get(id)
    }

    /// All its namespaces in the order of their ids.
    pub fn namespaces(&self) -> impl ExactSizeIterator<Item = &ChainNamespace> {
        self.namespaces.values()
    }

    /// The element with this name.
    pub fn element(&self, name: &ElementName) -> Option<&Element> {
        self.elements
            .by_name
            .get(name)
            .map(|index| &self.elements.ordered[*index])
    }

    /// All elements in the order of the registry; at least one.
    pub fn elements(&self) -> &[Element] {
        &self.elements.ordered
    }

    /// Whether this organisation is a source.
    pub fn is_source(&self, organisation: &OrganisationId) -> bool {
        self.sources.contains(organisation)
    }

    /// Whether this organisation is a recipient.
    pub fn is_recipient(&self, organisation: &OrganisationId) -> bool {
        self.recipients.contains(organisation)
    }
}

impl ChainNamespace {
    /// The namespace.
    pub fn id(&self) -> &NamespaceId {
        &self.id
    }

    /// What leads in and out.
    pub fn link(&self) -> LinkMode {
        self.link
    }

    /// Whether sealed identities are kept, so that tokens can be re-identified under a grant.
    pub fn reversible(&self) -> bool {
        self.reversible
    }
}

/// `link=escrow reversible=false`.
impl fmt::Display for ChainNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link={} reversible={}", self.link, self.reversible)
    }
}

impl LinkMode {
    /// All modes.
    pub const ALL: [Self; 4] = [Self::Escrow, Self::Carried, Self::Inbound, Self::None];

    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Escrow => "escrow",
            Self::Carried => "carried",
            Self::Inbound => "inbound",
            Self::None => "none",
        }
    }

    /// Whether the key is the namespace's, shared by all linked chains. Not so for [`Self::None`].
    pub fn is_linked(self) -> bool {
        self != Self::None
    }

    /// Whether pseudonyms can be converted into those of other chains.
    pub fn leads_out(self) -> bool {
        matches!(self, Self::Escrow | Self::Carried)
    }
}

impl fmt::Display for LinkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Element {
    /// An element by itself, as a member is told of it.
    pub fn new(name: ElementName, treatment: Treatment) -> Self {
        Self { name, treatment }
    }

    /// The name.
    pub fn name(&self) -> &ElementName {
        &self.name
    }

    /// What becomes of its values.
    pub fn treatment(&self) -> &Treatment {
        &self.treatment
    }
}

impl Treatment {
    /// The text form, without parameters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pseudonym { .. } => "pseudonym",
            Self::Encrypt => "encrypt",
            Self::DateShift { .. } => "date-shift",
            Self::Generalise(_) => "generalise",
            Self::Keep => "keep",
            Self::Drop => "drop",
        }
    }

    /// The namespace of a pseudonym element.
    pub fn namespace(&self) -> Option<&NamespaceId> {
        match self {
            Self::Pseudonym { namespace } => Some(namespace),
            _ => None,
        }
    }
}

/// `pseudonym namespace=nl.bsn`, `date-shift subject=bsn max_days=30`, `generalise to=band width=10`, `keep`, ...
impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Pseudonym { namespace } => write!(f, " namespace={namespace}"),
            Self::DateShift { subject, shift } => write_date_shift(subject, shift, f),
            Self::Generalise(generaliser) => {
                write_generalisation(&generaliser.to, f)?;
                if generaliser.placeholders.is_empty() {
                    return Ok(());
                }
                write!(f, " placeholders={}", generaliser.placeholders)
            }
            Self::Encrypt | Self::Keep | Self::Drop => Ok(()),
        }
    }
}

/// Placeholders and plausible dates only where they are not the default.
fn write_date_shift(
    subject: &ElementName,
    shift: &DateShift,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, " subject={subject} max_days={}", shift.max_days)?;
    if shift.placeholders != Placeholders::of_date_shift() {
        write!(f, " placeholders={}", shift.placeholders)?;
    }
    if shift.plausible != Plausible::default() {
        write!(f, " plausible={}", shift.plausible)?;
    }
    Ok(())
}

fn write_generalisation(to: &Generalisation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match to {
        Generalisation::Year => f.write_str(" to=year"),
        Generalisation::Month => f.write_str(" to=month"),
        Generalisation::Decade => f.write_str(" to=decade"),
        Generalisation::AgeBand {
            width,
            reference,
            top,
        } => write!(
            f,
            " to=age-band width={width} reference={reference} top={top}"
        ),
        Generalisation::Prefix { length } => write!(f, " to=prefix length={length}"),
        Generalisation::Band { width } => write!(f, " to=band width={width}"),
    }
}

impl Retention {
    /// The number of units, 1 to 9999.
    pub fn count(self) -> u16 {
        self.count
    }

    /// The unit.
    pub fn unit(self) -> RetentionUnit {
        self.unit
    }

    /// Its length in milliseconds.
    pub fn millis(self) -> u64 {
        let days = match self.unit {
            RetentionUnit::Days => 1,
            RetentionUnit::Weeks => 7,
            RetentionUnit::Months => 31,
            RetentionUnit::Years => 366,
        };
        u64::from(self.count) * days * DAY_MILLIS
    }
}

impl FromStr for Retention {
    type Err = InvalidRetention;

    fn from_str(text: &str) -> Result<Self, InvalidRetention> {
        let unit = match text.bytes().last() {
            Some(b'd') => RetentionUnit::Days,
            Some(b'w') => RetentionUnit::Weeks,
            Some(b'm') => RetentionUnit::Months,
            Some(b'y') => RetentionUnit::Years,
            _ => return Err(InvalidRetention),
        };
        let digits = &text[..text.len() - 1];
        let plain = digits.len() <= 4
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        let count = digits.parse().map_err(|_| InvalidRetention)?;
        if plain {
            Ok(Self { count, unit })
        } else {
            Err(InvalidRetention)
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            RetentionUnit::Days => 'd',
            RetentionUnit::Weeks => 'w',
            RetentionUnit::Months => 'm',
            RetentionUnit::Years => 'y',
        };
        write!(f, "{}{unit}", self.count)
    }
}

impl Elements {
    /// Elements with different names.
    pub(super) fn new(ordered: Vec<Element>) -> Self {
        let by_name = ordered
            .iter()
            .enumerate()
            .map(|(index, element)| (element.name.clone(), index))
            .collect();
        Self { ordered, by_name }
    }
}
