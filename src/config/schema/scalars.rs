//! What events are to be told besides: tables whose keys are the operator's own.

use serde_json::{Map, Number, Value as Json};

use crate::config::reader::{Scope, shown};
use crate::config::tree::{Node, Value};
use crate::event::secrets::names_secret;

/// The most entries of one table, and the most bytes of them as JSON: all of them stand in every event.
const MAX_FACTS: usize = 64;
const MAX_BYTES: usize = 4_096;

/// A table of strings, numbers and booleans. `taken`: keys that stand beside them.
pub(super) fn facts(taken: &'static [&'static str]) -> impl Fn(&Scope<'_>, &Node) -> Option<Map<String, Json>> {
    move |scope: &Scope<'_>, node: &Node| {
        let Value::Table(table) = &node.value else {
            scope.wrong_type(node, "a table of strings, numbers and booleans");
            return None;
        };
        if table.len() > MAX_FACTS {
            let what = format!("`{}` has {} entries, and at most {MAX_FACTS} are allowed", node.key, table.len());
            scope.problem(node.place, what, None);
            return None;
        }
        let facts: Map<String, Json> = table.values().filter_map(|fact| entry(scope, fact, taken)).collect();
        let bytes = serde_json::to_string(&facts).map_or(0, |text| text.len());
        if bytes > MAX_BYTES {
            let what = format!("`{}` is JSON of {bytes} bytes, and at most {MAX_BYTES} are allowed", node.key);
            scope.problem(node.place, what, None);
            return None;
        }
        Some(facts)
    }
}

fn entry(scope: &Scope<'_>, fact: &Node, taken: &[&str]) -> Option<(String, Json)> {
    let key = shown(&fact.key);
    if taken.contains(&&*fact.key) {
        scope.problem(fact.key_place, format!("`{key}` has a place of its own"), "choose another name".to_owned());
        return None;
    }
    if names_secret(&fact.key) {
        let what =
            format!("`{key}` is a secret by its name, and events are stored and sent to every endpoint that asks");
        scope.problem(fact.key_place, what, "leave it out".to_owned());
        return None;
    }
    let value = match &fact.value {
        Value::Text(text) if text.is_empty() => {
            scope.problem(fact.place, format!("`{key}` is empty"), "leave it out".to_owned());
            return None;
        }
        Value::Text(text) => text.as_str().into(),
        Value::Integer(Some(number)) => (*number).into(),
        Value::Float(number) => Json::Number(Number::from_f64(*number)?),
        Value::Flag(flag) => (*flag).into(),
        _ => {
            scope.wrong_type(fact, "a string, a number or a boolean");
            return None;
        }
    };
    Some((fact.key.to_string(), value))
}

/// The id of a venue or a company: a number, or a text.
pub(super) fn id(scope: &Scope<'_>, node: &Node) -> Option<Json> {
    match &node.value {
        Value::Integer(Some(number)) => Some((*number).into()),
        Value::Text(_) => crate::config::value::name(scope, node).map(|name| Json::from(&*name)),
        _ => {
            scope.wrong_type(node, "a whole number or a string");
            None
        }
    }
}

/// An [`id`] as a text.
pub(super) fn text(id: &Json) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
