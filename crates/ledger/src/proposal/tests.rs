use super::*;
use proptest::prelude::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).expect("small")
}

fn who(text: &str) -> Identity {
    text.parse().expect("organisation/member")
}

fn stewards(of: &str) -> Signers {
    Signers::StewardsOf(of.parse().expect("an id"))
}

fn proposal(matter: Matter, required: &[(Signers, u8)]) -> Proposal {
    Proposal {
        id: "p-1".parse().expect("an id"),
        matter,
        proposer: who("c/anna"),
        at: at(50),
        not_after: at(100),
        registry_version: 3,
        required: required.to_vec(),
    }
}

fn registry() -> Matter {
    Matter::Registry {
        base_version: 3,
        base_digest: [1; 32],
        digest: [2; 32],
    }
}

fn yes(signer: &str, among: Signers) -> Signature {
    let signed = Signed {
        signature: vec![7; 70],
        certificate: vec![8; 300],
    };
    Signature {
        signer: who(signer),
        among,
        at: at(60),
        signed,
    }
}

#[test]
fn canonical_bytes_are_frozen() {
    let expected: Vec<u8> = [
        &b"\x01\0\x03p-1\x01\0\0\0\0\0\0\0\x03"[..],
        &[1; 32],
        &[2; 32],
        b"\0\x01c\0\x04anna\0\0\0\0\0\0\0\x32\0\0\0\0\0\0\0\x64\0\0\0\0\0\0\0\x03",
        b"\0\x02\0\0\x02\0\x03uni\x02",
    ]
    .concat();
    assert_eq!(
        proposal(
            registry(),
            &[(Signers::Custodians, 2), (stewards("uni"), 2)]
        )
        .encode(),
        expected
    );
}

#[test]
fn every_matter_survives_the_store_and_cuts_do_not_panic() {
    let (kid, chain) = (
        Kid::new(9).expect("not zero"),
        "a".parse::<ChainId>().expect("an id"),
    );
    let namespace: NamespaceId = "nl.bsn".parse().expect("an id");
    for matter in [
        registry(),
        Matter::DestroyVersion {
            kid,
            chain: chain.clone(),
            namespace: None,
        },
        Matter::CutEscrow {
            kid,
            chain,
            namespace: namespace.clone(),
        },
        Matter::Erase { namespace },
    ] {
        let record = Record::new(proposal(
            matter,
            &[(stewards("uni"), 2), (Signers::Custodians, 1)],
        ));
        let record = record
            .sign(yes("uni/s1", stewards("uni")), at(60))
            .expect("signs");
        let record = record
            .sign(yes("c/bert", Signers::Custodians), at(60))
            .expect("signs");
        let record = record
            .end(End::Rejected, &who("uni/s2"), at(70))
            .expect("ends");
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Ok(record));
        for end in 0..bytes.len() {
            assert!(Record::decode(&bytes[..end]).is_err());
        }
    }
}

#[test]
fn one_person_counts_once_and_a_source_never_signs_its_own_erasure() {
    let fresh = Record::new(proposal(registry(), &[(Signers::Custodians, 2)]));
    let half = fresh
        .sign(yes("c/anna", Signers::Custodians), at(60))
        .expect("the proposer is one of two");
    assert_eq!(
        half.sign(yes("c/anna", Signers::Custodians), at(61)),
        Err(Reason::AlreadySigned)
    );
    assert_eq!(
        half.sign(yes("uni/s1", stewards("uni")), at(61)),
        Err(Reason::NotASigner)
    );
    let whole = half
        .sign(yes("c/bert", Signers::Custodians), at(61))
        .expect("the second");
    assert!(whole.missing().is_empty());
    assert_eq!(
        whole.sign(yes("c/carl", Signers::Custodians), at(61)),
        Err(Reason::NotASigner),
        "enough is enough"
    );

    let erase = Matter::Erase {
        namespace: "nl.bsn".parse().expect("an id"),
    };
    let mut own = proposal(erase, &[(stewards("uni"), 1)]);
    own.proposer = who("uni/s1");
    assert_eq!(
        Record::new(own).sign(yes("uni/s1", stewards("uni")), at(60)),
        Err(Reason::OwnRequest)
    );
}

#[test]
fn what_has_ended_takes_no_signature() {
    let fresh = Record::new(proposal(registry(), &[(Signers::Custodians, 2)]));
    assert_eq!(
        fresh.sign(yes("c/anna", Signers::Custodians), at(100)),
        Err(Reason::ProposalExpired)
    );
    for (end, refused) in [
        (End::Effective, Reason::ProposalDecided),
        (End::Rejected, Reason::ProposalDecided),
        (End::Stale, Reason::ProposalStale),
    ] {
        let ended = fresh.end(end, &who("c/anna"), at(60)).expect("ends");
        assert_eq!(
            ended.sign(yes("c/anna", Signers::Custodians), at(61)),
            Err(refused)
        );
        assert_eq!(ended.end(end, &who("c/anna"), at(61)), Err(refused));
    }
}

proptest! {
    /// Whatever order people sign in, nothing is complete without enough different people of every kind.
    #[test]
    fn no_order_leads_round_the_signatures(order in proptest::collection::vec(0usize..5, 0..12)) {
        let people = [
            ("c/anna", Signers::Custodians),
            ("c/bert", Signers::Custodians),
            ("uni/s1", stewards("uni")),
            ("uni/s2", stewards("uni")),
            ("lab/s1", stewards("lab")),
        ];
        let mut record = Record::new(proposal(registry(), &[(Signers::Custodians, 2), (stewards("uni"), 2)]));
        for index in order {
            let (name, among) = &people[index];
            record = record.sign(yes(name, among.clone()), at(60)).unwrap_or(record);
            let mut names: Vec<_> = record.signatures.iter().map(|s| s.signer.to_string()).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(record.missing().is_empty(), names == ["c/anna", "c/bert", "uni/s1", "uni/s2"]);
        }
    }
}
