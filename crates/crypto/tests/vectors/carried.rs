//! Vectors of tokens that carry their links, and of what is refused for such a token. Keys are named as in `inputs.rs`.

use serde::Serialize;
use sluis_crypto::escrow::EscrowKeys;
use sluis_crypto::token::{CARRIED_BINARY_LEN, Token, to_carried_binary};
use sluis_crypto::{LinkValue, Pseudonym, PseudonymKey, SealedLink};
use sluis_domain::{Kid, Reason};

use crate::compute::{hex, secret, token_text};
use crate::inputs::named;

#[derive(Serialize)]
pub(crate) struct CarriedToken {
    root_kid: String,
    escrow_kid: String,
    kid: String,
    token: String,
    outcome: String,
}

/// One version of a line.
struct Version {
    root_kid: [u8; 32],
    escrow_kid: [u8; 32],
    kid: Kid,
}

impl Version {
    fn new(kid: u32) -> Self {
        Self {
            root_kid: named(&format!("root of kid {kid:08x}")),
            escrow_kid: named(&format!("escrow of kid {kid:08x}")),
            kid: Kid::new(kid).expect("not zero"),
        }
    }

    fn pseudonym_key(&self) -> PseudonymKey {
        PseudonymKey::new(&secret(&self.root_kid))
    }

    fn escrow(&self) -> EscrowKeys {
        EscrowKeys::new(&secret(&self.escrow_kid), self.kid)
    }

    fn parts(&self, subject: u32) -> (Pseudonym, SealedLink) {
        let bytes = named(&format!("link value {subject}"));
        let link_value = LinkValue::from_bytes(*bytes.first_chunk().expect("16 of 32 bytes"));
        let pseudonym = self.pseudonym_key().pseudonym(&link_value);
        let link = self.escrow().seal_carried(&pseudonym, &link_value);
        (pseudonym, link)
    }

    fn token(&self, pseudonym: &Pseudonym, link: SealedLink) -> String {
        token_text(self.kid, pseudonym, Some(link))
    }

    /// What this version makes of a token.
    fn read(&self, token: String) -> CarriedToken {
        CarriedToken {
            root_kid: hex(&self.root_kid),
            escrow_kid: hex(&self.escrow_kid),
            kid: hex(&self.kid.to_be_bytes()),
            outcome: match self.opened(&token) {
                Ok(link_value) => hex(link_value.expose()),
                Err(reason) => reason.code().to_owned(),
            },
            token,
        }
    }

    fn opened(&self, text: &str) -> Result<LinkValue, Reason> {
        let token = Token::parse(text.as_bytes())?;
        let link = token.link.filter(|_| token.kid == self.kid);
        let link = link.ok_or(Reason::UnknownPseudonym)?;
        self.escrow()
            .open_carried(&self.pseudonym_key(), &token.pseudonym, &link)
            .map_err(|_| Reason::UnknownPseudonym)
    }
}

pub(crate) fn carried_tokens() -> Vec<CarriedToken> {
    let (version, other) = (Version::new(0x1234_5678), Version::new(0x1234_5679));
    let (pseudonym, link) = version.parts(1);
    let (second, link_of_second) = version.parts(2);
    let token = version.token(&pseudonym, link);
    let flip = |bytes: &[u8; 16], bit: usize| {
        let mut bytes = *bytes;
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        bytes
    };
    let flipped_link = SealedLink::from_bytes(flip(link.as_bytes(), 0));
    let flipped_pseudonym = Pseudonym::from_bytes(flip(pseudonym.as_bytes(), 127));
    let binary: [u8; CARRIED_BINARY_LEN] = to_carried_binary(version.kid, &pseudonym, &link);
    let tokens = [
        token.clone(),
        token.to_uppercase(),
        version.token(&second, link_of_second),
        // Well-formed, and of no subject.
        version.token(&pseudonym, link_of_second),
        version.token(&second, link),
        version.token(&pseudonym, flipped_link),
        version.token(&flipped_pseudonym, link),
        // Of another version, and with this kid written over its own.
        other.token(&pseudonym, link),
        version.token(&other.parts(1).0, other.parts(1).1),
        // Without its link: there is no row either.
        token_text(version.kid, &pseudonym, None),
        // Malformed.
        token[..69].to_owned(),
        token[..44].to_owned(),
        format!("{token}a"),
        format!("{} ", &token[..69]),
        token.replacen("psn1", "psn2", 1),
        with_last(&token, 1),
        with_last(&token, 2),
        retyped(&token),
        reformatted(binary, 0x11),
        reformatted(binary, 0x13),
    ];
    tokens
        .into_iter()
        .map(|token| version.read(token))
        .collect()
}

/// With an unused bit of the last character set.
fn with_last(token: &str, bit: usize) -> String {
    let alphabet = b"abcdefghijklmnopqrstuvwxyz234567";
    let last = token.as_bytes()[token.len() - 1];
    let value = alphabet.iter().position(|it| *it == last).expect("base32");
    let text = token[..token.len() - 1].to_owned();
    text + &char::from(alphabet[value | bit]).to_string()
}

/// With one character mistyped.
fn retyped(token: &str) -> String {
    let other = if &token[40..41] == "q" { "r" } else { "q" };
    format!("{}{other}{}", &token[..40], &token[41..])
}

/// With another first byte and the check sum that belongs to it.
fn reformatted(mut binary: [u8; CARRIED_BINARY_LEN], format: u8) -> String {
    binary[0] = format;
    let check_sum = crc32fast::hash(&binary[..37]).to_be_bytes();
    binary[37..].copy_from_slice(&check_sum);
    let text = data_encoding::BASE32_NOPAD.encode(&binary);
    format!("psn1{}", text.to_lowercase())
}

#[test]
fn the_vectors_have_tokens_that_open_and_both_refusals() {
    let outcomes = carried_tokens().into_iter().map(|token| token.outcome);
    let outcomes: Vec<String> = outcomes.collect();
    let count = |wanted: &str| outcomes.iter().filter(|it| *it == wanted).count();
    assert_eq!(count(Reason::UnknownPseudonym.code()), 7);
    assert_eq!(count(Reason::MalformedPseudonym.code()), 10);
    assert_eq!(outcomes.iter().filter(|it| it.len() == 32).count(), 3);
}
