//! `ironwifi`: `{ "id", "event", "timestamp", "data" }`, the events under radhook's own names.

use serde_json::Value;

use super::stored::{Object, Stored};
use crate::event::EventType;

pub(super) const KINDS: &[EventType] = &[
    EventType::AuthAccept,
    EventType::AuthReject,
    EventType::AuthChallenge,
    EventType::SessionStart,
    EventType::SessionUpdate,
    EventType::SessionStop,
    EventType::UserCreated,
    EventType::UserUpdated,
    EventType::UserDeleted,
    EventType::VoucherRedeemed,
    EventType::VoucherExpired,
];

const WHO_AND_WHERE: &[(&str, &str)] = &[
    ("username", "user.name"),
    ("nas_ip", "nas.ip"),
    ("nas_identifier", "nas.identifier"),
    ("client_mac", "client.mac"),
    ("ap_mac", "ap.mac"),
    ("ssid", "ap.ssid"),
];

const SESSION: &[(&str, &str)] = &[
    ("session_id", "session.id"),
    ("client_ip", "client.ip"),
    ("session_time", "session.duration"),
    ("input_octets", "session.input_octets"),
    ("output_octets", "session.output_octets"),
    ("input_packets", "session.input_packets"),
    ("output_packets", "session.output_packets"),
    ("terminate_cause", "session.terminate_cause"),
];

/// The body.
pub(super) fn object(event: Stored<'_>) -> Value {
    Object::default()
        .with("id", Some(event.id))
        .with("event", Some(event.kind.name()))
        .with("timestamp", Some(event.timestamp))
        .with("data", Some(data(event)))
        .into()
}

fn data(event: Stored<'_>) -> Object {
    let object = Object::default();
    match event.kind {
        EventType::SessionStart | EventType::SessionUpdate | EventType::SessionStop => {
            object.facts(event, WHO_AND_WHERE).facts(event, SESSION)
        }
        EventType::UserCreated | EventType::UserUpdated | EventType::UserDeleted => {
            let changes = event.fact("user.changes").or(event.fact("changes"));
            object.facts(event, &[("username", "user.name"), ("email", "user.email")]).with("changes", changes.cloned())
        }
        EventType::VoucherRedeemed => voucher(event, "redeemed_at", "voucher.redeemed_at"),
        EventType::VoucherExpired => voucher(event, "expired_at", "voucher.expired_at"),
        _ => object
            .facts(event, WHO_AND_WHERE)
            .with("reply_message", event.reply_message())
            .facts(event, &[("auth_method", "auth.method")]),
    }
}

/// Where nobody says when, it was when the event happened.
fn voucher(event: Stored<'_>, key: &str, path: &str) -> Object {
    Object::default()
        .facts(event, &[("code", "voucher.code")])
        .with(key, Some(event.text(path).unwrap_or(event.timestamp)))
        .facts(event, &[("client_mac", "client.mac")])
}
