use serde_json::json;

use super::*;

const NOW: &str = "2026-11-22T10:15:30Z";

fn read_as(form: Form, body: &str) -> Result<Vec<Said>, Vec<String>> {
    let now = NOW.parse().unwrap();
    read(body.as_bytes(), form, &Dictionary::shipped(), now)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn problems(body: &Value) -> Vec<String> {
    read_as(Form::Json, &body.to_string()).unwrap_err()
}

/// The problems of an event with this data.
fn of_data(data: Value) -> Vec<String> {
    read_as(Form::Json, &json!({ "type": "test", "data": data }).to_string()).err().unwrap_or_default()
}

#[test]
fn one_event_an_array_and_lines_are_read() {
    let one = r#"{"type":"user.created","id":"3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2","timestamp":"2026-11-22T11:15:30+01:00","data":{"user":{"name":"bob"}}}"#;
    let said = &read_as(Form::Json, one).unwrap()[0];
    assert_eq!(said.kind, EventType::UserCreated);
    assert_eq!(said.id.unwrap().to_string(), "3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2");
    assert_eq!(said.timestamp, Some(NOW.parse().unwrap()));
    assert_eq!(said.data["user"]["name"], "bob");
    let two = r#"{"type":"test","data":{}}"#;
    assert_eq!(read_as(Form::Json, &format!("[{one},{two}]")).unwrap().len(), 2);
    let lines = read_as(Form::Lines, &format!("{one}\r\n\n{two}\n")).unwrap();
    assert_eq!((lines.len(), lines[1].id, lines[1].timestamp), (2, None, None));
}

#[test]
fn everything_wrong_is_told_at_once_with_its_place() {
    assert_eq!(
        problems(&json!([
            { "type": "session.stop", "data": {} },
            { "type": "session.stpo", "id": "x", "timestamp": "2026-11-22T10:15:30", "data": [], "sourc": {} },
            7,
        ])),
        [
            "[1].sourc: it is not known; an event has type, id, timestamp, data, and what happened stands in data",
            "[1].type: there is no event type \"session.stpo\"; the nearest is \"session.stop\"",
            "[1].id: it must be a UUID such as \"3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2\"; without one, radhook gives one",
            "[1].timestamp: it must be a time with its zone (RFC 3339) such as \"2026-11-22T10:15:30Z\"",
            "[1].data: it must be an object with what happened, or {}",
            "[2].event: it is no object; write {\"type\": \"…\", \"data\": {…}}",
        ]
    );
    assert_eq!(
        problems(&json!({ "data": {} })),
        ["type: it must be an event type in quotes, such as \"user.created\""]
    );
    let lines = read_as(Form::Lines, "{\"type\":\"test\",\"data\":{}}\n{\"type\":\n{\"type\":\"test\"}\n").unwrap_err();
    assert!(lines[0].starts_with("line 2, column 8: it is no JSON"), "{lines:?}");
    assert_eq!(lines[1], "line 3.data: it must be an object with what happened, or {}");
    assert_eq!(problems(&json!([])), ["body: it holds no event"]);
    assert_eq!(read_as(Form::Lines, "\n \n").unwrap_err(), ["body: it holds no event"]);
}

#[test]
fn an_id_that_was_never_filled_in_is_none() {
    for id in [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "3f0e4c7a52d14b6e9a530c5d8a1be1f2",
    ] {
        let told = problems(&json!({ "type": "test", "id": id, "data": {} }));
        assert!(told[0].starts_with("id: it must be a UUID"), "{id}: {told:?}");
    }
}

#[test]
fn a_time_of_a_lost_clock_is_refused() {
    for time in ["1970-01-01T00:00:00Z", "2026-11-24T00:00:00Z"] {
        let told = problems(&json!({ "type": "test", "timestamp": time, "data": {} }));
        assert!(told[0].contains("before 2000 or more than a day ahead; it is now 2026-11-22T10:15:30Z"), "{told:?}");
    }
}

#[test]
fn secrets_by_name_are_refused_and_never_repeated() {
    for key in [
        "password",
        "userPassword",
        "user_password",
        "API-Key",
        "api__key",
        "apikey",
        "accessToken",
        "client_secret",
        "pin",
        "User-Password",
        "MS-MPPE-Send-Key",
        "EAP-Message",
        "Tunnel-Password",
    ] {
        for value in [json!("hunter2"), json!(["", "hunter2"]), json!({ "value": "hunter2" }), json!(1234)] {
            let told = of_data(json!({ "a": [{ key: value }] }));
            assert_eq!(told.len(), 1, "{key}");
            assert!(told[0].starts_with(&format!("data.a[0].{key}: it is a secret by its name")), "{told:?}");
            assert!(!told[0].contains("hunter2"));
        }
    }
    assert_eq!(
        of_data(json!({ "password_changed_at": NOW, "password": true, "token": null, "secret": "", "key": "x",
        "shipping": "x", "tokens_left": 5, "passport": "x" })),
        [""; 0]
    );
}

#[test]
fn size_depth_and_number_are_bounded() {
    let deep = |levels: usize| (1..levels).fold(json!({}), |inside, _| json!({ "x": inside }));
    assert_eq!(of_data(deep(MAX_DEPTH)), [""; 0]);
    assert!(of_data(deep(MAX_DEPTH + 1))[0].ends_with("data nests deeper than 16 levels; make it flatter"));
    let text = |size: usize| json!({ "x": "y".repeat(size - r#"{"x":""}"#.len()) });
    assert_eq!(of_data(text(MAX_DATA)), [""; 0]);
    assert!(of_data(text(MAX_DATA + 1))[0].starts_with("data: it has 65537 bytes, and an event's data at most 65536"));
    let event = r#"{"type":"test","data":{}}"#;
    let many = |count: usize| vec![event; count];
    assert_eq!(read_as(Form::Json, &format!("[{}]", many(MAX_EVENTS).join(","))).unwrap().len(), MAX_EVENTS);
    let told = ["body: it holds more than 1000 events; post them in parts"];
    assert_eq!(read_as(Form::Json, &format!("[{}]", many(MAX_EVENTS + 1).join(","))).unwrap_err(), told);
    assert_eq!(read_as(Form::Lines, &many(MAX_EVENTS + 1).join("\n")).unwrap_err(), told);
    assert_eq!(read_as(Form::Lines, &"x\n".repeat(500)).unwrap_err().len(), MAX_PROBLEMS);
    // Deeper than a parser goes by recursion.
    assert!(read_as(Form::Json, &"[".repeat(100_000)).unwrap_err()[0].contains("it is no JSON"));
}

#[test]
fn the_form_is_told_by_the_content_type() {
    let of = |text: &'static str| Form::of(Some(&HeaderValue::from_static(text)));
    assert_eq!(of("application/json"), Some(Form::Json));
    assert_eq!(of("Application/JSON; charset=utf-8"), Some(Form::Json));
    assert_eq!(of("application/x-ndjson"), Some(Form::Lines));
    assert_eq!(of("application/x-www-form-urlencoded"), None);
    assert_eq!(of("text/plain"), None);
    assert_eq!(Form::of(None), None);
}
