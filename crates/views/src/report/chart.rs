//! Bar charts as SVG, drawn by hand.

use super::escape::escape;

const WIDTH: usize = 720;
const LABEL: usize = 200;
const BAR: usize = 22;

/// Horizontal bars, the longest as wide as there is room. Empty for no bars.
pub(crate) fn bars(title: &str, bars: &[(String, u64)]) -> String {
    let most = bars.iter().map(|(_, value)| *value).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let height = bars.len() * BAR + 4;
    let title = escape(title);
    let mut svg = format!(
        "<figure><figcaption>{title}</figcaption><svg role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\">"
    );
    for (row, (name, value)) in bars.iter().enumerate() {
        let (top, text) = (row * BAR + 2, row * BAR + 17);
        // Room for the number after the longest bar.
        let room = (WIDTH - LABEL - 120) as u128;
        let width = (u128::from(*value) * room / u128::from(most)).max(u128::from(*value > 0));
        let after = LABEL as u128 + width + 6;
        let name = escape(&shorten(name));
        svg.push_str(&format!(
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABEL}\" y=\"{top}\" width=\"{width}\" height=\"{}\"/>\
             <text x=\"{after}\" y=\"{text}\">{value}</text>",
            LABEL - 8,
            BAR - 4
        ));
    }
    svg.push_str("</svg></figure>");
    svg
}

fn shorten(name: &str) -> String {
    if name.chars().count() <= 28 {
        name.to_owned()
    } else {
        name.chars().take(27).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_text_is_escaped() {
        let svg = bars(
            "a < b",
            &[
                ("x\"y".into(), 100),
                ("half".into(), 50),
                ("none".into(), 0),
            ],
        );
        assert!(svg.contains("a &lt; b") && svg.contains("x&quot;y"));
        assert!(
            svg.contains("width=\"400\" height=\"18\"")
                && svg.contains("width=\"200\" height=\"18\"")
        );
        assert!(svg.contains("width=\"0\" height=\"18\""));
        assert_eq!(bars("t", &[]), "");
    }
}
