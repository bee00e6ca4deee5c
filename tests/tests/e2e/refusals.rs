//! Bad input gets a clear refusal, and nothing is lost.

mod batches;
mod closed;
mod custody;
mod gates;
mod grants;
mod log;
mod meter;
mod quotas;
mod registry;
mod streams;
mod tokens;

use sluis_client::{Batch, ClientError};
use sluis_domain::{Column, RecordBatch};
use sluis_port::{Family, Store};
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{
    World, batch, convert, convert_terms, pseudonymise, reidentify_terms, values,
};
use sluis_wire::v1;
use v1::column::Form;

pub(crate) const CUSTODIAN: &str = "custodian/anna";
/// A source of `diabetes-study` and `national-registry`; may be granted re-identification in the former.
pub(crate) const SOURCE: &str = "hospital-north/etl";
/// The owner of `national-registry`, a recipient of `diabetes-study`.
pub(crate) const RECIPIENT: &str = "registry-office/etl";
/// Owner of `diabetes-study` and `open-release`.
pub(crate) const OWNER: &str = "uni-research/etl";
/// The stewards of the owner of `diabetes-study`.
pub(crate) const STEWARDS: [&str; 2] = ["uni-research/steward-1", "uni-research/steward-2"];
/// A steward of the owner of `national-registry`.
pub(crate) const OTHER_STEWARD: &str = "registry-office/steward-a";
pub(crate) const AUDITOR: &str = "uni-research/privacy-officer";
pub(crate) const STUDY: &str = "diabetes-study";
pub(crate) const NATIONAL: &str = "national-registry";
/// Numbers that pass the 11-test, of no one.
pub(crate) const BSNS: [&str; 4] = ["950000012", "900095222", "950053533", "111222333"];

/// The reason code of a refusal, `allowed`, or what was said instead.
pub(crate) fn outcome<T, E: Into<ClientError>>(result: Result<T, E>) -> String {
    match result.map_err(Into::into) {
        Ok(_) => "allowed".to_owned(),
        Err(error) => error
            .reason()
            .map_or_else(|| error.to_string(), str::to_owned),
    }
}

/// One column, for a stream of the client.
pub(crate) fn packed(element: &str, values: &[&str]) -> Batch {
    let column = (element.parse().expect("an id"), Column::from_values(values));
    RecordBatch::new(None, values.len(), vec![column])
        .expect("one column")
        .into()
}

/// One column of bytes.
pub(crate) fn bytes(element: &str, values: Vec<Vec<u8>>) -> v1::RecordBatch {
    let rows = values.len() as u32;
    let values = v1::Values {
        values: values.into_iter().map(Into::into).collect(),
    };
    let column = v1::Column {
        element: element.to_owned(),
        form: Some(Form::Values(values)),
    };
    v1::RecordBatch {
        rows,
        columns: vec![column],
        ..v1::RecordBatch::default()
    }
}

/// Tokens that `SOURCE` gets in a chain.
pub(crate) async fn tokens(world: &World, chain: &str, bsns: &[&str]) -> Vec<String> {
    let result = pseudonymise(&world.client(SOURCE).await, chain, batch(&[("bsn", bsns)]))
        .await
        .expect("a source");
    values(&result, "bsn")
}

/// Number of rows of a family, up to 10,000.
pub(crate) fn rows(world: &World, family: Family) -> usize {
    world
        .store
        .scan(family, &[], 10_000)
        .expect("readable")
        .len()
}

/// A live grant of `RECIPIENT` to convert `diabetes-study` to `national-registry`.
pub(crate) async fn live_convert(world: &World, max_values: u64) -> String {
    let terms = convert_terms(world, (STUDY, "bsn"), (NATIONAL, "bsn"), max_values);
    world
        .grant(RECIPIENT, terms, &[STEWARDS[0], OTHER_STEWARD])
        .await
}

/// A live grant of `SOURCE` to re-identify `bsn` and `name` of `diabetes-study`.
pub(crate) async fn live_reidentify(world: &World, max_values: u64) -> String {
    world
        .grant(
            SOURCE,
            reidentify_terms(world, STUDY, &["bsn", "name"], max_values),
            &STEWARDS,
        )
        .await
}

/// The grant as its grantee sees it.
pub(crate) async fn grant(world: &World, member: &str, grant_id: &str) -> v1::Grant {
    let request = v1::GetGrantRequest {
        grant_id: grant_id.to_owned(),
    };
    let response = world.client(member).await.grants().get_grant(request).await;
    response
        .expect("concerns the member")
        .into_inner()
        .grant
        .expect("always set")
}

/// Converts one column `bsn` as `member`.
pub(crate) async fn convert_as(
    world: &World,
    member: &str,
    grant: &str,
    tokens: &[&str],
) -> Result<v1::BatchResult, ClientError> {
    convert(
        &world.client(member).await,
        grant,
        batch(&[("bsn", tokens)]),
    )
    .await
}

/// All audit entries.
pub(crate) async fn audit(world: &World) -> Vec<v1::AuditEntry> {
    let request = v1::ReadEntriesRequest {
        from_sequence: 0,
        limit: 10_000,
        own: false,
    };
    let response = world
        .client(AUDITOR)
        .await
        .audit()
        .read_entries(request)
        .await;
    response.expect("an auditor").into_inner().entries
}

/// Borrowed, for functions that take `&[&str]`.
pub(crate) fn texts(strings: &[String]) -> Vec<&str> {
    strings.iter().map(String::as_str).collect()
}
