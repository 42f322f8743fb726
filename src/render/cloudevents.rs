//! CloudEvents 1.0.2, with its JSON format and its HTTP binding: structured, binary, and batches.
//!
//! `id`, `type` and `time` are the event's own. `source` is `/node/source`, each percent-encoded (a path of RFC 3986
//! §3.3). `subject` is whom the event is about, where it says so. What the event's `source` says beyond that goes into
//! extension attributes. `data` is the event's `data`, octet for octet.
//!
//! Attributes are Strings of the specification, which hold no control characters: one that a name holds becomes U+FFFD,
//! and in `data` the name stands as it came.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::{HeaderName, HeaderValue};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{RenderError, Rendered};

const STRUCTURED: &str = "application/cloudevents+json; charset=utf-8";
const BATCH: &str = "application/cloudevents-batch+json";

/// What `data` is.
const DATA: &str = "application/json";

/// Stands before an attribute's name in a header (HTTP binding §3.1.3).
const PREFIX: &str = "ce-";

/// The longest subject, in characters. User-Name has at most 253 octets; a name that was posted can have 64 KiB, and
/// servers commonly refuse more than 8 KiB of headers.
const MAX_SUBJECT: usize = 256;

/// All in the body.
pub(super) fn structured(json: &[u8]) -> Result<Rendered, RenderError> {
    let body = serde_json::to_vec(&Structured(Native::read(json)?))?;
    Ok(Rendered::new(body, STRUCTURED))
}

/// An array of structured ones.
pub(super) fn batch(events: &[impl AsRef<[u8]>]) -> Result<Rendered, RenderError> {
    let events =
        events.iter().map(|json| Native::read(json.as_ref()).map(Structured)).collect::<Result<Vec<_>, _>>()?;
    Ok(Rendered::new(serde_json::to_vec(&events)?, BATCH))
}

/// Attributes as headers, `data` as the body. What it is says Content-Type.
pub(super) fn binary(json: &[u8]) -> Result<Rendered, RenderError> {
    let native = Native::read(json)?;
    let header = |(name, value): (&'static str, Cow<'_, str>)| {
        let value =
            HeaderValue::from_str(&percent_encoded(&value, fits_header)).expect("only U+0021 to U+007E are left");
        (HeaderName::from_static(name), value)
    };
    let headers = native.attributes().into_iter().map(header).collect();
    Ok(Rendered { headers, ..Rendered::new(native.data.get().as_bytes().to_vec(), DATA) })
}

/// What is read of an event; `data` stays as it is.
#[derive(Deserialize)]
struct Native<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    source: Source<'a>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    client: Option<Cow<'a, str>>,
    address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    received_at: Cow<'a, str>,
    #[serde(borrow)]
    node: Cow<'a, str>,
}

impl<'a> Native<'a> {
    fn read(json: &'a [u8]) -> Result<Self, RenderError> {
        Ok(serde_json::from_slice(json)?)
    }

    /// Every attribute but `datacontenttype`, by its name in a header.
    fn attributes(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let Source { name, kind, client, address, received_at, node } = &self.source;
        let segment = |text| percent_encoded(text, is_unreserved);
        let attributes = [
            ("ce-specversion", Some(Cow::Borrowed("1.0"))),
            ("ce-id", Some(text(&self.id))),
            ("ce-source", Some(format!("/{}/{}", segment(node), segment(name)).into())),
            ("ce-type", Some(text(&self.kind))),
            ("ce-subject", subject(self.data).map(Cow::Owned)),
            ("ce-time", Some(text(&self.timestamp))),
            ("ce-sourcetype", Some(text(kind))),
            ("ce-sourceclient", client.as_deref().map(text)),
            ("ce-sourceaddress", address.as_deref().map(text)),
            ("ce-receivedat", Some(text(received_at))),
        ];
        attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

struct Structured<'a>(Native<'a>);

impl Serialize for Structured<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.attributes() {
            map.serialize_entry(name.trim_start_matches(PREFIX), &value)?;
        }
        map.serialize_entry("datacontenttype", DATA)?;
        map.serialize_entry("data", self.0.data)?;
        map.end()
    }
}

/// Where `data` names whom it is about. In an event that was posted anything may stand there.
#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    client: Option<&'a RawValue>,
    #[serde(borrow)]
    nas: Option<&'a RawValue>,
    #[serde(borrow)]
    endpoint: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Names<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    mac: Option<&'a RawValue>,
    #[serde(borrow)]
    identifier: Option<&'a RawValue>,
    #[serde(borrow)]
    ip: Option<&'a RawValue>,
}

/// The user, else the device, else the NAS; of radhook's own events the endpoint.
fn subject(data: &RawValue) -> Option<String> {
    let about: About<'_> = serde_json::from_str(data.get()).ok()?;
    let user = || said(names(about.user)?.name);
    let device = || said(names(about.client)?.mac);
    let nas = || names(about.nas).and_then(|nas| said(nas.identifier).or_else(|| said(nas.ip)));
    let endpoint = || said(names(about.endpoint)?.name);
    user().or_else(device).or_else(nas).or_else(endpoint)
}

fn names(part: Option<&RawValue>) -> Option<Names<'_>> {
    serde_json::from_str(part?.get()).ok()
}

/// A name of at most [`MAX_SUBJECT`] characters, where there is one.
fn said(name: Option<&RawValue>) -> Option<String> {
    let name: String = serde_json::from_str(name?.get()).ok()?;
    let name: String = text(&name).chars().take(MAX_SUBJECT).collect();
    Some(name).filter(|name| !name.is_empty())
}

/// What a String of CloudEvents can hold (§3.1).
fn text(text: &str) -> Cow<'_, str> {
    if text.contains(is_no_text) { text.replace(is_no_text, "\u{fffd}").into() } else { text.into() }
}

/// Control characters, and what Unicode says is no character.
fn is_no_text(character: char) -> bool {
    character.is_control() || matches!(u32::from(character), 0xfdd0..=0xfdef) || u32::from(character) & 0xfffe == 0xfffe
}

/// RFC 3986 §2.3.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}

/// HTTP binding §3.1.3.2: printable ASCII without blank, double quote and percent.
fn fits_header(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"\"%".contains(&octet)
}

/// Every octet of its UTF-8 that does not fit as `%XX`.
fn percent_encoded(text: &str, fits: fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match fits(octet) {
            true => encoded.push(octet.into()),
            false => write!(encoded, "%{octet:02X}").expect("a String takes everything"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
