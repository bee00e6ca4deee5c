//! A state as bytes, so that a start need not read the whole log.
//!
//! The text of the registry is not among them: it is too long, and the state has its digest. Nor is what [`State::past`] gives,
//! which the archive has. The bytes are written and read by
//! the same version of the program; other formats are refused, and the log is read from its first entry then.

use std::sync::Arc;

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{Kid, NamespaceId};

use super::{Ended, Stage, State, Version, VersionState};
use crate::days::{GrantDays, Run};
use crate::registry::Registry;
use crate::told::Told;
use crate::{custodian, grant, proposal};

impl State {
    pub(crate) fn write(&self, out: &mut Writer) {
        out.lp(&self.origin).u64(self.entries);
        count(out, self.verifier_keys.len());
        for (entry, key) in &self.verifier_keys {
            out.u64(*entry).lp(key.to_string());
        }
        out.long(&custodian::encode(&self.custodians));
        out.u64(self.custodian_lists).fixed(&self.custody_head);
        out.u64(self.registry_version).fixed(&self.registry_digest);
        self.write_records(out);
        self.write_keys(out);
        count(out, self.opted_out.len());
        for namespace in self.opted_out.iter() {
            out.lp(namespace.as_str());
        }
        out.u64(self.opt_outs).u64(self.restores);
        out.u8(self.restoring.into());
        let (entry, digest) = self.last_restore.unwrap_or_default();
        out.u8(self.last_restore.is_some().into());
        out.u64(entry).fixed(&digest).u64(self.signatures);
        self.told.write(out);
    }

    fn write_records(&self, out: &mut Writer) {
        let grants = self.lasting_grants();
        count(out, grants.len());
        for (grant, ended) in grants {
            out.long(&grant.record.encode()).u64(ended);
            out.u64(grant.counter).u32(grant.days.floor());
            count(out, grant.days.runs().len());
            for run in grant.days.runs() {
                out.u32(run.first).u32(run.day).u64(run.count);
            }
        }
        let proposals = self.lasting_proposals();
        count(out, proposals.len());
        for (record, ended) in proposals {
            out.long(&record.encode()).u64(ended);
        }
    }

    fn write_keys(&self, out: &mut Writer) {
        count(out, self.versions.len());
        for (kid, version) in self.versions.iter() {
            out.fixed(&kid.to_be_bytes()).lp(version.chain.as_str());
            out.lp(namespace(version.namespace.as_ref()));
            out.u8(version.state.stage as u8)
                .u8(version.state.cut.into());
        }
        count(out, self.lines.len());
        for (chain, of) in self.lines.iter() {
            out.lp(chain.as_str()).lp(namespace(of.as_ref()));
        }
        for chains in [&self.chains, &self.warned, &self.expired] {
            count(out, chains.len());
            for chain in chains.iter() {
                out.lp(chain.as_str());
            }
        }
    }

    /// Reads what [`Self::write`] wrote. `registry` gives the registry of a version and digest.
    pub(crate) fn read(
        input: &mut Reader<'_>,
        registry: impl FnOnce(u64, &[u8; 32]) -> Option<Arc<Registry>>,
    ) -> Result<Self, DecodeError> {
        let mut state = Self::new(input.text()?);
        state.entries = input.u64()?;
        state.verifier_keys = list(input, |input| Ok((input.u64()?, input.parse()?)))?;
        state.custodians = custodian::decode(input.long()?)?;
        state.custodian_lists = input.u64()?;
        state.custody_head = input.array()?;
        state.registry_version = input.u64()?;
        state.registry_digest = input.array()?;
        if state.registry_version > 0 {
            state.registry =
                registry(state.registry_version, &state.registry_digest).ok_or(DecodeError)?;
        }
        state.read_records(input)?;
        state.read_keys(input)?;
        state.opted_out = list(input, |input| input.parse())?;
        state.opt_outs = input.u64()?;
        state.restores = input.u64()?;
        state.restoring = input.u8()? == 1;
        let restored = input.u8()? == 1;
        let restore = (input.u64()?, input.array()?);
        state.last_restore = restored.then_some(restore);
        state.signatures = input.u64()?;
        state.told = Told::read(input)?;
        Ok(state)
    }

    fn read_records(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        for _ in 0..input.u32()? {
            let record = Arc::new(grant::Record::decode(input.long()?)?);
            let entries = input.u64()?;
            let counter = input.u64()?;
            let floor = input.u32()?;
            let runs = list(input, |input| {
                Ok(Run {
                    first: input.u32()?,
                    day: input.u32()?,
                    count: input.u64()?,
                })
            })?;
            let days = GrantDays::from_runs(floor, runs).ok_or(DecodeError)?;
            self.read_grant(Ended { record, entries }, counter, days);
        }
        for _ in 0..input.u32()? {
            let record = Arc::new(proposal::Record::decode(input.long()?)?);
            let entries = input.u64()?;
            self.read_proposal(Ended { record, entries });
        }
        Ok(())
    }

    fn read_keys(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.versions = list(input, |input| {
            let kid = Kid::from_be_bytes(input.array()?).ok_or(DecodeError)?;
            let version = Version {
                chain: input.parse()?,
                namespace: input.parse_optional()?,
                state: VersionState {
                    stage: stage(input.u8()?)?,
                    cut: input.u8()? == 1,
                },
            };
            Ok((kid, version))
        })?;
        self.lines = list(input, |input| Ok((input.parse()?, input.parse_optional()?)))?;
        self.chains = list(input, |input| input.parse())?;
        self.warned = list(input, |input| input.parse())?;
        self.expired = list(input, |input| input.parse())?;
        Ok(())
    }
}

fn stage(number: u8) -> Result<Stage, DecodeError> {
    let stages = [Stage::Made, Stage::Disabled, Stage::Destroyed];
    let found = stages.into_iter().find(|stage| *stage as u8 == number);
    found.ok_or(DecodeError)
}

fn namespace(id: Option<&NamespaceId>) -> &str {
    id.map_or("", NamespaceId::as_str)
}

fn count(out: &mut Writer, count: usize) {
    out.u32(u32::try_from(count).expect("a log has far fewer than 4 thousand million of anything"));
}

fn list<T, C: FromIterator<T>>(
    input: &mut Reader<'_>,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<C, DecodeError> {
    (0..input.u32()?).map(|_| read(input)).collect()
}
