//! `signin`: an array of open objects, each `{ "event", "id", "scope", "timestamp", … }` with the fields of its type beside
//! the envelope.
//!
//! One event can be two of theirs. The first has the event's own id, the second one that is made from it: the same each time.

use serde_json::Value;

use super::stored::{Object, Stored};
use crate::event::{EventType, Fingerprint};

pub(super) const KINDS: &[EventType] = &[
    EventType::AuthAccept,
    EventType::AuthReject,
    EventType::AuthChallenge,
    EventType::SessionStart,
    EventType::SessionResumed,
    EventType::SessionRevoked,
    EventType::DhcpGranted,
    EventType::DhcpExpired,
    EventType::ConfigAudit,
];

const WHO_AND_WHERE: &[(&str, &str)] = &[
    ("username", "user.name"),
    ("email", "user.email"),
    ("client_mac", "client.mac"),
    ("client_ip", "client.ip"),
    ("client_hostname", "client.hostname"),
    ("nas_ip", "nas.ip"),
    ("nas_identifier", "nas.identifier"),
    ("ap_mac", "ap.mac"),
    ("ssid", "ap.ssid"),
];

const SESSION: &[(&str, &str)] = &[
    ("session_id", "session.unique_id"),
    ("acct_session_id", "session.id"),
    ("previous_session_id", "session.previous.unique_id"),
    ("login", "session.login"),
    ("started_at", "session.started_at"),
    ("stopped_at", "session.stopped_at"),
    ("duration", "session.duration"),
    ("terminate_cause", "session.terminate_cause"),
];

/// What an event is called, in the order in which it is told; nothing where there is no word for it.
pub(super) fn words(event: Stored<'_>) -> Vec<&'static str> {
    let rounds = event.number("auth.rounds");
    let (first, second) = match event.kind {
        // Told by the `session.resumed` that follows it.
        EventType::SessionStart if event.fact("session.previous").is_some() => (None, None),
        EventType::SessionStart => (Some("signin.session.created"), at_venue(event, "signin.arenasession.login")),
        EventType::SessionResumed => (Some("signin.session.resumed"), at_venue(event, "signin.arenasession.resumed")),
        EventType::AuthChallenge => ((rounds == Some(1)).then_some("signin.session.requested"), None),
        EventType::AuthAccept => {
            let verified = rounds.is_some_and(|rounds| rounds >= 1).then_some("signin.session.verified");
            (Some("signin.session.approved"), verified)
        }
        EventType::AuthReject => (Some("signin.session.denied"), None),
        EventType::SessionRevoked => (Some("signin.session.revoked"), None),
        EventType::DhcpGranted => (Some("signin.dhcp.granted"), None),
        EventType::DhcpExpired => (Some("signin.dhcp.expired"), None),
        EventType::ConfigAudit => (Some("signin.configuration.audit"), None),
        _ => (None, None),
    };
    first.into_iter().chain(second).collect()
}

fn at_venue(event: Stored<'_>, word: &'static str) -> Option<&'static str> {
    event.fact("venue").map(|_| word)
}

/// Its objects.
pub(super) fn objects(event: Stored<'_>) -> impl Iterator<Item = Value> {
    let object = move |(number, word): (usize, &'static str)| {
        let id = match number {
            0 => event.id.to_owned(),
            _ => Fingerprint::new(word).text(Some(event.id)).id().to_string(),
        };
        let envelope = Object::default()
            .with("event", Some(word))
            .with("id", Some(id))
            .with("scope", Some(scope(event)))
            .with("timestamp", Some(event.timestamp));
        fields(envelope, word, event).into()
    };
    words(event).into_iter().enumerate().map(object)
}

/// Where it happened. A context is a venue, by its id, or its name where it has none; always a text.
fn scope(event: Stored<'_>) -> Object {
    let context = event.fact("venue.id").or(event.fact("venue.name"));
    let context = context.map(|context| context.as_str().map_or_else(|| context.to_string(), str::to_owned));
    Object::default().facts(event, &[("organization", "venue.organization")]).with("context", context)
}

fn fields(object: Object, word: &str, event: Stored<'_>) -> Object {
    if event.kind == EventType::ConfigAudit {
        return object.with("change", Some(event.data().clone()));
    }
    let object = object.facts(event, WHO_AND_WHERE);
    match event.kind {
        EventType::DhcpGranted | EventType::DhcpExpired => object.facts(event, &[("lease", "lease")]),
        EventType::SessionStart | EventType::SessionResumed | EventType::SessionRevoked => {
            let object = object.facts(event, SESSION);
            match word.starts_with("signin.arenasession.") {
                true => {
                    let venue = Object::default().facts(event, &[("id", "venue.id"), ("name", "venue.name")]);
                    object.with("venue", venue.known())
                }
                false => object,
            }
        }
        _ => object
            .facts(event, &[("auth_method", "auth.method")])
            .with("reply_message", event.reply_message())
            .facts(event, &[("session_timeout", "auth.session_timeout"), ("vlan", "auth.vlan")]),
    }
}
