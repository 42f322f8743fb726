//! JSON. Inside a string a value is more of that string; elsewhere it is a JSON value of its own.

use serde::de::IgnoredAny;

use super::super::{Mistake, Unfit};
use super::Piece;

/// A value behind a backslash would lose its first character to it.
pub(super) fn judge(source: &str) -> Result<(), Mistake> {
    match source.find("\\{{") {
        Some(at) => Err(Mistake::new("a value stands right behind a backslash: write \\\\ for a backslash", Some(at))),
        None => Ok(()),
    }
}

pub(super) fn write<'a>(pieces: impl Iterator<Item = Piece<'a>>) -> Result<String, Unfit> {
    let mut written = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                for byte in text.bytes() {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' if in_string => escaped = true,
                        b'"' => in_string = !in_string,
                        _ => {}
                    }
                }
                written.push_str(text);
            }
            Piece::Value { source, .. } if escaped => {
                return Err(Unfit::new(format!("{source} stands right behind a backslash")));
            }
            Piece::Value { json, .. } if !in_string => written.push_str(json),
            Piece::Value { json, .. } => match json.as_bytes()[0] {
                b'"' => written.push_str(&json[1..json.len() - 1]),
                b'[' | b'{' => {
                    let quoted = serde_json::to_string(json).expect("a string is JSON");
                    written.push_str(&quoted[1..quoted.len() - 1]);
                }
                _ if json == "null" => {}
                _ => written.push_str(json),
            },
        }
    }
    // A name that stands twice is read by every parser, in its own way; the operator may have written it so.
    match serde_json::from_str::<IgnoredAny>(&written) {
        Ok(_) => Ok(written),
        Err(error) => Err(Unfit::new(format!("what it makes is no JSON: {error}"))),
    }
}
