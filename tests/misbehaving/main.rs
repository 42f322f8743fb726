//! Every way in which a receiver can misbehave, one endpoint each, fed by one session, beside one that behaves. The
//! table (`table.rs`) says what each comes to; what each cost in time and memory is printed (`--nocapture`).
//!
//! Names lead where the test wants: the daemon has a hosts file and a resolver of its own, which only root can give it.

mod case;
mod receiver;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tls;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use case::{Case, ComesTo};
use jiff::Timestamp;
use receiver::{HOME, NAME, Receiver, says};
use serde::Deserialize;
use support::daemon::{Config, Daemon};
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until, wait_until_status};
use support::witness::{SECRET, Witness};
use tls::Authority;

const NAS: &str = "nas-to-radhook";

/// A start, two updates and a stop.
const EVENTS: usize = 4;

/// What a hundred receivers may cost together, or one that sends without end, in KiB.
const MEMORY: u64 = 32 * 1024;

/// What the system may take off a receiver that floods: its buffers, at both ends.
const BUFFERS: u64 = 24 * 1024 * 1024;

/// The longest that an attempt at the good one may take: a hundred times what it does take.
const PROMPT: Duration = Duration::from_secs(3);

/// How far a due time may lie from where it should be: dates are of seconds, and were written when the test began.
const OFF: Duration = Duration::from_secs(90);

/// A delivery as `radhook deliveries list --json` tells it.
#[derive(Debug, Deserialize)]
struct Delivery {
    endpoint: String,
    state: String,
    due: Option<Timestamp>,
    attempts: usize,
    last_attempts: Vec<Attempt>,
}

#[derive(Debug, Deserialize)]
struct Attempt {
    at: Timestamp,
    took_ms: u64,
    status: Option<u16>,
    error: Option<String>,
}

#[test]
fn whatever_a_receiver_does_its_attempts_end_as_the_table_says_and_the_good_one_beside_it_has_everything_at_once() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new("ours");
    fs::write(directory.path().join("ca.pem"), authority.pem()).expect("it can be written");
    let good = Witness::start();
    let elsewhere = Receiver::plain(says("HTTP/1.1 204 No Content\r\n\r\n"));
    let rows = table::rows(&authority, &elsewhere.url());
    let mut config = Config::new(directory.path(), NAS).endpoint("good", &good.url(), SECRET, "");
    for case in &rows {
        config = config.endpoint(&case.name, &case.url, SECRET, &case.keys());
    }
    let config = config.write();
    let daemon = start(directory.path(), &config);
    let (alone, together): (Vec<&Case>, Vec<&Case>) = rows.iter().partition(|case| case.alone);
    for case in &alone {
        assert_eq!(radhook(&config, &["endpoints", "disable", &case.name]).code, 0, "{}", case.name);
    }

    let before = resident(&daemon);
    let mut traffic = Traffic::new(daemon.accounting(), NAS, 1, 6);
    traffic.play_to_the_end();
    assert_eq!(traffic.acknowledged().len(), EVENTS);
    wait_until_ended(&config, &together);
    let cost = peak(&daemon).saturating_sub(before);
    let mut costs = HashMap::new();
    for case in &alone {
        costs.insert(case.name.as_str(), of_one(&daemon, &config, case));
    }

    let mut told: HashMap<String, Vec<Delivery>> = HashMap::new();
    for line in radhook(&config, &["deliveries", "list", "--json", "--limit", "0"]).json() {
        let delivery: Delivery = serde_json::from_value(line).expect("it has the documented fields");
        told.entry(delivery.endpoint.clone()).or_default().push(delivery);
    }
    let mut wrong = Vec::new();
    for case in &rows {
        let deliveries = told.get(&case.name).map(Vec::as_slice).unwrap_or_default();
        println!("{}", line(&case.name, deliveries, costs.get(case.name.as_str()).copied()));
        wrong.extend(faults(case, deliveries).into_iter().map(|fault| format!("{}: {fault}", case.name)));
    }
    println!("{}", line("the good one beside them", &told["good"], None));
    println!("{} receivers; those that were not tried alone cost {cost} KiB together", rows.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));

    for (name, cost) in costs.into_iter().chain([("all others", cost)]) {
        assert!(cost < MEMORY, "{name} cost {cost} KiB");
    }
    for delivery in &told["good"] {
        let took = Duration::from_millis(delivery.last_attempts[0].took_ms);
        assert!(delivery.attempts == 1 && took < PROMPT, "{delivery:?}");
    }
    good.assert_took(traffic.acknowledged());
    good.assert_no_repeats();
    good.assert_believed_and_in_order();
    assert_eq!(elsewhere.connections(), 0, "a redirect was followed");
    wait_until("every connection is let go", || {
        rows.iter().filter_map(|case| case.receiver.as_ref()).all(|receiver| receiver.open() == 0).then_some(())
    });
    assert!(daemon.stop().success());
}

/// A daemon for which names lead where they should, and that asks nobody else.
fn start(directory: &Path, config: &Path) -> Daemon {
    let (hosts, resolver) = (directory.join("hosts"), directory.join("resolv.conf"));
    let names = format!("127.0.0.1 localhost\n{} {NAME}\n169.254.169.254 metadata.test\n", *HOME);
    fs::write(&hosts, names).expect("it can be written");
    // Nobody answers there.
    fs::write(&resolver, format!("nameserver {}\n", support::own_loopback())).expect("it can be written");
    let mut command = Command::new("unshare");
    let script =
        "mount --bind \"$1\" /etc/hosts && mount --bind \"$2\" /etc/resolv.conf && exec \"$3\" run --config \"$4\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).args([&hosts, &resolver]);
    command.arg(env!("CARGO_BIN_EXE_radhook")).arg(config);
    Daemon::try_start_command(command).unwrap_or_else(|output| panic!("radhook ended before it was ready:\n{output}"))
}

/// Waits until everything that these receivers were to get has been tried, and is delivered, dead or due later.
fn wait_until_ended(config: &Path, cases: &[&Case]) {
    wait_until_status(config, "every attempt has ended", |status| {
        cases.iter().all(|case| {
            let endpoint = status.endpoint(&case.name);
            let pending = u64::from(matches!(case.comes_to, ComesTo::Due(..)));
            let received = endpoint.received == EVENTS as u64;
            received
                && endpoint.pending == pending
                && endpoint.in_flight == 0
                && (pending == 0 || endpoint.last_error.is_some())
        }) && status.endpoint("good").delivered == EVENTS as u64
    });
}

/// Lets one receiver have what waits for it, and returns by how much the daemon's memory was larger meanwhile, in KiB.
fn of_one(daemon: &Daemon, config: &Path, case: &Case) -> u64 {
    // Makes the peak what is resident now (proc(5)).
    fs::write(format!("/proc/{}/clear_refs", daemon.pid()), "5").expect("a process of our own");
    let before = resident(daemon);
    assert_eq!(radhook(config, &["endpoints", "enable", &case.name]).code, 0, "{}", case.name);
    wait_until_ended(config, &[case]);
    peak(daemon).saturating_sub(before)
}

fn resident(daemon: &Daemon) -> u64 {
    memory(daemon, "VmRSS:")
}

fn peak(daemon: &Daemon) -> u64 {
    memory(daemon, "VmHWM:")
}

fn memory(daemon: &Daemon, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("a process has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The report's line of a row.
fn line(name: &str, deliveries: &[Delivery], cost: Option<u64>) -> String {
    let last = deliveries.last().and_then(|delivery| delivery.last_attempts.last());
    let said = last.map(|attempt| match (&attempt.error, attempt.status) {
        (Some(error), _) => error.clone(),
        (None, status) => status.map(|status| status.to_string()).unwrap_or_default(),
    });
    let took = deliveries.iter().flat_map(|delivery| &delivery.last_attempts).map(|attempt| attempt.took_ms).max();
    let attempts: usize = deliveries.iter().map(|delivery| delivery.attempts).sum();
    let cost = cost.map_or_else(String::new, |cost| format!("{cost} KiB"));
    let state = deliveries.first().map(|delivery| delivery.state.as_str()).unwrap_or_default();
    format!(
        "{name:<36} {state:<9} {attempts:>2} attempts, {:>5} ms {cost:>10}  {}",
        took.unwrap_or_default(),
        said.unwrap_or_default()
    )
}

/// What is not as the table says.
fn faults(case: &Case, deliveries: &[Delivery]) -> Vec<String> {
    let mut faults = Vec::new();
    let wanted = if case.whole { EVENTS } else { 1 };
    if deliveries.len() != wanted {
        faults.push(format!("{} deliveries instead of {wanted}", deliveries.len()));
    }
    let attempts: usize = deliveries.iter().map(|delivery| delivery.attempts).sum();
    if let Some(receiver) = &case.receiver {
        let requests = receiver.requests();
        if requests.len() > attempts {
            faults.push(format!("{} requests in {attempts} attempts", requests.len()));
        }
        let unasked = |head: &&String| head.contains("\r\ncookie:") || head.contains("\r\naccept-encoding:");
        faults.extend(requests.iter().find(unasked).map(|head| format!("it was told {head}")));
        // What floods until the deadline is read until then.
        if receiver.written() > BUFFERS && !case.takes_its_time() {
            faults.push(format!("{} bytes were taken from it", receiver.written()));
        }
    }
    for delivery in deliveries {
        if !is_as_wanted(case.comes_to, delivery) {
            faults.push(format!("{delivery:?} instead of {:?}", case.comes_to));
        }
        let slow = |attempt: &&Attempt| Duration::from_millis(attempt.took_ms) > case.bound();
        faults.extend(delivery.last_attempts.iter().find(slow).map(|slow| format!("{slow:?} took too long")));
    }
    faults
}

fn is_as_wanted(comes_to: ComesTo, delivery: &Delivery) -> bool {
    let Some(last) = delivery.last_attempts.last() else { return false };
    let error = last.error.as_deref().unwrap_or_default();
    let (state, once) = (delivery.state.as_str(), delivery.attempts == 1);
    match comes_to {
        ComesTo::Delivered(status) => state == "delivered" && once && last.status == Some(status),
        ComesTo::DeliveredAtLast => state == "delivered" && delivery.attempts <= 2,
        ComesTo::Refused(status) => state == "dead" && once && last.status == Some(status),
        ComesTo::Failed(words) => state == "dead" && once && last.status.is_none() && error.contains(words),
        ComesTo::Over => state == "dead" && once && error.contains("within 1s"),
        ComesTo::Unconnected => state == "dead" && once && error == "cannot connect: nobody answered in time",
        ComesTo::Due(status, minutes) => {
            let ended = last.at + Duration::from_millis(last.took_ms);
            let off = delivery.due.map(|due| (due.duration_since(ended).as_secs() - minutes * 60).unsigned_abs());
            state == "pending" && once && last.status == Some(status) && off.is_some_and(|off| off < OFF.as_secs())
        }
    }
}
