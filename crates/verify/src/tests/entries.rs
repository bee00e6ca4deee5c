//! The rules of entries: a good log passes, and each broken rule is found at its entry.

use sluis_crypto::digest::sha256;
use sluis_domain::codec::{Reader, Writer};
use sluis_domain::{Identity, Reason, Timestamp};
use sluis_ledger::audit::{Act, Outcome};
use sluis_ledger::custodian::{self, Custodian};
use sluis_ledger::grant::{End, Grant, State as GrantStanding};
use sluis_ledger::proposal::{LIFE_MILLIS, Matter, State as ProposalStanding};
use sluis_ledger::restore::Restore;
use sluis_ledger::statement::Deed;

use super::forge::{Entry, Forge, KEY_A, KEY_B, ORIGIN, Person, key, rekeyed, stewards, story};
use super::second;
use crate::Replay;
use sluis_ledger::fault::SignerFault;
use sluis_ledger::told::{SetBack, StoodStill};
use sluis_ledger::{Fault, Wrong};

/// Reads a log. A reader that forgets whatever it may, after every entry, says the same.
pub(super) fn replay(log: &Forge) -> Result<Replay, Wrong> {
    let whole = remembered(log);
    let forgetful = super::forgetful::replay(log);
    assert_eq!(
        forgetful.map(drop),
        whole.as_ref().map(drop).map_err(Clone::clone)
    );
    whole
}

fn remembered(log: &Forge) -> Result<Replay, Wrong> {
    let mut replay = Replay::new(ORIGIN);
    let mut texts = |version: u64| {
        log.registries
            .get(usize::try_from(version).expect("small"))
            .cloned()
    };
    for (sequence, entry) in log.encoded().iter().enumerate() {
        replay.push(sequence as u64, entry, &mut texts)?;
    }
    Ok(replay)
}

/// The story with one entry changed, and what is found.
fn changed(act: Act, nth: usize, change: impl FnOnce(&Forge, &mut Entry)) -> Fault {
    let mut log = story();
    let at = log.find(act, nth);
    let mut entry = log.entries[at].clone();
    change(&log, &mut entry);
    log.entries[at] = entry;
    log.entries.truncate(at + 1);
    let wrong = replay(&log).expect_err("it is wrong now");
    assert_eq!(wrong.sequence, at as u64, "{wrong}");
    second::also_refuses(&format!("{} {nth}: {wrong}", act.as_str()), &log, at as u64);
    wrong.fault
}

/// What is said of the signer, where a signature is what is wrong.
fn signer_fault(fault: Fault) -> SignerFault {
    match fault {
        Fault::Signer { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

/// Lets someone else do what an entry says.
fn by(entry: &mut Entry, person: &Person, deed: Deed, object: &[u8]) {
    entry.actor = Some(person.identity.clone());
    entry.fingerprint = sha256(&person.certificate);
    entry.signatures = vec![person.sign(deed, object)];
}

#[test]
fn a_good_log_passes_and_its_state_is_rebuilt() {
    let log = story();
    let replay = replay(&log).expect("nothing is wrong");
    let state = replay.state();
    assert_eq!(state.entries(), log.entries.len() as u64);
    assert_eq!(replay.tree().root(), log.tree(log.entries.len()).root());
    assert_eq!(
        (state.registry_version(), *state.registry_digest()),
        (2, sha256(log.registries[2].as_bytes()))
    );
    assert_eq!((state.custodians().len(), state.custodian_lists()), (2, 1));
    assert_eq!(state.verifier_keys().len(), 2);
    assert_eq!((state.opt_outs(), state.restores()), (1, 1));
    assert_eq!(state.signatures(), 16);
    let grant = |id: &str| {
        state
            .grant(&id.parse().expect("an id"))
            .expect("it was requested")
    };
    assert_eq!(
        (
            grant("g-1").steps(),
            grant("g-1").counter(),
            grant("g-1").ended()
        ),
        (4, 7, Some(End::Restored))
    );
    assert_eq!(
        (
            grant("g-2").steps(),
            grant("g-2").counter(),
            grant("g-2").ended()
        ),
        (4, 10, Some(End::Revoked))
    );
    assert_eq!(
        (grant("g-3").steps(), grant("g-3").state(Timestamp::MAX)),
        (2, GrantStanding::Denied)
    );
    let proposal = |id: &str| {
        state
            .proposal(&id.parse().expect("an id"))
            .expect("it was made")
            .state(Timestamp::MAX)
    };
    assert_eq!(proposal("p-2"), ProposalStanding::Effective);
    assert_eq!(proposal("p-4"), ProposalStanding::Rejected);
}

#[test]
fn numbers_without_gaps_and_the_first_entry_first() {
    let log = story();
    let mut none = |_: u64| None::<String>;
    let wrong = Replay::new(ORIGIN)
        .push(1, &log.entries[1].encode(), &mut none)
        .expect_err("a gap");
    assert_eq!(wrong.fault, Fault::Gap(0));
    let wrong = Replay::new(ORIGIN)
        .push(0, &log.entries[1].encode(), &mut none)
        .expect_err("no beginning");
    assert_eq!(wrong.fault, Fault::Initialise);
    let wrong = Replay::new("example.org/other")
        .push(0, &log.entries[0].encode(), &mut none)
        .expect_err("another log");
    assert_eq!(wrong.fault, Fault::OtherLog);
    assert_eq!(
        Replay::new(ORIGIN)
            .push(0, &[2, 0], &mut none)
            .expect_err("cut")
            .fault,
        Fault::NotAnEntry
    );
    assert_eq!(
        changed(Act::Pseudonymise, 0, |log, entry| *entry =
            log.entries[0].clone()),
        Fault::Initialise
    );
}

#[test]
fn swapped_entries_are_found() {
    let mut log = story();
    let at = log.find(Act::Convert, 0);
    log.entries.swap(at, at + 1);
    let wrong = replay(&log).expect_err("swapped");
    assert_eq!(
        (wrong.sequence, matches!(wrong.fault, Fault::Counter { .. })),
        (at as u64, true)
    );
    let mut log = story();
    let at = log.find(Act::SignProposal, 1);
    log.entries.swap(at, at + 1);
    assert_eq!(replay(&log).expect_err("swapped").sequence, at as u64);
}

#[test]
fn a_removed_entry_is_found_by_what_depends_on_it() {
    for (act, nth) in [
        (Act::RequestGrant, 0),
        (Act::ApproveGrant, 1),
        (Act::SignProposal, 0),
        (Act::ApplyRegistry, 1),
    ] {
        let mut log = story();
        log.entries.remove(log.find(act, nth));
        assert!(replay(&log).is_err(), "{act:?}");
    }
}

#[test]
fn the_registry_version_is_the_one_in_force() {
    let fault = changed(Act::Pseudonymise, 3, |_, entry| entry.registry_version = 2);
    assert_eq!(
        fault,
        Fault::RegistryVersion {
            named: 2,
            in_force: 1
        }
    );
    assert!(matches!(
        changed(Act::Reidentify, 0, |_, e| e.registry_version = 0),
        Fault::RegistryVersion { .. }
    ));
    assert!(matches!(
        changed(Act::ApplyRegistry, 1, |_, e| e.registry_version = 3),
        Fault::RegistryVersion { .. }
    ));
}

#[test]
fn only_sources_submit() {
    let fault = changed(Act::Pseudonymise, 0, |_, entry| {
        entry.actor = "uni/etl".parse().ok()
    });
    assert_eq!(fault, Fault::NotAllowed(Reason::NotASource));
    let fault = changed(Act::Pseudonymise, 0, |_, entry| {
        entry.actor = "clinic/nobody".parse().ok()
    });
    assert_eq!(fault, Fault::NotAllowed(Reason::NotAMember));
}

#[test]
fn a_request_asks_for_what_the_registry_wants() {
    let ask = |change: fn(&mut Grant)| {
        changed(Act::RequestGrant, 0, |_, entry| {
            let mut grant = Grant::decode(&entry.detail).expect("a grant");
            change(&mut grant);
            entry.detail = grant.encode();
            entry.grant_digest = Some(sha256(&entry.detail));
        })
    };
    assert_eq!(ask(|grant| drop(grant.required.pop())), Fault::Approvals(1));
    assert_eq!(ask(|grant| grant.namespaces.clear()), Fault::Approvals(1));
    assert_eq!(
        ask(|grant| grant.grantee = "clinic".parse().expect("an id")),
        Fault::Field("requester")
    );
    assert_eq!(
        ask(|grant| grant.registry_version = 0),
        Fault::Field("registry version")
    );
    assert_eq!(
        ask(|grant| grant.terms.purpose = "another".into()),
        Fault::NotAnEntry
    );
    assert_eq!(
        changed(Act::RequestGrant, 0, |_, entry| entry.grant_digest =
            Some([0; 32])),
        Fault::NotAnEntry
    );
    assert_eq!(
        changed(Act::RequestGrant, 0, |_, entry| entry.detail.clear()),
        Fault::NotAnEntry
    );
    assert!(matches!(
        changed(Act::RequestGrant, 2, |log, entry| {
            let at = entry.at;
            *entry = log.entries[log.find(Act::RequestGrant, 0)].clone();
            (entry.at, entry.registry_version) = (at, 2);
        }),
        Fault::Field("registry version")
    ));
}

#[test]
fn an_approval_moved_to_another_grant_is_found() {
    // The signature under g-1 serves as one under g-2: same steward, same certificate.
    let fault = changed(Act::ApproveGrant, 2, |log, entry| {
        entry.signatures = log.entries[log.find(Act::ApproveGrant, 0)]
            .signatures
            .clone();
    });
    assert_eq!(signer_fault(fault), SignerFault::Signature);
    let fault = changed(Act::ApproveGrant, 2, |log, entry| {
        let first = &log.entries[log.find(Act::ApproveGrant, 0)];
        entry.grant_digest = first.grant_digest;
    });
    assert_eq!(fault, Fault::Digest);
}

#[test]
fn a_signature_for_another_custodian_or_deed_is_found() {
    let other = |deed: Deed, origin: &'static str| {
        signer_fault(changed(Act::ApproveGrant, 0, |log, entry| {
            entry.signatures = vec![
                log.person("uni/s1")
                    .sign_for(origin, deed, log.grant("g-1")),
            ];
        }))
    };
    assert_eq!(
        other(
            Deed::ApproveGrant,
            "example.org/fedcba9876543210fedcba9876543210"
        ),
        SignerFault::Signature
    );
    assert_eq!(other(Deed::DenyGrant, ORIGIN), SignerFault::Signature);
}

#[test]
fn an_unpinned_key_and_an_expired_certificate_are_found() {
    let with = |person: &Person| {
        signer_fault(changed(Act::ApproveGrant, 0, |log, entry| {
            by(entry, person, Deed::ApproveGrant, log.grant("g-1"));
        }))
    };
    assert_eq!(with(&Person::new("uni/s1", 2035)), SignerFault::NotPinned);
    assert_eq!(with(&Person::new("uni/s1", 2025)), SignerFault::Expired);
    assert_eq!(
        with(&Person::new("uni/nobody", 2035)),
        SignerFault::NotEntitled
    );
}

#[test]
fn a_certificate_of_somebody_else_is_found() {
    let fault = changed(Act::ApproveGrant, 0, |log, entry| {
        by(
            entry,
            log.person("uni/s2"),
            Deed::ApproveGrant,
            log.grant("g-1"),
        );
        entry.actor = "uni/s1".parse().ok();
        entry.signatures[0].0 = "uni/s1".parse().expect("an identity");
    });
    assert_eq!(signer_fault(fault), SignerFault::Identity);
    let fault = changed(Act::ApproveGrant, 0, |_, entry| entry.fingerprint[0] ^= 1);
    assert_eq!(signer_fault(fault), SignerFault::NotTheActor);
    let fault = changed(Act::ApproveGrant, 0, |_, entry| {
        entry.signatures[0].1.certificate.truncate(40)
    });
    assert_eq!(signer_fault(fault), SignerFault::NotTheActor);
    assert_eq!(
        changed(Act::ApproveGrant, 0, |_, entry| entry.signatures.clear()),
        Fault::NotAnEntry
    );
}

#[test]
fn nobody_approves_twice_or_for_an_organisation_that_has_no_say() {
    let fault = changed(Act::ApproveGrant, 3, |log, entry| {
        by(
            entry,
            log.person("uni/s1"),
            Deed::ApproveGrant,
            log.grant("g-2"),
        );
    });
    assert_eq!(fault, Fault::NotAllowed(Reason::AlreadyApproved));
    // The second approval must be the other owner's.
    let fault = changed(Act::ApproveGrant, 1, |log, entry| {
        by(
            entry,
            log.person("uni/s2"),
            Deed::ApproveGrant,
            log.grant("g-1"),
        );
    });
    assert_eq!(fault, Fault::NotAllowed(Reason::GrantDecided));
    let fault = changed(Act::ApproveGrant, 3, |log, entry| {
        by(
            entry,
            log.person("clinic/s4"),
            Deed::ApproveGrant,
            log.grant("g-2"),
        );
    });
    assert_eq!(signer_fault(fault), SignerFault::NotEntitled);
    let fault = changed(Act::ApproveGrant, 3, |log, entry| {
        by(
            entry,
            log.person("c/anna"),
            Deed::ApproveGrant,
            log.grant("g-2"),
        );
    });
    assert_eq!(signer_fault(fault), SignerFault::NotEntitled);
}

#[test]
fn a_requester_who_approves_is_found() {
    let mut log = story();
    let (request, approval) = (
        log.find(Act::RequestGrant, 0),
        log.find(Act::ApproveGrant, 0),
    );
    let mut grant = Grant::decode(&log.entries[request].detail).expect("a grant");
    grant.requester = "uni/s1".parse().expect("an identity");
    let bytes = grant.encode();
    let entry = &mut log.entries[request];
    entry.actor = Some(grant.requester.clone());
    (entry.grant_digest, entry.detail) = (Some(sha256(&bytes)), bytes.clone());
    let signed = log.person("uni/s1").sign(Deed::ApproveGrant, &bytes);
    let entry = &mut log.entries[approval];
    (entry.grant_digest, entry.signatures) = (Some(sha256(&bytes)), vec![signed]);
    let wrong = replay(&log).expect_err("it is wrong now");
    assert_eq!(
        wrong,
        Wrong {
            sequence: approval as u64,
            fault: Fault::NotAllowed(Reason::OwnRequest)
        }
    );
}

#[test]
fn use_needs_a_live_grant_of_ones_own() {
    let mut log = story();
    log.entries.swap_remove(log.find(Act::ApproveGrant, 1));
    let unapproved = replay(&log).expect_err("one approval is missing");
    assert!(
        log.entries[usize::try_from(unapproved.sequence).expect("small")].act != Act::ApproveGrant
    );
    assert_eq!(
        changed(Act::Convert, 0, |_, entry| entry.actor =
            "clinic/etl".parse().ok()),
        Fault::Field("grantee")
    );
    assert_eq!(
        changed(Act::Convert, 0, |_, entry| entry.grant = "g-9".parse().ok()),
        Fault::UnknownGrant
    );
    assert_eq!(
        changed(Act::Convert, 0, |_, entry| entry.chain = "b".parse().ok()),
        Fault::Field("chain")
    );
    assert_eq!(
        changed(Act::Convert, 0, |_, e| e.actor = "uni/x".parse().ok()),
        Fault::NotAllowed(Reason::NotAMember)
    );
    let late = |_: &Forge, entry: &mut Entry| entry.at = Timestamp::MAX;
    assert_eq!(
        changed(Act::Convert, 0, late),
        Fault::NotAllowed(Reason::GrantExpired)
    );
    let early = |_: &Forge, entry: &mut Entry| entry.at = Timestamp::from_millis(5).expect("small");
    assert_eq!(
        changed(Act::Convert, 0, early),
        Fault::NotAllowed(Reason::GrantNotStarted)
    );
    let revoked = |log: &mut Forge| log.charge("g-2", "clinic/etl", Act::Reidentify, 0, 10);
    let mut log = story();
    revoked(&mut log);
    assert_eq!(
        replay(&log).expect_err("revoked").fault,
        Fault::NotAllowed(Reason::GrantRevoked)
    );
    let mut log = story();
    log.charge("g-1", "uni/etl", Act::Convert, 1, 8);
    assert_eq!(
        replay(&log).expect_err("restored").fault,
        Fault::NotAllowed(Reason::GrantRevoked)
    );
}

#[test]
fn a_counter_never_falls_and_grows_by_the_batch_at_most() {
    let counter = |nth, counter, values| {
        changed(Act::Convert, nth, |_, entry| {
            (entry.counter, entry.values) = (counter, values)
        })
    };
    let (before, max) = (3, 10);
    for (at, values) in [(2, 4), (8, 4), (11, 8), (0, 4)] {
        assert_eq!(
            counter(1, at, values),
            Fault::Counter {
                counter: at,
                before,
                values,
                max
            }
        );
    }
}

#[test]
fn a_limit_of_a_day_holds_on_that_day() {
    let more = |_: &Forge, entry: &mut Entry| {
        (entry.counter, entry.values, entry.rows) = (8, 5, 5);
        entry.keys = vec![key(KEY_A, 5), key(KEY_B, 5)];
    };
    assert_eq!(
        changed(Act::Convert, 1, more),
        Fault::NotAllowed(Reason::GrantDailyLimit)
    );
    let on = |days: i64| {
        let mut log = story();
        let at = log.find(Act::Convert, 1);
        let entry = &mut log.entries[at];
        (entry.counter, entry.values, entry.rows) = (8, 5, 5);
        entry.keys = vec![key(KEY_A, 5), key(KEY_B, 5)];
        let millis = entry
            .at
            .millis()
            .saturating_add_signed(days * 24 * 3600 * 1000);
        entry.at = Timestamp::from_millis(millis).expect("small");
        log.entries.truncate(at + 1);
        replay(&log).map(drop)
    };
    on(1).expect("another day");
    assert!(on(0).is_err());
}

#[test]
fn a_batch_that_was_sent_again_is_not_counted_again() {
    let mut log = story();
    let at = log.find(Act::Convert, 1);
    log.entries[at].counter = 3;
    log.entries.truncate(at + 1);
    replay(&log).expect("nothing is wrong");
}

#[test]
fn refusals_change_nothing() {
    let mut log = story();
    let at = log.find(Act::ApproveGrant, 1);
    log.entries[at].outcome = Outcome::Refused(Reason::BadSignature);
    log.entries[at].signatures.clear();
    let wrong = replay(&log).expect_err("the grant never came alive");
    assert_eq!(wrong.sequence, log.find(Act::Convert, 0) as u64);
    assert_eq!(wrong.fault, Fault::NotAllowed(Reason::GrantNotApproved));
}

#[test]
fn a_revocation_is_by_the_owner_or_the_grantee() {
    let revoke = |person: &str| {
        let mut log = story();
        let at = log.find(Act::RevokeGrant, 0);
        let mut entry = log.entries[at].clone();
        by(
            &mut entry,
            log.person(person),
            Deed::RevokeGrant,
            log.grant("g-2"),
        );
        log.entries[at] = entry;
        log.entries.truncate(at + 1);
        replay(&log).map(drop)
    };
    revoke("uni/s3").expect("a steward of the owner");
    revoke("clinic/s5").expect("a member of the grantee, with the pinned key");
    assert!(revoke("uni/etl").is_err() && revoke("c/anna").is_err());
    let stranger = Person::new("clinic/s5", 2035);
    let fault = changed(Act::RevokeGrant, 0, |log, e| {
        by(e, &stranger, Deed::RevokeGrant, log.grant("g-2"))
    });
    assert_eq!(signer_fault(fault), SignerFault::NotPinned);
}

#[test]
fn a_custodian_of_the_grantee_revokes_nothing() {
    let mut log = story();
    log.entries.truncate(log.find(Act::RevokeGrant, 0));
    log.registries.truncate(2);
    let custodians = ["c/anna", "c/bert2", "clinic/etl"].map(|name| Custodian {
        identity: name.parse().expect("organisation/member"),
        key: log.person(name).key(),
    });
    let mut entry = log.entry(Act::Custodians, None);
    entry.detail = custodian::encode(&custodians);
    log.push(entry);
    log.step(Act::RevokeGrant, Deed::RevokeGrant, "g-2", "clinic/etl");
    let wrong = replay(&log).expect_err("a custodian");
    let last = log.entries.len() as u64 - 1;
    assert_eq!(wrong.sequence, last, "{}", wrong.fault);
    assert_eq!(signer_fault(wrong.fault), SignerFault::NotEntitled);
}

#[test]
fn a_registry_change_signed_by_one_is_found() {
    let fault = changed(Act::SignProposal, 3, |log, entry| {
        *entry = log.entries[log.find(Act::ApplyRegistry, 1)].clone()
    });
    assert_eq!(fault, Fault::NotSigned);
    let fault = changed(Act::SignProposal, 3, |log, entry| {
        by(
            entry,
            log.person("uni/s1"),
            Deed::SignProposal,
            &log.proposal("p-2"),
        );
    });
    assert_eq!(fault, Fault::NotAllowed(Reason::AlreadySigned));
    let fault = changed(Act::SignProposal, 3, |log, entry| {
        by(
            entry,
            log.person("c/anna"),
            Deed::SignProposal,
            &log.proposal("p-2"),
        );
    });
    assert_eq!(signer_fault(fault), SignerFault::NotEntitled);
}

#[test]
fn signers_are_worked_out_from_the_texts_and_not_believed() {
    // Two custodians sign what takes two stewards of the owner.
    let mut log = story();
    let propose = log.find(Act::Propose, 1);
    let mut proposal =
        sluis_ledger::proposal::Proposal::decode(&log.entries[propose].detail).expect("a proposal");
    proposal.required = vec![(sluis_ledger::registry::Signers::Custodians, 2)];
    let bytes = proposal.encode();
    log.entries[propose].detail = bytes.clone();
    log.entries[propose].object_digest = Some(sha256(&bytes));
    for (at, name) in [(propose + 1, "c/anna"), (propose + 2, "c/bert2")] {
        let mut entry = log.entries[at].clone();
        by(&mut entry, log.person(name), Deed::SignProposal, &bytes);
        entry.object_digest = Some(sha256(&bytes));
        log.entries[at] = entry;
    }
    let ben = log.person("c/bert2");
    let (actor, fingerprint) = (ben.identity.clone(), sha256(&ben.certificate));
    let effect = &mut log.entries[propose + 3];
    (effect.actor, effect.fingerprint) = (Some(actor), fingerprint);
    let wrong = replay(&log).expect_err("it is wrong now");
    assert_eq!(
        wrong,
        Wrong {
            sequence: propose as u64 + 3,
            fault: Fault::TooFewSignatures
        }
    );
}

#[test]
fn what_was_signed_must_follow_and_nothing_else_may() {
    let log = story();
    let fault = changed(Act::ApplyRegistry, 0, |log, entry| {
        *entry = log.entries[log.find(Act::Pseudonymise, 0)].clone();
        entry.registry_version = 0;
    });
    assert_eq!(fault, Fault::EffectMissing("p-1".parse().expect("an id")));
    let fault = changed(Act::Pseudonymise, 0, |log, entry| {
        *entry = log.entries[log.find(Act::OptOut, 0)].clone();
        entry.registry_version = 1;
    });
    assert_eq!(fault, Fault::NotSigned);
    let fault = changed(Act::OptOut, 0, |_, entry| {
        entry.detail = Writer::default().lp("p-2").finish()
    });
    assert_eq!(fault, Fault::NotSigned);
    assert!(log.entries.len() > 256);
}

#[test]
fn a_registry_text_that_is_missing_or_another_is_found() {
    let mut log = story();
    let at = log.find(Act::ApplyRegistry, 1) as u64;
    log.registries[2].push('\n');
    assert_eq!(
        replay(&log).expect_err("changed"),
        Wrong {
            sequence: at,
            fault: Fault::RegistryText(2)
        }
    );
    log.registries.truncate(2);
    assert_eq!(
        replay(&log).expect_err("gone"),
        Wrong {
            sequence: at,
            fault: Fault::RegistryMissing(2)
        }
    );
}

#[test]
fn a_proposal_says_what_it_replaces_and_takes_two() {
    let propose = |change: fn(&mut sluis_ledger::proposal::Proposal)| {
        changed(Act::Propose, 1, |_, entry| {
            let mut proposal =
                sluis_ledger::proposal::Proposal::decode(&entry.detail).expect("a proposal");
            change(&mut proposal);
            entry.detail = proposal.encode();
            entry.object_digest = Some(sha256(&entry.detail));
        })
    };
    assert_eq!(propose(|p| p.required[0].1 = 1), Fault::Groups);
    let cut = changed(Act::Propose, 3, |_, entry| {
        let mut proposal =
            sluis_ledger::proposal::Proposal::decode(&entry.detail).expect("a proposal");
        proposal.required = vec![(sluis_ledger::registry::Signers::Custodians, 2)];
        entry.detail = proposal.encode();
        entry.object_digest = Some(sha256(&entry.detail));
    });
    assert_eq!(cut, Fault::TooFewSignatures);
    assert_eq!(
        propose(|p| p.proposer = "c/bert2".parse().expect("one")),
        Fault::Field("proposer")
    );
    assert_eq!(
        propose(|p| p.registry_version = 0),
        Fault::Field("registry version")
    );
    assert_eq!(
        propose(|p| p.matter = sluis_ledger::proposal::Matter::Registry {
            base_version: 1,
            base_digest: [0; 32],
            digest: [0; 32]
        }),
        Fault::Field("registry that it replaces")
    );
    assert_eq!(
        propose(|p| p.id = "p-1".parse().expect("an id")),
        Fault::ProposalExists("p-1".parse().expect("an id"))
    );
}

#[test]
fn a_source_never_signs_its_own_erasure() {
    let fault = changed(Act::SignProposal, 4, |log, entry| {
        by(
            entry,
            log.person("clinic/etl"),
            Deed::SignProposal,
            &log.proposal("p-3"),
        );
    });
    assert_eq!(signer_fault(fault), SignerFault::NotEntitled);
}

#[test]
fn a_clock_that_was_set_back_is_told_and_refuses_nothing() {
    let mut log = story();
    assert_eq!(replay(&log).expect("honest").state().set_back(), None);
    let now = log.entry(Act::RotateKek, None).at.millis();
    let mut at = |minutes_back: u64| {
        let at = Timestamp::from_millis(now - minutes_back * 60_000).expect("in range");
        let entry = Entry {
            at,
            ..log.entry(Act::RotateKek, None)
        };
        log.push(entry);
        let back = replay(&log)
            .expect("no entry is refused for its time")
            .state()
            .set_back();
        back.map(|SetBack { entry, millis }| {
            (entry + 1 == log.entries.len() as u64, millis / 60_000)
        })
    };
    assert_eq!((at(0), at(10)), (None, None));
    assert_eq!(
        (at(11), at(60), at(30)),
        (Some((true, 11)), Some((true, 60)), Some((false, 60)))
    );
}

#[test]
fn a_clock_that_stood_still_is_told_and_refuses_nothing() {
    let mut log = story();
    assert_eq!(replay(&log).expect("honest").state().stood_still(), None);
    let first = log.entry(Act::RotateKek, None);
    log.entries.extend(vec![first.clone(); 256]);
    assert_eq!(replay(&log).expect("honest").state().stood_still(), None);
    log.push(first);
    let entry = log.entries.len() as u64 - 257;
    let still = StoodStill {
        entry,
        entries: 257,
    };
    let told = replay(&log).expect("honest").state().stood_still();
    assert_eq!(told, Some(still));
    let said = second::accept("a clock that stood still", &log);
    assert!(said.contains(&format!("257 entries from entry {entry} on")) || said.is_empty());
}

#[test]
fn an_act_while_sealed_is_told_and_refuses_nothing() {
    let mut log = story();
    let closed = log.entry(Act::Seal, Some("c/anna"));
    let at = closed.at;
    log.push(closed);
    let mut after = |millis: u64, act: Act, detail: Vec<u8>| {
        let mut entry = log.entry(act, Some("c/anna"));
        (entry.at, entry.detail) = (at.plus_millis(millis), detail);
        log.push(entry);
        (
            replay(&log).expect("no entry is refused for it"),
            log.entries.len() as u64 - 1,
        )
    };
    // On its way when the keyring was closed.
    let (told, _) = after(600_000, Act::CreateBackup, Vec::new());
    assert_eq!(told.state().while_sealed(), None);
    let (told, _) = after(600_001, Act::Unseal, vec![1, 1, 2]);
    assert_eq!(told.state().while_sealed(), None);
    let (told, entry) = after(600_001, Act::CreateBackup, Vec::new());
    assert_eq!(told.state().while_sealed(), Some(entry));
    let said = second::accept("an act while sealed", &log);
    assert!(said.contains(&format!("entry {entry} is of an act")) || said.is_empty());
    let at = log.entries.len() - 2;
    log.entries[at].detail = vec![1, 2, 2];
    let opened = replay(&log).expect("honest");
    assert_eq!(opened.state().while_sealed(), None);
}

#[test]
fn a_restore_takes_two_different_custodians_and_this_log() {
    let twice = |_: &Forge, entry: &mut Entry| entry.signatures[1] = entry.signatures[0].clone();
    assert_eq!(
        signer_fault(changed(Act::AcceptRestore, 0, twice)),
        SignerFault::Twice
    );
    let one = |_: &Forge, entry: &mut Entry| drop(entry.signatures.pop());
    assert_eq!(changed(Act::AcceptRestore, 0, one), Fault::NotAnEntry);
    let steward = |log: &Forge, entry: &mut Entry| {
        entry.signatures[1] = log
            .person("uni/s1")
            .sign(Deed::AcceptRestore, &entry.detail);
    };
    assert_eq!(
        signer_fault(changed(Act::AcceptRestore, 0, steward)),
        SignerFault::NotEntitled
    );
    let elsewhere = |_: &Forge, entry: &mut Entry| {
        let restore = Restore::decode(&entry.detail).expect("a restore");
        entry.detail = Restore {
            restored_root: [0; 32],
            ..restore
        }
        .encode();
    };
    assert_eq!(changed(Act::AcceptRestore, 0, elsewhere), Fault::Restore);
    let unsigned = |_: &Forge, entry: &mut Entry| {
        let restore = Restore::decode(&entry.detail).expect("a restore");
        entry.detail = Restore {
            lost_size: 1,
            ..restore
        }
        .encode();
    };
    assert_eq!(
        signer_fault(changed(Act::AcceptRestore, 0, unsigned)),
        SignerFault::Signature
    );
}

/// A restore entry that says something else, signed by both custodians again.
pub(super) fn restored(log: &mut Forge, change: impl FnOnce(&mut Restore)) {
    let mut entry = log.entries.pop().expect("the story ends with a restore");
    let mut restore = Restore::decode(&entry.detail).expect("a restore");
    change(&mut restore);
    entry.detail = restore.encode();
    entry.signatures = ["c/anna", "c/bert2"]
        .map(|name| {
            log.person(name)
                .sign(Deed::AcceptRestore, &restore.encode())
        })
        .into();
    log.push(entry);
}

/// Logs whose last entry is a restore that should not have been accepted.
fn restores() -> Vec<(&'static str, Forge, Fault)> {
    let forged = |change: &dyn Fn(&mut Forge)| {
        let mut log = story();
        change(&mut log);
        log
    };
    let days = |restore: &mut Restore, millis: u64| {
        restore.at = Timestamp::from_millis(restore.at.millis() - millis).expect("small");
    };
    vec![
        (
            "a restore is accepted again",
            forged(&|log| {
                let again = log.entries.last().expect("a restore").clone();
                log.push(again);
            }),
            Fault::RestoreAgain,
        ),
        (
            "a restore that was signed twenty days ago",
            forged(&|log| restored(log, |restore| days(restore, 20 * 24 * 3_600_000))),
            Fault::RestoreAge,
        ),
        (
            "a restore that was requested later",
            forged(&|log| {
                restored(log, |restore| restore.at = restore.at.plus_millis(60_001));
            }),
            Fault::RestoreAge,
        ),
    ]
}

#[test]
fn a_restore_is_accepted_once_and_within_seven_days() {
    for (what, log, fault) in restores() {
        second::refuse(what, &log, fault);
    }
    let mut log = story();
    restored(&mut log, |restore| {
        let millis = restore.at.millis() - 7 * 24 * 3_600_000;
        restore.at = Timestamp::from_millis(millis).expect("small");
    });
    replay(&log).expect("the last moment of seven days");
}

/// Logs whose last entry is an opening or an end of a proposal that cannot be.
fn openings() -> Vec<(&'static str, Forge, Fault)> {
    let opening = |who: Option<&str>, detail: &[u8]| {
        let mut log = story();
        let mut entry = log.entry(Act::Unseal, who);
        entry.detail = detail.to_vec();
        log.push(entry);
        log
    };
    let overdue = |who: Option<&str>, millis: u64| {
        let mut log = story();
        // The restore would end it.
        log.entries.pop();
        let matter = Matter::Erase {
            namespace: "n".parse().expect("an id"),
        };
        let owners = [stewards("clinic"), stewards("uni")];
        log.propose("p-9", "clinic/etl", matter, &owners);
        let made = log.entries.last().expect("just made").at;
        let mut entry = log.entry(Act::ExpireProposal, who);
        let of = log.on_proposal(Act::ExpireProposal, "p-9", "c/anna");
        (entry.detail, entry.object_digest) = (of.detail, of.object_digest);
        entry.at = made.plus_millis(millis);
        log.push(entry);
        log
    };
    let again = {
        let mut log = overdue(None, LIFE_MILLIS);
        let end = log.entries.last().expect("just made").clone();
        log.push(end);
        log
    };
    let detail = Fault::NotAnEntry;
    vec![
        (
            "more shares than are needed",
            opening(Some("c/anna"), &[1, 4, 3]),
            detail.clone(),
        ),
        (
            "shares of a key that is in a file",
            opening(Some("c/anna"), &[2, 1, 1]),
            detail.clone(),
        ),
        (
            "how it was opened is not said",
            opening(None, &[0, 0]),
            detail,
        ),
        (
            "a share that nobody presented",
            opening(None, &[1, 1, 2]),
            Fault::Field("caller"),
        ),
        (
            "a proposal ends before its time",
            overdue(None, LIFE_MILLIS - 1),
            Fault::Field("time"),
        ),
        (
            "somebody lets a proposal expire",
            overdue(Some("c/anna"), LIFE_MILLIS),
            Fault::NotAnEntry,
        ),
        ("a proposal ends twice", again, Fault::Field("time")),
    ]
}

#[test]
fn an_opening_says_how_and_a_proposal_ends_in_its_time() {
    for (what, log, fault) in openings() {
        second::refuse(what, &log, fault);
    }
    let mut log = story();
    for (who, detail) in [
        (None, [2, 0, 0]),
        (Some("c/anna"), [1, 1, 2]),
        (Some("c/bert2"), [1, 2, 2]),
        (None, [4, 0, 0]),
    ] {
        let mut entry = log.entry(Act::Unseal, who);
        entry.detail = detail.to_vec();
        log.push(entry);
    }
    replay(&log).expect("honest openings");
}

#[test]
fn a_signing_key_is_new_and_of_this_log() {
    let old = |log: &Forge, entry: &mut Entry| {
        let mut detail = Reader::plain(&entry.detail);
        detail.lp().expect("the new key");
        let instruction = detail.lp().expect("an instruction").to_vec();
        entry.detail = Writer::default()
            .lp(log.verifier_key(0).to_string())
            .lp(instruction)
            .finish();
    };
    assert_eq!(changed(Act::RotateAuditKey, 0, old), Fault::AuditKey);
    assert_eq!(
        changed(Act::RotateAuditKey, 0, |_, e| e.detail.clear()),
        Fault::NotAnEntry
    );
    assert_eq!(
        changed(Act::Custodians, 0, |_, e| e.detail.push(0)),
        Fault::NotAnEntry
    );
}

/// The story, and the end of a chain: `b` has a retention, `a` has none.
fn ended(change: impl FnOnce(&mut Entry, &mut Entry)) -> Result<Replay, Wrong> {
    let mut log = story();
    let mut warning = log.entry(Act::WarnRetention, None);
    warning.chain = "b".parse().ok();
    let mut end = log.entry(Act::ExpireChain, None);
    end.chain.clone_from(&warning.chain);
    end.keys = vec![key(KEY_B, 0)];
    change(&mut warning, &mut end);
    log.entries.extend([warning, end]);
    replay(&log)
}

#[test]
fn a_retention_ends_with_a_warning_and_without_anybody() {
    let etl: Identity = "clinic/etl".parse().expect("organisation/member");
    ended(|_, _| {}).expect("it was warned of");
    let fault = |change: fn(&mut Entry, &mut Entry)| {
        ended(change).map(drop).expect_err("it is wrong now").fault
    };
    let b = || "b".parse().expect("an id");
    assert_eq!(
        fault(|warning, _| (warning.act, warning.chain) = (Act::RotateKek, None)),
        Fault::NotWarned(b())
    );
    assert_eq!(
        fault(|warning, _| warning.chain = "a".parse().ok()),
        Fault::Field("chain"),
        "it has no retention"
    );
    assert_eq!(
        fault(|_, end| end.chain = "a".parse().ok()),
        Fault::Field("chain"),
        "it has no retention"
    );
    assert_eq!(
        fault(|_, end| end.chain = "c".parse().ok()),
        Fault::Field("chain"),
        "there is none"
    );
    assert_eq!(fault(|_, end| end.detail = vec![0]), Fault::NotAnEntry);
    let wrong = ended(|_, end| {
        end.actor = Some(etl);
        end.fingerprint = [7; 32];
    });
    assert_eq!(
        wrong.map(drop).expect_err("nobody ends a chain").fault,
        Fault::NotAnEntry
    );
    let again = |warning: &mut Entry, end: &mut Entry| warning.clone_from(end);
    assert_eq!(fault(again), Fault::NotWarned(b()));
}

#[test]
fn a_version_is_never_destroyed_without_a_proposal() {
    let mut log = story();
    let mut alone = log.on_proposal(Act::DestroyVersion, "p-4", "c/anna");
    alone.keys = vec![key(KEY_A, 0)];
    log.push(alone);
    let wrong = replay(&log).map(drop).expect_err("nobody signed it");
    assert_eq!(wrong.fault, Fault::NotSigned);
}

#[test]
fn a_chain_is_destroyed_once() {
    let mut log = story();
    for act in [Act::WarnRetention, Act::ExpireChain, Act::WarnRetention] {
        let mut entry = log.entry(act, None);
        entry.chain = "b".parse().ok();
        if act == Act::ExpireChain {
            entry.keys = vec![key(KEY_B, 0)];
        }
        log.entries.push(entry);
    }
    let wrong = replay(&log).expect_err("it is destroyed");
    assert_eq!(wrong.fault, Fault::NotAllowed(Reason::ChainDestroyed));
}

#[test]
fn an_import_is_a_batch_of_a_source() {
    let import = |who: &'static str| {
        changed(Act::Pseudonymise, 0, |log, entry| {
            entry.act = Act::Import;
            entry.actor = Some(log.person(who).identity.clone());
        })
    };
    assert_eq!(import("uni/etl"), Fault::NotAllowed(Reason::NotASource));
    assert_eq!(import("c/anna"), Fault::NotAllowed(Reason::CustodianMayNot));
    let mut log = story();
    let at = log.find(Act::Pseudonymise, 0);
    log.entries[at].act = Act::Import;
    log.entries.truncate(at + 1);
    replay(&log).expect("by a source");
    log.entries[at].registry_version = 0;
    let fault = replay(&log).expect_err("of another version").fault;
    assert_eq!(
        fault,
        Fault::RegistryVersion {
            named: 0,
            in_force: 1
        }
    );
}

#[test]
fn a_signature_counts_while_its_key_is_pinned() {
    let mut log = story();
    let at = log.find(Act::SignProposal, 0);
    let mut named = log.entries[log.find(Act::Custodians, 0)].clone();
    let custodian = |person: &Person| Custodian {
        identity: person.identity.clone(),
        key: person.key(),
    };
    let others = [
        custodian(&Person::new("c/anna", 2035)),
        custodian(log.person("c/bert2")),
    ];
    named.detail = custodian::encode(&others);
    log.entries.insert(at + 1, named);
    let wrong = replay(&log).expect_err("anna has another key now");
    assert_eq!(wrong.sequence, log.find(Act::ApplyRegistry, 0) as u64);
    assert_eq!(signer_fault(wrong.fault), SignerFault::NotEntitled);
}

#[test]
fn an_approval_with_a_key_that_was_given_up_does_not_count() {
    let log = rekeyed();
    let wrong = replay(&log).expect_err("the first approval is void");
    assert_eq!(
        (wrong.sequence, wrong.fault),
        (
            log.entries.len() as u64 - 1,
            Fault::NotAllowed(Reason::GrantStale)
        )
    );
}

#[test]
fn a_log_does_not_end_between_the_last_signature_and_its_effect() {
    let mut log = story();
    log.entries.truncate(log.find(Act::OptOut, 0));
    let replay = replay(&log).expect("nothing is wrong with the entries");
    let missing = replay.unfinished().expect("the effect is");
    assert_eq!(missing.sequence, log.entries.len() as u64);
    assert!(
        matches!(missing.fault, Fault::EffectMissing(_)),
        "{missing}"
    );
}
