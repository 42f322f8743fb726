//! The history: listed, and sent to an endpoint once more.

mod support;

use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

const SESSIONS: u64 = 5;

/// Start, two updates and a stop of each.
const EVENTS: u64 = SESSIONS * 4;

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["id"].as_str().expect("every event has an id").to_owned()).collect()
}

fn taken(sink: &HttpSink, count: u64) -> Vec<Value> {
    (0..count).map(|_| serde_json::from_slice(&sink.wait_until_body()).expect("events are JSON")).collect()
}

#[test]
fn an_endpoint_that_came_later_gets_the_history_in_order_under_its_old_ids() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (crm, late) = (HttpSink::start(), HttpSink::start());
    let base = Config::new(directory.path(), NAS).endpoint("crm", &crm.url(), SECRET, "");
    let config = base.write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, SESSIONS, 2).play_to_the_end();
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == EVENTS);
    let first = taken(&crm, EVENTS);
    assert!(daemon.stop().success());

    let config = base.endpoint("late", &late.url(), SECRET, "events = [\"session.*\"]").write();
    let daemon = Daemon::start(&config);
    let rehearsed = radhook(&config, &["events", "replay", "--endpoint", "late", "--dry-run"]);
    assert_eq!(rehearsed.stdout, format!("{EVENTS} events would be sent to late once more\n"), "{rehearsed:?}");
    assert_eq!(late.taken(), 0);
    let done = radhook(&config, &["events", "replay", "--endpoint", "late", "--json"]).json();
    assert_eq!((&done[0]["queued"], &done[0]["not_wanted"]), (&EVENTS.into(), &0.into()));
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("late").delivered == EVENTS);
    status.endpoints.iter().for_each(|endpoint| endpoint.assert_adds_up());
    let replayed = taken(&late, EVENTS);
    let sorted = |events: &[Value]| {
        let mut ids = ids(events);
        ids.sort();
        ids
    };
    assert_eq!(sorted(&replayed), sorted(&first));
    for session in replayed.iter().map(|event| event["data"]["session"]["id"].clone()) {
        let of = |events: &[Value]| -> Vec<String> {
            ids(&events.iter().filter(|event| event["data"]["session"]["id"] == session).cloned().collect::<Vec<_>>())
        };
        assert_eq!(of(&replayed), of(&first), "a session is told in order");
    }
    assert!(daemon.stop().success());
}

#[test]
fn what_was_given_up_or_taken_is_sent_once_more_and_the_figures_still_add_up() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::start();
    let nowhere = "http://127.0.0.1:9/";
    let with = |url: &str| {
        Config::new(directory.path(), NAS).endpoint("crm", url, SECRET, "retry = { schedule = [] }").write()
    };
    let config = with(nowhere);
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    wait_until_status(&config, "all is given up", |status| status.endpoint("crm").dead == 4);
    assert!(daemon.stop().success());

    let config = with(&sink.url());
    let daemon = Daemon::start(&config);
    for round in 1..=2 {
        let done = radhook(&config, &["events", "replay", "--endpoint", "crm", "--rate", "1000", "--json"]).json();
        assert_eq!(done[0]["queued"], 4);
        let status =
            wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 4 * round);
        let crm = status.endpoint("crm");
        assert_eq!((crm.received, crm.dead, crm.pending), (4 * round, 0, 0));
        status.endpoints.iter().for_each(|endpoint| endpoint.assert_adds_up());
    }
    assert_eq!(sink.taken(), 8);

    // One event, one type, one session, and what is not there.
    let listed = radhook(&config, &["events", "list", "--json"]).json();
    assert_eq!(listed.len(), 4);
    let id = listed[3]["id"].as_str().expect("every event has an id");
    let session = listed[0]["data"]["session"]["id"].as_str().expect("every session has an id");
    let count = |words: &[&str]| radhook(&config, &[&["events", "list", "--json"], words].concat()).json().len();
    assert_eq!(
        (count(&["--type", "session.update"]), count(&["--session", session]), count(&["--until", "1h"])),
        (2, 4, 0)
    );
    assert_eq!(count(&["--session", "nobody's"]), 0);
    let one = radhook(&config, &["events", "replay", "--endpoint", "crm", "--id", id]);
    assert_eq!(one.stdout, "1 events are sent to crm once more\n");
    let shown = radhook(&config, &["events", "show", id]);
    assert!(shown.code == 0 && shown.stdout.contains("\"session.stop\""), "{shown:?}");
    let unknown = radhook(&config, &["events", "replay", "--endpoint", "nobody"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("there is no endpoint \"nobody\""), "{unknown:?}");
    assert!(daemon.stop().success());
}
