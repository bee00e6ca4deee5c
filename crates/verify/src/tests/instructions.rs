//! What a custodian does alone with keys: signed, for this moment, once.

use sluis_crypto::digest::sha256;
use sluis_domain::{Kid, Reason, Timestamp};
use sluis_ledger::audit::Act;
use sluis_ledger::instruction::{Instruction, LIFE_MILLIS, Task};
use sluis_ledger::statement::Deed;

use super::entries::replay;
use super::forge::{Entry, Forge, KEY_A, KeyUse, Person, key, story};
use super::second;
use sluis_ledger::Fault;
use sluis_ledger::fault::SignerFault;

/// A version that a rotation makes.
const NEXT: u32 = 3;

/// Chain `a` gets a new version.
fn rotation() -> Task {
    Task::RotateChain {
        chain: "a".parse().expect("an id"),
        namespace: "n".parse().ok(),
    }
}

fn disabling() -> Task {
    Task::DisableVersion {
        kid: Kid::new(KEY_A).expect("not zero"),
        chain: "a".parse().expect("an id"),
        namespace: "n".parse().ok(),
    }
}

fn push(log: &mut Forge, who: &str, instruction: &Instruction, keys: Vec<KeyUse>) {
    let mut entry = log.instructed(who, instruction);
    entry.keys = keys;
    log.push(entry);
}

fn rotate(log: &mut Forge, kid: u32) {
    let instruction = log.instruction(rotation());
    push(log, "c/anna", &instruction, vec![key(kid, 0)]);
}

/// The last entry, changed.
fn last(log: &mut Forge, change: impl FnOnce(&mut Entry)) {
    change(log.entries.last_mut().expect("the story has some"));
}

fn earlier(at: Timestamp, millis: u64) -> Timestamp {
    Timestamp::from_millis(at.millis() - millis).expect("small")
}

/// Logs whose last entry is forged, with what is wrong with it.
fn forgeries() -> Vec<(&'static str, Forge, Fault)> {
    let signer = |name: &str, fault| Fault::Signer {
        signer: name.parse().expect("organisation/member"),
        fault,
    };
    type Forgery = (&'static str, fn(&mut Forge), Fault);
    let cases: [Forgery; 14] = [
        (
            "nobody signed",
            |log| {
                rotate(log, NEXT);
                last(log, |entry| entry.signatures.clear());
            },
            Fault::NotAnEntry,
        ),
        (
            "a certificate of another authority in the custodian's name",
            |log| {
                rotate(log, NEXT);
                let impostor = Person::new("c/anna", 2035);
                last(log, |entry| {
                    entry.fingerprint = sha256(&impostor.certificate);
                    entry.signatures = vec![impostor.sign(Deed::RotateChain, &entry.detail)];
                });
            },
            signer("c/anna", SignerFault::NotPinned),
        ),
        (
            "a steward instructs",
            |log| {
                let instruction = log.instruction(rotation());
                push(log, "uni/s1", &instruction, vec![key(NEXT, 0)]);
            },
            signer("uni/s1", SignerFault::NotEntitled),
        ),
        (
            "a signature for another act",
            |log| {
                rotate(log, NEXT);
                let signed = log.person("c/anna").sign(
                    Deed::DisableVersion,
                    &log.entries[log.entries.len() - 1].detail,
                );
                last(log, |entry| entry.signatures = vec![signed]);
            },
            signer("c/anna", SignerFault::Signature),
        ),
        (
            "an instruction is followed twice",
            |log| {
                let instruction = log.instruction(rotation());
                for kid in [NEXT, NEXT + 1] {
                    push(log, "c/anna", &instruction, vec![key(kid, 0)]);
                }
            },
            Fault::Instruction,
        ),
        (
            "an instruction from before another act of custody",
            |log| {
                let instruction = log.instruction(rotation());
                let disabling = log.instruction(disabling());
                push(log, "c/bert2", &disabling, vec![key(KEY_A, 0)]);
                push(log, "c/anna", &instruction, vec![key(NEXT, 0)]);
            },
            Fault::Instruction,
        ),
        (
            "an instruction from before a restore",
            |log| {
                let restore = log.entries.pop().expect("the story ends with it");
                let instruction = log.instruction(rotation());
                log.push(restore);
                push(log, "c/anna", &instruction, vec![key(NEXT, 0)]);
            },
            Fault::Instruction,
        ),
        (
            "an instruction under another registry version",
            |log| {
                let instruction = Instruction {
                    registry_version: 1,
                    ..log.instruction(rotation())
                };
                push(log, "c/anna", &instruction, vec![key(NEXT, 0)]);
            },
            Fault::Field("registry version"),
        ),
        (
            "an instruction that was kept for later",
            |log| {
                let fresh = log.instruction(rotation());
                let instruction = Instruction {
                    at: earlier(fresh.at, LIFE_MILLIS + 1),
                    ..fresh
                };
                push(log, "c/anna", &instruction, vec![key(NEXT, 0)]);
            },
            Fault::InstructionAge,
        ),
        (
            "an instruction of the future",
            |log| {
                let fresh = log.instruction(rotation());
                let instruction = Instruction {
                    at: fresh.at.plus_millis(60_001),
                    ..fresh
                };
                push(log, "c/anna", &instruction, vec![key(NEXT, 0)]);
            },
            Fault::InstructionAge,
        ),
        (
            "another chain is rotated",
            |log| {
                rotate(log, NEXT);
                last(log, |entry| entry.chain = "b".parse().ok());
            },
            Fault::NotAnEntry,
        ),
        (
            "more lines are rotated",
            |log| {
                rotate(log, NEXT);
                last(log, |entry| {
                    entry.keys.push(KeyUse {
                        namespace: None,
                        ..key(NEXT + 1, 0)
                    });
                });
            },
            Fault::Field("key version"),
        ),
        (
            "no line is rotated",
            |log| {
                let all = Task::RotateChain {
                    chain: "a".parse().expect("an id"),
                    namespace: None,
                };
                let instruction = log.instruction(all);
                push(log, "c/anna", &instruction, Vec::new());
            },
            Fault::Field("key version"),
        ),
        (
            "another version is disabled",
            |log| {
                rotate(log, NEXT);
                let instruction = log.instruction(disabling());
                push(log, "c/anna", &instruction, vec![key(NEXT, 0)]);
            },
            Fault::NotAnEntry,
        ),
    ];
    let forged = cases.into_iter().map(|(what, forge, fault)| {
        let mut log = story();
        forge(&mut log);
        (what, log, fault)
    });
    forged.collect()
}

#[test]
fn an_instruction_serves_once_for_what_it_says_and_soon() {
    for (what, log, fault) in forgeries() {
        second::refuse(what, &log, fault);
    }
}

#[test]
fn honest_instructions_pass_and_their_signatures_are_counted() {
    let mut log = story();
    let before = replay(&log).expect("honest").state().signatures();
    rotate(&mut log, NEXT);
    // Entries that change no keys come between.
    let noise = log.entry(Act::ReadStatus, Some("uni/etl"));
    log.push(Entry {
        outcome: sluis_ledger::audit::Outcome::Refused(Reason::NotACustodian),
        ..noise
    });
    let disabling = log.instruction(disabling());
    push(&mut log, "c/bert2", &disabling, vec![key(KEY_A, 0)]);
    let replay = replay(&log).expect("honest");
    assert_eq!(replay.state().signatures(), before + 2);
    let last = log.entries.last().expect("the story has some");
    assert_eq!(
        replay.state().custody_head(),
        sluis_tlog::leaf_hash(&last.encode())
    );
}
