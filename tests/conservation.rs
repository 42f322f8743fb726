//! `received = delivered + pending + dead + filtered` for every endpoint at any moment: while packets come in, receivers
//! fail, dead letters come back, and the daemon is restarted or killed.

mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::StatusCode;
use radhook::lab::receiver::{Behaviour, How, When};
use support::daemon::{Config, Daemon};
use support::traffic::Traffic;
use support::verbs::{self, radhook, wait_until, wait_until_status};
use support::witness::{SECRET, Witness};

const NAS: &str = "nas-to-radhook";

const SESSIONS: u64 = 400;

/// Asks for the status again and again, and checks every answer.
struct Auditor {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Auditor {
    fn start(config: PathBuf) -> Self {
        let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&looks));
        let thread = thread::spawn(move || {
            let mut received: HashMap<String, u64> = HashMap::new();
            while !stopped.load(Ordering::Relaxed) {
                // The equation itself is checked where the status is read.
                let status = match verbs::try_status(&config) {
                    Ok(status) => status,
                    Err(ended) => {
                        // While it restarts nobody answers, or the socket closes in the middle.
                        assert!([1, 4].contains(&ended.code), "{ended:?}");
                        continue;
                    }
                };
                for endpoint in &status.endpoints {
                    let before = received.insert(endpoint.name.clone(), endpoint.received).unwrap_or(0);
                    assert!(endpoint.received >= before, "{before} were received, and now {endpoint:?}");
                    assert!(endpoint.in_flight <= 16, "{endpoint:?}");
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, looks, thread }
    }

    /// Waits until it has looked so often more.
    fn wait_for_looks(&self, looks: usize) {
        let wanted = self.looks.load(Ordering::Relaxed) + looks;
        wait_until("the auditor has looked", || {
            assert!(!self.thread.is_finished(), "the auditor has found something");
            (self.looks.load(Ordering::Relaxed) >= wanted).then_some(())
        });
    }

    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the equation held every time");
        self.looks.load(Ordering::Relaxed)
    }
}

fn listed(config: &Path, endpoint: &str, state: &str) -> u64 {
    let words = ["deliveries", "list", "--json", "--limit", "0", "--endpoint", endpoint, "--state", state];
    radhook(config, &words).json().len() as u64
}

#[test]
fn whatever_came_in_is_somewhere_at_any_moment() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (good, flaky) = (Witness::start(), Witness::start());
    let fails = How::Status(StatusCode::INTERNAL_SERVER_ERROR);
    flaky.behave(Behaviour { when: When::Share(0.4), how: fails, delay: Duration::ZERO });
    let address = support::own_accounting_address();
    let config = Config::bare(directory.path())
        .accounting(&address.to_string())
        .client("nas", "127.0.0.1", NAS)
        .endpoint("good", &good.url(), SECRET, "")
        .endpoint("flaky", &flaky.url(), SECRET, "retry = { schedule = [\"20ms\"], jitter = 0.5 }")
        .endpoint("stops", &good.url(), SECRET, "events = [\"session.stop\"]")
        .endpoint("closed", "http://127.0.0.1:9/", SECRET, "retry = { schedule = [\"50ms\", \"1h\"] }")
        .endpoint("off", &good.url(), SECRET, "enabled = false\nevents = [\"nas.*\", \"session.update\"]")
        .write();
    let events = SESSIONS as usize * 4;
    let daemon = Daemon::start(&config);
    let auditor = Auditor::start(config.clone());
    let mut traffic = Traffic::new(address, NAS, SESSIONS, 7);
    let mut play_until = |packets: usize| {
        traffic.play_until_acknowledged(packets);
        auditor.wait_for_looks(3);
    };

    play_until(events / 5);
    // Dead letters come back in the middle of it.
    wait_until_status(&config, "there are dead letters", |status| status.endpoint("flaky").dead > 0);
    assert_eq!(radhook(&config, &["deliveries", "retry", "--endpoint", "flaky"]).code, 0);
    play_until(events * 2 / 5);
    assert!(daemon.stop().success());
    let daemon = Daemon::start(&config);
    play_until(events * 3 / 5);
    daemon.kill9();
    let daemon = Daemon::start(&config);
    play_until(events * 4 / 5);
    traffic.play_to_the_end();
    flaky.behave(Behaviour::default());
    wait_until_status(&config, "the queues are empty", |status| {
        ["good", "flaky", "stops"].iter().all(|name| status.endpoint(name).pending == 0)
    });
    assert_eq!(radhook(&config, &["deliveries", "retry", "--endpoint", "flaky"]).code, 0);
    let status = wait_until_status(&config, "dead letters are delivered", |status| {
        let flaky = status.endpoint("flaky");
        flaky.pending + flaky.dead == 0
    });
    let looks = auditor.stop();
    println!("the equation held {looks} times");

    let events = events as u64;
    for endpoint in &status.endpoints {
        assert_eq!(endpoint.received, events, "{endpoint:?}");
        // The books agree with what is on the shelves.
        assert_eq!(listed(&config, &endpoint.name, "delivered"), endpoint.delivered, "{endpoint:?}");
        assert_eq!(listed(&config, &endpoint.name, "pending"), endpoint.pending, "{endpoint:?}");
        assert_eq!(listed(&config, &endpoint.name, "dead"), endpoint.dead, "{endpoint:?}");
    }
    let of = |name: &str| status.endpoint(name);
    assert_eq!((of("good").delivered, of("flaky").delivered), (events, events));
    assert_eq!((of("stops").delivered, of("stops").filtered), (SESSIONS, events - SESSIONS));
    assert_eq!((of("closed").pending, of("off").pending), (events, SESSIONS * 2));
    assert_eq!(of("off").filtered, SESSIONS * 2);
    good.assert_took(traffic.acknowledged());
    flaky.assert_took(traffic.acknowledged());
    assert!(daemon.stop().success());
}
