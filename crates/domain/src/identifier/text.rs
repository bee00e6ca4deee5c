//! `text`: two spellings of a name that a reader takes for the same become the same bytes.

use std::iter;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

use super::unseen::{is_control, is_default_ignorable, refuse_replacement};
use crate::{Reason, WipedBuffer};

/// Longest mapping of one character, in characters (U+FDFA has it).
const LONGEST_MAPPING: usize = 18;

/// toNFKC_Casefold of the NFD (the Unicode Standard, section 3.13, "identifier caseless matching"); trim; runs of white
/// space to one space. What this leaves is in NFC. Control characters are refused.
pub(super) fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    if value.chars().any(is_control) {
        return Err(Reason::InvisibleCharacter);
    }
    refuse_replacement(value)?;
    if value.is_ascii() {
        push_words(value.chars().map(|c| c.to_ascii_lowercase()), out);
    } else {
        push_words(value.nfd().flat_map(nfkc_casefold).nfc(), out);
    }
    Ok(())
}

/// Appends the characters without white space at both ends, and with one space for each run of it inside.
fn push_words(characters: impl Iterator<Item = char>, out: &mut WipedBuffer) {
    let start = out.len();
    let mut gap = false;
    for character in characters {
        if character.is_whitespace() {
            gap = out.len() > start;
            continue;
        }
        if gap {
            out.push(b' ');
            gap = false;
        }
        out.push_char(character);
    }
}

/// The Unicode property `NFKC_Casefold` of a character: NFKC, full case folding and removal of
/// `Default_Ignorable_Code_Point`, again and again until nothing changes. A test shows that twice is enough.
fn nfkc_casefold(character: char) -> impl Iterator<Item = char> {
    let mut mapping = ['\0'; LONGEST_MAPPING];
    let mut length = 0;
    if character.is_ascii() {
        mapping[0] = character.to_ascii_lowercase();
        length = 1;
    } else {
        for mapped in nfkc_casefold_once(nfkc_casefold_once(iter::once(character))).nfkc() {
            mapping[length] = mapped;
            length += 1;
        }
    }
    mapping.into_iter().take(length)
}

fn nfkc_casefold_once(characters: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let folded = characters.nfkc().default_case_fold();
    folded.filter(|character| !is_default_ignorable(*character))
}

/// Appends `text` in Unicode normal form C.
pub(super) fn push_nfc(text: &str, out: &mut WipedBuffer) {
    text.nfc().for_each(|character| out.push_char(character));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in DerivedNormalizationProps.txt, taken by its word.
    fn until_stable(character: char) -> String {
        let mut before = String::from(character);
        loop {
            let after: String = nfkc_casefold_once(before.chars()).collect();
            let after: String = after.nfkc().collect();
            if after == before {
                return after;
            }
            before = after;
        }
    }

    /// All characters; also shows that no mapping is longer than [`LONGEST_MAPPING`].
    #[test]
    fn twice_is_enough_for_every_character() {
        for character in '\0'..=char::MAX {
            let mapped: String = nfkc_casefold(character).collect();
            assert_eq!(
                mapped,
                until_stable(character),
                "U+{:04X}",
                character as u32
            );
        }
    }
}
