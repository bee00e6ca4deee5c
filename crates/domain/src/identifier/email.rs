//! `email`: trimmed, lower-case, NFC. Whether the address exists, or obeys RFC 5322, is not judged.

use super::text::push_nfc;

/// Trim; Unicode lower-case; NFC.
pub(super) fn transform(value: &str, out: &mut Vec<u8>) {
    let trimmed = value.trim();
    if trimmed.is_ascii() {
        out.extend(trimmed.bytes().map(|byte| byte.to_ascii_lowercase()));
    } else {
        push_nfc(&trimmed.to_lowercase(), out);
    }
}

/// Exactly one `@` with something on both sides.
pub(super) fn has_form(normalised: &[u8]) -> bool {
    let mut sides = normalised.split(|byte| *byte == b'@');
    let two = [sides.next(), sides.next()]
        .iter()
        .all(|side| side.is_some_and(|side| !side.is_empty()));
    two && sides.next().is_none()
}
