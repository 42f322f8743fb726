//! A store that another version of radhook wrote: an older one is copied and goes on, a newer one is refused, with words.

mod support;

use std::fs;
use std::path::Path;

use support::daemon::{Config, Daemon};
use support::disk::SmallDisk;
use support::http_sink::HttpSink;
use support::traffic::Traffic;
use support::verbs::wait_until_status;
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// Start, two updates and a stop.
const EVENTS: u64 = 4;

/// Runs it until this many events wait for a receiver that is not there.
fn fill(config: &Path, sessions: u64) {
    let daemon = Daemon::start(config);
    Traffic::new(daemon.accounting(), NAS, sessions, 1).play_to_the_end();
    wait_until_status(config, "all wait", |status| status.endpoint("crm").pending == EVENTS * sessions);
    assert!(daemon.stop().success());
}

#[test]
fn what_waits_in_a_store_of_an_older_format_is_delivered_and_a_copy_of_before_is_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let data = directory.path().join("data");
    let base = Config::new(directory.path(), NAS);
    let config = base.clone().endpoint("crm", "http://127.0.0.1:9", SECRET, "enabled = false").write();
    fill(&config, 10);
    fs::write(data.join("format"), "1\n").expect("it can be written");

    let sink = HttpSink::counting();
    base.endpoint("crm", &sink.url(), SECRET, "").write();
    let daemon = Daemon::start(&config);

    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == EVENTS * 10);
    assert_eq!(fs::read_to_string(data.join("format")).expect("it is there"), "3\n");
    assert_eq!(fs::read_to_string(data.join("before-format-3/format")).expect("it is there"), "1\n");
    assert!(daemon.stop().success());
}

#[test]
fn without_room_for_the_copy_nothing_is_touched_and_it_says_how_much_is_missing() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let disk = SmallDisk::mount(64 << 20);
    let base = Config::new(directory.path(), NAS).store_path(&disk.path().join("data")).store("max_size = \"16MiB\"");
    let config = base.endpoint("crm", "http://127.0.0.1:9", SECRET, "enabled = false").write();
    fill(&config, 1);
    let format = disk.path().join("data/format");
    fs::write(&format, "1\n").expect("it can be written");

    let Err(said) = Daemon::try_start(&config) else { panic!("it starts without the copy") };

    assert!(said.contains("is of the older format 1 and is copied before it is used"), "{said}");
    assert_eq!(fs::read_to_string(&format).expect("it is there"), "1\n");
    assert!(!disk.path().join("data/before-format-3").exists());
}

#[test]
fn a_store_of_a_newer_format_is_refused_and_it_says_what_to_do() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let config = Config::new(directory.path(), NAS).endpoint("crm", "http://127.0.0.1:9", SECRET, "").write();
    Daemon::start(&config).stop();
    fs::write(directory.path().join("data/format"), "4\n").expect("it can be written");

    let Err(said) = Daemon::try_start(&config) else { panic!("it opens what it cannot read") };

    assert!(said.contains("Install the newer one again") && said.contains("before-format-4"), "{said}");
}
