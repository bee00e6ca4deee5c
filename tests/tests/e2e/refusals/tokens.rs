//! Tokens and ciphertexts that are mistyped, forged, foreign or of no more use: never the wrong person.

use sluis_client::Client;
use sluis_crypto::{Pseudonym, token};
use sluis_domain::Kid;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::custody;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{
    World, batch, convert, convert_terms, pseudonymise, reidentify, reidentify_terms, rejections,
    values,
};
use sluis_wire::v1;

use super::{
    BSNS, CUSTODIAN, NATIONAL, OTHER_STEWARD, RECIPIENT, SOURCE, STEWARDS, STUDY, live_convert,
    live_reidentify,
};
use super::{texts, tokens};

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A world with both kinds of grant.
struct Ways {
    world: World,
    recipient: Client,
    source: Client,
    convert: String,
    reidentify: String,
}

impl Ways {
    async fn open() -> Self {
        let world = World::start().await;
        let (recipient, source) = (world.client(RECIPIENT).await, world.client(SOURCE).await);
        let convert = live_convert(&world, 1_000_000).await;
        let reidentify = live_reidentify(&world, 1_000_000).await;
        Self {
            world,
            recipient,
            source,
            convert,
            reidentify,
        }
    }

    /// What conversion and re-identification make of tokens: values and rejections of each.
    async fn both(&self, tokens: &[&str]) -> [v1::BatchResult; 2] {
        let column = batch(&[("bsn", tokens)]);
        [
            convert(&self.recipient, &self.convert, column.clone())
                .await
                .expect("a live grant"),
            reidentify(&self.source, &self.reidentify, column)
                .await
                .expect("a live grant"),
        ]
    }

    /// Every one of these tokens, and nothing else, is refused for `reason`, both ways.
    async fn all_refused(&self, tokens: &[String], reason: &str) {
        for result in self.both(&texts(tokens)).await {
            let expected: Vec<_> = (0..tokens.len() as u32)
                .map(|row| (row, "bsn".to_owned(), reason.to_owned()))
                .collect();
            assert_eq!(rejections(&result), expected);
            assert!(
                values(&result, "bsn").iter().all(String::is_empty),
                "nothing came back"
            );
        }
    }
}

/// `text` with every character in turn replaced by every one of `alphabet` that is another, case aside if so wished.
fn changed(text: &str, alphabet: &[u8], ignore_case: bool) -> Vec<String> {
    let mut all = Vec::new();
    for (at, own) in text.bytes().enumerate() {
        let same = |other: &u8| {
            if ignore_case {
                other.eq_ignore_ascii_case(&own)
            } else {
                *other == own
            }
        };
        for other in alphabet.iter().filter(|other| !same(other)) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = *other;
            all.push(String::from_utf8(bytes).expect("ASCII"));
        }
    }
    all
}

fn write(kid: Kid, pseudonym: [u8; 16]) -> String {
    let mut text = Vec::new();
    token::write_text(kid, &Pseudonym::from_bytes(pseudonym), &mut text);
    String::from_utf8(text).expect("ASCII")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_a_token_with_one_character_changed_is_malformed_at_every_position() {
    let ways = Ways::open().await;
    let token = tokens(&ways.world, STUDY, &BSNS[..1]).await.remove(0);
    let wrong = changed(&token, BASE32, true);
    assert!(wrong.len() > 44 * 30);
    ways.all_refused(&wrong, "MALFORMED_PSEUDONYM").await;
    // The case of a letter is no change.
    for result in ways.both(&[&token.to_uppercase()]).await {
        assert!(rejections(&result).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_what_is_not_a_token_is_malformed() {
    let ways = Ways::open().await;
    let token = tokens(&ways.world, STUDY, &BSNS[..1]).await.remove(0);
    let mut swapped = token.clone().into_bytes();
    let at = (4..43)
        .find(|at| swapped[*at] != swapped[*at + 1])
        .expect("not all the same");
    swapped.swap(at, at + 1);
    let wrong = [
        &token[..43],
        &format!("{token}a"),
        &format!(" {token}"),
        &token[4..],
        "psn1",
        BSNS[0],
        "\u{e9}",
        &"a".repeat(10_000),
        &String::from_utf8(swapped).expect("ASCII"),
    ]
    .map(str::to_owned);
    ways.all_refused(&wrong, "MALFORMED_PSEUDONYM").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_forged_foreign_and_wrong_element_tokens_are_one_and_the_same_answer() {
    let ways = Ways::open().await;
    let token = tokens(&ways.world, STUDY, &BSNS[..1]).await.remove(0);
    let (kid, pseudonym) = token::parse_text(token.as_bytes()).expect("a token");
    let email = pseudonymise(
        &ways.source,
        STUDY,
        super::bytes("email", vec![vec![7; 32]]),
    )
    .await
    .expect("a source");
    let other_kid = Kid::new(kid.get() ^ 1)
        .or_else(|| Kid::new(2))
        .expect("not zero");
    let mut wrong = vec![
        tokens(&ways.world, NATIONAL, &BSNS[..1]).await.remove(0),
        values(&email, "email").remove(0),
        write(kid, [0; 16]),
        write(kid, *b"a pseudonym of 0"),
        write(other_kid, *pseudonym.as_bytes()),
    ];
    // One bit of a real pseudonym changed, the check sum made to fit.
    for bit in 0..128 {
        let mut forged = *pseudonym.as_bytes();
        forged[bit / 8] ^= 1 << (bit % 8);
        wrong.push(write(kid, forged));
    }
    ways.all_refused(&wrong, "UNKNOWN_PSEUDONYM").await;
    // And the real one between them still leads to the right person.
    wrong.insert(2, token);
    let [converted, identified] = ways.both(&texts(&wrong)).await;
    let right = tokens(&ways.world, NATIONAL, &BSNS[..1]).await;
    assert_eq!(
        (
            &values(&converted, "bsn")[2],
            values(&identified, "bsn")[2].as_str()
        ),
        (&right[0], BSNS[0])
    );
    assert_eq!(rejections(&converted).len(), wrong.len() - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_ciphertexts_changed_or_of_another_element_or_chain_are_refused() {
    // Two encrypted elements in the study, and one of the same name in the other chain.
    let text = registry()
        .replacen(
            "name = \"diagnosis\"\ntreatment = \"keep\"",
            "name = \"diagnosis\"\ntreatment = \"encrypt\"",
            1,
        )
        .replacen(
            "name = \"name\"\ntreatment = \"drop\"",
            "name = \"name\"\ntreatment = \"encrypt\"",
            1,
        );
    let world = World::start_with(&text).await;
    let grant = live_reidentify(&world, 1_000_000).await;
    let source = world.client(SOURCE).await;
    let encrypted = |chain, element| {
        let (source, column) = (source.clone(), batch(&[(element, &["Ada"])]));
        async move {
            values(
                &pseudonymise(&source, chain, column)
                    .await
                    .expect("a source"),
                element,
            )
            .remove(0)
        }
    };
    let own = encrypted(STUDY, "name").await;
    let foreign = [
        encrypted(STUDY, "diagnosis").await,
        encrypted(NATIONAL, "name").await,
    ];
    let changed = changed(&own, BASE64, false);
    let malformed = [
        "enc1",
        "Ada",
        &own[4..],
        &own[..20],
        &format!("{own}="),
        &own.to_uppercase(),
    ]
    .map(str::to_owned);
    let read = |column: Vec<String>| {
        let (source, grant) = (source.clone(), grant.clone());
        async move {
            reidentify(&source, &grant, batch(&[("name", &texts(&column))]))
                .await
                .expect("a live grant")
        }
    };
    let reasons = |result: &v1::BatchResult| {
        rejections(result)
            .into_iter()
            .map(|(_, _, reason)| reason)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        reasons(&read(foreign.to_vec()).await),
        ["UNKNOWN_CIPHERTEXT"; 2]
    );
    assert_eq!(
        reasons(&read(malformed.to_vec()).await),
        ["MALFORMED_CIPHERTEXT"; 6]
    );
    let count = changed.len();
    let result = read(changed).await;
    let reasons = reasons(&result);
    assert_eq!(reasons.len(), count, "every change is noticed");
    assert!(reasons.iter().all(|reason| ["UNKNOWN_CIPHERTEXT", "MALFORMED_CIPHERTEXT"].contains(&reason.as_str())));
    assert!(values(&result, "name").iter().all(String::is_empty));
    let between = read(vec![foreign[0].clone(), own, malformed[0].clone()]).await;
    assert_eq!(
        values(&between, "name"),
        ["", "Ada", ""],
        "a bad row never takes the rest along"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_bad_tokens_are_refused_by_row_and_the_rest_is_answered() {
    let ways = Ways::open().await;
    let good = tokens(&ways.world, STUDY, &BSNS[..2]).await;
    let foreign = tokens(&ways.world, NATIONAL, &BSNS[..1]).await;
    let column = [&good[0], "", "nonsense", &good[1], &foreign[0], &good[0]];
    let expected = [(2, "MALFORMED_PSEUDONYM"), (4, "UNKNOWN_PSEUDONYM")]
        .map(|(row, reason)| (row, "bsn".to_owned(), reason.to_owned()));
    let [converted, identified] = ways.both(&column).await;
    assert_eq!(
        (rejections(&converted), rejections(&identified)),
        (expected.to_vec(), expected.to_vec())
    );
    let right = tokens(&ways.world, NATIONAL, &BSNS[..2]).await;
    assert_eq!(
        values(&converted, "bsn"),
        [&right[0], "", "", &right[1], "", &right[0]]
    );
    assert_eq!(
        values(&identified, "bsn"),
        [BSNS[0], "", "", BSNS[1], "", BSNS[0]]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_converted_token_has_no_identity_to_return() {
    let world = World::start().await;
    // The study's line keeps identities, but only of those who were submitted to the study.
    let national = tokens(&world, NATIONAL, &BSNS[..2]).await;
    tokens(&world, STUDY, &BSNS[..1]).await;
    let terms = convert_terms(&world, (NATIONAL, "bsn"), (STUDY, "bsn"), 10);
    let grant = world
        .grant(RECIPIENT, terms, &[STEWARDS[0], OTHER_STEWARD])
        .await;
    let column = batch(&[("bsn", &texts(&national))]);
    let study = values(
        &convert(&world.client(RECIPIENT).await, &grant, column)
            .await
            .expect("live"),
        "bsn",
    );
    let grant = live_reidentify(&world, 10).await;
    let column = batch(&[("bsn", &texts(&study))]);
    let result = reidentify(&world.client(SOURCE).await, &grant, column)
        .await
        .expect("live");
    assert_eq!(values(&result, "bsn"), [BSNS[0], ""]);
    assert_eq!(
        rejections(&result),
        [(1, "bsn".to_owned(), "NO_IDENTITY".to_owned())]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_rotated_version_lead_out_and_those_of_a_disabled_one_do_not() {
    let ways = Ways::open().await;
    let old = tokens(&ways.world, STUDY, &BSNS[..1]).await;
    let kid = token::parse_text(old[0].as_bytes()).expect("a token").0;
    let custodian = ways.world.client(CUSTODIAN).await;
    custody::rotate_chain(&custodian, STUDY, "nl.bsn")
        .await
        .expect("a custodian");
    for result in ways.both(&texts(&old)).await {
        assert!(rejections(&result).is_empty(), "convert-only leads out");
    }
    custody::disable_version(&custodian, &kid.to_string())
        .await
        .expect("a custodian");
    ways.all_refused(&old, "KEY_VERSION_DISABLED").await;
    // Also a forged one says no more than that its version is disabled.
    ways.all_refused(&[write(kid, [7; 16])], "KEY_VERSION_DISABLED")
        .await;
    let new = tokens(&ways.world, STUDY, &BSNS[..1]).await;
    assert_ne!(new, old);
    for result in ways.both(&texts(&new)).await {
        assert!(rejections(&result).is_empty(), "the new version is in use");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ciphertexts_of_a_disabled_version_are_refused() {
    let world = World::start().await;
    let source = world.client(SOURCE).await;
    let column = batch(&[("name", &["Ada"])]);
    let old = values(
        &pseudonymise(&source, STUDY, column)
            .await
            .expect("a source"),
        "name",
    );
    let custodian = world.client(CUSTODIAN).await;
    let line = |versions: Vec<v1::KeyVersion>| {
        let own = versions
            .into_iter()
            .find(|v| v.chain_id == STUDY && v.namespace_id.is_empty());
        own.expect("an element line").kid
    };
    let status = custodian
        .custody()
        .get_status(v1::GetStatusRequest {})
        .await
        .expect("a custodian")
        .into_inner();
    let kid = line(status.key_versions);
    custody::rotate_chain(&custodian, STUDY, "")
        .await
        .expect("a custodian");
    let grant = world
        .grant(
            SOURCE,
            reidentify_terms(&world, STUDY, &["name"], 10),
            &STEWARDS,
        )
        .await;
    let read = || reidentify(&source, &grant, batch(&[("name", &[old[0].as_str()])]));
    assert_eq!(values(&read().await.expect("live"), "name"), ["Ada"]);
    custody::disable_version(&custodian, &kid)
        .await
        .expect("a custodian");
    let refused = read().await.expect("live");
    assert_eq!(
        rejections(&refused),
        [(0, "name".to_owned(), "KEY_VERSION_DISABLED".to_owned())]
    );
}
