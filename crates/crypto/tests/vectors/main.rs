//! Computes `docs/vectors/sluis-1.json` afresh from the inputs in `inputs.rs`, and compares it byte for byte with the
//! committed file. `SLUIS_WRITE_VECTORS=1 cargo test --release -p sluis-crypto --test vectors` writes the file instead; a
//! published vector is never changed, only added to.
//!
//! The checksum of a namespace is no part of `cases`: it decides what is refused, never what comes out.

mod carried;
mod compute;
mod extra;
mod forms;
mod inputs;
mod national;
mod treated;

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

#[derive(Serialize)]
struct File {
    method: &'static str,
    cases: Vec<compute::Case>,
    elements: Vec<compute::Element>,
    date_shifts: Vec<compute::DateShift>,
    imports: Vec<extra::Import>,
    opt_outs: Vec<extra::OptOut>,
    normal_forms: Vec<forms::NormalForm>,
    shifted_dates: Vec<treated::ShiftedDate>,
    generalised: Vec<treated::Generalised>,
    carried_tokens: Vec<carried::CarriedToken>,
}

fn compute_file() -> File {
    File {
        method: sluis_crypto::METHOD,
        cases: inputs::cases().into_iter().map(compute::case).collect(),
        elements: inputs::elements()
            .into_iter()
            .map(compute::element)
            .collect(),
        date_shifts: inputs::date_shifts()
            .into_iter()
            .map(compute::date_shift)
            .collect(),
        imports: extra::imports(),
        opt_outs: extra::opt_outs(),
        normal_forms: forms::normal_forms(),
        shifted_dates: treated::shifted_dates(),
        generalised: treated::generalised(),
        carried_tokens: carried::carried_tokens(),
    }
}

/// Escapes all but ASCII, so that no editor and no eye can change or overlook a character.
fn to_ascii_json(file: &File) -> String {
    let json = serde_json::to_string_pretty(file).expect("plain data");
    let mut out = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("a String takes everything");
            }
        }
    }
    out.push('\n');
    out
}

#[test]
fn the_vectors_file_is_what_this_code_computes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors/sluis-1.json");
    let computed = to_ascii_json(&compute_file());
    if std::env::var_os("SLUIS_WRITE_VECTORS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &computed).expect("docs/vectors is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/vectors/sluis-1.json is there");
    assert!(
        committed == computed,
        "docs/vectors/sluis-1.json is not what this code computes"
    );
}

#[test]
fn the_vectors_cover_every_kind_input_and_link_mode() {
    let file = compute_file();
    assert!(file.cases.len() >= 20);
    let has = |wanted: &dyn Fn(&compute::Case) -> bool| file.cases.iter().any(wanted);
    for kind in sluis_domain::identifier::IdentifierKind::ALL {
        assert!(has(&|case| case.identifier_kind == kind.as_str()), "{kind}");
    }
    for input in ["plain", "prehash"] {
        for link in ["escrow", "carried", "inbound", "none"] {
            assert!(
                has(&|case| case.input == input && case.link == link),
                "{input} {link}"
            );
        }
    }
    assert!(has(&|case| case.identity_row_value.is_some()));
    assert!(has(&|case| case.sealed_link.is_some()));
    assert!(has(&|case| case.identifier_hex.is_some()));
    assert!(has(&|case| case
        .identifier
        .as_ref()
        .is_some_and(|text| !text.is_ascii())));
}

#[test]
fn the_vectors_have_every_reason_that_a_value_is_refused_for() {
    use sluis_domain::Reason;
    let file = compute_file();
    let forms = file.normal_forms.iter().map(|form| form.outcome);
    let dates = file.shifted_dates.iter().map(|date| date.outcome.as_str());
    let coarse = file
        .generalised
        .iter()
        .map(|coarse| coarse.outcome.as_str());
    let told: Vec<&str> = forms.chain(dates).chain(coarse).collect();
    for reason in [
        Reason::TooLong,
        Reason::InvalidUtf8,
        Reason::InvalidIdentifier,
        Reason::NumberAsDecimal,
        Reason::NumberInScientificNotation,
        Reason::NumberAsDate,
        Reason::NumberWithSign,
        Reason::NumberInQuotes,
        Reason::MisplacedSeparator,
        Reason::ForeignDigits,
        Reason::InvisibleCharacter,
        Reason::ReplacementCharacter,
        Reason::NoCentury,
        Reason::AllZero,
        Reason::PlaceholderNumber,
        Reason::InvalidChecksum,
        Reason::InvalidDate,
        Reason::ImplausibleDate,
        Reason::DateOutOfRange,
        Reason::InvalidNumber,
    ] {
        assert!(told.contains(&reason.code()), "{reason}");
    }
    assert!(told.contains(&"missing"));
}
