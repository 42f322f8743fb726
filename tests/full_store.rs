//! A disk without space, and a store at its configured size: nothing is acknowledged that was not stored, the daemon
//! says why, and goes on by itself when there is room again.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use support::daemon::{Config, Daemon};
use support::disk::SmallDisk;
use support::traffic::Traffic;
use support::verbs::{self, wait_until_status};
use support::witness::{SECRET, Witness};
use tempfile::TempDir;

const NAS: &str = "nas-to-radhook";

/// More sessions than any store here holds.
const SESSIONS: u64 = 1_000_000;

const RETRY: &str = "retry = { schedule = [\"200ms\", \"500ms\", \"1s\", \"1s\", \"2s\", \"2s\", \"5s\", \"5s\", \"10s\", \"30s\", \
     \"1m\", \"2m\"] }";

struct Bench {
    witness: Witness,
    config: PathBuf,
    _directory: TempDir,
}

impl Bench {
    fn new(change: impl FnOnce(Config) -> Config) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let witness = Witness::start();
        let admin = format!(
            "[admin]\nlisten = [\"unix:{0}/admin.sock\", \"127.0.0.1:0\"]\ntoken = \"t0ken\"",
            directory.path().display()
        );
        let config = change(
            Config::bare(directory.path())
                .admin(&admin)
                .accounting(&support::own_accounting_address().to_string())
                .client("nas", "127.0.0.1", NAS)
                .endpoint("crm", &witness.url(), SECRET, RETRY),
        );
        Self { witness, config: config.write(), _directory: directory }
    }

    fn start(&self) -> Daemon {
        Daemon::start(&self.config)
    }
}

/// Asks `/readyz`: the status code, and what it says.
fn readyz(daemon: &Daemon) -> (u16, String) {
    let address = daemon.admin().iter().find(|address| !address.starts_with("unix:")).expect("a TCP address");
    let mut stream = TcpStream::connect(address).expect("the admin API listens");
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    (code, answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned())
}

/// Plays until the daemon says that it acknowledges no more, and returns why.
fn play_until_refused(traffic: &mut Traffic, daemon: &Daemon) -> String {
    let mut refusal = String::new();
    let mut asked_at = 0;
    let mut tick = 0_u32;
    traffic.play(|traffic| {
        // Asked where nothing was acknowledged for a while, and now and then.
        tick = if traffic.acknowledged().len() > asked_at { 0 } else { tick + 1 };
        asked_at = traffic.acknowledged().len();
        if tick % 20 != 19 {
            return false;
        }
        let (code, words) = readyz(daemon);
        refusal = words;
        code == 503
    });
    refusal
}

#[test]
fn with_a_full_disk_nothing_is_acknowledged_unstored_and_space_is_all_it_takes_to_go_on() {
    let disk = SmallDisk::mount(64 << 20);
    let mut bench = Bench::new(|config| config.store_path(&disk.path().join("data")).store("max_size = \"32MiB\""));
    bench.witness.down();
    let daemon = bench.start();
    assert_eq!(readyz(&daemon).0, 200);
    let mut traffic = Traffic::new(daemon.accounting(), NAS, SESSIONS, 4).at_once(100);
    traffic.play_until_acknowledged(200);

    disk.fill();
    let refusal = play_until_refused(&mut traffic, &daemon);
    assert!(refusal.contains("not acknowledging") && refusal.contains("No space left"), "{refusal}");
    let full = verbs::status(&bench.config);
    assert!(!full.ready);
    let told = full.refusal.as_ref().map(|refusal| refusal.error.clone()).unwrap_or_default();
    assert!(told.contains("No space left"), "{told}");
    let human = verbs::radhook(&bench.config, &["status"]).stdout;
    assert!(human.contains("NOT ACKNOWLEDGING") && human.contains("No space left"), "{human}");
    daemon.wait_until_log("the store refuses");
    let acknowledged = traffic.acknowledged().len();
    // What was stored while its answer was on the way is more, never less.
    assert!(full.endpoint("crm").pending >= acknowledged as u64, "{acknowledged} acknowledged: {full:?}");

    disk.release();
    traffic.play_until_acknowledged(acknowledged + 200);
    daemon.wait_until_log("the store accepts again");
    assert_eq!(readyz(&daemon), (200, "ready\n".to_owned()));

    // Full again, and killed in that state: what was acknowledged is on that disk.
    disk.fill();
    play_until_refused(&mut traffic, &daemon);
    daemon.kill9();
    disk.release();
    bench.witness.up();
    let daemon = bench.start();
    traffic.land();
    let drained = wait_until_status(&bench.config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    bench.witness.assert_took(traffic.acknowledged());
    bench.witness.assert_believed_and_in_order();
    let crm = drained.endpoint("crm");
    assert_eq!((crm.received, crm.delivered), (traffic.acknowledged().len() as u64, crm.received), "{crm:?}");
    assert!(daemon.stop().success());
}

#[test]
fn at_max_size_intake_stops_and_goes_on_by_itself_when_the_backlog_drains() {
    let mut bench = Bench::new(|config| config.store("max_size = \"16MiB\""));
    bench.witness.down();
    let daemon = bench.start();
    let mut traffic = Traffic::new(daemon.accounting(), NAS, SESSIONS, 5).at_once(1000).window(64);

    let refusal = play_until_refused(&mut traffic, &daemon);
    assert!(refusal.contains("store.max_size is 16777216"), "{refusal}");
    let full = verbs::status(&bench.config);
    assert!(!full.ready);
    let acknowledged = traffic.acknowledged().len();
    assert!(full.endpoint("crm").pending >= acknowledged as u64, "{acknowledged} acknowledged: {full:?}");
    println!("{acknowledged} events of {} bytes each filled the store", (16 << 20) / acknowledged.max(1));

    // Nobody tells the daemon that there is room again, and nobody sends: it is ready by itself.
    bench.witness.up();
    wait_until_status(&bench.config, "there is room again", |status| status.ready);
    assert_eq!(readyz(&daemon).0, 200);
    traffic.play_until_acknowledged(acknowledged * 2);
    traffic.land();
    let drained = wait_until_status(&bench.config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert!(drained.ready);
    bench.witness.assert_took(traffic.acknowledged());
    bench.witness.assert_believed_and_in_order();
    bench.witness.assert_no_repeats();
    let crm = drained.endpoint("crm");
    assert_eq!((crm.received, crm.delivered), (traffic.acknowledged().len() as u64, crm.received), "{crm:?}");
    assert!(daemon.stop().success());
}
