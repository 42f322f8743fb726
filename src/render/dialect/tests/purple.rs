use super::*;

/// The request that BT Wi-Fi's page shows; `venue` is where its table of fields has it.
const SAMPLE: &str = r#"{"client":{"mac":"00-01-02-03-04-05","userAgent":"Mozilla/5.0 (X11; Linux x86_64)"},
    "company":{"id":999,"name":"Your company name"},"session":{"authenticationTime":"2018-01-18T13:27:08+0000"},
    "user":{"dateOfBirth":"1970-01-01","email":"webhook@test.com","firstName":"Webhook","gender":"F","id":888,
            "lastName":"Test","provider":"Facebook","visitCountsForVenues":{"888":7},"visitCountForVenues":{"888":7}},
    "venue":{"id":888,"latitude":"53.4857388","longitude":"-2.0999813","name":"Your venue name"}}"#;

fn visit() -> Value {
    json!({
        "user": { "name": "webhook", "id": "888", "email": "webhook@test.com", "first_name": "Webhook", "last_name": "Test",
                  "gender": "F", "date_of_birth": "1970-01-01", "provider": "Facebook",
                  "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "visits": { "888": 7 } },
        "client": { "mac": "00-01-02-03-04-05" },
        "company": { "id": 999, "name": "Your company name" },
        "venue": { "id": 888, "name": "Your venue name", "organization": "acme", "latitude": 53.4857388, "longitude": -2.0999813 },
    })
}

fn at(timestamp: &str, data: &Value) -> Vec<u8> {
    let mut event = stored("auth.accept", data);
    event["timestamp"] = timestamp.into();
    event.to_string().into_bytes()
}

#[test]
fn a_visit_is_the_sample_of_the_page_key_for_key_and_type_for_type() {
    for dialect in [Dialect::Purple, Dialect::Bt] {
        let rendered = Format::Dialect(dialect).one(at("2018-01-18T13:27:08.900Z", &visit())).unwrap();
        let sample: Value = serde_json::from_str(SAMPLE).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&rendered.body).unwrap(), sample);
        assert_eq!((rendered.content_type.as_bytes(), rendered.headers), (&b"application/json"[..], Vec::new()));
    }
}

#[test]
fn the_test_has_every_key_that_a_visit_can_have() {
    let test = body(Dialect::Purple, "test", &json!({ "endpoint": { "name": "crm" } }));
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    for part in ["client", "company", "session", "user", "venue"] {
        let keys = |of: &Value| {
            let mut keys: Vec<_> = of[part].as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&test), keys(&sample), "{part}");
    }
    assert_eq!(test["session"]["authenticationTime"], "2026-11-22T10:15:30+0000");
}

#[test]
fn what_is_not_known_is_left_out() {
    let visit = body(Dialect::Purple, "auth.accept", &json!({ "user": { "name": "alice", "email": "" } }));
    assert_eq!(visit, json!({ "session": { "authenticationTime": "2026-11-22T10:15:30+0000" } }));
}

#[test]
fn a_count_of_this_venue_alone_stands_under_its_id() {
    let of = |venue: Value| body(Dialect::Bt, "auth.accept", &json!({ "user": { "visits": 3 }, "venue": venue }));
    assert_eq!(of(json!({ "id": "bar" }))["user"]["visitCountsForVenues"], json!({ "bar": 3 }));
    assert_eq!(of(json!({ "name": "bar" })).get("user"), None);
}

#[test]
fn ids_are_numbers_where_they_can_be() {
    let id = |id: Value| body(Dialect::Purple, "auth.accept", &json!({ "user": { "id": id } }))["user"]["id"].clone();
    assert_eq!(id(json!(7)), 7);
    assert_eq!(id(json!("7")), 7);
    assert_eq!(id(json!("007")), "007");
    assert_eq!(id(json!("u-7")), "u-7");
}
