//! `native` and `ndjson`: events as they are stored, by themselves, in an array or line by line.

use super::Rendered;

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// The event, moved and not copied.
pub(super) fn one(json: Vec<u8>) -> Rendered {
    Rendered::new(json, JSON)
}

/// A JSON array.
pub(super) fn array(events: &[impl AsRef<[u8]>]) -> Rendered {
    let mut body = Vec::with_capacity(2 + length(events));
    body.push(b'[');
    for (number, event) in events.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event.as_ref());
    }
    body.push(b']');
    Rendered::new(body, JSON)
}

/// An event a line, each line ended.
pub(super) fn lines(events: &[impl AsRef<[u8]>]) -> Rendered {
    let mut body = Vec::with_capacity(length(events));
    for event in events {
        // Between JSON's tokens a line's end is a blank like others, and inside of them there is none (RFC 8259 §2, §7).
        body.extend(event.as_ref().iter().map(|octet| if matches!(octet, b'\n' | b'\r') { b' ' } else { *octet }));
        body.push(b'\n');
    }
    Rendered::new(body, LINES)
}

/// The room they take, each with what parts it from the next.
fn length(events: &[impl AsRef<[u8]>]) -> usize {
    events.iter().map(|event| event.as_ref().len() + 1).sum()
}
