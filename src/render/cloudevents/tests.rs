//! CloudEvents attribute by attribute, and names that do their worst.

use serde_json::{Value, json};

use crate::render::tests::{ID, event};
use crate::render::{Format, Rendered};

fn structured(source: &str, data: &Value) -> Value {
    serde_json::from_slice(&Format::CloudEvents.one(event(source, data)).unwrap().body).unwrap()
}

fn binary(source: &str, data: &Value) -> Rendered {
    Format::CloudEventsBinary.one(event(source, data)).unwrap()
}

fn header(rendered: &Rendered, wanted: &str) -> String {
    let found = rendered.headers.iter().find(|(name, _)| name == wanted);
    found.unwrap_or_else(|| panic!("no {wanted}")).1.to_str().unwrap().to_owned()
}

/// As a receiver decodes a header (HTTP binding §3.1.3.3).
fn decoded(value: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == b'%' {
            let (hex, behind) = rest.split_at(2);
            octets.push(u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap());
            rest = behind;
        } else {
            octets.push(*first);
        }
    }
    String::from_utf8(octets).unwrap()
}

#[test]
fn a_structured_event_has_everything_in_its_body() {
    let rendered = Format::CloudEvents.one(event("acct", &json!({ "user": { "name": "alice" }, "n": 1 }))).unwrap();
    let wanted = concat!(
        r#"{"specversion":"1.0","id":"3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2","source":"/radhook-1/acct","#,
        r#""type":"session.stop","subject":"alice","time":"2026-11-22T10:15:30.000Z","sourcetype":"accounting","#,
        r#""sourceclient":"freeradius","sourceaddress":"10.0.0.1","receivedat":"2026-11-22T10:15:31.482Z","#,
        r#""datacontenttype":"application/json","data":{"user":{"name":"alice"},"n":1}}"#
    );
    assert_eq!(String::from_utf8(rendered.body).unwrap(), wanted);
    assert_eq!(rendered.content_type, "application/cloudevents+json; charset=utf-8");
    assert_eq!(rendered.headers, []);
}

#[test]
fn a_binary_event_has_its_data_as_body_and_all_else_as_headers() {
    let rendered = binary("acct", &json!({ "user": { "name": "alice" }, "n": 1 }));
    assert_eq!(String::from_utf8(rendered.body.clone()).unwrap(), r#"{"user":{"name":"alice"},"n":1}"#);
    assert_eq!(rendered.content_type, "application/json");
    let headers: Vec<_> =
        rendered.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let wanted = [
        "ce-specversion: 1.0",
        &format!("ce-id: {ID}"),
        "ce-source: /radhook-1/acct",
        "ce-type: session.stop",
        "ce-subject: alice",
        "ce-time: 2026-11-22T10:15:30.000Z",
        "ce-sourcetype: accounting",
        "ce-sourceclient: freeradius",
        "ce-sourceaddress: 10.0.0.1",
        "ce-receivedat: 2026-11-22T10:15:31.482Z",
    ];
    assert_eq!(headers, wanted);
}

#[test]
fn a_batch_is_an_array_of_structured_events_also_of_one() {
    let events = [event("acct", &json!({ "n": 1 })), event("acct", &json!({ "n": 2 }))];
    let rendered = Format::CloudEvents.many(&events).unwrap();
    assert_eq!(rendered.content_type, "application/cloudevents-batch+json");
    let alone = events.map(|event| String::from_utf8(Format::CloudEvents.one(event).unwrap().body).unwrap());
    assert_eq!(String::from_utf8(rendered.body).unwrap(), format!("[{}]", alone.join(",")));
    assert!(Format::CloudEvents.many(&[event("a", &json!({}))]).unwrap().body.starts_with(b"[{"));
}

#[test]
fn names_of_attributes_are_legal() {
    let Value::Object(event) = structured("acct", &json!({ "user": { "name": "alice" } })) else { panic!("no object") };
    for name in event.keys() {
        let legal = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        assert!((1..=20).contains(&name.len()) && name.chars().all(legal), "{name}");
    }
}

#[test]
fn what_is_absent_in_the_event_is_an_absent_attribute() {
    let own = json!({
        "id": ID, "type": "endpoint.disabled", "timestamp": "2026-11-22T10:15:30.000Z",
        "source": { "name": "radhook", "type": "system", "received_at": "2026-11-22T10:15:30.000Z", "node": "n" },
        "data": {},
    });
    let rendered = Format::CloudEvents.one(serde_json::to_vec(&own).unwrap()).unwrap();
    let event: Value = serde_json::from_slice(&rendered.body).unwrap();
    let keys: Vec<&String> = event.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["specversion", "id", "source", "type", "time", "sourcetype", "receivedat", "datacontenttype", "data"]
    );
}

#[test]
fn the_subject_is_the_user_else_the_device_else_the_nas_else_the_endpoint() {
    let mut data = json!({
        "user": { "name": "alice" }, "client": { "mac": "AA-BB-CC-DD-EE-FF" },
        "nas": { "identifier": "lobby", "ip": "10.0.0.1" }, "endpoint": { "name": "crm" },
    });
    let subject = |data: &Value| structured("acct", data)["subject"].clone();
    assert_eq!(subject(&data), "alice");
    data["user"] = json!({ "name": "" });
    assert_eq!(subject(&data), "AA-BB-CC-DD-EE-FF");
    data["client"] = json!({ "ip": "10.1.2.3" });
    assert_eq!(subject(&data), "lobby");
    data["nas"] = json!({ "ip": "10.0.0.1" });
    assert_eq!(subject(&data), "10.0.0.1");
    data["nas"] = json!({ "port": 7 });
    assert_eq!(subject(&data), "crm");
    data["endpoint"] = json!(null);
    assert_eq!(subject(&data), Value::Null);
}

#[test]
fn posted_data_of_any_shape_has_a_subject_or_none() {
    for user in
        [json!("alice"), json!(7), json!(["alice"]), json!({ "name": 7 }), json!({ "name": ["a"] }), json!(null)]
    {
        let data = json!({ "user": user, "client": { "mac": "AA-BB-CC-DD-EE-FF" } });
        assert_eq!(structured("local", &data)["subject"], "AA-BB-CC-DD-EE-FF", "{data}");
    }
}

#[test]
fn hostile_names_stay_inside_their_header_and_come_back_whole() {
    for name in ["a b", "\"quoted\"", "100%25", "ёж 🦔", "x\\y;,=", "€ ü", "~!#$&'()*+-./:<>?@[]^_`{|}"] {
        let data = json!({ "user": { "name": name } });
        let rendered = binary("acct", &data);
        let value = header(&rendered, "ce-subject");
        assert!(value.bytes().all(|octet| (0x21..=0x7e).contains(&octet) && octet != b'"'), "{value}");
        assert_eq!(decoded(&value), name);
        assert_eq!(structured("acct", &data)["subject"], name);
    }
    let euro = binary("acct", &json!({ "user": { "name": "Euro € 😀" } }));
    assert_eq!(header(&euro, "ce-subject"), "Euro%20%E2%82%AC%20%F0%9F%98%80", "the specification's own example");
}

#[test]
fn what_an_attribute_cannot_hold_is_replaced_in_it_and_stays_in_the_data() {
    let hostile = "a\r\nX-Evil: 1\0\u{7f}\u{9f}\u{fffe}\u{fdd0}\u{10ffff}z";
    let data = json!({ "user": { "name": hostile } });
    let wanted = "a\u{fffd}\u{fffd}X-Evil: 1\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}z";
    let event = structured("acct", &data);
    assert_eq!((&event["subject"], &event["data"]["user"]["name"]), (&wanted.into(), &hostile.into()));
    let rendered = binary("acct", &data);
    assert_eq!(decoded(&header(&rendered, "ce-subject")), wanted);
    assert_eq!(serde_json::from_slice::<Value>(&rendered.body).unwrap(), data);
}

#[test]
fn a_long_name_is_cut_in_the_subject_only() {
    let long = "🦔".repeat(60_000);
    let data = json!({ "user": { "name": long } });
    let rendered = binary("acct", &data);
    assert_eq!(decoded(&header(&rendered, "ce-subject")), "🦔".repeat(256));
    let size: usize = rendered.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(size < 4_096, "{size}");
    assert_eq!(structured("acct", &data)["data"], data);
}

#[test]
fn the_source_is_one_path_whatever_its_parts_are_called() {
    let source = |name: &str| structured(name, &json!({}))["source"].clone();
    assert_eq!(source("relay-2"), "/radhook-1/relay-2");
    assert_eq!(source("hall 1/ü?#%"), "/radhook-1/hall%201%2F%C3%BC%3F%23%25");
    // In a header its percent signs are encoded once more, and decoded away by the receiver.
    let value = header(&binary("a b", &json!({})), "ce-source");
    assert_eq!((value.as_str(), decoded(&value).as_str()), ("/radhook-1/a%2520b", "/radhook-1/a%20b"));
}
