//! What survives a restart, and how the daemon and its verbs begin and end.

mod support;

use std::os::unix::net::UnixStream;
use std::path::Path;

use jiff::Timestamp;
use radhook::lab::receiver::Behaviour;
use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::raw::{Conduct, RawReceiver};
use support::traffic::Traffic;
use support::verbs::{self, radhook, wait_until, wait_until_status};
use support::witness::{SECRET, Witness};

const NAS: &str = "nas-to-radhook";

const UNAVAILABLE: http::StatusCode = http::StatusCode::SERVICE_UNAVAILABLE;

/// `radhook deliveries list --json` with more words, every line of it.
fn list(config: &Path, words: &[&str]) -> Vec<Value> {
    radhook(config, &[&["deliveries", "list", "--json", "--limit", "0"], words].concat()).json()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

fn ids(deliveries: &[Value]) -> Vec<String> {
    deliveries.iter().map(|delivery| text(delivery, "id")).collect()
}

/// Starts only, each a session and a queue place of its own.
fn starts(daemon: &Daemon, count: u64, seed: u64) -> Traffic {
    let mut traffic = Traffic::new(daemon.accounting(), NAS, count, seed);
    traffic.play_starts();
    traffic
}

#[test]
fn due_times_survive_a_restart_what_is_due_goes_out_and_what_is_not_waits() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (far, near) = (Witness::start(), Witness::start());
    far.behave(Behaviour::status(UNAVAILABLE));
    near.behave(Behaviour::status(UNAVAILABLE));
    let config = Config::new(directory.path(), NAS)
        .endpoint("far", &far.url(), SECRET, "retry = { schedule = [\"1h\"] }")
        .endpoint("near", &near.url(), SECRET, "retry = { schedule = [\"2s\", \"1h\"], jitter = 0 }")
        .write();
    let daemon = Daemon::start(&config);
    starts(&daemon, 3, 1);
    let failed_once = || {
        let deliveries = list(&config, &["--state", "pending"]);
        let all = deliveries.len() == 6 && deliveries.iter().all(|delivery| delivery["attempts"] == 1);
        all.then_some(deliveries)
    };
    let before = wait_until("every first attempt has failed", failed_once);
    assert!(daemon.stop().success());
    let of = |endpoint: &str| -> Vec<Value> {
        before.iter().filter(|delivery| delivery["endpoint"] == endpoint).cloned().collect()
    };
    let due = |delivery: &Value| text(delivery, "due").parse::<Timestamp>().expect("a time");
    wait_until("the near ones are due", || {
        of("near").iter().all(|delivery| due(delivery) < Timestamp::now()).then_some(())
    });

    far.behave(Behaviour::default());
    near.behave(Behaviour::default());
    let daemon = Daemon::start(&config);
    wait_until_status(&config, "what was due went out", |status| status.endpoint("near").delivered == 3);
    // A newcomer goes out at once, so the far ones have had their chance.
    starts(&daemon, 1, 2);
    wait_until_status(&config, "the newcomer went out", |status| status.endpoint("far").delivered == 1);
    assert_eq!(list(&config, &["--endpoint", "far", "--state", "pending"]), of("far"), "to the millisecond");
    assert_eq!(far.taken().len(), 1);
    assert!(daemon.stop().success());
}

#[test]
fn dead_letters_survive_a_restart_and_come_back_under_their_old_ids() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let witness = Witness::start();
    witness.behave(Behaviour::status(UNAVAILABLE));
    let config =
        Config::new(directory.path(), NAS).endpoint("crm", &witness.url(), SECRET, "retry = { schedule = [] }").write();
    let daemon = Daemon::start(&config);
    starts(&daemon, 5, 1);
    wait_until_status(&config, "all are given up", |status| status.endpoint("crm").dead == 5);
    assert!(daemon.stop().success());

    let daemon = Daemon::start(&config);
    let dead = list(&config, &["--state", "dead"]);
    assert_eq!(dead.len(), 5);
    for letter in &dead {
        assert_eq!(letter["last_attempts"][0]["status"], 503, "{letter}");
        assert_eq!((&letter["type"], &letter["attempts"]), (&"session.start".into(), &1.into()), "{letter}");
    }
    assert!(list(&config, &["--state", "pending"]).is_empty() && list(&config, &["--state", "delivered"]).is_empty());
    witness.behave(Behaviour::default());
    let first = text(&dead[0], "id");
    let one = radhook(&config, &["deliveries", "retry", "--json", "--id", &first]).json();
    assert_eq!(one[0]["retried"], 1);
    wait_until_status(&config, "it is delivered", |status| status.endpoint("crm").delivered == 1);
    assert_eq!(witness.taken()[0].id, first);
    let rest = radhook(&config, &["deliveries", "retry", "--json", "--endpoint", "crm"]).json();
    assert_eq!(rest[0]["retried"], 4);
    let done = wait_until_status(&config, "all are delivered", |status| status.endpoint("crm").delivered == 5);
    assert_eq!((done.endpoint("crm").received, done.endpoint("crm").dead), (5, 0));
    let mut taken: Vec<String> = witness.taken().into_iter().map(|taken| taken.id).collect();
    let mut were_dead = ids(&dead);
    taken.sort();
    were_dead.sort();
    assert_eq!(taken, were_dead, "each once, under its old id");

    let shown = radhook(&config, &["deliveries", "show", &first, "--json"]).json();
    assert_eq!(shown.len(), 1);
    assert_eq!((&shown[0]["state"], &shown[0]["endpoint"]), (&"delivered".into(), &"crm".into()));
    let taken = witness.taken().into_iter().find(|taken| taken.id == first).expect("it was taken");
    assert_eq!(shown[0]["event"], taken.body);
    let missing = radhook(&config, &["deliveries", "show", "00000000-0000-8000-8000-000000000000"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("no delivery of event"), "{}", missing.stderr);
    assert!(daemon.stop().success());
}

#[test]
fn an_endpoint_taken_out_of_the_config_keeps_its_backlog_until_it_is_back() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (crm, siem) = (Witness::start(), Witness::start());
    crm.behave(Behaviour::status(UNAVAILABLE));
    let with_siem = Config::new(directory.path(), NAS).endpoint("siem", &siem.url(), SECRET, "");
    let with_both = with_siem.clone().endpoint("crm", &crm.url(), SECRET, "retry = { schedule = [\"1s\", \"1s\"] }");
    let config = with_both.write();
    let daemon = Daemon::start(&config);
    starts(&daemon, 3, 1);
    wait_until_status(&config, "crm fails", |status| status.endpoint("crm").state == "failing");
    assert!(daemon.stop().success());

    with_siem.write();
    let daemon = Daemon::start(&config);
    crm.behave(Behaviour::default());
    let other = starts(&daemon, 2, 2);
    let without = wait_until_status(&config, "siem has all", |status| status.endpoint("siem").delivered == 5);
    let removed = without.endpoint("crm");
    assert_eq!((removed.state.as_str(), removed.received, removed.pending), ("removed", 3, 3));
    assert_eq!(list(&config, &["--endpoint", "crm"]).len(), 3);
    assert_eq!(other.acknowledged().len(), 2);
    assert!(crm.taken().is_empty());
    assert!(daemon.stop().success());

    with_both.write();
    let daemon = Daemon::start(&config);
    let back = wait_until_status(&config, "crm has its own", |status| status.endpoint("crm").delivered == 3);
    assert_eq!((back.endpoint("crm").received, back.endpoint("crm").state.as_str()), (3, "ok"));
    assert_eq!(crm.taken().len(), 3, "what came while it was not configured is not for it");
    assert!(daemon.stop().success());
}

#[test]
fn a_second_daemon_on_the_same_data_directory_is_refused_and_harms_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let witness = Witness::start();
    let config = Config::new(directory.path(), NAS).endpoint("crm", &witness.url(), SECRET, "").write();
    let daemon = Daemon::start(&config);
    starts(&daemon, 2, 1);

    let output = Daemon::try_start(&config).err().expect("one daemon a directory");
    assert!(output.contains("is in use by another process"), "{output}");
    assert!(output.contains("data"), "it says where: {output}");

    starts(&daemon, 2, 2);
    wait_until_status(&config, "the first goes on", |status| status.endpoint("crm").delivered == 4);
    assert!(daemon.stop().success());
}

#[test]
fn a_config_with_mistakes_ends_with_3_and_every_mistake_in_its_place() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", "http://203.0.113.7/", SECRET, "retires = 3")
        .endpoint("meta", "http://169.254.169.254/latest", SECRET, "timeout = \"soon\"")
        .write();

    for verb in ["run", "check"] {
        let ended = radhook(&config, &[verb]);
        assert_eq!(ended.code, 3, "{ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        for words in ["retires", "insecure_http", "169.254.169.254", "\"soon\"", "radhook.toml:"] {
            assert!(said.contains(words), "{verb} does not tell {words}:\n{said}");
        }
    }
    assert!(!directory.path().join("data").exists(), "nothing was begun");
}

#[test]
fn without_a_daemon_the_verbs_that_ask_it_end_with_4_and_say_what_to_do() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let config = Config::new(directory.path(), NAS).endpoint("crm", "http://127.0.0.1:9/", SECRET, "").write();
    let asks: [&[&str]; 5] = [
        &["status"],
        &["status", "--json"],
        &["deliveries", "list"],
        &["deliveries", "retry"],
        &["deliveries", "show", "00000000-0000-8000-8000-000000000000"],
    ];
    let assert_unreachable = || {
        for words in asks {
            let ended = radhook(&config, words);
            assert_eq!(ended.code, 4, "{words:?}: {ended:?}");
            assert!(ended.stderr.contains("is it running?"), "{ended:?}");
            assert!(ended.stdout.is_empty(), "{ended:?}");
        }
    };
    assert_unreachable();
    // The same where a daemon that was killed has left its socket behind.
    Daemon::start(&config).kill9();
    assert!(directory.path().join("admin.sock").exists());
    assert_unreachable();
    let daemon = Daemon::start(&config);
    assert_eq!(radhook(&config, &["status"]).code, 0);
    assert!(daemon.stop().success());
}

#[test]
fn a_stop_lets_requests_under_way_finish_and_makes_none_of_them_again() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let gate = RawReceiver::start(Conduct::Gate);
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", &gate.url(), SECRET, "timeout = \"60s\"\nconcurrency = 4")
        .write();
    let daemon = Daemon::start(&config);
    starts(&daemon, 10, 1);
    wait_until("one was answered and four are under way", || (gate.requests() == 5).then_some(()));

    daemon.ask_to_end();
    // Delivery has been told to stop by the time nobody answers any more.
    let admin = directory.path().join("admin.sock");
    wait_until("it stops", || UnixStream::connect(&admin).err());
    gate.open_the_gate();
    let stdout = daemon.stdout();
    assert!(daemon.wait_until_exit().success());
    assert!(stdout.is_empty(), "{stdout:?}");
    assert_eq!(gate.requests(), 5, "nothing new was begun");

    let daemon = Daemon::start(&config);
    let done = wait_until_status(&config, "the rest is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(done.endpoint("crm").delivered, 10);
    assert_eq!(gate.requests(), 10, "each was made once");
    assert!(daemon.stop().success());
}

#[test]
fn a_stop_with_a_receiver_that_never_answers_ends_well_too_and_keeps_the_delivery() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let hanging = RawReceiver::start(Conduct::Hang);
    let config = Config::new(directory.path(), NAS).endpoint("crm", &hanging.url(), SECRET, "timeout = \"5m\"").write();
    let daemon = Daemon::start(&config);
    starts(&daemon, 1, 1);
    wait_until("it is under way", || (hanging.requests() == 1).then_some(()));
    assert!(daemon.stop().success(), "it waits for as long as is decent, and no longer");
    let daemon = Daemon::start(&config);
    wait_until("it is made again", || (hanging.requests() == 2).then_some(()));
    assert_eq!(verbs::status(&config).endpoint("crm").pending, 1);
    daemon.kill9();
}
