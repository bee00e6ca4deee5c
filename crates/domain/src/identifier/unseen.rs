//! Characters that a reader does not see, or that stand for one that was lost.

use crate::Reason;

/// The Unicode property `Default_Ignorable_Code_Point`, as of Unicode 16.0: `docs/method.md` lists the same ranges.
const DEFAULT_IGNORABLE: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether the character is ignored where it cannot be shown: soft hyphen, zero-width space, byte order mark, ...
pub(super) fn is_default_ignorable(character: char) -> bool {
    character >= '\u{ad}'
        && DEFAULT_IGNORABLE
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&character))
}

/// Whether the character controls something rather than being read: `Cc` (other than white space), and the
/// interlinear annotation marks U+FFF9 to U+FFFB.
pub(super) fn is_control(character: char) -> bool {
    (character.is_control() && !character.is_whitespace())
        || ('\u{fff9}'..='\u{fffb}').contains(&character)
}

/// Refuses the character that stands where another was lost: two names that lost theirs would be one subject.
pub(super) fn refuse_replacement(value: &str) -> Result<(), Reason> {
    if value.contains('\u{fffd}') {
        return Err(Reason::ReplacementCharacter);
    }
    Ok(())
}
