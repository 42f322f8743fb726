use serde_json::json;

use super::support::dialect::SECRET;
use super::*;

/// The page's sample configuration, word for word.
fn sample() -> String {
    format!("body = {{ file = '{}/examples/iacbox.json' }}", env!("CARGO_MANIFEST_DIR"))
}

/// The only request with this word.
fn of<'r>(requests: &'r [Request], field: &str, word: &str) -> &'r Value {
    let mut found = requests.iter().filter(|request| request.body[field] == word);
    let first = found.next().unwrap_or_else(|| panic!("no {word}: {requests:#?}"));
    assert!(found.next().is_none(), "{word} came twice: {requests:#?}");
    &first.body
}

#[test]
fn every_event_arrives_once_under_its_own_word_with_all_fields() {
    let receiver = DialectReceiver::start("iacbox", &[]);
    let site = Site::start(&endpoint("pms", "iacbox", &receiver, ""));
    site.accounting(&[
        packet("T-1", "Start", "Framed-IP-Address = 10.1.2.3"),
        packet(
            "T-1",
            "Stop",
            "Acct-Session-Time = 600, Acct-Input-Octets = 10, Acct-Output-Octets = 32, Acct-Terminate-Cause = User-Request",
        ),
        packet("T-2", "Start", "NAS-Port = 1"),
        packet("T-2", "Stop", "Acct-Session-Time = 60, Acct-Terminate-Cause = Idle-Timeout"),
        packet("T-3", "Start", "NAS-Port = 1"),
        packet("T-3", "Stop", "Acct-Session-Time = 3600, Acct-Terminate-Cause = Session-Timeout"),
        packet("T-4", "Start", "NAS-Port = 1"),
        packet("T-4", "Stop", "Acct-Session-Time = 61, Acct-Terminate-Cause = Admin-Reset"),
    ]);
    let session = json!({ "unique_id": "9d1f0c", "last_seen_at": "2026-11-22T09:00:00.000Z" });
    site.emit("session.lost", &json!({ "user": { "name": "carol" }, "session": session }));
    let guest = json!({
        "name": "dave", "description": "Room 7", "template_id": 3, "template_name": "Day", "ticket_type": "single",
        "ticket_parent_group": 0, "ticket_price": 500, "backend": "pms", "backend_group": "hotel", "shared_limits": 1,
        "backend_data": { "pms": { "room": "007" } }, "timestamp_created": "2026-11-22T09:00:00Z",
        "timestamp_expires": "2026-11-23T09:00:00Z", "time_limit": 86400, "volume_limit": 1000,
    });
    let deleted = site.emit("user.deleted", &json!({ "user": guest }));
    for kind in [
        "system.start",
        "system.userlimit_exceeded",
        "system.backup.started",
        "system.backup.done",
        "system.backup.error",
    ] {
        site.emit(kind, &json!({}));
    }

    let requests = sound(receiver.wait_until_requests(15));

    let told = sorted(words(requests.iter().map(|request| &request.body), "type"));
    let expected = [
        "system.backup.done",
        "system.backup.error",
        "system.backup.started",
        "system.started",
        "system.userlimit_exceeded",
        "ticket.logged_in",
        "ticket.logged_in",
        "ticket.logged_in",
        "ticket.logged_in",
        "ticket.logged_out",
        "ticket.logged_out.limit_exceeded",
        "ticket.logged_out.timeout",
        "ticket.logged_out.timeout",
        "ticket.revoked",
        "ticket.revoked",
    ];
    assert_eq!(told, expected);
    let out = of(&requests, "type", "ticket.logged_out");
    assert_eq!((&out["ticket_id"], &out["data"]["client_mac"]), (&json!(USER), &json!(MAC)));
    let used = ["time_used", "volume_used_upload", "volume_used_download", "volume_used", "client_ip", "room"];
    let used: Vec<&Value> = used.iter().map(|name| &out["data"][name]).collect();
    assert_eq!(used, [&json!(600), &json!(10), &json!(32), &json!(42), &json!("10.1.2.3"), &Value::Null]);
    assert_eq!(of(&requests, "type", "ticket.logged_out.limit_exceeded")["data"]["limit"], "time");
    let logins: Vec<&Value> = requests
        .iter()
        .filter(|request| request.body["type"] == "ticket.logged_in")
        .map(|request| &request.body["data"]["login_type"])
        .collect();
    assert_eq!(logins.iter().filter(|login| **login == "first").count(), 1, "{logins:?}");
    let lost = requests.iter().find(|request| request.body["ticket_id"] == "carol").expect("it came");
    assert_eq!(lost.body["data"]["timestamp_lastseen"], "2026-11-22T09:00:00.000Z");
    let gone = of(&requests, "uuid", &deleted);
    for field in ["description", "template_id", "ticket_price", "backend_data", "timestamp_expires", "volume_limit"] {
        assert_eq!(gone["data"][field], guest[field], "{field}");
    }
    // Both stops whose special cause another event tells, and the resumptions of three sessions.
    let status = site.wait_until("all is delivered", |status| status.endpoint("pms").delivered == 15);
    assert_eq!((status.endpoint("pms").filtered, status.endpoint("pms").dead), (5, 0), "{status:?}");
}

#[test]
fn the_sample_configuration_of_that_page_works_by_all_four_methods() {
    for method in ["POST", "GET", "PUT", "DELETE"] {
        let receiver = DialectReceiver::start("iacbox", &["--auth", "basic"]);
        let keys = format!(
            "method = \"{method}\"\n{}\nauth = {{ type = \"basic\", username = \"radhook\", password = \"{SECRET}\" }}",
            sample()
        );
        let site = Site::start(&endpoint("pms", "iacbox", &receiver, &keys));
        let user = json!({ "name": "o'neill \"}]]> \u{1f994}", "volume_limit": 5, "backend_data": { "pms": { "room": "7\"" } } });
        site.emit("user.deleted", &json!({ "user": user }));
        let request = sound(receiver.wait_until_requests(1)).remove(0);
        assert_eq!(request.method, method);
        let body = &request.body;
        let told: Vec<_> =
            ["event", "ticket_id", "volume_limit", "volume_used", "room_number"].map(|name| &body[name]).into();
        assert_eq!(told, ["ticket.revoked", "o'neill \"}]]> \u{1f994}", "5", "", "7\""]);
    }
}

#[test]
fn url_headers_and_an_xml_body_are_filled_in_by_the_pages_placeholders() {
    let receiver = DialectReceiver::start("iacbox", &[]);
    let keys = r#"
content_type = "application/xml"
headers = { "X-Event" = "{{event.type}}", "X-Room" = "{{backend_data.pms.room}}" }
body = """<event uuid="{{event.uuid}}" type="{{event.type}}" created_at="{{event.created_at}}"><ticket>{{event.ticket_id}}</ticket>
<room><![CDATA[{{backend_data.pms.room}}]]></room><used>{{volume_used}}</used></event>"""
"#;
    let text =
        endpoint("pms", "iacbox", &receiver, keys).replace("/hook\"", "/hook/{{event.ticket_id}}?to={{client_mac}}\"");
    let site = Site::start(&text);
    let room = "]]><x y='&'>";
    site.emit("user.deleted", &json!({ "user": { "name": "a/b c", "backend_data": { "pms": { "room": room } } } }));
    let request = sound(receiver.wait_until_requests(1)).remove(0);
    assert_eq!(request.path, "/hook/a%2Fb%20c?to=");
    assert_eq!((&request.headers["x-event"], &request.headers["x-room"]), (&json!("ticket.revoked"), &json!(room)));
    assert_eq!(words([&request.body], "ticket"), ["a/b c"]);
    assert_eq!((&request.body["room"], &request.body["used"]), (&json!(room), &json!("")));
}

#[test]
fn a_token_is_fetched_as_the_page_says_shown_as_bearer_and_fetched_anew_when_it_has_expired() {
    let by_post = "method = \"POST\"\nbody = '{\"user\": \"{{ username }}\", \"password\": \"{{ password }}\"}'\n";
    let by_xml = "body = '<login><user>{{ username }}</user><password>{{ password }}</password></login>'\n\
                  content_type = \"application/xml\"\n";
    for (how, kind) in [(by_post, "application/json"), (by_xml, "application/xml"), ("method = \"GET\"\n", "none")] {
        let receiver = DialectReceiver::start("iacbox", &["--auth", "token", "--uses", "2", "--login-type", kind]);
        let login = receiver.login();
        let keys = format!(
            "{}\n[endpoint.auth]\ntype = \"token\"\nurl = \"{login}\"\nheaders = {{ \"X-Client\" = \"lobby\" }}\n{how}\
             username = \"radhook\"\npassword = \"{SECRET}\"\nfield = \"auth.token\"\nrefresh = \"30m\"",
            sample()
        );
        let site = Site::start(&endpoint("pms", "iacbox", &receiver, &keys));
        for number in 1..=5 {
            site.emit("system.backup.done", &json!({}));
            site.wait_until("it is delivered", |status| status.endpoint("pms").delivered == number);
        }
        let requests = receiver.wait_until_requests(10);
        let told: Vec<(&str, &str)> =
            requests.iter().map(|request| (request.path.as_str(), request.verdict.as_str())).collect();
        let (fetched, taken, expired) = (("/login", "valid"), ("/hook", "valid"), ("/hook", "the token has expired"));
        assert_eq!(told, [fetched, taken, taken, expired, fetched, taken, taken, expired, fetched, taken]);
        assert_eq!(requests[9].headers["authorization"], "Bearer t-3");
        assert!(requests.iter().all(|request| !request.again));
    }
}

#[test]
fn an_event_is_sent_once_and_what_came_of_it_is_told() {
    let receiver = DialectReceiver::start("iacbox", &[]);
    receiver.told("{\"status\": 500}");
    let site = Site::start(&endpoint("pms", "iacbox", &receiver, &sample()));
    let id = site.emit("system.start", &json!({}));
    let status = site.wait_until("it is given up", |status| status.endpoint("pms").dead == 1);
    assert_eq!(status.endpoint("pms").pending, 0);
    assert_eq!(receiver.requests().len(), 1);
    let shown = radhook(&site.config, &["deliveries", "show", &id]);
    assert!(shown.code == 0 && shown.stdout.contains("500"), "{shown:?}");
    receiver.told("{}");
    assert_eq!(radhook(&site.config, &["deliveries", "retry", "--endpoint", "pms"]).code, 0);
    site.wait_until("it is taken", |status| status.endpoint("pms").delivered == 1);
}
