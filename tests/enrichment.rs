//! What is added to events that is in no packet, through the real binary: where, whose network, who the user is by a file, how often
//! they came. `directory_sql.rs` has users out of a database.

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::verbs::radhook;
use support::witness::SECRET;
use tempfile::TempDir;

const VENUES: &str = r#"
[[venue]]
id = "by-identifier"
match = { nas_identifier = ["lobby-*", "bar"] }
[[venue]]
id = "by-address"
match = { nas_ip = "10.1.0.0/16" }
[[venue]]
id = "by-ssid"
match = { ssid = "Guest" }
[[venue]]
id = "by-access-point"
match = { ap_mac = "00-11-22-*" }
[[venue]]
id = "by-realm"
match = { realm = "*.example.org" }
[[venue]]
id = 7
name = "both"
match = { ssid = "Staff", nas_identifier = "roof" }
facts = { stars = 4 }
[company]
id = 999
name = "acme"
[facts]
region = "north"
"#;

/// A daemon that takes posts, and its receiver.
struct Bench {
    directory: TempDir,
    sink: HttpSink,
    config: PathBuf,
}

impl Bench {
    fn new(tables: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let sink = HttpSink::start();
        let local =
            format!("[[source]]\ntype = \"local\"\nlisten = \"unix:{}/local.sock\"", directory.path().display());
        let config = Config::bare(directory.path())
            .table(&local)
            .table(tables)
            .endpoint("crm", &sink.url(), SECRET, "events = [\"*\"]")
            .write();
        Self { directory, sink, config }
    }

    /// Posts an event; returns its data as it is delivered.
    fn told(&self, kind: &str, data: &Value) -> Value {
        let id = self.post(kind, data, &[]);
        self.told_as(&id)
    }

    /// The data of the event of this id. Others may come before it: after a crash what was under way is sent again.
    fn told_as(&self, id: &str) -> Value {
        let events = std::iter::repeat_with(|| self.sink.wait_until_body());
        let mut events = events.map(|body| serde_json::from_slice::<Value>(&body).expect("an event is JSON"));
        events.find(|event| event["id"] == id).expect("it comes")["data"].clone()
    }

    /// Posts an event; returns its id.
    fn post(&self, kind: &str, data: &Value, more: &[&str]) -> String {
        let data = data.to_string();
        let done = radhook(&self.config, &[&["emit", kind, "--data", &data], more].concat());
        assert_eq!(done.code, 0, "{done:?}");
        done.stdout.trim().to_owned()
    }

    /// A user is let in at a venue; returns how often they have been at each.
    fn visits(&self, user: &str, nas: &str) -> Value {
        let told = self.told("auth.accept", &json!({ "user": { "name": user }, "nas": { "identifier": nas } }));
        visits(&told)
    }
}

/// The map of visits, whatever it is called.
fn visits(data: &Value) -> Value {
    let user = &data["user"];
    ["venue_visits", "visits"].into_iter().map(|key| user[key].clone()).find(Value::is_object).unwrap_or_default()
}

#[test]
fn the_first_venue_that_fits_is_told_by_every_key_of_match() {
    let bench = Bench::new(VENUES);
    let daemon = Daemon::start(&bench.config);
    for (data, venue) in [
        (json!({ "nas": { "identifier": "lobby-1" } }), json!("by-identifier")),
        (json!({ "nas": { "identifier": "bar", "ip": "10.1.2.3" } }), json!("by-identifier")),
        (json!({ "nas": { "identifier": "roof", "ip": "10.1.2.3" } }), json!("by-address")),
        (json!({ "ap": { "ssid": "Guest", "mac": "00-11-22-33-44-55" } }), json!("by-ssid")),
        (json!({ "ap": { "ssid": "Other", "mac": "00:11:22:33:44:55" } }), json!("by-access-point")),
        (json!({ "user": { "name": "a", "realm": "Wifi.Example.org" } }), json!("by-realm")),
        (json!({ "ap": { "ssid": "Staff" }, "nas": { "identifier": "roof" } }), json!(7)),
        (json!({ "ap": { "ssid": "Staff" } }), Value::Null),
        (json!({ "nas": { "ip": "10.2.0.1" } }), Value::Null),
        (json!({}), Value::Null),
    ] {
        let told = bench.told("user.created", &data);
        assert_eq!(told["venue"]["id"], venue, "{data}");
        assert_eq!(told.get("venue").is_some(), !venue.is_null(), "absent, not null: {told}");
        assert_eq!(
            (&told["company"], &told["facts"]),
            (&json!({ "id": 999, "name": "acme" }), &json!({ "region": "north" }))
        );
        if venue == 7 {
            assert_eq!(told["venue"], json!({ "id": 7, "name": "both", "stars": 4 }));
        }
    }
    assert!(daemon.stop().success());
}

#[test]
fn nothing_is_added_where_nothing_is_set_up() {
    let bench = Bench::new("");
    let daemon = Daemon::start(&bench.config);
    let data = json!({ "user": { "name": "alice" }, "nas": { "identifier": "lobby-1" } });
    assert_eq!(bench.told("user.created", &data), data);
    assert_eq!(bench.told("auth.accept", &data), data);
    assert!(daemon.stop().success());
}

#[test]
fn a_file_of_users_is_read_again_when_it_changes_and_kept_when_it_breaks() {
    let bench = Bench::new("[users]\nfile = \"users.csv\"");
    let file = bench.directory.path().join("users.csv");
    let write = |text: &str| fs::write(&file, text).expect("a file can be written");
    write(
        "name,mac,id,email,address.city,password\nalice,,7,alice@example.org,Salford,hunter2\n,00-00-5E-00-53-AF,8,,,\n",
    );
    let daemon = Daemon::start(&bench.config);
    let alice = || bench.told("user.created", &json!({ "user": { "name": "alice", "id": "own" } }))["user"].clone();
    assert_eq!(
        alice(),
        json!({ "name": "alice", "id": "own", "email": "alice@example.org", "address": { "city": "Salford" } })
    );
    let device = json!({ "client": { "mac": "00:00:5e:00:53:af" } });
    assert_eq!(bench.told("user.created", &device)["user"], json!({ "id": 8 }));
    let nobody = json!({ "user": { "name": "mallory" } });
    assert_eq!(bench.told("user.created", &nobody), nobody);

    write("name,email\nalice,new@example.org\n");
    daemon.wait_until_log("its 1 rows are used from now on");
    assert_eq!(alice(), json!({ "name": "alice", "id": "own", "email": "new@example.org" }));
    write("name,email\nalice\n");
    daemon.wait_until_log("what it said before stays");
    assert_eq!(alice(), json!({ "name": "alice", "id": "own", "email": "new@example.org" }));
    assert!(!daemon.stderr().join("\n").contains("hunter2"));
    assert!(daemon.stop().success());
}

#[test]
fn visits_are_counted_for_each_venue_over_restarts_and_crashes_and_once_for_a_repeat() {
    let venue = |id: &str, nas: &str| format!("[[venue]]\nid = \"{id}\"\nmatch = {{ nas_identifier = \"{nas}\" }}\n");
    let bench = Bench::new(&(venue("lobby", "l*") + &venue("bar", "b*")));
    let daemon = Daemon::start(&bench.config);
    assert_eq!(bench.visits("alice", "l1"), json!({ "lobby": 1 }));
    assert_eq!(bench.visits("alice", "l2"), json!({ "lobby": 2 }));
    assert_eq!(bench.visits("alice", "elsewhere"), Value::Null);
    assert_eq!(bench.visits("bob", "b1"), json!({ "bar": 1 }));
    assert!(daemon.stop().success());

    let daemon = Daemon::start(&bench.config);
    assert_eq!(bench.visits("alice", "b1"), json!({ "lobby": 2, "bar": 1 }));
    daemon.kill9();

    let daemon = Daemon::start(&bench.config);
    let id = "3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2";
    let login = json!({ "user": { "name": "alice" }, "nas": { "identifier": "l1" } });
    for _ in 0..3 {
        bench.post("auth.accept", &login, &["--id", id]);
    }
    assert_eq!(visits(&bench.told_as(id)), json!({ "lobby": 3, "bar": 1 }));
    assert_eq!(bench.visits("alice", "l1"), json!({ "lobby": 4, "bar": 1 }), "the repeats did not count");
    assert!(daemon.stop().success());
}
