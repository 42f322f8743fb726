//! `rlm_rest`: what FreeRADIUS's module rlm_rest posts of a request with `body = 'json'`.
//!
//! ```text
//! {"User-Name":{"type":"string","value":["bob"]},"NAS-Port":{"type":"integer","value":[7]}, …}
//! ```
//!
//! Types are those of the dictionary that comes with radhook; of an attribute that it does not have, the value tells. The
//! header X-FreeRADIUS-Section says which section of a server would have posted it.
//!
//! rlm_rest escapes every octet from 0x80 on by itself: an `ü` is `\u00C3\u00BC`. Receivers know how to put that together
//! again, so it is done here too.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::stored::Stored;
use super::{JSON, RenderError, Rendered};
use crate::event::EventType;
use crate::radius::dictionary::{DataType, Dictionary};

pub(super) const KINDS: &[EventType] = &[
    EventType::AuthAccept,
    EventType::AuthReject,
    EventType::AuthChallenge,
    EventType::SessionStart,
    EventType::SessionUpdate,
    EventType::SessionStop,
    EventType::NasOn,
    EventType::NasOff,
];

const SECTION: HeaderName = HeaderName::from_static("x-freeradius-section");
const SERVER: HeaderName = HeaderName::from_static("x-freeradius-server");

/// What FreeRADIUS calls the server that it comes with.
const DEFAULT_SERVER: HeaderValue = HeaderValue::from_static("default");

/// Only packets are posted, and each once: a start that was concluded from a later packet is not.
pub(super) fn has_word_for(event: Stored<'_>) -> bool {
    let has_attributes =
        event.fact("attributes").and_then(Value::as_object).is_some_and(|attributes| !attributes.is_empty());
    has_attributes && event.fact("session.inferred").is_none()
}

/// The body, and the headers beside it.
pub(super) fn rendered(event: Stored<'_>) -> Result<Rendered, RenderError> {
    let body = escaped(&serde_json::to_string(&object(event))?);
    let section = match event.kind {
        EventType::AuthAccept | EventType::AuthReject | EventType::AuthChallenge => "post-auth",
        _ => "accounting",
    };
    let headers = vec![(SECTION, HeaderValue::from_static(section)), (SERVER, DEFAULT_SERVER)];
    Ok(Rendered { headers, ..Rendered::new(body.into_bytes(), JSON) })
}

fn object(event: Stored<'_>) -> Value {
    let dictionary = Dictionary::shipped();
    let mut body = Map::new();
    for (written, value) in event.fact("attributes").and_then(Value::as_object).into_iter().flatten() {
        let name = untagged(written, &dictionary);
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let kind = dictionary.by_name(name).map(|definition| definition.kind);
        let kind = word(kind, values.first().unwrap_or(&Value::Null));
        let values = values.iter().map(|value| said(kind, value));
        let attribute = body.entry(name).or_insert_with(|| json!({ "type": kind, "value": [] }));
        if let Some(all) = attribute["value"].as_array_mut() {
            all.extend(values);
        }
    }
    body.into()
}

/// rlm_rest leaves tags away.
fn untagged<'n>(name: &'n str, dictionary: &Dictionary) -> &'n str {
    match name.rsplit_once(':') {
        Some((plain, tag)) if tag.parse::<u8>().is_ok() && dictionary.by_name(plain).is_some() => plain,
        _ => name,
    }
}

/// FreeRADIUS's word for a type.
fn word(kind: Option<DataType>, value: &Value) -> &'static str {
    let address = || value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    match kind {
        Some(DataType::Text) => "string",
        Some(DataType::Octets(_)) => "octets",
        Some(DataType::Byte) => "byte",
        Some(DataType::Short) => "short",
        Some(DataType::Integer) => "integer",
        Some(DataType::Integer64) => "integer64",
        Some(DataType::Signed) => "signed",
        Some(DataType::Date) => "date",
        Some(DataType::Ipv4Address) => "ipaddr",
        Some(DataType::Ipv6Address) => "ipv6addr",
        Some(DataType::ComboIp) => match address() {
            Some(IpAddr::V6(_)) => "ipv6addr",
            _ => "ipaddr",
        },
        Some(DataType::Ipv4Prefix) => "ipv4prefix",
        Some(DataType::Ipv6Prefix) => "ipv6prefix",
        Some(DataType::InterfaceId) => "ifid",
        Some(DataType::Ether) => "ether",
        Some(DataType::AscendBinary) => "abinary",
        _ if value.is_number() => "integer",
        _ if value.as_str().is_some_and(|text| text.starts_with("0x")) => "octets",
        _ => "string",
    }
}

/// A value as FreeRADIUS prints it.
fn said(kind: &str, value: &Value) -> Value {
    match (kind, value.as_str()) {
        ("date", Some(text)) => match text.parse::<Timestamp>() {
            Ok(time) => time.strftime("%b %e %Y %H:%M:%S UTC").to_string().into(),
            Err(_) => value.clone(),
        },
        ("ether", Some(text)) => text.replace('-', ":").to_ascii_lowercase().into(),
        _ => value.clone(),
    }
}

/// JSON in which every octet beyond ASCII is a character of its own. They stand in strings only.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
            continue;
        }
        for octet in character.encode_utf8(&mut [0; 4]).bytes() {
            write!(escaped, "\\u00{octet:02X}").expect("a String takes everything");
        }
    }
    escaped
}
