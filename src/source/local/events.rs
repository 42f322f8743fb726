//! What scripts post: events of the catalogue, one, an array of them, or one a line (NDJSON).
//!
//! ```json
//! { "type": "user.created", "id": "…", "timestamp": "2026-11-22T10:15:30Z", "data": { … } }
//! ```
//!
//! A request is taken whole or not at all; what is wrong with it is told with its place, everything at once.

use axum::http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::problem::{Problem, shown};
use crate::event::secrets::names_secret;
use crate::event::{EventId, EventType};
use crate::radius::{Dictionary, numbers};

/// The most events of one request: more than a form ever has, less than a commit is planned of.
const MAX_EVENTS: usize = 1_000;

/// The most octets of one event's data, as JSON without spaces. Deliveries hold up to 256 events an endpoint in memory.
const MAX_DATA: usize = 64 * 1024;

/// How deep data may nest. Templates and receivers walk it by recursion.
const MAX_DEPTH: usize = 16;

/// The most problems told of one request; whoever generates a thousand events generates a thousand times the same one.
const MAX_PROBLEMS: usize = 20;

/// No event is older than RADIUS's own: a clock that was lost counts from 1970.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);

/// How far the poster's clock may be ahead: a time without its zone is at most 14 hours wrong.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Keys of an event.
const KEYS: [&str; 4] = ["type", "id", "timestamp", "data"];

/// How events stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/json`: an object, or an array of them.
    Json,
    /// `application/x-ndjson`: an object a line.
    Lines,
}

impl Form {
    /// The form of a Content-Type.
    pub fn of(content_type: Option<&HeaderValue>) -> Option<Self> {
        let essence = content_type?.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Self::Lines),
            _ => None,
        }
    }
}

/// An event as it was posted.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its type.
    pub kind: EventType,
    /// The id its sender gave it.
    pub id: Option<EventId>,
    /// When it happened, if its sender says so.
    pub timestamp: Option<Timestamp>,
    /// Its data.
    pub data: Map<String, Value>,
}

/// Reads all events of a body.
pub fn read(body: &[u8], form: Form, dictionary: &Dictionary, now: Timestamp) -> Result<Vec<Said>, Vec<Problem>> {
    let mut reading = Reading { dictionary, now, problems: Vec::new() };
    let events = match form {
        Form::Json => reading.json(body),
        Form::Lines => reading.lines(body),
    };
    if reading.problems.is_empty() && events.is_empty() {
        reading.problems.push(Problem::body("it holds no event"));
    }
    if reading.problems.is_empty() { Ok(events) } else { Err(reading.problems) }
}

struct Reading<'a> {
    dictionary: &'a Dictionary,
    now: Timestamp,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, at: String, what: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { at, what: what.into() });
        }
    }

    fn json(&mut self, body: &[u8]) -> Vec<Said> {
        match serde_json::from_slice(body) {
            Err(error) => {
                self.problems.push(Problem::syntax(&error));
                Vec::new()
            }
            Ok(Value::Array(events)) if events.len() > MAX_EVENTS => {
                self.too_many();
                Vec::new()
            }
            Ok(Value::Array(events)) => {
                let each = |(at, event)| self.event(&format!("[{at}]"), event);
                events.into_iter().enumerate().filter_map(each).collect()
            }
            Ok(event) => self.event("", event).into_iter().collect(),
        }
    }

    fn lines(&mut self, body: &[u8]) -> Vec<Said> {
        let mut events = Vec::new();
        let lines = body.split(|octet| *octet == b'\n').enumerate();
        for (at, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
            if events.len() == MAX_EVENTS {
                self.too_many();
                break;
            }
            let place = format!("line {}", at + 1);
            match serde_json::from_slice(line) {
                Ok(event) => events.extend(self.event(&place, event)),
                Err(error) => {
                    self.problem(format!("{place}, column {}", error.column()), format!("it is no JSON: {error}"));
                }
            }
        }
        events
    }

    fn too_many(&mut self) {
        self.problem("body".to_owned(), format!("it holds more than {MAX_EVENTS} events; post them in parts"));
    }

    /// One event, which stands at `place`.
    fn event(&mut self, place: &str, event: Value) -> Option<Said> {
        let before = self.problems.len();
        let Value::Object(mut event) = event else {
            self.problem(at(place, "event"), "it is no object; write {\"type\": \"…\", \"data\": {…}}");
            return None;
        };
        for key in event.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let what = format!("it is not known; an event has {}, and what happened stands in data", KEYS.join(", "));
            self.problem(at(place, &shown(key)), what);
        }
        let kind = self.kind(&at(place, "type"), event.get("type"));
        let id = self.id(&at(place, "id"), event.get("id"));
        let timestamp = self.timestamp(&at(place, "timestamp"), event.get("timestamp"));
        let data = self.data(&at(place, "data"), event.remove("data"));
        (self.problems.len() == before).then_some(())?;
        Some(Said { kind: kind?, id, timestamp, data: data? })
    }

    fn kind(&mut self, at: &str, kind: Option<&Value>) -> Option<EventType> {
        let Some(Value::String(name)) = kind else {
            self.problem(at.to_owned(), "it must be an event type in quotes, such as \"user.created\"");
            return None;
        };
        let kind = name.parse().ok();
        if kind.is_none() {
            let nearest = EventType::ALL
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(a.name(), name).total_cmp(&strsim::jaro_winkler(b.name(), name)));
            let nearest = nearest.map(|kind| kind.name()).unwrap_or_default();
            self.problem(
                at.to_owned(),
                format!("there is no event type {:?}; the nearest is {nearest:?}", shown(name)),
            );
        }
        kind
    }

    fn id(&mut self, at: &str, id: Option<&Value>) -> Option<EventId> {
        let id = id?;
        /// The hyphenated form of RFC 9562 §4; UUIDs are also written in others.
        const HYPHENATED: usize = 36;
        let parsed = id.as_str().filter(|text| text.len() == HYPHENATED).and_then(EventId::parse);
        // What a program sends that forgot to fill it in: every event behind the first would be a repeat.
        let parsed = parsed.filter(|id| ![[0; 16], [0xff; 16]].contains(id.as_bytes()));
        if parsed.is_none() {
            self.problem(
                at.to_owned(),
                "it must be a UUID such as \"3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2\"; without one, radhook gives one",
            );
        }
        parsed
    }

    fn timestamp(&mut self, at: &str, timestamp: Option<&Value>) -> Option<Timestamp> {
        let timestamp = timestamp?;
        let Some(time) = timestamp.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
            self.problem(at.to_owned(), "it must be a time with its zone (RFC 3339) such as \"2026-11-22T10:15:30Z\"");
            return None;
        };
        if time < EARLIEST || time.duration_since(self.now) > AHEAD {
            let what = format!("{time} is before 2000 or more than a day ahead; it is now {}", self.now);
            self.problem(at.to_owned(), what);
        }
        Some(time)
    }

    fn data(&mut self, at: &str, data: Option<Value>) -> Option<Map<String, Value>> {
        let Some(Value::Object(data)) = data else {
            self.problem(at.to_owned(), "it must be an object with what happened, or {}");
            return None;
        };
        self.look_into(at, &data, 1);
        let size = serde_json::to_vec(&data).map_or(usize::MAX, |json| json.len());
        if size > MAX_DATA {
            let what =
                format!("it has {size} bytes, and an event's data at most {MAX_DATA}; tell where the rest can be had");
            self.problem(at.to_owned(), what);
        }
        Some(data)
    }

    /// Depth, and names that tell of secrets.
    fn look_into(&mut self, at: &str, data: &Map<String, Value>, depth: usize) {
        for (key, value) in data {
            let place = format!("{at}.{}", shown(key));
            if self.names_secret(key) && holds_something(value) {
                let what = "it is a secret by its name, and events are stored and sent to every endpoint that asks; leave it out";
                self.problem(place.clone(), what);
                continue;
            }
            self.look_at(&place, value, depth + 1);
        }
    }

    fn look_at(&mut self, place: &str, value: &Value, depth: usize) {
        if depth > MAX_DEPTH && (value.is_object() || value.is_array()) {
            self.problem(place.to_owned(), format!("data nests deeper than {MAX_DEPTH} levels; make it flatter"));
            return;
        }
        match value {
            Value::Object(inside) => self.look_into(place, inside, depth),
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(at, item)| self.look_at(&format!("{place}[{at}]"), item, depth + 1));
            }
            _ => {}
        }
    }

    /// Whether a key is called as secrets are: by its last words, or as an attribute whose values are not to be shown.
    fn names_secret(&self, key: &str) -> bool {
        names_secret(key)
            || self
                .dictionary
                .by_name(key)
                .is_some_and(|definition| numbers::is_sensitive(definition.id) || definition.flags.is_sensitive())
    }
}

/// `at.key`, or the key alone where an event stands for itself.
fn at(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

/// Whether there is anything in a value that a secret's name stands before: `"password": true` tells nothing.
fn holds_something(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(_) => true,
        Value::Array(items) => items.iter().any(holds_something),
        Value::Object(inside) => inside.values().any(holds_something),
        Value::Null | Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests;
