//! Quotas of sources and limits of a day: refused whole, named, on record and in the metrics.

use sluis_client::ClientError;
use sluis_port::{Clock, Family};
use sluis_testkit::identifiers::bsns;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{METRICS, World, batch, convert_terms, pseudonymise};
use sluis_wire::v1;

use super::{
    BSNS, NATIONAL, OTHER_STEWARD, RECIPIENT, SOURCE, STEWARDS, STUDY, audit, convert_as, outcome,
    rows, texts, tokens,
};

/// How far the clock jumps.
const DAYS: u64 = 40;

/// A custodian that serves metrics, with a quota for every source of the study.
async fn limited(limits: &str) -> World {
    let world = World::start_empty(METRICS).await;
    let quota = format!("retention = \"10y\"\n\n[[chain.quota]]\n{limits}\n");
    world
        .apply(&registry().replacen("retention = \"10y\"\n", &quota, 1))
        .await
        .expect("the registry is valid");
    world
}

async fn submit(world: &World, bsns: &[&str]) -> Result<v1::BatchResult, ClientError> {
    pseudonymise(&world.client(SOURCE).await, STUDY, batch(&[("bsn", bsns)])).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trying_out_identifiers_is_stopped_at_the_limit_named_on_record_and_in_the_metrics() {
    let world = limited("subjects_per_day = 20").await;
    let attempts: Vec<String> = bsns().take(25).collect();
    let mut answered = 0;
    for bsn in &attempts {
        answered += usize::from(submit(&world, &[bsn]).await.is_ok());
    }
    assert_eq!((answered, rows(&world, Family::Link)), (20, 20));
    // A restart does not help; neither does a bigger batch.
    let world = world.restart().await;
    let refused = submit(&world, &texts(&attempts))
        .await
        .expect_err("five too many");
    assert_eq!(refused.reason(), Some("QUOTA_SUBJECTS"));
    let told = &refused.refusal().expect("an answer").violations[0];
    let text = "at most 20 subjects a day; 20 are counted today, 25 with this batch";
    assert_eq!(
        (told.field.as_str(), told.description.as_str()),
        ("quota.subjects_per_day", text)
    );
    assert_eq!(rows(&world, Family::Link), 20, "nothing of it was done");
    let on_record = audit(&world)
        .await
        .into_iter()
        .filter(|entry| entry.reason == "QUOTA_SUBJECTS");
    assert!(
        on_record
            .clone()
            .all(|entry| entry.actor == SOURCE && entry.chain_id == STUDY && entry.rows == 0)
    );
    assert_eq!(on_record.count(), 6);
    submit(&world, &texts(&attempts[..20]))
        .await
        .expect("those counted already");
    let page = world.metrics().await;
    assert!(
        page.contains("sluis_quota_refusals_total{limit=\"subjects\"} 1"),
        "{page}"
    );
    let fill = "sluis_quota_fill_ratio{chain=\"diabetes-study\",organisation=\"hospital-north\",limit=\"subjects\"} 1";
    assert!(page.lines().any(|line| line == fill), "{page}");
    assert_eq!(
        outcome(
            pseudonymise(
                &world.client(SOURCE).await,
                NATIONAL,
                batch(&[("bsn", &texts(&attempts))])
            )
            .await
        ),
        "allowed"
    );
    world.clock.advance_hours(24);
    assert_eq!(
        outcome(submit(&world, &texts(&attempts[5..])).await),
        "allowed",
        "a new day"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_sends_no_identifiers_or_too_often_is_stopped() {
    let world = limited("rejected_percent = 10\nrequests_per_minute = 3").await;
    let good: Vec<String> = bsns().take(900).collect();
    let bad = vec!["nonsense"; 100];
    assert_eq!(outcome(submit(&world, &bad).await), "allowed");
    assert_eq!(outcome(submit(&world, &texts(&good)).await), "allowed");
    assert_eq!(outcome(submit(&world, &bad[..2]).await), "QUOTA_REJECTED");
    assert_eq!(
        outcome(submit(&world, &texts(&good)).await),
        "QUOTA_REQUESTS"
    );
    world.clock.advance_millis(61_000);
    assert_eq!(outcome(submit(&world, &texts(&good)).await), "allowed");
    let page = world.metrics().await;
    for limit in ["rejected", "requests"] {
        assert!(
            page.contains(&format!(
                "sluis_quota_refusals_total{{limit=\"{limit}\"}} 1"
            )),
            "{page}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_sees_its_own_quota_and_who_is_none_sees_none() {
    let world = limited("subjects_per_day = 20\nrequests_per_minute = 3").await;
    for (member, expected) in [
        (SOURCE, Some((20, 0, 3))),
        ("uni-research/etl", None),
        (RECIPIENT, None),
    ] {
        let request = v1::ListChainsRequest {
            chain_id: STUDY.to_owned(),
        };
        let answer = world
            .client(member)
            .await
            .registry()
            .list_chains(request)
            .await
            .expect("concerns the member");
        let quota = answer.into_inner().chains.remove(0).quota;
        let seen = quota.map(|q| {
            (
                q.subjects_per_day,
                q.rejected_percent,
                q.requests_per_minute,
            )
        });
        assert_eq!(seen, expected, "{member}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_limited_by_the_day() {
    let world = World::start_empty(METRICS).await;
    world
        .apply(&registry())
        .await
        .expect("the registry is valid");
    let tokens = tokens(&world, STUDY, &BSNS).await;
    let tokens = texts(&tokens);
    let mut terms = convert_terms(&world, (STUDY, "bsn"), (NATIONAL, "bsn"), 10);
    terms.max_values_per_day = 3;
    terms.not_after = world
        .clock
        .now()
        .plus_millis(3 * 24 * 3_600_000)
        .to_string();
    let id = world
        .grant(RECIPIENT, terms, &[STEWARDS[0], OTHER_STEWARD])
        .await;
    assert_eq!(
        outcome(convert_as(&world, RECIPIENT, &id, &tokens[..2]).await),
        "allowed"
    );
    let world = world.restart().await;
    let grant_id = id.parse().expect("an id");
    let today = async || {
        let client = world.client(RECIPIENT).await;
        let opened = client.convert(&grant_id).await.expect("live");
        let used = client.grant(&grant_id).await.expect("seen");
        (opened.opened().remaining_today, used.used_today)
    };
    assert_eq!(today().await, (Some(1), 2));
    let refused = convert_as(&world, RECIPIENT, &id, &tokens[..2])
        .await
        .expect_err("one too many");
    assert_eq!(refused.reason(), Some("GRANT_DAILY_LIMIT"));
    let told = &refused.refusal().expect("an answer").violations[0];
    assert_eq!(
        (told.field.as_str(), told.description.as_str()),
        ("batch", "1 values remain today, the batch has 2")
    );
    assert!(
        world
            .metrics()
            .await
            .contains("sluis_quota_refusals_total{limit=\"grant-daily\"} 1")
    );
    world.clock.advance_hours(24);
    assert_eq!(today().await, (Some(3), 0));
    assert_eq!(
        outcome(convert_as(&world, RECIPIENT, &id, &tokens[..3]).await),
        "allowed"
    );
    let counters = audit(&world)
        .await
        .into_iter()
        .filter(|entry| entry.act == "convert")
        .map(|entry| entry.counter);
    assert_eq!(counters.collect::<Vec<_>>(), [2, 0, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_goes_days_forward_and_back_gives_no_quota_of_a_day_again() {
    let world = limited("subjects_per_day = 20").await;
    let attempts: Vec<String> = bsns().take(120).collect();
    let tried = |from: usize| texts(&attempts[from..from + 20]);
    assert_eq!(outcome(submit(&world, &tried(0)).await), "allowed");
    world.clock.advance_hours(DAYS * 24);
    assert_eq!(
        outcome(submit(&world, &tried(20)).await),
        "allowed",
        "another day"
    );
    world.clock.set_back_millis(DAYS * 24 * 3_600_000);
    assert_eq!(outcome(submit(&world, &tried(40)).await), "QUOTA_SUBJECTS");
    assert_eq!(
        outcome(submit(&world, &tried(0)).await),
        "allowed",
        "counted already"
    );
    // In the store, too, and days go on as they come.
    let world = world.restart().await;
    assert_eq!(outcome(submit(&world, &tried(40)).await), "QUOTA_SUBJECTS");
    world.clock.advance_hours(24);
    assert_eq!(
        outcome(submit(&world, &tried(40)).await),
        "allowed",
        "the next day"
    );
    world.clock.advance_hours((DAYS - 1) * 24);
    assert_eq!(
        outcome(submit(&world, &tried(60)).await),
        "QUOTA_SUBJECTS",
        "the day ahead was counted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_goes_days_forward_and_back_gives_no_values_of_a_grant_again() {
    let world = World::start().await;
    let tokens = tokens(&world, STUDY, &BSNS[..3]).await;
    let tokens = texts(&tokens);
    let mut terms = convert_terms(&world, (STUDY, "bsn"), (NATIONAL, "bsn"), 100);
    terms.max_values_per_day = 4;
    let end = world.clock.now().plus_millis(2 * DAYS * 24 * 3_600_000);
    terms.not_after = end.to_string();
    let grant = world
        .grant(RECIPIENT, terms, &[STEWARDS[0], OTHER_STEWARD])
        .await;
    assert_eq!(
        outcome(convert_as(&world, RECIPIENT, &grant, &tokens).await),
        "allowed"
    );
    world.clock.advance_hours(DAYS * 24);
    assert_eq!(
        outcome(convert_as(&world, RECIPIENT, &grant, &tokens).await),
        "allowed"
    );
    world.clock.set_back_millis(DAYS * 24 * 3_600_000);
    assert_eq!(
        outcome(convert_as(&world, RECIPIENT, &grant, &tokens).await),
        "GRANT_DAILY_LIMIT"
    );
    // The log says the same to whoever replays it, the daemon at its start included.
    let world = world.restart().await;
    assert_eq!(
        outcome(convert_as(&world, RECIPIENT, &grant, &tokens).await),
        "GRANT_DAILY_LIMIT"
    );
}
