//! An event as it is stored, and how its facts are asked for.

use serde_json::{Map, Value};

use crate::event::EventType;

/// A stored event. What was posted can hold anything: facts are `None` where they are not what they should be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub kind: EventType,
    pub id: &'a str,
    pub timestamp: &'a str,
    event: &'a Value,
}

impl<'a> Stored<'a> {
    /// `None` where this is no event.
    pub fn of(event: &'a Value) -> Option<Self> {
        let text = |key: &str| event.get(key)?.as_str();
        event.get("data")?;
        Some(Self { kind: text("type")?.parse().ok()?, id: text("id")?, timestamp: text("timestamp")?, event })
    }

    /// All of `data`.
    pub fn data(self) -> &'a Value {
        &self.event["data"]
    }

    /// A fact of `data` by its dotted name; one that is null or empty is none.
    pub fn fact(self, path: &str) -> Option<&'a Value> {
        path.split('.').try_fold(self.data(), |within, key| within.get(key)).filter(|fact| !says_nothing(fact))
    }

    /// A fact that is a text.
    pub fn text(self, path: &str) -> Option<&'a str> {
        self.fact(path)?.as_str()
    }

    /// A fact that is a number.
    pub fn number(self, path: &str) -> Option<u64> {
        self.fact(path)?.as_u64()
    }

    /// An attribute of the request, the first where there are several.
    pub fn attribute(self, name: &str) -> Option<&'a Value> {
        let value = self.data().get("attributes")?.get(name)?;
        value.as_array().map_or(Some(value), |values| values.first()).filter(|value| !says_nothing(value))
    }

    /// The address that the event came from.
    pub fn address(self) -> Option<&'a Value> {
        self.event.get("source")?.get("address")
    }

    /// Every Reply-Message, one a line.
    pub fn reply_message(self) -> Option<String> {
        match self.fact("auth.reply_message")? {
            Value::Array(lines) => {
                let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
                Some(lines.join("\n")).filter(|text| !text.is_empty())
            }
            message => message.as_str().map(str::to_owned),
        }
    }
}

fn says_nothing(fact: &Value) -> bool {
    fact.is_null() || fact.as_str().is_some_and(str::is_empty)
}

/// An object in the making, of facts that are known.
#[derive(Debug, Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    /// Adds what is known.
    pub fn with(mut self, key: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.into());
        }
        self
    }

    /// Adds facts of an event, each as it is: pairs of key and dotted name.
    pub fn facts(self, event: Stored<'_>, pairs: &[(&str, &str)]) -> Self {
        pairs.iter().fold(self, |object, (key, path)| object.with(key, event.fact(path).cloned()))
    }

    /// What came of it; `None` where nothing was known.
    pub fn known(self) -> Option<Value> {
        (!self.0.is_empty()).then_some(Value::Object(self.0))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Value::Object(object.0)
    }
}
