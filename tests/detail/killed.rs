//! The whole daemon: kill -9 while files grow and are rotated, and the same fact by two ways in.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::files::{Files, record};
use crate::support::daemon::{Config, Daemon};
use crate::support::freeradius::{Accounting, FreeRadius, NAS_SECRET};
use crate::support::radclient::Radclient;
use crate::support::traffic::Fact;
use crate::support::verbs::{wait_until, wait_until_status};
use crate::support::witness::{SECRET, Witness};

const ROUNDS: u32 = 10;

/// Records after which the file is rotated.
const ROTATION: usize = 150;

fn source(glob: &str) -> String {
    format!("[[source]]\ntype = \"detail\"\nname = \"files\"\npath = {}", toml::Value::from(glob))
}

/// One of the daemon's metrics.
fn metric(directory: &Path, name: &str) -> u64 {
    let mut socket = UnixStream::connect(directory.join("admin.sock")).expect("the admin API listens");
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it takes a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn whatever_is_written_is_told_once_however_often_the_daemon_is_killed() {
    let seed: u64 = std::env::var("RADHOOK_TEST_SEED")
        .map_or_else(|_| rand::random(), |seed| seed.parse().expect("RADHOOK_TEST_SEED is a number"));
    println!("RADHOOK_TEST_SEED={seed} repeats the choices of this run");
    let mut rng = StdRng::seed_from_u64(seed);
    let files = Arc::new(Files::new());
    let witness = Witness::start();
    let config = Config::bare(files.directory())
        .client("nas", "10.0.0.1", "never-spoken-here")
        .table(&source(&files.glob()))
        .endpoint("crm", &witness.url(), SECRET, "events = [\"*\"]\nretry = { schedule = [\"100ms\", \"1s\", \"5s\"] }")
        .write();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (files, stop) = (Arc::clone(&files), Arc::clone(&stop));
        thread::spawn(move || {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                let text: String = (written..written + 5).map(|number| record(&format!("s-{number}"))).collect();
                // In two pieces, as a large record comes.
                let (first, second) = text.split_at(text.len() / 2);
                files.append("detail", first);
                files.append("detail", second);
                written += 5;
                if written % ROTATION == 0 {
                    files.rename("detail", &format!("detail-{written}"));
                }
                thread::sleep(Duration::from_millis(20));
            }
            written
        })
    };
    let mut told = 0;
    for _ in 0..ROUNDS {
        let daemon = Daemon::start(&config);
        let status = wait_until_status(&config, "more is told", |status| status.endpoint("crm").received > told);
        told = status.endpoint("crm").received;
        thread::sleep(Duration::from_micros(rng.random_range(0..600_000)));
        let repeats = metric(files.directory(), "radhook_intake_without_event_total{reason=\"repeat\"}");
        assert_eq!(repeats, 0, "something was read twice");
        daemon.kill9();
    }
    stop.store(true, Ordering::Relaxed);
    let written: usize = writer.join().expect("the writer writes to its end");
    let daemon = Daemon::start(&config);
    let settled = wait_until_status(&config, "all is delivered", |status| {
        let crm = status.endpoint("crm");
        crm.received >= 2 * written as u64 && crm.pending == 0
    });
    // No start was written, so that one is inferred from each record.
    let fact = |number: usize, kind, seconds| Fact { session: format!("s-{number}"), kind, seconds };
    let of = |number| [fact(number, "session.start", 0), fact(number, "session.update", 300)];
    let facts: Vec<Fact> = (0..written).flat_map(of).collect();
    witness.assert_took(&facts);
    assert_eq!(witness.ids_by_fact().len(), facts.len());
    assert_eq!(settled.endpoint("crm").received, facts.len() as u64);
    println!("{written} records, {ROUNDS} kills");
    assert!(daemon.stop().success());
}

#[test]
fn a_fact_is_one_event_by_a_detail_file_and_by_accounting() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let witness = Witness::start();
    let freeradius = FreeRadius::start(&Accounting::Detail);
    let glob = freeradius.radacct().join("*/detail-*").to_str().expect("UTF-8").to_owned();
    let config = Config::new(directory.path(), NAS_SECRET)
        .table(&source(&glob))
        .endpoint("crm", &witness.url(), SECRET, "events = [\"*\"]")
        .write();
    let daemon = Daemon::start(&config);
    assert!(daemon.wait_until_log("ready ").contains(&format!("detail={glob}")), "{:?}", daemon.stderr());
    let packet =
        "Acct-Status-Type = Start, User-Name = \"bob\", Acct-Session-Id = \"5F1A\", NAS-Identifier = \"ap\"".to_owned();
    let send = |to| Radclient::accounting(to, NAS_SECRET).send(std::slice::from_ref(&packet)).answered;
    assert_eq!(send(freeradius.accounting()), 1);
    wait_until_status(&config, "the file was read", |status| status.endpoint("crm").delivered == 1);
    assert_eq!(send(daemon.accounting()), 1);
    let repeats = || metric(directory.path(), "radhook_intake_without_event_total{reason=\"repeat\"}");
    wait_until("the other is known as a repeat", || (repeats() == 1).then_some(()));
    let told = witness.taken();
    assert_eq!(told.len(), 1);
    let source = &told[0].body["source"];
    assert_eq!(
        (&source["type"], &source["name"], &source["client"]),
        (&"detail".into(), &"files".into(), &"test".into())
    );
    assert_eq!(source["address"], "127.0.0.1");
    assert_eq!(told[0].body["data"]["attributes"].get("Timestamp"), None);
}
