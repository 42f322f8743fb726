//! JSON, one value or one a line. Inside a string a value is more of that string; elsewhere it is a JSON value of its own.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

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
    let written = filled(pieces)?;
    // A name that stands twice is read by every parser, in its own way; the operator may have written it so.
    match serde_json::from_str::<IgnoredAny>(&written) {
        Ok(_) => Ok(written),
        Err(error) => Err(no_json(&error)),
    }
}

/// Each value becomes a line, over however many the template spreads it.
pub(super) fn write_lines<'a>(pieces: impl Iterator<Item = Piece<'a>>) -> Result<String, Unfit> {
    let written = filled(pieces)?;
    let mut values = Deserializer::from_str(&written).into_iter::<IgnoredAny>();
    let (mut lines, mut from) = (String::with_capacity(written.len()), 0);
    while let Some(value) = values.next() {
        value.map_err(|error| no_json(&error))?;
        let to = values.byte_offset();
        // No string of JSON holds a line's end as it is: what stands around one means nothing.
        lines.extend(written[from..to].lines().map(str::trim));
        lines.push('\n');
        from = to;
    }
    match lines.is_empty() {
        true => Err(Unfit::new("it makes no line")),
        false => Ok(lines),
    }
}

fn no_json(error: &serde_json::Error) -> Unfit {
    Unfit::new(format!("what it makes is no JSON: {error}"))
}

fn filled<'a>(pieces: impl Iterator<Item = Piece<'a>>) -> Result<String, Unfit> {
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
    Ok(written)
}
