use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::exchange::{Login, Origin};
use crate::radius::{Attribute, AttributeId, Attributes, Value, numbers};
use crate::session::{Context, Known, SessionOptions, observe};

fn text(id: AttributeId, name: &str, value: &str) -> Attribute {
    Attribute { id, name: name.into(), value: Value::Text(value.into()) }
}

fn login(method: Option<Method>) -> Login {
    let random = [7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5, 9, 0, 4, 5, 2];
    Login { authenticator: Some(random), method, rounds: Some(9) }
}

/// A login of anon at the lobby, and what came of it.
fn exchange(reply: Option<(Code, Vec<Attribute>)>) -> Exchange {
    Exchange {
        origin: Origin {
            source: "edge".into(),
            kind: "relay",
            client: "lobby".into(),
            address: "10.0.0.1".parse().unwrap(),
        },
        received_at: "2026-11-22T10:15:30.100Z".parse().unwrap(),
        code: Code::ACCESS_REQUEST,
        request: Attributes::from_iter([
            text(numbers::USER_NAME, "User-Name", "anon@example.org"),
            Attribute { id: numbers::USER_PASSWORD, name: "User-Password".into(), value: Value::Redacted },
            text(numbers::NAS_IDENTIFIER, "NAS-Identifier", "lobby-ap-1"),
            text(numbers::CALLING_STATION_ID, "Calling-Station-Id", "aabb.ccdd.eeff"),
        ]),
        reply: reply.map(|(code, attributes)| Reply {
            code,
            attributes: attributes.into_iter().collect(),
            latency: Some(Duration::from_millis(12)),
        }),
        login: login(Some(Method::Eap(Some(25)))),
        swap_octets: false,
    }
}

fn told(exchange: &Exchange) -> Json {
    let meaning = Meaning::read(exchange).unwrap();
    let (options, node, known) = (SessionOptions::default(), "node-1".into(), Known::default());
    let context = Context { options: &options, node: &node, now: 0 };
    let step = observe(exchange, &meaning, &known, meaning.id(0), &context);
    assert!(step.record.is_none());
    serde_json::to_value(&step.events[0]).unwrap()
}

fn id(exchange: &Exchange) -> String {
    Meaning::read(exchange).unwrap().id(0).to_string()
}

#[test]
fn an_accept_tells_both_sides_and_what_was_granted() {
    let event = told(&exchange(Some((
        Code::ACCESS_ACCEPT,
        vec![
            text(numbers::USER_NAME, "User-Name", "alice@example.org"),
            text(numbers::REPLY_MESSAGE, "Reply-Message", "welcome"),
            text(numbers::REPLY_MESSAGE, "Reply-Message", "back"),
            Attribute { id: numbers::SESSION_TIMEOUT, name: "Session-Timeout".into(), value: Value::Integer(3600) },
            text(numbers::TUNNEL_PRIVATE_GROUP_ID, "Tunnel-Private-Group-Id:0", "20"),
            Attribute {
                id: numbers::FRAMED_IP_ADDRESS,
                name: "Framed-IP-Address".into(),
                value: Value::Address("10.1.2.3".parse().unwrap()),
            },
            Attribute { id: numbers::EAP_MESSAGE, name: "EAP-Message".into(), value: Value::Redacted },
        ],
    ))));
    assert_eq!((&event["type"], &event["timestamp"]), (&json!("auth.accept"), &json!("2026-11-22T10:15:30.112Z")));
    assert_eq!(event["source"]["received_at"], "2026-11-22T10:15:30.100Z");
    let data = &event["data"];
    assert_eq!(data["user"], json!({ "name": "alice@example.org", "realm": "example.org" }));
    assert_eq!(data["client"], json!({ "mac": "AA-BB-CC-DD-EE-FF", "randomised": true, "ip": "10.1.2.3" }));
    assert_eq!(
        data["auth"],
        json!({ "method": "PEAP", "reply_message": ["welcome", "back"], "session_timeout": 3600, "vlan": "20",
                "latency_ms": 12, "rounds": 9 })
    );
    assert_eq!(data["attributes"]["User-Name"], "anon@example.org");
    assert_eq!(data["reply_attributes"]["User-Name"], "alice@example.org");
    assert!(data.get("session").is_none());
    let all = event.to_string();
    assert!(!all.contains("Password") && !all.contains("EAP-Message") && !all.contains("redacted"), "{all}");
}

#[test]
fn a_reject_keeps_the_name_that_was_tried_and_a_timeout_has_no_reply() {
    let reject =
        told(&exchange(Some((Code::ACCESS_REJECT, vec![text(numbers::USER_NAME, "User-Name", "somebody else")]))));
    assert_eq!(reject["type"], "auth.reject");
    assert_eq!(reject["data"]["user"]["name"], "anon@example.org");
    let timeout = told(&exchange(None));
    assert_eq!(timeout["type"], "auth.timeout");
    assert_eq!(timeout["data"]["auth"], json!({ "method": "PEAP", "rounds": 9 }));
    assert!(timeout["data"].get("reply_attributes").is_none());
}

#[test]
fn a_device_that_is_its_own_user_authenticates_by_mac() {
    let of = |user: &str, method| {
        let mut exchange = exchange(Some((Code::ACCESS_ACCEPT, vec![])));
        exchange.request.remove(numbers::USER_NAME);
        exchange.request.push(text(numbers::USER_NAME, "User-Name", user));
        exchange.login = login(method);
        told(&exchange)["data"]["auth"]["method"].clone()
    };
    assert_eq!(of("AABBCCDDEEFF", Some(Method::Pap)), "MAC");
    assert_eq!(of("aa:bb:cc:dd:ee:ff", None), "MAC");
    assert_eq!(of("aabbccddeeff", Some(Method::Eap(Some(4)))), "MAC");
    assert_eq!(of("aabbccddeeff", Some(Method::Eap(Some(13)))), "EAP-TLS");
    assert_eq!(of("AABBCCDDEE00", Some(Method::Pap)), "PAP");
    assert_eq!(of("bob", None), Json::Null);
}

#[test]
fn the_authenticator_makes_the_id_whichever_way_the_login_is_seen() {
    let seen = exchange(Some((Code::ACCESS_ACCEPT, vec![])));
    // A copy of FreeRADIUS: later, from another address, without the password, with a time of its own.
    let mut copied = seen.clone();
    copied.origin = Origin { source: "spool".into(), kind: "detail", ..copied.origin };
    copied.received_at = "2026-11-22T10:17:00Z".parse().unwrap();
    copied.request.remove(numbers::USER_PASSWORD);
    copied.request.push(Attribute {
        id: numbers::EVENT_TIMESTAMP,
        name: "Event-Timestamp".into(),
        value: Value::Date(1_795_342_530),
    });
    copied.reply.as_mut().unwrap().latency = None;
    copied.login.rounds = None;
    assert_eq!(id(&seen), id(&copied));
    assert_eq!(told(&copied)["timestamp"], "2026-11-22T10:15:30.000Z");
    // Rewritten on the way: the user's name, and how the device is written.
    let renamed = |exchange: &Exchange| {
        let mut renamed = exchange.clone();
        renamed.request.remove(numbers::USER_NAME);
        renamed.request.remove(numbers::CALLING_STATION_ID);
        renamed.request.push(text(numbers::USER_NAME, "User-Name", "somebody"));
        renamed.request.push(text(numbers::CALLING_STATION_ID, "Calling-Station-Id", "AA-BB-CC-DD-EE-FF"));
        renamed
    };
    assert_eq!(id(&seen), id(&renamed(&seen)));
    // Another round, another outcome.
    let mut other = seen.clone();
    other.login.authenticator.as_mut().unwrap()[0] = 99;
    assert_ne!(id(&seen), id(&other));
    assert_ne!(id(&seen), id(&exchange(Some((Code::ACCESS_REJECT, vec![])))));
    // A NAS without random numbers has only its users' names to tell them by.
    let mut same = seen.clone();
    same.login.authenticator = Some([0; 16]);
    assert_ne!(id(&same), id(&renamed(&same)));
}

#[test]
fn without_an_authenticator_the_time_tells_logins_apart() {
    let mut first = exchange(Some((Code::ACCESS_ACCEPT, vec![])));
    first.login.authenticator = None;
    let mut second = first.clone();
    second.received_at = "2026-11-22T10:15:30.101Z".parse().unwrap();
    assert_ne!(id(&first), id(&second), "losing a login is worse than telling it twice");
    for exchange in [&mut first, &mut second] {
        exchange.request.push(Attribute {
            id: numbers::EVENT_TIMESTAMP,
            name: "Event-Timestamp".into(),
            value: Value::Date(1_795_342_530),
        });
    }
    assert_eq!(id(&first), id(&second));
    assert!(Meaning::read(&first).unwrap().is_dated);
}

#[test]
fn dynamic_authorization_is_told_by_its_reply_and_what_answers_nothing_means_nothing() {
    let of = |code, reply| {
        let mut exchange = exchange(Some((reply, vec![])));
        exchange.code = code;
        Meaning::read(&exchange).map(|meaning| meaning.kind)
    };
    assert_eq!(of(Code::DISCONNECT_REQUEST, Code::DISCONNECT_ACK), Ok(EventType::DisconnectAck));
    assert_eq!(of(Code::DISCONNECT_REQUEST, Code::DISCONNECT_NAK), Ok(EventType::DisconnectNak));
    assert_eq!(of(Code::COA_REQUEST, Code::COA_ACK), Ok(EventType::CoaAck));
    assert_eq!(of(Code::COA_REQUEST, Code::COA_NAK), Ok(EventType::CoaNak));
    assert_eq!(of(Code::ACCESS_REQUEST, Code::ACCESS_CHALLENGE), Ok(EventType::AuthChallenge));
    assert_eq!(of(Code::ACCESS_REQUEST, Code(0)), Err(Meaningless::Reply));
    assert_eq!(of(Code::STATUS_SERVER, Code::ACCESS_ACCEPT), Err(Meaningless::Reply));
    let mut alone = exchange(None);
    alone.code = Code::COA_REQUEST;
    assert_eq!(Meaning::read(&alone).err(), Some(Meaningless::Reply));
}
