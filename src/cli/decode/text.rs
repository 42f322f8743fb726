//! For people: a line for each packet, its attributes beneath it, aligned.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::explain::Part;
use super::packet::Told;
use crate::radius::{Attributes, Packet, Value};
use crate::trace::detail::Record;
use crate::trace::pairs::{Found, Role, Unanswered};

/// The widest name that others are aligned with; longer ones stand out.
const WIDEST: usize = 32;
/// Octets in one line of `--explain`.
const ROW: usize = 16;

/// One packet.
pub fn packet(told: &Told) -> String {
    let mut text = format!("{:<4} {}", told.number, place(told.time, told.way));
    match &told.packet {
        Ok(packet) => {
            let _ = write!(text, "{} id {}, {} octets", packet.code(), packet.identifier(), told.length);
            let _ = writeln!(text, "{}", cut(told));
            if told.parts.is_empty() {
                let field = ("Authenticator-Field".to_owned(), value(&Value::Octets((*packet.authenticator()).into())));
                lines(&mut text, &told.attributes, &[field]);
            } else {
                explained(&mut text, &told.parts);
            }
            remarks(&mut text, told, packet);
        }
        Err(error) => {
            let _ = writeln!(text, "no RADIUS packet, {} octets{}: {error}", told.length, cut(told));
        }
    }
    text.push('\n');
    text
}

/// One record of a detail file.
pub fn record(number: u64, record: &Record, code: Option<std::sync::Arc<str>>, attributes: &Attributes) -> String {
    let time = record.time().map_or_else(|| printable(&record.header), |time| format!("{time:.0}"));
    let code = code.map_or_else(String::new, |code| format!(", {}", printable(&code)));
    let mut text = format!("{number:<4} {time}  record in line {}{code}\n", record.line);
    lines(&mut text, attributes, &[]);
    text.push('\n');
    text
}

/// The requests without an answer; nothing where there are none.
pub fn unanswered(requests: &[Unanswered], count: u64) -> String {
    let mut text = String::new();
    if count == 0 {
        return text;
    }
    let requests_are = if count == 1 { "request" } else { "requests" };
    let _ = writeln!(text, "{count} {requests_are} without an answer:");
    for request in requests {
        let sent = if request.sent > 1 { format!(", sent {} times", request.sent) } else { String::new() };
        let place = place(request.time, request.path);
        let _ = writeln!(text, "{:<4} {place}{} id {}{sent}", request.number, request.code, request.identifier);
    }
    if count > requests.len() as u64 {
        let _ = writeln!(text, "and {} more", count - requests.len() as u64);
    }
    text
}

fn place(time: Option<Timestamp>, way: Option<super::packet::Path>) -> String {
    let mut text = String::new();
    if let Some(time) = time {
        let _ = write!(text, "{time:.6}  ");
    }
    if let Some((source, destination)) = way {
        let _ = write!(text, "{source} -> {destination}  ");
    }
    text
}

fn cut(told: &Told) -> String {
    match told.is_cut() {
        true => format!(" (cut by the capture: only {} of them are there)", told.octets),
        false => String::new(),
    }
}

fn lines(text: &mut String, attributes: &Attributes, more: &[(String, String)]) {
    let shown: Vec<_> = attributes
        .iter()
        .map(|attribute| (attribute.name.to_string(), value(&attribute.value)))
        .chain(more.iter().cloned())
        .collect();
    let width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or_default().min(WIDEST);
    for (name, value) in shown {
        let _ = writeln!(text, "\t{:<width$} = {value}", printable(&name));
    }
}

fn explained(text: &mut String, parts: &[Part]) {
    for part in parts {
        let indent = "  ".repeat(part.depth);
        let mut rows: Vec<String> = part.octets.chunks(ROW).map(hex).collect();
        if part.is_redacted() && !part.octets.is_empty() {
            let last = rows.last_mut();
            if let Some(last) = last {
                let _ = write!(last, " [{} octets not shown]", part.length - part.octets.len());
            }
        }
        if rows.is_empty() {
            rows.push(String::new());
        }
        let mut meaning = part.name.as_deref().map(printable).unwrap_or_default();
        if let Some(found) = &part.value {
            let found = if part.offset < 20 { plain(found) } else { value(found) };
            let _ = write!(meaning, " = {found}");
        }
        for (at, row) in rows.iter().enumerate() {
            let line = match at {
                0 => format!("\t{:>4} {:>4}  {row:<47}  {indent}{meaning}", part.offset, part.length),
                _ => format!("\t{:>4} {:>4}  {row}", "", ""),
            };
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
}

fn remarks(text: &mut String, told: &Told, packet: &Packet) {
    let mut said: Vec<String> = told.missing.iter().map(|missing| format!("NOT WHOLE: {missing}")).collect();
    match &told.found {
        Some(Found::Again { first }) => said.push(format!("sent again: the same as {first}")),
        Some(Found::Answer { request, latency, again, .. }) => {
            let after = latency.map_or_else(String::new, |latency| format!(" after {}", milliseconds(latency)));
            let again = if *again { ", which was answered before" } else { "" };
            said.push(format!("answers {request}{after}{again}"));
        }
        Some(Found::Alone) if Role::of(packet.code()) == Role::Reply => {
            said.push("answers a request that was not seen".to_owned());
        }
        _ => {}
    }
    if let Some(checked) = told.checked {
        said.push(format!("authenticator {}", checked.authenticator.told()));
        // Why the one could not be checked is why the other could not.
        let same = checked.message == checked.authenticator && checked.message.word() == "unchecked";
        said.push(format!("Message-Authenticator {}", if same { "neither" } else { checked.message.told() }));
    }
    let _ = writeln!(text, "\t({})", said.join("; "));
}

/// A latency with its microseconds.
pub fn milliseconds(latency: SignedDuration) -> String {
    format!("{:.3} ms", latency.as_secs_f64() * 1000.0)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ")
}

/// A value as FreeRADIUS's tools write it, but for dates and Ethernet addresses, which are as in events.
pub fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Redacted => "[redacted]".to_owned(),
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => printable(&text),
        Ok(other) => other.to_string(),
        Err(_) => "?".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // What else could steer a terminal, by its octets.
            control if control.is_control() => {
                for octet in control.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(quoted, "\\{octet:03o}");
                }
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Without what would steer a terminal.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_the_terminal_nor_leave_its_quotes() {
        let text = |text: &str| value(&Value::Text(text.into()));
        assert_eq!(text("a\"b\\c\n\u{1b}[31m\0é\u{9b}"), "\"a\\\"b\\\\c\\n\\033[31m\\000é\\302\\233\"");
        assert_eq!(printable("x\u{1b}]0;y\u{7}"), "x\\u{1b}]0;y\\u{7}");
    }
}
