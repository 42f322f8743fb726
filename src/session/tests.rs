use super::repeat::{Before, Verdict, judge};
use super::*;
use crate::event::Told;
use crate::exchange::{Login, Origin};
use crate::radius::{Attribute, AttributeId, Attributes, Value, numbers};
use serde_json::{Value as Json, json};

fn text(id: AttributeId, name: &str, value: &str) -> Attribute {
    Attribute { id, name: name.into(), value: Value::Text(value.into()) }
}

fn number(id: AttributeId, name: &str, value: u64) -> Attribute {
    Attribute { id, name: name.into(), value: Value::Integer(value) }
}

const ARRIVAL: i64 = 1_795_342_530;

/// A packet of session `5F1A-0001`, arrived `after` seconds in.
fn packet(status: u64, after: i64, more: Vec<Attribute>) -> Exchange {
    let mut request = Attributes::from_iter([
        number(numbers::ACCT_STATUS_TYPE, "Acct-Status-Type", status),
        text(numbers::ACCT_SESSION_ID, "Acct-Session-Id", "5F1A-0001"),
        text(numbers::NAS_IDENTIFIER, "NAS-Identifier", "lobby-ap-1"),
        text(numbers::USER_NAME, "User-Name", "alice@example.org"),
        text(numbers::CALLING_STATION_ID, "Calling-Station-Id", "aabb.ccdd.eeff"),
        text(numbers::CALLED_STATION_ID, "Called-Station-Id", "00-11-22-33-44-55:Guest"),
    ]);
    more.into_iter().for_each(|attribute| request.push(attribute));
    Exchange {
        origin: Origin {
            source: "acct".into(),
            kind: "accounting",
            client: "freeradius".into(),
            address: "10.0.0.1".parse().unwrap(),
        },
        received_at: Timestamp::from_second(ARRIVAL + after).unwrap(),
        code: Code::ACCOUNTING_REQUEST,
        reply: None,
        login: Login::default(),
        request,
        swap_octets: false,
    }
}

/// Tells a row of packets as one story and returns the events' JSON.
fn tell(packets: &[Exchange]) -> Vec<Json> {
    let (options, node) = (SessionOptions::default(), "node-1".into());
    let context = Context { options: &options, node: &node, now: ARRIVAL * 1000 };
    let mut known = Known::default();
    let mut told = Vec::new();
    for exchange in packets {
        let meaning = Meaning::read(exchange).unwrap();
        let step = observe(exchange, &meaning, &known, meaning.id(0), &context);
        told.extend(step.events.iter().map(|event| serde_json::to_value(event).unwrap()));
        let (record, person, device) = (step.record, step.person, step.device);
        known = Known { record, person, device, ..Known::default() };
    }
    told
}

fn traffic(time: u64, input: u64, output: u64) -> Vec<Attribute> {
    vec![
        number(numbers::ACCT_SESSION_TIME, "Acct-Session-Time", time),
        number(numbers::ACCT_INPUT_OCTETS, "Acct-Input-Octets", input),
        number(numbers::ACCT_OUTPUT_OCTETS, "Acct-Output-Octets", output),
    ]
}

#[test]
fn a_session_is_told_from_start_to_stop() {
    let mut last = traffic(900, 3000, 700);
    last.push(text(numbers::USER_NAME, "User-Name", "ignored: the first counts"));
    last.push(Attribute {
        id: numbers::ACCT_TERMINATE_CAUSE,
        name: "Acct-Terminate-Cause".into(),
        value: Value::Named { number: 1, name: "User-Request".into() },
    });
    let events = tell(&[packet(1, 0, vec![]), packet(3, 300, traffic(300, 1000, 500)), packet(2, 900, last)]);
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["session.start", "session.update", "session.stop"]);

    assert_eq!(events[0]["timestamp"], "2026-11-22T10:15:30.000Z");
    assert_eq!(
        events[0]["data"]["user"],
        json!({"name": "alice@example.org", "realm": "example.org", "first_seen_at": "2026-11-22T10:15:30.000Z",
               "sessions": 1})
    );
    assert_eq!(events[0]["data"]["session"]["visit"], 1);
    assert_eq!(
        events[0]["data"]["client"],
        json!({"mac": "AA-BB-CC-DD-EE-FF", "randomised": true, "first_seen_at": "2026-11-22T10:15:30.000Z"})
    );
    assert_eq!(events[0]["data"]["ap"], json!({"mac": "00-11-22-33-44-55", "ssid": "Guest"}));
    assert_eq!(events[0]["data"]["nas"], json!({"identifier": "lobby-ap-1"}));
    assert_eq!(events[0]["data"]["session"].get("delta"), None);
    assert_eq!(
        events[1]["data"]["session"]["delta"],
        json!({"duration": 300, "input_octets": 1000, "output_octets": 500})
    );
    assert_eq!(
        events[2]["data"]["session"]["delta"],
        json!({"duration": 600, "input_octets": 2000, "output_octets": 200})
    );
    let stop = &events[2]["data"]["session"];
    assert_eq!(stop["started_at"], "2026-11-22T10:15:30.000Z");
    assert_eq!(stop["stopped_at"], "2026-11-22T10:30:30.000Z");
    assert_eq!((&stop["duration"], &stop["terminate_cause"]), (&json!(900), &json!("User-Request")));
    assert_eq!(stop["unique_id"], events[0]["data"]["session"]["unique_id"]);
    assert_eq!(
        events[2]["source"],
        json!({"name": "acct", "type": "accounting", "client": "freeradius", "address": "10.0.0.1",
               "received_at": "2026-11-22T10:30:30.000Z", "node": "node-1"})
    );
}

#[test]
fn a_session_first_heard_of_in_its_middle_began_when_its_time_says() {
    let events = tell(&[packet(3, 600, traffic(600, 5, 5)), packet(2, 700, traffic(700, 9, 9))]);
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["session.start", "session.update", "session.stop"]);
    assert_eq!(events[0]["timestamp"], "2026-11-22T10:15:30.000Z");
    assert_eq!(events[0]["data"]["session"]["inferred"], true);
    assert_eq!(events[1]["data"]["session"]["started_at"], "2026-11-22T10:15:30.000Z");
    assert_eq!(events[1]["data"]["session"].get("delta"), None, "what came before is not known");
    assert_eq!(events[2]["data"]["session"]["delta"]["input_octets"], 4);
}

#[test]
fn a_session_id_used_again_after_the_stop_is_another_session() {
    let events = tell(&[packet(1, 0, vec![]), packet(2, 60, vec![]), packet(1, 3600, vec![])]);
    assert_eq!(events[0]["data"]["session"]["unique_id"], events[1]["data"]["session"]["unique_id"]);
    assert_eq!(events[2]["type"], "session.start");
    assert_ne!(events[0]["data"]["session"]["unique_id"], events[2]["data"]["session"]["unique_id"]);
    assert_eq!(events[2]["data"]["session"]["started_at"], "2026-11-22T11:15:30.000Z");
}

#[test]
fn what_changes_on_the_way_does_not_change_the_id() {
    let dated = |more: Vec<Attribute>, after| {
        let mut attributes = vec![number(numbers::EVENT_TIMESTAMP, "Event-Timestamp", ARRIVAL.cast_unsigned())];
        attributes.extend(more);
        packet(2, after, attributes)
    };
    let straight = dated(traffic(60, 1, 2), 0);
    let mut through_a_proxy = dated(traffic(60, 1, 2), 7200);
    through_a_proxy.origin.address = "127.0.0.1".parse().unwrap();
    through_a_proxy.request.push(number(numbers::ACCT_DELAY_TIME, "Acct-Delay-Time", 7200));
    through_a_proxy.request.push(text(AttributeId::rfc(33), "Proxy-State", "0x3031"));
    through_a_proxy.request.push(Attribute {
        id: numbers::NAS_IP_ADDRESS,
        name: "NAS-IP-Address".into(),
        value: Value::Address("10.9.9.9".parse().unwrap()),
    });
    let id = |exchange: &Exchange| Meaning::read(exchange).unwrap().id(0);
    assert_eq!(id(&straight), id(&through_a_proxy));
    assert_ne!(id(&straight), id(&dated(traffic(60, 1, 3), 0)), "another counter is another fact");
    assert_ne!(
        id(&straight),
        id(&packet(2, 0, traffic(60, 1, 2))),
        "a fact with a date is not the same as one without"
    );
    let undated = packet(2, 0, traffic(60, 1, 2));
    let base = Meaning::read(&undated).unwrap().base();
    assert_eq!(Meaning::read(&straight).unwrap().undated, Some(base), "and is found by the one without");
    assert_eq!(Meaning::read(&undated).unwrap().undated, None);
}

#[test]
fn a_repeat_is_told_from_a_new_occurrence_by_when_it_happened() {
    let first = packet(1, 0, vec![]);
    let retransmitted = packet(1, 40, vec![number(numbers::ACCT_DELAY_TIME, "Acct-Delay-Time", 40)]);
    let after_reboot = packet(1, 86_400, vec![]);
    let (a, b, c) =
        (Meaning::read(&first).unwrap(), Meaning::read(&retransmitted).unwrap(), Meaning::read(&after_reboot).unwrap());
    assert_eq!((a.base(), b.base()), (b.base(), c.base()));
    let told = Told { event: 1, happened_at: a.happened_at.as_millisecond(), occurrence: 0, undated: None };
    let before = Before { same: Some(told), ..Before::default() };
    assert_eq!(judge(before, b.happened_at, b.is_dated), Verdict::Repeat(1));
    assert_eq!(judge(before, c.happened_at, c.is_dated), Verdict::New(1));
    assert_ne!(a.id(0), c.id(1));
}

#[test]
fn accounting_on_and_off_belong_to_the_nas() {
    let events = tell(&[packet(7, 0, vec![]), packet(8, 1, vec![])]);
    assert_eq!((&events[0]["type"], &events[1]["type"]), (&json!("nas.on"), &json!("nas.off")));
    assert_eq!(events[0]["data"].get("session"), None);
}

#[test]
fn packets_that_mean_nothing_say_why() {
    assert_eq!(Meaning::read(&packet(9, 0, vec![])).unwrap_err(), Meaningless::Status);
    let mut nameless = packet(1, 0, vec![]);
    nameless.request = nameless.request.iter().filter(|a| a.id != numbers::ACCT_SESSION_ID).cloned().collect();
    assert_eq!(Meaning::read(&nameless).unwrap_err(), Meaningless::SessionId);
}
