//! The words of tickets, every field of theirs, and what templates find.

use super::*;
use crate::render::Templates;
use crate::template::{Place, Template};

/// As the page has it, with its quotation marks and its tabs.
const SAMPLE: &str = include_str!("../../../../examples/iacbox.json");

fn word(kind: &str, session: Value) -> Option<Value> {
    let data = json!({ "user": { "name": "T-1" }, "session": session });
    has_word_for(Dialect::IacBox, kind, &data).then(|| body(Dialect::IacBox, kind, &data)["type"].clone())
}

#[test]
fn a_ticket_comes_and_goes_by_one_event_each() {
    let told = |word: &str| Some(Value::from(word));
    assert_eq!(word("session.start", json!({})), told("ticket.logged_in"));
    assert_eq!(word("session.stop", json!({ "terminate_cause": "User-Request" })), told("ticket.logged_out"));
    assert_eq!(word("session.stop", json!({})), told("ticket.logged_out"));
    assert_eq!(word("session.stop", json!({ "terminate_cause": "Idle-Timeout" })), told("ticket.logged_out.timeout"));
    assert_eq!(word("session.lost", json!({})), told("ticket.logged_out.timeout"));
    // Their special cause is told by the event that follows them.
    assert_eq!(word("session.stop", json!({ "limit": "time" })), None);
    assert_eq!(word("session.stop", json!({ "revoked": true })), None);
    assert_eq!(word("session.limit_exceeded", json!({ "limit": "time" })), told("ticket.logged_out.limit_exceeded"));
    assert_eq!(word("session.revoked", json!({ "revoked": true })), told("ticket.revoked"));
    assert_eq!(word("user.deleted", json!({})), told("ticket.revoked"));
    assert_eq!(word("system.start", json!({})), told("system.started"));
    assert_eq!(word("system.userlimit_exceeded", json!({})), told("system.userlimit_exceeded"));
    assert_eq!(word("system.backup.error", json!({})), told("system.backup.error"));
    assert_eq!(word("session.update", json!({})), None);
}

#[test]
fn all_fields_are_always_there_and_empty_where_nothing_is_known() {
    let bare = body(Dialect::IacBox, "system.start", &json!({}));
    let data = bare["data"].as_object().unwrap();
    let names: Vec<&str> = data.keys().map(String::as_str).collect();
    assert_eq!(names, super::super::iacbox::NAMES[1..]);
    for (name, value) in data {
        let expected = match name.as_str() {
            "login_type" | "limit" => "n/a",
            "timestamp_lastseen" => "2026-11-22T10:15:30.250Z",
            _ => "",
        };
        assert_eq!(value, expected, "{name}");
    }
    assert_eq!(bare["ticket_id"], "");
}

#[test]
fn upload_is_what_radius_calls_input() {
    let ticket = body(Dialect::IacBox, "session.start", &with(json!({ "session": session() })));
    let data = &ticket["data"];
    assert_eq!(data["volume_used_upload"], 5_368_709_120_u64);
    assert_eq!(data["volume_used_download"], 1024);
    assert_eq!(data["volume_used"], 5_368_710_144_u64);
    assert_eq!((&data["time_used"], &data["login_type"]), (&json!(3600), &json!("first")));
    assert_eq!(data["client_mac"], "AA-BB-CC-DD-EE-FF");
}

fn sample(user: Value) -> Result<Value, String> {
    let body = Template::over(SAMPLE, Place::Json, super::super::iacbox::NAMES).unwrap();
    let templates = Templates { body: Some(body), ..Templates::default() };
    let event = stored("session.stop", &json!({ "user": user, "session": { "input_octets": 1, "output_octets": 2 } }));
    let rendered = templates.one(Format::Dialect(Dialect::IacBox), event.to_string().into_bytes());
    let rendered = rendered.map_err(|error| error.to_string())?;
    serde_json::from_slice(&rendered.body).map_err(|error| error.to_string())
}

#[test]
fn the_page_s_sample_works_as_it_stands_there() {
    let ticket = sample(json!({
        "name": "T-1", "volume_limit": 1_000_000, "backend_data": { "pms": { "room": "101" } },
    }));
    assert_eq!(
        ticket.unwrap(),
        json!({
            "id": ID, "event": "ticket.logged_out", "occured": "2026-11-22T10:15:30.250Z", "ticket_id": "T-1",
            "volume_limit": "1000000", "volume_used": "3", "room_number": "101",
        })
    );
    let bare = sample(json!({})).unwrap();
    assert_eq!((&bare["ticket_id"], &bare["room_number"], &bare["volume_limit"]), (&json!(""), &json!(""), &json!("")));
}

proptest! {
    #[test]
    fn no_ticket_breaks_out_of_the_sample(name in name()) {
        let ticket = sample(json!({ "name": name, "backend_data": { "pms": { "room": name } } })).unwrap();
        prop_assert_eq!(&ticket["ticket_id"], &json!(name));
        prop_assert_eq!(&ticket["room_number"], &json!(name));
        prop_assert_eq!(ticket.as_object().unwrap().len(), 7);
    }
}

#[test]
fn url_and_headers_are_filled_in_too() {
    let over = |text: &str, place| Template::over(text, place, super::super::iacbox::NAMES).unwrap();
    let templates = Templates {
        url: Some(over("https://pms.example.com/{{ event.type }}?ticket={{ event.ticket_id }}", Place::Url)),
        headers: vec![
            (
                http::HeaderName::from_static("x-mac"),
                over("{{ client_mac | mac('aa:bb:cc:dd:ee:ff') }}", Place::Header),
            ),
            (http::HeaderName::from_static("x-room"), over("{{ backend_data.pms.room }}", Place::Header)),
        ],
        body: Some(over("<t id=\"{{ event.ticket_id }}\">{{ limit }}</t>", Place::Xml)),
        content_type: None,
    };
    let event = stored("session.start", &with(json!({ "user": { "name": "a\"<b" } }))).to_string();
    let rendered = templates.one(Format::Dialect(Dialect::IacBox), event.into_bytes()).unwrap();
    assert_eq!(rendered.url.unwrap().as_str(), "https://pms.example.com/ticket.logged_in?ticket=a%22%3Cb");
    assert_eq!(rendered.body, b"<t id=\"a&quot;&lt;b\">n/a</t>");
    assert_eq!(rendered.content_type, "application/xml");
    // What comes to nothing is left out.
    let headers: Vec<(&str, &[u8])> =
        rendered.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(headers, [("x-mac", &b"aa:bb:cc:dd:ee:ff"[..])]);
}
