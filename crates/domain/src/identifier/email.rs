//! `email`: trimmed, lower-case, NFC. Whether the address exists is not judged. What is refused has several spellings
//! for one mailbox, or is more than an address: `Jan <jan@example.org>`, `a@example.org; b@example.org`, an address in
//! quotation marks of any kind.

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::is_nfkc;
use zeroize::Zeroizing;

use super::text::push_nfc;
use super::unseen::{is_control, is_default_ignorable, refuse_replacement};
use crate::{Reason, WipedBuffer};

/// Trim; no control and no invisible character; Unicode lower-case; NFC.
pub(super) fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    let trimmed = value.trim();
    // White space inside is refused by the form, except where it is a control character.
    let unseen = trimmed
        .chars()
        .any(|c| c.is_control() || is_control(c) || is_default_ignorable(c));
    if unseen {
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

/// Exactly one `@`, a local part before it and a domain behind it, and no character that has another spelling in NFKC
/// (a full-width letter, a ligature).
pub(super) fn has_form(normalised: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(normalised) else {
        return false;
    };
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    is_local_part(local) && is_domain(domain) && is_nfkc(text)
}

/// `dot-atom-text` of RFC 5322 section 3.2.3, and beyond ASCII letters, digits and marks, of all that RFC 6532 allows:
/// a typographic quotation mark is no part of a mailbox. At both ends none of [`AROUND`].
fn is_local_part(local: &str) -> bool {
    let is_framed = local.starts_with(AROUND) || local.ends_with(AROUND);
    !is_framed && is_dotted(local, |part| part.chars().all(is_atom_text))
}

/// What spreadsheets, programs and templates put around an address, and RFC 5322 allows within a local part.
const AROUND: [char; 5] = ['\'', '`', '=', '{', '}'];

fn is_atom_text(character: char) -> bool {
    is_letter_digit_or_mark(character) || "!#$%&'*+-/=?^_`{|}~".contains(character)
}

/// Parts of letters, digits, marks and `-`, with `-` at no end of a part. Whether the domain exists is not judged.
fn is_domain(domain: &str) -> bool {
    is_dotted(domain, |part| {
        let has_hyphen_at_an_end = part.starts_with('-') || part.ends_with('-');
        !has_hyphen_at_an_end
            && part
                .chars()
                .all(|character| character == '-' || is_letter_digit_or_mark(character))
    })
}

/// Parts with one dot between each two of them, none of them empty.
fn is_dotted(side: &str, is_part: impl Fn(&str) -> bool) -> bool {
    side.split('.')
        .all(|part| !part.is_empty() && is_part(part))
}

/// The property `Alphabetic`, or general category N or M.
fn is_letter_digit_or_mark(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character)
}
