use serde_json::json;

use super::*;

#[test]
fn a_listener_that_agreed_is_told_of_each_visit() {
    for format in ["purple", "bt"] {
        let receiver = DialectReceiver::start("purple", &[]);
        receiver.told("{\"listens\": false}");
        let mut site = Site::start(&endpoint("crm", format, &receiver, ""));
        site.login(PASSWORD);
        site.login("wrong");
        site.accounting(&[packet("P-1", "Start", "NAS-Port = 1")]);
        let status = site.wait_until("it was asked", |status| status.endpoint("crm").state == "unverified");
        let crm = status.endpoint("crm");
        assert_eq!((crm.pending, crm.filtered, crm.delivered), (1, 2, 0), "only the accept has a word");
        let test = &sound(receiver.requests())[0].body;
        assert_eq!(words([&test["user"]], "email"), ["webhook@test.com"]);

        // A restart asks at once.
        receiver.told("{}");
        site.restart();
        site.wait_until("the visit is delivered", |status| status.endpoint("crm").delivered == 1);
        let requests = sound(receiver.requests());
        assert_eq!(requests.len(), 3, "asked twice, told once");
        let visit = &requests[2].body;
        assert_eq!(visit["client"], json!({ "mac": MAC }));
        assert!(visit["session"]["authenticationTime"].is_string());

        let data = json!({
            "user": { "name": "bob", "id": "7", "email": "bob@example.org", "first_name": "Bob 🦔 \"}]]>", "last_name": "B",
                      "gender": "M", "date_of_birth": "1970-01-01", "provider": "Form", "user_agent": "Mozilla/5.0",
                      "visits": { "888": 2 } },
            "client": { "mac": MAC }, "company": { "id": 999, "name": "Acme" },
            "venue": { "id": 888, "name": "Lobby", "organization": "acme", "latitude": 53.4857388, "longitude": -2.0999813 },
        });
        site.emit("auth.accept", &data);
        let visit = &sound(receiver.wait_until_requests(4))[3].body;
        assert_eq!(
            visit["user"],
            json!({
                "id": 7, "email": "bob@example.org", "firstName": "Bob 🦔 \"}]]>", "lastName": "B", "gender": "M",
                "dateOfBirth": "1970-01-01", "provider": "Form",
                "visitCountsForVenues": { "888": 2 }, "visitCountForVenues": { "888": 2 },
            })
        );
        assert_eq!(
            visit["venue"],
            json!({ "id": 888, "name": "Lobby", "latitude": "53.4857388", "longitude": "-2.0999813" })
        );
        assert_eq!(visit["company"], json!({ "id": 999, "name": "Acme" }));
    }
}

#[test]
fn a_listener_that_fails_is_tried_without_end_until_it_is_disabled_and_then_has_to_agree_anew() {
    let receiver = DialectReceiver::start("purple", &[]);
    let keys = "retry = { schedule = [\"10ms\"] }\ndisable = { after = \"1s\" }";
    let site = Site::start(&endpoint("crm", "purple", &receiver, keys));
    sound(receiver.wait_until_requests(1));
    receiver.told("{\"status\": 500}");
    site.login(PASSWORD);
    let status = site.wait_until("it is disabled", |status| status.endpoint("crm").state == "disabled");
    assert_eq!((status.endpoint("crm").dead, status.endpoint("crm").pending), (0, 1));
    let tried = receiver.requests().len() - 1;
    assert!(tried > 3, "a schedule of one wait, and only {tried} attempts");

    receiver.told("{}");
    assert_eq!(radhook(&site.config, &["endpoints", "enable", "crm"]).code, 0);
    site.wait_until("the visit is delivered", |status| status.endpoint("crm").delivered == 1);
    let requests = sound(receiver.requests());
    let [.., test, visit] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(test.body["user"]["email"], "webhook@test.com");
    assert_eq!(visit.body, requests[1].body);
    assert_eq!(requests.len(), tried + 3);
}

#[test]
fn once_per_makes_one_visit_a_day_of_many_logins() {
    let receiver = DialectReceiver::start("purple", &[]);
    let site =
        Site::start(&endpoint("crm", "purple", &receiver, "once_per = { key = \"user.name\", window = \"24h\" }"));
    // Sessions and rejects have no word, and do not count as the first.
    site.accounting(&[packet("P-2", "Start", "NAS-Port = 1")]);
    site.login("wrong");
    for _ in 0..3 {
        site.login(PASSWORD);
    }
    let status = site.wait_until("all is judged", |status| status.endpoint("crm").received == 5);
    assert_eq!(status.endpoint("crm").filtered, 4);
    site.wait_until("the visit is delivered", |status| status.endpoint("crm").delivered == 1);
    assert_eq!(sound(receiver.requests()).len(), 2, "the test and the visit");
}
