//! For programs: one object a packet. What is not known is not there.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::explain::Part;
use super::packet::Told;
use crate::radius::Attributes;
use crate::trace::detail::Record;
use crate::trace::pairs::Found;

/// One packet, or what is none, as a line.
pub fn packet(told: &Told) -> String {
    let mut object = Map::new();
    object.insert("packet".to_owned(), told.number.into());
    if let Some(time) = told.time {
        object.insert("time".to_owned(), format!("{time:.6}").into());
    }
    if let Some((source, destination)) = told.way {
        object.insert("source".to_owned(), json!({ "address": source.ip(), "port": source.port() }));
        object.insert("destination".to_owned(), json!({ "address": destination.ip(), "port": destination.port() }));
    }
    object.insert("length".to_owned(), told.length.into());
    if told.is_cut() {
        object.insert("captured".to_owned(), told.octets.into());
    }
    let packet = match &told.packet {
        Ok(packet) => packet,
        Err(error) => {
            object.insert("error".to_owned(), error.to_string().into());
            return line(object);
        }
    };
    if let Some(missing) = &told.missing {
        object.insert("error".to_owned(), missing.to_string().into());
    }
    object.insert("code".to_owned(), packet.code().0.into());
    if let Some(name) = packet.code().name() {
        object.insert("type".to_owned(), name.into());
    }
    object.insert("id".to_owned(), packet.identifier().into());
    if let Some(checked) = told.checked {
        object.insert("authenticator".to_owned(), checked.authenticator.word().into());
        object.insert("message_authenticator".to_owned(), checked.message.word().into());
    }
    match &told.found {
        Some(Found::Again { first }) => drop(object.insert("retransmission_of".to_owned(), (*first).into())),
        Some(Found::Answer { request, latency, .. }) => {
            object.insert("answers".to_owned(), (*request).into());
            if let Some(latency) = latency {
                object.insert("latency_ms".to_owned(), json!(latency.as_micros() as f64 / 1000.0));
            }
        }
        _ => {}
    }
    insert_attributes(&mut object, &told.attributes);
    if !told.parts.is_empty() {
        object.insert("parts".to_owned(), told.parts.iter().map(part).collect());
    }
    line(object)
}

/// One record of a detail file as a line.
pub fn record(number: u64, record: &Record, code: Option<Arc<str>>, attributes: &Attributes) -> String {
    let mut object = Map::new();
    object.insert("packet".to_owned(), number.into());
    object.insert("line".to_owned(), record.line.into());
    if let Some(time) = record.time() {
        object.insert("time".to_owned(), format!("{time:.6}").into());
    }
    object.insert("header".to_owned(), record.header.as_str().into());
    if let Some(code) = code {
        object.insert("type".to_owned(), (*code).into());
    }
    insert_attributes(&mut object, attributes);
    line(object)
}

/// The attributes as in an event, and the names of those that are not shown.
fn insert_attributes(object: &mut Map<String, Json>, attributes: &Attributes) {
    object.insert("attributes".to_owned(), json!(attributes));
    let mut redacted: Vec<&str> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.value.is_redacted()) {
        if !redacted.contains(&&*attribute.name) {
            redacted.push(&attribute.name);
        }
    }
    if !redacted.is_empty() {
        object.insert("redacted".to_owned(), json!(redacted));
    }
}

fn part(part: &Part) -> Json {
    let mut object = Map::new();
    object.insert("offset".to_owned(), part.offset.into());
    object.insert("length".to_owned(), part.length.into());
    let hex: String = part.octets.iter().map(|octet| format!("{octet:02x}")).collect();
    if !hex.is_empty() {
        object.insert("hex".to_owned(), hex.into());
    }
    if let Some(name) = &part.name {
        object.insert("name".to_owned(), name.as_str().into());
    }
    if let Some(value) = &part.value {
        object.insert("value".to_owned(), json!(value));
    }
    object.into()
}

fn line(object: Map<String, Json>) -> String {
    format!("{}\n", Json::Object(object))
}
