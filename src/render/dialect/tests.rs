//! What each dialect says of radhook's events, field for field.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

mod flat;
mod iacbox;
mod purple;
mod signin;

const ID: &str = "3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2";

/// An event as it is stored.
fn stored(kind: &str, data: &Value) -> Value {
    json!({
        "id": ID,
        "type": kind,
        "timestamp": "2026-11-22T10:15:30.250Z",
        "source": { "name": "acct", "type": "accounting", "client": "nas", "address": "10.0.0.1",
                    "received_at": "2026-11-22T10:15:31.482Z", "node": "radhook-1" },
        "data": data,
    })
}

fn rendered(dialect: Dialect, kind: &str, data: &Value) -> Rendered {
    Format::Dialect(dialect).one(stored(kind, data).to_string().into_bytes()).unwrap()
}

/// The body that a dialect makes of an event.
fn body(dialect: Dialect, kind: &str, data: &Value) -> Value {
    serde_json::from_slice(&rendered(dialect, kind, data).body).unwrap()
}

fn has_word_for(dialect: Dialect, kind: &str, data: &Value) -> bool {
    Format::Dialect(dialect).has_word_for(&stored(kind, data))
}

/// Who and where, as every event that RADIUS tells has it.
fn parts() -> Value {
    json!({
        "user": { "name": "alice@example.org", "realm": "example.org", "email": "alice@example.org" },
        "client": { "mac": "AA-BB-CC-DD-EE-FF", "ip": "10.1.2.3", "hostname": "alices-phone" },
        "nas": { "ip": "10.0.0.1", "identifier": "lobby-ap-1", "port": 7, "port_type": "Wireless-802.11" },
        "ap": { "mac": "00-11-22-33-44-55", "ssid": "Guest" },
    })
}

fn with(more: Value) -> Value {
    let mut all = parts();
    let (Value::Object(all_parts), Value::Object(more)) = (&mut all, more) else { panic!("objects") };
    all_parts.extend(more);
    all
}

/// A session's figures.
fn session() -> Value {
    json!({
        "id": "5F1A-0001", "unique_id": "9d1f0c", "started_at": "2026-11-22T09:15:30.000Z",
        "stopped_at": "2026-11-22T10:15:30.000Z", "duration": 3600, "input_octets": 5_368_709_120_u64,
        "output_octets": 1024, "input_packets": 10, "output_packets": 12, "terminate_cause": "User-Request",
        "login": "first", "previous": { "unique_id": "77aa" },
    })
}

#[test]
fn each_has_words_for_the_types_it_says_and_for_no_other() {
    // With everything that any of them looks for.
    let data = with(json!({
        "auth": { "rounds": 1 }, "session": { "id": "1", "unique_id": "2" }, "attributes": { "User-Name": "alice" },
    }));
    for dialect in Dialect::ALL {
        for kind in EventType::ALL {
            let has_word = has_word_for(dialect, kind.name(), &data);
            assert_eq!(has_word, dialect.kinds().contains(kind), "{}: {kind}", dialect.name());
            let is_test = *kind == EventType::Test && dialect.has_test();
            let rendered = dialect.one(stored(kind.name(), &data).to_string().as_bytes());
            assert_eq!(rendered.is_ok(), has_word || is_test, "{}: {kind}", dialect.name());
        }
    }
}

#[test]
fn what_is_no_event_is_an_error_and_not_a_panic() {
    for json in
        ["", "[]", "{}", "null", "{\"id\":1,\"type\":2,\"timestamp\":3,\"data\":4}", "{\"type\":\"auth.accept\"}"]
    {
        for dialect in Dialect::ALL {
            let error = dialect.one(json.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("the stored event cannot be read: "), "{error}");
        }
    }
}

#[test]
fn an_event_without_a_word_says_so() {
    let event = stored("nas.on", &json!({})).to_string().into_bytes();
    let error = Format::Dialect(Dialect::IronWifi).one(event).unwrap_err();
    assert_eq!(error.to_string(), "the format ironwifi has no word for this event");
}

/// Where a dialect says the user's name, or what somebody may write instead of it.
fn name_in(dialect: Dialect, body: &Value) -> Value {
    match dialect {
        Dialect::IronWifi => body["data"]["username"].clone(),
        Dialect::IacBox => body["ticket_id"].clone(),
        Dialect::SignIn => body[0]["username"].clone(),
        Dialect::Purple | Dialect::Bt => body["user"]["firstName"].clone(),
        Dialect::OpenWisp => body["username"].clone(),
        // As its receivers read it: what is beyond ASCII comes octet by octet.
        Dialect::RlmRest => {
            let text = body["User-Name"]["value"][0].as_str().unwrap();
            let octets = text.chars().map(|octet| u8::try_from(u32::from(octet)).unwrap()).collect();
            String::from_utf8(octets).unwrap().into()
        }
    }
}

/// Anything that JSON can hold.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,9}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    const HOSTILE: [&str; 9] =
        ["\"}]", "]]>", "\u{0}\u{7f}\r\n", "🦔 ёж", "\\\\x", "{{ user.name }}", "\\xff\\xfe", "o'neill", "&lt;"];
    prop_oneof![".{1,80}", prop::sample::select(HOSTILE.to_vec()).prop_map(str::to_owned), "\\PC{1,20}"]
}

proptest! {
    #[test]
    fn any_name_makes_json_that_says_the_same_name(name in name()) {
        let data = with(json!({
            "user": { "name": name, "first_name": name }, "attributes": { "User-Name": name },
            "auth": { "reply_message": [name] },
        }));
        for dialect in Dialect::ALL {
            let kind = if dialect == Dialect::IacBox { "session.stop" } else { "auth.accept" };
            let body = body(dialect, kind, &data);
            prop_assert_eq!(name_in(dialect, &body), name.as_str(), "{}", dialect.name());
        }
    }

    #[test]
    fn whatever_was_posted_is_rendered_or_refused(data in anything(), part in anything(), kind in prop::sample::select(EventType::ALL)) {
        for data in [data.clone(), json!({ "user": part, "session": part, "auth": part, "venue": part, "attributes": part })] {
            let event = stored(kind.name(), &data).to_string();
            for dialect in Dialect::ALL {
                let rendered = dialect.one(event.as_bytes());
                let can = has_word_for(dialect, kind.name(), &data) || dialect.has_test() && kind == EventType::Test;
                prop_assert_eq!(rendered.is_ok(), can);
                if let Ok(rendered) = rendered {
                    prop_assert!(serde_json::from_slice::<Value>(&rendered.body).is_ok());
                }
            }
        }
    }
}
