//! What a template can name.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, Serde, Value};
use serde_json::Value as Json;

/// An event's facts: its own keys, and those of its `data` beside them. Converted as far as they are asked for.
#[derive(Clone)]
pub struct Facts(Value);

impl Facts {
    /// The facts of one event, given as its native JSON.
    pub fn of(event: Arc<Json>) -> Self {
        Self(Value::from_object(One { event }))
    }

    /// The facts of several that share a request: only `events`, a list of them.
    pub fn of_several(events: Vec<Arc<Json>>) -> Self {
        let listed = events.into_iter().map(|event| Self::of(event).0).collect::<Vec<Value>>();
        Self(Value::from_pairs([("events", Value::from(listed))]))
    }

    /// Facts by names of one's own.
    pub fn named(facts: &Json) -> Self {
        Self(Value::from(Serde(facts)))
    }

    /// The same, with one more beside them.
    pub fn with(self, name: &'static str, value: impl Into<Value>) -> Self {
        Self(Value::from_object(With { facts: self.0, name, value: value.into() }))
    }

    pub(super) fn value(&self) -> Value {
        self.0.clone()
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Keys that mean the event's own, whatever its `data` holds.
const ENVELOPE: [&str; 5] = ["id", "type", "timestamp", "source", "data"];

#[derive(Debug)]
struct One {
    event: Arc<Json>,
}

impl Object for One {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if key == "event" {
            return Some(Value::from(Serde(&*self.event)));
        }
        let holder = match ENVELOPE.contains(&key) {
            true => Some(&*self.event),
            false => self.event.get("data"),
        };
        holder.and_then(|holder| holder.get(key)).map(|value| Value::from(Serde(value)))
    }
}

#[derive(Debug)]
struct With {
    facts: Value,
    name: &'static str,
    value: Value,
}

impl Object for With {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if key.as_str() == Some(self.name) {
            return Some(self.value.clone());
        }
        self.facts.get_item(key).ok().filter(|value| !value.is_undefined())
    }
}
