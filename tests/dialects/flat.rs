//! rlm_rest and OpenWISP, whose senders are FreeRADIUS.

use std::collections::BTreeSet;

use serde_json::json;

use super::support::freeradius::{Accounting, FreeRadius};
use super::support::radclient::session;
use super::support::scripted::{Answer, Asked, Scripted};
use super::support::verbs::wait_until;
use super::*;

fn at(name: &str, format: &str, receiver: &Scripted, path: &str, keys: &str) -> String {
    let url = receiver.url().trim_end_matches('/');
    format!("[[endpoint]]\nname = \"{name}\"\nurl = \"{url}{path}\"\nformat = \"{format}\"\n{keys}\n")
}

/// The attributes of a post, without what FreeRADIUS has added to the request or dates by its own clock.
fn attributes(asked: &Asked) -> serde_json::Map<String, Value> {
    let mut attributes = asked.json().as_object().expect("an object").clone();
    for own in ["Acct-Unique-Session-Id", "Event-Timestamp", "Acct-Delay-Time", "Stripped-User-Name", "Realm"] {
        attributes.remove(own);
    }
    attributes
}

#[test]
fn what_rlm_rest_posts_of_a_session_is_what_radhook_posts_of_it() {
    let (theirs, ours) = (Scripted::start(|_| Answer(204, &[])), Scripted::start(|_| Answer(204, &[])));
    let freeradius = FreeRadius::start(&Accounting::Rest { url: theirs.url().to_owned() });
    let site = Site::start(&at("rest", "rlm_rest", &ours, "/", ""));
    // What is beyond ASCII, and what breaks out of a text that is not escaped.
    let packets: Vec<String> =
        session("hü \\\"}]🦔", "R-1", 1).into_iter().map(|packet| packet + ", Class = 0xab, Class = 0xcd").collect();
    let answers = Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&packets);
    assert_eq!(answers.lost, 0, "{}", answers.output);
    site.accounting(&packets);

    let (theirs, ours) = (theirs.wait_until_asked(3), ours.wait_until_asked(3));

    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(Value::Object(attributes(ours)), Value::Object(attributes(theirs)));
        assert!(ours.body.is_ascii());
        for header in ["content-type", "x-freeradius-section", "x-freeradius-server"] {
            assert_eq!(ours.header(header), theirs.header(header), "{header}");
        }
    }
    assert_eq!(ours[0].json()["Acct-Status-Type"], json!({ "type": "integer", "value": ["Start"] }));
}

#[test]
fn what_rlm_rest_posts_of_a_login_is_what_radhook_posts_of_it_without_the_password() {
    let (theirs, ours) = (Scripted::start(|_| Answer(204, &[])), Scripted::start(|_| Answer(204, &[])));
    let section = format!("post-auth {{\nuri = \"{}\"\nmethod = 'post'\nbody = 'json'\n}}", theirs.url());
    let modules = format!(
        "rest {{\nconnect_uri = \"{}\"\n{section}\npool {{\nstart = 0\nmin = 0\nmax = 4\nspare = 1\n}}\n}}",
        theirs.url()
    );
    let rest = || "rest\n".to_owned();
    let options = AuthOptions { modules, post_auth: rest(), reject: rest(), ..AuthOptions::default() };
    let site = Site::start_before(options, &at("rest", "rlm_rest", &ours, "/", ""));
    site.login(PASSWORD);
    site.login("wrong");

    let (theirs, ours) = (theirs.wait_until_asked(2), ours.wait_until_asked(2));

    for (theirs, ours) in theirs.iter().zip(&ours) {
        let (posted, told) = (attributes(theirs), attributes(ours));
        assert!(told.len() > 4, "{told:?}");
        for (name, value) in &told {
            assert_eq!(posted.get(name), Some(value), "{name}");
        }
        let more: Vec<_> = posted.keys().filter(|name| !told.contains_key(*name)).map(String::as_str).collect();
        let own = ["User-Password", "Message-Authenticator", "Module-Failure-Message", "SQL-User-Name"];
        assert!(more.iter().all(|name| own.contains(name)) && more.contains(&"User-Password"), "{more:?}");
        for header in ["content-type", "x-freeradius-section", "x-freeradius-server"] {
            assert_eq!(ours.header(header), theirs.header(header), "{header}");
        }
    }
}

#[test]
fn a_radhook_behind_a_radhook_makes_the_same_events_of_its_posts() {
    let behind = tempfile::tempdir().expect("a temporary directory can be made");
    let told = Scripted::start(|_| Answer(204, &[]));
    let config = Config::bare(behind.path()).table("[[source]]\ntype = \"local\"\nlisten = \"127.0.0.1:0\"").endpoint(
        "crm",
        told.url(),
        super::support::witness::SECRET,
        "",
    );
    let second = Daemon::start(&config.write());
    let local = second.wait_until_log("ready");
    let port =
        local.split_whitespace().find_map(|word| word.strip_prefix("local=")).expect("it names the local source");
    let url = format!("http://{port}/freeradius/accounting");
    let site = Site::start(&format!(
        "[[endpoint]]\nname = \"rest\"\nurl = \"{url}\"\nformat = \"rlm_rest\"\nevents = [\"session.*\"]\n"
    ));
    site.accounting(&session("ёж 🦔", "R-2", 1));

    let told = told.wait_until_asked(3);

    let first = radhook(&site.config, &["events", "list", "--json"]).json();
    let ids = |events: &[Value]| events.iter().map(|event| event["id"].to_string()).collect::<BTreeSet<_>>();
    let behind: Vec<Value> = told.iter().map(Asked::json).collect();
    assert_eq!(ids(&behind), ids(&first));
    assert!(behind.iter().all(|event| event["data"]["user"]["name"] == "ёж 🦔"), "{behind:#?}");
}

#[test]
fn openwisp_gets_accounting_and_logins_each_where_it_takes_them() {
    let receiver = Scripted::start(|_| Answer(201, &[]));
    let authorization = "headers = { Authorization = \"Bearer uuid token\" }";
    let site = Site::start(&format!(
        "{}{}",
        at("accounting", "openwisp", &receiver, "/api/v1/freeradius/accounting/", authorization),
        at("logins", "openwisp", &receiver, "/api/v1/freeradius/postauth/", authorization)
    ));
    site.login(PASSWORD);
    site.login("wrong");
    site.accounting(&[
        packet("O-1", "Start", "NAS-Port = 7, NAS-Port-Type = Wireless-802.11, Service-Type = Framed-User"),
        packet(
            "O-1",
            "Interim-Update",
            "Acct-Session-Time = 300, Acct-Input-Octets = 10, Framed-IP-Address = 10.1.2.3",
        ),
        packet("O-1", "Stop", "Acct-Session-Time = 600, Acct-Output-Octets = 20, Acct-Terminate-Cause = User-Request"),
    ]);
    let asked = receiver.wait_until_asked(5);
    assert!(asked.iter().all(|asked| asked.header("authorization") == "Bearer uuid token"));
    assert!(asked.iter().all(|asked| asked.header("content-type") == "application/json"));
    let bodies: Vec<Value> = asked.iter().map(Asked::json).collect();
    let logins: Vec<&Value> = bodies.iter().filter(|body| body.get("reply").is_some()).collect();
    assert_eq!(sorted(words(logins.iter().copied(), "reply")), ["Access-Accept", "Access-Reject"]);
    for login in logins {
        assert_eq!(
            *login,
            json!({ "username": USER, "password": "", "reply": login["reply"],
                    "called_station_id": "00-11-22-33-44-55:Guest", "calling_station_id": "aa:bb:cc:dd:ee:ff" })
        );
    }
    let records: Vec<&Value> = bodies.iter().filter(|body| body.get("status_type").is_some()).collect();
    assert_eq!(words(records.iter().copied(), "status_type"), ["Start", "Interim-Update", "Stop"]);
    let unique = words(records.iter().copied(), "unique_id");
    assert!(unique[0] == unique[1] && unique[1] == unique[2] && unique[0].len() == 32, "{unique:?}");
    assert_eq!(
        (&records[0]["session_time"], &records[0]["nas_port_id"], &records[0]["service_type"]),
        (&json!("0"), &json!("7"), &json!("Framed-User"))
    );
    assert_eq!((&records[1]["input_octets"], &records[1]["framed_ip_address"]), (&json!("10"), &json!("10.1.2.3")));
    assert_eq!(
        (&records[2]["session_time"], &records[2]["output_octets"], &records[2]["terminate_cause"]),
        (&json!("600"), &json!("20"), &json!("User-Request"))
    );
    wait_until("both have their part", || {
        let status = super::support::verbs::status(&site.config);
        let delivered = |name: &str| status.endpoint(name).delivered;
        (delivered("accounting") == 3 && delivered("logins") == 2).then_some(())
    });
}
