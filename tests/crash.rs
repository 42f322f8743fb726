//! kill -9 at random moments: while packets come in, while the daemon starts, while it stops, around checkpoints, while sled's file is
//! written anew.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::StatusCode;
use radhook::lab::receiver::{Behaviour, How, When};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::daemon::{Config, Daemon};
use support::process::Process;
use support::traffic::{Fact, Traffic};
use support::verbs::{self, wait_until, wait_until_status};
use support::witness::{SECRET, Witness};

const NAS: &str = "nas-to-radhook";

const ROUNDS: u32 = 50;

/// Rounds that live until a checkpoint was made, which takes seconds.
const LONG_ROUNDS: [u32; 2] = [15, 35];

/// Kills while sled's file is written anew. Before each a checkpoint has to be made, which takes seconds.
const KILLS_OF_THE_COPY: u32 = 3;

/// More sessions than all rounds can play.
const SESSIONS: u64 = 1_000_000;

/// Traffic on a thread of its own, whatever happens to the daemon.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    thread: JoinHandle<Traffic>,
}

impl Load {
    fn start(mut traffic: Traffic) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&acknowledged));
        let thread = thread::spawn(move || {
            traffic.play(|traffic| {
                count.store(traffic.acknowledged().len(), Ordering::Relaxed);
                stopped.load(Ordering::Relaxed)
            });
            traffic
        });
        Self { stop, acknowledged, thread }
    }

    /// Waits until so many more packets were acknowledged.
    fn wait_for(&self, packets: usize) {
        let wanted = self.acknowledged.load(Ordering::Relaxed) + packets;
        wait_until("packets are acknowledged", || (self.acknowledged.load(Ordering::Relaxed) >= wanted).then_some(()));
    }

    fn stop(self) -> Traffic {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the traffic goes on to its end")
    }
}

/// Ends a daemon's process in its first moments, ready or not.
fn kill_while_it_starts(config: &Path, after: Duration) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    let mut process = Process::start("radhook run", command.args(["run", "--config"]).arg(config));
    thread::sleep(after);
    process.kill9();
}

#[test]
fn whatever_was_acknowledged_is_delivered_under_one_id_after_fifty_kills() {
    let seed: u64 = std::env::var("RADHOOK_TEST_SEED")
        .map_or_else(|_| rand::random(), |seed| seed.parse().expect("RADHOOK_TEST_SEED is a number"));
    println!("RADHOOK_TEST_SEED={seed} repeats the choices of this run");
    let mut rng = StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let witness = Witness::start();
    // Every eleventh request fails, so that retries cross the kills too.
    let fails = How::Status(StatusCode::SERVICE_UNAVAILABLE);
    witness.behave(Behaviour { when: When::Share(0.09), how: fails, delay: Duration::ZERO });
    let retry = "retry = { schedule = [\"50ms\", \"100ms\", \"200ms\", \"500ms\", \"1s\", \"2s\", \"5s\", \"10s\"] }";
    let target = support::own_accounting_address();
    let path = Config::bare(directory.path())
        .accounting(&target.to_string())
        .client("nas", "127.0.0.1", NAS)
        .store("max_size = \"256MiB\"")
        .endpoint("crm", &witness.url(), SECRET, retry)
        .write();
    let load = Load::start(Traffic::new(target, NAS, SESSIONS, seed).at_once(100));
    let mut deaths = [0_u32; 3];
    for round in 0..ROUNDS {
        if rng.random_bool(0.2) {
            kill_while_it_starts(&path, Duration::from_micros(rng.random_range(0..150_000)));
            deaths[0] += 1;
            continue;
        }
        let running = Daemon::start(&path);
        load.wait_for(rng.random_range(1..300));
        if LONG_ROUNDS.contains(&round) {
            wait_until("a checkpoint was made", || {
                let status = verbs::try_status(&path).expect("the daemon lives");
                status.store.get("checkpointed_at").map(drop)
            });
            load.wait_for(rng.random_range(1..100));
        }
        let moment = Duration::from_micros(rng.random_range(0..20_000));
        if rng.random_bool(0.2) {
            running.ask_to_end();
            deaths[1] += 1;
        } else {
            deaths[2] += 1;
        }
        thread::sleep(moment);
        running.kill9();
    }
    let [starting, stopping, running] = deaths;
    println!("killed {starting} times while starting, {stopping} while stopping, {running} under load");

    let daemon = Daemon::start(&path);
    load.wait_for(1);
    let mut traffic = load.stop();
    traffic.land();
    let settled = wait_until_status(&path, "all is delivered", |status| status.endpoint("crm").pending == 0);

    let acknowledged: &[Fact] = traffic.acknowledged();
    assert!(acknowledged.iter().any(|fact| fact.kind == "session.stop"), "sessions were played to their ends");
    witness.assert_took(acknowledged);
    witness.assert_believed_and_in_order();
    let (facts, taken) = (witness.ids_by_fact().len(), witness.taken().len());
    println!("{} packets acknowledged, {facts} events, {} of them repeated", acknowledged.len(), taken - facts);
    // Whatever was stored without its acknowledgement being seen was sent again until it was: no more, no less.
    assert_eq!(facts, acknowledged.len());
    let crm = settled.endpoint("crm");
    assert_eq!((crm.received, crm.delivered, crm.dead), (facts as u64, facts as u64, 0));
    // Nothing reaches a receiver twice but by an attempt that was cut off, and each of those is counted.
    let repeats = (taken - facts) as u64;
    assert!(repeats <= crm.interrupted, "{repeats} repeats, and only {} attempts known as cut off", crm.interrupted);
    assert!(daemon.stop().success());
}

#[test]
fn nothing_is_lost_by_kills_while_sleds_file_is_written_anew() {
    let seed: u64 = rand::random();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let witness = Witness::start();
    witness.behave(Behaviour { when: When::Always, ..Behaviour::default() });
    let target = support::own_accounting_address();
    // The least that sled's file may take is then 16 MiB.
    let path = Config::bare(directory.path())
        .accounting(&target.to_string())
        .client("nas", "127.0.0.1", NAS)
        .store("max_size = \"256MiB\"\nhistory = { max_records = 100 }")
        .endpoint("crm", &witness.url(), SECRET, "concurrency = 64\nretry = { schedule = [\"200ms\"], endless = true }")
        .write();
    let data = directory.path().join("data");
    let bytes_of_sled = || std::fs::metadata(data.join("sled/db")).map_or(0, |file| file.len());
    let copy = || {
        let names = std::fs::read_dir(&data).expect("the data directory is there");
        names.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("sled.anew-")).map(drop)
    };

    // Nothing is taken until the file is large; then all of it, and little lives in the file.
    let mut daemon = Daemon::start(&path);
    let mut traffic = Traffic::new(target, NAS, SESSIONS, seed).at_once(100);
    while bytes_of_sled() < 24 << 20 {
        traffic.play_until_acknowledged(traffic.acknowledged().len() + 1_000);
    }
    witness.behave(Behaviour::default());
    wait_until_status(&path, "all is delivered", |status| status.endpoint("crm").pending == 0);
    for _ in 0..KILLS_OF_THE_COPY {
        wait_until("sled's file is being written anew", copy);
        traffic.play_until_acknowledged(traffic.acknowledged().len() + 20);
        daemon.kill9();
        daemon = Daemon::start(&path);
    }
    wait_until("it is written anew", || (bytes_of_sled() < 12 << 20 && copy().is_none()).then_some(()));
    traffic.play_until_acknowledged(traffic.acknowledged().len() + 100);
    traffic.land();
    wait_until_status(&path, "all is delivered", |status| status.endpoint("crm").pending == 0);
    daemon.kill9();
    let daemon = Daemon::start(&path);
    wait_until_status(&path, "all is delivered", |status| status.endpoint("crm").pending == 0);
    witness.assert_took(traffic.acknowledged());
    witness.assert_believed_and_in_order();
    assert_eq!(witness.ids_by_fact().len(), traffic.acknowledged().len());
    assert!(daemon.stop().success());
}
