//! Looks for marked values in every form in which a program might write them down.

const HEX: &[u8; 16] = b"0123456789abcdef";
/// The alphabet of RFC 4648 base64.
pub(super) const STANDARD: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Shorter forms would be found by chance.
const SHORTEST: usize = 8;

/// Marked values.
#[derive(Default)]
pub(super) struct Scanner {
    needles: Vec<Needle>,
    marks: usize,
}

struct Needle {
    what: String,
    bytes: Vec<u8>,
}

impl Scanner {
    /// Marks a value, which is `what`.
    pub(super) fn mark(&mut self, what: &str, value: &[u8]) {
        assert!(
            value.len() >= SHORTEST,
            "{what}: too short to be told from chance"
        );
        self.marks += 1;
        for (form, bytes) in forms(value) {
            self.needles.push(Needle {
                what: format!("{what} #{}, {form}", self.marks),
                bytes,
            });
        }
    }

    /// Marks a token: its text, in lower and upper case, its 25 bytes, and the pseudonym in it.
    pub(super) fn mark_token(&mut self, token: &str) {
        let (kid, pseudonym) = sluis_crypto::token::parse_text(token.as_bytes()).expect("a token");
        self.mark("a token", token.as_bytes());
        self.mark("a token, upper case", token.to_ascii_uppercase().as_bytes());
        self.mark(
            "a token, binary",
            &sluis_crypto::token::to_binary(kid, &pseudonym),
        );
        self.mark("a pseudonym", pseudonym.as_bytes());
    }

    /// Number of marked values.
    pub(super) fn marks(&self) -> usize {
        self.marks
    }

    /// What was found where. The report does not repeat it.
    pub(super) fn search(&self, places: &[(String, Vec<u8>)]) -> Vec<String> {
        // By the first four bytes, so that a place is read once for all needles.
        let mut by_start = std::collections::HashMap::<[u8; 4], Vec<&Needle>>::new();
        for needle in &self.needles {
            by_start
                .entry(start(&needle.bytes))
                .or_default()
                .push(needle);
        }
        let mut found = Vec::new();
        for (place, content) in places {
            for at in 0..content.len().saturating_sub(3) {
                let Some(needles) = by_start.get(&start(&content[at..])) else {
                    continue;
                };
                let hits = needles
                    .iter()
                    .filter(|needle| content[at..].starts_with(&needle.bytes));
                found.extend(hits.map(|needle| format!("{} in {place} at {at}", needle.what)));
            }
        }
        found
    }
}

fn start(bytes: &[u8]) -> [u8; 4] {
    bytes[..4].try_into().expect("four bytes")
}

/// The forms in which a value is looked for, with their names.
pub(super) fn forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = value
        .iter()
        .flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]])
        .map(char::from)
        .collect();
    let numbers = value.iter().map(u8::to_string).collect::<Vec<_>>();
    let mut forms = vec![
        ("raw", value.to_vec()),
        ("escaped", value.escape_ascii().to_string().into_bytes()),
        ("hexadecimal", hex.clone().into_bytes()),
        (
            "upper-case hexadecimal",
            hex.to_ascii_uppercase().into_bytes(),
        ),
        ("list of numbers", numbers.join(", ").into_bytes()),
        ("list of numbers in JSON", numbers.join(",").into_bytes()),
        ("reversed", value.iter().rev().copied().collect()),
    ];
    if let Ok(text) = std::str::from_utf8(value) {
        forms.push((
            "UTF-16, little-endian",
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ));
        forms.push((
            "UTF-16, big-endian",
            text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ));
        forms.push(("escaped text", text.escape_debug().to_string().into_bytes()));
    }
    for (name, alphabet) in [("base64", STANDARD), ("base64url", URL)] {
        for skipped in 0..3 {
            // The characters that depend on the value alone, whatever stands before and after it.
            let text = base64(&[&vec![0; skipped][..], value].concat(), alphabet);
            let first = [0, 2, 3][skipped];
            let whole = (skipped + value.len()) / 3 * 4;
            forms.push((name, text.as_bytes()[first..whole].to_vec()));
        }
    }
    forms.retain(|(_, bytes)| bytes.len() >= SHORTEST);
    forms
}

/// Base64 without padding.
pub(super) fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let group = |chunk: &[u8]| {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, b| bits << 8 | u32::from(*b))
            << (8 * (3 - chunk.len()));
        (0..=chunk.len())
            .map(|i| char::from(alphabet[(bits >> (18 - 6 * i) & 63) as usize]))
            .collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
