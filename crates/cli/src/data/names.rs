//! `--columns`: which header stands for which element.

use std::str::FromStr;

use sluis_domain::ElementName;

/// One `header=element` of `--columns`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ColumnName {
    /// As in the header line.
    pub(crate) header: String,
    /// As in the chain.
    pub(crate) element: ElementName,
}

/// A value of `--columns`: one or more `header=element` with commas between. A header with a comma stands in quotes, as it
/// does in the file; a quote within quotes is written twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ColumnNames(Vec<ColumnName>);

/// All names of a repeated flag, in order.
pub(crate) fn all(flags: &[ColumnNames]) -> Vec<ColumnName> {
    flags.iter().flat_map(|names| names.0.clone()).collect()
}

impl FromStr for ColumnNames {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = first(rest)?;
            names.push(name);
            match after {
                Some(after) => rest = after,
                None => return Ok(Self(names)),
            }
        }
    }
}

/// The first `header=element`, and what stands after its comma.
fn first(text: &str) -> Result<(ColumnName, Option<&str>), String> {
    let (quoted, rest) = match text.strip_prefix('"') {
        Some(rest) => unquoted(rest).map(|(header, rest)| (Some(header), rest))?,
        None => (None, text),
    };
    let (mapping, after) = match rest.split_once(',') {
        Some((mapping, after)) => (mapping, Some(after)),
        None => (rest, None),
    };
    let (before, element) = mapping.rsplit_once('=').ok_or(
        "give header=element; a header with a comma stands in quotes: '\"Name, first\"=name'",
    )?;
    let header = match quoted {
        None => before.to_owned(),
        Some(header) if before.is_empty() => header,
        Some(_) => return Err("after a header in quotes comes =element".to_owned()),
    };
    let element = element
        .parse()
        .map_err(|error| format!("after the = comes an element; {error}"))?;
    Ok((ColumnName { header, element }, after))
}

/// A text up to its closing quote, and what follows.
fn unquoted(text: &str) -> Result<(String, &str), String> {
    let mut header = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest
            .split_once('"')
            .ok_or("a header in quotes must end with a quote")?;
        header.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                header.push('"');
                rest = after;
            }
            None => return Ok((header, after)),
        }
    }
}

/// The names in one value of `--columns`, which may be empty.
#[cfg(test)]
pub(crate) fn parsed(text: &str) -> Vec<ColumnName> {
    if text.is_empty() {
        return Vec::new();
    }
    text.parse::<ColumnNames>().expect("header=element").0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        super::parsed(text)
            .into_iter()
            .map(|name| (name.header, name.element.to_string()))
            .collect()
    }

    fn pair(header: &str, element: &str) -> (String, String) {
        (header.to_owned(), element.to_owned())
    }

    #[test]
    fn headers_with_commas_quotes_and_equals_signs_can_be_named() {
        assert_eq!(parsed("BSN=bsn"), [pair("BSN", "bsn")]);
        assert_eq!(parsed("a=b=ab,c=d"), [pair("a=b", "ab"), pair("c", "d")]);
        assert_eq!(
            parsed("\"Name, first\"=name,\"5\"\" pipe\"=pipe,=blank"),
            [
                pair("Name, first", "name"),
                pair("5\" pipe", "pipe"),
                pair("", "blank")
            ]
        );
        assert_eq!(parsed("5\" pipe=pipe"), [pair("5\" pipe", "pipe")]);
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for bad in [
            "bsn",
            "bsn=BSN",
            "",
            "a=b,",
            "\"a=b",
            "\"a\"b=c",
            "Name, first=name",
        ] {
            assert!(bad.parse::<ColumnNames>().is_err(), "{bad}");
        }
    }
}
