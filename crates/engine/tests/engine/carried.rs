//! Tokens that carry their links: no row is written or read, every conversion gives what the identifiers give, and whatever ends a
//! link ends this one too.

use sluis_crypto::token::{self, Token};
use sluis_crypto::{Pseudonym, SealedLink};
use sluis_domain::{GrantId, Kid, Reason};
use sluis_ledger::grant::{Kind, Terms};
use sluis_ledger::registry::LinkMode;
use sluis_port::store::{Family, Store, StoreError};
use sluis_port::{Clock, Commit};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

use crate::imported;
use crate::life::{self, DAY, OWNERS, UNI, line, refusals, retire, rows, sign_all};
use crate::office::{Office, REGISTER, STUDY, batch, caller, convert_terms, custodian, texts};
use crate::subjects;

/// A chain of each mode, beside those of the tests. Their ids are the names of their modes.
fn chains(modes: &[(&str, &str)]) -> String {
    modes.iter().fold(registry(), |text, (id, mode)| {
        text + &format!(
            r#"
[[chain]]
id = "{id}"
owner = "uni-research"
sources = ["hospital-north"]
recipients = ["registry-office"]
reidentify_to = ["hospital-north"]
[[chain.namespace]]
id = "nl.bsn"
link = "{mode}"
[[chain.element]]
name = "bsn"
treatment = "pseudonym"
namespace = "nl.bsn"
"#
        )
    })
}

const MODES: [(&str, &str); 5] = [
    ("escrow", "escrow"),
    ("carried", "carried"),
    ("cohort", "carried"),
    ("inbound", "inbound"),
    ("none", "none"),
];

fn office<S: Store + 'static>(store: S) -> Office<S> {
    let office = Office::open(store);
    people::apply(&office.engine, &chains(&MODES)).unwrap();
    office
}

fn asked<S: Store + 'static>(office: &Office<S>, from: &str, to: &str) -> Result<GrantId, Reason> {
    let end = office.clock.now().plus_millis(3 * 24 * 3_600_000);
    let terms = convert_terms(from, to, 10_000, end);
    let asked = office
        .engine
        .governance()
        .request_grant(&caller("registry-office/etl"), terms);
    asked
        .map(|view| view.record.grant.id.clone())
        .map_err(|refusal| refusal.reason())
}

/// A grant between two chains of the university.
fn granted<S: Store + 'static>(office: &Office<S>, from: &str, to: &str) -> GrantId {
    let id = asked(office, from, to).unwrap();
    UNI.iter()
        .for_each(|steward| drop(people::approve(&office.engine, steward, &id).unwrap()));
    id
}

fn active<S: Store + 'static>(office: &Office<S>, chain: &str) -> Kid {
    line(&office.engine, chain, "nl.bsn").last().unwrap().kid
}

fn parsed(text: &str) -> Token {
    Token::parse(text.as_bytes()).unwrap()
}

fn written(kid: Kid, pseudonym: &Pseudonym, link: &SealedLink) -> String {
    let mut text = Vec::new();
    token::write_carried_text(kid, pseudonym, link, &mut text);
    String::from_utf8(text).unwrap()
}

fn erase(office: &Office<ModelStore>, identifier: &str) {
    let asked = office.engine.life().request_erasure(
        &caller("hospital-north/etl"),
        &"nl.bsn".parse().unwrap(),
        identifier.as_bytes(),
    );
    sign_all(&office.engine, &OWNERS, &asked.unwrap());
}

fn cut<S: Store + 'static>(office: &Office<S>, kid: Kid) {
    let proposed = office.engine.life().propose_cut(&custodian(), kid).unwrap();
    sign_all(&office.engine, &UNI, &proposed);
}

#[test]
fn no_row_is_written_and_none_is_read() {
    let office = office(FaultyStore::new(ModelStore::new()));
    for family in [Family::Link, Family::Identity, Family::Import] {
        let error = StoreError::Io("read although nothing is there".into());
        office.store.fail_reads(family, error);
    }
    let bsns = subjects(3);
    let tokens = office.pseudonymise("carried", &bsns);
    assert!(tokens.iter().all(|it| it.len() == token::CARRIED_TEXT_LEN));
    assert_eq!(
        office.pseudonymise("carried", &bsns),
        tokens,
        "same in, same out"
    );
    let there = granted(&office, "carried", "cohort");
    let converted = office.converted(&there, &tokens).unwrap();
    assert_eq!(converted, office.pseudonymise("cohort", &bsns));
    for family in [Family::Link, Family::Identity, Family::Import] {
        let stored = office.store.inner().scan(family, &[], 1).unwrap();
        assert!(stored.is_empty(), "{family:?}");
    }
}

#[test]
fn every_conversion_gives_what_the_identifiers_give_or_is_refused() {
    let office = office(ModelStore::new());
    let bsns = subjects(3);
    let mode_of = |chain| {
        let (_, mode) = MODES.iter().find(|(id, _)| *id == chain).unwrap();
        LinkMode::ALL
            .into_iter()
            .find(|it| it.as_str() == *mode)
            .unwrap()
    };
    for (from, _) in MODES {
        let tokens = office.pseudonymise(from, &bsns);
        for (to, _) in MODES {
            let (leads, reaches) = (mode_of(from).leads_out(), mode_of(to).is_linked());
            if !leads || !reaches {
                assert_eq!(
                    asked(&office, from, to),
                    Err(Reason::NotLinked),
                    "{from} {to}"
                );
                continue;
            }
            let grant = granted(&office, from, to);
            let there = office.converted(&grant, &tokens).unwrap();
            assert_eq!(there, office.pseudonymise(to, &bsns), "{from} {to}");
            let carries = there.iter().all(|it| parsed(it).link.is_some());
            assert_eq!(carries, mode_of(to) == LinkMode::Carried, "{from} {to}");
            let stored = rows(&*office.store, Family::Link, active(&office, to));
            let expected = if mode_of(to) == LinkMode::Escrow {
                3
            } else {
                0
            };
            assert_eq!(stored, expected, "{from} {to}");
        }
    }
}

/// A conversion makes tokens that lead on, also where no identifier of the subject was ever submitted.
#[test]
fn what_was_converted_leads_on() {
    let office = office(ModelStore::new());
    let bsns = subjects(2);
    let mut tokens = office.pseudonymise("escrow", &bsns);
    for (from, to) in [
        ("escrow", "carried"),
        ("carried", "cohort"),
        ("cohort", "escrow"),
        ("escrow", "cohort"),
        ("cohort", "inbound"),
    ] {
        let grant = granted(&office, from, to);
        tokens = office.converted(&grant, &tokens).unwrap();
    }
    assert_eq!(tokens, office.pseudonymise("inbound", &bsns));
}

#[test]
fn promise_7_a_token_that_is_not_exactly_its_own_is_refused() {
    let office = office(ModelStore::new());
    let bsns = subjects(2);
    let tokens = office.pseudonymise("carried", &bsns);
    let grant = granted(&office, "carried", "escrow");
    let kid = active(&office, "carried");
    let [one, two] = [parsed(&tokens[0]), parsed(&tokens[1])];
    let [link, other] = [one.link.unwrap(), two.link.unwrap()];
    let mut plain = Vec::new();
    token::write_text(kid, &one.pseudonym, &mut plain);
    let flipped = |bytes: &[u8; 16]| {
        let mut bytes = *bytes;
        bytes[7] ^= 1;
        bytes
    };
    let changed = tokens[0].replace(
        &tokens[0][30..31],
        if &tokens[0][30..31] == "a" { "b" } else { "a" },
    );
    let elsewhere = office.pseudonymise("cohort", &bsns);
    let far = active(&office, "cohort");
    let (malformed, unknown) = (Reason::MalformedPseudonym, Reason::UnknownPseudonym);
    for (what, text, reason) in [
        ("changed", changed, malformed),
        ("shortened", tokens[0][..69].to_owned(), malformed),
        (
            "cut to the other form",
            tokens[0][..44].to_owned(),
            malformed,
        ),
        ("longer", format!("{}a", tokens[0]), malformed),
        (
            "without its link",
            String::from_utf8(plain).unwrap(),
            unknown,
        ),
        (
            "link of another subject",
            written(kid, &one.pseudonym, &other),
            unknown,
        ),
        (
            "pseudonym of another subject",
            written(kid, &two.pseudonym, &link),
            unknown,
        ),
        (
            "flipped link",
            written(
                kid,
                &one.pseudonym,
                &SealedLink::from_bytes(flipped(link.as_bytes())),
            ),
            unknown,
        ),
        (
            "flipped pseudonym",
            written(
                kid,
                &Pseudonym::from_bytes(flipped(one.pseudonym.as_bytes())),
                &link,
            ),
            unknown,
        ),
        (
            "made up",
            written(
                kid,
                &Pseudonym::from_bytes([7; 16]),
                &SealedLink::from_bytes([8; 16]),
            ),
            unknown,
        ),
        ("of another chain", elsewhere[0].clone(), unknown),
        (
            "kid of another chain",
            written(far, &one.pseudonym, &link),
            unknown,
        ),
        (
            "foreign body, right kid",
            {
                let there = parsed(&elsewhere[0]);
                written(kid, &there.pseudonym, &there.link.unwrap())
            },
            unknown,
        ),
        (
            "no such kid",
            written(Kid::new(1).unwrap(), &one.pseudonym, &link),
            unknown,
        ),
    ] {
        let batch = batch(None, &[tokens[1].clone(), text]);
        let outcome = office.convert(&grant, &batch).unwrap();
        let refused: Vec<_> = outcome
            .rejections
            .iter()
            .map(|r| (r.row, r.reason))
            .collect();
        assert_eq!(refused, [(1, reason)], "{what}");
        assert!(
            !texts(&outcome)[0].is_empty(),
            "{what}: the other row is answered"
        );
    }
    assert_eq!(
        rows(&*office.store, Family::Link, active(&office, "escrow")),
        1
    );
}

#[test]
fn old_versions_lead_out_until_they_are_disabled_or_destroyed() {
    let mut office = office(ModelStore::new());
    let bsns = subjects(2);
    let old = office.pseudonymise("carried", &bsns);
    let (there, own) = (
        granted(&office, "carried", "escrow"),
        granted(&office, "carried", "carried"),
    );
    let expected = office.pseudonymise("escrow", &bsns);
    people::rotate(&office.engine, &"carried".parse().unwrap(), None).unwrap();
    let new = office.pseudonymise("carried", &bsns);
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    assert_eq!(office.converted(&there, &old).unwrap(), expected);
    assert_eq!(office.converted(&there, &new).unwrap(), expected);
    assert_eq!(
        office.converted(&own, &old).unwrap(),
        new,
        "the newer token of each"
    );
    let kid = parsed(&old[0]).kid;
    people::disable(&office.engine, kid).unwrap();
    assert_eq!(
        refusals(&office, &there, &old),
        [Some(Reason::VersionDisabled); 2]
    );
    let proposed = office
        .engine
        .life()
        .propose_destroy(&custodian(), kid)
        .unwrap();
    sign_all(&office.engine, &UNI, &proposed);
    for _ in 0..2 {
        assert_eq!(
            refusals(&office, &there, &old),
            [Some(Reason::UnknownPseudonym); 2]
        );
        assert_eq!(office.converted(&there, &new).unwrap(), expected);
        office.reopen();
    }
}

#[test]
fn a_cut_ends_what_is_carried_and_pseudonyms_stay() {
    let mut office = office(ModelStore::new());
    let bsns = subjects(2);
    let old = office.pseudonymise("carried", &bsns);
    let (out, back) = (
        granted(&office, "carried", "escrow"),
        granted(&office, "escrow", "carried"),
    );
    let elsewhere = office.pseudonymise("escrow", &bsns);
    cut(&office, active(&office, "carried"));
    for _ in 0..2 {
        let after = office.pseudonymise("carried", &bsns);
        for (old, after) in old.iter().zip(&after) {
            let (old, after) = (parsed(old), parsed(after));
            assert_eq!((old.kid, old.pseudonym), (after.kid, after.pseudonym));
            assert_eq!(after.link, None);
        }
        assert_eq!(office.converted(&back, &elsewhere).unwrap(), after);
        let unknown = [Some(Reason::UnknownPseudonym); 2];
        assert_eq!(refusals(&office, &out, &old), unknown);
        assert_eq!(refusals(&office, &out, &after), unknown);
        office.reopen();
    }
    // A new version carries links again; what was cut stays so.
    people::rotate(&office.engine, &"carried".parse().unwrap(), None).unwrap();
    let new = office.pseudonymise("carried", &bsns);
    assert_eq!(office.converted(&out, &new).unwrap(), elsewhere);
    assert_eq!(
        refusals(&office, &out, &old),
        [Some(Reason::UnknownPseudonym); 2]
    );
}

#[test]
fn an_opt_out_refuses_at_once_and_for_ever_and_there_is_nothing_to_delete() {
    let mut office = office(ModelStore::new());
    let bsns = subjects(3);
    let (carried, escrowed) = (
        office.pseudonymise("carried", &bsns),
        office.pseudonymise("escrow", &bsns),
    );
    let (out, back, on) = (
        granted(&office, "carried", "escrow"),
        granted(&office, "escrow", "carried"),
        granted(&office, "carried", "inbound"),
    );
    erase(&office, &bsns[1]);
    let expected = [None, Some(Reason::UnknownPseudonym), None];
    for _ in 0..2 {
        for (grant, tokens) in [(&out, &carried), (&back, &escrowed), (&on, &carried)] {
            assert_eq!(refusals(&office, grant, tokens), expected);
        }
        let refused = life::submitted(&office, "carried", "bsn", &bsns);
        assert_eq!(refused, [None, Some(Reason::OptedOut), None]);
        let others = [bsns[0].clone(), bsns[2].clone()];
        let same = [carried[0].clone(), carried[2].clone()];
        assert_eq!(office.pseudonymise("carried", &others), same);
        office.reopen();
        office.clock.advance_hours(DAY);
        office.engine.life().housekeep().unwrap();
    }
    // Under a newer version, too.
    people::rotate(&office.engine, &"carried".parse().unwrap(), None).unwrap();
    assert_eq!(
        refusals(&office, &granted(&office, "carried", "carried"), &carried),
        expected
    );
}

/// A copy of the store from before an erasure, and the token, give S away. No key is needed to write a token from that.
#[test]
fn promise_3_a_token_made_of_an_erased_row_is_refused() {
    let office = office(ModelStore::new());
    let bsns = subjects(1);
    let tokens = office.pseudonymise("escrow", &bsns);
    let there = granted(&office, "escrow", "inbound");
    let (key, value) = office.store.scan(Family::Link, &[], 1).unwrap().remove(0);
    let kid = active(&office, "escrow");
    assert_eq!(key[..4], kid.to_be_bytes());
    let link = SealedLink::from_bytes(value[1..].try_into().unwrap());
    let made = vec![written(kid, &parsed(&tokens[0]).pseudonym, &link)];
    erase(&office, &bsns[0]);
    assert_eq!(
        refusals(&office, &there, &made),
        [Some(Reason::UnknownPseudonym)],
        "before the row is gone"
    );
    office.clock.advance_hours(DAY);
    office.engine.life().housekeep().unwrap();
    assert_eq!(rows(&*office.store, Family::Link, kid), 0);
    for tokens in [&tokens, &made] {
        assert_eq!(
            refusals(&office, &there, tokens),
            [Some(Reason::UnknownPseudonym)]
        );
    }
}

#[test]
fn another_mode_makes_another_version_and_old_tokens_keep_their_way_out() {
    let office = office(ModelStore::new());
    let bsns = subjects(2);
    let becomes = |mode: &str| {
        let modes = MODES.map(|(id, before)| (id, if id == "carried" { mode } else { before }));
        let lines = people::apply(&office.engine, &chains(&modes)).unwrap();
        assert_eq!(lines.new_key_lines, ["carried/nl.bsn"]);
    };
    let expected = office.pseudonymise("cohort", &bsns);
    let mut old: Vec<Vec<String>> = Vec::new();
    for mode in ["carried", "escrow", "carried"] {
        if !old.is_empty() {
            becomes(mode);
        }
        let tokens = office.pseudonymise("carried", &bsns);
        assert!(old.iter().flatten().all(|old| !tokens.contains(old)));
        old.push(tokens);
        let grant = granted(&office, "carried", "cohort");
        for tokens in &old {
            assert_eq!(office.converted(&grant, tokens).unwrap(), expected);
        }
    }
    let grant = granted(&office, "carried", "cohort");
    for mode in ["inbound", "none"] {
        becomes(mode);
        assert_eq!(asked(&office, "carried", "cohort"), Err(Reason::NotLinked));
        let refused = office.converted(&grant, &old[0]);
        assert!(refused.is_err(), "a grant that was live: {refused:?}");
    }
}

#[test]
fn promise_3_pseudonyms_of_an_unlinked_line_stay_unlinked_when_it_carries() {
    let office = office(ModelStore::new());
    let bsns = subjects(1);
    let alone = office.pseudonymise("none", &bsns);
    let kid = active(&office, "none");
    let modes = MODES.map(|(id, mode)| (id, if id == "none" { "carried" } else { mode }));
    people::apply(&office.engine, &chains(&modes)).unwrap();
    let grant = granted(&office, "none", "cohort");
    let linked = office.pseudonymise("none", &bsns);
    assert_eq!(
        office.converted(&grant, &linked).unwrap(),
        office.pseudonymise("cohort", &bsns)
    );
    let link = parsed(&linked[0]).link.unwrap();
    let forged = written(kid, &parsed(&alone[0]).pseudonym, &link);
    assert_eq!(
        refusals(&office, &grant, &[alone[0].clone(), forged]),
        [Some(Reason::UnknownPseudonym); 2]
    );
}

#[test]
fn old_pseudonyms_move_in_and_out_again() {
    let office = Office::open(ModelStore::new());
    let text = registry()
        .replacen("reversible = true", "reversible = false", 1)
        .replacen("link = \"escrow\"", "link = \"carried\"", 1);
    people::apply(&office.engine, &text).unwrap();
    let bsns = subjects(2);
    let outcome = imported::imported(&office, &bsns, &["P-1", "P-2"]);
    let tokens = texts(&outcome);
    assert!(tokens.iter().all(|it| parsed(it).link.is_some()));
    assert!(office.store.scan(Family::Link, &[], 1).unwrap().is_empty());
    let there = office.pseudonymise(REGISTER, &bsns);
    assert_eq!(
        texts(&imported::converted(&office, &["P-2", "P-1"])),
        [there[1].clone(), there[0].clone()]
    );
    let conflict = imported::imported(&office, &bsns[..1], &["P-2"]);
    assert_eq!(conflict.rejections[0].reason, Reason::ImportConflict);
    erase(&office, &bsns[0]);
    let gone = [(0, "bsn".to_owned(), Reason::UnknownPseudonym)];
    for left in [2, 1] {
        let kid = active(&office, STUDY);
        assert_eq!(rows(&*office.store, Family::Import, kid), left);
        assert_eq!(
            imported::rejected(&imported::converted(&office, &["P-1", "P-2"])),
            gone,
            "before its row is deleted, too"
        );
        office.clock.advance_hours(DAY);
        office.engine.life().housekeep().unwrap();
    }
}

#[test]
fn nothing_is_re_identified_from_a_token_that_carries_its_link() {
    let office = Office::open(ModelStore::new());
    let irreversible = registry().replacen("reversible = true", "reversible = false", 1);
    let carried = irreversible.replacen("link = \"escrow\"", "link = \"carried\"", 1);
    people::apply(&office.engine, &carried).unwrap();
    let bsns = subjects(2);
    let tokens = office.pseudonymise(STUDY, &bsns);
    let doctor = caller("hospital-north/doctor");
    let ask = || {
        let governance = office.engine.governance();
        governance.request_grant(&doctor, office.reidentify_terms_of(3))
    };
    assert_eq!(ask().unwrap_err().reason(), Reason::NotReversible);
    // Reversible again: of those who were submitted before there is still no identity.
    people::apply(&office.engine, &registry()).unwrap();
    let grant = ask().unwrap().record.grant.id.clone();
    UNI.iter()
        .for_each(|steward| drop(people::approve(&office.engine, steward, &grant).unwrap()));
    erase(&office, &bsns[1]);
    let kid = parsed(&tokens[0]).kid;
    let forged = written(
        kid,
        &Pseudonym::from_bytes([1; 16]),
        &SealedLink::from_bytes([2; 16]),
    );
    let batch = batch(None, &[&tokens[..], &[forged]].concat());
    let batches = office.engine.batches();
    let session = batches.open_reidentify(&doctor, &grant).unwrap();
    let turn = sluis_engine::Turns::default().give();
    let outcome = crate::office::wait(batches.reidentify(&session, turn, &batch).unwrap()).unwrap();
    let reasons: Vec<_> = outcome.rejections.iter().map(|r| r.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::NoStoredIdentity,
            Reason::UnknownPseudonym,
            Reason::UnknownPseudonym
        ]
    );
}

#[test]
fn a_disabled_version_carries_nothing_further_and_stray_rows_are_not_read() {
    let office = office(ModelStore::new());
    let bsns = subjects(1);
    let tokens = office.pseudonymise("carried", &bsns);
    let grant = granted(&office, "carried", "cohort");
    retire(&office, "carried");
    assert_eq!(
        refusals(&office, &grant, &tokens),
        [Some(Reason::VersionDisabled)]
    );
    // Rows that were put there by hand are not looked at.
    let new = office.pseudonymise("carried", &bsns);
    let mut commit = Commit::default();
    let key = [&active(&office, "carried").to_be_bytes()[..], &[7; 16]].concat();
    commit.put(Family::Link, key, [&[1][..], &[9; 16]].concat());
    office.store.commit(commit).unwrap();
    assert_eq!(
        office.converted(&grant, &new).unwrap(),
        office.pseudonymise("cohort", &bsns)
    );
}

/// The terms of the tests, for more values.
impl<S: Store + 'static> Office<S> {
    fn reidentify_terms_of(&self, max_values: u64) -> Terms {
        let terms = self.reidentify_terms();
        assert!(matches!(terms.kind, Kind::Reidentify { .. }));
        Terms {
            max_values,
            ..terms
        }
    }
}
