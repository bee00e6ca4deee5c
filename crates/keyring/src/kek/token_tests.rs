//! Against SoftHSM, each case in a process of its own: the module reads `SOFTHSM2_CONF` once, when it is loaded, and keeps
//! its state for the life of the process. The test that is listed makes tokens and runs the case beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use sluis_crypto::wrap;

use super::*;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// Where a case finds its tokens.
const DIRECTORY: &str = "SLUIS_TEST_TOKENS";

/// Makes a directory with a token for each label, and runs a case of this file in a process that sees only those.
fn run(case: &str, labels: &[&str]) {
    assert!(
        Path::new(MODULE).exists(),
        "SoftHSM is needed; run: deploy/setup.sh test"
    );
    let scratch = tempfile::tempdir().expect("scratch");
    let directory = scratch.path();
    let conf = directory.join("softhsm2.conf");
    fs::create_dir(directory.join("tokens")).expect("made");
    let tokens = directory.join("tokens");
    fs::write(
        &conf,
        format!(
            "directories.tokendir = {}\nlog.level = ERROR\n",
            tokens.display()
        ),
    )
    .expect("written");
    for label in labels {
        let mut util = Command::new("softhsm2-util");
        util.args([
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            "87654321",
            "--pin",
            "1234",
        ]);
        let made = util
            .env("SOFTHSM2_CONF", &conf)
            .output()
            .expect("softhsm2-util runs");
        assert!(made.status.success(), "{made:?}");
    }
    write_pin(directory, "1234\n");
    let name = format!(
        "{}::{case}",
        module_path!()
            .split_once("::")
            .expect("a module of this crate")
            .1
    );
    let mut child = Command::new(std::env::current_exe().expect("own path"));
    child
        .args(["--exact", &name, "--ignored", "--nocapture"])
        .env("SOFTHSM2_CONF", &conf)
        .env(DIRECTORY, directory);
    let outcome = child.output().expect("runs");
    let said = String::from_utf8_lossy(&outcome.stdout);
    let failed = String::from_utf8_lossy(&outcome.stderr);
    assert!(
        outcome.status.success() && said.contains("1 passed"),
        "{said}{failed}"
    );
}

fn directory() -> PathBuf {
    std::env::var_os(DIRECTORY)
        .expect("this case is run by the test of its name without `case_`")
        .into()
}

fn write_pin(directory: &Path, content: &str) {
    let path = directory.join("pin");
    fs::write(&path, content).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
}

fn settings(key: &str) -> TokenSettings {
    TokenSettings {
        module: MODULE.into(),
        token: "sluis".into(),
        key: key.into(),
        pin_file: directory().join("pin"),
    }
}

#[test]
fn a_token_gives_back_the_kek_that_its_key_wrapped() {
    run(
        "case_a_token_gives_back_the_kek_that_its_key_wrapped",
        &["other", "sluis"],
    );
}

#[test]
#[ignore = "run by the test of the same name"]
fn case_a_token_gives_back_the_kek_that_its_key_wrapped() {
    let token = Token::open(&settings("kek")).expect("opens");
    assert!(matches!(token.new_kek(), Err(TokenError::KeyAbsent(label)) if label == "kek"));
    assert!(matches!(token.ping(), Err(TokenError::KeyAbsent(_))));
    assert!(token.ensure_key().expect("makes the key"), "made");
    assert!(
        !token.ensure_key().expect("finds the key"),
        "not made twice"
    );
    let kek = token.new_kek().expect("wraps");
    let record = KekRecord::of(&kek);
    assert!(token.unwrap(&record).expect("unwraps").secret() == kek.secret());
    assert_ne!(
        KekRecord::of(&token.new_kek().expect("wraps")),
        record,
        "each KEK is a new one"
    );
    token.ping().expect("there");
    // A second one at the same time, as when a KEK moves from one key to another; it outlives the first.
    let other = Token::open(&settings("another")).expect("opens");
    assert!(other.ensure_key().expect("makes its key"));
    assert!(
        matches!(other.unwrap(&record), Err(TokenError::WrongKey(label)) if label == "another")
    );
    drop(token);
    other.ping().expect("there");
    let again = Token::open(&settings("kek")).expect("opens");
    assert!(again.unwrap(&record).expect("unwraps").secret() == kek.secret());
    assert_eq!(format!("{again:?}"), "Token(\"sluis\", key \"kek\")");
}

#[test]
fn a_changed_wrap_is_refused() {
    run("case_a_changed_wrap_is_refused", &["sluis"]);
}

#[test]
#[ignore = "run by the test of the same name"]
fn case_a_changed_wrap_is_refused() {
    let token = Token::open(&settings("kek")).expect("opens");
    token.ensure_key().expect("makes the key");
    let kek = token.new_kek().expect("wraps");
    let record = KekRecord::of(&kek);
    let Protection::Token(wrapped) = &record.protection else {
        panic!("of a token")
    };
    let refused = |protection| {
        let changed = KekRecord {
            protection,
            ..record.clone()
        };
        matches!(token.unwrap(&changed), Err(TokenError::WrongKey(_)))
    };
    for at in 0..SEALED {
        let mut changed = wrapped.clone();
        changed.sealed[at] ^= 1;
        assert!(refused(Protection::Token(changed)), "byte {at}");
    }
    for at in 0..IV {
        let mut changed = wrapped.clone();
        changed.iv[at] ^= 1;
        assert!(
            refused(Protection::Token(changed)),
            "byte {at} of the vector"
        );
    }
    assert!(refused(Protection::Key), "not of a token at all");
    assert!(token.unwrap(&record).is_ok());
}

#[test]
fn a_key_that_could_leave_the_token_is_refused() {
    run(
        "case_a_key_that_could_leave_the_token_is_refused",
        &["sluis"],
    );
}

#[test]
#[ignore = "run by the test of the same name"]
fn case_a_key_that_could_leave_the_token_is_refused() {
    let made_by_hand = |label: &str, sensitive, extractable, length: u64| {
        let token = Token::open(&settings(label)).expect("opens");
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(length.into()),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Token(true),
            Attribute::Sensitive(sensitive),
            Attribute::Extractable(extractable),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
        ];
        let session = token.context.open_rw_session(token.slot).expect("opens");
        session
            .generate_key(&Mechanism::AesKeyGen, &template)
            .expect("made");
        drop(session);
        token
    };
    for (label, sensitive, extractable, length) in [
        ("extractable", true, true, 32),
        ("readable", false, false, 32),
        ("short", true, false, 16),
    ] {
        let token = made_by_hand(label, sensitive, extractable, length);
        assert!(
            matches!(token.new_kek(), Err(TokenError::KeyUnfit(_))),
            "{label}"
        );
        assert!(
            matches!(token.ensure_key(), Err(TokenError::KeyUnfit(_))),
            "{label}"
        );
    }
    made_by_hand("twice", true, false, 32)
        .new_kek()
        .expect("one is fine");
    let two = made_by_hand("twice", true, false, 32);
    assert!(matches!(two.new_kek(), Err(TokenError::KeyAmbiguous(_))));
}

#[test]
fn each_thing_that_is_wrong_has_its_own_error() {
    run(
        "case_each_thing_that_is_wrong_has_its_own_error",
        &["sluis", "double", "double"],
    );
}

#[test]
#[ignore = "run by the test of the same name"]
fn case_each_thing_that_is_wrong_has_its_own_error() {
    let open = |settings: TokenSettings| Token::open(&settings).map(drop).unwrap_err();
    let right = settings("kek");
    let no_module = TokenSettings {
        module: directory().join("nothing.so"),
        ..right.clone()
    };
    assert!(
        matches!(open(no_module), TokenError::Module { path, .. } if path.ends_with("nothing.so"))
    );
    let not_a_library = TokenSettings {
        module: directory().join("pin"),
        ..right.clone()
    };
    assert!(matches!(open(not_a_library), TokenError::Module { .. }));
    let absent = TokenSettings {
        token: "slui".into(),
        ..right.clone()
    };
    assert!(matches!(open(absent), TokenError::TokenAbsent(label) if label == "slui"));
    let double = TokenSettings {
        token: "double".into(),
        ..right.clone()
    };
    assert!(matches!(open(double), TokenError::TokenAmbiguous(_)));
    for bad in ["", "\n", "1234\n\n", "12\t34", "é", &"1".repeat(127)] {
        write_pin(&directory(), bad);
        assert!(
            matches!(
                open(right.clone()),
                TokenError::Pin(KekError::MalformedPin(_))
            ),
            "{bad:?}"
        );
    }
    for wrong in ["4321", "1234 ", &"1".repeat(126)] {
        write_pin(&directory(), wrong);
        assert!(
            matches!(open(right.clone()), TokenError::WrongPin),
            "{wrong:?}"
        );
    }
    write_pin(&directory(), "1234\r\n");
    Token::open(&right).expect("line ends are no part of a PIN");
    fs::set_permissions(directory().join("pin"), fs::Permissions::from_mode(0o644))
        .expect("own file");
    assert!(matches!(
        open(right.clone()),
        TokenError::Pin(KekError::Permissions { mode: 0o644, .. })
    ));
    fs::remove_file(directory().join("pin")).expect("own file");
    assert!(matches!(open(right), TokenError::Pin(KekError::Io { .. })));
}

#[test]
fn a_token_that_is_taken_away_is_noticed_and_found_again() {
    run(
        "case_a_token_that_is_taken_away_is_noticed_and_found_again",
        &["sluis"],
    );
}

#[test]
#[ignore = "run by the test of the same name"]
fn case_a_token_that_is_taken_away_is_noticed_and_found_again() {
    let (tokens, aside) = (directory().join("tokens"), directory().join("aside"));
    let token = Token::open(&settings("kek")).expect("opens");
    token.ensure_key().expect("makes the key");
    let kek = token.new_kek().expect("wraps");
    let record = KekRecord::of(&kek);
    token.ping().expect("there");
    fs::rename(&tokens, &aside).expect("same file system");
    assert!(matches!(
        token.ping(),
        Err(TokenError::Gone(_) | TokenError::TokenAbsent(_))
    ));
    assert!(token.unwrap(&record).is_err() && token.new_kek().is_err());
    drop(token);
    assert!(Token::open(&settings("kek")).is_err());
    fs::rename(&aside, &tokens).expect("same file system");
    let token = Token::open(&settings("kek")).expect("found again");
    assert!(wrap::check_value(token.unwrap(&record).expect("unwraps").secret()) == record.check);
}
