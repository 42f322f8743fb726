//! `radhook deliveries`: which ones are meant, and sending them again.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::traffic::Traffic;
use support::verbs::{radhook, status, wait_until, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// Start, two updates and a stop.
const EVENTS: u64 = 4;

const NOWHERE: &str = "http://127.0.0.1:9/";

/// Two endpoints that never got anything through: one session's events, then another's. Answers with the moment between them.
fn dead_letters(directory: &Path) -> Timestamp {
    let once = "retry = { schedule = [] }";
    let config = Config::new(directory, NAS)
        .endpoint("crm", NOWHERE, SECRET, once)
        .endpoint("billing", NOWHERE, SECRET, &format!("{once}\nevents = [\"session.stop\"]"))
        .write();
    let daemon = Daemon::start(&config);
    let given_up = |sessions: u64| {
        wait_until_status(&config, "all is given up", |status| {
            status.endpoint("crm").dead == sessions * EVENTS && status.endpoint("billing").dead == sessions
        });
    };
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    given_up(1);
    let between = Timestamp::now();
    Traffic::new(daemon.accounting(), NAS, 1, 3).play_to_the_end();
    given_up(2);
    assert!(daemon.stop().success());
    between
}

fn list(config: &Path, words: &[&str]) -> Vec<Value> {
    radhook(config, &[&["deliveries", "list", "--json", "--limit", "0"], words].concat()).json()
}

fn retry(config: &Path, words: &[&str]) -> Value {
    radhook(config, &[&["deliveries", "retry", "--json"], words].concat()).json().remove(0)
}

fn ids(deliveries: &[Value]) -> Vec<String> {
    let mut ids: Vec<_> = deliveries.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn dead_letters_are_selected_by_every_flag_and_a_dry_run_changes_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let between = dead_letters(directory.path()).to_string();
    let (crm, billing) = (HttpSink::start(), HttpSink::start());
    let once = "retry = { schedule = [] }";
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", &crm.url(), SECRET, once)
        .endpoint("billing", &billing.url(), SECRET, &format!("{once}\nevents = [\"session.stop\"]"))
        .write();
    let daemon = Daemon::start(&config);
    let all = list(&config, &[]);
    assert_eq!(all.len() as u64, 2 * EVENTS + 2);
    let shown = radhook(&config, &["events", "list", "--json"]).json();
    let session = shown[0]["data"]["session"]["id"].as_str().expect("a session").to_owned();
    let unique = shown[7]["data"]["session"]["unique_id"].as_str().expect("a session").to_owned();
    let id = shown[3]["id"].as_str().expect("an id").to_owned();
    let count = |words: &[&str]| {
        let listed = list(&config, words).len();
        let would = retry(&config, &[&["--dry-run"], words].concat());
        assert_eq!(would["retried"], listed, "{words:?}");
        listed
    };
    assert_eq!(count(&["--endpoint", "billing"]), 2);
    assert_eq!(count(&["--type", "session.update"]), 4);
    assert_eq!(count(&["--until", &between]), 5);
    assert_eq!(count(&["--since", &between, "--endpoint", "crm"]), 4);
    assert_eq!(count(&["--since", &between, "--until", &between]), 0);
    assert_eq!(count(&["--session", &session]), 5);
    assert_eq!(count(&["--session", &unique, "--type", "session.stop"]), 2);
    assert_eq!(count(&["--session", "nobody's"]), 0);
    assert_eq!(count(&["--id", &id]), 2);
    assert_eq!(count(&["--id", &id, "--since", &between]), 0);
    assert_eq!(count(&["--id", "3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2"]), 0);
    assert_eq!(count(&["--state", "pending"]), 0);
    assert_eq!(radhook(&config, &["events", "list", "--json", "--id", &id]).json().len(), 1);
    assert_eq!(radhook(&config, &["deliveries", "retry", "--state", "delivered"]).code, 2);

    let would = retry(&config, &["--dry-run"]);
    let expected = json!([
        { "endpoint": "crm", "state": "dead", "count": 8 },
        { "endpoint": "billing", "state": "dead", "count": 2 },
    ]);
    assert_eq!((&would["retried"], &would["counts"]), (&10.into(), &expected));
    let told = radhook(&config, &["deliveries", "retry", "--dry-run"]).stdout;
    assert!(told.contains("billing") && told.ends_with("10 deliveries would be sent again\n"), "{told}");
    let now = status(&config);
    assert_eq!((now.endpoint("crm").dead, now.endpoint("billing").dead), (8, 2));
    assert_eq!((crm.taken(), billing.taken()), (0, 0));

    // Whole: of one event by its id either way, and of a session; not of everything.
    let whole = |words: &[&str]| radhook(&config, &[&["deliveries", "show", "--json"], words].concat());
    assert_eq!(whole(&[&id]).json(), whole(&["--id", &id]).json());
    assert_eq!(whole(&[&id, "--endpoint", "crm"]).json()[0]["event"], shown[3]);
    assert_eq!(whole(&["--session", &session, "--endpoint", "crm", "--state", "dead"]).json().len() as u64, EVENTS);
    assert_eq!((whole(&["--endpoint", "crm"]).code, whole(&[&id, "--state", "pending"]).code), (2, 1));

    // And in earnest: one session to one endpoint, then the rest, under the old ids.
    let done = retry(&config, &["--session", &session, "--endpoint", "crm"]);
    assert_eq!(done["counts"], json!([{ "endpoint": "crm", "state": "dead", "count": EVENTS }]));
    wait_until_status(&config, "they are delivered", |status| status.endpoint("crm").delivered == EVENTS);
    assert_eq!(list(&config, &["--state", "dead"]).len() as u64, EVENTS + 2);
    assert_eq!(retry(&config, &[])["retried"], EVENTS + 2);
    wait_until_status(&config, "all is delivered", |status| {
        status.endpoint("crm").delivered == 2 * EVENTS && status.endpoint("billing").delivered == 2
    });
    assert_eq!(ids(&list(&config, &["--state", "delivered"])), ids(&all));
    let taken: Vec<Value> =
        (0..2 * EVENTS).map(|_| serde_json::from_slice(&crm.wait_until_body()).expect("events are JSON")).collect();
    assert_eq!(ids(&taken), ids(&shown));
    assert!(daemon.stop().success());
}

#[test]
fn at_most_so_many_a_second_are_sent_again() {
    const RATE: u64 = 2;
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    dead_letters(directory.path());
    let crm = HttpSink::counting();
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", &crm.url(), SECRET, "retry = { schedule = [] }")
        .endpoint("billing", NOWHERE, SECRET, "enabled = false")
        .write();
    let daemon = Daemon::start(&config);
    let began = Instant::now();
    let mut verb = Command::new(env!("CARGO_BIN_EXE_radhook"))
        .args(["deliveries", "retry", "--endpoint", "crm", "--rate", &RATE.to_string(), "--config"])
        .arg(&config)
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    wait_until("it is through", || {
        let dead = status(&config).endpoint("crm").dead;
        // Looked at after they were counted, so that a slow machine only allows more.
        let seconds = began.elapsed().as_secs_f64();
        let most = RATE as f64 * (seconds + 1.0);
        assert!((8 - dead) as f64 <= most, "{} sent again within {seconds} s", 8 - dead);
        verb.try_wait().expect("it is our child").map(|ended| assert!(ended.success()))
    });
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 8);
    assert_eq!(crm.taken(), 8);

    // What waits can be counted too, and a page never holds more than it may.
    let back = retry(&config, &["--endpoint", "billing", "--rate", "1000"]);
    assert_eq!(back["counts"], json!([{ "endpoint": "billing", "state": "dead", "count": 2 }]));
    let waits = retry(&config, &["--state", "pending", "--dry-run"]);
    assert_eq!(waits["counts"], json!([{ "endpoint": "billing", "state": "pending", "count": 2 }]));
    assert!(daemon.stop().success());
}
