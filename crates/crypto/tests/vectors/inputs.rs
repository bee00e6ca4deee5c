//! The inputs of the vectors. Numbers are published samples, from test ranges, or made up for this file.
//!
//! Keys, nonces and link values are SHA-256 hashes of their names, so that they look random and anybody can see that they
//! are not chosen.

use sluis_crypto::digest::sha256;
use sluis_domain::identifier::IdentifierKind::{
    self, BeRrn, Date, DeKvnr, DkCpr, Email, EsDni, FiHetu, FrNir, Iban, ItCodicefiscale,
    LuMatricule, NlBsn, NoFnr, Opaque, PlPesel, SePersonnummer, Text, UkChi, UkNhsNumber,
};

pub(crate) enum Identifier {
    Text(&'static str),
    Bytes(Vec<u8>),
}

impl Identifier {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

pub(crate) struct CaseInput {
    pub(crate) namespace: &'static str,
    pub(crate) kind: IdentifierKind,
    pub(crate) identifier: Identifier,
    pub(crate) link: &'static str,
    pub(crate) source_key: Option<[u8; 32]>,
    pub(crate) root_namespace: [u8; 32],
    pub(crate) root_kid: [u8; 32],
    pub(crate) escrow_kid: [u8; 32],
    pub(crate) kid: u32,
    pub(crate) identity_nonce: Option<[u8; 24]>,
}

pub(crate) struct ElementInput {
    pub(crate) root_kid: [u8; 32],
    pub(crate) kid: u32,
    pub(crate) chain: &'static str,
    pub(crate) element: &'static str,
    pub(crate) nonce: [u8; 24],
    pub(crate) plaintext: Vec<u8>,
}

pub(crate) struct DateShiftInput {
    pub(crate) root_chain: [u8; 32],
    pub(crate) link_value: [u8; 16],
    pub(crate) max_days: u32,
}

pub(crate) fn named(name: &str) -> [u8; 32] {
    sha256(format!("sluis/1 vectors, {name}").as_bytes())
}

/// Keys follow from the namespace and the kid, so that cases which share them show what is shared.
fn plain(
    namespace: &'static str,
    kind: IdentifierKind,
    identifier: &'static str,
    link: &'static str,
    kid: u32,
) -> CaseInput {
    CaseInput {
        namespace,
        kind,
        identifier: Identifier::Text(identifier),
        link,
        source_key: None,
        root_namespace: named(&format!("root of namespace {namespace}")),
        root_kid: named(&format!("root of kid {kid:08x}")),
        escrow_kid: named(&format!("escrow of kid {kid:08x}")),
        kid,
        identity_nonce: None,
    }
}

impl CaseInput {
    fn prehash(mut self) -> Self {
        self.source_key = Some(named(&format!("source key of {}", self.namespace)));
        self
    }

    fn reversible(mut self) -> Self {
        let hash = sha256(&[&self.root_kid, self.identifier.as_bytes()].concat());
        self.identity_nonce = hash.first_chunk().copied();
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.identifier = Identifier::Bytes(bytes.to_vec());
        self
    }
}

pub(crate) fn cases() -> Vec<CaseInput> {
    let all_bytes: Vec<u8> = (1..=255).collect();
    vec![
        // One subject in three chains: one link value and two pseudonyms, and an unrelated pair.
        plain("nl.bsn", NlBsn, "950000012", "escrow", 0x0000_0001).reversible(),
        plain("nl.bsn", NlBsn, "950000012", "escrow", 0x1122_3344),
        plain("nl.bsn", NlBsn, "950000012", "inbound", 0x5566_7788),
        plain("nl.bsn", NlBsn, "950000012", "none", 0xffff_ffff),
        plain("nl.bsn", NlBsn, " 1112.22.333 ", "escrow", 0x0000_0001).reversible(),
        plain("nl.bsn", NlBsn, "10000008", "escrow", 0x0000_0001),
        plain("nl.bsn", NlBsn, "999940003", "none", 0xffff_ffff),
        plain(
            "nl.bsn-at-source",
            NlBsn,
            "900.095.222",
            "escrow",
            0x0a0b_0c0d,
        )
        .prehash(),
        plain(
            "nl.bsn-at-source",
            NlBsn,
            "900095222",
            "inbound",
            0x0a0b_0c0e,
        )
        .prehash(),
        plain("nl.bsn-at-source", NlBsn, "900095222", "none", 0x0a0b_0c0f).prehash(),
        plain(
            "uk.nhs-number",
            UkNhsNumber,
            "943 476 5919",
            "escrow",
            0x2000_0000,
        )
        .reversible(),
        plain(
            "uk.nhs-number",
            UkNhsNumber,
            "900-000-0009",
            "inbound",
            0x2000_0001,
        ),
        plain(
            "iban",
            Iban,
            "NL91 ABNA 0417 1643 00",
            "escrow",
            0x3000_0000,
        )
        .reversible(),
        plain("iban", Iban, "gb82west12345698765432", "none", 0x3000_0001),
        plain(
            "email",
            Email,
            "  Ada.Lovelace@Example.ORG\t",
            "escrow",
            0x4000_0000,
        )
        .reversible(),
        // Decomposed accent; final and medial sigma; dotted capital I.
        plain(
            "email",
            Email,
            "RENE\u{301}@example.com",
            "escrow",
            0x4000_0000,
        ),
        plain(
            "email",
            Email,
            "info@\u{39f}\u{394}\u{39f}\u{3a3}",
            "inbound",
            0x4000_0001,
        ),
        plain(
            "email",
            Email,
            "\u{3a3}\u{39f}\u{3a3}.\u{130}@example.com",
            "none",
            0x4000_0002,
        ),
        plain(
            "email-at-source",
            Email,
            "Ada.Lovelace@example.org",
            "escrow",
            0x4000_0003,
        )
        .prehash(),
        plain("birth-date", Date, "1967-11-30", "escrow", 0x5000_0000),
        plain("birth-date", Date, "2000-02-29", "none", 0x5000_0001),
        plain(
            "study-042.name",
            Text,
            "  Jos\u{65}\u{301}\u{a0}\t GARCI\u{301}A ",
            "escrow",
            0x6000_0000,
        )
        .reversible(),
        plain(
            "study-042.name",
            Text,
            "Stra\u{df}e STRA\u{1e9e}E",
            "escrow",
            0x6000_0000,
        ),
        plain(
            "study-042.name",
            Text,
            "\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}",
            "inbound",
            0x6000_0001,
        ),
        plain(
            "study-042.name",
            Text,
            "\u{130}pek I\u{15f}\u{131}k",
            "none",
            0x6000_0002,
        ),
        plain(
            "study-042.name",
            Text,
            "\u{3000}\u{5c71}\u{7530}\u{3000}\u{592a}\u{90ce}\u{2003}",
            "escrow",
            0x6000_0000,
        ),
        // Zero-width space is removed; a ligature folds; jamo compose.
        plain(
            "study-042.name",
            Text,
            "\u{fb01}\u{200b} xy \u{1112}\u{1161}\u{11ab}",
            "escrow",
            0x6000_0000,
        ),
        plain(
            "study-042.name",
            Text,
            "Nguye\u{302}\u{303}n \u{1f9d1}",
            "escrow",
            0x6000_0000,
        ),
        // Normalisation before folding matters, and after it; compatibility forms fold; invisible characters go.
        plain(
            "study-042.name",
            Text,
            "\u{3b1}\u{345}\u{301}",
            "escrow",
            0x6000_0000,
        ),
        plain("study-042.name", Text, "\u{1f0}", "escrow", 0x6000_0000),
        plain(
            "study-042.name",
            Text,
            "\u{bd} \u{ff21}\u{ff11}",
            "escrow",
            0x6000_0000,
        ),
        plain(
            "study-042.name",
            Text,
            "\u{feff}x\u{ad}y",
            "escrow",
            0x6000_0000,
        ),
        // E-mail is trimmed of all white space.
        plain(
            "email",
            Email,
            "\u{a0}a@b.example\u{3000}",
            "escrow",
            0x4000_0000,
        ),
        plain(
            "study-042.name-at-source",
            Text,
            "Zo\u{eb}  de Vries",
            "inbound",
            0x6000_0003,
        )
        .prehash(),
        plain("record", Opaque, " Case Kept ", "escrow", 0x7000_0000).reversible(),
        plain("record", Opaque, "", "escrow", 0x7000_0000)
            .bytes(b"\x00\xff\xfe\x00")
            .reversible(),
        plain("record", Opaque, "", "none", 0x7000_0001).bytes(&all_bytes),
        plain("record-at-source", Opaque, "", "none", 0x7000_0002)
            .bytes(&all_bytes)
            .prehash(),
        // The longest namespace: LP(namespace) crosses a SHA-256 block.
        plain(
            "a23456789-123456789-123456789-123456789-123456789-123456789-123",
            Opaque,
            "x",
            "escrow",
            0x7000_0003,
        )
        .prehash(),
        // Carried: under the keys of the second case the same pseudonym, in another token.
        plain("nl.bsn", NlBsn, "950000012", "carried", 0x1122_3344),
        plain("nl.bsn", NlBsn, "111222333", "carried", 0x0900_0001),
        plain(
            "uk.nhs-number",
            UkNhsNumber,
            "943 476 5919",
            "carried",
            0x0900_0002,
        ),
        plain(
            "nl.bsn-at-source",
            NlBsn,
            "950000012",
            "carried",
            0x0900_0003,
        )
        .prehash(),
        plain("record", Opaque, "", "carried", u32::MAX).bytes(&all_bytes),
        // National numbers.
        plain("be.rrn", BeRrn, "85.07.30-033.28", "escrow", 0x0a00_0001).reversible(),
        plain("de.kvnr", DeKvnr, "x110411675", "inbound", 0x0a00_0002),
        plain(
            "fr.nir",
            FrNir,
            "1 85 05 2a 006 084 35",
            "none",
            0x0a00_0003,
        ),
        plain("es.dni", EsDni, "54.362.315-k", "carried", 0x0a00_0004),
        plain("fi.hetu", FiHetu, "131052-308t", "escrow", 0x0a00_0005),
        plain("fi.hetu", FiHetu, "131052Y308T", "escrow", 0x0a00_0005),
        plain(
            "se.personnummer",
            SePersonnummer,
            "19811228-9841",
            "escrow",
            0x0a00_0006,
        )
        .prehash(),
        plain("no.fnr", NoFnr, "020132 99903", "inbound", 0x0a00_0007),
        plain("dk.cpr", DkCpr, "211062-5629", "escrow", 0x0a00_0008),
        plain(
            "it.codice-fiscale",
            ItCodicefiscale,
            "RSSMRA80A01H50MM",
            "none",
            0x0a00_0009,
        ),
        plain("pl.pesel", PlPesel, "44051401359", "escrow", 0x0a00_000a),
        plain("uk.chi", UkChi, "070190 1233", "escrow", 0x0a00_000b),
        plain(
            "lu.matricule",
            LuMatricule,
            "1893120105732",
            "escrow",
            0x0a00_000c,
        ),
    ]
}

pub(crate) fn elements() -> Vec<ElementInput> {
    let long: Vec<u8> = (0..1000).map(|n: u32| (n % 251) as u8).collect();
    let input = |kid: u32, chain, element, plaintext: &[u8]| ElementInput {
        root_kid: named(&format!("root of kid {kid:08x}")),
        kid,
        chain,
        element,
        nonce: *named(&format!(
            "nonce {kid:08x} {chain} {element} {}",
            plaintext.len()
        ))
        .first_chunk()
        .expect("24 of 32 bytes"),
        plaintext: plaintext.to_vec(),
    };
    vec![
        input(0x0100_0000, "diabetes-study", "diagnosis", b"E11.9"),
        input(0x0100_0000, "diabetes-study", "postcode", b"1012 AB"),
        input(0x0100_0001, "diabetes-study", "diagnosis", b"E11.9"),
        input(0x0100_0002, "a", "0", b"\x00"),
        input(
            0x0100_0003,
            "registry.nl",
            "name",
            "Zo\u{eb} de Vries".as_bytes(),
        ),
        input(0xffff_fffe, "registry.nl", "note", &long),
    ]
}

pub(crate) fn date_shifts() -> Vec<DateShiftInput> {
    let input = |chain: &str, subject: u32, max_days| DateShiftInput {
        root_chain: named(&format!("root of chain {chain}")),
        link_value: *named(&format!("link value {subject}"))
            .first_chunk()
            .expect("16 of 32 bytes"),
        max_days,
    };
    vec![
        input("diabetes-study", 1, 1),
        input("diabetes-study", 1, 30),
        input("diabetes-study", 2, 30),
        input("diabetes-study", 3, 365),
        input("registry.nl", 3, 365),
        input("registry.nl", 4, 36_500),
        input("registry.nl", 5, u32::MAX),
    ]
}
