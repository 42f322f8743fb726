use serde_json::json;

use super::*;

const USERS: &str =
    "username,email,first_name\nalice,alice@example.org,Alice \"Al\"\nguest1,,Gast\nguest2,g2@example.org,\n";

#[test]
fn the_first_login_of_a_day_becomes_one_mail_and_who_has_no_address_gets_none() {
    let receiver = receiver();
    let mut site = Site::start_with("welcome-mail", origin(&receiver), |directory| {
        secret_file(&directory.join("users.csv"), USERS);
    });
    assert!(site.login(USER, PASSWORD, MAC));
    let [asked] = &receiver.wait_until_asked(1)[..] else { panic!("one mail") };
    assert_eq!((asked.method.as_str(), asked.uri.to_string().as_str()), ("POST", "/api/v1/mails"));
    assert_eq!(asked.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(asked.header("content-type"), "application/json");
    let mut mail = asked.json();
    let at = mail["logged_in_at"].take();
    let at = at.as_str().expect("a time");
    assert_eq!(at.len(), "2026-11-25 14:00".len(), "{at}");
    let expected = json!({
        "template": "welcome", "to": { "address": "alice@example.org", "name": "Alice \"Al\"" },
        "subject": "Welcome, Alice \"Al\"", "network": "Guest", "logged_in_at": null,
    });
    assert_eq!(mail, expected);

    // Again, with another device, wrongly, without an address, and after a restart: no second mail.
    assert!(site.login(USER, PASSWORD, "AA-BB-CC-00-00-01"));
    assert!(!site.login(USER, "wrong", MAC));
    assert!(site.login("guest1", "any", "AA-BB-CC-00-00-02"));
    assert_eq!(site.settled("welcome-mail", 4), (1, 3));
    site.restart();
    assert!(site.login(USER, PASSWORD, MAC));
    // Somebody else gets one, and shows that all before was looked at.
    assert!(site.login("guest2", "any", "AA-BB-CC-00-00-03"));
    let asked = receiver.wait_until_asked(2);
    site.wait_until("all is settled", |status| status.endpoint("welcome-mail").delivered == 2);
    assert_eq!(receiver.asked().len(), 2);
    let mail = asked[1].json();
    assert_eq!(
        (&mail["to"], &mail["subject"]),
        (&json!({ "address": "g2@example.org", "name": "guest2" }), &json!("Welcome"))
    );
}
