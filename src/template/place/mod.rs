//! Where a template's text stands, and how a value is written there.

mod address;
mod json;
mod xml;

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{Mistake, Unfit};

/// Where the text of a template will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A body of JSON (RFC 8259). What is made is read once: what is no JSON is not sent.
    Json,
    /// A body of JSON, one value a line (NDJSON).
    JsonLines,
    /// A body of XML 1.0, well-formed.
    Xml,
    /// A body like a query, `application/x-www-form-urlencoded`.
    Form,
    /// Any other body. Control characters of values become spaces, so that no value begins a line.
    Text,
    /// A URL.
    Url,
    /// A header's value.
    Header,
}

/// A piece of what a template makes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    /// What stands in it.
    Text(&'a str),
    /// What was filled in, as JSON, and the expression that it came of.
    Value { json: &'a str, source: &'a str },
}

/// RFC 3986 §2.3: what means nothing anywhere in a URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Place {
    /// Where a body of this media type stands; parameters do not count.
    pub fn of_content_type(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &*essence {
            "application/json" | "text/json" => Self::Json,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/jsonlines" => {
                Self::JsonLines
            }
            "application/xml" | "text/xml" => Self::Xml,
            "application/x-www-form-urlencoded" => Self::Form,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+xml") => Self::Xml,
            _ => Self::Text,
        }
    }

    /// What can be said of a template's text before anything is filled in.
    pub(super) fn judge(self, source: &str) -> Result<(), Mistake> {
        match self {
            Self::Url => address::judge(source),
            Self::Json | Self::JsonLines => json::judge(source),
            _ => Ok(()),
        }
    }

    /// Writes the pieces one behind the other.
    pub(super) fn write<'a>(self, pieces: impl Iterator<Item = Piece<'a>>) -> Result<String, Unfit> {
        match self {
            Self::Json => json::write(pieces),
            Self::JsonLines => json::write_lines(pieces),
            Self::Xml => xml::write(pieces),
            Self::Url => address::write(pieces),
            Self::Form => Ok(plainly(pieces, |value| percent_encode(value.as_bytes(), UNRESERVED).to_string())),
            Self::Text => Ok(plainly(pieces, |value| value.replace(char::is_control, " "))),
            Self::Header => {
                let line = plainly(pieces, |value| value.replace(char::is_control, ""));
                Ok(line.trim_matches([' ', '\t']).to_owned())
            }
        }
    }
}

fn plainly<'a>(pieces: impl Iterator<Item = Piece<'a>>, value: impl Fn(&str) -> String) -> String {
    pieces.fold(String::new(), |mut written, piece| {
        match piece {
            Piece::Text(text) => written.push_str(text),
            Piece::Value { json, .. } => written.push_str(&value(&words(json))),
        }
        written
    })
}

/// A value as text: a string's own, nothing for nothing, and of anything else its JSON.
fn words(json: &str) -> Cow<'_, str> {
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(json).map_or(Cow::Borrowed(json), Cow::Owned),
        _ if json == "null" => Cow::Borrowed(""),
        _ => Cow::Borrowed(json),
    }
}
