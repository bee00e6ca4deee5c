//! Whose key versions are, which are gone, and what the registry does to grants: honest logs pass, forged ones do not.

use sluis_domain::{ChainId, Kid, Reason};
use sluis_ledger::audit::Act;
use sluis_ledger::grant::Kind;
use sluis_ledger::instruction::Task;
use sluis_ledger::proposal::Matter;
use sluis_ledger::statement::Deed;

use super::entries::replay;
use super::forge::{
    Forge, KEY_A, KEY_B, KeyUse, Person, base, convert, encrypted, key, made, stewards,
};
use super::second;
use sluis_ledger::Fault;
use sluis_ledger::fault::VersionFault;
use sluis_ledger::state::Stage;

/// A version that a rotation makes.
const NEXT: u32 = 3;
/// A version of chain `a`'s encrypted elements that a rotation makes.
const ELEMENTS: u32 = 6;

pub(super) fn kid(number: u32) -> Kid {
    Kid::new(number).expect("not zero")
}

pub(super) fn keys(kids: &[u32]) -> Vec<KeyUse> {
    kids.iter().map(|kid| key(*kid, 0)).collect()
}

/// An act about a chain and versions, of someone or of no one.
pub(super) fn act(log: &mut Forge, act: Act, who: Option<&str>, chain: &str, keys: Vec<KeyUse>) {
    let mut entry = log.entry(act, who);
    (entry.chain, entry.keys) = (chain.parse().ok(), keys);
    entry.values = u64::from(act == Act::EraseSubjects);
    log.push(entry);
}

pub(super) fn submit(log: &mut Forge, chain: &str, kids: &[u32]) {
    act(
        log,
        Act::Pseudonymise,
        Some("clinic/etl"),
        chain,
        keys(kids),
    );
}

pub(super) fn custody(log: &mut Forge, what: Act, chain: &str, kids: &[u32]) {
    let (of, namespace) = (chain.parse().expect("an id"), "n".parse().ok());
    let task = match what {
        Act::RotateChain => Task::RotateChain {
            chain: of,
            namespace,
        },
        _ => Task::DisableVersion {
            kid: kid(kids.first().copied().unwrap_or(KEY_A)),
            chain: of,
            namespace,
        },
    };
    instructed(log, task, keys(kids));
}

pub(super) fn instructed(log: &mut Forge, task: Task, keys: Vec<KeyUse>) {
    let mut entry = log.instructed("c/anna", &log.instruction(task));
    entry.keys = keys;
    log.push(entry);
}

/// A batch of conversion from `a` to `b`.
pub(super) fn converted(log: &mut Forge, kids: &[u32]) {
    log.charge("g-1", "uni/etl", Act::Convert, 0, 7);
    log.entries.last_mut().expect("just made").keys = keys(kids);
}

/// The end of version `number`, which is said to be of `chain`, with all signatures of that chain's owner.
fn end(log: &mut Forge, id: &'static str, what: Act, chain: &str, number: u32) {
    let (of, namespace): (ChainId, _) =
        (chain.parse().expect("an id"), "n".parse().expect("an id"));
    let matter = match what {
        Act::CutEscrow => Matter::CutEscrow {
            kid: kid(number),
            chain: of,
            namespace,
        },
        _ => Matter::DestroyVersion {
            kid: kid(number),
            chain: of,
            namespace: Some(namespace),
        },
    };
    let (owner, signers) = if chain == "a" {
        ("uni", ["uni/s1", "uni/s2"])
    } else {
        ("clinic", ["clinic/s4", "clinic/s5"])
    };
    log.propose(id, "c/anna", matter, &[stewards(owner)]);
    signers
        .iter()
        .for_each(|who| log.say(Act::SignProposal, Deed::SignProposal, id, who));
    let mut entry = log.on_proposal(what, id, signers[1]);
    (entry.chain, entry.keys) = (chain.parse().ok(), keys(&[number]));
    log.push(entry);
}

/// The end of chain `b` with these versions.
pub(super) fn expire(log: &mut Forge, kids: &[u32]) {
    act(log, Act::WarnRetention, None, "b", Vec::new());
    act(log, Act::ExpireChain, None, "b", keys(kids));
}

/// `clinic` gets a grant to re-identify.
pub(super) fn may_reidentify(log: &mut Forge) {
    let kind = Kind::Reidentify {
        chain: "a".parse().expect("an id"),
        elements: vec!["id".parse().expect("an id")],
    };
    log.request("g-5", "clinic/etl", kind, &["uni", "uni"]);
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-5", "uni/s1");
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-5", "uni/s2");
}

pub(super) fn reidentified(log: &mut Forge, kids: &[u32]) {
    log.charge("g-5", "clinic/etl", Act::Reidentify, 0, 0);
    log.entries.last_mut().expect("just made").keys = keys(kids);
}

/// `clinic`, a recipient of chain `a`, gets a grant to convert.
fn may_convert(log: &mut Forge) {
    log.request("g-6", "clinic/etl", convert(), &["clinic", "uni"]);
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-6", "uni/s1");
    log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-6", "clinic/s4");
}

/// A grant that was live goes on, and another may be asked for.
#[test]
fn tokens_that_carry_their_links_lead_out() {
    let mut log = base();
    may_convert(&mut log);
    let texts = (
        "link = \"escrow\"\nreversible = true",
        "link = \"carried\"\nreversible = false",
    );
    change_with(&mut log, "p-6", ["uni/s1", "uni/s2"], texts, keys(&[7]));
    log.charge("g-6", "clinic/etl", Act::Convert, 1, 1);
    log.request("g-8", "clinic/etl", convert(), &["clinic", "uni"]);
    super::second::accept("carried links", &log);
}

/// The owner of chain `a` changes its registry.
fn change(log: &mut Forge, from: &str, to: &str) {
    change_with(log, "p-6", ["uni/s1", "uni/s2"], (from, to), Vec::new());
}

fn change_by(log: &mut Forge, id: &'static str, who: [&str; 2], texts: (&str, &str)) {
    change_with(log, id, who, texts, Vec::new());
}

fn change_with(
    log: &mut Forge,
    id: &'static str,
    who: [&str; 2],
    (from, to): (&str, &str),
    made: Vec<KeyUse>,
) {
    let before = log.registries.last().expect("the story has some");
    let text = before.replacen(from, to, 1);
    assert_ne!(*before, text);
    log.propose_registry(id, "c/anna", &text, &[stewards("uni")]);
    for signer in who {
        log.say(Act::SignProposal, Deed::SignProposal, id, signer);
    }
    log.apply_registry(id, who[1], text, made);
}

/// A steward's key is replaced, and comes back.
fn another_key_for_a_while(log: &mut Forge) {
    let old = log.person("uni/s1").key().to_string();
    let new = Person::new("uni/s1", 2035).key().to_string();
    let others = ["uni/s2", "uni/s3"];
    change_by(log, "p-10", others, (old.as_str(), new.as_str()));
    change_by(log, "p-11", others, (new.as_str(), old.as_str()));
}

/// Logs in which something became stale, and serves again when the registry is as before.
fn revived() -> Vec<(&'static str, Forge, Fault)> {
    let grant = Fault::NotAllowed(Reason::GrantStale);
    let proposal = Fault::NotAllowed(Reason::ProposalStale);
    type Case = (&'static str, fn(&mut Forge), Fault);
    let cases: [Case; 4] = [
        (
            "a grant is used for which a third steward was needed meanwhile",
            |log| {
                may_reidentify(log);
                let (two, three) = (
                    "id = \"a\"\nowner = \"uni\"\n",
                    "id = \"a\"\nowner = \"uni\"\nreidentify_approvals = 3\n",
                );
                change_by(log, "p-10", ["uni/s1", "uni/s2"], (two, three));
                change_by(log, "p-11", ["uni/s1", "uni/s2"], (three, two));
                log.charge("g-5", "clinic/etl", Act::Reidentify, 0, 0);
            },
            grant.clone(),
        ),
        (
            "a grant is used of a grantee who could not ask meanwhile",
            |log| {
                may_convert(log);
                let (with, without) = (
                    "recipients = [\"uni\", \"clinic\"]",
                    "recipients = [\"uni\"]",
                );
                change_by(log, "p-10", ["uni/s1", "uni/s2"], (with, without));
                change_by(log, "p-11", ["uni/s1", "uni/s2"], (without, with));
                log.charge("g-6", "clinic/etl", Act::Convert, 0, 0);
            },
            grant.clone(),
        ),
        (
            "an approval counts again with a key that was given up",
            |log| {
                log.request("g-7", "uni/etl", convert(), &["clinic", "uni"]);
                log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-7", "uni/s1");
                another_key_for_a_while(log);
                log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-7", "clinic/s4");
            },
            grant,
        ),
        (
            "a signature counts again with a key that was given up",
            |log| {
                let matter = Matter::CutEscrow {
                    kid: kid(KEY_A),
                    chain: "a".parse().expect("an id"),
                    namespace: "n".parse().expect("an id"),
                };
                log.propose("p-9", "c/anna", matter, &[stewards("uni")]);
                log.say(Act::SignProposal, Deed::SignProposal, "p-9", "uni/s1");
                another_key_for_a_while(log);
                log.say(Act::SignProposal, Deed::SignProposal, "p-9", "uni/s2");
            },
            proposal,
        ),
    ];
    let forged = cases.into_iter().map(|(what, forge, fault)| {
        let mut log = base();
        forge(&mut log);
        (what, log, fault)
    });
    forged.collect()
}

/// What honest keys go through.
pub(super) fn life() -> Forge {
    let mut log = base();
    let made = [keys(&[NEXT]), vec![encrypted(ELEMENTS, 0)]].concat();
    let all = Task::RotateChain {
        chain: "a".parse().expect("an id"),
        namespace: None,
    };
    instructed(&mut log, all, made.clone());
    act(&mut log, Act::Pseudonymise, Some("clinic/etl"), "a", made);
    act(
        &mut log,
        Act::Import,
        Some("clinic/etl"),
        "a",
        keys(&[NEXT]),
    );
    // Tokens of both versions are read, and made with that of `b`.
    converted(&mut log, &[KEY_A, NEXT, KEY_B]);
    may_reidentify(&mut log);
    reidentified(&mut log, &[KEY_A, NEXT]);
    custody(&mut log, Act::DisableVersion, "a", &[KEY_A]);
    // Its rows are still there, and those of a subject that is erased go.
    act(
        &mut log,
        Act::EraseSubjects,
        None,
        "a",
        keys(&[KEY_A, NEXT]),
    );
    end(&mut log, "p-7", Act::DestroyVersion, "a", KEY_A);
    end(&mut log, "p-8", Act::CutEscrow, "a", NEXT);
    // A cut escrow leaves the pseudonyms as they are: they are made, and made from others.
    submit(&mut log, "a", &[NEXT]);
    // Nothing was in it.
    submit(&mut log, "b", &[]);
    converted(&mut log, &[KEY_B]);
    act(&mut log, Act::EraseSubjects, None, "a", Vec::new());
    end(&mut log, "p-9", Act::CutEscrow, "b", KEY_B);
    converted(&mut log, &[KEY_B]);
    custody(&mut log, Act::RotateChain, "b", &[5]);
    custody(&mut log, Act::DisableVersion, "b", &[KEY_B]);
    converted(&mut log, &[5]);
    expire(&mut log, &[KEY_B, 5]);
    log
}

/// Logs whose last entry is forged, with what is wrong with it. Whatever must be signed is signed.
fn forgeries() -> Vec<(&'static str, Forge, Fault)> {
    use VersionFault::{
        Cut, Destroyed, Disabled, NotDisabled, NotNamed, NotNew, OtherLine, Unknown,
    };
    type Forgery = (&'static str, fn(&mut Forge), u32, VersionFault);
    let versions: [Forgery; 26] = [
        (
            "stewards of a chain destroy a version of another",
            destroy_elsewhere,
            KEY_B,
            OtherLine,
        ),
        (
            "stewards of a chain cut a version of another",
            |l| end(l, "p-7", Act::CutEscrow, "a", KEY_B),
            KEY_B,
            OtherLine,
        ),
        (
            "a chain ends with a version of another",
            |l| expire(l, &[KEY_B, KEY_A]),
            KEY_A,
            OtherLine,
        ),
        (
            "a version is disabled in another chain",
            |l| custody(l, Act::DisableVersion, "a", &[KEY_B]),
            KEY_B,
            OtherLine,
        ),
        (
            "subjects are erased in another chain",
            |l| act(l, Act::EraseSubjects, None, "b", keys(&[KEY_A])),
            KEY_A,
            OtherLine,
        ),
        (
            "a batch uses a version of another chain",
            |l| submit(l, "a", &[KEY_B]),
            KEY_B,
            OtherLine,
        ),
        (
            "a conversion makes pseudonyms of two versions",
            two_targets,
            5,
            OtherLine,
        ),
        (
            "a batch uses a version of another namespace",
            other_namespace,
            KEY_A,
            OtherLine,
        ),
        (
            "a batch uses a version that was never made",
            |l| submit(l, "a", &[9]),
            9,
            Unknown,
        ),
        (
            "a rotation makes what there is",
            |l| custody(l, Act::RotateChain, "a", &[KEY_A]),
            KEY_A,
            NotNew,
        ),
        (
            "a version is used that was disabled",
            |l| disabled_then(l, |l| submit(l, "a", &[KEY_A])),
            KEY_A,
            Disabled,
        ),
        (
            "a version is converted from that was disabled",
            |l| disabled_then(l, |l| converted(l, &[KEY_A, KEY_B])),
            KEY_A,
            Disabled,
        ),
        (
            "a version is disabled twice",
            |l| disabled_then(l, |l| custody(l, Act::DisableVersion, "a", &[KEY_A])),
            KEY_A,
            Disabled,
        ),
        (
            "a version is destroyed that was not disabled",
            |l| end(l, "p-7", Act::DestroyVersion, "a", KEY_A),
            KEY_A,
            NotDisabled,
        ),
        (
            "a version is used that was destroyed",
            |l| destroyed_then(l, |l| submit(l, "a", &[KEY_A])),
            KEY_A,
            Destroyed,
        ),
        (
            "a version is imported with that was destroyed",
            |l| destroyed_then(l, import),
            KEY_A,
            Destroyed,
        ),
        (
            "a version is converted from that was destroyed",
            |l| destroyed_then(l, |l| converted(l, &[KEY_A, KEY_B])),
            KEY_A,
            Destroyed,
        ),
        (
            "a version is re-identified from that was destroyed",
            |l| destroyed_then(l, |l| reidentified(l, &[KEY_A])),
            KEY_A,
            Destroyed,
        ),
        (
            "a version is cut that was destroyed",
            |l| destroyed_then(l, |l| end(l, "p-8", Act::CutEscrow, "a", KEY_A)),
            KEY_A,
            Destroyed,
        ),
        (
            "a chain ends without one of its versions",
            left_out,
            5,
            NotNamed,
        ),
        (
            "a chain ends without versions and has one",
            |l| expire(l, &[]),
            KEY_B,
            NotNamed,
        ),
        (
            "a chain ends with a version that was destroyed",
            destroyed_before,
            KEY_B,
            Destroyed,
        ),
        (
            "a version is converted from whose escrow was cut",
            |l| cut_then(l, |l| converted(l, &[KEY_A, KEY_B])),
            KEY_A,
            Cut,
        ),
        (
            "a version is re-identified from whose escrow was cut",
            |l| cut_then(l, |l| reidentified(l, &[KEY_A])),
            KEY_A,
            Cut,
        ),
        (
            "subjects are erased behind an escrow that was cut",
            |l| cut_then(l, |l| act(l, Act::EraseSubjects, None, "a", keys(&[KEY_A]))),
            KEY_A,
            Cut,
        ),
        (
            "a version is cut twice",
            |l| cut_then(l, |l| end(l, "p-8", Act::CutEscrow, "a", KEY_A)),
            KEY_A,
            Cut,
        ),
    ];
    let (chain_a, reversible) = ("id = \"a\"\nowner = \"uni\"\n", "reversible = true");
    let eligible = Fault::NotAllowed(Reason::NotEligible);
    let stale = Fault::NotAllowed(Reason::GrantStale);
    let grants = [
        (
            "a recipient converts that is none any more",
            "recipients = [\"uni\", \"clinic\"]",
            "recipients = [\"uni\"]",
            Act::Convert,
            eligible.clone(),
        ),
        (
            "who may not ask any more re-identifies",
            chain_a,
            "id = \"a\"\nowner = \"uni\"\nreidentify_to = [\"uni\"]\n",
            Act::Reidentify,
            eligible,
        ),
        (
            "a third steward must approve now",
            chain_a,
            "id = \"a\"\nowner = \"uni\"\nreidentify_approvals = 3\n",
            Act::Reidentify,
            stale.clone(),
        ),
        (
            "nothing is reversible any more",
            reversible,
            "reversible = false",
            Act::Reidentify,
            stale.clone(),
        ),
        (
            "nothing leads out any more",
            "link = \"escrow\"\nreversible = true",
            "link = \"inbound\"\nreversible = false",
            Act::Convert,
            stale,
        ),
    ];
    let versions = versions.into_iter().map(|(what, forge, number, fault)| {
        let mut log = base();
        may_reidentify(&mut log);
        forge(&mut log);
        (
            what,
            log,
            Fault::Version {
                kid: kid(number),
                fault,
            },
        )
    });
    let grants = grants.into_iter().map(|(what, from, to, act, fault)| {
        let mut log = base();
        may_reidentify(&mut log);
        may_convert(&mut log);
        // A line that keeps another escrow gets a version.
        let made = if from.contains("reversible") {
            keys(&[7])
        } else {
            Vec::new()
        };
        change_with(&mut log, "p-6", ["uni/s1", "uni/s2"], (from, to), made);
        log.charge(
            if act == Act::Convert { "g-6" } else { "g-5" },
            "clinic/etl",
            act,
            0,
            0,
        );
        (what, log, fault)
    });
    versions.chain(grants).chain(revived()).collect()
}

/// Logs in which something is done in a chain that was destroyed.
fn after_the_end() -> Vec<(&'static str, Forge, Fault)> {
    type Case = (&'static str, fn(&mut Forge));
    let cases: [Case; 5] = [
        ("a batch in a destroyed chain", |log| {
            submit(log, "b", &[]);
        }),
        ("a batch with a key of a destroyed chain", |log| {
            submit(log, "b", &[KEY_B]);
        }),
        ("a conversion into a destroyed chain", |log| {
            converted(log, &[KEY_A, KEY_B]);
        }),
        ("a rotation of a destroyed chain", |log| {
            custody(log, Act::RotateChain, "b", &[5]);
        }),
        ("a grant in a destroyed chain", |log| {
            log.request("g-8", "uni/etl", convert(), &["clinic", "uni"]);
        }),
    ];
    let forged = cases.into_iter().map(|(what, forge)| {
        let mut log = base();
        expire(&mut log, &[KEY_B]);
        forge(&mut log);
        (what, log, Fault::NotAllowed(Reason::ChainDestroyed))
    });
    forged.collect()
}

fn destroy_elsewhere(log: &mut Forge) {
    custody(log, Act::DisableVersion, "b", &[KEY_B]);
    end(log, "p-7", Act::DestroyVersion, "a", KEY_B);
}

fn two_targets(log: &mut Forge) {
    custody(log, Act::RotateChain, "b", &[5]);
    converted(log, &[KEY_B, 5]);
}

fn other_namespace(log: &mut Forge) {
    let other = vec![encrypted(KEY_A, 0)];
    act(log, Act::Pseudonymise, Some("clinic/etl"), "a", other);
}

fn import(log: &mut Forge) {
    act(log, Act::Import, Some("clinic/etl"), "a", keys(&[KEY_A]));
}

fn left_out(log: &mut Forge) {
    custody(log, Act::RotateChain, "b", &[5]);
    expire(log, &[KEY_B]);
}

fn destroyed_before(log: &mut Forge) {
    custody(log, Act::RotateChain, "b", &[5]);
    custody(log, Act::DisableVersion, "b", &[KEY_B]);
    end(log, "p-7", Act::DestroyVersion, "b", KEY_B);
    expire(log, &[KEY_B, 5]);
}

fn disabled_then(log: &mut Forge, then: fn(&mut Forge)) {
    custody(log, Act::DisableVersion, "a", &[KEY_A]);
    then(log);
}

fn destroyed_then(log: &mut Forge, then: fn(&mut Forge)) {
    custody(log, Act::DisableVersion, "a", &[KEY_A]);
    end(log, "p-7", Act::DestroyVersion, "a", KEY_A);
    then(log);
}

fn cut_then(log: &mut Forge, then: fn(&mut Forge)) {
    end(log, "p-7", Act::CutEscrow, "a", KEY_A);
    then(log);
}

#[test]
fn honest_keys_pass() {
    let log = life();
    second::accept("honest keys", &log);
    let replay = replay(&log).expect("nothing is wrong");
    let state = |number| replay.state().version(kid(number)).expect("it was made");
    assert_eq!(
        [KEY_A, KEY_B, 5].map(|number| state(number).stage),
        [Stage::Destroyed; 3]
    );
    assert_eq!(
        [NEXT, ELEMENTS].map(|number| (state(number).stage, state(number).cut)),
        [(Stage::Made, true), (Stage::Made, false)]
    );
    assert_eq!(replay.state().versions().len(), 6);
}

#[test]
fn the_last_entry_of_a_forged_log_is_found() {
    for (what, log, fault) in forgeries().into_iter().chain(after_the_end()) {
        second::refuse(what, &log, fault);
    }
}

#[test]
fn what_is_honest_with_a_grant_stays_so_after_another_change() {
    let mut log = base();
    may_reidentify(&mut log);
    may_convert(&mut log);
    change(
        &mut log,
        "recipients = [\"uni\", \"clinic\"]",
        "recipients = [\"clinic\"]",
    );
    log.charge("g-5", "clinic/etl", Act::Reidentify, 0, 0);
    log.charge("g-6", "clinic/etl", Act::Convert, 0, 0);
    log.charge("g-1", "uni/etl", Act::Convert, 0, 7);
    replay(&log)
        .expect("the owner needs not be a recipient, and nothing else concerns these grants");
}

/// An earlier daemon ended chains that had no keys, and those got some later.
#[test]
fn an_end_without_versions_is_none_and_takes_a_warning_of_its_own() {
    let mut log = base();
    let without = "[[chain]]\nid = \"c\"\nowner = \"uni\"\nsources = [\"uni\"]\nretention = \"1d\"\n\
                   [[chain.element]]\nname = \"x\"\ntreatment = \"keep\"\n";
    let with = "[[chain.element]]\nname = \"y\"\ntreatment = \"encrypt\"\n";
    let ends = |log: &mut Forge, made: Vec<KeyUse>| {
        act(log, Act::WarnRetention, None, "c", Vec::new());
        act(log, Act::ExpireChain, None, "c", made);
    };
    let (text, signers) = (log.registries[2].clone(), ["uni/s1", "uni/s2"]);
    let (one, two) = (format!("{text}{without}"), format!("{text}{without}{with}"));
    let apply = |log: &mut Forge, id: &'static str, text: &str, made: Vec<KeyUse>| {
        log.propose_registry(id, "c/anna", text, &[stewards("uni")]);
        for signer in signers {
            log.say(Act::SignProposal, Deed::SignProposal, id, signer);
        }
        log.apply_registry(id, signers[1], text.to_owned(), made);
    };
    apply(&mut log, "p-6", &one, Vec::new());
    ends(&mut log, Vec::new());
    ends(&mut log, Vec::new());
    apply(&mut log, "p-7", &two, vec![made("c", encrypted(7, 0))]);
    ends(&mut log, vec![encrypted(7, 0)]);
    replay(&log).expect("nothing is wrong");
    let warning = log.entries.len() - 2;
    log.entries.remove(warning);
    let fault = replay(&log)
        .map(drop)
        .expect_err("the warnings before were of other ends")
        .fault;
    assert_eq!(fault, Fault::NotWarned("c".parse().expect("an id")));
}

#[test]
fn one_version_is_disabled_at_a_time_and_the_end_names_the_namespace() {
    let fault = |forge: fn(&mut Forge)| {
        let mut log = base();
        forge(&mut log);
        replay(&log).map(drop).expect_err("it is wrong now").fault
    };
    assert_eq!(
        fault(|log| custody(log, Act::DisableVersion, "a", &[KEY_A, KEY_A])),
        Fault::NotAnEntry
    );
    let unnamed = |log: &mut Forge| {
        end(log, "p-7", Act::CutEscrow, "a", KEY_A);
        log.entries.last_mut().expect("just made").keys[0].namespace = None;
    };
    assert_eq!(fault(unnamed), Fault::Field("key version"));
}
