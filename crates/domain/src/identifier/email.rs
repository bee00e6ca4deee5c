//! `email`: trimmed, lower-case, NFC. Whether the address exists is not judged. What is refused has several spellings
//! for one mailbox, or is more than an address: `Jan <jan@example.org>`, `a@example.org; b@example.org`.

use unicode_normalization::is_nfkc;
use zeroize::Zeroizing;

use super::text::push_nfc;
use super::unseen::{is_control, is_default_ignorable, refuse_replacement};
use crate::{Reason, WipedBuffer};

/// Trim; no control and no invisible character; Unicode lower-case; NFC.
pub(super) fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    let trimmed = value.trim();
    // White space inside is refused by the form, except where it is a control character.
    let unseen = |character: char| {
        character.is_control() || is_control(character) || is_default_ignorable(character)
    };
    if trimmed.chars().any(unseen) {
        return Err(Reason::InvisibleCharacter);
    }
    refuse_replacement(trimmed)?;
    if trimmed.is_ascii() {
        for byte in trimmed.bytes() {
            out.push(byte.to_ascii_lowercase());
        }
    } else {
        push_nfc(&Zeroizing::new(trimmed.to_lowercase()), out);
    }
    Ok(())
}

/// Exactly one `@` with a [`is_dot_atom`] on both sides, no apostrophe at the beginning, and no character that has
/// another spelling in NFKC (a full-width letter, a ligature).
pub(super) fn has_form(normalised: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(normalised) else {
        return false;
    };
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    is_dot_atom(local) && is_dot_atom(domain) && !local.starts_with('\'') && is_nfkc(text)
}

/// `dot-atom-text` of RFC 5322 section 3.2.3, with RFC 6532's characters beyond ASCII: parts with a dot between them,
/// none of them empty, without white space and without the `specials` of the RFC.
fn is_dot_atom(side: &str) -> bool {
    const SPECIALS: &str = "()<>[]:;@\\,\"";
    let is_atom_text =
        |character: char| !character.is_whitespace() && !SPECIALS.contains(character);
    side.split('.')
        .all(|part| !part.is_empty() && part.chars().all(is_atom_text))
}
