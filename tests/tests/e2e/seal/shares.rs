//! A key in shares.

use sluis_daemon::commands::Split;
use sluis_keyring::Kek;
use sluis_ledger::audit::Act;
use sluis_testkit_daemon::wait::until;
use sluis_wire::v1;

use super::forgery::wrong;
use super::{HOLDERS, House, seal, unseal, whoami};
use crate::refusals::outcome;
use sluis_testkit_daemon::raw::Services;

const THREE_OF_FIVE: Split = Split {
    shares: 5,
    threshold: 3,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_of_five_people_open_it_and_nothing_less_does() {
    let house = House::new(THREE_OF_FIVE);
    assert_eq!(house.shares.len(), 5);
    let open = house.start().await;
    let status = open.status().await;
    assert_eq!(
        (
            status.sealed,
            status.provider.as_str(),
            status.threshold,
            status.shares
        ),
        (true, "shares", 3, 5)
    );
    assert!(!open.health().await.serves().await);

    let share = |number: usize| house.shares[number - 1].as_str();
    assert_eq!(open.unseal(HOLDERS[0], share(1)).await, "1 of 3");
    assert_eq!(open.unseal(HOLDERS[0], share(2)).await, "SAME_HOLDER");
    assert_eq!(open.unseal(HOLDERS[1], share(1)).await, "REPEATED_SHARE");
    assert_eq!(
        open.unseal(HOLDERS[1], &wrong(share(2))).await,
        "WRONG_SHARE"
    );
    let (_, foreign) = Kek::split(3, 5).expect("a good split");
    assert_eq!(
        open.unseal(HOLDERS[1], &foreign[1].text()).await,
        "FOREIGN_SHARE"
    );
    for bad in [
        "",
        "share",
        &share(2)[1..],
        &share(2).replace("sluisshare1", "sluisshare2"),
    ] {
        assert_eq!(
            open.unseal(HOLDERS[1], bad).await,
            "MALFORMED_SHARE",
            "{bad}"
        );
    }
    assert_eq!(
        open.unseal("uni-research/etl", share(2)).await,
        "NOT_A_CUSTODIAN"
    );
    let other_key = open.with(&house.pki.other_key_of(HOLDERS[1])).await;
    assert_eq!(unseal(&other_key, share(2)).await, "KEY_NOT_PINNED");

    assert_eq!(open.status().await.presented, 1, "nothing of that counted");
    assert_eq!(open.unseal(HOLDERS[3], share(4)).await, "2 of 3");
    assert!(!open.health().await.serves().await);
    assert_eq!(whoami(&open.client(HOLDERS[0]).await).await, "SEALED");
    assert_eq!(open.unseal(HOLDERS[4], share(5)).await, "open");
    open.health().await.becomes(true).await;
    assert_eq!(whoami(&open.client(HOLDERS[0]).await).await, "allowed");
    assert_eq!(open.unseal(HOLDERS[2], share(3)).await, "NOT_SEALED");

    let told: Vec<_> = open
        .entries()
        .into_iter()
        .filter(|(act, ..)| *act == Act::Unseal)
        .collect();
    let done: Vec<_> = told
        .iter()
        .filter_map(|(_, who, end)| Some((who.as_deref()?, end.clone().ok()?)))
        .collect();
    assert_eq!(
        done,
        [
            ("anna", vec![1, 1, 3]),
            ("dirk", vec![1, 2, 3]),
            ("eva", vec![1, 3, 3])
        ]
    );
    let refused: Vec<_> = told
        .iter()
        .filter_map(|(_, _, end)| end.clone().err())
        .collect();
    let mut expected = vec![
        "SAME_HOLDER",
        "REPEATED_SHARE",
        "WRONG_SHARE",
        "FOREIGN_SHARE",
    ];
    expected.extend(["MALFORMED_SHARE"; 4]);
    expected.extend(["NOT_A_CUSTODIAN", "KEY_NOT_PINNED", "NOT_SEALED"]);
    assert_eq!(refused, expected);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_seal_and_after_a_restart_all_shares_are_needed_again() {
    let house = House::new(Split {
        shares: 3,
        threshold: 2,
    });
    let open = house.start().await;
    for (holder, share) in HOLDERS.iter().zip(&house.shares).take(2) {
        open.unseal(holder, share).await;
    }
    let carol = open.client(HOLDERS[2]).await;
    assert_eq!(whoami(&carol).await, "allowed");
    assert_eq!(seal(&carol).await, "sealed");
    open.health().await.becomes(false).await;
    assert_eq!(whoami(&carol).await, "SEALED");
    assert_eq!(seal(&carol).await, "SEALED");
    assert_eq!(open.unseal(HOLDERS[0], &house.shares[0]).await, "1 of 2");
    assert_eq!(seal(&carol).await, "SEALED");
    assert_eq!(
        open.status().await.presented,
        0,
        "sealing forgets the shares so far"
    );
    assert_eq!(open.unseal(HOLDERS[0], &house.shares[2]).await, "1 of 2");
    open.stop().await;

    let open = house.start().await;
    assert_eq!(
        (open.status().await.sealed, open.status().await.presented),
        (true, 0)
    );
    assert_eq!(open.unseal(HOLDERS[1], &house.shares[0]).await, "1 of 2");
    assert_eq!(open.unseal(HOLDERS[0], &house.shares[1]).await, "open");
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_are_forgotten_when_no_other_follows() {
    let house = House::new(THREE_OF_FIVE);
    let open = house.start().await;
    open.unseal(HOLDERS[0], &house.shares[0]).await;
    house.clock.advance_millis(9 * 60_000);
    assert_eq!(open.unseal(HOLDERS[1], &house.shares[1]).await, "2 of 3");
    house.clock.advance_millis(9 * 60_000);
    assert_eq!(
        open.status().await.presented,
        2,
        "each share gives time for the next"
    );
    house.clock.advance_millis(60_000);
    assert_eq!(open.status().await.presented, 0);
    assert_eq!(open.unseal(HOLDERS[1], &house.shares[2]).await, "1 of 3");
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_custodian_answers_nothing_but_what_opens_it() {
    let house = House::new(THREE_OF_FIVE);
    let open = house.start().await;
    for member in [HOLDERS[0], "uni-research/etl", "nobody/etl"] {
        let client = open.client(member).await;
        assert_eq!(whoami(&client).await, "SEALED", "{member}");
        assert_eq!(
            outcome(client.custody().get_status(v1::GetStatusRequest {}).await),
            "SEALED"
        );
        assert_eq!(
            outcome(
                client
                    .registry()
                    .list_chains(v1::ListChainsRequest::default())
                    .await
            ),
            "SEALED"
        );
        assert_eq!(
            outcome(
                client
                    .grants()
                    .list_grants(v1::ListGrantsRequest::default())
                    .await
            ),
            "SEALED"
        );
        assert_eq!(
            outcome(
                client
                    .audit()
                    .read_entries(v1::ReadEntriesRequest::default())
                    .await
            ),
            "SEALED"
        );
        let stream = client
            .pseudonymise(
                &"chain".parse().expect("an id"),
                &["bsn".parse().expect("an id")],
            )
            .await;
        assert_eq!(outcome(stream), "SEALED");
    }
    let stranger = open.client("nobody/etl").await;
    let status = stranger
        .seal_service()
        .get_seal_status(v1::GetSealStatusRequest {})
        .await;
    assert_eq!(outcome(status), "NOT_A_CUSTODIAN");
    assert_eq!(seal(&stranger).await, "NOT_A_CUSTODIAN");
    let revoked = house.pki.member(HOLDERS[1]);
    let client = open.with(&revoked).await;
    assert_eq!(whoami(&client).await, "SEALED");
    house.pki.revoke(&revoked);
    open.running.reload();
    until("the list is read", async || {
        unseal(&client, "").await == "CERTIFICATE_REVOKED"
    })
    .await;
    // A connection that was there before the certificate expired.
    let client = open.client(HOLDERS[0]).await;
    assert_eq!(whoami(&client).await, "SEALED");
    house.clock.advance_hours(24 * 366 * 20);
    assert_eq!(
        unseal(&client, &house.shares[0]).await,
        "CERTIFICATE_EXPIRED"
    );
    assert_eq!(whoami(&client).await, "CERTIFICATE_EXPIRED");
    open.stop().await;
}
