use serde_json::{Value, json};

use super::*;

#[test]
fn who_comes_and_goes_is_told_by_venue_and_without_a_name() {
    let receiver = receiver();
    let site = Site::start("occupancy", origin(&receiver));
    let at = |nas: &str, mac: &str| {
        format!(
            "NAS-Identifier = \"{nas}\", Calling-Station-Id = \"{mac}\", Called-Station-Id = \"00-11-22-33-44-55:Guest\""
        )
    };
    let (lobby, library) = (at("lobby-ap-1", MAC), at("library-ap-2", "AA-BB-CC-00-00-01"));
    let office = at("office-ap-3", "AA-BB-CC-00-00-02");
    site.accounting(&[
        packet("alice", "O-1", "Start", &lobby),
        packet("bob", "O-2", "Start", &library),
        packet("carol", "O-3", "Start", &office),
        packet("alice", "O-1", "Interim-Update", &format!("{lobby}, Acct-Session-Time = 60")),
        packet("alice", "O-1", "Stop", &format!("{lobby}, Acct-Session-Time = 90")),
    ]);
    let asked = receiver.wait_until_asked(3);
    // Carol is nowhere, and an update changes nothing.
    assert_eq!(site.settled("dashboard", 5), (3, 2));
    assert_eq!(receiver.asked().len(), 3);
    for request in &asked {
        assert_eq!((request.method.as_str(), request.header("x-api-key")), ("PUT", TOKEN));
        let text = String::from_utf8_lossy(&request.body);
        assert!(!text.contains("alice") && !text.contains("bob") && !text.contains("AA-BB"), "{text}");
    }
    let of = |venue: &str| -> Vec<Value> {
        let target = format!("/api/occupancy/{venue}");
        asked.iter().filter(|request| request.uri == *target).map(super::support::scripted::Asked::json).collect()
    };
    let told = |body: &Value| (body["venue"].clone(), body["change"].clone(), body["minutes"].clone());
    let (lobby, library) = (of("888"), of("889"));
    let venue = json!({ "id": 888, "name": "Lobby", "capacity": 80 });
    assert_eq!(told(&lobby[0]), (venue.clone(), json!(1), Value::Null));
    assert_eq!(told(&lobby[1]), (venue, json!(-1), json!(1.5)));
    assert_eq!(lobby[0]["visit"], lobby[1]["visit"]);
    assert_eq!((&lobby[0]["first_time"], &lobby[1]["first_time"]), (&json!(true), &json!(false)));
    assert!(lobby[0]["at"].as_i64().unwrap() > 1_700_000_000);
    assert_eq!(told(&library[0]), (json!({ "id": 889, "name": "Library", "capacity": 40 }), json!(1), Value::Null));
    assert_eq!((lobby.len(), library.len()), (2, 1));
}
