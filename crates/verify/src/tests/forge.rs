//! A log made by hand, as a custodian would write it.

use std::collections::BTreeMap;

use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SanType, SigningKey,
};
use sluis_crypto::signature::LogKey;
use sluis_crypto::{Secret, digest::sha256};
use sluis_domain::codec::Writer;
use sluis_domain::{ChainId, Identity, Kid, PublicKey, Reason, Timestamp};
use sluis_ledger::Signed;
use sluis_ledger::audit::{Act, Outcome, SALT_BYTES};
use sluis_ledger::custodian::{self, Custodian};
use sluis_ledger::grant::{Grant, Kind, OutputOrder, Terms};
use sluis_ledger::instruction::{Instruction, Task, ends_instructions};
use sluis_ledger::proposal::{LIFE_MILLIS, Matter, Proposal};
use sluis_ledger::registry::{Registry, Signers, required_signers};
use sluis_ledger::restore::Restore;
use sluis_ledger::statement::{Deed, statement};
use sluis_tlog::{Bundle, Checkpoint, Tile, Tree, VerifierKey, encode_bundle, leaf_hash};

use crate::export::{CHECKPOINT, Files, VERIFIER_KEY, handover_path, registry_path};

mod entry;

pub(crate) use entry::{Entry, KeyUse};

pub(super) const ORIGIN: &str = "example.org/0123456789abcdef0123456789abcdef";
const START: u64 = 1_800_000_000_000;
pub(super) const YEAR: u64 = 366 * 24 * 3600 * 1000;

/// Someone with a key and a certificate.
pub(super) struct Person {
    pub(super) identity: Identity,
    pair: KeyPair,
    pub(super) certificate: Vec<u8>,
}

impl Person {
    /// Their certificate ends with that year.
    pub(super) fn new(name: &str, last_year: i32) -> Self {
        // Both kinds of key are used.
        let kind = if name.ends_with('2') {
            &PKCS_ED25519
        } else {
            &PKCS_ECDSA_P256_SHA256
        };
        let pair = KeyPair::generate_for(kind).expect("random");
        let mut params = CertificateParams::default();
        let uri = format!("spiffe://example.org/{name}");
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().expect("ASCII"))];
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 12, 31);
        let certificate = params.self_signed(&pair).expect("signs").der().to_vec();
        Self {
            identity: name.parse().expect("organisation/member"),
            pair,
            certificate,
        }
    }

    pub(super) fn key(&self) -> PublicKey {
        let raw = rcgen::PublicKeyData::der_bytes(&self.pair);
        match raw.len() {
            32 => PublicKey::ed25519(raw.try_into().expect("32 bytes")),
            _ => PublicKey::p256(raw.try_into().expect("65 bytes")).expect("a point"),
        }
    }

    pub(super) fn sign(&self, deed: Deed, object: &[u8]) -> (Identity, Signed) {
        self.sign_for(ORIGIN, deed, object)
    }

    pub(super) fn sign_for(&self, origin: &str, deed: Deed, object: &[u8]) -> (Identity, Signed) {
        let signature = self
            .pair
            .sign(&statement(deed, origin, object))
            .expect("signs");
        (
            self.identity.clone(),
            Signed {
                signature,
                certificate: self.certificate.clone(),
            },
        )
    }
}

/// The log and who writes in it.
pub(super) struct Forge {
    people: BTreeMap<&'static str, Person>,
    log_keys: Vec<LogKey>,
    pub(super) entries: Vec<Entry>,
    pub(super) registries: Vec<String>,
    grants: BTreeMap<&'static str, Vec<u8>>,
    proposals: BTreeMap<&'static str, Proposal>,
    /// Sizes at which the key was handed over.
    handovers: Vec<u64>,
    /// Bytes that stand in the place of the last entry.
    pub(super) last_bytes: Option<Vec<u8>>,
}

impl Forge {
    fn new() -> Self {
        let names = [
            "c/anna",
            "c/bert2",
            "uni/etl",
            "uni/s1",
            "uni/s2",
            "uni/s3",
            "clinic/etl",
            "clinic/s4",
            "clinic/s5",
        ];
        let seed = |byte| LogKey::new(&Secret::from_slice(&[byte; 32]).expect("32 bytes"));
        Self {
            people: names.map(|name| (name, Person::new(name, 2035))).into(),
            log_keys: vec![seed(1), seed(2)],
            entries: Vec::new(),
            registries: vec![String::new()],
            grants: BTreeMap::new(),
            proposals: BTreeMap::new(),
            handovers: Vec::new(),
            last_bytes: None,
        }
    }

    /// The canonical bytes of all entries.
    pub(super) fn encoded(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<_> = self.entries.iter().map(Entry::encode).collect();
        if let (Some(last), Some(bytes)) = (all.last_mut(), &self.last_bytes) {
            last.clone_from(bytes);
        }
        all
    }

    /// Cuts the log behind an entry, counted as [`Self::find`] does, for that entry to be changed.
    pub(super) fn cut_at(&mut self, act: Act, nth: usize) -> &mut Entry {
        let at = self.find(act, nth);
        self.entries.truncate(at + 1);
        let versions = self.entries.iter().map(|entry| entry.registry_version);
        let version = usize::try_from(versions.max().unwrap_or(0)).expect("small");
        self.registries.truncate(version + 1);
        self.last()
    }

    /// The last entry.
    pub(super) fn last(&mut self) -> &mut Entry {
        self.entries.last_mut().expect("the story has some")
    }

    pub(super) fn person(&self, name: &str) -> &Person {
        &self.people[name]
    }

    pub(super) fn verifier_key(&self, number: usize) -> VerifierKey {
        VerifierKey::new(ORIGIN, self.log_keys[number].public()).expect("a name")
    }

    pub(super) fn grant(&self, id: &str) -> &[u8] {
        &self.grants[id]
    }

    pub(super) fn proposal(&self, id: &str) -> Vec<u8> {
        self.proposals[id].encode()
    }

    /// The number of the entry of this act, counted from 0 among those of the act that were done.
    pub(super) fn find(&self, act: Act, nth: usize) -> usize {
        let of_act =
            |entry: &&(usize, &Entry)| entry.1.act == act && entry.1.outcome == Outcome::Done;
        let all: Vec<_> = self.entries.iter().enumerate().collect();
        all.iter()
            .filter(of_act)
            .nth(nth)
            .expect("the story has it")
            .0
    }

    pub(super) fn entry(&self, act: Act, actor: Option<&str>) -> Entry {
        let at = Timestamp::from_millis(START + 1000 * self.entries.len() as u64).expect("small");
        let salt = [self.entries.len() as u8; SALT_BYTES];
        let mut entry = Entry::new(salt, at, act, self.registries.len() as u64 - 1);
        if let Some(person) = actor.map(|name| &self.people[name]) {
            entry.actor = Some(person.identity.clone());
            entry.fingerprint = sha256(&person.certificate);
        }
        entry
    }

    /// An instruction of this moment.
    pub(super) fn instruction(&self, task: Task) -> Instruction {
        let ends = |entry: &&Entry| entry.outcome == Outcome::Done && ends_instructions(entry.act);
        let last = self.entries.iter().rfind(ends).expect("the first one does");
        Instruction {
            task,
            registry_version: self.registries.len() as u64 - 1,
            after: leaf_hash(&last.encode()),
            at: self.now(),
        }
    }

    /// The entry of what someone instructs, without the key versions it names.
    pub(super) fn instructed(&self, who: &str, instruction: &Instruction) -> Entry {
        let mut entry = self.entry(instruction.task.act(), Some(who));
        entry.chain = instruction.task.chain().cloned();
        entry.detail = instruction.encode();
        entry.signatures =
            vec![self.people[who].sign(instruction.task.deed(), &instruction.encode())];
        entry
    }

    pub(super) fn push(&mut self, entry: Entry) -> &mut Self {
        self.entries.push(entry);
        self
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START + 1000 * self.entries.len() as u64).expect("small")
    }

    pub(super) fn request(&mut self, id: &'static str, who: &str, kind: Kind, required: &[&str]) {
        let requester = self.people[who].identity.clone();
        let grant = Grant {
            id: id.parse().expect("an id"),
            terms: Terms {
                kind,
                purpose: "linkage".into(),
                legal_basis: "consent".into(),
                max_values: 10,
                max_values_per_day: (id == "g-1").then_some(7),
                not_before: Some(self.now()),
                not_after: self.now().plus_millis(YEAR),
            },
            namespaces: vec!["n".parse().ok()],
            grantee: requester.organisation.clone(),
            requester,
            requested_at: self.now(),
            registry_version: self.registries.len() as u64 - 1,
            required: required
                .iter()
                .map(|id| id.parse().expect("an id"))
                .collect(),
        };
        let mut entry = self.of_grant(&grant, Act::RequestGrant, who);
        entry.detail = grant.encode();
        self.grants.insert(id, grant.encode());
        self.push(entry);
    }

    /// An entry under a grant.
    pub(super) fn about(&self, id: &str, act: Act, who: &str) -> Entry {
        self.of_grant(
            &Grant::decode(&self.grants[id]).expect("made here"),
            act,
            who,
        )
    }

    fn of_grant(&self, grant: &Grant, act: Act, who: &str) -> Entry {
        let mut entry = self.entry(act, Some(who));
        let (chain, to_chain) = grant.chains();
        (entry.chain, entry.to_chain) = (Some(chain.clone()), to_chain.cloned());
        (entry.grant, entry.grant_digest) = (Some(grant.id.clone()), Some(sha256(&grant.encode())));
        entry.purpose = grant.terms.purpose.clone();
        entry
    }

    pub(super) fn step(&mut self, act: Act, deed: Deed, id: &str, who: &str) {
        let mut entry = self.about(id, act, who);
        entry.signatures = vec![self.people[who].sign(deed, &self.grants[id])];
        self.push(entry);
    }

    pub(super) fn charge(&mut self, id: &str, who: &str, act: Act, values: u64, counter: u64) {
        let mut entry = self.about(id, act, who);
        (entry.rows, entry.values, entry.counter) = (values, values, counter);
        entry.keys = vec![key(KEY_A, values)];
        if act == Act::Convert {
            entry.keys.push(key(KEY_B, values));
        }
        self.push(entry);
    }

    pub(super) fn propose(
        &mut self,
        id: &'static str,
        who: &str,
        matter: Matter,
        required: &[Signers],
    ) {
        // Of one group two must sign, of several one each, but two of each for a registry.
        let registry = matches!(matter, Matter::Registry { .. });
        let count = if required.len() == 1 || registry {
            2
        } else {
            1
        };
        let proposal = Proposal {
            id: id.parse().expect("an id"),
            matter,
            proposer: self.people[who].identity.clone(),
            at: self.now(),
            not_after: self.now().plus_millis(LIFE_MILLIS),
            registry_version: self.registries.len() as u64 - 1,
            required: required
                .iter()
                .map(|signers| (signers.clone(), count))
                .collect(),
        };
        let mut entry = self.entry(Act::Propose, Some(who));
        entry.chain = chain_of(&proposal.matter);
        entry.detail = proposal.encode();
        entry.object_digest = Some(sha256(&entry.detail));
        self.proposals.insert(id, proposal);
        self.push(entry);
    }

    /// The last entry proposes something else.
    pub(super) fn repropose(&mut self, change: impl FnOnce(&mut Proposal)) {
        let mut proposal = Proposal::decode(&self.last().detail).expect("a proposal");
        change(&mut proposal);
        let entry = self.last();
        entry.detail = proposal.encode();
        entry.object_digest = Some(sha256(&entry.detail));
    }

    pub(super) fn on_proposal(&self, act: Act, id: &str, who: &str) -> Entry {
        let mut entry = self.entry(act, Some(who));
        entry.chain = chain_of(&self.proposals[id].matter);
        entry.object_digest = Some(sha256(&self.proposal(id)));
        entry.detail = Writer::default().lp(id).finish();
        entry
    }

    pub(super) fn say(&mut self, act: Act, deed: Deed, id: &str, who: &str) {
        let mut entry = self.on_proposal(act, id, who);
        entry.signatures = vec![self.people[who].sign(deed, &self.proposal(id))];
        self.push(entry);
    }

    /// A registry, with the signatures that it needs if it is valid and else those of custodians.
    pub(super) fn enact(&mut self, id: &'static str, text: String, made: Vec<KeyUse>) {
        let before = self.registries.last().expect("at least the empty one");
        let before = Registry::parse(before, &[]).expect("it was in force");
        let next = Registry::parse(&text, &[]).unwrap_or_else(|_| before.clone());
        let mut groups: Vec<_> = required_signers(&before, &next)
            .into_iter()
            .map(|need| need.signers)
            .collect();
        if groups.is_empty() {
            groups.push(Signers::Custodians);
        }
        let people: Vec<&str> = groups.iter().flat_map(signers_of).collect();
        self.propose_registry(id, "c/anna", &text, &groups);
        for who in &people {
            self.say(Act::SignProposal, Deed::SignProposal, id, who);
        }
        self.apply_registry(id, people[people.len() - 1], text, made);
    }

    pub(super) fn propose_registry(
        &mut self,
        id: &'static str,
        who: &str,
        text: &str,
        required: &[Signers],
    ) {
        let base = self.registries.last().expect("at least the empty one");
        let matter = Matter::Registry {
            base_version: self.registries.len() as u64 - 1,
            base_digest: sha256(base.as_bytes()),
            digest: sha256(text.as_bytes()),
        };
        self.propose(id, who, matter, required);
    }

    pub(super) fn apply_registry(&mut self, id: &str, who: &str, text: String, keys: Vec<KeyUse>) {
        let mut entry = self.on_proposal(Act::ApplyRegistry, id, who);
        entry.object_digest = Some(sha256(text.as_bytes()));
        self.registries.push(text);
        entry.registry_version = self.registries.len() as u64 - 1;
        entry.keys = keys;
        self.push(entry);
    }

    /// The registry; `recipients` of chain `a`.
    pub(super) fn registry(&self, recipients: &str) -> String {
        let key = |name: &str| {
            format!(
                "[[key]]\nmember = \"{name}\"\npublic_key = \"{}\"\n",
                self.people[name].key()
            )
        };
        let keys: String = ["uni/s1", "uni/s2", "uni/s3", "clinic/s4", "clinic/s5"]
            .map(key)
            .concat();
        let element = "[[chain.namespace]]\nid = \"n\"\nlink = \"escrow\"\nreversible = true\n\
                       [[chain.element]]\nname = \"id\"\ntreatment = \"pseudonym\"\nnamespace = \"n\"\n";
        format!(
            "[[organisation]]\nid = \"uni\"\nname = \"U\"\nmembers = [\"etl\", \"s1\", \"s2\", \"s3\"]\n\
             stewards = [\"s1\", \"s2\", \"s3\"]\n\
             [[organisation]]\nid = \"clinic\"\nname = \"C\"\nmembers = [\"etl\", \"s4\", \"s5\"]\n\
             stewards = [\"s4\", \"s5\"]\n{keys}\
             [[namespace]]\nid = \"n\"\nidentifier = \"opaque\"\ninput = \"plain\"\n\
             [[chain]]\nid = \"a\"\nowner = \"uni\"\nsources = [\"clinic\"]\nrecipients = [{recipients}]\n{element}\
             [[chain.element]]\nname = \"note\"\ntreatment = \"encrypt\"\n\
             [[chain]]\nid = \"b\"\nowner = \"clinic\"\nsources = [\"clinic\"]\nrecipients = [\"clinic\"]\n\
             retention = \"10y\"\n{element}"
        )
    }

    pub(super) fn tree(&self, size: usize) -> Tree {
        let mut tree = Tree::new();
        for entry in &self.encoded()[..size] {
            tree.append(leaf_hash(entry));
        }
        tree
    }

    fn checkpoint(&self, size: usize, keys: &[usize]) -> String {
        let head = Checkpoint::new(ORIGIN, size as u64, self.tree(size).root()).expect("a line");
        let mut note = head.to_note().expect("a note");
        for number in keys {
            let key = &self.log_keys[*number];
            note.sign(&self.verifier_key(*number), |text| key.sign(text))
                .expect("signs");
        }
        note.to_string()
    }

    /// The log as `sluis audit export` writes it.
    pub(super) fn export(&self) -> Export {
        let (mut files, size) = (BTreeMap::new(), self.entries.len() as u64);
        // A log that was cut after a forged entry may end before the key was handed over.
        let handovers: Vec<u64> = (self.handovers.iter().copied())
            .filter(|at| *at <= size)
            .collect();
        let present = handovers.len();
        files.insert(
            CHECKPOINT.to_owned(),
            self.checkpoint(self.entries.len(), &[present]).into_bytes(),
        );
        files.insert(
            VERIFIER_KEY.to_owned(),
            format!("{}\n", self.verifier_key(present)).into_bytes(),
        );
        for (number, size) in handovers.iter().enumerate() {
            let note = self.checkpoint(
                usize::try_from(*size).expect("small"),
                &[number, number + 1],
            );
            files.insert(handover_path(number), note.into_bytes());
        }
        for (version, text) in self.registries.iter().enumerate().skip(1) {
            files.insert(registry_path(version as u64), text.clone().into_bytes());
        }
        let encoded = self.encoded();
        for (bundle, entries) in Bundle::all(size).zip(encoded.chunks(256)) {
            files.insert(
                bundle.to_string(),
                encode_bundle(entries).expect("short entries"),
            );
        }
        let mut tree = Tree::new();
        for entry in &encoded {
            for full in tree.append(leaf_hash(entry)) {
                let name = Tile::new(full.level, full.index, 256)
                    .expect("a tile")
                    .to_string();
                files.insert(name, full.data);
            }
        }
        for tile in Tile::all(size).filter(|tile| tile.width() < 256) {
            let hashes = tree
                .unfinished_tile(tile.level(), tile.index(), tile.width())
                .expect("unfinished");
            files.insert(tile.to_string(), hashes.to_vec());
        }
        Export(files)
    }
}

/// Files by path.
#[derive(Clone)]
pub(super) struct Export(pub(super) BTreeMap<String, Vec<u8>>);

impl Files for Export {
    type Error = std::convert::Infallible;

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.get(path).cloned())
    }
}

fn signers_of(group: &Signers) -> [&'static str; 2] {
    match group {
        Signers::Custodians => ["c/anna", "c/bert2"],
        Signers::StewardsOf(id) if id.as_str() == "uni" => ["uni/s1", "uni/s2"],
        Signers::StewardsOf(_) => ["clinic/s4", "clinic/s5"],
    }
}

/// The chain that an entry about a proposal names.
fn chain_of(matter: &Matter) -> Option<ChainId> {
    match matter {
        Matter::DestroyVersion { chain, .. } | Matter::CutEscrow { chain, .. } => {
            Some(chain.clone())
        }
        Matter::Registry { .. } | Matter::Erase { .. } => None,
    }
}

pub(super) fn stewards(of: &str) -> Signers {
    Signers::StewardsOf(of.parse().expect("an id"))
}

/// The version of chain `a`, the first that any registry makes.
pub(super) const KEY_A: u32 = 1;
/// That of chain `b`.
pub(super) const KEY_B: u32 = 2;

/// That of chain `a`'s encrypted element.
pub(super) const KEY_NOTE: u32 = 4;

/// A use of a version of encrypted elements.
pub(super) fn encrypted(kid: u32, values: u64) -> KeyUse {
    KeyUse {
        namespace: None,
        ..key(kid, values)
    }
}

/// A use of a version of namespace `n`.
pub(super) fn key(kid: u32, values: u64) -> KeyUse {
    KeyUse {
        chain: None,
        namespace: "n".parse().ok(),
        kid: Kid::new(kid).expect("not zero"),
        values,
    }
}

/// The version of a namespace that a registry makes for another chain than `a`.
pub(super) fn made(chain: &str, key: KeyUse) -> KeyUse {
    KeyUse {
        chain: chain.parse().ok(),
        ..key
    }
}

pub(super) fn convert() -> Kind {
    let id = || "id".parse().expect("an id");
    let chain = |name: &str| name.parse().expect("an id");
    Kind::Convert {
        from: (chain("a"), id()),
        to: (chain("b"), id()),
        order: OutputOrder::Ordered,
    }
}

/// Everything that can happen, once, and enough batches to fill a bundle.
pub(super) fn story() -> Forge {
    let mut log = Forge::new();
    let mut first = log.entry(Act::Initialise, None);
    first.detail = Writer::default()
        .lp(ORIGIN)
        .lp(log.verifier_key(0).to_string())
        .finish();
    log.push(first);
    let custodian = |name: &str| Custodian {
        identity: name.parse().expect("one"),
        key: log.people[name].key(),
    };
    let custodians = [custodian("c/anna"), custodian("c/bert2")];
    let mut named = log.entry(Act::Custodians, None);
    named.detail = custodian::encode(&custodians);
    log.push(named);

    let text = log.registry("\"uni\"");
    log.propose_registry("p-1", "c/anna", &text, &[Signers::Custodians]);
    log.say(Act::SignProposal, Deed::SignProposal, "p-1", "c/anna");
    log.say(Act::SignProposal, Deed::SignProposal, "p-1", "c/bert2");
    let made = vec![key(KEY_A, 0), encrypted(KEY_NOTE, 0), key(KEY_B, 0)];
    log.apply_registry("p-1", "c/bert2", text, made);

    log.request("g-1", "uni/etl", convert(), &["clinic", "uni"]);
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-1", "uni/s1");
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-1", "clinic/s4");
    for _ in 0..260 {
        let mut batch = log.entry(Act::Pseudonymise, Some("clinic/etl"));
        (batch.rows, batch.values, batch.chain) = (5, 5, "a".parse().ok());
        batch.keys = vec![key(KEY_A, 5)];
        log.push(batch);
    }
    log.charge("g-1", "uni/etl", Act::Convert, 3, 3);
    log.charge("g-1", "uni/etl", Act::Convert, 4, 7);
    let mut refused = log.about("g-1", Act::Convert, "uni/etl");
    refused.outcome = Outcome::Refused(Reason::GrantExhausted);
    log.push(refused);

    let instruction = log.instruction(Task::RotateAuditKey);
    let mut rotated = log.instructed("c/anna", &instruction);
    rotated.detail = Writer::default()
        .lp(log.verifier_key(1).to_string())
        .lp(instruction.encode())
        .finish();
    log.push(rotated);
    log.handovers.push(log.entries.len() as u64);

    let reidentify = Kind::Reidentify {
        chain: "a".parse().expect("an id"),
        elements: vec!["id".parse().expect("an id")],
    };
    log.request("g-2", "clinic/etl", reidentify, &["uni", "uni"]);
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-2", "uni/s1");
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-2", "uni/s2");
    log.charge("g-2", "clinic/etl", Act::Reidentify, 10, 10);
    log.step(Act::RevokeGrant, Deed::RevokeGrant, "g-2", "clinic/etl");

    let text = log.registry("\"uni\", \"clinic\"");
    log.propose_registry("p-2", "c/anna", &text, &[stewards("uni")]);
    log.say(Act::SignProposal, Deed::SignProposal, "p-2", "uni/s1");
    log.say(Act::SignProposal, Deed::SignProposal, "p-2", "uni/s2");
    log.apply_registry("p-2", "uni/s2", text, Vec::new());

    let owners = [stewards("clinic"), stewards("uni")];
    log.propose(
        "p-3",
        "clinic/etl",
        Matter::Erase {
            namespace: "n".parse().expect("an id"),
        },
        &owners,
    );
    log.say(Act::SignProposal, Deed::SignProposal, "p-3", "clinic/s4");
    log.say(Act::SignProposal, Deed::SignProposal, "p-3", "uni/s3");
    let erased = log.on_proposal(Act::OptOut, "p-3", "uni/s3");
    log.push(erased);

    log.request("g-3", "uni/etl", convert(), &["clinic", "uni"]);
    log.step(Act::DenyGrant, Deed::DenyGrant, "g-3", "clinic/s5");

    let (chain, namespace) = ("a".parse().expect("an id"), "n".parse().expect("an id"));
    let matter = Matter::CutEscrow {
        kid: Kid::new(KEY_A).expect("not zero"),
        chain,
        namespace,
    };
    log.propose("p-4", "c/anna", matter, &[stewards("uni")]);
    log.say(Act::RejectProposal, Deed::RejectProposal, "p-4", "c/anna");

    let size = log.entries.len() as u64;
    let root = log.tree(log.entries.len()).root();
    let mut restored = log.entry(Act::AcceptRestore, None);
    let restore = Restore {
        at: restored.at,
        restored_size: size,
        restored_root: root,
        lost_size: size + 7,
        lost_root: [9; 32],
        nonce: [8; 16],
        lost_rows: Default::default(),
    };
    restored.detail = restore.encode();
    restored.signatures = ["c/anna", "c/bert2"]
        .map(|name| {
            log.person(name)
                .sign(Deed::AcceptRestore, &restore.encode())
        })
        .into();
    log.push(restored);
    log
}

/// The story, without the restore that ends what is open.
pub(super) fn base() -> Forge {
    let mut log = story();
    log.entries.pop();
    log
}

/// The custodian was set up, and has no registry yet.
pub(super) fn beginning() -> Forge {
    let mut log = story();
    log.cut_at(Act::Custodians, 0);
    log
}

/// The story, and then a steward gets another key between two approvals of a grant.
pub(super) fn rekeyed() -> Forge {
    let mut log = story();
    // The restore would end what follows.
    log.entries.pop();
    log.request("g-4", "uni/etl", convert(), &["clinic", "uni"]);
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-4", "uni/s1");
    let (old, new) = (
        log.person("uni/s1").key().to_string(),
        Person::new("uni/s1", 2035).key().to_string(),
    );
    let text = log
        .registries
        .last()
        .expect("the story has some")
        .replace(&old, &new);
    log.propose_registry("p-5", "c/anna", &text, &[stewards("uni")]);
    log.say(Act::SignProposal, Deed::SignProposal, "p-5", "uni/s2");
    log.say(Act::SignProposal, Deed::SignProposal, "p-5", "uni/s3");
    log.apply_registry("p-5", "uni/s3", text, Vec::new());
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-4", "clinic/s4");
    log
}
