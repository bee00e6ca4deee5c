//! Pinned keys of stewards.

use data_encoding::BASE64;

use super::*;
use sluis_domain::public_key::Algorithm;

fn identity(text: &str) -> Identity {
    text.parse().expect("an identity")
}

#[test]
fn a_steward_is_found_with_their_key_and_nobody_else_is() {
    let registry = small();
    assert_eq!(
        registry.key(&identity("uni-research/steward-1")),
        Some(&PublicKey::ed25519(&[1; 32]))
    );
    assert_eq!(
        registry.key(&identity("uni-research/steward-2")),
        Some(&PublicKey::ed25519(&[2; 32]))
    );
    assert_eq!(
        registry.key(&identity("gp-south/steward-1")),
        None,
        "the same name elsewhere is somebody else"
    );
    assert_eq!(registry.key(&identity("uni-research/etl")), None);
    let holders: Vec<String> = registry
        .keys()
        .map(|(holder, _)| holder.to_string())
        .collect();
    assert_eq!(
        holders,
        ["uni-research/steward-1", "uni-research/steward-2"]
    );
}

#[test]
fn the_sample_has_keys_of_both_kinds() {
    let registry = parse(SAMPLE).expect("the sample is valid");
    let kinds: Vec<_> = registry
        .keys()
        .map(|(holder, key)| (holder.to_string(), key.algorithm()))
        .collect();
    assert!(
        kinds.contains(&("uni-research/steward-1".to_owned(), Algorithm::EcdsaP256)),
        "{kinds:?}"
    );
    assert!(
        kinds.contains(&("uni-research/steward-2".to_owned(), Algorithm::Ed25519)),
        "{kinds:?}"
    );
}

#[test]
fn a_file_of_keys_can_be_appended() {
    let mut text = SMALL.to_owned();
    for number in [1, 2] {
        text = text.replace(&key(&format!("uni-research/steward-{number}"), number), "");
    }
    let keys = key("uni-research/steward-1", 1) + &key("uni-research/steward-2", 2);
    assert_eq!(parse(&(text + &keys)).as_ref(), Ok(&small()));
}

#[test]
fn every_steward_has_a_key() {
    let text = SMALL.replace(&key("uni-research/steward-2", 2), "");
    let path = "organisation[uni-research].stewards";
    refused(
        &text,
        "stewards = ",
        path,
        "add [[key]] with member = \"uni-research/steward-2\"",
    );
    // Also of an organisation that owns nothing, and one who is blocked.
    let text = edited(
        "members = [\"etl\"]",
        "members = [\"etl\", \"steward-1\"]\nstewards = [\"steward-1\"]\nblocked = [\"steward-1\"]",
    );
    let path = "organisation[hospital-north].stewards";
    refused(
        &text,
        "stewards = ",
        path,
        "\"steward-1\" has no public key to verify signatures with",
    );
    assert!(parse(&(text + &key("hospital-north/steward-1", 3))).is_ok());
}

#[test]
fn a_key_belongs_to_a_steward() {
    for (member, message) in [
        ("nowhere/steward-1", "there is no organisation \"nowhere\""),
        (
            "gp-south/steward-1",
            "\"steward-1\" is not one of the `stewards` of \"gp-south\"",
        ),
        (
            "uni-research/privacy-officer",
            "\"privacy-officer\" is not one of the `stewards` of \"uni-research\"",
        ),
    ] {
        let text = SMALL.to_owned() + &key(member, 3);
        refused(
            &text,
            &format!("member = \"{member}\""),
            &format!("key[{member}].member"),
            message,
        );
    }
}

#[test]
fn a_member_has_one_key() {
    let text = SMALL.to_owned() + "# again" + &key("uni-research/steward-1", 3);
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].path, "key[uni-research/steward-1].member");
    assert!(
        found[0]
            .message
            .contains("the key of \"uni-research/steward-1\" is there already, on line "),
        "{found:#?}"
    );
}

#[test]
fn two_members_have_two_keys() {
    let own = key("uni-research/steward-2", 2);
    let text = SMALL.replace(&own, &key("uni-research/steward-2", 1));
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].path, "key[uni-research/steward-2].public_key");
    assert!(
        found[0]
            .message
            .contains("\"uni-research/steward-1\" has this key already"),
        "{found:#?}"
    );

    // Not in two organisations either: it would still be one person.
    let text = edited(
        "members = [\"etl\"]",
        "members = [\"etl\"]\nstewards = [\"etl\"]",
    ) + &key("hospital-north/etl", 2);
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].path, "key[hospital-north/etl].public_key");
}

#[test]
fn a_key_is_read_strictly_and_never_quoted() {
    let good = PublicKey::ed25519(&[1; 32]).to_string();
    // What `openssl genpkey -algorithm ed25519` writes, with a seed that no one uses.
    let private = BASE64.encode(
        &[
            b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20",
            &[7; 32][..],
        ]
        .concat(),
    );
    for wrong in [
        "",
        "AAAA",
        &private,
        &good[1..],
        &format!("{good}="),
        &format!(" {good}"),
        "ssh-ed25519 AAAA",
    ] {
        let text = edited(&good, wrong);
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].path, "key[uni-research/steward-1].public_key");
        assert!(
            found[0]
                .message
                .starts_with("must be the base64 of a P-256"),
            "{found:#?}"
        );
        assert!(
            wrong.is_empty() || !found[0].message.contains(wrong),
            "what may be a private key is not shown"
        );
    }
}

#[test]
fn a_key_without_a_usable_member_is_one_problem() {
    let member = "member = \"uni-research/steward-1\"";
    for (wrong, path) in [
        ("member = \"steward-1\"", "key[steward-1].member"),
        ("member = \"uni-research/\"", "key[#1].member"),
        ("member = \"Uni/Steward\"", "key[#1].member"),
    ] {
        let found = problems(&edited(member, wrong));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].path, path);
        assert!(found[0].message.contains("is not valid"), "{found:#?}");
    }
    let found = problems(&edited(member, ""));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].message, "is required; add `member = ...`");
    let found =
        problems(&edited(member, "").replace(&PublicKey::ed25519(&[1; 32]).to_string(), "AAAA"));
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        ["key[#1].member", "key[#1].public_key"],
        "the rest of it is looked at all the same"
    );
}
