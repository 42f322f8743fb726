//! Many sessions at once: what they cost, a restart with them, and the restart of a NAS that has half of them (at most
//! 100,000), while the others go on.
//!
//! `cargo bench --bench sessions`; `RADHOOK_SESSIONS` sets how many (200,000 unless set). Everything shares the machine's cores.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use jiff::Timestamp;
use radhook::lab::nas::{Nas, NasOptions, Record, Session};
use radhook::secret::Secret;
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::verbs::{radhook, status, wait_until};

const SECRET: &str = "nas-to-radhook";
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Requests under way at once: identifiers of one socket.
const WINDOW: usize = 200;

/// A packet, or its answer, that got lost on a busy machine is sent again after so long, as a NAS does.
const RESEND: Duration = Duration::from_secs(2);

/// A run that takes longer has come to a standstill.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Sessions of the NAS that restarts, at most.
const MOST_LOST: usize = 100_000;

/// Updates a second of those who stay, while the others are lost.
const STAYING: f64 = 500.0;

fn main() {
    let sessions: usize = std::env::var("RADHOOK_SESSIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::counting();
    // What was delivered is forgotten at once, so that what is left is what sessions cost.
    let config = Config::new(directory.path(), SECRET)
        .store("history = { keep = \"0s\", max_records = 0 }")
        .endpoint("losses", &sink.url(), SIGNING, "events = [\"session.lost\"]\nconcurrency = 64")
        .write();
    let daemon = Daemon::start(&config);
    println!("empty: {} MiB of memory", memory(&daemon));

    let leaving = (sessions / 2).min(MOST_LOST);
    let nas = |name: &str, address: [u8; 4]| {
        let users = u32::try_from(sessions).expect("fewer than 2^32");
        let (identifier, realm) = (name.to_owned(), format!("{name}.example.org"));
        Nas::new(NasOptions { identifier, realm, address: address.into(), users, ..NasOptions::default() })
    };
    let (mut going, mut staying) = (nas("going", [10, 0, 0, 1]), nas("staying", [10, 0, 0, 2]));
    let begun = Timestamp::now();
    // Both count their users' devices from the same one on: those that are on the first are not on the second.
    (0..leaving).for_each(|_| drop(staying.open(begun)));
    let mut open: Vec<Session> = Vec::new();
    let mut starts = Vec::new();
    for at in 0..sessions {
        let mut session = if at < leaving { going.open(begun) } else { staying.open(begun) };
        starts.extend(session.next(begun));
        if at >= leaving && open.len() < 20_000 {
            open.push(session);
        }
    }
    let (latency, took) = send(daemon.accounting(), starts, None);
    tell(&format!("{sessions} starts"), &latency, took);
    settle(&config, sessions);
    println!("{sessions} open sessions: {} MiB of memory, {}", memory(&daemon), disk(&config));

    assert!(daemon.stop().success());
    let again = Instant::now();
    let daemon = Daemon::start(&config);
    println!(
        "restart with them: ready after {:.1} s, {} MiB of memory",
        again.elapsed().as_secs_f64(),
        memory(&daemon)
    );

    // The NAS restarts, and says so twenty times over; the others go on.
    let now = Timestamp::now();
    let ons: Vec<Record> =
        (0..20).map(|second| going.on(now.checked_add(Duration::from_secs(second)).expect("soon"))).collect();
    let mut updates: Vec<Record> = Vec::new();
    for session in &mut open {
        updates.extend(session.next(now));
    }
    let storm = Instant::now();
    let (latency, took) = send(daemon.accounting(), ons, None);
    tell("20 Accounting-On", &latency, took);
    let told = {
        let config = config.clone();
        std::thread::spawn(move || {
            wait_until("all are lost", || (status(&config).open_sessions == (sessions - leaving) as u64).then_some(()));
            storm.elapsed()
        })
    };
    let (latency, took) = send(daemon.accounting(), updates, Some(STAYING));
    tell("updates of the others meanwhile", &latency, took);
    let took = told.join().expect("it waits to the end");
    println!("{leaving} sessions were lost within {:.1} s of the first Accounting-On", took.as_secs_f64());
    wait_until("all are told", || (status(&config).endpoint("losses").delivered as usize >= leaving).then_some(()));
    println!("and delivered within {:.1} s; {} MiB of memory", storm.elapsed().as_secs_f64(), memory(&daemon));
    let all = status(&config);
    let losses = all.endpoint("losses");
    losses.assert_adds_up();
    assert_eq!((losses.delivered as usize, losses.pending, losses.dead), (leaving, 0, 0), "{losses:?}");
    assert_eq!(sink.taken(), leaving, "each is told once");
    println!("received {} = delivered {} + filtered {}", losses.received, losses.delivered, losses.filtered);
    let listed = radhook(&config, &["sessions", "list", "--limit", "1", "--nas", "going", "--json"]);
    assert!(listed.json().is_empty(), "nobody is left on that NAS");
    assert!(daemon.stop().success());
}

/// Sends these and waits for each answer, as fast as it goes or at a rate; says how long each waited.
fn send(target: SocketAddr, records: Vec<Record>, rate: Option<f64>) -> (Histogram<u64>, Duration) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a socket");
    socket.connect(target).expect("it is on loopback");
    let secret = Secret::new(SECRET);
    let mut latency = Histogram::new(3).expect("three digits are a precision");
    // When each was sent first and last, and what.
    let mut waiting: Vec<Option<(Instant, Instant, Vec<u8>)>> = vec![None; 256];
    let mut free: Vec<u8> = (0..WINDOW).map(|identifier| u8::try_from(identifier).expect("below 256")).collect();
    let (begun, mut answer) = (Instant::now(), [0; 4096]);
    let mut records = records.into_iter().enumerate().peekable();
    while records.peek().is_some() || free.len() < WINDOW {
        while let Some((at, record)) = records.peek() {
            let is_due = rate.is_none_or(|rate| begun.elapsed().as_secs_f64() * rate >= *at as f64);
            let Some(identifier) = free.last().copied().filter(|_| is_due) else { break };
            let packet = record.packet(identifier, &secret, 0).expect("its names are short");
            socket.send(&packet).expect("loopback takes it");
            let now = Instant::now();
            waiting[usize::from(identifier)] = Some((now, now, packet));
            free.pop();
            records.next();
        }
        socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout can be set");
        while let Ok(length) = socket.recv(&mut answer) {
            let identifier = answer[..length][1];
            if let Some((sent, ..)) = waiting[usize::from(identifier)].take() {
                latency += u64::try_from(sent.elapsed().as_micros()).expect("nobody waits for ages");
                free.insert(0, identifier);
            }
            if !free.is_empty() && rate.is_none() {
                break;
            }
        }
        for (_, last, packet) in waiting.iter_mut().flatten().filter(|(_, last, _)| last.elapsed() > RESEND) {
            socket.send(packet).expect("loopback takes it");
            *last = Instant::now();
        }
        assert!(begun.elapsed() < PATIENCE, "not all is answered after {PATIENCE:?}");
    }
    (latency, begun.elapsed())
}

fn tell(what: &str, latency: &Histogram<u64>, took: Duration) {
    let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "{what}: {:.0} a second, answered after {:.1} ms (half), {:.1} ms (99 %), {:.1} ms (slowest)",
        latency.len() as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Waits until the history has let go of what was told.
fn settle(config: &std::path::Path, sessions: usize) {
    wait_until("all is in", || (status(config).endpoint("losses").received as usize >= sessions).then_some(()));
    let count = || radhook(config, &["events", "list", "--limit", "1", "--json"]).json().len();
    wait_until("the history is empty", || (count() == 0).then_some(()));
    // The checkpoint behind it.
    wait_until("a checkpoint", || {
        let overlay = status(config).store["overlay"].as_u64();
        (overlay < Some(1 << 20)).then_some(())
    });
}

/// Resident memory, in MiB.
fn memory(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

fn disk(config: &std::path::Path) -> String {
    let store = status(config).store;
    let mib = |key: &str| store[key].as_u64().unwrap_or(0) >> 20;
    format!("{} MiB in sled's file, {} MiB counted as used", mib("sled"), mib("used"))
}
