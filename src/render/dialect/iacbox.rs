//! `iacbox`: events of tickets, written by the receiver's own templates.
//!
//! A template finds `event.uuid`, `event.type`, `event.created_at`, `event.ticket_id`, `event.data`, and every field of
//! `event.data` by its own name. All of them are always there, empty where nothing is known. Without a template the body is
//! the whole `event`.

use serde_json::{Map, Value, json};

use super::stored::Stored;
use crate::event::EventType;

pub(super) const KINDS: &[EventType] = &[
    EventType::SessionStart,
    EventType::SessionStop,
    EventType::SessionLost,
    EventType::SessionLimitExceeded,
    EventType::SessionRevoked,
    EventType::UserDeleted,
    EventType::SystemStart,
    EventType::SystemUserlimitExceeded,
    EventType::SystemBackupStarted,
    EventType::SystemBackupDone,
    EventType::SystemBackupError,
];

/// Where nothing else is said.
const NONE: &str = "n/a";

/// The names that a template may use.
pub(crate) const NAMES: &[&str] = &[
    "event",
    "client_ip",
    "client_mac",
    "client_vlan_rt",
    "login_type",
    "limit",
    "description",
    "template_id",
    "template_name",
    "ticket_type",
    "ticket_parent_group",
    "ticket_price",
    "backend",
    "backend_group",
    "backend_data",
    "timestamp_created",
    "timestamp_first_logon",
    "timestamp_expires",
    "timestamp_lastseen",
    "shared_limits",
    "time_limit",
    "time_used",
    "volume_limit",
    "volume_used_download",
    "volume_used_upload",
    "volume_used",
];

/// The event's own name there; `None` where its special cause is told by the event that follows it.
pub(super) fn word(event: Stored<'_>) -> Option<&'static str> {
    Some(match event.kind {
        EventType::SessionStart => "ticket.logged_in",
        EventType::SessionStop if event.fact("session.limit").is_some() => return None,
        EventType::SessionStop if event.fact("session.revoked") == Some(&Value::Bool(true)) => return None,
        EventType::SessionStop if event.text("session.terminate_cause") == Some("Idle-Timeout") => {
            "ticket.logged_out.timeout"
        }
        EventType::SessionStop => "ticket.logged_out",
        EventType::SessionLost => "ticket.logged_out.timeout",
        EventType::SessionLimitExceeded => "ticket.logged_out.limit_exceeded",
        EventType::SessionRevoked | EventType::UserDeleted => "ticket.revoked",
        EventType::SystemStart => "system.started",
        EventType::SystemUserlimitExceeded => "system.userlimit_exceeded",
        EventType::SystemBackupStarted => "system.backup.started",
        EventType::SystemBackupDone => "system.backup.done",
        EventType::SystemBackupError => "system.backup.error",
        _ => return None,
    })
}

/// `event`, with its `data`.
pub(super) fn object(event: Stored<'_>) -> Value {
    let known = |path: &str| event.fact(path).cloned().unwrap_or_else(empty);
    json!({
        "uuid": event.id,
        "type": word(event).unwrap_or_else(|| event.kind.name()),
        "created_at": event.timestamp,
        "ticket_id": event.fact("user.name").or(event.fact("voucher.code")).or(event.fact("client.mac")).cloned().unwrap_or_else(empty),
        "data": data(event, known),
    })
}

/// What a template finds.
pub(super) fn facts(event: Stored<'_>) -> Value {
    let object = object(event);
    let mut facts = object["data"].as_object().cloned().unwrap_or_default();
    facts.insert("event".to_owned(), object);
    facts.into()
}

fn data(event: Stored<'_>, known: impl Fn(&str) -> Value) -> Value {
    let (up, down) = (event.number("session.input_octets"), event.number("session.output_octets"));
    let used = match (up, down) {
        (None, None) => empty(),
        (up, down) => up.unwrap_or(0).saturating_add(down.unwrap_or(0)).into(),
    };
    let login = event.text("session.login").filter(|_| event.kind == EventType::SessionStart);
    let limit = event.text("session.limit").filter(|_| event.kind == EventType::SessionLimitExceeded);
    let mut data = Map::new();
    for name in &NAMES[1..] {
        let value = match *name {
            "client_ip" => known("client.ip"),
            "client_mac" => known("client.mac"),
            "client_vlan_rt" => known("auth.vlan"),
            "login_type" => login.unwrap_or(NONE).into(),
            "limit" => limit.unwrap_or(NONE).into(),
            "timestamp_lastseen" => match event.kind {
                EventType::SessionLost => known("session.last_seen_at"),
                _ => event.timestamp.into(),
            },
            "time_used" => known("session.duration"),
            "volume_used_download" => down.map_or_else(empty, Value::from),
            "volume_used_upload" => up.map_or_else(empty, Value::from),
            "volume_used" => used.clone(),
            "timestamp_first_logon" => {
                let told = event.fact("user.timestamp_first_logon").or(event.fact("user.first_seen_at"));
                told.cloned().unwrap_or_else(empty)
            }
            // As a users table, or whoever posted the event, has them.
            name => event.fact(&format!("user.{name}")).or(event.fact(name)).cloned().unwrap_or_else(empty),
        };
        data.insert((*name).to_owned(), value);
    }
    data.into()
}

fn empty() -> Value {
    Value::String(String::new())
}
