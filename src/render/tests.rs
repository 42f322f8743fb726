//! What holds for every format, and for events of every kind.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

pub(super) const ID: &str = "3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2";

/// An event as it is stored, of node `radhook-1`.
pub(super) fn event(source: &str, data: &Value) -> Vec<u8> {
    let event = json!({
        "id": ID,
        "type": "session.stop",
        "timestamp": "2026-11-22T10:15:30.000Z",
        "source": {
            "name": source, "type": "accounting", "client": "freeradius", "address": "10.0.0.1",
            "received_at": "2026-11-22T10:15:31.482Z", "node": "radhook-1",
        },
        "data": data,
    });
    serde_json::to_vec(&event).unwrap()
}

/// The formats that say all of an event, in radhook's own words.
fn own() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| !matches!(format, Format::Dialect(_) | Format::Template))
}

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

/// What a request says of its events: id, type and data of each.
fn told(format: Format, rendered: &Rendered) -> Vec<(Value, Value, Value)> {
    let of = |event: &Value| (event["id"].clone(), event["type"].clone(), event["data"].clone());
    match format {
        Format::Ndjson => {
            rendered.body.split_inclusive(|octet| *octet == b'\n').map(|line| of(&parsed(line))).collect()
        }
        Format::CloudEventsBinary => {
            let header = |wanted: &str| {
                let (_, value) = rendered.headers.iter().find(|(name, _)| name == wanted).unwrap();
                Value::from(value.to_str().unwrap())
            };
            vec![(header("ce-id"), header("ce-type"), parsed(&rendered.body))]
        }
        _ => match parsed(&rendered.body) {
            Value::Array(events) => events.iter().map(of).collect(),
            event => vec![of(&event)],
        },
    }
}

#[test]
fn native_is_the_stored_event_itself_without_a_copy() {
    let json = event("acct", &json!({}));
    let (at, copy) = (json.as_ptr(), json.clone());
    let rendered = Format::Native.one(json).unwrap();
    assert_eq!((rendered.body.as_ptr(), rendered.body), (at, copy));
    assert_eq!((rendered.content_type.as_bytes(), rendered.headers), (&b"application/json"[..], Vec::new()));
}

#[test]
fn a_batch_of_native_events_is_an_array_of_them() {
    let rendered = Format::Native.many(&[b"{\"a\":1}".to_vec(), b"{}".to_vec(), b"{\"b\":[]}".to_vec()]).unwrap();
    assert_eq!(rendered.body, b"[{\"a\":1},{},{\"b\":[]}]");
    assert_eq!(rendered.content_type, "application/json");
    assert_eq!(Format::Native.many(&[b"{}".to_vec()]).unwrap().body, b"[{}]");
}

#[test]
fn each_event_of_ndjson_is_a_line_with_its_end() {
    let rendered = Format::Ndjson.many(&[b"{\"a\":1}".to_vec(), b"{\r\n\"b\":\"\\n\"}".to_vec()]).unwrap();
    assert_eq!(rendered.body, b"{\"a\":1}\n{  \"b\":\"\\n\"}\n");
    assert_eq!(rendered.content_type, "application/x-ndjson");
    assert_eq!(Format::Ndjson.one(b"{}".to_vec()).unwrap().body, b"{}\n");
}

#[test]
fn what_cannot_be_batched_says_so() {
    let error = Format::CloudEventsBinary.many(&[event("acct", &json!({}))]).unwrap_err();
    assert_eq!(error.to_string(), "the format cloudevents-binary cannot hold several events in one request");
    for format in own() {
        assert_eq!(format.can_batch(), format.many(&[event("acct", &json!({}))]).is_ok(), "{format}");
    }
}

#[test]
fn what_is_no_event_is_an_error_and_not_a_panic() {
    for json in
        ["", "[]", "{}", "\u{0}", "{\"id\":\"x\"", "{\"id\":1,\"type\":2,\"timestamp\":3,\"source\":{},\"data\":4}"]
    {
        for format in [Format::CloudEvents, Format::CloudEventsBinary] {
            let error = format.one(json.as_bytes().to_vec()).unwrap_err().to_string();
            assert!(error.starts_with("the stored event cannot be read: "), "{error}");
        }
    }
}

/// Any JSON that can stand in an event.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(".*", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Data as RADIUS makes it, or as somebody posts it.
fn data() -> impl Strategy<Value = Value> {
    let part = || prop::option::of(prop_oneof![".*".prop_map(|name| json!({ "name": name, "mac": name })), value()]);
    (part(), part(), part(), part(), value()).prop_map(|(user, client, nas, endpoint, attributes)| {
        let mut data = json!({ "attributes": attributes });
        for (key, part) in [("user", user), ("client", client), ("nas", nas), ("endpoint", endpoint)] {
            if let Some(part) = part {
                data[key] = part;
            }
        }
        data
    })
}

proptest! {
    #[test]
    fn whatever_an_event_holds_its_request_can_be_read_and_tells_the_same(
        (source, data, further) in (".{1,64}", data(), data())
    ) {
        let events = [event(&source, &data), event(&source, &further)];
        let wanted = |data: &Value| (Value::from(ID), Value::from("session.stop"), data.clone());
        for format in own() {
            let rendered = format.one(events[0].clone()).unwrap();
            prop_assert_eq!(told(format, &rendered), [wanted(&data)], "{}", format);
            if format.can_batch() {
                let rendered = format.many(&events).unwrap();
                prop_assert_eq!(told(format, &rendered), [wanted(&data), wanted(&further)], "{}", format);
            }
        }
    }
}
