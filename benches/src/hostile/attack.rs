//! The attacks. Each is bounded in time, speaks to loopback only, and counts what it got.

mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sluis_testkit::identifiers::bsns;
use sluis_testkit_daemon::scene::Scene;
use sluis_wire::v1;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use wire::{Said, call, channel, framed, outcome};

const ATTACKER: &str = "hospital-north/etl";
const GRANTEE: &str = "registry-office/etl";
const CHAIN: &str = "national-registry";
const SERVICE: &str = "/sluis.v1.PseudonymisationService";
/// Rows of a large batch.
const LARGE: usize = 16_384;

/// One way to do harm.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) connections: u64,
    calls: usize,
    way: Way,
}

#[derive(Clone, Copy)]
enum Way {
    Cancel,
    SlowReader,
    SlowSender,
    Announced,
    Empty,
    Unary,
    Handshakes,
    Ninth,
    InventedGrants,
    UsedUpGrant,
    ManyValues,
    Idle,
}

const fn attack(name: &'static str, connections: u64, calls: usize, way: Way) -> Attack {
    Attack {
        name,
        connections,
        calls,
        way,
    }
}

pub(crate) const ATTACKS: &[Attack] = &[
    attack("cancelled-streams", 4, 64, Way::Cancel),
    attack("slow-readers", 8, 16, Way::SlowReader),
    attack("slow-senders", 4, 64, Way::SlowSender),
    attack("announced-messages", 4, 256, Way::Announced),
    attack("empty-batches", 4, 16, Way::Empty),
    attack("unary-flood", 4, 128, Way::Unary),
    attack("silent-handshakes", 0, 600, Way::Handshakes),
    attack("ninth-call", 1, 24, Way::Ninth),
    attack("invented-grants", 4, 64, Way::InventedGrants),
    attack("used-up-grant", 4, 32, Way::UsedUpGrant),
    attack("many-short-values", 4, 32, Way::ManyValues),
    attack("idle-streams", 25, 200, Way::Idle),
];

/// Whom an attack is against, and with what.
#[derive(Clone)]
pub(crate) struct Target {
    endpoint: String,
    ca: PathBuf,
    /// Directory of the members' certificates.
    pki: PathBuf,
    /// A grant of which nothing is left.
    grant: String,
    seconds: u64,
}

/// An attack under way.
pub(crate) struct Attacker(Child);

impl Attacker {
    /// Waits for its end; what it says it got.
    pub(crate) fn end(self) -> String {
        let output = self.0.wait_with_output().expect("an attacker ends");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Target {
    /// Certificates on disk, and a grant that is used up.
    pub(crate) fn prepare(scene: &Scene) -> Self {
        for member in [ATTACKER, GRANTEE] {
            let credentials = scene.pki.member(member);
            scene
                .pki
                .write_credentials(&member.replace('/', "-"), &credentials);
        }
        let source = scene.write("one.csv", "bsn\n950000012\n");
        let records = scene.file("one-pseudonymised.csv");
        let study = "diabetes-study";
        scene
            .sluis(ATTACKER)
            .ok(&["pseudonymise", &source, "--chain", study, "-o", &records]);
        let terms = [
            "convert",
            "--from",
            "diabetes-study/bsn",
            "--to",
            "national-registry/bsn",
        ];
        let terms = [&terms[..], &["--max-values", "1"]].concat();
        let stewards = ["uni-research/steward-1", "registry-office/steward-a"];
        let grant = scene.grant(GRANTEE, &terms, &stewards);
        let converted = scene.file("one-converted.csv");
        scene.sluis(GRANTEE).ok(&[
            "convert", &records, "--grant", &grant, "--column", "bsn", "-o", &converted,
        ]);
        Self {
            endpoint: scene.daemon().endpoint(),
            ca: scene.pki.path("ca.pem"),
            pki: scene.path("pki"),
            grant,
            seconds: 0,
        }
    }

    fn arguments(&self, time: Duration) -> [String; 5] {
        [
            self.endpoint.clone(),
            self.ca.display().to_string(),
            self.pki.display().to_string(),
            self.grant.clone(),
            time.as_secs().to_string(),
        ]
    }

    pub(crate) fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [endpoint, ca, pki, grant, seconds] = arguments else {
            return None;
        };
        Some(Self {
            endpoint: endpoint.clone(),
            ca: ca.into(),
            pki: pki.into(),
            grant: grant.clone(),
            seconds: seconds.parse().ok()?,
        })
    }

    async fn connect(&self, member: &str) -> Channel {
        let file = self.pki.join(member.replace('/', "-"));
        channel(&self.endpoint, &self.ca, &file).await
    }

    /// `localhost:PORT`.
    fn address(&self) -> &str {
        self.endpoint.trim_start_matches("https://")
    }
}

/// How often which outcome came.
#[derive(Clone, Default)]
struct Outcomes(Arc<Mutex<BTreeMap<String, u64>>>);

impl Outcomes {
    fn add(&self, outcome: impl Into<String>) {
        let mut counts = self.0.lock().expect("not poisoned");
        *counts.entry(outcome.into()).or_default() += 1;
    }

    fn show(&self) -> String {
        let counts = self.0.lock().expect("not poisoned");
        let texts: Vec<String> = counts
            .iter()
            .map(|(outcome, count)| format!("{outcome} {count}"))
            .collect();
        texts.join(", ")
    }
}

impl Attack {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ATTACKS.iter().find(|attack| attack.name == name)
    }

    /// In a process of its own, which gets the processors when no one else wants them.
    pub(crate) fn start(&self, target: &Target, time: Duration) -> Attacker {
        let program = std::env::current_exe().expect("this program");
        let child = Command::new("nice")
            .args(["-n", "19"])
            .arg(program)
            .args(["attack", self.name])
            .args(target.arguments(time))
            .stdout(Stdio::piped())
            .spawn()
            .expect("nice runs");
        Attacker(child)
    }

    /// Attacks until the time is over; what came of it.
    pub(crate) async fn run(&self, target: &Target) -> String {
        let outcomes = Outcomes::default();
        let end = Instant::now() + Duration::from_secs(target.seconds);
        let mut callers = JoinSet::new();
        let way = self.way;
        if let Way::Handshakes = way {
            for _ in 0..self.calls {
                let (outcomes, address) = (outcomes.clone(), target.address().to_owned());
                callers.spawn(async move { be_silent(&address, &outcomes).await });
            }
        }
        let material = Arc::new(Material::of(way, target));
        for _ in 0..self.connections {
            let channel = target.connect(material.member).await;
            for _ in 0..self.calls / self.connections as usize {
                let (channel, material) = (channel.clone(), material.clone());
                let outcomes = outcomes.clone();
                callers.spawn(async move {
                    loop {
                        outcomes.add(material.once(way, &channel).await);
                    }
                });
            }
        }
        tokio::time::sleep_until(end.into()).await;
        callers.shutdown().await;
        outcomes.show()
    }
}

/// Before a connection that was put out comes again. Without it the kernel, which works for both ends on the same
/// processors, does ten thousand connections a second and little else.
const AGAIN: Duration = Duration::from_millis(100);

/// Connects, says nothing, and comes again when it is put out.
async fn be_silent(address: &str, outcomes: &Outcomes) {
    loop {
        let Ok(stream) = TcpStream::connect(address).await else {
            outcomes.add("not connected");
            continue;
        };
        outcomes.add("connected");
        // Readable at its end.
        drop(stream.readable().await);
        tokio::time::sleep(AGAIN).await;
    }
}

/// What is sent, made once.
struct Material {
    member: &'static str,
    path: String,
    chunks: Vec<(Duration, Bytes)>,
    ends: bool,
}

impl Material {
    fn of(way: Way, target: &Target) -> Self {
        let stream = format!("{SERVICE}/Pseudonymise");
        let unary = format!("{SERVICE}/PseudonymiseBatch");
        let (member, path, chunks, ends) = match way {
            Way::Cancel => (ATTACKER, stream, at_once(stream_of(8, LARGE)), false),
            Way::SlowReader => (ATTACKER, stream, at_once(stream_of(8, LARGE)), false),
            Way::SlowSender => (ATTACKER, unary, slowly(&unary_of(LARGE)), true),
            Way::Announced => {
                let head = Bytes::from_static(&[0, 0, 0x3f, 0xff, 0xff, 0x0a]);
                (ATTACKER, unary, at_once(vec![head]), false)
            }
            Way::Idle => (ATTACKER, stream, at_once(stream_of(1, 1)), false),
            Way::Empty => (ATTACKER, stream, at_once(stream_of(64, 0)), true),
            Way::Unary => (ATTACKER, unary, at_once(vec![unary_of(1)]), true),
            Way::Ninth => (ATTACKER, unary, at_once(vec![unary_of(LARGE / 2)]), true),
            Way::ManyValues => (ATTACKER, unary, at_once(vec![many_values()]), true),
            Way::Handshakes => (ATTACKER, unary, Vec::new(), true),
            Way::InventedGrants => {
                let path = "/sluis.v1.GrantService/ApproveGrant".to_owned();
                (ATTACKER, path, at_once(vec![invented_grant()]), true)
            }
            Way::UsedUpGrant => {
                let path = "/sluis.v1.ConversionService/ConvertBatch".to_owned();
                (GRANTEE, path, at_once(vec![used_up(&target.grant)]), true)
            }
        };
        Self {
            member,
            path,
            chunks,
            ends,
        }
    }

    /// One call.
    async fn once(&self, way: Way, channel: &Channel) -> String {
        let mut said = Said::new(self.chunks.clone(), self.ends);
        let sent = said.sent();
        let answer = call(channel, &self.path, said);
        match way {
            // Gone when all was sent.
            Way::Cancel => {
                let answer = answer.await;
                drop(tokio::time::timeout(Duration::from_millis(200), sent).await);
                drop(answer);
                "cancelled".to_owned()
            }
            Way::SlowReader => match answer.await {
                Ok(unread) => {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    drop(unread);
                    "unread".to_owned()
                }
                Err(status) => outcome(Err(status)).await,
            },
            _ => outcome(answer.await).await,
        }
    }
}

fn at_once(all: Vec<Bytes>) -> Vec<(Duration, Bytes)> {
    all.into_iter().map(|b| (Duration::ZERO, b)).collect()
}

fn rows(number: usize) -> v1::RecordBatch {
    let values: Vec<String> = bsns().take(number).collect();
    let packed = v1::Packed {
        data: Bytes::from(values.concat()),
        lengths: vec![9; number],
    };
    v1::RecordBatch {
        rows: u32::try_from(number).expect("few"),
        columns: vec![v1::Column {
            element: "bsn".to_owned(),
            form: Some(v1::column::Form::Packed(packed)),
        }],
        ..Default::default()
    }
}

fn open() -> v1::PseudonymiseOpen {
    v1::PseudonymiseOpen {
        chain_id: CHAIN.to_owned(),
        elements: vec!["bsn".to_owned()],
        ..Default::default()
    }
}

/// A stream with so many batches of so many rows.
fn stream_of(batches: u64, number: usize) -> Vec<Bytes> {
    use v1::pseudonymise_request::Message;
    let batch = rows(number);
    let first = Message::Open(open());
    let others = (0..batches).map(|sequence| {
        Message::Batch(v1::RecordBatch {
            sequence,
            ..batch.clone()
        })
    });
    [first]
        .into_iter()
        .chain(others)
        .map(|message| {
            framed(&v1::PseudonymiseRequest {
                message: Some(message),
            })
        })
        .collect()
}

fn unary_of(number: usize) -> Bytes {
    framed(&v1::PseudonymiseBatchRequest {
        open: Some(open()),
        batch: Some(rows(number)),
    })
}

/// Half of it at once, and then a byte a second.
fn slowly(request: &Bytes) -> Vec<(Duration, Bytes)> {
    let half = request.len() / 2;
    let bytes = (half..half + 60).map(|at| (Duration::from_secs(1), request.slice(at..=at)));
    [(Duration::ZERO, request.slice(..half))]
        .into_iter()
        .chain(bytes)
        .collect()
}

/// Nearly two million empty values.
fn many_values() -> Bytes {
    let values = v1::Values {
        values: vec![Bytes::new(); 2_000_000],
    };
    let batch = v1::RecordBatch {
        rows: 2_000_000,
        columns: vec![v1::Column {
            element: "bsn".to_owned(),
            form: Some(v1::column::Form::Values(values)),
        }],
        ..Default::default()
    };
    framed(&v1::PseudonymiseBatchRequest {
        open: Some(open()),
        batch: Some(batch),
    })
}

fn invented_grant() -> Bytes {
    framed(&v1::ApproveGrantRequest {
        grant_id: "g-0123456789abcdef".to_owned(),
        digest: Bytes::from_static(&[7; 32]),
        signature: Bytes::from_static(&[7; 64]),
    })
}

/// Tokens that look like tokens.
fn used_up(grant: &str) -> Bytes {
    let token = format!("psn1{}", "a".repeat(40));
    let packed = v1::Packed {
        data: Bytes::from(token.repeat(LARGE / 2)),
        lengths: vec![44; LARGE / 2],
    };
    framed(&v1::ConvertBatchRequest {
        grant_id: grant.to_owned(),
        batch: Some(v1::RecordBatch {
            rows: (LARGE / 2) as u32,
            columns: vec![v1::Column {
                element: "bsn".to_owned(),
                form: Some(v1::column::Form::Packed(packed)),
            }],
            ..Default::default()
        }),
        from_imported: false,
    })
}
