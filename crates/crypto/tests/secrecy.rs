//! What holds a key, an identifier, a link value or a pseudonym shows nothing of it, and is wiped on drop.

use std::fmt::Debug;

use sluis_crypto::date_shift::DateShiftKey;
use sluis_crypto::element::{self, ElementKey};
use sluis_crypto::escrow::EscrowKeys;
use sluis_crypto::prehash::SourceKey;
use sluis_crypto::xaes::{Opener, Stream};
use sluis_crypto::{LinkKey, LinkValue, OptOutKey, Pseudonym, PseudonymKey, Secret};
use sluis_domain::{Kid, NamespaceId};
use zeroize::ZeroizeOnDrop;

/// 0xab is 171 in decimal, so either spelling would be seen.
const MARK: u8 = 0xab;

fn assert_shows_nothing(value: &dyn Debug) {
    for shown in [
        format!("{value:?}"),
        format!("{value:#?}"),
        format!("{value:x?}"),
    ] {
        assert!(
            !shown.contains("171") && !shown.to_lowercase().contains("ab"),
            "{shown}"
        );
        assert!(!shown.contains('['), "{shown}");
    }
}

#[test]
fn debug_shows_no_content_of_any_type() {
    let secret = Secret::from_slice(&[MARK; 32]).expect("32 bytes");
    let kid = Kid::new(7).expect("not zero");
    let namespace: NamespaceId = "n".parse().expect("an id");
    let escrow = EscrowKeys::new(&secret, kid);
    let key = ElementKey::new(
        &secret,
        &"c".parse().expect("an id"),
        &"e".parse().expect("an id"),
        kid,
    );
    let source_key = SourceKey::from_file_content(&[MARK; 32]).expect("32 bytes");
    let mut text = Vec::new();
    key.sealer()
        .write_text(&[MARK; 9], &mut text)
        .expect("not exhausted");
    let types: [&dyn Debug; 22] = [
        &secret,
        &LinkValue::from_bytes([MARK; 16]),
        &Pseudonym::from_bytes([MARK; 16]),
        &LinkKey::linked(&secret),
        &LinkKey::unlinked(&secret),
        &PseudonymKey::new(&secret),
        &DateShiftKey::new(&secret),
        &escrow,
        &escrow.identity_sealer(),
        &escrow.identity_opener(),
        escrow.import(),
        &escrow.import().sealer(),
        &escrow.import().opener(),
        &OptOutKey::new(&secret),
        &key,
        &key.sealer(),
        &key.opener(),
        &element::parse_text(&text).expect("well-formed"),
        &source_key,
        &source_key.for_namespace(&namespace),
        &Stream::new(&secret),
        &Opener::new(&secret),
    ];
    types.into_iter().for_each(assert_shows_nothing);
}

/// Compiles only while the features that wipe key schedules and hash states are on.
#[test]
fn everything_that_holds_a_key_is_wiped_on_drop() {
    fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<Secret>();
    wiped::<LinkValue>();
    wiped::<aes::Aes256>();
    wiped::<aes_gcm::Aes256Gcm>();
    // Also the states inside `hmac` and `hkdf`, which carry no marker of their own.
    wiped::<sha2::Sha256>();
}
