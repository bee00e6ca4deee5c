//! `sluis report`: live, of a copy, of one organisation; as text, JSON and a page.

use serde_json::Value;
use sluis_domain::Timestamp;
use sluis_port::Clock;
use sluis_testkit::clock::TestClock;
use sluis_testkit_daemon::scene::Scene;

use super::copy::Copy;
use super::{
    AUDITOR, FINDING, NATIONAL, OTHER_STEWARD, PURPOSE, RECIPIENT, SOURCE, STEWARDS, STUDY, Story,
};
use super::{export, settled, story};
use crate::story::{exits, json};

const DAY: u64 = 24 * 3600 * 1000;

/// Yesterday and tomorrow: a test may run at midnight.
pub(super) fn days() -> (String, String) {
    let now = TestClock::now().now().millis();
    let day = |millis| {
        Timestamp::from_millis(millis)
            .expect("in range")
            .to_string()[..10]
            .to_owned()
    };
    (day(now - DAY), day(now + DAY))
}

/// `sluis report` of these days.
fn report(scene: &Scene, member: &str, more: &[&str]) -> String {
    let (from, to) = days();
    scene
        .sluis(member)
        .ok(&[&["report", "--from", &from, "--to", &to], more].concat())
}

/// As JSON, without the moment at which it was made.
fn said(scene: &Scene, member: &str, more: &[&str]) -> Value {
    let mut report = json(&report(scene, member, &[more, &["--json"]].concat()));
    assert!(
        report
            .as_object_mut()
            .expect("an object")
            .remove("made_at")
            .is_some()
    );
    report
}

fn rows<'a>(report: &'a Value, section: &str) -> &'a Vec<Value> {
    report[section]
        .as_array()
        .unwrap_or_else(|| panic!("{section} in {report}"))
}

/// The only row of a section with this value.
fn row<'a>(report: &'a Value, section: &str, key: &str, value: &str) -> &'a Value {
    let mut found = rows(report, section).iter().filter(|row| row[key] == value);
    let row = found
        .next()
        .unwrap_or_else(|| panic!("no {key} {value} in {}", report[section]));
    assert!(
        found.next().is_none(),
        "{value} twice in {}",
        report[section]
    );
    row
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_says_what_happened_live_and_from_a_copy_alike() {
    let story = story().await;
    let (scene, size) = (&story.scene, settled(&story.scene).await);
    let copy = scene.file("copy");
    export(scene, &copy);
    let live = said(scene, AUDITOR, &[]);
    assert_eq!(live, said(scene, AUDITOR, &["--export", &copy]));
    let of_one = ["--organisation", "registry-office"];
    let part = said(scene, AUDITOR, &of_one);
    assert_eq!(
        part,
        said(
            scene,
            AUDITOR,
            &[&of_one[..], &["--export", &copy]].concat()
        )
    );
    assert!(live["entries"] == size && part["entries"].as_u64() < Some(size));
    // Of its own grant an organisation hears what the stewards of others decided.
    let of_requester = said(scene, AUDITOR, &["--organisation", "hospital-north"]);
    let finding = row(&of_requester, "grants", "purpose", FINDING);
    assert_eq!(
        (&finding["state"], &finding["approved_by"]),
        (&"exhausted".into(), &serde_json::json!(STEWARDS))
    );
    assert_eq!(
        rows(&of_requester, "grants").len(),
        1,
        "{}",
        of_requester["grants"]
    );
    what_was_done(&live, &story);
    what_was_refused(&live, &story);
    keys_and_custody(&live);

    let later = [
        "report",
        "--from",
        "2100-01-01",
        "--to",
        "2100-12-31",
        "--json",
    ];
    let later = json(&scene.sluis(AUDITOR).ok(&later));
    assert_eq!(
        (
            &later["entries"],
            rows(&later, "work").len(),
            rows(&later, "refusals").len()
        ),
        (&0.into(), 0, 0)
    );
    let wrong = scene
        .sluis(AUDITOR)
        .run(&["report", "--from", "2026-02-02", "--to", "2026-02-01"]);
    assert!(exits(&wrong, 2).contains("--to lies before --from"));
    exits(
        &scene
            .sluis(AUDITOR)
            .run(&["report", "--from", "2026-02-30", "--to", "2026-03-01"]),
        2,
    );
    std::fs::write(format!("{copy}/checkpoint"), "nonsense").expect("written");
    let (from, to) = days();
    let damaged = scene
        .sluis(AUDITOR)
        .run(&["report", "--from", &from, "--to", &to, "--export", &copy]);
    assert!(exits(&damaged, 4).contains("checkpoint is missing or damaged"));
}

fn what_was_done(report: &Value, story: &Story) {
    let work = row(report, "work", "grant", &story.used);
    for (key, value) in [("who", RECIPIENT), ("act", "convert"), ("purpose", PURPOSE)] {
        assert_eq!(work[key], value);
    }
    assert_eq!(
        (&work["batches"], &work["rows"], &work["values"]),
        (&1.into(), &2.into(), &2.into())
    );
    for (grant, state, open, remaining) in [
        (&story.used, "approved", true, 8),
        (&story.open, "requested", true, 10),
        (&story.denied, "denied", false, 0),
        (&story.revoked, "revoked", false, 0),
    ] {
        let row = row(report, "grants", "grant", grant);
        assert_eq!(
            (&row["state"], &row["open"]),
            (&state.into(), &open.into()),
            "{row}"
        );
        assert_eq!(
            (&row["remaining"], &row["legal_basis"]),
            (&remaining.into(), &"consent".into()),
            "{row}"
        );
    }
    assert_eq!(
        row(report, "grants", "grant", &story.revoked)["ended_by"],
        RECIPIENT
    );
    assert_eq!(
        row(report, "grants", "grant", &story.denied)["ended_by"],
        STEWARDS[0]
    );
    let finding = row(report, "grants", "purpose", FINDING);
    assert_eq!(finding["approved_by"], serde_json::json!(STEWARDS));
    assert_eq!(
        (&finding["state"], &finding["used"]),
        (&"exhausted".into(), &1.into())
    );
    let outcomes: Vec<_> = rows(report, "proposals")
        .iter()
        .map(|row| row["outcome"].as_str().expect("text"))
        .collect();
    let rejected = format!("rejected by {}", STEWARDS[0]);
    assert_eq!(
        outcomes,
        [
            "effective: registry version 1",
            "effective: registry version 2",
            &rejected
        ]
    );
}

fn what_was_refused(report: &Value, story: &Story) {
    for (reason, who, act) in [
        ("GRANT_NOT_APPROVED", RECIPIENT, "convert"),
        ("GRANT_EXHAUSTED", SOURCE, "reidentify"),
        ("UNKNOWN_GRANT", "outsider/etl", "convert"),
        ("QUOTA_SUBJECTS", "gp-south/etl", "pseudonymise"),
    ] {
        let row = row(report, "refusals", "reason", reason);
        let expected = (&Value::from(who), &Value::from(act), &Value::from(1));
        assert_eq!((&row["who"], &row["act"], &row["times"]), expected, "{row}");
    }
    let alarm = &rows(report, "quota_alarms")[0];
    assert_eq!(
        (&alarm["who"], &alarm["place"]),
        (&"gp-south/etl".into(), &STUDY.into())
    );
    assert_eq!(rows(report, "quota_alarms").len(), 1);
    assert!(!report.to_string().contains(&story.token));
}

fn keys_and_custody(report: &Value) {
    let chains: Vec<_> = rows(report, "keys")
        .iter()
        .filter(|key| key["chain"] == NATIONAL)
        .collect();
    assert_eq!(
        chains.len(),
        2,
        "the first version and the one of the rotation: {}",
        report["keys"]
    );
    assert!(
        chains.iter().any(|key| key["last_used"] == "")
            && chains.iter().all(|key| key["namespace"] == "nl.bsn")
    );
    assert!(
        rows(report, "keys")
            .iter()
            .any(|key| key["chain"] == STUDY && key["last_used"] != "")
    );
    let acts: Vec<_> = rows(report, "custody")
        .iter()
        .map(|row| row["act"].as_str().expect("text"))
        .collect();
    assert_eq!(
        acts,
        [
            "initialise",
            "custodians",
            "unseal",
            "chain-rotate",
            "audit-key-rotate"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steward_gets_what_concerns_their_organisation_and_nobody_elses_purposes() {
    let story = story().await;
    let scene = &story.scene;
    let own = said(scene, OTHER_STEWARD, &["--own"]);
    let text = own.to_string();
    let all = said(scene, AUDITOR, &[]).to_string();
    for foreign in [FINDING, "gp-south", "QUOTA_SUBJECTS", "audit-key-rotate"] {
        assert!(
            all.contains(foreign) && !text.contains(foreign),
            "{foreign} in {text}"
        );
    }
    assert_eq!(row(&own, "work", "grant", &story.used)["purpose"], PURPOSE);
    // Another's attempt on its chain does concern it.
    row(&own, "refusals", "who", "outsider/etl");
    let acts = |report: &Value| -> Vec<String> {
        rows(report, "chains")
            .iter()
            .map(|row| format!("{} {}", row["chain"], row["act"]))
            .collect()
    };
    let expected = [
        "\"diabetes-study\" \"convert\"",
        "\"national-registry\" \"convert\"",
    ];
    assert_eq!(acts(&own)[..2], expected);
    assert_eq!(rows(&own, "grants").len(), 4);
    // The versions of others are not taken for its own: it sees them in conversions only.
    for key in rows(&own, "keys") {
        let mine = key["chain"] == NATIONAL;
        assert!(
            mine || key["chain"] == STUDY || key["chain"] == "diabetes-study or national-registry",
            "{key}"
        );
    }
    let study = said(scene, STEWARDS[0], &["--own"]);
    row(&study, "grants", "purpose", FINDING);
    assert_eq!(rows(&study, "quota_alarms").len(), 1);
    let (from, to) = days();
    for (member, own) in [
        (OTHER_STEWARD, &[][..]),
        (SOURCE, &["--own"]),
        (SOURCE, &[]),
        ("custodian/anna", &[]),
    ] {
        let refused = scene
            .sluis(member)
            .run(&[&["report", "--from", &from, "--to", &to], own].concat());
        let told = exits(&refused, 1);
        assert!(
            told.contains("NOT_AN_AUDITOR") && refused.stdout.is_empty(),
            "{member}: {told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_needs_nothing_from_elsewhere_and_a_purpose_is_only_text() {
    let story = story().await;
    let scene = &story.scene;
    let file = scene.file("report.html");
    assert_eq!(
        report(scene, AUDITOR, &["--html", &file]),
        "",
        "the page instead of the text"
    );
    let page = scene.read("report.html");
    let purpose = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39; https://example.org/";
    assert!(page.contains(&format!("<td>{purpose}</td>")), "{page}");
    let without = page.replace(purpose, "");
    for outside in [
        "<script", "http:", "https:", "src=", "href=", "url(", "@import", "<link", "<iframe",
        "onload", "onclick",
    ] {
        assert!(!without.contains(outside), "{outside} in {without}");
    }
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</body></html>\n"));
    for tag in [
        "table", "tr", "td", "th", "div", "span", "svg", "figure", "h2", "thead", "tbody",
    ] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert!(
            opened > 0 && opened == page.matches(&format!("</{tag}>")).count(),
            "{tag}"
        );
    }
    for part in [
        "QUOTA_SUBJECTS",
        "Open grants",
        &story.open,
        FINDING,
        "chain-rotate",
    ] {
        assert!(page.contains(part), "{part}");
    }

    let (from, to) = days();
    let period = ["report", "--from", &from, "--to", &to];
    let again = [&period[..], &["--html", &file]].concat();
    let said = exits(&scene.sluis(AUDITOR).run(&again), 2);
    assert!(said.contains("--force"), "{said}");
    assert_eq!(scene.read("report.html"), page, "not replaced");
    let both = report(scene, AUDITOR, &["--html", &file, "--force", "--json"]);
    assert_eq!(json(&both)["entries"].as_u64(), Some(settled(scene).await));
    let text = report(scene, AUDITOR, &[]);
    assert!(!text.contains('\u{1b}'), "no colours where nobody looks");
    for part in [
        PURPOSE,
        "Refused attempts",
        "QUOTA_SUBJECTS",
        &story.revoked,
        "Acts of custody",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let nowhere = [&period[..], &["--html", "/nowhere/report.html"]].concat();
    exits(&scene.sluis(AUDITOR).run(&nowhere), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_an_export_that_was_changed_is_none() {
    let story = story().await;
    let scene = &story.scene;
    settled(scene).await;
    let directory = scene.file("copy");
    export(scene, &directory);
    let honest = Copy::read(&directory);
    let (from, to) = days();
    let period = [
        "report", "--from", &from, "--to", &to, "--export", &directory,
    ];
    let tried = |more: &[&str]| {
        let output = scene.sluis(AUDITOR).run(&[&period[..], more].concat());
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), shown, crate::story::said(&output))
    };
    let purpose = |entry: &[u8]| {
        entry
            .windows(FINDING.len())
            .any(|part| part == FINDING.as_bytes())
    };
    let mut changed = honest.clone();
    let mut entries = changed.entries();
    for entry in entries.iter_mut().filter(|entry| purpose(entry)) {
        let at = entry
            .windows(FINDING.len())
            .position(|part| part == FINDING.as_bytes());
        entry[at.expect("there")..][..FINDING.len()].copy_from_slice(b"incidental SELLING");
    }
    changed.set_entries(&entries);
    let mut with_tiles = changed.clone();
    with_tiles.set_tiles();
    let mut registry = honest.clone();
    registry.flip("registry/2.toml", 100);
    let mut unkeyed = honest.clone();
    unkeyed.0.remove("verifier-key");
    for (what, copy, code) in [
        ("a purpose", changed, 1),
        ("a purpose, and the tiles", with_tiles, 1),
        ("a registry", registry, 1),
        ("no key", unkeyed, 4),
    ] {
        std::fs::remove_dir_all(&directory).expect("removed");
        copy.write(&directory);
        for more in [&[][..], &["--json"], &["--organisation", "registry-office"]] {
            let (found, shown, said) = tried(more);
            assert_eq!((found, shown.as_str()), (Some(code), ""), "{what}: {said}");
        }
        let page = scene.file("page.html");
        assert_eq!(tried(&["--html", &page]).0, Some(code), "{what}");
        assert!(!std::path::Path::new(&page).exists(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_says_on_every_page_whether_it_was_verified_and_against_what() {
    let story = story().await;
    let scene = &story.scene;
    let size = settled(scene).await;
    let copy = scene.file("copy");
    let exported = export(scene, &copy);
    let text = |field: &str| exported[field].as_str().expect("text").to_owned();
    let page = scene.file("page.html");
    let (present, root) = (text("verifier_key"), text("root"));
    for key in [&present, &story.first_key] {
        let verified = ["--export", &copy, "--log-key", key];
        let shown = report(scene, AUDITOR, &verified);
        assert!(!shown.contains("NOT VERIFIED"), "{shown}");
        let as_for_verify = ["--export", &copy, "--key", key];
        assert_eq!(report(scene, AUDITOR, &as_for_verify), shown);
        let said = format!(
            "Verified: log {}, {size} entries, root {root}, with the key {key}",
            text("origin")
        );
        assert!(shown.contains(&said), "{said} in {shown}");
        let found = json(&report(
            scene,
            AUDITOR,
            &[&verified[..], &["--json"]].concat(),
        ));
        assert_eq!(
            (&found["verified"], &found["notice"]),
            (&true.into(), &Value::Null)
        );
        let log = &found["log"];
        assert_eq!(
            (&log["root"], &log["entries"]),
            (&root.as_str().into(), &size.into())
        );
        assert_eq!(
            (&log["origin"], &log["verifier_key"]),
            (&text("origin").into(), &key.as_str().into())
        );
        report(
            scene,
            AUDITOR,
            &[&verified[..], &["--html", &page, "--force"]].concat(),
        );
        assert!(!scene.read("page.html").contains("NOT VERIFIED"));
        assert!(scene.read("page.html").contains(&root));
    }
    for source in [&[][..], &["--export", &copy]] {
        let shown = report(scene, AUDITOR, source);
        let sections = shown.split("\n\n");
        assert!(sections.clone().count() > 8, "{shown}");
        for section in sections {
            let first = section.lines().next().unwrap_or_default();
            assert!(first.ends_with("(NOT VERIFIED)"), "{first}");
        }
        let found = json(&report(scene, AUDITOR, &[source, &["--json"]].concat()));
        let expected = (&false.into(), &"NOT VERIFIED".into(), &Value::Null);
        assert_eq!(
            (&found["verified"], &found["notice"], &found["log"]),
            expected
        );
        report(
            scene,
            AUDITOR,
            &[source, &["--html", &page, "--force"]].concat(),
        );
        let html = scene.read("page.html");
        let headings = html.matches("<h2>").count() + html.matches("<h1>").count();
        let marked = html.matches("(NOT VERIFIED)</h").count();
        assert!(headings > 8 && headings == marked, "{headings} {marked}");
        assert!(html.contains("<div class=\"banner\">NOT VERIFIED</div>"));
    }
    let (from, to) = days();
    let period = ["report", "--from", &from, "--to", &to];
    let stranger = present.replacen(&present[present.len() - 6..present.len() - 2], "AAAA", 1);
    for (more, code) in [
        (&["--export", &copy, "--log-key", &stranger][..], None),
        (&["--log-key", &present], Some(2)),
        (&["--organisation", "nowhere"], Some(2)),
        (&["--organisation", "nowhere", "--export", &copy], Some(2)),
    ] {
        let output = scene.sluis(AUDITOR).run(&[&period[..], more].concat());
        let found = output.status.code();
        let right = code.map_or(found != Some(0), |code| found == Some(code));
        assert!(right && output.stdout.is_empty(), "{more:?}: {found:?}");
    }
}
