use std::num::NonZeroU64;

use proptest::prelude::*;
use sluis_crypto::VerifierKey;
use sluis_domain::Kid;

use super::*;
use crate::audit::SALT_BYTES;
use crate::opening::KeySource;

const BEGIN: &[u8] = b"\0\x03uni\0\x03etl";

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

fn kid(number: u32) -> Kid {
    Kid::new(number).expect("not zero")
}

fn entry(event: Event) -> Entry {
    let caller = Caller {
        identity: id("uni/etl"),
        fingerprint: [0xaa; 32],
    };
    let header = Header {
        salt: [0xee; SALT_BYTES],
        at: Timestamp::from_millis(0x0102_0304).expect("valid"),
        registry_version: 7,
        caller: Some(caller).filter(|_| !matches!(event.called(), Called::Never)),
    };
    Entry { header, event }
}

fn signature() -> Signature {
    Signature {
        signer: id("uni/boss"),
        signed: Signed {
            signature: vec![0xcc; 2],
            certificate: vec![0xdd; 3],
        },
    }
}

fn grant() -> GrantRef {
    GrantRef {
        id: id("g"),
        digest: [0xbb; 32],
        chain: id("a"),
        to_chain: Some(id("b")),
        purpose: "why".into(),
    }
}

fn used(chain: &str, namespace: Option<&str>, number: u32, values: u64) -> KeyUse {
    KeyUse {
        chain: id(chain),
        namespace: namespace.map(id),
        kid: kid(number),
        values,
    }
}

fn converted() -> Entry {
    entry(Event::Convert(Granted {
        grant: grant(),
        rows: 3,
        values: 2,
        rejected: 1,
        counter: 5,
        keys: vec![
            used("a", Some("n"), 9, 1),
            used("a", None, 8, 1),
            used("b", Some("n"), 7, 2),
        ],
    }))
}

/// One or more of each kind of body.
fn samples() -> Vec<Entry> {
    let key: VerifierKey = VerifierKey::new("o", &[9; 32]).expect("a name");
    let version = LineVersion {
        namespace: None,
        kid: kid(3),
    };
    let proposal = ProposalRef {
        id: id("p"),
        digest: [1; 32],
        chain: None,
    };
    let line = ErasedLine {
        namespace: id("n"),
        kids: vec![kid(1), kid(2)],
    };
    let erased = |line| SubjectsErased {
        chain: id("a"),
        subjects: NonZeroU64::MIN,
        line,
    };
    let refused = |act, about| {
        Event::Refused(Refusal {
            act,
            reason: Reason::NotEligible,
            about,
        })
    };
    let of_proposal = About::Proposal {
        digest: [2; 32],
        chain: Some(id("a")),
    };
    let events = [
        Event::Pseudonymise(Submitted {
            chain: id("a"),
            rows: 1,
            values: 1,
            rejected: 0,
            keys: Vec::new(),
        }),
        Event::ApproveGrant(GrantSigned {
            grant: grant(),
            signature: signature(),
        }),
        Event::ExpireGrant(grant()),
        Event::ApplyRegistry(RegistryApplied {
            proposal: id("p"),
            digest: [3; 32],
            made: vec![version.of(&id("a")), version.of(&id("b"))],
        }),
        Event::CreateBackup,
        Event::Initialise(Initialised {
            origin: "o".into(),
            key,
        }),
        Event::Unseal(Opening::fetched(KeySource::File)),
        Event::Seal,
        Event::RotateKek,
        Event::SignProposal(ProposalSigned {
            proposal: proposal.clone(),
            signature: signature(),
        }),
        Event::ExpireProposal(proposal),
        Event::CutEscrow(VersionEnded {
            proposal: id("p"),
            digest: [4; 32],
            version: version.of(&id("a")),
        }),
        Event::OptOut(OptedOut {
            proposal: id("p"),
            digest: [5; 32],
        }),
        Event::WarnRetention(id("a")),
        Event::ExpireChain(ChainExpired {
            chain: id("a"),
            ended: vec![version],
        }),
        Event::EraseSubjects(erased(None)),
        Event::EraseSubjects(erased(Some(line))),
        refused(Act::Admit, About::Nothing),
        refused(Act::Pseudonymise, About::Chain(id("a"))),
        refused(Act::Convert, About::Grant(grant())),
        refused(Act::SignProposal, of_proposal),
        refused(Act::Propose, About::RegistryText([6; 32])),
    ];
    events.into_iter().map(entry).chain([converted()]).collect()
}

fn begin(act: u8) -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend_from_slice(&[0xee; 16]);
    bytes.extend_from_slice(&[0, 0, 0, 0, 1, 2, 3, 4, act]);
    bytes
}

#[test]
fn canonical_bytes_of_what_was_done_are_frozen() {
    let mut expected = begin(2);
    expected.extend_from_slice(b"\0\0\0\0\0\0\0\0\x07");
    expected.extend_from_slice(BEGIN);
    expected.extend_from_slice(&[0xaa; 32]);
    expected.extend_from_slice(b"\0\x01g");
    expected.extend_from_slice(&[0xbb; 32]);
    expected.extend_from_slice(b"\0\x01a\0\x01b\0\x03why");
    for number in [3u64, 2, 1, 5] {
        expected.extend_from_slice(&number.to_be_bytes());
    }
    expected.extend_from_slice(b"\0\x02\0\x01a\0\x02");
    expected.extend_from_slice(b"\0\x01n\0\0\0\x09\0\0\0\0\0\0\0\x01");
    expected.extend_from_slice(b"\0\0\0\0\0\x08\0\0\0\0\0\0\0\x01");
    expected.extend_from_slice(b"\0\x01b\0\x01\0\x01n\0\0\0\x07\0\0\0\0\0\0\0\x02");
    assert_eq!(converted().encode(), expected);
}

#[test]
fn canonical_bytes_of_a_refusal_are_frozen() {
    let refused = entry(Event::Refused(Refusal {
        act: Act::Convert,
        reason: Reason::NotEligible,
        about: About::Grant(grant()),
    }));
    let mut expected = begin(2);
    expected.extend_from_slice(b"\x01\0\x0cNOT_ELIGIBLE\0\0\0\0\0\0\0\x07");
    expected.extend_from_slice(BEGIN);
    expected.extend_from_slice(&[0xaa; 32]);
    expected.extend_from_slice(b"\x02\0\x01g");
    expected.extend_from_slice(&[0xbb; 32]);
    expected.extend_from_slice(b"\0\x01a\0\x01b\0\x03why");
    assert_eq!(refused.encode(), expected);
}

#[test]
fn entries_are_read_back_and_cut_or_longer_ones_refused() {
    for entry in samples() {
        let bytes = entry.encode();
        assert_eq!(Entry::decode(&bytes), Ok(entry));
        for end in 0..bytes.len() {
            let cut = Entry::decode(&bytes[..end]);
            assert_eq!(cut, Err(DecodeError), "cut at {end}");
        }
        assert_eq!(Entry::decode(&[bytes, vec![0]].concat()), Err(DecodeError));
    }
}

#[test]
fn an_entry_without_a_salt_is_refused() {
    let bytes = converted().encode();
    let former = [&[2], &bytes[1 + SALT_BYTES..]].concat();
    assert_eq!(Entry::decode(&former), Err(DecodeError));
}

#[test]
fn an_act_that_needs_a_caller_is_not_read_without() {
    let mut alone = converted();
    alone.header.caller = None;
    assert_eq!(Entry::decode(&alone.encode()), Err(DecodeError));
}

#[test]
fn what_is_never_done_or_never_refused_is_not_read() {
    for act in Act::ALL {
        let refused = entry(Event::Refused(Refusal {
            act: *act,
            reason: Reason::NotEligible,
            about: About::Nothing,
        }));
        let read = Entry::decode(&refused.encode());
        assert_eq!(read.is_ok(), act.can_be_refused(), "{}", act.as_str());
        let mut input = Reader::plain(&[]);
        let unfinished = Event::read(*act, &mut input);
        assert!(act.is_recorded_done() || unfinished.is_err());
    }
}

#[test]
fn a_refusal_is_about_what_its_act_is_about() {
    let refused = |act, about| {
        let refusal = Refusal {
            act,
            reason: Reason::NotEligible,
            about,
        };
        Entry::decode(&entry(Event::Refused(refusal)).encode())
    };
    let text = || About::RegistryText([1; 32]);
    assert!(refused(Act::Propose, text()).is_ok());
    assert_eq!(refused(Act::SignProposal, text()), Err(DecodeError));
    assert_eq!(refused(Act::Admit, About::Grant(grant())), Err(DecodeError));
}

#[test]
fn one_list_of_key_versions_has_one_form() {
    let honest = converted();
    let Event::Convert(batch) = &honest.event else {
        panic!("made here");
    };
    let tail = |uses: &[u8]| {
        let bytes = honest.encode();
        let mut out = Writer::default();
        keys::write_by_chain(&batch.keys, &mut out);
        let body = bytes.len() - out.finish().len();
        Entry::decode(&[&bytes[..body], uses].concat())
    };
    let one = b"\0\x01a\0\x01\0\x01n\0\0\0\x09\0\0\0\0\0\0\0\x01";
    assert!(tail(&[b"\0\x01", &one[..]].concat()).is_ok());
    let twice = [b"\0\x02", &one[..], one].concat();
    assert_eq!(tail(&twice), Err(DecodeError));
    assert_eq!(tail(b"\0\x01\0\x01a\0\0"), Err(DecodeError));
}

proptest! {
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(
        sample in 0..samples().len(),
        at in 0..400usize,
        byte in any::<u8>(),
    ) {
        let mut bytes = samples()[sample].encode();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.encode(), bytes);
        }
    }
}
