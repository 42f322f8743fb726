//! The format `native`: one definition for each type of event, and what they are made of.
//!
//! What is posted to a source of type `local` says in `data` what its sender likes, whatever its type; of everything else
//! `data` is exact. New keys may come at any time, so that none is forbidden.

use serde_json::{Map, Value, json};

use super::DRAFT;
use crate::event::EventType;
use crate::event::sample::Sample;

/// The schema of an event of any type.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    for kind in EventType::ALL {
        definitions.insert(kind.name().to_owned(), event(*kind));
    }
    if let Value::Object(parts) = parts() {
        definitions.extend(parts);
    }
    let any: Vec<Value> = EventType::ALL.iter().map(|kind| of(kind.name())).collect();
    json!({
        "$schema": DRAFT,
        "$id": "urn:radhook:schema:native",
        "title": "radhook event, format native",
        "description": "An event of any type. $defs has each type by its name: native.json#/$defs/session.stop. \
                        Absent facts are absent keys, never null; new keys may come.",
        "type": "object",
        "required": ["type"],
        "properties": { "type": of("type") },
        "oneOf": any,
        "$defs": definitions,
    })
}

/// A reference to a definition.
fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// When the samples that the schema shows happen.
const SHOWN_AT: i64 = 1_795_342_530;

fn event(kind: EventType) -> Value {
    let now = jiff::Timestamp::from_second(SHOWN_AT).unwrap_or_default();
    let sample = Sample { now, node: "radhook-1", endpoint: "crm" };
    let mut event = json!({
        "type": "object",
        "required": ["id", "type", "timestamp", "source", "data"],
        "properties": {
            "id": of("id"),
            "type": { "const": kind.name() },
            "timestamp": of("time"),
            "source": of("source"),
            "data": { "type": "object" },
        },
        "examples": [sample.of(kind)],
    });
    if let Some(data) = data(kind) {
        event["if"] = json!({
            "properties": { "source": { "properties": { "type": { "const": "local" } }, "required": ["type"] } },
            "required": ["source"],
        });
        // What rlm_rest posts is as exact; nothing tells it from what a script posts.
        event["else"] = json!({ "properties": { "data": data } });
    }
    event
}

/// `data` of a type that radhook makes itself; `None` where its sender says what stands there.
fn data(kind: EventType) -> Option<Value> {
    use EventType as T;
    Some(match kind {
        T::AuthAccept | T::AuthReject | T::AuthChallenge | T::AuthTimeout => {
            let mut data = told(&["attributes"], json!({ "auth": of("auth") }));
            let reply = if kind == T::AuthTimeout { json!(false) } else { of("reply_attributes") };
            data["properties"]["reply_attributes"] = reply;
            data["properties"]["session"] = json!(false);
            data
        }
        T::SessionStart
        | T::SessionUpdate
        | T::SessionStop
        | T::SessionResumed
        | T::SessionLost
        | T::SessionRevoked
        | T::SessionLimitExceeded => {
            let of_packet = !matches!(kind, T::SessionLost | T::SessionRevoked);
            let required: &[&str] = if of_packet { &["session", "attributes"] } else { &["session"] };
            told(required, json!({ "session": session(kind) }))
        }
        T::NasOn | T::NasOff => told(&["attributes"], json!({ "session": false })),
        T::CoaAck | T::CoaNak | T::DisconnectAck | T::DisconnectNak => {
            told(&["attributes"], json!({ "session": false, "reply_attributes": of("reply_attributes") }))
        }
        T::SystemUserlimitExceeded => {
            object(&["limit", "active_users"], json!({ "limit": of("count"), "active_users": of("count") }))
        }
        T::EndpointDisabled | T::EndpointEnabled | T::EndpointRecovered => object(
            &["endpoint", "reason"],
            json!({ "endpoint": of("endpoint"), "reason": of("text"), "failing_since": of("time") }),
        ),
        T::DeliveryExhausted => object(
            &["endpoint", "event", "attempt"],
            json!({
                "endpoint": of("endpoint"),
                "event": object(&["id", "type"], json!({ "id": of("id"), "type": of("type") })),
                "attempt": object(&[], json!({
                    "status": { "type": "integer", "minimum": 100, "maximum": 999 },
                    "error": of("text"),
                })),
            }),
        ),
        T::Test => object(&["endpoint"], json!({ "endpoint": of("endpoint") })),
        _ => return None,
    })
}

/// `data` of what packets told, with keys of its own.
fn told(required: &[&str], own: Value) -> Value {
    let mut data = object(
        required,
        json!({
            "user": of("user"), "client": of("client"), "nas": of("nas"), "ap": of("ap"), "venue": of("venue"),
            "company": of("company"), "facts": of("facts"),
            "attributes": of("attributes"),
        }),
    );
    if let (Value::Object(all), Value::Object(own)) = (&mut data["properties"], own) {
        all.extend(own);
    }
    data
}

/// `data.session`, with what the type always tells.
fn session(kind: EventType) -> Value {
    let mut required = vec!["id", "unique_id", "started_at"];
    let mut properties = json!({
        "id": of("text"),
        "unique_id": of("hex"),
        "acct_unique_id": of("hex"),
        "multi_id": of("text"),
        "started_at": of("time"),
        "inferred": { "const": true },
        "stopped_at": of("time"),
        "last_seen_at": of("time"),
        "duration": of("count"),
        "input_octets": of("count"),
        "output_octets": of("count"),
        "input_packets": of("count"),
        "output_packets": of("count"),
        "noticed": { "type": "array", "items": { "enum": ["wrapped", "reset"] }, "minItems": 1, "uniqueItems": true },
        "terminate_cause": of("text"),
        "vendor_cause": of("text"),
        "limit": { "enum": ["time", "volume"] },
        "revoked": { "const": true },
        "login": { "enum": ["first", "reconnect"] },
        "visit": { "type": "integer", "minimum": 1 },
        "previous": of("previous"),
        "auth_id": of("id"),
        "delta": of("delta"),
        "rate": of("rate"),
    });
    match kind {
        EventType::SessionStop => required.push("stopped_at"),
        EventType::SessionLost => {
            required.extend(["stopped_at", "last_seen_at", "terminate_cause"]);
            properties["terminate_cause"] =
                json!({ "enum": ["No-Interim", "Silence", "NAS-Reboot", "Id-Reused", "Closed"] });
        }
        EventType::SessionRevoked => required.push("revoked"),
        EventType::SessionLimitExceeded => required.extend(["stopped_at", "limit"]),
        _ => {}
    }
    object(&required, properties)
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = required.into();
    }
    object
}

/// The same, where a key that says nothing is left out altogether.
fn some(properties: Value) -> Value {
    let mut object = object(&[], properties);
    object["minProperties"] = 1.into();
    object
}

/// The same, where the operator's own facts stand beside.
fn with_facts(required: &[&str], properties: Value) -> Value {
    let mut object = object(required, properties);
    object["additionalProperties"] = true.into();
    object
}

/// What events are made of.
fn parts() -> Value {
    let types: Vec<&str> = EventType::ALL.iter().map(|kind| kind.name()).collect();
    let address = json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] });
    let mut source = object(
        &["name", "type", "received_at", "node"],
        json!({
            "name": of("text"),
            "type": { "enum": ["accounting", "relay", "capture", "detail", "local", "system", "test"] },
            "client": of("text"),
            "address": of("address"),
            "received_at": of("time"),
            "node": of("text"),
        }),
    );
    source["description"] = "How radhook learned of it. `test` is a test delivery, `system` radhook itself.".into();
    json!({
        "type": { "description": "Every type of the catalogue.", "enum": types },
        "id": { "description": "The same for the same fact.", "type": "string", "format": "uuid" },
        "time": {
            "description": "RFC 3339 in UTC with milliseconds.", "type": "string", "format": "date-time",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        },
        "text": { "type": "string", "minLength": 1 },
        "count": { "type": "integer", "minimum": 0 },
        "hex": { "type": "string", "pattern": "^[0-9a-f]{32}$" },
        "mac": { "type": "string", "pattern": "^[0-9A-F]{2}(-[0-9A-F]{2}){5}$" },
        "address": address,
        "source": source,
        "user": with_facts(&[], json!({
            "name": of("text"), "realm": of("text"), "first_seen_at": of("time"), "sessions": of("count"),
            "visits": { "type": "integer", "minimum": 1 },
        })),
        "client": some(json!({
            "mac": of("mac"),
            "randomised": { "const": true },
            "ip": of("address"),
            "ipv6": { "type": "array", "items": { "type": "string", "format": "ipv6" }, "minItems": 1 },
            "ipv6_prefix": {
                "type": "array", "items": { "type": "string", "pattern": "^[0-9a-f:.]+/[0-9]{1,3}$" }, "minItems": 1,
            },
            "hostname": of("text"),
            "first_seen_at": of("time"),
        })),
        "nas": some(json!({
            "ip": of("address"), "identifier": of("text"), "port": of("count"), "port_id": of("text"),
            "port_type": of("text"),
        })),
        "ap": object(&["mac"], json!({ "mac": of("mac"), "ssid": of("text") })),
        "company": with_facts(&[], json!({ "id": { "type": ["integer", "string"] }, "name": of("text") })),
        "facts": { "description": "What the config tells with every event.", "type": "object" },
        "venue": with_facts(&["id"], json!({
            "id": { "type": ["integer", "string"] }, "name": of("text"), "organization": of("text"),
            "latitude": { "type": "number", "minimum": -90, "maximum": 90 },
            "longitude": { "type": "number", "minimum": -180, "maximum": 180 },
        })),
        "auth": some(json!({
            "method": of("text"),
            "reply_message": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            "session_timeout": of("count"),
            "vlan": of("text"),
            "latency_ms": of("count"),
            "rounds": of("count"),
        })),
        "delta": some(json!({ "duration": of("count"), "input_octets": of("count"), "output_octets": of("count") })),
        "rate": some(json!({ "input_bps": of("count"), "output_bps": of("count") })),
        "previous": object(&["unique_id"], json!({
            "unique_id": of("hex"), "stopped_at": of("time"), "nas": of("text"), "ap": of("mac"),
        })),
        "endpoint": object(&["name"], json!({ "name": of("text") })),
        "attributes": {
            "description": "By dictionary name; a repeated one as an array.",
            "type": "object",
            "additionalProperties": {
                "anyOf": [of("value"), { "type": "array", "items": of("value"), "minItems": 2 }],
            },
        },
        "reply_attributes": {
            "description": "The same of the reply.",
            "type": "object",
            "additionalProperties": of("attributes/additionalProperties"),
        },
        "value": { "type": ["string", "integer"] },
    })
}
