use super::*;

const VENUE: &str = r#"{ "id": 888, "name": "Lobby", "organization": "acme" }"#;

fn at_venue(more: Value) -> Value {
    let mut data = with(more);
    data["venue"] = serde_json::from_str(VENUE).unwrap();
    data
}

/// What an event is called.
fn called(kind: &str, data: &Value) -> Vec<String> {
    match has_word_for(Dialect::SignIn, kind, data) {
        false => Vec::new(),
        true => {
            let body = body(Dialect::SignIn, kind, data);
            body.as_array().unwrap().iter().map(|object| object["event"].as_str().unwrap().to_owned()).collect()
        }
    }
}

#[test]
fn logins_are_approved_denied_and_verified_where_a_challenge_was_met() {
    let rounds = |rounds: u32| with(json!({ "auth": { "rounds": rounds } }));
    assert_eq!(called("auth.accept", &rounds(0)), ["signin.session.approved"]);
    assert_eq!(called("auth.accept", &parts()), ["signin.session.approved"]);
    assert_eq!(called("auth.accept", &rounds(1)), ["signin.session.approved", "signin.session.verified"]);
    assert_eq!(called("auth.accept", &rounds(9)), ["signin.session.approved", "signin.session.verified"]);
    assert_eq!(called("auth.reject", &rounds(1)), ["signin.session.denied"]);
    assert_eq!(called("auth.challenge", &rounds(1)), ["signin.session.requested"]);
    for unknown in [rounds(2), parts()] {
        assert_eq!(called("auth.challenge", &unknown), [""; 0], "only the first is told");
    }
}

#[test]
fn sessions_are_created_or_resumed_and_at_a_venue_arena_sessions_too() {
    let new = json!({ "session": { "unique_id": "9d1f0c" } });
    let resumed = json!({ "session": { "unique_id": "9d1f0c", "previous": { "unique_id": "77aa" } } });
    assert_eq!(called("session.start", &with(new.clone())), ["signin.session.created"]);
    assert_eq!(
        called("session.start", &at_venue(new.clone())),
        ["signin.session.created", "signin.arenasession.login"]
    );
    assert_eq!(called("session.start", &at_venue(resumed.clone())), [""; 0], "session.resumed follows it");
    assert_eq!(called("session.resumed", &with(resumed.clone())), ["signin.session.resumed"]);
    assert_eq!(
        called("session.resumed", &at_venue(resumed)),
        ["signin.session.resumed", "signin.arenasession.resumed"]
    );
    assert_eq!(called("session.revoked", &at_venue(new.clone())), ["signin.session.revoked"]);
    for kind in ["session.update", "session.stop", "session.lost", "session.limit_exceeded", "nas.on", "auth.timeout"] {
        assert_eq!(called(kind, &at_venue(new.clone())), [""; 0], "{kind}");
    }
}

#[test]
fn every_object_has_its_envelope_and_the_fields_of_its_type() {
    let data = at_venue(json!({
        "auth": { "method": "PEAP", "reply_message": ["welcome", "back"], "session_timeout": 3600, "vlan": "20", "rounds": 2 },
    }));
    let body = body(Dialect::SignIn, "auth.accept", &data);
    let second = body[1]["id"].as_str().unwrap();
    assert_eq!((second.len(), &second[14..15]), (36, "8"));
    assert_ne!(second, ID);
    let mut approved = json!({
        "event": "signin.session.approved", "id": ID, "scope": { "organization": "acme", "context": "888" },
        "timestamp": "2026-11-22T10:15:30.250Z",
        "username": "alice@example.org", "email": "alice@example.org", "client_mac": "AA-BB-CC-DD-EE-FF",
        "client_ip": "10.1.2.3", "client_hostname": "alices-phone", "nas_ip": "10.0.0.1", "nas_identifier": "lobby-ap-1",
        "ap_mac": "00-11-22-33-44-55", "ssid": "Guest",
        "auth_method": "PEAP", "reply_message": "welcome\nback", "session_timeout": 3600, "vlan": "20",
    });
    assert_eq!(body[0], approved);
    approved["event"] = "signin.session.verified".into();
    approved["id"] = second.into();
    assert_eq!(body[1], approved);
}

#[test]
fn a_session_names_itself_and_an_arena_session_its_venue() {
    let body = body(Dialect::SignIn, "session.resumed", &at_venue(json!({ "session": session() })));
    for object in body.as_array().unwrap() {
        assert_eq!(object["session_id"], "9d1f0c");
        assert_eq!(object["acct_session_id"], "5F1A-0001");
        assert_eq!(object["previous_session_id"], "77aa");
        assert_eq!((&object["login"], &object["duration"]), (&json!("first"), &json!(3600)));
    }
    assert_eq!(body[0].get("venue"), None);
    assert_eq!(body[1]["venue"], json!({ "id": 888, "name": "Lobby" }));
}

#[test]
fn what_happened_nowhere_known_has_an_empty_scope() {
    assert_eq!(body(Dialect::SignIn, "auth.reject", &parts())[0]["scope"], json!({}));
    let named = json!({ "venue": { "name": "Lobby" } });
    assert_eq!(body(Dialect::SignIn, "auth.reject", &named)[0]["scope"], json!({ "context": "Lobby" }));
}

#[test]
fn leases_and_changes_are_passed_on_as_they_were_posted() {
    let lease = json!({ "client": { "mac": "AA-BB-CC-DD-EE-FF" }, "lease": { "expires_at": "2026-11-22T11:15:30Z" } });
    let granted = &body(Dialect::SignIn, "dhcp.granted", &lease)[0];
    assert_eq!((&granted["event"], &granted["lease"]), (&json!("signin.dhcp.granted"), &lease["lease"]));
    assert_eq!(body(Dialect::SignIn, "dhcp.expired", &lease)[0]["event"], "signin.dhcp.expired");
    let change = json!({ "who": "bob", "what": "endpoint.crm.url", "old": "a", "new": "b" });
    let audit = &body(Dialect::SignIn, "config.audit", &change)[0];
    assert_eq!((&audit["event"], &audit["change"]), (&json!("signin.configuration.audit"), &change));
}

#[test]
fn a_batch_is_one_array_of_all_objects_and_the_same_each_time() {
    let events: Vec<Vec<u8>> = [("auth.accept", 1), ("auth.reject", 0)]
        .map(|(kind, rounds)| stored(kind, &with(json!({ "auth": { "rounds": rounds } }))).to_string().into_bytes())
        .to_vec();
    let format = Format::Dialect(Dialect::SignIn);
    let rendered = format.many(&events).unwrap();
    assert_eq!(rendered, format.many(&events).unwrap());
    let body: Value = serde_json::from_slice(&rendered.body).unwrap();
    let names: Vec<_> = body.as_array().unwrap().iter().map(|object| object["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["signin.session.approved", "signin.session.verified", "signin.session.denied"]);
}
