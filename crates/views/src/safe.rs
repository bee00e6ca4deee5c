//! Text that does nothing to a terminal but appear on it.

/// Text that is safe to print. Every way to make one escapes what steers a terminal, reorders text, hides in it or starts a
/// new line, so text of a custodian, a file or another member cannot look like the program's own. Only [`Self::painted`]
/// adds control characters, the program's own colours.
///
/// It is no string and has no `Display`: what is formatted into a string is escaped when that string is printed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Safe(String);

impl Safe {
    /// Several lines. Line ends stay, tabs as well; everything else as in one line, as TOML strings escape it: `\u202E`.
    /// For whole documents only, where a line of another party cannot be taken for the program's.
    pub fn document(text: &str) -> Self {
        Self(escaped(
            &text.replace("\r\n", "\n"),
            |c| matches!(c, '\n' | '\t') || !steers(c),
            |c, out| match u32::from(c) {
                code @ 0..=0xffff => out.push_str(&format!("\\u{code:04X}")),
                code => out.push_str(&format!("\\U{code:08X}")),
            },
        ))
    }

    /// A JSON document. What steers is escaped as JSON does it, so the document says the same.
    pub fn json(text: &str) -> Self {
        // Outside of strings JSON has line ends and nothing else that steers; inside it has no line ends.
        Self(escaped(
            text,
            |c| c == '\n' || !steers(c),
            |c, out| {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            },
        ))
    }

    /// One after the other.
    pub fn concat(parts: impl IntoIterator<Item = Safe>) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect())
    }

    /// In a colour, if there are colours. `code`: the number of an SGR sequence.
    pub fn painted(self, code: &str, colours: bool) -> Self {
        if colours {
            Self(format!("\u{1b}[{code}m{}\u{1b}[0m", self.0))
        } else {
            self
        }
    }

    /// As a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One line: a line end is escaped too.
impl From<&str> for Safe {
    fn from(text: &str) -> Self {
        Self(escaped(
            text,
            |c| !steers(c),
            |c, out| {
                out.extend(c.escape_unicode());
            },
        ))
    }
}

impl From<String> for Safe {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for Safe {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

fn escaped(text: &str, stays: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if stays(c) {
            out.push(c);
        } else {
            escape(c, &mut out);
        }
    }
    out
}

/// Control characters; line and paragraph separators; what sets the direction of text; and what is not seen
/// (`Default_Ignorable_Code_Point` of Unicode, and the other format characters).
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        for (text, shown) in [
            ("a\u{1b}[2Kb", "a\\u{1b}[2Kb"),
            ("x\u{202e}y", "x\\u{202e}y"),
            ("a\rb\nc\td", "a\\u{d}b\\u{a}c\\u{9}d"),
            ("a\u{9b}2Kb", "a\\u{9b}2Kb"),
            ("a\u{200b}b\u{ad}\u{feff}", "a\\u{200b}b\\u{ad}\\u{feff}"),
            ("a\u{e0041}", "a\\u{e0041}"),
            ("a\u{61c}\u{2066}", "a\\u{61c}\\u{2066}"),
        ] {
            assert_eq!(Safe::from(text).as_str(), shown);
        }
        let plain = "Onderzoek naar diabetes – München, 東京, עברית";
        assert_eq!(Safe::from(plain).as_str(), plain);
    }

    #[test]
    fn json_says_the_same_and_has_nothing_that_steers() {
        let value = serde_json::json!({ "a": "x\u{202e}\u{9b}\u{e0041}\u{7f}\n", "b": [1] });
        let pretty = serde_json::to_string_pretty(&value).expect("a document");
        let safe = Safe::json(&pretty);
        assert!(!safe.as_str().chars().any(|c| c != '\n' && steers(c)));
        let read: serde_json::Value = serde_json::from_str(safe.as_str()).expect("JSON");
        assert_eq!(read, value);
    }

    #[test]
    fn a_toml_document_says_the_same_and_has_nothing_that_steers() {
        let text = "# a\u{202e}b\r\n\tname = \"x\u{200b}\u{e0041}\"\n";
        let safe = Safe::document(text);
        assert_eq!(
            safe.as_str(),
            "# a\\u202Eb\n\tname = \"x\\u200B\\U000E0041\"\n"
        );
        let read: toml::Table = safe.as_str().parse().expect("TOML");
        assert_eq!(read["name"].as_str(), Some("x\u{200b}\u{e0041}"));
    }

    #[test]
    fn colours_are_the_only_control_characters() {
        let painted = Safe::from("a\u{1b}b").painted("31", true);
        assert_eq!(painted.as_str(), "\u{1b}[31ma\\u{1b}b\u{1b}[0m");
        // Formatted into a string they are text like any other.
        let again = Safe::from(format!("{} c", painted.as_str()));
        assert!(!again.as_str().contains('\u{1b}'));
    }
}
