use serde_json::json;

use super::*;

const OTHER: &str = "AA-BB-CC-00-00-01";

#[test]
fn the_fifth_reject_of_a_device_opens_a_ticket_and_the_sixth_none() {
    let receiver = receiver();
    let mut site = Site::start("ticketing", origin(&receiver));
    for _ in 0..3 {
        assert!(!site.login(USER, "wrong", MAC));
    }
    assert!(site.login(USER, PASSWORD, MAC), "an accept in between counts for nothing");
    for _ in 0..4 {
        assert!(!site.login("vip-bob", "wrong", OTHER));
    }
    assert_eq!(site.settled("tickets", 8), (0, 8));
    // What was counted outlives a restart.
    site.restart();
    assert!(!site.login(USER, "wrong", MAC));
    assert!(!site.login(USER, "wrong", MAC));
    let [asked] = &receiver.wait_until_asked(1)[..] else { panic!("one ticket") };
    assert_eq!((asked.method.as_str(), asked.uri.to_string().as_str()), ("POST", "/api/v2/tickets"));
    assert_eq!(asked.header("x-correlation-id"), "radius-aabbccddeeff");
    // base64 of radhook:sixteen-bytes-or-more
    assert_eq!(asked.header("authorization"), "Basic cmFkaG9vazpzaXh0ZWVuLWJ5dGVzLW9yLW1vcmU=");
    let mut ticket = asked.json()["ticket"].take();
    let description = ticket["description"].take();
    let description = description.as_str().expect("a text");
    assert!(description.starts_with("AA-BB-CC-DD-EE-FF was turned away five times within ten minutes, at last at "));
    assert!(description.ends_with(": Hello alice"), "{description}");
    let id = ticket["external_id"].take();
    assert_eq!(Some(asked.header("idempotency-key")), id.as_str());
    let expected = json!({
        "subject": "Wi-Fi: alice cannot log in at lobby-ap-1", "description": null, "requester": "alice", "priority": "normal",
        "tags": ["radius", "pap"], "external_id": null,
    });
    assert_eq!(ticket, expected);

    // A sixth and, after another restart, a seventh: one ticket an hour.
    assert!(!site.login(USER, "wrong", MAC));
    site.restart();
    assert!(!site.login(USER, "wrong", MAC));
    // Another device's fifth shows that all before was looked at.
    assert!(!site.login("vip-bob", "wrong", OTHER));
    let asked = receiver.wait_until_asked(2);
    assert_eq!(asked[1].json()["ticket"]["priority"], "high");
    assert_eq!(asked[1].header("x-correlation-id"), "radius-aabbcc000001");
    site.wait_until("all is settled", |status| status.endpoint("tickets").delivered == 2);
    assert_eq!(receiver.asked().len(), 2);
}
