//! Signatures: whose count, under what, and what they bring about.

mod approvals;
mod command_line;
mod custody;
mod lies;
mod proposals;
mod signers;

use sluis_testkit_daemon::world::{self, World, convert_terms};
use sluis_wire::v1;

use crate::refusals::{CUSTODIAN, NATIONAL, OTHER_STEWARD, RECIPIENT, STEWARDS, STUDY, outcome};
use sluis_testkit_daemon::raw::Services;

const BEN: &str = "custodian/ben";

/// A request of the recipient to convert from the study into the national registry.
async fn request(world: &World) -> v1::Grant {
    let terms = Some(convert_terms(world, (STUDY, "bsn"), (NATIONAL, "bsn"), 10));
    let response = world
        .client(RECIPIENT)
        .await
        .grants()
        .request_grant(v1::RequestGrantRequest { terms })
        .await;
    response
        .expect("eligible")
        .into_inner()
        .grant
        .expect("always set")
}

/// What a member is told who signs a proposal with the key that is pinned for them.
async fn sign(world: &World, member: &str, proposal: &v1::Proposal) -> String {
    outcome(world::sign(&world.client(member).await, proposal).await)
}

/// A proposal of this registry.
async fn propose(world: &World, toml: &str) -> v1::Proposal {
    world
        .propose(toml)
        .await
        .expect("valid")
        .proposal
        .expect("it differs")
}

/// The registry version in force.
async fn version(world: &World) -> u64 {
    let request = v1::GetRegistryRequest::default();
    world
        .client(CUSTODIAN)
        .await
        .registry()
        .get_registry(request)
        .await
        .expect("a custodian")
        .into_inner()
        .version
}

/// The proposal as the proposer sees it now.
async fn now(world: &World, proposal: &v1::Proposal) -> v1::Proposal {
    world::proposal(&world.client(CUSTODIAN).await, &proposal.proposal_id)
        .await
        .expect("the proposer")
}
