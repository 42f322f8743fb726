//! What receivers get, held against the schemas of `docs/schemas/`.

use std::sync::LazyLock;

use jsonschema::Validator;
use radhook::render::schema::ALL;
use serde_json::Value;

/// The schema of native events, with nothing allowed beside what it names: a key that radhook sends and the schema does not
/// know is a mistake of one of them.
static CLOSED: LazyLock<Validator> = LazyLock::new(|| {
    let mut schema = native();
    close(&mut schema["$defs"]);
    validator(&schema)
});

/// The published schema of native events.
pub fn native() -> Value {
    let native = ALL.iter().find(|schema| schema.file == "native.json").expect("there is one of native events");
    (native.make)()
}

/// A validator that looks at formats too.
pub fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).expect("the schema is one")
}

/// Fails unless an event is as its schema says, down to the last key.
pub fn assert_native(event: &Value) {
    if let Err(error) = CLOSED.validate(event) {
        // Of an event that is of no type the first mistake says nothing: ask the type's own schema.
        let kind = event["type"].as_str().unwrap_or_default();
        let mut own = native();
        close(&mut own["$defs"]);
        own["oneOf"] = serde_json::json!([{ "$ref": format!("#/$defs/{kind}") }]);
        let own = validator(&own);
        let errors: Vec<String> =
            own.iter_errors(event).map(|error| format!("{}: {error:?}", error.instance_path())).collect();
        panic!("{error}\n{}\n{event:#}", errors.join("\n"));
    }
}

/// The same of a body, if it is an event in the format native, or an array or lines of them.
pub fn assert_native_body(body: &[u8]) {
    for value in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        let Ok(value) = value else { return };
        let events = if let Value::Array(events) = value { events } else { vec![value] };
        events.iter().filter(|event| is_native(event)).for_each(assert_native);
    }
}

/// CloudEvents has `specversion`; what other formats make has no source with a node.
fn is_native(event: &Value) -> bool {
    event["source"]["node"].is_string() && event.get("specversion").is_none()
}

/// Forbids what is not named, but where only a part of an object is looked at.
pub fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for (_, value) in map.iter_mut().filter(|(key, _)| *key != "if" && *key != "examples") {
                close(value);
            }
            if map.get("type") == Some(&"object".into())
                && map.get("properties").is_some_and(Value::is_object)
                && !map.contains_key("additionalProperties")
            {
                map.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
