//! A changed config is applied to a daemon that runs: endpoints at once, the rest is named; and RADIUS does not notice.

mod support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::process::PATIENCE;
use support::traffic::Traffic;
use support::verbs::{Ended, radhook, status, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// Start, two updates and a stop.
const EVENTS: u64 = 4;

fn reload(config: &Path) -> Value {
    let mut lines = radhook(config, &["reload", "--json"]).json();
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

fn outcome(added: &[&str], changed: &[&str], removed: &[&str], needs_restart: &[&str]) -> Value {
    json!({
        "problems": [], "added": added, "changed": changed, "removed": removed, "needs_restart": needs_restart,
    })
}

#[test]
fn endpoints_are_added_changed_and_removed_while_packets_come_in() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (kept, old, new, late) =
        (HttpSink::counting(), HttpSink::counting(), HttpSink::counting(), HttpSink::counting());
    let base = Config::new(directory.path(), NAS).endpoint("kept", &kept.url(), SECRET, "");
    let config =
        base.clone().endpoint("gone", &old.url(), SECRET, "").endpoint("moved", &old.url(), SECRET, "").write();
    let daemon = Daemon::start(&config);
    let target = daemon.accounting();
    let playing = |sessions, seed| thread::spawn(move || Traffic::new(target, NAS, sessions, seed).play_to_the_end());
    Traffic::new(target, NAS, 1, 1).play_to_the_end();
    wait_until_status(&config, "the first are delivered", |status| {
        status.endpoints.iter().all(|endpoint| endpoint.delivered == EVENTS)
    });

    // Every packet of this is acknowledged, or the thread fails.
    let during = playing(200, 2);
    base.endpoint("moved", &new.url(), SECRET, "").endpoint("late", &late.url(), SECRET, "").write();
    assert_eq!(reload(&config), outcome(&["late"], &["moved"], &["gone"], &[]));
    during.join().expect("all were acknowledged");
    Traffic::new(target, NAS, 5, 3).play_to_the_end();

    let all = EVENTS * (1 + 200 + 5);
    let after = wait_until_status(&config, "all is delivered", |status| {
        let done = |name: &str| status.endpoint(name).pending == 0;
        ["kept", "moved", "late"].iter().all(|name| done(name)) && status.endpoint("kept").delivered == all
    });
    after.endpoints.iter().for_each(support::verbs::Endpoint::assert_adds_up);
    assert_eq!(after.endpoint("moved").delivered, all, "changed, it misses nothing");
    assert!(after.endpoint("late").delivered >= EVENTS * 5, "added, it hears of what comes from then on");
    assert_eq!(after.endpoint("gone").state, "removed");
    assert_eq!(kept.taken() as u64, all, "to one that was not changed nothing is sent twice");
    // What the old address took was for the one that moved, before it did, and for the one that is gone.
    let taken = (old.taken() + new.taken()) as u64;
    assert_eq!(taken, all + after.endpoint("gone").delivered, "nothing was sent to both addresses");
    assert!(new.taken() as u64 >= EVENTS * 5);

    // Again without a change, it does nothing.
    assert_eq!(reload(&config), outcome(&[], &[], &[], &[]));
    assert!(daemon.stop().success());
}

#[test]
fn what_was_pending_at_an_endpoint_goes_to_its_new_address_once() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::counting();
    let base = Config::new(directory.path(), NAS);
    let config = base.clone().endpoint("crm", "http://127.0.0.1:9", SECRET, "").write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 50, 1).play_to_the_end();
    wait_until_status(&config, "all wait", |status| status.endpoint("crm").pending == EVENTS * 50);

    base.endpoint("crm", &sink.url(), SECRET, "").write();
    assert_eq!(reload(&config), outcome(&[], &["crm"], &[], &[]));
    let retried = radhook(&config, &["deliveries", "retry", "--endpoint", "crm", "--state", "pending"]);
    assert_eq!(retried.code, 0, "{retried:?}");

    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == EVENTS * 50);
    assert_eq!(sink.taken() as u64, EVENTS * 50);
    assert!(daemon.stop().success());
}

#[test]
fn a_config_with_mistakes_is_refused_with_all_of_them_and_nothing_changes() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::counting();
    let base = Config::new(directory.path(), NAS).endpoint("crm", &sink.url(), SECRET, "");
    let config = base.write();
    let daemon = Daemon::start(&config);

    let broken = base.text() + "\n[[endpoint]]\nname = \"late\"\nurl = \"nowhere\"\nevnts = []\n";
    fs::write(&config, broken).expect("the config can be written");
    let Ended { code, stdout, stderr } = radhook(&config, &["reload"]);

    assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
    assert!(stderr.contains("`evnts`") && stderr.contains("`url`") && stderr.contains("radhook.toml:"), "{stderr}");
    daemon.wait_until_log("the config is not taken");
    Traffic::new(daemon.accounting(), NAS, 1, 1).play_to_the_end();
    wait_until_status(&config, "it goes on", |status| status.endpoint("crm").delivered == EVENTS);
    assert!(daemon.stop().success());
}

#[test]
fn what_is_only_read_at_the_start_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let base = Config::new(directory.path(), NAS).endpoint("crm", "http://127.0.0.1:9", SECRET, "");
    let config = base.write();
    let daemon = Daemon::start(&config);

    base.store("max_size = \"1GiB\"").client("other", "127.0.0.2", NAS).top("node = \"other\"").write();

    assert_eq!(reload(&config), outcome(&[], &[], &[], &["node", "[store]", "[[client]]"]));
    // Until it is restarted, it is still said.
    assert_eq!(reload(&config), outcome(&[], &[], &[], &["node", "[store]", "[[client]]"]));
    assert!(radhook(&config, &["reload"]).stdout.contains("only read at the start: node, [store], [[client]]"));
    assert!(daemon.stop().success());
}

#[test]
fn by_sighup_systemd_is_told_that_it_reloads_and_that_it_is_up_again() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let base = Config::new(directory.path(), NAS).endpoint("crm", "http://127.0.0.1:9", SECRET, "");
    let config = base.write();
    let socket = directory.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).expect("a socket can be made");
    systemd.set_read_timeout(Some(PATIENCE)).expect("a socket has a timeout");
    let told = || {
        let mut message = [0; 4096];
        let length = systemd.recv(&mut message).expect("systemd is told something");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    command.args(["run", "--config"]).arg(&config).env("NOTIFY_SOCKET", &socket);
    let daemon = Daemon::try_start_command(command).unwrap_or_else(|output| panic!("{output}"));
    assert!(told().contains("READY=1"));

    base.endpoint("late", "http://127.0.0.1:9", SECRET, "").write();
    kill(Pid::from_raw(daemon.pid().try_into().expect("a process id")), Signal::SIGHUP).expect("it runs");

    let reloading = told();
    assert!(reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert!(told().contains("READY=1"));
    assert_eq!(status(&config).endpoint("late").state, "ok");
    assert!(daemon.stop().success());
}
