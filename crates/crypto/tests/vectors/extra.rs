//! Vectors of import rows and opt-out marks: inputs and values. Keys are named as in `inputs.rs`.

use serde::Serialize;
use sluis_crypto::import::ImportKeys;
use sluis_crypto::{LinkKey, LinkValue, OptOutKey, kdf, labels, lp, xaes};
use sluis_domain::{Kid, NamespaceId};

use crate::compute::{hex, secret};
use crate::inputs::named;

#[derive(Serialize)]
pub(crate) struct Import {
    namespace: &'static str,
    escrow_kid: String,
    kid: String,
    old_pseudonym_hex: String,
    link_value: String,
    nonce: String,
    import_key: String,
    import_seal_key: String,
    row_key: String,
    row_value: String,
}

#[derive(Serialize)]
pub(crate) struct OptOut {
    namespace: &'static str,
    root_namespace: String,
    x: String,
    link_value: String,
    opt_out_key: String,
    mark: String,
}

pub(crate) fn imports() -> Vec<Import> {
    let long: Vec<u8> = (1..=255).collect();
    vec![
        import("nl.bsn", 0x0000_0001, b"P-0001", 1),
        // Another version, another subject, another namespace; case and spaces count.
        import("nl.bsn", 0x1122_3344, b"P-0001", 1),
        import("nl.bsn", 0x0000_0001, b" p-0001 ", 2),
        import("study-042.name", 0x6000_0000, "Zo\u{eb}".as_bytes(), 3),
        import("record", 0x7000_0000, b"\x00", 4),
        import("record", 0x7000_0000, &long, 4),
    ]
}

fn import(namespace: &'static str, kid: u32, old: &[u8], subject: u32) -> Import {
    let id: NamespaceId = namespace.parse().expect("an id");
    let escrow_kid = named(&format!("escrow of kid {kid:08x}"));
    let link_value: [u8; 16] = *named(&format!("link value {subject}"))
        .first_chunk()
        .expect("16 of 32 bytes");
    let nonce: [u8; 24] = *named(&format!("import nonce {kid:08x} {}", old.len()))
        .first_chunk()
        .expect("24 of 32 bytes");
    let kid = Kid::new(kid).expect("not zero");
    let keys = ImportKeys::new(&secret(&escrow_kid), kid);
    let row_key = keys.row_key(old).expect("1 to 255 bytes");

    let mut aad = [&[0x01], &row_key[..]].concat();
    lp(&mut aad, namespace.as_bytes());
    let seal_key = kdf(&secret(&escrow_kid), labels::IMPORT_SEAL);
    let mut row_value = [&[0x01], &nonce[..]].concat();
    xaes::seal(&seal_key, &nonce, &aad, &link_value, &mut row_value).expect("short");
    assert_eq!(
        keys.opener().open(&id, &row_key, &row_value),
        Ok(LinkValue::from_bytes(link_value))
    );
    Import {
        namespace,
        escrow_kid: hex(&escrow_kid),
        kid: hex(&kid.to_be_bytes()),
        old_pseudonym_hex: hex(old),
        link_value: hex(&link_value),
        nonce: hex(&nonce),
        import_key: hex(kdf(&secret(&escrow_kid), labels::IMPORT).expose()),
        import_seal_key: hex(seal_key.expose()),
        row_key: hex(&row_key),
        row_value: hex(&row_value),
    }
}

pub(crate) fn opt_outs() -> Vec<OptOut> {
    vec![
        opt_out("nl.bsn", b"950000012"),
        opt_out("nl.bsn", b"111222333"),
        opt_out("uk.nhs-number", b"9434765919"),
        opt_out("nl.bsn-at-source", &named("prehash")),
    ]
}

fn opt_out(namespace: &'static str, x: &[u8]) -> OptOut {
    let root_namespace = named(&format!("root of namespace {namespace}"));
    let root = secret(&root_namespace);
    let link_value = LinkKey::linked(&root).link_value(x);
    OptOut {
        namespace,
        root_namespace: hex(&root_namespace),
        x: hex(x),
        link_value: hex(link_value.expose()),
        opt_out_key: hex(kdf(&root, labels::OPT_OUT).expose()),
        mark: hex(&OptOutKey::new(&root).mark(&link_value)),
    }
}
