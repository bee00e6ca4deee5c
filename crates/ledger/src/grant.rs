//! Grants: what was asked for, who said yes, and whether it may be used now.
//!
//! The state machine is pure: `requested -> approved | denied`; `approved -> expired | exhausted | revoked`; both `-> stale`. What a
//! grant says never changes; approvals and its end are added to it.

use crate::Signed;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{
    ChainId, ElementName, GrantId, Identity, NamespaceId, OrganisationId, Reason, Timestamp,
};

// Format 1 of both was used before approvals were signed; retired.
const GRANT_FORMAT: u8 = 2;
const RECORD_FORMAT: u8 = 2;

/// Longest purpose and legal basis, in bytes.
pub const MAX_TEXT: usize = 1000;
/// Longest life of a grant: ten years, in milliseconds.
pub const MAX_LIFE_MILLIS: u64 = 10 * 366 * sluis_domain::time::DAY_MILLIS;
/// Most elements of one grant.
pub const MAX_ELEMENTS: usize = 64;

/// Order of converted values within a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputOrder {
    /// As sent.
    Ordered,
    /// Random.
    Shuffled,
}

/// What may be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Convert pseudonyms of one chain's element into those of another's.
    Convert {
        /// The chain converted from, and its element.
        from: (ChainId, ElementName),
        /// The chain converted to, and its element.
        to: (ChainId, ElementName),
        /// Order of the output.
        order: OutputOrder,
    },
    /// Return identifiers and encrypted values.
    Reidentify {
        /// The chain.
        chain: ChainId,
        /// Its elements.
        elements: Vec<ElementName>,
    },
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// What may be done.
    pub kind: Kind,
    /// Why: 1 to [`MAX_TEXT`] bytes.
    pub purpose: String,
    /// On which legal basis: 1 to [`MAX_TEXT`] bytes.
    pub legal_basis: String,
    /// Most values.
    pub max_values: u64,
    /// Most values of one UTC day; `None`: no limit but `max_values`.
    pub max_values_per_day: Option<u64>,
    /// From when; `None`: from the request.
    pub not_before: Option<Timestamp>,
    /// Until when (exclusive).
    pub not_after: Timestamp,
}

impl Terms {
    /// Checks everything that does not need the registry. Returns the field and what is wrong with it.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn check(&self, now: Timestamp) -> Result<(), Vec<(&'static str, &'static str)>> {
        let start = self.not_before.unwrap_or(now);
        let text_ok =
            |text: &str| (1..=MAX_TEXT).contains(&text.trim().len()) && text.len() <= MAX_TEXT;
        let elements_ok = match &self.kind {
            Kind::Convert { .. } => true,
            Kind::Reidentify { elements, .. } => {
                (1..=MAX_ELEMENTS).contains(&elements.len())
                    && elements
                        .iter()
                        .enumerate()
                        .all(|(i, e)| !elements[..i].contains(e))
            }
        };
        let rules = [
            (
                text_ok(&self.purpose),
                "purpose",
                "must be 1 to 1,000 bytes of text",
            ),
            (
                text_ok(&self.legal_basis),
                "legal_basis",
                "must be 1 to 1,000 bytes of text",
            ),
            (self.max_values > 0, "max_values", "must be at least 1"),
            (
                self.max_values_per_day
                    .is_none_or(|daily| (1..=self.max_values).contains(&daily)),
                "max_values_per_day",
                "must be at least 1 and at most max_values",
            ),
            (
                self.not_after > start,
                "not_after",
                "must be later than not_before",
            ),
            (self.not_after > now, "not_after", "must lie in the future"),
            (
                self.not_after.millis().saturating_sub(start.millis()) <= MAX_LIFE_MILLIS,
                "not_after",
                "must be at most ten years after not_before",
            ),
            (
                elements_ok,
                "elements",
                "must name 1 to 64 different elements",
            ),
        ];
        let wrong: Vec<_> = rules
            .iter()
            .filter(|(ok, ..)| !ok)
            .map(|(_, field, what)| (*field, *what))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// The immutable part of a grant. Its digest is what approvals name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// What was asked for; `not_before` is always set here.
    pub terms: Terms,
    /// The namespace of each pseudonym element named, in order; `None` for encrypted elements. A convert grant has one.
    pub namespaces: Vec<Option<NamespaceId>>,
    /// Who may use it.
    pub grantee: OrganisationId,
    /// Who asked.
    pub requester: Identity,
    /// When.
    pub requested_at: Timestamp,
    /// Under which registry version.
    pub registry_version: u64,
    /// One organisation per approval needed, sorted.
    pub required: Vec<OrganisationId>,
}

impl Grant {
    /// The chains it concerns: from and to, or the one.
    pub fn chains(&self) -> (&ChainId, Option<&ChainId>) {
        match &self.terms.kind {
            Kind::Convert { from, to, .. } => (&from.0, Some(&to.0)),
            Kind::Reidentify { chain, .. } => (chain, None),
        }
    }

    /// The canonical bytes (format 2): everything above in the order of declaration, see `docs/audit-log.md`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(GRANT_FORMAT);
        out.lp(self.id.as_str());
        match &self.terms.kind {
            Kind::Convert { from, to, order } => {
                out.u8(1)
                    .lp(from.0.as_str())
                    .lp(from.1.as_str())
                    .lp(to.0.as_str())
                    .lp(to.1.as_str());
                out.u8(match order {
                    OutputOrder::Ordered => 1,
                    OutputOrder::Shuffled => 2,
                });
            }
            Kind::Reidentify { chain, elements } => {
                out.u8(2).lp(chain.as_str()).u16(elements.len() as u16);
                for element in elements {
                    out.lp(element.as_str());
                }
            }
        }
        out.lp(&self.terms.purpose)
            .lp(&self.terms.legal_basis)
            .u64(self.terms.max_values);
        out.u64(self.terms.max_values_per_day.unwrap_or(0));
        out.u64(self.terms.not_before.unwrap_or(self.requested_at).millis())
            .u64(self.terms.not_after.millis());
        out.u16(self.namespaces.len() as u16);
        for namespace in &self.namespaces {
            out.lp(namespace.as_ref().map_or("", NamespaceId::as_str));
        }
        out.lp(self.grantee.as_str())
            .lp(self.requester.organisation.as_str())
            .lp(self.requester.member.as_str());
        out.u64(self.requested_at.millis())
            .u64(self.registry_version);
        out.u16(self.required.len() as u16);
        for organisation in &self.required {
            out.lp(organisation.as_str());
        }
        out.finish()
    }

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, GRANT_FORMAT)?;
        let id = input.parse()?;
        let kind = match input.u8()? {
            1 => Kind::Convert {
                from: (input.parse()?, input.parse()?),
                to: (input.parse()?, input.parse()?),
                order: match input.u8()? {
                    1 => OutputOrder::Ordered,
                    2 => OutputOrder::Shuffled,
                    _ => return Err(DecodeError),
                },
            },
            2 => Kind::Reidentify {
                chain: input.parse()?,
                elements: list(&mut input, |i| i.parse())?,
            },
            _ => return Err(DecodeError),
        };
        let terms = Terms {
            kind,
            purpose: input.text()?.to_owned(),
            legal_basis: input.text()?.to_owned(),
            max_values: input.u64()?,
            max_values_per_day: Some(input.u64()?).filter(|daily| *daily > 0),
            not_before: Some(timestamp(&mut input)?),
            not_after: timestamp(&mut input)?,
        };
        let grant = Self {
            id,
            terms,
            namespaces: list(&mut input, |i| i.parse_optional())?,
            grantee: input.parse()?,
            requester: Identity {
                organisation: input.parse()?,
                member: input.parse()?,
            },
            requested_at: timestamp(&mut input)?,
            registry_version: input.u64()?,
            required: list(&mut input, |i| i.parse())?,
        };
        input.end()?;
        Ok(grant)
    }
}

/// One steward's yes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Who.
    pub steward: Identity,
    /// When.
    pub at: Timestamp,
    /// Under which registry version.
    pub registry_version: u64,
    /// Their signature over `grant-approve` and the grant's canonical bytes.
    pub signed: Signed,
}

/// How a grant can be ended. Numbers are frozen; 0 says that it was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum End {
    /// Denied before it came alive.
    Denied = 1,
    /// Revoked.
    Revoked = 2,
    /// By the restore of an older store, which may have forgotten what was used.
    Restored = 3,
    /// By a registry that allows it no more, or whose stewards are not those who approved it so far.
    Stale = 4,
    /// Its end had passed, and the log says so.
    Expired = 5,
}

/// How a grant was ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// How.
    pub how: End,
    /// By whom; of a registry the last who signed it, of one whose end had passed its requester.
    pub by: Identity,
    /// When.
    pub at: Timestamp,
    /// Their signature over `grant-deny` or `grant-revoke` and the grant's canonical bytes; the custodians of a restore
    /// signed the restore, the signers of a registry its proposal.
    pub signed: Option<Signed>,
}

/// Where a grant stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Waits for approvals.
    Requested,
    /// May be used between its start and its end.
    Approved,
    /// Denied.
    Denied,
    /// Its end has passed.
    Expired,
    /// Nothing remains.
    Exhausted,
    /// Revoked.
    Revoked,
    /// What it was approved for has changed.
    Stale,
}

/// A grant with all that happened to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What was asked for.
    pub grant: Grant,
    /// Who said yes so far.
    pub approvals: Vec<Approval>,
    /// Who ended it.
    pub ended: Option<Ended>,
}

impl Record {
    /// A new request.
    pub fn new(grant: Grant) -> Self {
        Self {
            grant,
            approvals: Vec::new(),
            ended: None,
        }
    }

    /// The organisations whose approval is still missing, one entry per approval.
    pub fn awaiting(&self) -> Vec<&OrganisationId> {
        let mut given: Vec<_> = self
            .approvals
            .iter()
            .map(|a| &a.steward.organisation)
            .collect();
        self.grant
            .required
            .iter()
            .filter(
                |organisation| match given.iter().position(|g| g == organisation) {
                    Some(at) => {
                        given.swap_remove(at);
                        false
                    }
                    None => true,
                },
            )
            .collect()
    }

    /// Where it stands at `now` after `used` values.
    pub fn state(&self, now: Timestamp, used: u64) -> State {
        match &self.ended {
            Some(Ended {
                how: End::Denied, ..
            }) => State::Denied,
            Some(Ended {
                how: End::Stale, ..
            }) => State::Stale,
            Some(Ended {
                how: End::Expired, ..
            }) => State::Expired,
            Some(_) => State::Revoked,
            None if now >= self.grant.terms.not_after => State::Expired,
            None if !self.awaiting().is_empty() => State::Requested,
            None if used >= self.grant.terms.max_values => State::Exhausted,
            None => State::Approved,
        }
    }

    /// Whether it may be used at `now`, whatever remains of its values.
    ///
    /// # Errors
    /// The reason why not.
    pub fn usable(&self, now: Timestamp) -> Result<(), Reason> {
        match self.state(now, 0) {
            State::Requested => Err(Reason::GrantNotApproved),
            State::Denied => Err(Reason::GrantDenied),
            State::Expired => Err(Reason::GrantExpired),
            State::Revoked => Err(Reason::GrantRevoked),
            State::Stale => Err(Reason::GrantStale),
            State::Exhausted => Err(Reason::GrantExhausted),
            State::Approved if self.grant.terms.not_before.is_some_and(|start| now < start) => {
                Err(Reason::GrantNotStarted)
            }
            State::Approved => Ok(()),
        }
    }

    /// Adds a steward's yes. That the caller is a steward is for the policy to say, and that the signature fits for
    /// whoever calls.
    ///
    /// # Errors
    /// [`Reason::OwnRequest`], [`Reason::AlreadyApproved`], [`Reason::GrantDecided`] if no approval of the
    /// steward's organisation is missing or the grant is decided, [`Reason::GrantExpired`].
    pub fn approve(
        &self,
        steward: &Identity,
        now: Timestamp,
        registry_version: u64,
        signed: Signed,
    ) -> Result<Self, Reason> {
        self.may_approve(steward, now)?;
        let mut next = self.clone();
        next.approvals.push(Approval {
            steward: steward.clone(),
            at: now,
            registry_version,
            signed,
        });
        Ok(next)
    }

    /// Whether [`Self::approve`] would add this steward's yes.
    ///
    /// # Errors
    /// As [`Self::approve`].
    pub fn may_approve(&self, steward: &Identity, now: Timestamp) -> Result<(), Reason> {
        if *steward == self.grant.requester {
            return Err(Reason::OwnRequest);
        }
        match self.state(now, 0) {
            State::Requested => {}
            State::Expired => return Err(Reason::GrantExpired),
            State::Stale => return Err(Reason::GrantStale),
            _ => return Err(Reason::GrantDecided),
        }
        if self.approvals.iter().any(|a| a.steward == *steward) {
            return Err(Reason::AlreadyApproved);
        }
        if !self.awaiting().contains(&&steward.organisation) {
            return Err(Reason::GrantDecided);
        }
        Ok(())
    }

    /// Says no.
    ///
    /// # Errors
    /// [`Reason::GrantDecided`] unless it still waits for approvals.
    pub fn deny(&self, by: &Identity, now: Timestamp, signed: Signed) -> Result<Self, Reason> {
        if self.state(now, 0) != State::Requested {
            return Err(Reason::GrantDecided);
        }
        Ok(self.end(End::Denied, by, now, Some(signed)))
    }

    /// Ends an approved grant (or withdraws a request).
    ///
    /// # Errors
    /// [`Reason::GrantDecided`] if it has ended already, [`Reason::GrantExpired`] if its end has passed.
    pub fn revoke(&self, by: &Identity, now: Timestamp, signed: Signed) -> Result<Self, Reason> {
        match self.state(now, 0) {
            State::Requested | State::Approved => Ok(self.end(End::Revoked, by, now, Some(signed))),
            State::Expired => Err(Reason::GrantExpired),
            _ => Err(Reason::GrantDecided),
        }
    }

    /// Ends it because an older store was restored; `None` if it has ended already.
    pub fn end_by_restore(&self, by: &Identity, now: Timestamp) -> Option<Self> {
        let open = self.ended.is_none();
        open.then(|| self.end(End::Restored, by, now, None))
    }

    /// Ends it, for good, because of another registry; `None` if it has ended already. Whether its time or its values are over is not
    /// asked: clocks step.
    pub fn end_as_stale(&self, by: &Identity, now: Timestamp) -> Option<Self> {
        let open = self.ended.is_none();
        open.then(|| self.end(End::Stale, by, now, None))
    }

    /// Ends it, for good, because its end has passed; `None` if it has ended already, or its time is not over.
    pub fn expire(&self, now: Timestamp) -> Option<Self> {
        let over = self.ended.is_none() && now >= self.grant.terms.not_after;
        over.then(|| self.end(End::Expired, &self.grant.requester, now, None))
    }

    /// Its end, if somebody brought it about: a grant expires by itself.
    pub fn ended_by_someone(&self) -> Option<&Ended> {
        let ended = self.ended.as_ref();
        ended.filter(|ended| ended.how != End::Expired)
    }

    /// How many steps made it what it is: the request, each approval, the end.
    pub fn steps(&self) -> u64 {
        1 + self.approvals.len() as u64 + u64::from(self.ended.is_some())
    }

    fn end(&self, how: End, by: &Identity, at: Timestamp, signed: Option<Signed>) -> Self {
        Self {
            ended: Some(Ended {
                how,
                by: by.clone(),
                at,
                signed,
            }),
            ..self.clone()
        }
    }

    /// Bytes for the store (to be sealed): format, LP(grant), approvals, end.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(RECORD_FORMAT);
        out.lp(self.grant.encode()).u16(self.approvals.len() as u16);
        for approval in &self.approvals {
            out.lp(approval.steward.to_string())
                .u64(approval.at.millis())
                .u64(approval.registry_version);
            approval.signed.write(&mut out);
        }
        match &self.ended {
            None => drop(out.u8(0)),
            Some(ended) => {
                out.u8(ended.how as u8)
                    .lp(ended.by.to_string())
                    .u64(ended.at.millis());
                out.u8(ended.signed.is_some().into());
                ended
                    .signed
                    .iter()
                    .for_each(|signed| signed.write(&mut out));
            }
        }
        out.finish()
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, RECORD_FORMAT)?;
        let grant = Grant::decode(input.lp()?)?;
        let approvals = list(&mut input, |i| {
            Ok(Approval {
                steward: i.parse()?,
                at: timestamp(i)?,
                registry_version: i.u64()?,
                signed: Signed::read(i)?,
            })
        })?;
        let how = match input.u8()? {
            0 => None,
            1 => Some(End::Denied),
            2 => Some(End::Revoked),
            3 => Some(End::Restored),
            4 => Some(End::Stale),
            5 => Some(End::Expired),
            _ => return Err(DecodeError),
        };
        let ended = how
            .map(|how| {
                let (by, at) = (input.parse()?, timestamp(&mut input)?);
                let signed = match input.u8()? {
                    0 => None,
                    1 => Some(Signed::read(&mut input)?),
                    _ => return Err(DecodeError),
                };
                Ok(Ended {
                    how,
                    by,
                    at,
                    signed,
                })
            })
            .transpose()?;
        input.end()?;
        Ok(Self {
            grant,
            approvals,
            ended,
        })
    }
}

fn timestamp(input: &mut Reader<'_>) -> Result<Timestamp, DecodeError> {
    Timestamp::from_millis(input.u64()?).ok_or(DecodeError)
}

fn list<'a, T>(
    input: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    (0..input.u16()?).map(|_| item(input)).collect()
}

#[cfg(test)]
mod tests;
