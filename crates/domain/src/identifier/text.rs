//! `text`: two spellings of a name that a reader takes for the same become the same bytes.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

/// NFC; trim; runs of white space to one space; full case folding (not Turkic); NFC.
pub(super) fn transform(value: &str, out: &mut Vec<u8>) {
    if value.is_ascii() {
        push_ascii(value, out);
    } else {
        let composed: String = value.nfc().collect();
        let mut folded = String::with_capacity(composed.len() + 8);
        for word in composed.split_whitespace() {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.extend(word.chars().default_case_fold());
        }
        push_nfc(&folded, out);
    }
}

/// Appends `text` in Unicode normal form C.
pub(super) fn push_nfc(text: &str, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    for character in text.nfc() {
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
}

/// The same for ASCII, where composition does nothing and folding is lower-casing.
fn push_ascii(value: &str, out: &mut Vec<u8>) {
    for (index, word) in value.split_whitespace().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend(word.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
}
