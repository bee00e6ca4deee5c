//! Vectors of step 1: what has a normal form, what is missing, and what is refused for which reason.

use serde::Serialize;
use sluis_domain::WipedBuffer;
use sluis_domain::identifier::IdentifierKind::{
    self, Date, Email, Iban, NlBsn, Opaque, Text, UkNhsNumber,
};
use sluis_domain::identifier::{Checksum, DEFAULT_WORDS, IdentifierRules};

use crate::compute::hex;
use crate::national;

#[derive(Serialize)]
pub(crate) struct NormalForm {
    identifier_kind: &'static str,
    checksum: &'static str,
    missing_words: Vec<String>,
    identifier_hex: String,
    /// `present`, `missing`, or the reason.
    pub(crate) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalised: Option<String>,
}

pub(crate) fn normal_forms() -> Vec<NormalForm> {
    let mut forms = Vec::new();
    for (kind, values) in by_kind() {
        forms.extend(values.iter().map(|value| strict(kind, value.as_bytes())));
    }
    let test_numbers = [
        (NlBsn, "999940003"),
        (NlBsn, "99.99.40.003"),
        (NlBsn, "111111111"),
        (NlBsn, "123456789"),
        (NlBsn, "000000000"),
        (UkNhsNumber, "1000000010"),
        (Iban, "NL00ABNA0417164300"),
        (Iban, "hello"),
    ];
    forms.extend(
        test_numbers
            .map(|(kind, value)| form(kind, Checksum::Off, &DEFAULT_WORDS, value.as_bytes())),
    );
    let own_words = [
        (Text, "Unknown", "\u{ff35}NKNOWN\u{200b}"),
        (Text, "Unknown", "NULL"),
        (NlBsn, "123456782", "1234.56.782"),
        (NlBsn, "123456782", "111222333"),
        (Email, "noreply@example.org", " NoReply@Example.ORG"),
        (Date, "1900-01-01", "1900-01-01"),
        (Opaque, "n.v.t.", "N.V.T.\r\n"),
        (Opaque, "n.v.t.", "n.v.t"),
    ];
    forms.extend(
        own_words
            .map(|(kind, word, value)| form(kind, Checksum::Strict, &[word], value.as_bytes())),
    );
    forms.push(form(Text, Checksum::Strict, &[], b"NULL"));
    let long = "a".repeat(256);
    forms.push(strict(Text, long.as_bytes()));
    forms.push(strict(Text, "\u{fdfa}".repeat(8).as_bytes()));
    forms.push(strict(Opaque, long.as_bytes()));
    forms.push(strict(Opaque, " ".repeat(4097).as_bytes()));
    forms.push(strict(Text, b"\xff"));
    forms.push(strict(NlBsn, b"11122233\xff"));
    forms.push(strict(Opaque, b"\xff"));
    for (kind, values) in national::NUMBERS {
        forms.extend(values.iter().map(|value| strict(kind, value.as_bytes())));
    }
    let unchecked = national::UNCHECKED;
    forms.extend(
        unchecked.map(|(kind, value)| form(kind, Checksum::Off, &DEFAULT_WORDS, value.as_bytes())),
    );
    forms
}

type Values = &'static [&'static str];

fn by_kind() -> [(IdentifierKind, Values); 7] {
    [
        (NlBsn, BSNS),
        (UkNhsNumber, NHS_NUMBERS),
        (Iban, IBANS),
        (Email, EMAILS),
        (
            Date,
            &["1984-03-07", "1984-02-30", "07-03-1984", " ", "NULL", "-"],
        ),
        (Text, TEXTS),
        (
            Opaque,
            &["", " ", "\t\n", "NULL", " null ", "NULLS", "\u{a0}", " x "],
        ),
    ]
}

const BSNS: Values = &[
    "111222333",
    " 111222333 ",
    "1112.22.333",
    "111 222 333",
    "950-000-012",
    "111.222.333",
    "10000008",
    "1000 0008",
    "10.000.008",
    "010000008",
    // Decimal numbers, of which 10000161.0 has the digits of a valid number.
    "10000161.0",
    "10000161,0",
    "10000161.00",
    "1000016.10",
    "100001610.",
    "100001610,",
    "10000161.",
    "111222.333",
    "111.222333",
    ".111222333",
    "10.000.161,0",
    "10,000,161.0",
    "10 000 161,00",
    "-10000161.0",
    "1.0000161E+8",
    "1,0000161E+08",
    "1E8",
    "1.e8",
    "10000161e0",
    // Marks that separate nothing, or too little.
    "1.111.222.333",
    "1-11222333",
    "11122233-3",
    "111.222-333",
    "111..222.333",
    ".111.222.333",
    "111.222.333.",
    "100,001,610",
    "111'222'333",
    "111/222/333",
    "111\u{2013}222\u{2013}333",
    "111222333-0",
    "- 111222333",
    "31-12-1984",
    "1984-12-31",
    "31.12.1984",
    "31 12 1984",
    "1984 12 31",
    "+111222333",
    "-111222333",
    "111222333-",
    "(111222333)",
    "\u{2212}111222333",
    "'111222333",
    "\"111222333\"",
    "=111222333",
    "\u{2019}111222333",
    "111222333\t",
    "\u{a0}111222333",
    "111\u{202f}222\u{202f}333",
    "111222333\u{200b}",
    "111\u{ad}222333",
    "\u{feff}111222333",
    "111222333\u{0}",
    "\u{661}\u{661}\u{661}222333",
    "\u{ff11}11222333",
    "\u{b2}11222333",
    "111222334",
    "999940003",
    "000000000",
    "00000000",
    "111111111",
    "999999999",
    "123456789",
    "12345678",
    "987654321",
    "11122233",
    "1112223330",
    "1234567",
    "11122233a",
    "x",
    "",
    "  ",
    "\t",
    "-",
    "?",
    "NULL",
    "null",
    "Null",
    " n/a ",
    "\\N",
    "nan",
    "NONE",
    ". -",
    "BSN 111222333",
];

const NHS_NUMBERS: Values = &[
    "9434765919",
    "943 476 5919",
    "943-476-5919",
    " 9434765919 ",
    "943476591.9",
    "9434765919.0",
    "9434765919,00",
    "943.476.5919",
    "9.434765919E9",
    "943 476-5919",
    "9434765919-",
    "9 434 765 919",
    "943\u{a0}476\u{a0}5919",
    "'9434765919",
    "+9434765919",
    "\u{669}434765919",
    "0000000000",
    "1111111111",
    "4444444444",
    "9999999999",
    "0123456789",
    "1234567890",
    "9876543210",
    "9434765918",
    "943476591",
    "94347659190",
    "943476591X",
    "N/A",
];

const IBANS: Values = &[
    "NL91 ABNA 0417 1643 00",
    "nl91abna0417164300",
    " NL91ABNA0417164300 ",
    "CH93 0076 2011 6238 5295 7",
    "NO93 8601 1117 947",
    "NL91  ABNA 0417 1643 00",
    "N L91ABNA0417164300",
    "NL91 ABNA 0417 1643 0 0",
    "NL91ABNA041716430 0",
    "NL91-ABNA-0417-1643-00",
    "NL91.ABNA.0417.1643.00",
    "IBAN NL91ABNA0417164300",
    "NL91\u{a0}ABNA\u{a0}0417\u{a0}1643\u{a0}00",
    "NL91ABNA0417164300\u{200b}",
    "NL91ABNA04\u{661}7164300",
    "NL92ABNA0417164300",
    "NL91ABNA0417164301",
    "NL91ABNA041716",
    "None",
];

const EMAILS: Values = &[
    "Ada.Lovelace@Example.ORG",
    "\u{a0}ada@example.org\r\n",
    "RENE\u{301}@example.com",
    "o'neil@example.org",
    "a+b@example.org",
    "ada@example.org\u{200b}",
    "\u{feff}ada@example.org",
    "ada\u{ad}@example.org",
    "ada@exam\u{200d}ple.org",
    "ada@example.org\u{0}",
    "ada\t@example.org",
    "\u{200e}ada@example.org",
    "ada@example.org\u{fe0f}",
    "ada\u{fffd}@example.org",
    "a b@example.org",
    "ada@ example.org",
    "ada\u{a0}l@example.org",
    "Ada <ada@example.org>",
    "mailto:ada@example.org",
    "ada@example.org;",
    "ada@example.org, bob",
    "\"ada\"@example.org",
    "ada@[192.0.2.1]",
    "'ada@example.org'",
    "ada@example.org.",
    ".ada@example.org",
    "ada@.example.org",
    "ada..l@example.org",
    "\u{ff41}da@example.org",
    "ada\u{ff20}example.org",
    "\u{fb01}@example.org",
    "@",
    "ada@",
    "@example.org",
    "ada",
    "ada@b@example.org",
    "ada@@example.org",
    // Quotation marks and other things around an address.
    "\u{201c}ada@example.org\u{201d}",
    "\u{2018}ada@example.org\u{2019}",
    "\u{ab}ada@example.org\u{bb}",
    "\u{201e}ada@example.org",
    "\u{201c}ada@example.org",
    "ada\u{201d}@example.org",
    "`ada@example.org",
    "=ada@example.org",
    "ada@example.org'",
    "'ada'@example.org",
    "ada=@example.org",
    "{ada@example.org}",
    "{ada}@example.org",
    "o\u{2019}neil@example.org",
    "\u{2022}ada@example.org",
    "\u{2013}ada@example.org",
    "ada@example.org?subject=x",
    "ada@example.org/",
    "ada@example.org\u{3002}",
    "ada@example\u{3002}org",
    "?@?",
    "ada@-example.org",
    "ada@example-.org",
    "ada@example.org-",
    "ada@exam_ple.org",
    "ada@example.org!",
    "ada@\u{2665}.example",
    "ada@example.org\u{2026}",
    // What is within an address.
    "O'Neil+tag@x.example",
    "a{}b@example.org",
    "bounce+ada=example.org@x.example",
    "!#$%&*+-/?^_|~@example.org",
    "ada@b\u{fc}cher.example",
    "ada@xn--bcher-kva.example",
    "ada@exa-mple.org",
    "\u{909}\u{926}\u{93e}\u{939}\u{930}\u{923}@\u{909}\u{926}\u{93e}\u{939}\u{930}\u{923}.\u{92d}\u{93e}\u{930}\u{924}",
    "a\u{1f150}@example.org",
    "a@x",
    "NULL",
    "-",
];

const TEXTS: Values = &[
    "  Van  der\tBERG \n",
    "Stra\u{df}e",
    "\u{fb01}x",
    "\u{ff21}\u{ff42}",
    "\u{212b}",
    "\u{130}",
    "I",
    "\u{131}",
    "\u{39f}\u{394}\u{39f}\u{3a3}",
    "\u{3b1}\u{345}\u{301}",
    "\u{1f0}",
    "\u{bd}",
    "\u{b2}",
    "\u{3000}a\u{2003}\u{2003}b\u{85}",
    "a\u{200b}b\u{feff}",
    "Mu\u{ad}ller",
    "a\u{200d}b\u{fe0f}",
    "\u{200b}",
    "\u{200b} \u{ad}",
    "\u{115f}",
    "\u{e0041}a",
    "a\u{1f}b",
    "\u{0}",
    "a\u{7f}",
    "\u{1b}[1m",
    "\u{80}a",
    "a\u{fff9}b",
    "M\u{fffd}ller",
    "NULL",
    "null",
    "Null",
    " NULL ",
    "\u{ff2e}ULL",
    "N\u{200b}ULL",
    "NA",
    "n/a",
    "NaN",
    "None",
    "\\N",
    "-",
    "?",
    "\u{ff0d}",
    "--",
    "nullable",
];

fn strict(kind: IdentifierKind, value: &[u8]) -> NormalForm {
    form(kind, Checksum::Strict, &DEFAULT_WORDS, value)
}

fn form(kind: IdentifierKind, checksum: Checksum, words: &[&str], value: &[u8]) -> NormalForm {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let rules = IdentifierRules::new(kind, checksum, words.clone());
    let mut normalised = WipedBuffer::default();
    let outcome = match rules.normalise(value, &mut normalised) {
        Ok(true) => "present",
        Ok(false) => "missing",
        Err(reason) => reason.code(),
    };
    NormalForm {
        identifier_kind: kind.as_str(),
        checksum: match checksum {
            Checksum::Strict => "strict",
            Checksum::Off => "off",
        },
        missing_words: words,
        identifier_hex: hex(value),
        outcome,
        normalised: (outcome == "present").then(|| hex(&normalised)),
    }
}
