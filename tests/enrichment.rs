//! What the config adds to events, through the real binary: venues by what they match, users of a file that changes, visits
//! that outlive restarts and kills.

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::metrics::sum;
use support::radclient::Radclient;
use support::verbs::{radhook, wait_until};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

const ADDED: &str = r#"
[[venue]]
id = 1
name = "Bar"
match = { nas_identifier = ["bar", "pub-*"] }
[[venue]]
id = 2
match = { ssid = "Staff*", ap_mac = "0011.22*" }
[[venue]]
id = 3
match = { realm = "*.example.org" }
[[venue]]
id = 4
match = { nas_ip = ["192.0.2.0/24", "2001:db8::/32"] }
[[venue]]
id = 5
match = { nas_ip = "127.0.0.1" }
facts = { stars = 4 }
[company]
id = 999
[facts]
region = "north"
"#;

fn start_packet(session: &str, more: &str) -> String {
    format!("Acct-Status-Type = Start, Acct-Session-Id = \"{session}\", {more}")
}

fn told(daemon: &Daemon, sink: &HttpSink, packet: String) -> Value {
    let answers = Radclient::accounting(daemon.accounting(), NAS).send(&[packet]);
    assert_eq!(answers.answered, 1, "{answers:?}");
    serde_json::from_slice(&sink.wait_until_body()).expect("events are JSON")
}

fn config(directory: &Path, sink: &HttpSink, more: &str) -> std::path::PathBuf {
    let socket = format!("[[source]]\ntype = \"local\"\nlisten = \"unix:{}/local.sock\"", directory.display());
    Config::new(directory, NAS).endpoint("crm", &sink.url(), SECRET, "").table(&socket).table(more).write()
}

/// A login that was seen elsewhere, under an id of its own.
fn login(config: &Path, sink: &HttpSink, number: u32, nas: &str) -> Value {
    let id = format!("3f0e4c7a-52d1-4b6e-9a53-{number:012}");
    let data = json!({ "user": { "name": "alice" }, "nas": { "identifier": nas } }).to_string();
    let said = radhook(config, &["emit", "auth.accept", "--id", &id, "--data", &data]);
    assert_eq!(said.code, 0, "{said:?}");
    // After a kill the login before may come once more.
    loop {
        let event: Value = serde_json::from_slice(&sink.wait_until_body()).expect("events are JSON");
        if event["id"] == id.as_str() {
            return event;
        }
    }
}

#[test]
fn the_first_venue_that_fits_is_told_with_company_and_facts() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::start();
    let daemon = Daemon::start(&config(directory.path(), &sink, ADDED));
    for (session, more, id) in [
        ("a", "NAS-Identifier = \"bar\", NAS-IP-Address = 192.0.2.1", 1),
        ("b", "NAS-Identifier = \"pub-2\"", 1),
        ("c", "NAS-Identifier = \"x\", Called-Station-Id = \"00-11-22-33-44-55:Staff 1\"", 2),
        ("d", "NAS-Identifier = \"x\", Called-Station-Id = \"00-11-23-33-44-55:Staff 1\"", 5),
        ("e", "NAS-Identifier = \"x\", User-Name = \"alice@a.Example.org\"", 3),
        ("f", "NAS-IP-Address = 192.0.2.1", 4),
        ("g", "NAS-IPv6-Address = 2001:db8::7", 4),
        ("h", "NAS-Identifier = \"x\"", 5),
    ] {
        let data = &told(&daemon, &sink, start_packet(session, more))["data"];
        assert_eq!(data["venue"]["id"], id, "{session}: {data}");
        assert_eq!((&data["company"], &data["facts"]), (&json!({ "id": 999 }), &json!({ "region": "north" })));
    }
    let data = &told(&daemon, &sink, start_packet("i", "NAS-IP-Address = 198.51.100.1"))["data"];
    assert_eq!(data.get("venue"), None, "{data}");
    let data = &told(&daemon, &sink, start_packet("j", "NAS-Identifier = \"y\""))["data"];
    assert_eq!(data["venue"], json!({ "id": 5, "stars": 4 }), "what is not known is absent");
}

#[test]
fn a_file_of_users_is_read_again_and_a_broken_one_leaves_what_was_known() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (file, sink) = (directory.path().join("users.csv"), HttpSink::start());
    fs::write(&file, "name,mac,id,email\nalice,,7,a@example.org\n,aa-bb-cc-dd-ee-ff,8,\n").expect("it can be written");
    let daemon = Daemon::start(&config(directory.path(), &sink, "[users]\nfile = \"users.csv\"\nstrip_realm = true"));
    let user = |session: &str, more: &str| {
        let mut user = told(&daemon, &sink, start_packet(session, more))["data"]["user"].clone();
        for own in ["first_seen_at", "sessions", "realm"] {
            user.as_object_mut().and_then(|user| user.remove(own));
        }
        user
    };
    let known = json!({ "name": "alice@x.org", "id": 7, "email": "a@example.org" });
    assert_eq!(user("a", "User-Name = \"alice@x.org\""), known);
    assert_eq!(user("b", "Calling-Station-Id = \"aabb.ccdd.eeff\""), json!({ "id": 8 }));
    assert_eq!(user("c", "User-Name = \"bob\""), json!({ "name": "bob" }));

    fs::write(&file, "name,id\nalice\n").expect("it can be written");
    daemon.wait_until_log("users.csv:2: this row has 1 cells");
    assert_eq!(user("d", "User-Name = \"alice@x.org\""), known);
    wait_until("the failure is counted", || {
        (sum(&daemon, "radhook_users_file_failures_total", &[]) == 1.0).then_some(())
    });
    fs::write(&file, "name,id\nalice,9\n").expect("it can be written");
    daemon.wait_until_log("its 1 rows are used from now on");
    assert_eq!(user("e", "User-Name = \"alice\""), json!({ "name": "alice", "id": 9 }));
}

#[test]
fn visits_outlive_a_restart_and_a_kill_and_a_repeat_is_none() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::start();
    let config = config(directory.path(), &sink, ADDED);
    let daemon = Daemon::start(&config);
    let visits = |number, nas| login(&config, &sink, number, nas)["data"]["user"]["visits"].clone();
    assert_eq!(visits(1, "bar"), json!({ "1": 1 }));
    let again = radhook(
        &config,
        &[
            "emit",
            "auth.accept",
            "--id",
            "3f0e4c7a-52d1-4b6e-9a53-000000000001",
            "--data",
            "{\"user\":{\"name\":\"alice\"},\"nas\":{\"identifier\":\"bar\"}}",
        ],
    );
    assert_eq!(again.code, 0, "{again:?}");
    assert!(daemon.stop().success());
    let daemon = Daemon::start(&config);
    assert_eq!(visits(2, "pub-1"), json!({ "1": 2 }));
    daemon.kill9();
    let _daemon = Daemon::start(&config);
    assert_eq!(visits(3, "bar"), json!({ "1": 3 }));
    assert_eq!(radhook(&config, &["sessions", "purge", "--user", "alice"]).code, 0);
    assert_eq!(visits(4, "bar"), json!({ "1": 1 }), "who was forgotten comes for the first time");
}
