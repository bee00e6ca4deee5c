//! Lists, and what may be absent, as text.

/// The texts of some, with commas.
pub fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    texts.join(", ")
}

/// The text of what may be absent; empty if it is.
pub fn text<T: ToString>(item: Option<T>) -> String {
    item.map(|item| item.to_string()).unwrap_or_default()
}
