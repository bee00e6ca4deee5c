//! Entries as a dishonest custodian may write them: every field can be set for every act.
//!
//! The bytes are written here once more, apart from the ledger's encoder. What the form of an act has no place for comes behind it.

use sluis_crypto::digest::sha256;
use sluis_domain::codec::Writer;
use sluis_domain::{ChainId, GrantId, Identity, Kid, NamespaceId, Timestamp};
use sluis_ledger::Signed;
use sluis_ledger::audit::{Act, Outcome, Salt};
use sluis_ledger::grant::Grant;
use sluis_ledger::instruction::{Instruction, Task};
use sluis_ledger::proposal::Proposal;

/// Use of a key version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyUse {
    /// `None`: that of the entry, or, where it has none or two, the one that the version is of in the story.
    pub(crate) chain: Option<ChainId>,
    pub(crate) namespace: Option<NamespaceId>,
    pub(crate) kid: Kid,
    pub(crate) values: u64,
}

/// An entry that may be wrong in any way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) salt: Salt,
    pub(crate) at: Timestamp,
    pub(crate) act: Act,
    pub(crate) outcome: Outcome,
    pub(crate) registry_version: u64,
    pub(crate) rows: u64,
    pub(crate) values: u64,
    pub(crate) rejected: u64,
    pub(crate) actor: Option<Identity>,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) chain: Option<ChainId>,
    pub(crate) to_chain: Option<ChainId>,
    pub(crate) grant: Option<GrantId>,
    pub(crate) grant_digest: Option<[u8; 32]>,
    pub(crate) object_digest: Option<[u8; 32]>,
    pub(crate) purpose: String,
    pub(crate) keys: Vec<KeyUse>,
    pub(crate) counter: u64,
    /// What the act is about, in its own bytes; the id of a proposal as LP.
    pub(crate) detail: Vec<u8>,
    pub(crate) signatures: Vec<(Identity, Signed)>,
}

impl Entry {
    pub(crate) fn new(salt: Salt, at: Timestamp, act: Act, registry_version: u64) -> Self {
        Self {
            salt,
            at,
            act,
            outcome: Outcome::Done,
            registry_version,
            rows: 0,
            values: 0,
            rejected: 0,
            actor: None,
            fingerprint: [0; 32],
            chain: None,
            to_chain: None,
            grant: None,
            grant_digest: None,
            object_digest: None,
            purpose: String::new(),
            keys: Vec::new(),
            counter: 0,
            detail: Vec::new(),
            signatures: Vec::new(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(3);
        out.fixed(&self.salt)
            .u64(self.at.millis())
            .u8(self.act as u8);
        let mut rest = self.clone();
        match self.outcome {
            Outcome::Done => {
                out.u8(0).u64(self.registry_version);
                rest.write_done(&mut out);
            }
            Outcome::Refused(reason) => {
                out.u8(1).lp(reason.code()).u64(self.registry_version);
                rest.write_caller(&mut out);
                rest.write_about(&mut out);
            }
        }
        rest.write_surplus(&mut out);
        out.finish()
    }

    fn write_done(&mut self, out: &mut Writer) {
        match self.act {
            Act::Initialise
            | Act::Custodians
            | Act::RotateKek
            | Act::AcceptRestore
            | Act::WarnRetention
            | Act::ExpireChain
            | Act::EraseSubjects
            | Act::ExpireProposal
            | Act::ExpireGrant => {}
            Act::Unseal | Act::Seal if self.actor.is_none() => drop(out.u8(0)),
            Act::Unseal | Act::Seal => {
                out.u8(1);
                self.write_caller(out);
            }
            _ => self.write_caller(out),
        }
        self.write_body(out);
    }

    fn write_body(&mut self, out: &mut Writer) {
        match self.act {
            Act::Pseudonymise | Act::Import => {
                let chain = self.chain.clone();
                self.write_chain(out);
                self.write_counts(out);
                self.write_uses(chain.as_ref(), out);
            }
            Act::Convert | Act::Reidentify => {
                let chain = self.chain.clone().filter(|_| self.act == Act::Reidentify);
                self.write_grant(out);
                self.write_counts(out);
                out.u64(std::mem::take(&mut self.counter));
                self.write_uses(chain.as_ref(), out);
            }
            Act::RequestGrant => self.write_request(out),
            Act::ApproveGrant | Act::DenyGrant | Act::RevokeGrant => {
                self.write_grant(out);
                self.write_signatures(out);
            }
            Act::ExpireGrant => self.write_grant(out),
            Act::ApplyRegistry => {
                self.write_proposal(out);
                self.write_made(out);
            }
            Act::RotateChain => {
                self.write_instruction(out);
                self.write_versions(out);
                self.write_signatures(out);
            }
            Act::DisableVersion => {
                self.write_instruction(out);
                self.write_signatures(out);
            }
            Act::RotateAuditKey => {
                out.fixed(&std::mem::take(&mut self.detail));
                self.write_signatures(out);
            }
            Act::Propose => self.write_proposed(out),
            Act::SignProposal | Act::RejectProposal => {
                self.write_proposal(out);
                self.write_chain(out);
                self.write_signatures(out);
            }
            Act::ExpireProposal => {
                self.write_proposal(out);
                self.write_chain(out);
            }
            Act::DestroyVersion | Act::CutEscrow => {
                self.write_proposal(out);
                self.write_chain(out);
                if !self.keys.is_empty() {
                    write_version(&self.keys.remove(0), out);
                }
            }
            Act::OptOut => self.write_proposal(out),
            Act::Initialise => drop(out.fixed(&std::mem::take(&mut self.detail))),
            Act::Custodians | Act::Unseal => drop(out.lp(std::mem::take(&mut self.detail))),
            Act::AcceptRestore => {
                out.lp(std::mem::take(&mut self.detail));
                self.write_signatures(out);
            }
            Act::WarnRetention => self.write_chain(out),
            Act::ExpireChain => {
                self.write_chain(out);
                self.write_versions(out);
            }
            Act::EraseSubjects => self.write_erased(out),
            _ => {}
        }
    }

    fn write_caller(&mut self, out: &mut Writer) {
        let names = self.actor.take();
        let names = names.map_or_else(Default::default, |who| {
            [who.organisation.to_string(), who.member.to_string()]
        });
        out.lp(&names[0]).lp(&names[1]);
        out.fixed(&std::mem::take(&mut self.fingerprint));
    }

    fn write_about(&mut self, out: &mut Writer) {
        if self.grant.is_some() {
            self.write_grant(out.u8(2));
        } else if let Some(digest) = self.object_digest.take() {
            let of_registry = self.act == Act::Propose;
            out.u8(if of_registry { 4 } else { 3 }).fixed(&digest);
            if !of_registry {
                self.write_chain(out);
            }
        } else if self.chain.is_some() {
            self.write_chain(out.u8(1));
        } else {
            out.u8(0);
        }
    }

    fn write_chain(&mut self, out: &mut Writer) {
        out.lp(text(self.chain.take()));
    }

    fn write_counts(&mut self, out: &mut Writer) {
        out.u64(std::mem::take(&mut self.rows));
        out.u64(std::mem::take(&mut self.values));
        out.u64(std::mem::take(&mut self.rejected));
    }

    fn write_grant(&mut self, out: &mut Writer) {
        out.lp(text(self.grant.take()));
        out.fixed(&bytes(self.grant_digest.take()));
        self.write_chain(out);
        out.lp(text(self.to_chain.take()));
        out.lp(std::mem::take(&mut self.purpose));
    }

    /// What the grant says itself has no place of its own.
    fn write_request(&mut self, out: &mut Writer) {
        out.lp(&self.detail);
        if let Ok(grant) = Grant::decode(&self.detail) {
            let (chain, to_chain) = grant.chains();
            let digest = sha256(&self.detail);
            self.grant.take_if(|id| *id == grant.id);
            self.grant_digest.take_if(|named| *named == digest);
            self.chain.take_if(|named| named == chain);
            self.to_chain.take_if(|named| Some(&*named) == to_chain);
            if self.purpose == grant.terms.purpose {
                self.purpose.clear();
            }
        }
        self.detail.clear();
    }

    /// As [`Self::write_request`].
    fn write_proposed(&mut self, out: &mut Writer) {
        out.lp(&self.detail);
        let digest = sha256(&self.detail);
        self.object_digest.take_if(|named| *named == digest);
        if let Ok(proposal) = Proposal::decode(&self.detail) {
            let chain = proposal.matter.chain();
            self.chain.take_if(|named| Some(&*named) == chain);
        }
        self.detail.clear();
    }

    /// As [`Self::write_request`].
    fn write_instruction(&mut self, out: &mut Writer) {
        out.lp(&self.detail);
        if let Ok(instruction) = Instruction::decode(&self.detail) {
            let chain = instruction.task.chain();
            self.chain.take_if(|named| Some(&*named) == chain);
            if let Task::DisableVersion { kid, namespace, .. } = &instruction.task
                && self.act == Act::DisableVersion
                && matches!(self.keys.as_slice(), [one] if one.kid == *kid && one.namespace == *namespace)
            {
                self.keys.clear();
            }
        }
        self.detail.clear();
    }

    fn write_proposal(&mut self, out: &mut Writer) {
        out.fixed(&std::mem::take(&mut self.detail));
        out.fixed(&bytes(self.object_digest.take()));
    }

    fn write_signatures(&mut self, out: &mut Writer) {
        for (signer, signed) in std::mem::take(&mut self.signatures) {
            out.lp(signer.organisation.as_str())
                .lp(signer.member.as_str());
            out.lp(&signed.signature).lp(&signed.certificate);
        }
    }

    fn write_uses(&mut self, chain: Option<&ChainId>, out: &mut Writer) {
        let keys = std::mem::take(&mut self.keys);
        write_by_chain(&keys, chain, out, |key, out| {
            write_version(key, out);
            out.u64(key.values);
        });
    }

    fn write_made(&mut self, out: &mut Writer) {
        write_by_chain(&self.keys, None, out, write_version);
        self.keys.retain(|key| key.values > 0);
    }

    fn write_versions(&mut self, out: &mut Writer) {
        write_count(self.keys.len(), out);
        self.keys.iter().for_each(|key| write_version(key, out));
        self.keys.retain(|key| key.values > 0);
    }

    fn write_erased(&mut self, out: &mut Writer) {
        self.write_chain(out);
        out.u64(std::mem::take(&mut self.values));
        let namespace = self.keys.first().and_then(|key| key.namespace.clone());
        out.lp(text(namespace.clone()));
        let mut erased = std::mem::take(&mut self.keys);
        self.keys = erased
            .extract_if(.., |key| {
                key.namespace.is_none() || key.namespace != namespace
            })
            .collect();
        if !erased.is_empty() {
            write_count(erased.len(), out);
        }
        for key in erased {
            out.fixed(&key.kid.to_be_bytes());
        }
    }

    /// What is left.
    fn write_surplus(&mut self, out: &mut Writer) {
        for number in [self.rows, self.values, self.rejected, self.counter] {
            if number > 0 {
                out.u64(number);
            }
        }
        if self.actor.is_some() || self.fingerprint != [0; 32] {
            self.write_caller(out);
        }
        let names = [
            text(self.chain.take()),
            text(self.to_chain.take()),
            text(self.grant.take()),
            self.purpose.clone(),
        ];
        for name in names.iter().filter(|name| !name.is_empty()) {
            out.lp(name);
        }
        out.fixed(&bytes(self.grant_digest));
        out.fixed(&bytes(self.object_digest));
        for key in &self.keys {
            write_version(key, out);
            out.u64(key.values);
        }
        out.fixed(&self.detail);
        self.write_signatures(out);
    }
}

fn write_version(key: &KeyUse, out: &mut Writer) {
    out.lp(text(key.namespace.clone()))
        .fixed(&key.kid.to_be_bytes());
}

fn write_by_chain(
    keys: &[KeyUse],
    chain: Option<&ChainId>,
    out: &mut Writer,
    each: impl Fn(&KeyUse, &mut Writer),
) {
    let chain_of = |key: &KeyUse| {
        let named = key.chain.as_ref().or(chain);
        named.map_or_else(|| of_story(key.kid).to_owned(), ToString::to_string)
    };
    let groups: Vec<_> = keys.chunk_by(|a, b| chain_of(a) == chain_of(b)).collect();
    write_count(groups.len(), out);
    for group in groups {
        out.lp(chain_of(&group[0]));
        write_count(group.len(), out);
        group.iter().for_each(|key| each(key, out));
    }
}

fn write_count(count: usize, out: &mut Writer) {
    out.u16(u16::try_from(count).expect("few"));
}

/// The chain of a version in the story.
fn of_story(kid: Kid) -> &'static str {
    match kid.get() {
        super::KEY_B | 5 => "b",
        _ => "a",
    }
}

fn text<T: ToString>(id: Option<T>) -> String {
    id.map_or_else(String::new, |id| id.to_string())
}

fn bytes(digest: Option<[u8; 32]>) -> Vec<u8> {
    digest.map_or_else(Vec::new, |digest| digest.to_vec())
}
