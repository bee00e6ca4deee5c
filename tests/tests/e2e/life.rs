//! The life of keys and subjects, through the doors of users and on a real disk.

mod command_line;
mod disk;
mod erasure;
mod retention;

use sluis_testkit::registry::CUSTODIANS;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch, pseudonymise, rejections, values};
use sluis_wire::v1;

const STUDY: &str = "diabetes-study";
const REGISTER: &str = "national-registry";
/// Pass the 11-test.
const BSNS: [&str; 3] = ["123456782", "111222333", "100000009"];

/// Tokens of these identifiers.
async fn tokens(world: &World, chain: &str, identifiers: &[&str]) -> Vec<String> {
    let hospital = world.client("hospital-north/etl").await;
    let result = pseudonymise(&hospital, chain, batch(&[("bsn", identifiers)]))
        .await
        .expect("accepted");
    assert_eq!(rejections(&result), []);
    values(&result, "bsn")
}

/// Reasons for which these identifiers are refused, in the order of their rows.
async fn refused(world: &World, chain: &str, identifiers: &[&str]) -> Vec<(u32, String)> {
    let hospital = world.client("hospital-north/etl").await;
    let result = pseudonymise(&hospital, chain, batch(&[("bsn", identifiers)]))
        .await
        .expect("accepted");
    rejections(&result)
        .into_iter()
        .map(|(row, _, reason)| (row, reason))
        .collect()
}

/// What the custodians see.
async fn status(world: &World) -> v1::GetStatusResponse {
    let custodian = world.client(CUSTODIANS[0]).await;
    custodian
        .custody()
        .get_status(v1::GetStatusRequest {})
        .await
        .expect("a custodian may")
        .into_inner()
}

/// Versions of the BSN line of a chain, oldest first.
async fn line(world: &World, chain: &str) -> Vec<v1::KeyVersion> {
    let versions = status(world).await.key_versions.into_iter();
    versions
        .filter(|v| v.chain_id == chain && v.namespace_id == "nl.bsn")
        .collect()
}
