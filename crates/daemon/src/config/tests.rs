use sluis_domain::PublicKey;
use sluis_ledger::Custodian;

use super::*;

const SMALLEST: &str = r#"
listen = "127.0.0.1:7443"
trust_domain = "custodian.example"
data_directory = "/var/lib/sluis"
custodians = [
    "custodian/anna=MCowBQYDK2VwAyEAMVUZIK7QfwLKjjJYRfGPdPKMFh4SQiukPnW6hnie1W8=",
    "custodian/ben=MCowBQYDK2VwAyEAiNZXb8fTSTc5XakCcOE6ZEq/FcKzhf2SLmCWGYMPmdQ=",
]
[tls]
cert = "cert.pem"
key = "key.pem"
client_ca = "ca.pem"
[kek]
file = "/etc/sluis/kek"
[audit]
head_file = "/var/lib/head/head"
"#;

fn with(environment: &[(&str, &str)], flags: &[&str]) -> Sources {
    Sources {
        file: None,
        environment: environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
    }
}

#[test]
fn the_documented_sample_is_valid_and_shows_every_key() {
    let text = include_str!("../../../../docs/samples/sluisd.toml");
    let loaded = parse(text, &Sources::default()).expect("the sample is valid");
    // Every key of the effective configuration is in the sample, at least as a comment.
    for line in loaded.effective.lines().filter(|line| line.contains(" = ")) {
        let key = line.split(" = ").next().unwrap_or_default();
        assert!(
            text.contains(&format!("{key} = ")),
            "the sample does not show {key}"
        );
    }
}

#[test]
fn the_effective_configuration_means_the_same() {
    let loaded = parse(SMALLEST, &Sources::default()).expect("valid");
    let again = parse(&loaded.effective, &Sources::default()).expect("valid");
    assert_eq!(
        format!("{:?}", loaded.settings),
        format!("{:?}", again.settings)
    );
}

#[test]
fn a_budget_that_is_too_small_for_a_common_batch_is_refused() {
    for (budget, message, good) in [
        ("54525952", "4194304", true),
        ("54525951", "4194304", false),
        ("134217728", "33554432", false),
        ("306184192", "67108864", true),
    ] {
        let sources = with(
            &[
                ("SLUISD_LIMITS__IN_FLIGHT_BYTES", budget),
                ("SLUISD_LIMITS__MAX_MESSAGE_BYTES", message),
            ],
            &[],
        );
        assert_eq!(
            parse(SMALLEST, &sources).is_ok(),
            good,
            "{budget} with messages of {message}"
        );
    }
    let smallest = parse(
        SMALLEST,
        &with(&[("SLUISD_LIMITS__IN_FLIGHT_BYTES", "54525952")], &[]),
    )
    .expect("valid");
    assert!(crate::services::batches::most_rows(&smallest.settings.limits, 4) >= 8_192);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = r#"
listen = "nowhere"
trust_domain = "Not A Domain"
custodians = ["anna"]
colour = "blue"
[tls]
cert = "c"
key = 7
shoe = 1
[limits]
max_connections = 0
drain_seconds = "soon"
[surprise.inner]
deep = true
"#;
    let ConfigError(problems) =
        parse(text, &with(&[("SLUISD_TLS__HAT", "x")], &["nonsense"])).expect_err("many");
    for key in [
        "--set nonsense",
        "listen",
        "trust_domain",
        "data_directory",
        "custodians",
        "tls.key",
        "tls.client_ca",
        "audit.head_file",
        "kek",
        "limits.max_connections",
        "limits.drain_seconds",
        "colour: unknown key",
        "tls.shoe: unknown key",
        "tls.hat: unknown key",
        "surprise.inner.deep: unknown key",
    ] {
        assert!(
            problems.iter().any(|p| p.starts_with(key)),
            "{key} is missing in {problems:#?}"
        );
    }
}

#[test]
fn the_head_file_is_required_and_lies_apart_from_the_store() {
    let problem = |text: &str| {
        let ConfigError(problems) = parse(text, &Sources::default()).expect_err("refused");
        assert!(
            problems
                .iter()
                .all(|problem| problem.starts_with("audit.head_file")),
            "{problems:?}"
        );
    };
    problem(&SMALLEST.replace("head_file = \"/var/lib/head/head\"", ""));
    problem(&SMALLEST.replace("/var/lib/head/head", "/var/lib/sluis/head"));
    let relative = SMALLEST.replace("/var/lib/sluis", "data");
    problem(&relative.replace("/var/lib/head/head", "./data/head"));
    assert!(
        parse(
            &relative.replace("/var/lib/head/head", "data-head"),
            &Sources::default()
        )
        .is_ok()
    );
}

#[test]
fn flags_win_over_environment_and_environment_over_file() {
    let sources = with(
        &[
            ("SLUISD_LISTEN", "127.0.0.1:1"),
            ("SLUISD_LIMITS__CPU_THREADS", "3"),
            ("SLUIS_SERVER", "not ours"),
        ],
        &["listen=127.0.0.1:2"],
    );
    let settings = parse(SMALLEST, &sources).expect("valid").settings;
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.limits.cpu_threads, 3);
}

#[test]
fn a_value_of_the_wrong_type_names_its_key_and_where_it_comes_from() {
    let file = SMALLEST.replace("[tls]", "[limits]\nmax_connections = \"9\"\n[tls]");
    let problem = |text: &str, sources: Sources| {
        let ConfigError(problems) = parse(text, &sources).expect_err("refused");
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.into_iter().next().unwrap_or_default()
    };
    let what = "limits.max_connections: must be a whole number";
    let from_file = problem(&file, Sources::default());
    assert_eq!(from_file, format!("{what} (the file)"));
    let environment = with(&[("SLUISD_LIMITS__MAX_CONNECTIONS", "many")], &[]);
    assert_eq!(
        problem(&file, environment),
        format!("{what} (the environment)")
    );
    let flags = with(
        &[("SLUISD_LIMITS__MAX_CONNECTIONS", "9")],
        &["limits.max_connections=many"],
    );
    assert_eq!(problem(&file, flags), format!("{what} (--set)"));
}

#[test]
fn layers_replace_single_values_and_never_a_section() {
    let settings = |sources| parse(SMALLEST, &sources).map(|loaded| loaded.settings);
    assert_eq!(
        settings(Sources::default()).expect("valid").tls.cert,
        Path::new("cert.pem")
    );
    let environment = with(&[("SLUISD_TLS__CERT", "other.pem")], &[]);
    let tls = settings(environment).expect("valid").tls;
    assert_eq!(tls.cert, Path::new("other.pem"));
    assert_eq!(tls.key, Path::new("key.pem"), "the rest of the section");
    let both = with(&[("SLUISD_TLS", "x"), ("SLUISD_TLS__CERT", "y")], &[]);
    let ConfigError(problems) = settings(both).expect_err("a section is no value");
    assert!(
        problems.contains(&"SLUISD_TLS: tls is a section".to_owned()),
        "{problems:?}"
    );
    for (environment, flags, name) in [
        (&[("SLUISD_", "x")][..], &[][..], "SLUISD_:"),
        (
            &[("SLUISD_CUSTODIANS[9]", "x")],
            &[],
            "SLUISD_CUSTODIANS[9]:",
        ),
        (&[], &["=x"], "--set :"),
        (&[("SLUISD_TLS__HAT", "x")], &[], "tls.hat: unknown key"),
        (&[], &["shoe=x"], "shoe: unknown key (--set)"),
    ] {
        let ConfigError(problems) = settings(with(environment, flags)).expect_err(name);
        assert!(problems.iter().any(|p| p.starts_with(name)), "{problems:?}");
    }
}

#[test]
fn lists_come_from_the_environment_in_two_forms() {
    let [x, y] = [custodian("a/x", 1), custodian("b/y", 2)];
    for form in [format!("{x}, {y}"), format!("[\"{x}\", \"{y}\"]")] {
        let settings = parse(SMALLEST, &with(&[("SLUISD_CUSTODIANS", &form)], &[]))
            .expect("valid")
            .settings;
        assert_eq!(settings.custodians, [x.clone(), y.clone()], "{form}");
    }
}

#[test]
fn custodians_come_with_keys_of_their_own() {
    let problem = |custodians: &str| {
        let ConfigError(problems) =
            parse(SMALLEST, &with(&[("SLUISD_CUSTODIANS", custodians)], &[])).expect_err("refused");
        problems.into_iter().next().expect("at least one")
    };
    for keyless in [
        "custodian/anna",
        "custodian/anna=",
        "custodian/anna=AAAA",
        "custodian/anna=a key",
    ] {
        let said = problem(keyless);
        assert!(
            said.starts_with("custodians") && said.contains("sluis key show"),
            "{said}"
        );
    }
    let alone = problem(&custodian("a/x", 1).to_string());
    assert!(alone.contains("at least two"), "{alone}");
    let [x, y] = [custodian("a/x", 1), custodian("b/y", 1)];
    let said = problem(&format!("{x},{y}"));
    assert!(said.contains("a/x and b/y have the same key"), "{said}");
    let said = problem(&format!("{x},{}", custodian("a/x", 2)));
    assert!(said.contains("a/x is named twice"), "{said}");
}

fn custodian(identity: &str, byte: u8) -> Custodian {
    Custodian {
        identity: identity.parse().expect("an identity"),
        key: PublicKey::ed25519(&[byte; 32]),
    }
}

#[test]
fn a_kek_comes_from_exactly_one_place() {
    assert!(parse(SMALLEST, &with(&[("SLUISD_KEK__CREDENTIAL", "kek")], &[])).is_err());
    assert!(
        parse(
            &SMALLEST.replace("file = \"/etc/sluis/kek\"", ""),
            &Sources::default()
        )
        .is_err()
    );
    assert!(
        parse(
            &SMALLEST.replace("file = \"/etc/sluis/kek\"", "credential = \"../kek\""),
            &Sources::default()
        )
        .is_err()
    );
}

#[test]
fn a_kek_in_shares_or_in_a_token_is_a_kek() {
    let with_kek = |kek: &str| {
        parse(
            &SMALLEST.replace("file = \"/etc/sluis/kek\"", kek),
            &Sources::default(),
        )
    };
    let source = |kek: &str| with_kek(kek).map(|loaded| loaded.settings.kek);
    assert_eq!(source("shares = true"), Ok(KekSource::Shares));
    let token = r#"pkcs11 = { module = "m.so", token = "t", key = "k", pin_file = "p" }"#;
    assert!(matches!(source(token), Ok(KekSource::Token(settings)) if settings.token == "t"));
    let effective = with_kek(token).expect("valid").effective;
    assert_eq!(
        parse(&effective, &Sources::default()).map(|again| again.settings.kek),
        source(token)
    );
    for bad in [
        "shares = false",
        "shares = 3",
        "pkcs11 = true",
        "pkcs11 = { module = \"m.so\" }",
        "shares = true\nfile = \"f\"",
    ] {
        assert!(source(bad).is_err(), "{bad}");
    }
    let pin = with(&[("SLUISD_KEK__PKCS11__PIN_FILE", "other")], &[]);
    let loaded = parse(&SMALLEST.replace("file = \"/etc/sluis/kek\"", token), &pin).expect("valid");
    assert!(
        matches!(loaded.settings.kek, KekSource::Token(settings) if settings.pin_file == Path::new("other"))
    );
}

#[test]
fn a_file_that_is_not_toml_is_one_problem_among_others() {
    let ConfigError(problems) =
        parse("listen = ", &with(&[("SLUISD_X", "1")], &[])).expect_err("not TOML");
    assert!(problems.iter().any(|p| p.contains("not TOML")));
    assert!(
        problems
            .iter()
            .any(|p| p == "x: unknown key (the environment)")
    );
}

#[test]
fn bounds_below_what_an_honest_request_needs_are_refused() {
    for flag in [
        "limits.max_message_bytes=65536",
        "limits.max_header_bytes=1024",
        "audit.max_lag_seconds=4",
    ] {
        let refused = parse(SMALLEST, &with(&[], &[flag])).expect_err(flag);
        let (key, _) = flag.split_once('=').expect("key and value");
        assert!(refused.to_string().contains(key), "{refused}");
    }
    let sources = with(&[], &["audit.max_lag_seconds=5"]);
    assert!(parse(SMALLEST, &sources).is_ok(), "as long as a head takes");
}

#[test]
fn the_room_a_store_needs_follows_its_write_buffers_and_can_be_waived() {
    let room = |flags: &[&str]| {
        let loaded = parse(SMALLEST, &with(&[], flags)).expect("valid");
        loaded.settings.store.min_free_bytes
    };
    assert_eq!(room(&[]), 80 << 20);
    assert_eq!(room(&["store.write_buffer_bytes=4194304"]), 5 << 20);
    assert_eq!(room(&["store.min_free_bytes=0"]), 0);
}
