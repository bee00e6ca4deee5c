//! The part of a chain's treatments that happens at the client.
//!
//! | treatment | at the client | sent |
//! |---|---|---|
//! | `pseudonym`, input `plain` | - | the value |
//! | `pseudonym`, input `prehash` | normal form, then HMAC with the source key | 32 bytes |
//! | `encrypt` | - | the value |
//! | `date-shift` | - | `YYYY-MM-DD` |
//! | `generalise` | all of it | - |
//! | `keep`, `drop` | all of it | - |
//!
//! Steps work on values in plain form ([`Step::wanted`]); how the caller's data spells them is a matter of
//! [`Spelling`](crate::Spelling).
//!
//! A description that contradicts the source keys a caller has is an error: a custodian that says `plain` would be sent
//! what the caller means to hash. (One that this version does not understand is refused where it is parsed.)

use std::collections::{BTreeMap, BTreeSet};

use sluis_crypto::element;
use sluis_crypto::prehash::{NamespacePrehash, SourceKey};
use sluis_crypto::token::Token;
use sluis_domain::date::Date;
use sluis_domain::generalise::{Generalisation, Generaliser};
use sluis_domain::identifier::{IdentifierKind, IdentifierRules, InputMode, MAX_RAW, MissingWords};
use sluis_domain::{ElementName, NamespaceId, Reason, WipedBuffer};
use sluis_ledger::registry::Treatment;
use sluis_wire::chain::ChainView;

use crate::spelling::{Form, Wanted};

/// What becomes of one column.
#[derive(Debug)]
pub enum Step {
    /// Prepared by [`SendStep::apply`], sent to the custodian, and replaced by what comes back.
    Send(SendStep),
    /// Prepared and sent likewise, and left out: nothing comes back for it. The old pseudonyms of an import.
    SendOnly(SendStep),
    /// Replaced by what [`GeneraliseStep::apply`] makes of it.
    Generalise(GeneraliseStep),
    /// Unchanged.
    Keep,
    /// Left out.
    Drop,
}

/// Why no step can be made for an element.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The chain does not list the element.
    #[error("the chain does not list the element {0}")]
    UnknownElement(ElementName),
    /// The namespace is `prehash`, and there is no source key for it.
    #[error(
        "element {element} is hashed before it is sent: a source key for namespace {namespace} is needed"
    )]
    NoSourceKey {
        /// The element.
        element: ElementName,
        /// Its namespace.
        namespace: NamespaceId,
    },
    /// There is a source key for the namespace, and the custodian says that its identifiers are sent unhashed.
    #[error(
        "there is a source key for namespace {namespace}, but the custodian says that its identifiers (element {element}) \
         are sent unhashed"
    )]
    NotHashed {
        /// The element.
        element: ElementName,
        /// Its namespace.
        namespace: NamespaceId,
        /// The key names no namespace, so it is meant for all of them.
        unnamed: bool,
    },
    /// The custodian's description leaves nothing to hash with a source key of a namespace.
    #[error(
        "there is a source key for namespace {0}, but by the custodian's description of the chain no column that is sent is \
         hashed with it"
    )]
    UnusedSourceKey(NamespaceId),
    /// The custodian's description leaves nothing to hash with the source key that names no namespace.
    #[error(
        "there is a source key, but by the custodian's description of the chain no column that is sent is hashed with it"
    )]
    UnusedDefaultKey,
    /// The custodian describes the element as one of a namespace that it does not describe.
    #[error("the custodian does not describe the namespace of element {0}")]
    UnknownNamespace(ElementName),
}

/// The source keys a caller has. A key binds its namespace to `prehash` input: what the custodian says is an identifier of a
/// namespace with a key is hashed with it or not sent at all. A key that names no namespace binds all namespaces that have
/// none of their own. Which element is of which namespace is the custodian's word all the same.
#[derive(Default, Debug)]
pub struct SourceKeys {
    any: Option<SourceKey>,
    named: BTreeMap<NamespaceId, SourceKey>,
}

impl SourceKeys {
    /// The key of one namespace.
    pub fn insert(&mut self, namespace: NamespaceId, key: SourceKey) {
        self.named.insert(namespace, key);
    }

    /// The key of all namespaces that have none of their own.
    pub fn set_default(&mut self, key: SourceKey) {
        self.any = Some(key);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.any.is_none() && self.named.is_empty()
    }

    /// Whether every key hashes at least one of these elements of the chain. A custodian that says that an identifier is of
    /// another namespace, or only to be encrypted, leaves a key without use; one that swaps two elements does not.
    ///
    /// # Errors
    /// [`PlanError::UnusedSourceKey`], [`PlanError::UnusedDefaultKey`].
    pub fn check_used(
        &self,
        chain: &ChainView,
        elements: &BTreeSet<&str>,
    ) -> Result<(), PlanError> {
        let sent = chain.elements.iter();
        let sent = sent.filter(|element| elements.contains(element.name().as_str()));
        let namespaces: BTreeSet<&NamespaceId> = sent
            .filter_map(|element| element.treatment().namespace())
            .collect();
        for namespace in self.named.keys() {
            if !namespaces.contains(namespace) {
                return Err(PlanError::UnusedSourceKey(namespace.clone()));
            }
        }
        let all_have_one = namespaces.iter().all(|it| self.named.contains_key(*it));
        if self.any.is_some() && all_have_one {
            return Err(PlanError::UnusedDefaultKey);
        }
        Ok(())
    }

    fn get(&self, namespace: &NamespaceId) -> Option<&SourceKey> {
        self.named.get(namespace).or(self.any.as_ref())
    }
}

impl Step {
    /// Whether the column is in the output.
    pub fn is_written(&self) -> bool {
        !matches!(self, Self::SendOnly(_) | Self::Drop)
    }

    /// Whether the column is sent.
    pub fn is_sent(&self) -> bool {
        matches!(self, Self::Send(_) | Self::SendOnly(_))
    }

    /// Whether the custodian sees the values as they are, for it says that they are not hashed.
    pub fn is_sent_unhashed(&self) -> bool {
        matches!(self, Self::Send(step) if !matches!(step, SendStep::Prehash(_)))
    }

    /// What it needs of a value.
    pub fn wanted(&self) -> Wanted<'_> {
        match self {
            Self::Send(step) | Self::SendOnly(step) => step.wanted(),
            Self::Generalise(step) => step.wanted(),
            Self::Keep | Self::Drop => Wanted::always(Form::Text),
        }
    }

    /// The step of an element of a chain, as the custodian describes it.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn of(
        chain: &ChainView,
        element: &ElementName,
        source_keys: &SourceKeys,
    ) -> Result<Self, PlanError> {
        let described = chain.element(element);
        let described = described.ok_or_else(|| PlanError::UnknownElement(element.clone()))?;
        Ok(match described.treatment() {
            Treatment::Pseudonym { namespace } => {
                Self::Send(pseudonym(chain, element, namespace, source_keys)?)
            }
            Treatment::Encrypt => Self::Send(SendStep::Text { longest: None }),
            Treatment::DateShift { .. } => Self::Send(SendStep::Date),
            Treatment::Generalise(how) => Self::Generalise(GeneraliseStep { how: how.clone() }),
            Treatment::Keep => Self::Keep,
            Treatment::Drop => Self::Drop,
        })
    }
}

/// How a value is prepared for the custodian.
#[derive(Debug)]
pub enum SendStep {
    /// An identifier that the custodian sees. A word for what is missing stays here.
    Identifier {
        /// The namespace's words for what is missing.
        missing: MissingWords,
        /// How an identifier that is there is sent.
        how: Box<SendStep>,
    },
    /// UTF-8 text, as it is.
    Text {
        /// More bytes than this are refused; `None`: any number.
        longest: Option<usize>,
    },
    /// Any bytes, as they are.
    Opaque,
    /// A date, `YYYY-MM-DD`.
    Date,
    /// An identifier that is hashed.
    Prehash(Box<PrehashStep>),
    /// A token or ciphertext that a custodian issued. Anything else, such as the identifier itself, stays here.
    Issued,
}

impl SendStep {
    /// What it needs of a value.
    pub fn wanted(&self) -> Wanted<'_> {
        match self {
            Self::Identifier { missing, how } => Wanted {
                missing: (how.form() == Form::Date).then_some(missing),
                form: how.form(),
            },
            Self::Prehash(step) => Wanted {
                missing: (self.form() == Form::Date).then_some(step.rules.missing()),
                form: self.form(),
            },
            _ => Wanted::always(self.form()),
        }
    }

    fn form(&self) -> Form {
        match self {
            Self::Identifier { how, .. } => how.form(),
            Self::Prehash(step) => match step.rules.kind() {
                IdentifierKind::Date => Form::Date,
                IdentifierKind::Opaque => Form::Exact,
                _ => Form::Text,
            },
            Self::Opaque => Form::Exact,
            Self::Date => Form::Date,
            Self::Text { .. } | Self::Issued => Form::Text,
        }
    }

    /// Appends what is sent for a value; nothing for a missing value, one that is a word for what is missing too. On an
    /// error `out` may have been added to.
    ///
    /// # Errors
    /// [`Reason::InvalidUtf8`], [`Reason::InvalidDate`], [`Reason::TooLong`], [`Reason::MalformedPseudonym`],
    /// [`Reason::MalformedCiphertext`], and with a prehash the errors of
    /// [`IdentifierRules::normalise`].
    pub fn apply(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        match self {
            Self::Identifier { missing, .. } if missing.is_missing(value) => {}
            Self::Identifier { how, .. } => how.apply(value, out)?,
            Self::Text {
                longest: Some(longest),
            } if value.len() > *longest => return Err(Reason::TooLong),
            Self::Text { .. } if std::str::from_utf8(value).is_err() => {
                return Err(Reason::InvalidUtf8);
            }
            Self::Opaque if value.len() > MAX_RAW => return Err(Reason::TooLong),
            Self::Text { .. } | Self::Opaque => out.extend_from_slice(value),
            Self::Date if value.is_empty() => {}
            Self::Date => Date::parse(value)?.write(out),
            Self::Prehash(step) => step.apply(value, out)?,
            Self::Issued if value.is_empty() => {}
            Self::Issued if Token::parse(value).is_ok() || element::parse_text(value).is_ok() => {
                out.extend_from_slice(value);
            }
            Self::Issued if value.starts_with(element::TEXT_PREFIX) => {
                return Err(Reason::MalformedCiphertext);
            }
            Self::Issued => return Err(Reason::MalformedPseudonym),
        }
        Ok(())
    }
}

/// Normalises and hashes identifiers of one namespace.
pub struct PrehashStep {
    rules: IdentifierRules,
    key: NamespacePrehash,
    /// Reused for every value; holds identifiers.
    normalised: WipedBuffer,
}

impl PrehashStep {
    fn apply(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if self.rules.missing().is_missing(value) {
            return Ok(());
        }
        self.normalised.clear();
        if self.rules.normalise(value, &mut self.normalised)? {
            out.extend_from_slice(&self.key.prehash(&self.normalised));
        }
        Ok(())
    }
}

impl std::fmt::Debug for PrehashStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrehashStep({})", self.rules.kind())
    }
}

fn pseudonym(
    chain: &ChainView,
    element: &ElementName,
    namespace: &NamespaceId,
    source_keys: &SourceKeys,
) -> Result<SendStep, PlanError> {
    let line = chain.namespace(namespace);
    let line = line.ok_or_else(|| PlanError::UnknownNamespace(element.clone()))?;
    let kind = line.identifier;
    let words = line.missing_words.clone();
    let key = source_keys.get(namespace);
    match line.input {
        InputMode::Plain if key.is_some() => Err(PlanError::NotHashed {
            element: element.clone(),
            unnamed: !source_keys.named.contains_key(namespace),
            namespace: namespace.clone(),
        }),
        InputMode::Plain => {
            let how = match kind {
                IdentifierKind::Date => SendStep::Date,
                IdentifierKind::Opaque => SendStep::Opaque,
                _ => SendStep::Text {
                    longest: Some(MAX_RAW),
                },
            };
            Ok(SendStep::Identifier {
                missing: MissingWords::new(kind, words),
                how: Box::new(how),
            })
        }
        InputMode::Prehash => {
            let Some(key) = key else {
                return Err(PlanError::NoSourceKey {
                    element: element.clone(),
                    namespace: namespace.clone(),
                });
            };
            Ok(SendStep::Prehash(Box::new(PrehashStep {
                rules: IdentifierRules::new(kind, line.checksum, words),
                key: key.for_namespace(namespace),
                normalised: WipedBuffer::default(),
            })))
        }
    }
}

/// Makes values coarser.
pub struct GeneraliseStep {
    how: Generaliser,
}

impl GeneraliseStep {
    /// What it needs of a value.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted::always(match self.how.to {
            Generalisation::Band { .. } => Form::Number,
            to if to.is_of_dates() => Form::Date,
            _ => Form::Exact,
        })
    }

    /// Appends the coarser value; nothing for a missing value. On an error `out` is as it was.
    ///
    /// # Errors
    /// [`Reason::InvalidDate`], [`Reason::ImplausibleDate`], [`Reason::InvalidUtf8`], [`Reason::InvalidNumber`].
    pub fn apply(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        self.how.apply(value, out)
    }
}

impl std::fmt::Debug for GeneraliseStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GeneraliseStep({:?})", self.how)
    }
}

#[cfg(test)]
mod tests;
