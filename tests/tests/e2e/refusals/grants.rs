//! Grants that are not there, not live, or not the caller's.

use sluis_client::ClientError;
use sluis_port::Clock;
use sluis_testkit::people::key_table;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{
    self, World, batch, convert, convert_terms, reidentify, reidentify_terms,
};
use sluis_wire::v1;

use super::{
    BSNS, CUSTODIAN, NATIONAL, OTHER_STEWARD, OWNER, RECIPIENT, SOURCE, STEWARDS, STUDY,
    convert_as, grant,
};
use super::{live_convert, live_reidentify, outcome, packed, texts, tokens};

const HOUR: u64 = 3_600_000;

/// What both kinds of use say to a grant: of `RECIPIENT` to convert, of `SOURCE` to re-identify.
async fn both(world: &World, convert_grant: &str, reidentify_grant: &str) -> [String; 2] {
    let tokens = tokens(world, STUDY, &BSNS[..1]).await;
    let column = batch(&[("bsn", &texts(&tokens))]);
    [
        outcome(
            convert(
                &world.client(RECIPIENT).await,
                convert_grant,
                column.clone(),
            )
            .await,
        ),
        outcome(reidentify(&world.client(SOURCE).await, reidentify_grant, column).await),
    ]
}

async fn requested(
    world: &World,
    change: impl Fn(&mut v1::GrantTerms),
    approvals: usize,
) -> [String; 2] {
    let mut to_convert = convert_terms(world, (STUDY, "bsn"), (NATIONAL, "bsn"), 10);
    let mut to_reidentify = reidentify_terms(world, STUDY, &["bsn"], 10);
    change(&mut to_convert);
    change(&mut to_reidentify);
    [
        world
            .grant(
                RECIPIENT,
                to_convert,
                &[STEWARDS[0], OTHER_STEWARD][..approvals],
            )
            .await,
        world
            .grant(SOURCE, to_reidentify, &STEWARDS[..approvals])
            .await,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_3_without_a_live_grant_nothing_is_converted_or_re_identified() {
    let world = World::start().await;
    let deny = |id: String| {
        let (world, steward) = (&world, STEWARDS[0]);
        async move {
            world::deny(
                &world.client(steward).await,
                &grant(world, steward, &id).await,
            )
            .await
            .expect("a steward")
        }
    };
    let revoke = |id: String| {
        let (world, steward) = (&world, STEWARDS[0]);
        async move {
            world::revoke(
                &world.client(steward).await,
                &grant(world, steward, &id).await,
            )
            .await
            .expect("a steward")
        }
    };
    let missing = [
        "g-00000000000000000000".to_owned(),
        "g-00000000000000000000".to_owned(),
    ];
    let none = requested(&world, |_| (), 0).await;
    let half = requested(&world, |_| (), 1).await;
    let denied = requested(&world, |_| (), 1).await;
    let revoked = requested(&world, |_| (), 2).await;
    let later = world.clock.now().plus_millis(HOUR).to_string();
    let not_started = requested(&world, |terms| terms.not_before.clone_from(&later), 2).await;
    let live = requested(&world, |_| (), 2).await;
    for id in &denied {
        deny(id.clone()).await;
    }
    for id in &revoked {
        revoke(id.clone()).await;
    }
    for (what, grants, expected) in [
        ("missing", &missing, "UNKNOWN_GRANT"),
        ("unapproved", &none, "GRANT_NOT_APPROVED"),
        ("half approved", &half, "GRANT_NOT_APPROVED"),
        ("denied", &denied, "GRANT_DENIED"),
        ("revoked", &revoked, "GRANT_REVOKED"),
        ("not started", &not_started, "GRANT_NOT_STARTED"),
        (
            "malformed",
            &["".to_owned(), "No Id".to_owned()],
            "INVALID_REQUEST",
        ),
        ("live", &live, "allowed"),
    ] {
        assert_eq!(
            both(&world, &grants[0], &grants[1]).await,
            [expected; 2],
            "{what}"
        );
    }
    world.clock.advance_millis(HOUR);
    assert_eq!(
        both(&world, &not_started[0], &not_started[1]).await,
        ["allowed"; 2],
        "started"
    );
    world.clock.advance_hours(23);
    for (what, grants) in [("expired", &live), ("expired while unapproved", &none)] {
        assert_eq!(
            both(&world, &grants[0], &grants[1]).await,
            ["GRANT_EXPIRED"; 2],
            "{what}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_of_the_other_kind_is_of_no_use() {
    let world = World::start().await;
    // Grantee of both kinds must be one party: the recipient may also be granted re-identification here.
    let text = registry().replace(
        "reidentify_to = [\"hospital-north\", \"gp-south\"]",
        "reidentify_to = [\"hospital-north\", \"gp-south\", \"registry-office\"]",
    );
    world.apply(&text).await.expect("valid");
    let to_convert = live_convert(&world, 10).await;
    let to_reidentify = world
        .grant(
            RECIPIENT,
            reidentify_terms(&world, STUDY, &["bsn"], 10),
            &STEWARDS,
        )
        .await;
    let client = world.client(RECIPIENT).await;
    let tokens = tokens(&world, STUDY, &BSNS[..1]).await;
    let column = batch(&[("bsn", &texts(&tokens))]);
    assert_eq!(
        outcome(convert(&client, &to_reidentify, column.clone()).await),
        "GRANT_KIND"
    );
    assert_eq!(
        outcome(reidentify(&client, &to_convert, column.clone()).await),
        "GRANT_KIND"
    );
    assert_eq!(
        outcome(client.convert(&to_reidentify.parse().expect("an id")).await),
        "GRANT_KIND"
    );
    assert_eq!(
        outcome(convert(&client, &to_convert, column.clone()).await),
        "allowed"
    );
    assert_eq!(
        outcome(reidentify(&client, &to_reidentify, column).await),
        "allowed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_grant_is_refused_and_a_source_cannot_convert() {
    let world = World::start().await;
    let grant = live_convert(&world, 10).await;
    let tokens = tokens(&world, STUDY, &BSNS[..1]).await;
    for (member, expected) in [
        (SOURCE, "UNKNOWN_GRANT"),
        ("gp-south/etl", "UNKNOWN_GRANT"),
        ("outsider/etl", "UNKNOWN_GRANT"),
        (CUSTODIAN, "CUSTODIAN_MAY_NOT"),
        (OWNER, "NOT_THE_GRANTEE"),
        (STEWARDS[0], "NOT_THE_GRANTEE"),
        ("nobody/etl", "UNKNOWN_ORGANISATION"),
        ("registry-office/ghost", "NOT_A_MEMBER"),
        (RECIPIENT, "allowed"),
    ] {
        assert_eq!(
            outcome(convert_as(&world, member, &grant, &texts(&tokens)).await),
            expected,
            "{member}"
        );
    }
    let terms = convert_terms(&world, (STUDY, "bsn"), (NATIONAL, "bsn"), 10);
    let request = v1::RequestGrantRequest { terms: Some(terms) };
    let refused = world
        .client(SOURCE)
        .await
        .grants()
        .request_grant(request)
        .await;
    assert_eq!(
        outcome(refused),
        "NOT_ELIGIBLE",
        "a source cannot even ask for it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_nobody_here_does_not_learn_whether_a_grant_exists() {
    let world = World::start().await;
    let grant = live_convert(&world, 10).await;
    for id in [grant.as_str(), "g-00000000000000000000"] {
        for (member, expected) in [
            ("nobody/etl", "UNKNOWN_ORGANISATION"),
            ("outsider/ghost", "NOT_A_MEMBER"),
        ] {
            let client = world.client(member).await;
            assert_eq!(
                outcome(convert(&client, id, batch(&[("bsn", &[""])])).await),
                expected,
                "{member} {id}"
            );
            assert_eq!(
                outcome(reidentify(&client, id, batch(&[("bsn", &[""])])).await),
                expected,
                "{member} {id}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_are_not_the_grants_are_refused() {
    let world = World::start().await;
    let grant = live_convert(&world, 10).await;
    let client = world.client(RECIPIENT).await;
    for column in [
        batch(&[("name", &["x"])]),
        batch(&[("bsn", &["x"]), ("name", &["x"])]),
    ] {
        assert_eq!(
            outcome(convert(&client, &grant, column).await),
            "WRONG_ELEMENT"
        );
    }
    let grant = world
        .grant(
            SOURCE,
            reidentify_terms(&world, STUDY, &["bsn"], 10),
            &STEWARDS,
        )
        .await;
    let client = world.client(SOURCE).await;
    for element in ["name", "diagnosis", "email", "no-such"] {
        let column = batch(&[("bsn", &[""]), (element, &["x"])]);
        assert_eq!(
            outcome(reidentify(&client, &grant, column).await),
            "WRONG_ELEMENT",
            "{element}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_revoked_in_mid_stream_stops_the_next_batch() {
    let world = World::start().await;
    let id = live_convert(&world, 10).await;
    let tokens = tokens(&world, STUDY, &BSNS[..1]).await;
    let mut stream = world
        .client(RECIPIENT)
        .await
        .convert(&id.parse().expect("an id"))
        .await
        .expect("live");
    stream
        .send(packed("bsn", &texts(&tokens)))
        .await
        .expect("sent");
    stream.next().await.expect("live").expect("a result");
    let steward = world.client(OTHER_STEWARD).await;
    world::revoke(&steward, &grant(&world, OTHER_STEWARD, &id).await)
        .await
        .expect("a steward");
    stream
        .send(packed("bsn", &texts(&tokens)))
        .await
        .expect("sent");
    assert_eq!(outcome(stream.next().await), "GRANT_REVOKED");
    assert_eq!(
        outcome(stream.send(packed("bsn", &texts(&tokens))).await),
        ClientError::Closed.to_string()
    );
    assert_eq!(
        grant(&world, RECIPIENT, &id).await.used_values,
        1,
        "the refused batch does not count"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_expires_in_mid_stream_stops_the_next_batch() {
    let world = World::start().await;
    let id = live_reidentify(&world, 10).await;
    let tokens = tokens(&world, STUDY, &BSNS[..1]).await;
    let mut stream = world
        .client(SOURCE)
        .await
        .reidentify(&id.parse().expect("an id"))
        .await
        .expect("live");
    stream
        .send(packed("bsn", &texts(&tokens)))
        .await
        .expect("sent");
    stream.next().await.expect("live").expect("a result");
    world.clock.advance_hours(24);
    stream
        .send(packed("bsn", &texts(&tokens)))
        .await
        .expect("sent");
    assert_eq!(outcome(stream.next().await), "GRANT_EXPIRED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standing_is_looked_at_again_at_each_use() {
    let world = World::start().await;
    let id = live_convert(&world, 10).await;
    let reid = live_reidentify(&world, 10).await;
    let tokens = tokens(&world, STUDY, &BSNS[..1]).await;
    let [to_convert, to_reidentify] = both(&world, &id, &reid).await;
    assert_eq!(
        (to_convert.as_str(), to_reidentify.as_str()),
        ("allowed", "allowed")
    );
    let cases = [
        (
            "recipients = [\"uni-research\", \"registry-office\"]",
            "recipients = [\"uni-research\"]",
            "GRANT_STALE",
            "allowed",
        ),
        (
            "reidentify_to = [\"hospital-north\", \"gp-south\"]",
            "reidentify_to = [\"gp-south\"]",
            "allowed",
            "GRANT_STALE",
        ),
        (
            "link = \"escrow\"\nreversible = true",
            "link = \"escrow\"",
            "allowed",
            "GRANT_STALE",
        ),
        (
            "link = \"escrow\"\nreversible = true",
            "link = \"inbound\"",
            "GRANT_STALE",
            "GRANT_STALE",
        ),
        (
            "reidentify_approvals = 2",
            "reidentify_approvals = 2 # as before",
            "allowed",
            "allowed",
        ),
    ];
    for (from, to, converted, reidentified) in cases {
        let text = registry();
        assert!(text.contains(from), "{from}");
        // What the last case ended stays so.
        let id = live_convert(&world, 10).await;
        let reid = live_reidentify(&world, 10).await;
        world
            .apply(&text.replacen(from, to, 1))
            .await
            .expect("valid");
        let column = batch(&[("bsn", &texts(&tokens))]);
        let said = [
            outcome(convert(&world.client(RECIPIENT).await, &id, column.clone()).await),
            outcome(reidentify(&world.client(SOURCE).await, &reid, column).await),
        ];
        assert_eq!(said, [converted, reidentified], "{to}");
        world.apply(&registry()).await.expect("valid");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_whose_approvals_would_no_longer_do_is_stale() {
    let world = World::start().await;
    let grant = live_reidentify(&world, 10).await;
    let column = || batch(&[("bsn", &[""])]);
    let client = world.client(SOURCE).await;
    let more = registry()
        .replace(
            "stewards = [\"steward-1\", \"steward-2\"]",
            "stewards = [\"steward-1\", \"steward-2\", \"etl\"]",
        )
        .replace("reidentify_approvals = 2", "reidentify_approvals = 3")
        + &key_table(OWNER);
    world.apply(&more).await.expect("valid");
    assert_eq!(
        outcome(reidentify(&client, &grant, column()).await),
        "GRANT_STALE"
    );
    world.apply(&registry()).await.expect("valid");
    assert_eq!(
        outcome(reidentify(&client, &grant, column()).await),
        "GRANT_STALE",
        "it does not come back with the registry"
    );
    let grant = live_reidentify(&world, 10).await;
    assert_eq!(
        outcome(reidentify(&client, &grant, column()).await),
        "allowed"
    );
    // Whoever becomes the owner of the chain has approved nothing.
    let given = registry().replace(
        "owner = \"uni-research\"\nsources = [\"hospital-north\", \"gp-south\"]",
        "owner = \"registry-office\"\nsources = [\"hospital-north\", \"gp-south\"]",
    );
    assert_ne!(given, registry());
    world.apply(&given).await.expect("valid");
    assert_eq!(
        outcome(reidentify(&client, &grant, column()).await),
        "GRANT_STALE"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_that_cannot_be_granted_are_refused_when_asked_for() {
    let world = World::start().await;
    let good = || convert_terms(&world, (STUDY, "bsn"), (NATIONAL, "bsn"), 10);
    let with = |change: fn(&mut v1::GrantTerms)| {
        let mut terms = good();
        change(&mut terms);
        Some(terms)
    };
    let to = |from, to| Some(convert_terms(&world, from, to, 10));
    let past = Some(v1::GrantTerms {
        not_after: world.clock.now().to_string(),
        ..good()
    });
    for (what, terms, expected) in [
        ("no terms", None, "INVALID_REQUEST"),
        ("no kind", with(|t| t.kind = None), "INVALID_REQUEST"),
        ("no purpose", with(|t| t.purpose.clear()), "INVALID_REQUEST"),
        (
            "long purpose",
            with(|t| t.purpose = "x".repeat(1001)),
            "INVALID_REQUEST",
        ),
        (
            "no legal basis",
            with(|t| t.legal_basis.clear()),
            "INVALID_REQUEST",
        ),
        ("no values", with(|t| t.max_values = 0), "INVALID_REQUEST"),
        ("no end", with(|t| t.not_after.clear()), "INVALID_REQUEST"),
        (
            "an end that is no time",
            with(|t| t.not_after = "soon".into()),
            "INVALID_REQUEST",
        ),
        (
            "an end over ten years off",
            with(|t| t.not_after = "2099-01-01T00:00:00Z".into()),
            "INVALID_REQUEST",
        ),
        ("an end that has passed", past, "INVALID_REQUEST"),
        (
            "an unknown chain",
            to(("no-such", "bsn"), (NATIONAL, "bsn")),
            "UNKNOWN_CHAIN",
        ),
        (
            "to an unknown chain",
            to((STUDY, "bsn"), ("no-such", "bsn")),
            "UNKNOWN_CHAIN",
        ),
        (
            "an unknown element",
            to((STUDY, "income"), (NATIONAL, "bsn")),
            "UNKNOWN_ELEMENT",
        ),
        ("good", Some(good()), "allowed"),
    ] {
        let request = v1::RequestGrantRequest { terms };
        let said = world
            .client(RECIPIENT)
            .await
            .grants()
            .request_grant(request)
            .await;
        assert_eq!(outcome(said), expected, "{what}");
    }
}

/// `national-registry` does not concern the organisation of the owner. Every way in which a chain of others does not fit is
/// one answer, the same as for a chain that does not exist.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_a_request_tells_nothing_of_chains_of_others() {
    let world = World::start().await;
    let national = "id = \"national-registry\"";
    let after = |text: &str, from: &str, to: &str| {
        let (before, chain) = text.split_once(national).expect("a chain");
        assert!(chain.contains(from), "{from}");
        format!("{before}{national}{}", chain.replacen(from, to, 1))
    };
    let escrow = registry();
    let unlinked = after(&escrow, "link = \"escrow\"", "link = \"none\"");
    let inbound = after(&escrow, "link = \"escrow\"", "link = \"inbound\"");
    let reversible = after(
        &escrow,
        "link = \"escrow\"",
        "link = \"escrow\"\nreversible = true",
    );
    let mut answers = Vec::new();
    for text in [&escrow, &unlinked, &inbound, &reversible] {
        world.apply(text).await.expect("valid");
        for element in ["diagnosis", "income"] {
            for chain in [NATIONAL, "no-such"] {
                let convert = convert_terms(&world, (STUDY, "bsn"), (chain, element), 10);
                answers.push(answer_to(&world, OWNER, convert).await);
                let out = convert_terms(&world, (chain, element), (STUDY, "bsn"), 10);
                answers.push(answer_to(&world, OWNER, out).await);
                let back = reidentify_terms(&world, chain, &[element], 10);
                answers.push(answer_to(&world, OWNER, back).await);
            }
        }
        let back = reidentify_terms(&world, NATIONAL, &["bsn"], 10);
        answers.push(answer_to(&world, OWNER, back).await);
        let out = convert_terms(&world, (NATIONAL, "bsn"), (STUDY, "bsn"), 10);
        answers.push(answer_to(&world, OWNER, out).await);
        // What is wrong with the caller's own chain is told, and hides what the other one is like.
        for chain in [NATIONAL, "no-such"] {
            let own = convert_terms(&world, (STUDY, "email"), (chain, "bsn"), 10);
            assert_eq!(answer_to(&world, OWNER, own).await.1, "NOT_LINKED");
        }
    }
    world.apply(&unlinked).await.expect("valid");
    for chain in [NATIONAL, "no-such"] {
        let convert = convert_terms(&world, (STUDY, "bsn"), (chain, "bsn"), 10);
        answers.push(answer_to(&world, OWNER, convert).await);
    }
    assert!(answers.len() > 50);
    assert_eq!(answers[0].1, "UNKNOWN_CHAIN");
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    // The owner of that chain is told.
    let into = |element| convert_terms(&world, (STUDY, "bsn"), (NATIONAL, element), 10);
    for (element, expected) in [("diagnosis", "NOT_LINKED"), ("income", "UNKNOWN_ELEMENT")] {
        let answer = answer_to(&world, RECIPIENT, into(element)).await;
        assert_eq!(answer.1, expected, "{element}");
    }
}

/// Everything that an answer says, and the reason.
async fn answer_to(world: &World, member: &str, terms: v1::GrantTerms) -> (String, String) {
    let request = v1::RequestGrantRequest { terms: Some(terms) };
    let client = world.client(member).await;
    let said = client.grants().request_grant(request).await;
    let told = match &said {
        Ok(_) => "allowed".to_owned(),
        Err(status) => format!("{:?} {}", status.code(), status.message()),
    };
    (told, outcome(said))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_3_nothing_leads_out_of_a_line_without_escrow_or_into_one_without_link() {
    let world = World::start().await;
    for (from, to, expected) in [
        ((STUDY, "email"), (NATIONAL, "bsn"), "NOT_LINKED"),
        ((STUDY, "email"), (STUDY, "email"), "NOT_LINKED"),
        ((STUDY, "bsn"), (STUDY, "email"), "NOT_LINKED"),
        ((STUDY, "diagnosis"), (NATIONAL, "bsn"), "NOT_LINKED"),
        ((STUDY, "bsn"), (NATIONAL, "diagnosis"), "UNKNOWN_CHAIN"),
        (("open-release", "person"), (NATIONAL, "bsn"), "NOT_LINKED"),
        ((STUDY, "bsn"), ("open-release", "person"), "allowed"),
    ] {
        let request = v1::RequestGrantRequest {
            terms: Some(convert_terms(&world, from, to, 10)),
        };
        let said = world
            .client(OWNER)
            .await
            .grants()
            .request_grant(request)
            .await;
        assert_eq!(outcome(said), expected, "{from:?} to {to:?}");
    }
    for (element, expected) in [
        ("email", "NOT_REVERSIBLE"),
        ("diagnosis", "NOT_REVERSIBLE"),
        ("income", "UNKNOWN_ELEMENT"),
        ("name", "allowed"),
    ] {
        let request = v1::RequestGrantRequest {
            terms: Some(reidentify_terms(&world, STUDY, &[element], 10)),
        };
        let said = world
            .client(SOURCE)
            .await
            .grants()
            .request_grant(request)
            .await;
        assert_eq!(outcome(said), expected, "{element}");
    }
    let request = v1::RequestGrantRequest {
        terms: Some(reidentify_terms(&world, NATIONAL, &["bsn"], 10)),
    };
    let said = world
        .client(SOURCE)
        .await
        .grants()
        .request_grant(request)
        .await;
    assert_eq!(
        outcome(said),
        "NOT_ELIGIBLE",
        "the chain lists nobody in reidentify_to"
    );
}
