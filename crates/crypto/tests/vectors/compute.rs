//! From the inputs of a vector to all its values. Derived keys are computed by label and used by the public types, so a type
//! that took another label would not agree with its own vector.

use std::num::NonZeroU32;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::Serialize;
use sluis_crypto::date_shift::DateShiftKey;
use sluis_crypto::element::{self, ElementKey};
use sluis_crypto::escrow::EscrowKeys;
use sluis_crypto::prehash::SourceKey;
use sluis_crypto::token::Token;
use sluis_crypto::{
    LinkKey, LinkValue, Pseudonym, PseudonymKey, SealedLink, Secret, kdf, labels, lp, token, xaes,
};
use sluis_domain::identifier::{Checksum, normalise};
use sluis_domain::{ChainId, ElementName, Kid, NamespaceId, WipedBuffer};

use crate::inputs::{CaseInput, DateShiftInput, ElementInput, Identifier};

#[derive(Serialize)]
pub(crate) struct Case {
    namespace: &'static str,
    pub(crate) identifier_kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identifier_hex: Option<String>,
    pub(crate) input: &'static str,
    pub(crate) link: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_key: Option<String>,
    root_namespace: String,
    root_kid: String,
    escrow_kid: String,
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_nonce: Option<String>,
    normalised: String,
    x: String,
    link_key: String,
    pseudonym_key: String,
    index_key: String,
    link_seal_key: String,
    identity_seal_key: String,
    link_value: String,
    pseudonym: String,
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sealed_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_when_cut: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_row_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_row_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity_row_value: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Element {
    root_kid: String,
    kid: String,
    chain: &'static str,
    element: &'static str,
    nonce: String,
    plaintext: String,
    text: String,
}

#[derive(Serialize)]
pub(crate) struct DateShift {
    root_chain: String,
    link_value: String,
    max_days: u32,
    days: i64,
}

pub(crate) fn case(input: CaseInput) -> Case {
    let namespace: NamespaceId = input.namespace.parse().expect("an id");
    let kid = Kid::new(input.kid).expect("not zero");
    let mut normalised = WipedBuffer::default();
    let present = normalise(
        input.kind,
        Checksum::Off,
        input.identifier.as_bytes(),
        &mut normalised,
    );
    assert_eq!(present, Ok(true));
    let x = match &input.source_key {
        None => normalised.to_vec(),
        Some(key) => {
            let key = SourceKey::from_file_content(key).expect("32 bytes");
            key.for_namespace(&namespace).prehash(&normalised).to_vec()
        }
    };
    let (root_namespace, root_kid, escrow_kid) = (
        secret(&input.root_namespace),
        secret(&input.root_kid),
        secret(&input.escrow_kid),
    );
    let (link_key, link_label_key) = match input.link {
        "none" => (
            LinkKey::unlinked(&root_kid),
            kdf(&root_kid, labels::UNLINKED),
        ),
        _ => (
            LinkKey::linked(&root_namespace),
            kdf(&root_namespace, labels::LINK),
        ),
    };
    let link_value = link_key.link_value(&x);
    let pseudonym_key = PseudonymKey::new(&root_kid);
    let pseudonym = pseudonym_key.pseudonym(&link_value);
    let escrow = EscrowKeys::new(&escrow_kid, kid);
    let row_key = escrow.row_key(&pseudonym);
    let escrowed = input.link == "escrow";
    let link_row_value = escrowed.then(|| escrow.seal_link(&pseudonym, &link_value));
    if let Some(value) = &link_row_value {
        assert!(
            escrow.open_link(&pseudonym_key, &pseudonym, value)
                == Ok(LinkValue::from_bytes(*link_value.expose()))
        );
    }
    let sealed_link =
        (input.link == "carried").then(|| escrow.seal_carried(&pseudonym, &link_value));
    if let Some(link) = &sealed_link {
        let opened = escrow.open_carried(&pseudonym_key, &pseudonym, link);
        assert!(opened == Ok(LinkValue::from_bytes(*link_value.expose())));
    }
    let identity_row_value = input
        .identity_nonce
        .map(|nonce| identity_row(&escrow_kid, &nonce, &row_key, &namespace, &normalised));
    if let Some(value) = &identity_row_value {
        let mut opened = Vec::new();
        assert_eq!(
            escrow
                .identity_opener()
                .open(&namespace, &row_key, value, &mut opened),
            Ok(())
        );
        assert_eq!(opened, *normalised);
    }
    let (identifier, identifier_hex) = match input.identifier {
        Identifier::Text(text) => (Some(text.to_owned()), None),
        Identifier::Bytes(bytes) => (None, Some(hex(&bytes))),
    };
    Case {
        namespace: input.namespace,
        identifier_kind: input.kind.as_str(),
        identifier,
        identifier_hex,
        input: if input.source_key.is_some() {
            "prehash"
        } else {
            "plain"
        },
        link: input.link,
        source_key: input.source_key.map(|key| hex(&key)),
        root_namespace: hex(&input.root_namespace),
        root_kid: hex(&input.root_kid),
        escrow_kid: hex(&input.escrow_kid),
        kid: hex(&kid.to_be_bytes()),
        identity_nonce: input.identity_nonce.map(|nonce| hex(&nonce)),
        normalised: hex(&normalised),
        x: hex(&x),
        link_key: hex(link_label_key.expose()),
        pseudonym_key: hex(kdf(&root_kid, labels::PSEUDONYM).expose()),
        index_key: hex(kdf(&escrow_kid, labels::INDEX).expose()),
        link_seal_key: hex(kdf(&escrow_kid, labels::LINK_SEAL).expose()),
        identity_seal_key: hex(kdf(&escrow_kid, labels::IDENTITY_SEAL).expose()),
        link_value: hex(link_value.expose()),
        pseudonym: hex(pseudonym.as_bytes()),
        token: token_text(kid, &pseudonym, sealed_link),
        sealed_link: sealed_link.map(|link| hex(link.as_bytes())),
        token_when_cut: sealed_link.map(|_| token_text(kid, &pseudonym, None)),
        index: escrowed.then(|| hex(&row_key[4..])),
        link_row_key: escrowed.then(|| hex(&row_key)),
        link_row_value: link_row_value.map(|value| hex(&value)),
        identity_row_value: identity_row_value.map(|value| hex(&value)),
    }
}

/// With a fixed nonce, which the crate itself has no way to ask for.
fn identity_row(
    escrow_kid: &Secret,
    nonce: &[u8; 24],
    row_key: &[u8],
    namespace: &NamespaceId,
    normalised: &[u8],
) -> Vec<u8> {
    let mut aad = [&[0x01], row_key].concat();
    lp(&mut aad, namespace.as_str().as_bytes());
    let mut value = [&[0x01], &nonce[..]].concat();
    xaes::seal(
        &kdf(escrow_kid, labels::IDENTITY_SEAL),
        nonce,
        &aad,
        normalised,
        &mut value,
    )
    .expect("short");
    value
}

pub(crate) fn element(input: ElementInput) -> Element {
    let (chain, name): (ChainId, ElementName) = (
        input.chain.parse().expect("an id"),
        input.element.parse().expect("an id"),
    );
    let kid = Kid::new(input.kid).expect("not zero");
    let root_kid = secret(&input.root_kid);
    let mut label = b"sluis/1 element".to_vec();
    lp(&mut label, name.as_str().as_bytes());
    let mut aad = b"sluis/1 element".to_vec();
    lp(&mut aad, chain.as_str().as_bytes());
    lp(&mut aad, name.as_str().as_bytes());
    aad.extend_from_slice(&kid.to_be_bytes());
    let mut bytes = [&[0x21], &kid.to_be_bytes()[..], &input.nonce].concat();
    xaes::seal(
        &kdf(&root_kid, &label),
        &input.nonce,
        &aad,
        &input.plaintext,
        &mut bytes,
    )
    .expect("short");
    let text = format!("enc1{}", BASE64URL_NOPAD.encode(&bytes));

    let parsed = element::parse_text(text.as_bytes()).expect("well-formed");
    let mut opened = Vec::new();
    assert_eq!(
        ElementKey::new(&root_kid, &chain, &name, kid).open(&parsed, &mut opened),
        Ok(())
    );
    assert_eq!(opened, input.plaintext);
    Element {
        root_kid: hex(&input.root_kid),
        kid: hex(&kid.to_be_bytes()),
        chain: input.chain,
        element: input.element,
        nonce: hex(&input.nonce),
        plaintext: hex(&input.plaintext),
        text,
    }
}

pub(crate) fn date_shift(input: DateShiftInput) -> DateShift {
    let key = DateShiftKey::new(&secret(&input.root_chain));
    DateShift {
        root_chain: hex(&input.root_chain),
        link_value: hex(&input.link_value),
        max_days: input.max_days,
        days: key.days(
            &LinkValue::from_bytes(input.link_value),
            NonZeroU32::new(input.max_days).expect("not zero"),
        ),
    }
}

pub(crate) fn token_text(kid: Kid, pseudonym: &Pseudonym, link: Option<SealedLink>) -> String {
    let mut text = Vec::new();
    match &link {
        Some(link) => token::write_carried_text(kid, pseudonym, link, &mut text),
        None => token::write_text(kid, pseudonym, &mut text),
    }
    let written = Token {
        kid,
        pseudonym: *pseudonym,
        link,
    };
    assert_eq!(Token::parse(&text), Ok(written));
    String::from_utf8(text).expect("base32")
}

pub(crate) fn secret(bytes: &[u8; 32]) -> Secret {
    Secret::from_slice(bytes).expect("32 bytes")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}
