//! The connection breaks after the custodian has done what was asked, and before it has said so.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use prost::Message as _;
use sluis_testkit::registry::{CUSTODIANS, registry};
use sluis_testkit_daemon::process::Sluis;
use sluis_testkit_daemon::scene::{Scene, field};
use sluis_testkit_daemon::world::channel;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::transport::{Channel, Server};

use crate::liar::server_tls;
use crate::story::{bsns, exits};

const STEWARD: &str = "uni-research/steward-1";
const OTHER: &str = "registry-office/steward-a";

/// Every RPC that changes something and has one answer. Batches are resumed instead; see `story/resumed.rs`.
const CHANGES: [&str; 16] = [
    "ApplyRegistry",
    "ApproveGrant",
    "CreateBackup",
    "CutEscrow",
    "DenyGrant",
    "DestroyVersion",
    "DisableVersion",
    "RejectProposal",
    "RequestErasure",
    "RequestGrant",
    "RevokeGrant",
    "RotateAuditKey",
    "RotateChain",
    "Seal",
    "SignProposal",
    "Unseal",
];

/// Passes everything on to a custodian, and cuts the connection instead of giving the answer to one RPC.
#[derive(Clone)]
struct Mute {
    honest: Channel,
    rpc: String,
    /// How many answers of it are given before.
    before: Arc<AtomicUsize>,
    cut: Arc<Notify>,
}

impl Service<http::Request<Body>> for Mute {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self {
            mut honest,
            rpc,
            before,
            cut,
        } = self.clone();
        let is_mute = request.uri().path().ends_with(&format!("/{rpc}"));
        Box::pin(async move {
            std::future::poll_fn(|context| honest.poll_ready(context))
                .await
                .expect("connected");
            // The channel adds scheme and authority of its own.
            let answer = honest.call(request).await.expect("answered");
            // A refusal says so in its headers, and is passed on.
            let is_refusal = answer.headers().contains_key("grpc-status");
            let is_turn = || {
                let less = |before: usize| before.checked_sub(1);
                before
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                    .is_err()
            };
            if is_mute && !is_refusal && is_turn() {
                cut.notify_waiters();
                std::future::pending::<()>().await;
            }
            Ok(answer)
        })
    }
}

/// The command line of a member, whose connection to the custodian is cut instead of the answer to this RPC.
async fn without_answer(scene: &Scene, member: &str, rpc: &str) -> Sluis {
    let credentials = scene.pki.member(member);
    let cut = Arc::new(Notify::new());
    let mute = Mute {
        honest: channel(&scene.pki, &scene.daemon().endpoint(), &credentials).await,
        rpc: rpc.to_owned(),
        before: Arc::new(AtomicUsize::new(usize::from(rpc == "ApplyRegistry"))),
        cut: cut.clone(),
    };
    let behind = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let to = behind.local_addr().expect("bound");
    let server = Server::builder()
        .tls_config(server_tls(&scene.pki))
        .expect("usable");
    tokio::spawn(async move {
        server
            .serve_with_incoming(mute, TcpListenerStream::new(behind))
            .await
    });
    let front = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!(
        "https://localhost:{}",
        front.local_addr().expect("bound").port()
    );
    tokio::spawn(async move {
        while let Ok((mut client, _)) = front.accept().await {
            let cut = cut.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.expect("listens");
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    () = cut.notified() => {}
                }
            });
        }
    });
    Sluis::with(&scene.pki, &endpoint, member, &credentials)
}

/// Runs a command whose answer does not come; it must say so, and name the command that tells more.
async fn is_unsure(scene: &Scene, member: &str, rpc: &str, arguments: &[&str], look: &str) {
    let sluis = without_answer(scene, member, rpc).await;
    let mut command = sluis.command(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().expect("runs"));
    let said = exits(&output.await.expect("ends"), 8);
    assert!(
        said.contains("the outcome is unknown") && said.contains(look),
        "{rpc}: {said}"
    );
}

fn request(scene: &Scene, approvers: &[&str]) -> String {
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "9",
    ];
    scene.grant("registry-office/etl", &terms, approvers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_step_without_an_answer_is_told_as_unknown_and_may_be_done() {
    let scene = Scene::start("");
    let state = |grant: &str| {
        let shown = scene.sluis(STEWARD).ok(&["grant", "show", grant, "--json"]);
        field(&shown, "state")
    };
    let grant = request(&scene, &[OTHER]);
    let look = format!("`sluis grant show {grant}`");
    for (rpc, step, after) in [
        ("ApproveGrant", "approve", "approved"),
        ("RevokeGrant", "revoke", "revoked"),
    ] {
        is_unsure(
            &scene,
            STEWARD,
            rpc,
            &["grant", step, &grant, "--yes"],
            &look,
        )
        .await;
        assert_eq!(state(&grant), after, "it was done all the same");
    }
    let grant = request(&scene, &[]);
    let look = format!("`sluis grant show {grant}`");
    let deny = ["grant", "deny", &grant, "--yes"];
    is_unsure(&scene, STEWARD, "DenyGrant", &deny, &look).await;
    assert_eq!(state(&grant), "denied");
    let ask = [
        "grant",
        "request",
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "9",
        "--purpose",
        "a test",
        "--legal-basis",
        "none needed",
        "--until",
        "1d",
    ];
    let look = "`sluis grant list --state requested`";
    is_unsure(&scene, "registry-office/etl", "RequestGrant", &ask, look).await;
    let listed = ["grant", "list", "--state", "requested"];
    let listed = scene.sluis("registry-office/etl").ok(&listed);
    assert!(listed.contains("g-"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_without_an_answer_is_told_as_unknown() {
    let scene = Scene::start("");
    let next = registry().replace("Party to nothing", "Party to very little");
    let next = scene.write("next.toml", next);
    let list = "`sluis proposal list`";
    let apply = ["registry", "apply", &next, "--yes", "--no-sign"];
    // The first call of the two is a preview.
    is_unsure(&scene, CUSTODIANS[0], "ApplyRegistry", &apply, list).await;
    let identifier = scene.write("identifier", bsns().next().expect("one"));
    let erase = [
        "subject",
        "erase",
        "--namespace",
        "nl.bsn",
        "--identifier-file",
        &identifier,
    ];
    is_unsure(&scene, "gp-south/etl", "RequestErasure", &erase, list).await;
    let said = scene
        .sluis(CUSTODIANS[0])
        .ok(&[&apply[..], &["--json"]].concat());
    let id = field(&said, "proposal_id");
    let look = format!("`sluis proposal show {id}`");
    let sign = ["proposal", "sign", &id, "--yes"];
    is_unsure(&scene, CUSTODIANS[0], "SignProposal", &sign, &look).await;
    let reject = ["proposal", "reject", &id, "--yes"];
    is_unsure(&scene, CUSTODIANS[1], "RejectProposal", &reject, &look).await;
    let shown = scene
        .sluis(CUSTODIANS[0])
        .ok(&["proposal", "show", &id, "--json"]);
    assert_eq!(field(&shown, "state"), "rejected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_of_custody_without_an_answer_is_told_as_unknown() {
    let scene = Scene::start("");
    let custodian = CUSTODIANS[0];
    let kid = || {
        let status = scene.sluis(custodian).ok(&["status", "--json"]);
        let line = status
            .split("\"chain_id\": \"diabetes-study\"")
            .find(|part| part.contains("\"nl.bsn\""));
        field(line.expect("the line is there"), "kid")
    };
    let (status, list) = ("`sluis status`", "`sluis proposal list`");
    let old = kid();
    let rotate = [
        "chain",
        "rotate",
        "diabetes-study",
        "--namespace",
        "nl.bsn",
        "--yes",
    ];
    let cut = ["chain", "cut-escrow", &old, "--yes"];
    is_unsure(&scene, custodian, "CutEscrow", &cut, list).await;
    is_unsure(&scene, custodian, "RotateChain", &rotate, status).await;
    let disable = ["chain", "disable", &old, "--yes"];
    is_unsure(&scene, custodian, "DisableVersion", &disable, status).await;
    let destroy = ["chain", "destroy", &old, "--yes"];
    is_unsure(&scene, custodian, "DestroyVersion", &destroy, list).await;
    let look = "`sluis audit read`";
    let rotate = ["custody", "rotate-audit-key", "--yes"];
    is_unsure(&scene, custodian, "RotateAuditKey", &rotate, look).await;
    let look = "backup directory";
    is_unsure(&scene, custodian, "CreateBackup", &["backup"], look).await;
    let look = "`sluis seal-status`";
    is_unsure(&scene, custodian, "Seal", &["seal", "--yes"], look).await;
    is_unsure(&scene, custodian, "Unseal", &["unseal", "--fetch"], look).await;
}

#[test]
fn a_custodian_that_is_not_there_was_not_asked() {
    let mut scene = Scene::start("");
    let grant = request(&scene, &[]);
    let steward = scene.sluis(STEWARD);
    scene.kill();
    let said = exits(&steward.run(&["grant", "approve", &grant, "--yes"]), 5);
    assert!(
        said.contains("no connection") && !said.contains("unknown"),
        "{said}"
    );
}

#[test]
fn every_rpc_that_changes_something_is_here() {
    let set = prost_types::FileDescriptorSet::decode(sluis_wire::DESCRIPTOR_SET).expect("a set");
    let services = set.file.iter().flat_map(|file| &file.service);
    let names = services.flat_map(|service| &service.method);
    let looks = ["Get", "List", "Read", "Prove", "WhoAmI"];
    let batches = ["Pseudonymise", "Convert", "Reidentify"];
    let reads = |name: &str| {
        let of = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        of(&looks) || of(&batches)
    };
    let found: BTreeSet<&str> = names
        .map(|method| method.name())
        .filter(|name| !reads(name))
        .collect();
    let expected = BTreeSet::from(CHANGES);
    assert_eq!(
        found, expected,
        "call it through `unless_answered`, and add it"
    );
}
