//! XML 1.0. Values stand in text, in attributes' values and in CDATA; nowhere else is there a way to write any text.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::Unfit;
use super::{Piece, words};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Within {
    Text,
    Tag,
    /// Until this quotation mark.
    Attribute(char),
    Cdata,
    Comment,
    /// A processing instruction, or the declaration.
    Instruction,
}

/// How each of them begins in text, and ends.
const CDATA: (&str, &str) = ("<![CDATA[", "]]>");
const COMMENT: (&str, &str) = ("<!--", "-->");
const INSTRUCTION: (&str, &str) = ("<?", "?>");

/// Stands for what XML has no way to write (§2.2).
const REPLACEMENT: char = '\u{FFFD}';

pub(super) fn write<'a>(pieces: impl Iterator<Item = Piece<'a>>) -> Result<String, Unfit> {
    let mut written = String::new();
    let mut within = Within::Text;
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                for character in text.chars() {
                    written.push(character);
                    within = step(within, &written);
                }
            }
            Piece::Value { json, source } => {
                let value = words(json);
                match within {
                    Within::Text | Within::Attribute(_) => escape(&value, &mut written),
                    Within::Cdata => split(&value, &mut written),
                    Within::Tag | Within::Comment | Within::Instruction => {
                        let what = format!("{source} stands where XML has no place for text, as in a tag or a comment");
                        return Err(Unfit::new(what));
                    }
                }
            }
        }
    }
    well_formed(&written)?;
    Ok(written)
}

/// Where one is behind the last character of the template's own text.
fn step(within: Within, written: &str) -> Within {
    let ends = |text: &str| written.ends_with(text);
    match within {
        Within::Text if ends("<") => Within::Tag,
        // They begin like a tag.
        Within::Tag if ends(COMMENT.0) => Within::Comment,
        Within::Tag if ends(CDATA.0) => Within::Cdata,
        Within::Tag if ends(INSTRUCTION.0) => Within::Instruction,
        Within::Tag if ends(">") => Within::Text,
        Within::Tag if ends("\"") => Within::Attribute('"'),
        Within::Tag if ends("'") => Within::Attribute('\''),
        Within::Attribute(quote) if written.ends_with(quote) => Within::Tag,
        Within::Cdata if ends(CDATA.1) => Within::Text,
        Within::Comment if ends(COMMENT.1) => Within::Text,
        Within::Instruction if ends(INSTRUCTION.1) => Within::Text,
        same => same,
    }
}

fn escape(value: &str, to: &mut String) {
    for character in value.chars() {
        match character {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&apos;"),
            // A reader makes other whitespace of them (§2.11, §3.3.3).
            '\t' => to.push_str("&#9;"),
            '\n' => to.push_str("&#10;"),
            '\r' => to.push_str("&#13;"),
            other => to.push(writable(other)),
        }
    }
}

/// Ends the section and begins the next wherever a `]` or `>` might become part of its end, also with what stands around.
fn split(value: &str, to: &mut String) {
    for character in value.chars() {
        if character == '>' {
            to.push_str("]]><![CDATA[");
        }
        to.push(writable(character));
        if character == ']' {
            to.push_str("]]><![CDATA[");
        }
    }
}

fn writable(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' => character,
        '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => REPLACEMENT,
        other => other,
    }
}

fn well_formed(text: &str) -> Result<(), Unfit> {
    let unfit = |what: String| Unfit::new(format!("what it makes is no XML: {what}"));
    let mut reader = Reader::from_str(text);
    let (mut depth, mut elements) = (0_usize, 0_usize);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                attributes(&tag).map_err(unfit)?;
                (depth, elements) = (depth + 1, elements + usize::from(depth == 0));
            }
            Ok(Event::Empty(tag)) => {
                attributes(&tag).map_err(unfit)?;
                elements += usize::from(depth == 0);
            }
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Text(outside)) if depth == 0 && !outside.as_ref().trim_ascii().is_empty() => {
                return Err(unfit("text stands outside of its element".to_owned()));
            }
            Ok(Event::Eof) if depth == 0 && elements == 1 => return Ok(()),
            Ok(Event::Eof) => return Err(unfit("it is not one element, begun and ended".to_owned())),
            Ok(_) => {}
            Err(error) => return Err(unfit(error.to_string())),
        }
    }
}

fn attributes(tag: &quick_xml::events::BytesStart<'_>) -> Result<(), String> {
    tag.attributes().try_for_each(|attribute| attribute.map(|_| ()).map_err(|error| error.to_string()))
}
