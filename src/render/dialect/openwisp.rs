//! `openwisp`: what FreeRADIUS posts to OpenWISP RADIUS by the configuration of its handbook: accounting to
//! `/api/v1/freeradius/accounting/`, logins to `/api/v1/freeradius/postauth/`.
//!
//! Every key is always there, and every value a text: the receiver asks for some keys without looking whether they are
//! there. Numbers that are not known are 0, since it takes no empty ones.

use serde_json::Value;

use super::stored::{Object, Stored};
use crate::event::EventType;

/// Accounting-On and -Off it ignores by itself.
pub(super) const KINDS: &[EventType] = &[
    EventType::AuthAccept,
    EventType::AuthReject,
    EventType::SessionStart,
    EventType::SessionUpdate,
    EventType::SessionStop,
    EventType::SessionLost,
];

/// It refuses a login without a user's name, and a session without the address of its NAS or its id.
pub(super) fn has_word_for(event: Stored<'_>) -> bool {
    match event.kind {
        EventType::AuthAccept | EventType::AuthReject => event.fact("user.name").is_some(),
        _ => unique_id(event).is_some() && nas_address(event).is_some(),
    }
}

/// The body.
pub(super) fn object(event: Stored<'_>) -> Value {
    match event.kind {
        EventType::AuthAccept => login(event, "Access-Accept"),
        EventType::AuthReject => login(event, "Access-Reject"),
        EventType::SessionStart => accounting(event, "Start"),
        EventType::SessionUpdate => accounting(event, "Interim-Update"),
        _ => accounting(event, "Stop"),
    }
    .into()
}

fn login(event: Stored<'_>, reply: &str) -> Object {
    Object::default()
        .with("username", Some(shown(event.fact("user.name"))))
        // Never known here, and asked for.
        .with("password", Some(""))
        .with("reply", Some(reply))
        .with("called_station_id", Some(called_station_id(event)))
        .with("calling_station_id", Some(calling_station_id(event)))
}

fn accounting(event: Stored<'_>, status: &str) -> Object {
    let attribute = |name: &str| Some(shown(event.attribute(name)));
    let fact = |path: &str| Some(shown(event.fact(path)));
    let count = |path: &str| Some(event.number(path).unwrap_or(0).to_string());
    Object::default()
        .with("status_type", Some(status))
        .with("session_id", fact("session.id"))
        .with("unique_id", Some(shown(unique_id(event))))
        .with("username", fact("user.name"))
        .with("realm", Some(shown(event.attribute("Realm").or(event.fact("user.realm")))))
        .with("nas_ip_address", Some(shown(nas_address(event))))
        .with("nas_port_id", fact("nas.port"))
        .with("nas_port_type", fact("nas.port_type"))
        .with("session_time", count("session.duration"))
        .with("authentication", attribute("Acct-Authentic"))
        .with("input_octets", count("session.input_octets"))
        .with("output_octets", count("session.output_octets"))
        .with("called_station_id", Some(called_station_id(event)))
        .with("calling_station_id", Some(calling_station_id(event)))
        .with("terminate_cause", fact("session.terminate_cause"))
        .with("service_type", attribute("Service-Type"))
        .with("framed_protocol", attribute("Framed-Protocol"))
        .with("framed_ip_address", Some(shown(event.fact("client.ip").filter(|ip| is_v4(ip)))))
}

/// What FreeRADIUS's policy `acct_unique` gives the session where it is known: a session that FreeRADIUS told the receiver
/// of is then the same one here.
fn unique_id(event: Stored<'_>) -> Option<&Value> {
    let of_freeradius = event.fact("session.acct_unique_id").or(event.attribute("Acct-Unique-Session-Id"));
    of_freeradius.or(event.fact("session.unique_id"))
}

fn nas_address<'a>(event: Stored<'a>) -> Option<&'a Value> {
    event.fact("nas.ip").or(event.address())
}

fn calling_station_id(event: Stored<'_>) -> String {
    shown(event.attribute("Calling-Station-Id").or(event.fact("client.mac")))
}

fn called_station_id(event: Stored<'_>) -> String {
    match (event.attribute("Called-Station-Id"), event.text("ap.mac"), event.text("ap.ssid")) {
        (Some(called), ..) => shown(Some(called)),
        (None, Some(mac), Some(ssid)) => format!("{mac}:{ssid}"),
        (None, mac, _) => mac.unwrap_or_default().to_owned(),
    }
}

fn is_v4(address: &Value) -> bool {
    address.as_str().is_some_and(|address| address.parse::<std::net::Ipv4Addr>().is_ok())
}

/// A fact as a text; empty where it is not known.
fn shown(fact: Option<&Value>) -> String {
    match fact {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    }
}
