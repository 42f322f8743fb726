//! Several events in one request, and updates that give way to newer ones.

mod support;

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::scripted::{Answer, Asked, Scripted};
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// A start, two updates and a stop of each.
const SESSIONS: u64 = 40;
const EVENTS: usize = SESSIONS as usize * 4;

/// The events of all requests that were answered 2xx, in order of arrival.
fn events(asked: &[Asked]) -> Vec<Value> {
    asked.iter().flat_map(|request| request.json().as_array().expect("a batch is an array").clone()).collect()
}

/// Of each session its types, in order of arrival.
fn stories(events: &[Value]) -> Vec<Vec<String>> {
    let mut stories: HashMap<String, Vec<String>> = HashMap::new();
    for event in events {
        let session = event["data"]["session"]["unique_id"].as_str().expect("a session's event").to_owned();
        stories.entry(session).or_default().push(event["type"].as_str().expect("it has a type").to_owned());
    }
    stories.into_values().collect()
}

#[test]
fn a_backlog_goes_out_in_full_batches_and_each_session_in_its_order() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let batch = "batch = { max_events = 50, max_wait = \"0s\" }\nconcurrency = 2";
    let config = |more: &str| {
        Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, &format!("{batch}\n{more}")).write()
    };
    let path = config("enabled = false");
    let daemon = Daemon::start(&path);
    Traffic::new(daemon.accounting(), NAS, SESSIONS, 3).play_to_the_end();
    assert!(daemon.stop().success());

    let daemon = Daemon::start(&config(""));
    let status = wait_until_status(&path, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(status.endpoint("crm").delivered, EVENTS as u64);
    let asked = receiver.asked();
    let sizes: Vec<usize> = asked.iter().map(|request| request.json().as_array().unwrap().len()).collect();
    // What waits behind a session that a full batch has cut goes out in smaller ones at the end.
    let full = sizes.iter().filter(|events| **events == 50).count();
    assert_eq!((sizes.iter().sum::<usize>(), full), (EVENTS, EVENTS / 50), "{sizes:?}");
    let story = ["session.start", "session.update", "session.update", "session.stop"];
    for told in stories(&events(&asked)) {
        assert_eq!(told, story, "also across batches");
    }
    let ids: BTreeSet<&str> = asked.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids.len(), asked.len(), "each batch has an id of its own");
    assert!(asked.iter().all(|request| request.header("idempotency-key") == request.header("webhook-id")));
    assert!(daemon.stop().success());
}

#[test]
fn a_batch_that_was_not_taken_comes_again_as_the_same_under_the_same_id() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let receiver = Scripted::start(move |_| match seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Answer(500, &[]),
        _ => Answer(204, &[]),
    });
    let keys = "events = [\"session.start\"]\nbatch = { max_events = 5, max_wait = \"1h\" }\nretry = { schedule = [\"10ms\"] }";
    let config = Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, keys).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 5, 3).play_starts();
    wait_until_status(&config, "the batch is delivered", |status| status.endpoint("crm").delivered == 5);
    let asked = receiver.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].body, asked[1].body);
    assert_eq!(asked[0].header("webhook-id"), asked[1].header("webhook-id"));
    assert!(daemon.stop().success());
}

#[test]
fn a_batch_waits_for_company_no_longer_than_it_may() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let keys = "events = [\"session.start\"]\nbatch = { max_events = 1000, max_wait = \"1500ms\" }";
    let config = Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, keys).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 7, 3).play_starts();
    let asked = receiver.wait_until_asked(1);
    assert_eq!(asked[0].json().as_array().unwrap().len(), 7, "they all came within its time");
    assert!(daemon.stop().success());
}

#[test]
fn a_request_holds_no_more_bytes_than_it_may_and_a_large_event_goes_by_itself() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let keys = "events = [\"session.start\"]\nbatch = { max_events = 20, max_wait = \"1h\", max_bytes = \"4KiB\" }";
    let config = Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, keys).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 20, 3).play_starts();
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 20);
    let asked = receiver.asked();
    assert!(asked.len() > 2, "{} requests", asked.len());
    for request in &asked {
        let events = request.json().as_array().unwrap().len();
        assert!(request.body.len() <= 4096 + 1 + events || events == 1, "{} bytes of {events}", request.body.len());
    }
    assert!(daemon.stop().success());
}

#[test]
fn one_poisonous_event_is_found_and_dead_and_all_others_of_its_batch_are_delivered() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    // A receiver with a fault of its own: it cannot read one session's stop.
    let poison = |event: &Value| {
        event["type"] == "session.stop" && event["data"]["session"]["id"].as_str().unwrap().ends_with('0')
    };
    let receiver = Scripted::start(move |asked| match asked.json().as_array().unwrap().iter().any(poison) {
        true => Answer(422, &[]),
        false => Answer(204, &[]),
    });
    let batch = "batch = { max_events = 200 }\nconcurrency = 1\nretry = { schedule = [\"1h\"] }";
    let config = |more: &str| {
        Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, &format!("{batch}\n{more}")).write()
    };
    let path = config("enabled = false");
    let daemon = Daemon::start(&path);
    Traffic::new(daemon.accounting(), NAS, SESSIONS, 5).play_to_the_end();
    assert!(daemon.stop().success());
    let daemon = Daemon::start(&config(""));
    let status = wait_until_status(&path, "nothing waits", |status| status.endpoint("crm").pending == 0);
    let taken: Vec<Asked> =
        receiver.asked().into_iter().filter(|asked| !asked.json().as_array().unwrap().iter().any(poison)).collect();
    let delivered = events(&taken);
    let ids: BTreeSet<&str> = delivered.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), delivered.len(), "none came twice");
    let (dead, all) = (status.endpoint("crm").dead, status.endpoint("crm").received);
    assert!(dead > 0 && dead + delivered.len() as u64 == all, "{dead} dead, {} delivered", delivered.len());
    for told in stories(&delivered) {
        assert!(told.is_sorted_by_key(|kind| {
            ["session.start", "session.update", "session.stop"].iter().position(|one| one == kind)
        }));
    }
    let listed = radhook(&path, &["deliveries", "list", "--state", "dead", "--json"]).json();
    assert!(
        listed.iter().all(|one| one["type"] == "session.stop" && one["last_attempts"][0]["status"] == 422),
        "{listed:?}"
    );
    assert!(daemon.stop().success());
}

#[test]
fn a_receiver_that_refuses_everything_gets_a_few_requests_and_everything_waits_for_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(400, &[]));
    let keys = "events = [\"session.start\"]\nbatch = { max_events = 100, max_wait = \"1h\" }\nretry = { schedule = [\"1h\"] }";
    let config = Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, keys).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 100, 3).play_starts();
    let status = wait_until_status(&config, "the batch was tried", |status| {
        let list = radhook(&config, &["deliveries", "list", "--state", "pending", "--json", "--limit", "0"]).json();
        status.endpoint("crm").pending == 100 && list.iter().all(|one| one["attempts"] == 1)
    });
    assert_eq!((status.endpoint("crm").dead, status.endpoint("crm").delivered), (0, 0));
    assert!(receiver.asked().len() < 25, "{} requests", receiver.asked().len());
    assert!(daemon.stop().success());
}

#[test]
fn lines_and_cloudevents_are_batched_in_their_own_ways() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (lines, cloud) = (Scripted::start(|_| Answer(200, &[])), Scripted::start(|_| Answer(200, &[])));
    let keys = |format: &str| {
        format!("format = \"{format}\"\nevents = [\"session.start\"]\nbatch = {{ max_events = 3, max_wait = \"1h\" }}")
    };
    let config = Config::new(directory.path(), NAS)
        .endpoint("lines", lines.url(), SECRET, &keys("ndjson"))
        .endpoint("cloud", cloud.url(), SECRET, &keys("cloudevents"))
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 3, 3).play_starts();
    let (lines, cloud) = (&lines.wait_until_asked(1)[0], &cloud.wait_until_asked(1)[0]);
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    assert_eq!(lines.body.iter().filter(|octet| **octet == b'\n').count(), 3);
    assert!(cloud.header("content-type").starts_with("application/cloudevents-batch+json"), "{cloud:?}");
    assert_eq!(cloud.json().as_array().unwrap().len(), 3);
    assert_eq!(cloud.json()[0]["specversion"], "1.0");
    assert!(daemon.stop().success());
}

#[test]
fn of_the_updates_that_wait_only_the_newest_is_sent_and_every_start_and_stop() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let config = |more: &str| {
        let keys = format!("coalesce_updates = true\n{more}");
        Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, &keys).write()
    };
    let path = config("enabled = false");
    let daemon = Daemon::start(&path);
    Traffic::new(daemon.accounting(), NAS, SESSIONS, 3).play_to_the_end();
    let before = wait_until_status(&path, "all came in", |status| status.endpoint("crm").received == EVENTS as u64);
    let coalesced = before.endpoint("crm").coalesced;
    assert_eq!(coalesced, SESSIONS, "one of two updates of each session");
    assert!(daemon.stop().success());

    let daemon = Daemon::start(&config(""));
    let status = wait_until_status(&path, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!((status.endpoint("crm").delivered, status.endpoint("crm").coalesced), (SESSIONS * 3, SESSIONS));
    let events: Vec<Value> = receiver.asked().iter().map(Asked::json).collect();
    for told in stories(&events) {
        assert_eq!(told, ["session.start", "session.update", "session.stop"]);
    }
    let newest = events.iter().filter(|event| event["type"] == "session.update");
    assert!(newest.clone().all(|event| event["data"]["session"]["duration"] == 600), "the second of two");
    let said = radhook(&path, &["status"]).stdout;
    assert!(said.contains("COALESCED"), "{said}");
    assert!(daemon.stop().success());
}
