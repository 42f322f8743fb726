use serde_json::json;

use super::support::eapol::{Eap, Login};
use super::*;

/// All objects of all requests.
fn objects(requests: &[Request]) -> Vec<&Value> {
    requests.iter().flat_map(|request| request.body.as_array().expect("an array")).collect()
}

/// Waits until the receiver has so many objects, and returns its requests.
fn wait_until_objects(receiver: &DialectReceiver, count: usize) -> Vec<Request> {
    let mut requests = 1;
    loop {
        let got = sound(receiver.wait_until_requests(requests));
        if objects(&got).len() >= count {
            return got;
        }
        requests = got.len() + 1;
    }
}

#[test]
fn logins_and_sessions_arrive_in_arrays_under_sign_ins_own_words() {
    let kind = "application/json; charset=utf-8";
    let receiver = DialectReceiver::start("signin", &["--content-type", kind]);
    let keys =
        format!("headers = {{ \"Content-Type\" = \"{kind}\" }}\nbatch = {{ max_events = 1, max_wait = \"0s\" }}");
    let site = Site::start(&endpoint("siem", "signin", &receiver, &keys));
    let md5 = Login::new(Eap::Md5, site.daemon().relay(), NAS_SECRET, &site.server.certificates());
    assert!(md5.succeeded, "{}", md5.output);
    site.login("wrong");
    site.accounting(&[
        packet("S-1", "Start", "NAS-Port = 1"),
        packet("S-1", "Interim-Update", "Acct-Session-Time = 300"),
        packet("S-1", "Stop", "Acct-Session-Time = 600"),
        packet("S-2", "Start", "NAS-Port = 1"),
        packet("S-2", "Stop", "Acct-Session-Time = 60, Acct-Terminate-Cause = Admin-Reset"),
    ]);

    let requests = wait_until_objects(&receiver, 7);

    let told = objects(&requests);
    assert_eq!(
        sorted(words(told.iter().copied(), "event")),
        [
            "signin.session.approved",
            "signin.session.created",
            "signin.session.denied",
            "signin.session.requested",
            "signin.session.resumed",
            "signin.session.revoked",
            "signin.session.verified"
        ]
    );
    let of = |event: &str| *told.iter().find(|object| object["event"] == event).expect("it came");
    let (created, resumed) = (of("signin.session.created"), of("signin.session.resumed"));
    assert_eq!((&created["username"], &created["client_mac"]), (&json!(USER), &json!(MAC)));
    assert_eq!(resumed["previous_session_id"], created["session_id"]);
    assert_eq!(of("signin.session.revoked")["terminate_cause"], "Admin-Reset");
    assert_eq!(created["scope"], json!({}));
    let (approved, verified) = (of("signin.session.approved"), of("signin.session.verified"));
    assert_eq!(approved["timestamp"], verified["timestamp"]);
    // One event, two objects, in one request.
    assert!(requests.iter().any(|request| words(request.body.as_array().unwrap(), "event")
        == ["signin.session.approved", "signin.session.verified"]));
    let status = site.wait_until("nothing waits", |status| status.endpoint("siem").pending == 0);
    // The update, both stops and the second start have no word.
    assert_eq!((status.endpoint("siem").delivered, status.endpoint("siem").filtered), (6, 4));
    // What was sent is kept word for word.
    let id = approved["id"].as_str().expect("it has an id");
    let shown = radhook(&site.config, &["deliveries", "show", id, "--json"]).json();
    let sent: Value = serde_json::from_str(shown[0]["exchange"]["body"].as_str().expect("it is kept")).expect("JSON");
    assert_eq!(sent, json!([approved, verified]));
}

#[test]
fn a_batch_goes_out_as_one_array_when_it_is_full_or_its_time_is_over() {
    let receiver = DialectReceiver::start("signin", &[]);
    let keys = "events = [\"dhcp.*\"]\nbatch = { max_events = 4, max_wait = \"1h\" }";
    let site = Site::start(&endpoint("siem", "signin", &receiver, keys));
    for number in 0..4 {
        let kind = if number % 2 == 0 { "dhcp.granted" } else { "dhcp.expired" };
        site.emit(kind, &json!({ "client": { "mac": MAC }, "lease": { "number": number } }));
    }
    let requests = sound(receiver.wait_until_requests(1));
    let leases: Vec<_> = objects(&requests).iter().map(|object| object["lease"]["number"].clone()).collect();
    assert_eq!((requests.len(), leases), (1, vec![json!(0), json!(1), json!(2), json!(3)]));
    site.wait_until("all is delivered", |status| status.endpoint("siem").delivered == 4);
}

#[test]
fn a_subscription_to_one_venue_or_an_organization_hears_of_nothing_else() {
    let one = DialectReceiver::start("signin", &[]);
    let all = DialectReceiver::start("signin", &[]);
    let at_once = "batch = { max_events = 1, max_wait = \"0s\" }";
    let context =
        format!("venues = [888, \"bar-*\"]\nonce_per = {{ key = \"user.name\", window = \"1h\" }}\n{at_once}");
    let organization = format!("organization = \"acme\"\ndescription = \"all of acme's\"\n{at_once}");
    let site = Site::start(&format!(
        "{}{}",
        endpoint("context", "signin", &one, &context),
        endpoint("organization", "signin", &all, &organization)
    ));
    let at = |venue: Value, more: Value| json!({ "user": { "name": "bob" }, "venue": venue, "session": more });
    let lobby = json!({ "id": 888, "name": "Lobby", "organization": "acme" });
    let session = json!({ "unique_id": "9d1f0c" });
    let resumed = json!({ "unique_id": "9d1f0d", "previous": { "unique_id": "9d1f0c" } });
    // Elsewhere, nowhere, and without a word: none of them uses up the hour.
    site.emit("session.start", &at(json!({ "id": 7, "name": "Roof", "organization": "acme" }), session.clone()));
    site.emit("session.start", &at(json!({ "id": 9, "name": "Roof", "organization": "other" }), session.clone()));
    site.emit("session.start", &json!({ "user": { "name": "bob" }, "session": session }));
    site.emit("session.start", &at(lobby.clone(), resumed.clone()));
    site.emit("session.start", &at(lobby.clone(), session.clone()));
    site.emit("session.resumed", &at(json!({ "id": 1, "name": "bar-1" }), resumed.clone()));

    let requests = wait_until_objects(&one, 2);
    assert_eq!(words(objects(&requests), "event"), ["signin.session.created", "signin.arenasession.login"]);
    let requests = wait_until_objects(&all, 4);
    let told = objects(&requests);
    let scopes: Vec<_> = told.iter().map(|object| object["scope"].clone()).collect();
    assert!(scopes.iter().all(|scope| scope["organization"] == "acme"), "{scopes:?}");
    assert_eq!(told.iter().filter(|object| object["scope"]["context"] == "888").count(), 2);
    let arena = told
        .iter()
        .find(|object| object["event"] == "signin.arenasession.login" && object["scope"]["context"] == "888");
    assert_eq!(arena.expect("it came")["venue"], json!({ "id": 888, "name": "Lobby" }));
    let status =
        site.wait_until("nothing waits", |status| status.endpoints.iter().all(|endpoint| endpoint.pending == 0));
    let of = |name: &str| (status.endpoint(name).delivered, status.endpoint(name).filtered);
    assert_eq!((of("context"), of("organization")), ((1, 5), (2, 4)));

    // A replay leaves out what is not for it too.
    let replayed = radhook(&site.config, &["events", "replay", "--endpoint", "context", "--since", "1h", "--json"]);
    assert_eq!(replayed.code, 0, "{replayed:?}");
    let status = site.wait_until("they are sent again", |status| status.endpoint("context").delivered == 3);
    assert_eq!(status.endpoint("context").dead, 0);
    let listed = radhook(&site.config, &["endpoints", "list"]).stdout;
    assert!(listed.contains("all of acme's"), "{listed}");
    let listed = radhook(&site.config, &["endpoints", "list", "--json"]).json();
    assert_eq!(listed[1]["description"], "all of acme's");
}
