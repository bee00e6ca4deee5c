use proptest::prelude::*;
use sluis_domain::Kid;

use super::*;
use crate::token::Token;
use crate::{Secret, token};

/// One version of a line.
struct Version {
    kid: Kid,
    pseudonym_key: PseudonymKey,
    escrow: EscrowKeys,
}

impl Version {
    fn new(root: [u8; 32], escrow_root: [u8; 32], kid: u32) -> Self {
        let kid = Kid::new(kid).expect("not zero");
        let secret = |bytes| Secret::from_slice(bytes).expect("32 bytes");
        Self {
            kid,
            pseudonym_key: PseudonymKey::new(&secret(&root)),
            escrow: EscrowKeys::new(&secret(&escrow_root), kid),
        }
    }

    fn token(&self, link_value: &LinkValue) -> Vec<u8> {
        let pseudonym = self.pseudonym_key.pseudonym(link_value);
        let link = self.escrow.seal_carried(&pseudonym, link_value);
        let mut text = Vec::new();
        token::write_carried_text(self.kid, &pseudonym, &link, &mut text);
        text
    }

    /// As the engine does it: the kid says which version, and no other is tried.
    fn open(&self, token: &Token) -> Option<LinkValue> {
        let link = token.link.filter(|_| token.kid == self.kid)?;
        self.open_whatever_the_kid(token, &link)
    }

    fn open_whatever_the_kid(&self, token: &Token, link: &SealedLink) -> Option<LinkValue> {
        let opened = self
            .escrow
            .open_carried(&self.pseudonym_key, &token.pseudonym, link);
        opened.ok()
    }
}

fn version() -> Version {
    Version::new([1; 32], [2; 32], 7)
}

fn value(byte: u8) -> LinkValue {
    LinkValue::from_bytes([byte; 16])
}

/// Computed with Python's `hmac` and `cryptography`: roots 01.. and 02.., kid 7, link value 09...
#[test]
fn the_token_of_a_subject_is_frozen() {
    assert_eq!(
        String::from_utf8_lossy(&version().token(&value(9))),
        "psn1ciaaaaahd2ktga3csqv5idvghtr2vh2qcxapsdesiiqdzeejdhwbouqpynbgm73aze"
    );
}

#[test]
fn a_token_carries_what_the_row_of_its_pseudonym_holds() {
    let version = version();
    let pseudonym = version.pseudonym_key.pseudonym(&value(9));
    let link = version.escrow.seal_carried(&pseudonym, &value(9));
    assert_eq!(
        link.as_row_value(),
        version.escrow.seal_link(&pseudonym, &value(9))
    );
    assert_eq!(format!("{link:?}"), "SealedLink(..)");
}

#[test]
fn promise_7_every_flipped_bit_of_pseudonym_or_link_is_refused() {
    let version = version();
    let token = Token::parse(&version.token(&value(9))).expect("a token");
    assert_eq!(version.open(&token), Some(value(9)));
    let link = token.link.expect("carries one");
    for bit in 0..128 {
        let flipped = |bytes: &[u8; 16]| {
            let mut bytes = *bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        let changed = SealedLink::from_bytes(flipped(link.as_bytes()));
        assert_eq!(version.open_whatever_the_kid(&token, &changed), None);
        let other = Token {
            pseudonym: Pseudonym::from_bytes(flipped(token.pseudonym.as_bytes())),
            ..token
        };
        assert_eq!(version.open(&other), None, "bit {bit}");
    }
}

#[test]
fn promise_7_the_link_of_another_subject_is_refused() {
    let version = version();
    let parsed = |byte| Token::parse(&version.token(&value(byte))).expect("a token");
    let (one, two) = (parsed(1), parsed(2));
    assert_eq!(
        version.open(&Token {
            link: two.link,
            ..one
        }),
        None
    );
    assert_eq!(version.open(&Token { link: None, ..one }), None);
}

/// Cut: with another escrow root, even the right pseudonym key opens nothing.
#[test]
fn without_its_escrow_root_a_token_opens_nothing() {
    let version = version();
    let token = Token::parse(&version.token(&value(9))).expect("a token");
    let cut = Version::new([1; 32], [3; 32], 7);
    assert_eq!(cut.open(&token), None);
    assert_eq!(
        cut.pseudonym_key.pseudonym(&value(9)),
        token.pseudonym,
        "pseudonyms stay the same"
    );
}

proptest! {
    #[test]
    fn a_link_comes_back(root: [u8; 32], escrow_root: [u8; 32], kid in 1..=u32::MAX, link: [u8; 16]) {
        let version = Version::new(root, escrow_root, kid);
        let token = Token::parse(&version.token(&LinkValue::from_bytes(link))).expect("a token");
        prop_assert_eq!(version.open(&token), Some(LinkValue::from_bytes(link)));
    }

    #[test]
    fn promise_7_a_token_never_opens_in_another_version(
        link: [u8; 16],
        roots: [[u8; 32]; 4],
        kids in (1..=u32::MAX, 1..=u32::MAX).prop_filter("two", |(one, two)| one != two),
    ) {
        let one = Version::new(roots[0], roots[1], kids.0);
        let two = Version::new(roots[2], roots[3], kids.1);
        let token = Token::parse(&one.token(&LinkValue::from_bytes(link))).expect("a token");
        prop_assert_eq!(two.open(&token), None);
        let forged = Token { kid: two.kid, ..token };
        prop_assert_eq!(two.open(&forged), None, "not with a kid written over it either");
    }

    /// What is not refused as malformed is another subject's token, or nothing opens.
    #[test]
    fn promise_7_a_changed_token_never_resolves_to_a_subject(
        link: [u8; 16],
        changes in proptest::collection::vec((4..70usize, "[a-z2-7]"), 1..20),
    ) {
        let version = version();
        let text = version.token(&LinkValue::from_bytes(link));
        let mut changed = text.clone();
        for (place, character) in &changes {
            changed[*place] = character.as_bytes()[0];
        }
        let opened = Token::parse(&changed).ok().and_then(|token| version.open(&token));
        prop_assert_eq!(opened.is_some(), changed == text);
    }

    #[test]
    fn promise_7_a_made_up_token_is_refused(pseudonym: [u8; 16], link: [u8; 16]) {
        let version = version();
        let mut text = Vec::new();
        let link = SealedLink::from_bytes(link);
        token::write_carried_text(version.kid, &Pseudonym::from_bytes(pseudonym), &link, &mut text);
        let token = Token::parse(&text).expect("well-formed");
        prop_assert_eq!(version.open(&token), None);
    }
}
