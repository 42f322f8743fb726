//! Whether and when an endpoint is sent events: once in a while, only after it has agreed, not while it is down, not when they
//! are too old; and what is kept of the requests.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use support::daemon::{Config, Daemon};
use support::scripted::{Answer, Scripted};
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// What a receiver of Purple's kind says.
const LISTENS: &[(&str, &str)] = &[("wifiwebhooklistener", "1")];

#[test]
fn of_a_session_only_the_first_event_in_a_while_passes_over_restarts_too() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let keys = "once_per = { key = \"session.unique_id\", window = \"24h\" }";
    let address = support::own_accounting_address();
    let config = Config::bare(directory.path())
        .accounting(&address.to_string())
        .client("nas", "127.0.0.1", NAS)
        .endpoint("crm", receiver.url(), SECRET, keys)
        .write();
    let mut traffic = Traffic::new(address, NAS, 20, 9);
    for facts in [30, 80] {
        let daemon = Daemon::start(&config);
        traffic.play_until_acknowledged(facts);
        traffic.land();
        wait_until_status(&config, "nothing waits", |status| status.endpoint("crm").pending == 0);
        assert!(daemon.stop().success());
    }
    let sessions: Vec<_> =
        receiver.asked().iter().map(|asked| asked.json()["data"]["session"]["unique_id"].to_string()).collect();
    let mut known = sessions.clone();
    known.sort();
    known.dedup();
    assert_eq!((sessions.len(), known.len()), (20, 20));
}

#[test]
fn a_purple_listener_is_sent_nothing_until_it_agrees_and_asked_again_after_it_was_disabled() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let agrees = Arc::new(AtomicBool::new(false));
    let says_yes = Arc::clone(&agrees);
    let receiver = Scripted::start(move |asked| {
        let is_test = asked.json()["type"] == "test";
        match (is_test, says_yes.load(Ordering::SeqCst)) {
            (true, true) => Answer(200, LISTENS),
            (true, false) => Answer(200, &[]),
            (false, _) => Answer(204, &[]),
        }
    });
    let config =
        Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, "verify = \"purple\"").write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 2, 3).play_to_the_end();
    let status = wait_until_status(&config, "it was asked", |status| status.endpoint("crm").state == "unverified");
    assert_eq!((status.endpoint("crm").pending, receiver.asked().len()), (8, 1));
    assert!(receiver.asked()[0].header("webhook-signature").starts_with("v1,"));
    let said = radhook(&config, &["status"]).stdout;
    assert!(said.contains("has not agreed") && said.contains("without `wifiWebhookListener: 1`"), "{said}");

    // A restart asks at once.
    assert!(daemon.stop().success());
    agrees.store(true, Ordering::SeqCst);
    let daemon = Daemon::start(&config);
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 8);
    assert!(daemon.stop().success());

    // Once it has agreed nobody asks again, …
    let asked = |kind: &str| receiver.asked().iter().filter(|asked| asked.json()["type"] == kind).count();
    assert_eq!(asked("test"), 2);
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 77).play_to_the_end();
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 12);
    assert_eq!(asked("test"), 2);
    // … but after it was disabled.
    radhook(&config, &["endpoints", "disable", "crm"]);
    radhook(&config, &["endpoints", "enable", "crm"]);
    wait_until("it is asked again", || (asked("test") == 3).then_some(()));
    assert!(daemon.stop().success());
}

#[test]
fn a_cloudevents_receiver_is_asked_by_options_and_its_rate_is_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    const ALLOWS: &[(&str, &str)] = &[("webhook-allowed-origin", "radhook.example.org"), ("webhook-allowed-rate", "3")];
    let receiver = Scripted::start(|asked| match asked.method == Method::OPTIONS {
        true => Answer(200, ALLOWS),
        false => Answer(204, &[]),
    });
    let keys =
        "format = \"cloudevents\"\nverify = \"cloudevents\"\nverify_origin = \"radhook.example.org\"\nrate = \"10/s\"";
    let config = Config::new(directory.path(), NAS).endpoint("cloud", receiver.url(), SECRET, keys).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 10, 3).play_starts();
    let status = wait_until_status(&config, "what the rate allows is delivered", |status| {
        status.endpoint("cloud").delivered == 3
    });
    let asked = receiver.wait_until_asked(4);
    assert_eq!(asked[0].method, Method::OPTIONS);
    assert_eq!(
        (asked[0].header("webhook-request-origin"), asked[0].header("webhook-request-rate")),
        ("radhook.example.org", "600")
    );
    assert_eq!(asked[0].header("webhook-request-callback"), "");
    // Three a minute: the fourth waits for the better part of it.
    assert_eq!(status.endpoint("cloud").pending, 7);
    assert!(asked[1..].iter().all(|asked| asked.header("content-type").starts_with("application/cloudevents+json")));
    assert!(daemon.stop().success());
}

#[test]
fn a_cloudevents_receiver_may_say_yes_later_at_the_callback() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|asked| Answer(if asked.method == Method::OPTIONS { 200 } else { 204 }, &[]));
    let keys = "verify = \"cloudevents\"\nverify_callback = \"https://radhook.example.org/callbacks/\"";
    let config = Config::new(directory.path(), NAS)
        .admin(&format!(
            "[admin]\nlisten = [\"unix:{}/admin.sock\", \"127.0.0.1:0\"]\ntoken = \"a-token-of-more-than-sixteen-bytes\"",
            directory.path().display()
        ))
        .endpoint("cloud", receiver.url(), SECRET, keys)
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 2, 3).play_starts();
    wait_until_status(&config, "it was asked", |status| status.endpoint("cloud").state == "unverified");
    let callback = receiver.asked()[0].header("webhook-request-callback").to_owned();
    let id = callback.strip_prefix("https://radhook.example.org/callbacks/").expect("it is where the config says");
    let tcp =
        daemon.admin().iter().find(|address| !address.starts_with("unix:")).expect("it listens on TCP too").clone();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let post = |id: &str, rate: &'static str| {
        let request =
            reqwest::Client::new().post(format!("http://{tcp}/callbacks/{id}")).header("webhook-allowed-rate", rate);
        runtime.block_on(async { request.send().await.expect("the admin API answers").status().as_u16() })
    };
    assert_eq!(post("3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2", "*"), 404);
    assert_eq!(post(id, "none"), 400);
    assert_eq!(post(id, "120"), 200);
    wait_until_status(&config, "all is delivered", |status| status.endpoint("cloud").delivered == 2);
    assert!(daemon.stop().success());
}

#[test]
fn a_receiver_that_is_down_is_left_alone_and_its_events_use_up_no_retries() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let receiver = Scripted::start(move |_| Answer(if is_up.load(Ordering::SeqCst) { 204 } else { 500 }, &[]));
    let keys = "events = [\"session.start\"]\nretry = { schedule = [\"1h\"] }";
    let config = Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, keys).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 500, 3).play_starts();
    daemon.wait_until_log("is left alone; one request at a time finds out whether it is back");
    let status = wait_until_status(&config, "nothing is under way", |status| status.endpoint("crm").in_flight == 0);
    assert_eq!((status.endpoint("crm").state.as_str(), status.endpoint("crm").pending), ("failing", 500));
    let said = radhook(&config, &["status"]).stdout;
    assert!(said.contains("answered 500") && said.contains("next attempt"), "{said}");
    up.store(true, Ordering::SeqCst);
    let tried = receiver.asked().len() as u64;
    assert!(tried < 100, "{tried} requests to a receiver that is down");
    // Those that were tried wait for their hour; all the others come at once.
    let status =
        wait_until_status(&config, "what was not tried is delivered", |status| status.endpoint("crm").pending <= tried);
    assert!(status.endpoint("crm").delivered >= 500 - tried, "{status:?}");
    let log = daemon.stderr();
    let lines = |words: &str| log.iter().filter(|line| line.contains(words)).count();
    assert_eq!((lines("is left alone"), lines("takes deliveries again")), (1, 1), "{log:#?}");
    assert!(daemon.stop().success());
}

#[test]
fn what_is_too_old_is_not_sent_any_more() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(500, &[]));
    let keys = "events = [\"session.start\"]\nretry = { schedule = [\"10ms\", \"1h\"], max_age = \"1m\" }";
    let config = Config::new(directory.path(), NAS).endpoint("crm", receiver.url(), SECRET, keys).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 3, 3).play_starts();
    wait_until_status(&config, "an hour is too late for a minute", |status| status.endpoint("crm").dead == 3);
    assert_eq!(receiver.asked().len(), 6);
    assert!(daemon.stop().success());
}

#[test]
fn requests_and_answers_are_kept_word_for_word_without_what_is_secret() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|asked| match asked.json().as_array().map(Vec::len) {
        Some(events) if events > 1 => Answer(422, &[("x-says", "one by one"), ("set-cookie", "s3cret=1")]),
        _ => Answer(202, &[("x-says", "thank you"), ("set-cookie", "s3cret=1")]),
    });
    let keys = "events = [\"session.start\"]\nlog_bodies = true\nheaders = { X-Token = \"s3cret-token\" }\n\
                auth = { type = \"bearer\", token = \"s3cret-bearer-token\" }";
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", receiver.url(), SECRET, keys)
        .endpoint("batch", receiver.url(), SECRET, &format!("{keys}\nbatch = {{ max_events = 2, max_wait = \"1h\" }}"))
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 2, 3).play_starts();
    wait_until_status(&config, "all is delivered", |status| {
        ["crm", "batch"].iter().all(|name| status.endpoint(name).delivered == 2)
    });
    for listed in radhook(&config, &["deliveries", "list", "--json"]).json() {
        let id = listed["id"].as_str().expect("an id");
        let shown = radhook(&config, &["deliveries", "show", id, "--json"]);
        assert!(!shown.stdout.contains("s3cret"), "{}", shown.stdout);
        for delivery in shown.json() {
            let exchange = &delivery["exchange"];
            assert_eq!(
                (&exchange["answer"]["status"], &exchange["method"]),
                (&202.into(), &"POST".into()),
                "{exchange}"
            );
            let sent: serde_json::Value =
                serde_json::from_str(exchange["body"].as_str().unwrap()).expect("what was sent");
            let event = if sent.is_array() { &sent[0] } else { &sent };
            assert_eq!(event["id"], id);
            let headers = exchange["headers"].to_string();
            assert!(headers.contains("webhook-signature") && headers.contains("[redacted]"), "{headers}");
            assert!(exchange["answer"]["headers"].to_string().contains("thank you"));
        }
        let text = radhook(&config, &["deliveries", "show", id]).stdout;
        assert!(text.contains("> POST ") && text.contains("< 202") && text.contains("< x-says: thank you"), "{text}");
    }
    assert!(daemon.stop().success());
}
