//! Endpoints that fall and get up: what disables them, what the others hear of it, and what an operator can do.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// Start, two updates and a stop.
const EVENTS: u64 = 4;

/// Answers whatever it is told to.
struct Moody {
    url: String,
    mood: Arc<AtomicU16>,
    _runtime: tokio::runtime::Runtime,
}

impl Moody {
    fn that_answers(status: u16) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("it starts");
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback takes a listener");
        let url = format!("http://{}/", listener.local_addr().expect("a bound listener has an address"));
        let mood = Arc::new(AtomicU16::new(status));
        let answer = |State(mood): State<Arc<AtomicU16>>| async move {
            StatusCode::from_u16(mood.load(Ordering::SeqCst)).expect("a status")
        };
        let routes = Router::new().route("/", post(answer)).with_state(mood.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { url, mood, _runtime: runtime }
    }

    fn answers(&self, status: u16) {
        self.mood.store(status, Ordering::SeqCst);
    }
}

/// What `radhook endpoints` says of one endpoint.
fn listed(config: &Path, name: &str) -> Value {
    let all = radhook(config, &["endpoints", "list", "--json"]).json();
    all.into_iter().find(|endpoint| endpoint["name"] == name).unwrap_or_else(|| panic!("{name} is not listed"))
}

fn next_event(watcher: &HttpSink) -> Value {
    serde_json::from_slice(&watcher.wait_until_body()).expect("an event is JSON")
}

#[test]
fn gone_disables_an_endpoint_until_an_operator_enables_it_and_the_others_hear_of_both() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (crm, watcher) = (Moody::that_answers(410), HttpSink::start());
    let retry = "concurrency = 1\nretry = { schedule = [\"1s\", \"1s\", \"1s\", \"1s\", \"1s\"] }";
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", &crm.url, SECRET, retry)
        .endpoint("watcher", &watcher.url(), SECRET, "events = [\"endpoint.*\"]")
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();

    let event = next_event(&watcher);
    assert_eq!((&event["type"], &event["data"]["endpoint"]["name"]), (&"endpoint.disabled".into(), &"crm".into()));
    assert_eq!(event["data"]["reason"], "it answered 410 Gone");
    assert_eq!(event["source"]["type"], "system");
    let stands = listed(&config, "crm");
    assert_eq!((&stands["state"], &stands["disabled_because"]), (&"disabled".into(), &"it answered 410 Gone".into()));
    assert_eq!(stands["pending"], EVENTS);
    let said = radhook(&config, &["status"]).stdout;
    assert!(said.contains("it answered 410 Gone; radhook endpoints enable crm"), "{said}");

    // It stays so over a restart, though it would take events now.
    assert!(daemon.stop().success());
    crm.answers(204);
    let daemon = Daemon::start(&config);
    assert_eq!(listed(&config, "crm")["state"], "disabled");

    let done = radhook(&config, &["endpoints", "enable", "crm", "--json"]);
    assert_eq!((done.code, &done.json()[0]["changed"]), (0, &true.into()));
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(status.endpoint("crm").delivered, EVENTS);
    assert_eq!(next_event(&watcher)["type"], "endpoint.enabled");
    let again = radhook(&config, &["endpoints", "enable", "crm"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, "crm was not disabled\n"));
    status.endpoints.iter().for_each(|endpoint| assert_eq!(endpoint.filtered + endpoint.delivered, endpoint.received));
    assert!(daemon.stop().success());
}

#[test]
fn an_operator_disables_an_endpoint_with_a_word_for_whoever_finds_it_so() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::counting();
    let config = Config::new(directory.path(), NAS).endpoint("crm", &sink.url(), SECRET, "").write();
    let daemon = Daemon::start(&config);
    let disabled = radhook(&config, &["endpoints", "disable", "crm", "--reason", "moving house"]);
    assert_eq!((disabled.code, disabled.stdout.as_str()), (0, "crm is disabled: its events wait\n"));
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    let status = wait_until_status(&config, "all is queued", |status| status.endpoint("crm").pending == EVENTS);
    assert_eq!((sink.taken(), status.endpoint("crm").state.as_str()), (0, "disabled"));
    assert_eq!(listed(&config, "crm")["disabled_because"], "moving house");
    radhook(&config, &["endpoints", "enable", "crm"]);
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == EVENTS);
    let unknown = radhook(&config, &["endpoints", "enable", "nobody"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("there is no endpoint \"nobody\""), "{unknown:?}");
    assert!(daemon.stop().success());
}

#[test]
fn what_is_given_up_is_told_to_those_who_want_to_know_and_never_in_circles() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (crm, watcher) = (Moody::that_answers(500), HttpSink::start());
    let once = "retry = { schedule = [] }";
    // Another dead receiver that wants to know as well: its own dead letters must not be news to anybody.
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", &crm.url, SECRET, &format!("{once}\nevents = [\"session.stop\"]"))
        .endpoint("dead", &crm.url, SECRET, &format!("{once}\nevents = [\"delivery.*\"]"))
        .endpoint("watcher", &watcher.url(), SECRET, "events = [\"delivery.exhausted\"]")
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    let event = next_event(&watcher);
    assert_eq!((&event["type"], &event["data"]["endpoint"]["name"]), (&"delivery.exhausted".into(), &"crm".into()));
    assert_eq!(
        (&event["data"]["event"]["type"], &event["data"]["attempt"]["status"]),
        (&"session.stop".into(), &500.into())
    );
    let status = wait_until_status(&config, "all is settled", |status| {
        status.endpoint("dead").dead == 1 && status.endpoints.iter().all(|endpoint| endpoint.pending == 0)
    });
    assert_eq!((watcher.taken(), status.endpoint("watcher").received), (1, EVENTS + 1));
    assert!(daemon.stop().success());
}

#[test]
fn an_endpoint_that_left_the_config_is_kept_until_it_is_dropped() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (crm, other) = (Moody::that_answers(500), HttpSink::counting());
    let with = |crm: Option<&str>| {
        let config = Config::new(directory.path(), NAS).endpoint("other", &other.url(), SECRET, "");
        crm.map_or(config.clone(), |url| config.endpoint("crm", url, SECRET, "retry = { schedule = [\"1h\"] }")).write()
    };
    let config = with(Some(&crm.url));
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    wait_until_status(&config, "the other has all", |status| status.endpoint("other").delivered == EVENTS);
    let refused = radhook(&config, &["endpoints", "drop", "crm", "--yes"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("remove it from the config first"), "{refused:?}");
    assert!(daemon.stop().success());

    let config = with(None);
    let daemon = Daemon::start(&config);
    let parked = listed(&config, "crm");
    assert_eq!((&parked["state"], &parked["pending"]), (&"removed".into(), &EVENTS.into()));
    assert!(radhook(&config, &["status"]).stdout.contains("radhook endpoints drop crm"));
    let asked = radhook(&config, &["endpoints", "drop", "crm"]);
    assert_eq!(asked.code, 1);
    assert!(asked.stderr.contains("crm has 4 pending events and 0 dead letters"), "{asked:?}");
    let dropped = radhook(&config, &["endpoints", "drop", "crm", "--yes", "--json"]).json();
    assert_eq!(dropped[0]["dropped"], EVENTS);
    let left = wait_until("it is gone", || {
        let left = radhook(&config, &["endpoints", "list", "--json"]).json();
        (left.len() == 1).then_some(left)
    });
    assert_eq!(left[0]["name"], "other");
    assert!(daemon.stop().success());
    // And it stays gone.
    let daemon = Daemon::start(&config);
    assert_eq!(radhook(&config, &["endpoints", "list", "--json"]).json().len(), 1);
    assert!(daemon.stop().success());
}
