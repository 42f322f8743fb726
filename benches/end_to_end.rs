//! The whole program, measured from outside: what it acknowledges and how soon, how soon an event is with its receiver, how fast
//! a backlog drains, what bad receivers and many endpoints cost, and what it takes when nothing happens.
//!
//! `cargo bench --bench end_to_end [-- --rounds N] [--seconds N] [--only SECTION]...`
//!
//! Beside radhook, in turns with it, stand the bare machine's figures that it is judged by: one fdatasync after the other, and a
//! loop of POSTs by the same client library. Everything, load and receiver included, shares the machine's cores: compare
//! figures of one run. `cargo bench --bench report` makes the table.

mod harness;
#[path = "../tests/support/mod.rs"]
mod support;

use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use harness::bare;
use harness::drive::{Drive, drive};
use harness::receiver::{Conduct, Receiver};
use harness::results::{Figures, Results};
use harness::subject::{CONCURRENCY, NAS, Radhook, configured, data_directory, dead_address};
use harness::transit;
use harness::usage::{cpu_seconds, cpu_seconds_fine, memory_mib, settle};
use radhook::lab::load::Pace;
use support::daemon::Daemon;
use support::verbs::status;

/// Packets under way where the receivers are compared: enough that commits are shared, and no queue.
const RECEIVERS_WINDOW: u64 = 64;

/// Packets under way while a backlog grows.
const GROW_WINDOW: u64 = 512;

/// One in so many of a backlog goes out before its drain is measured.
const WARM_SHARE: u64 = 10;

/// Events between packet and receiver where endpoints are compared.
const BACKLOG: u64 = 500;

/// Requests under way to each of many endpoints.
const ENDPOINT_CONCURRENCY: u64 = 4;

/// What gets nothing for so long will not get the rest either.
const STALLED: Duration = Duration::from_secs(60);

/// How often a count is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// After so long a daemon that was just started has done all that a start does: also the next journal segment, made with the first
/// checkpoint.
const SETTLED: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Acknowledged a second by packets under way
    Acks,
    /// Latency of acknowledgements at open rates
    Rates,
    /// From packet to request
    Post,
    /// A backlog drains
    Drain,
    /// Alive, dead, hanging, refusing receivers
    Receivers,
    /// What it takes when nothing happens
    Idle,
    /// From its start until it is ready
    Start,
    /// One, ten, a hundred endpoints
    Endpoints,
}

#[derive(Debug, Parser)]
struct Options {
    /// Rounds of each row
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each round is measured, in seconds, after a second to warm up
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How long idling is looked at, in seconds
    #[arg(long, default_value_t = 10.0)]
    idle_seconds: f64,
    /// Starts of each kind
    #[arg(long, default_value_t = 7)]
    starts: usize,
    /// Only these sections; may be given several times
    #[arg(long, value_enum)]
    only: Vec<Section>,
    /// What cargo bench adds by itself
    #[arg(long, hide = true)]
    bench: bool,
}

/// A round of a section: its rows go into the results.
type Measure = fn(Duration, &mut Results);

fn main() {
    let options = Options::parse();
    let span = Duration::from_secs_f64(options.seconds);
    let mut results = Results::new("end_to_end");
    let wanted = |section: Section| options.only.is_empty() || options.only.contains(&section);
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        let sections: [(Section, Measure); 6] = [
            (Section::Acks, acks),
            (Section::Rates, rates),
            (Section::Post, post),
            (Section::Drain, drain),
            (Section::Receivers, receivers),
            (Section::Endpoints, endpoints),
        ];
        for (section, measure) in sections {
            if wanted(section) {
                measure(span, &mut results);
            }
        }
    }
    if wanted(Section::Idle) {
        idle(Duration::from_secs_f64(options.idle_seconds), &mut results);
    }
    if wanted(Section::Start) {
        (0..options.starts).for_each(|_| results.add("start", 0, start()));
    }
    results.write("end_to_end");
}

/// Right before what is judged by it, since disks have moods.
fn fdatasync(before: &str, setting: u64, span: Duration, results: &mut Results) {
    results.add(&format!("bare, fdatasync ({before})"), setting, bare::fdatasync(data_directory().path(), false, span));
}

fn acks(span: Duration, results: &mut Results) {
    for window in [1, 64, 512] {
        let receiver = Receiver::start();
        let radhook = Radhook::single(&receiver.url(), CONCURRENCY);
        let load = Drive::window(radhook.accounting(), NAS, radhook.pid(), window, span);
        results.add("acks by window", window, drive(&load).0);
        radhook.end();
    }
}

fn rates(span: Duration, results: &mut Results) {
    for rate in [1000, 10_000] {
        fdatasync("acks", rate, span, results);
        let receiver = Receiver::start();
        let radhook = Radhook::single(&receiver.url(), CONCURRENCY);
        let mut load = Drive::window(radhook.accounting(), NAS, radhook.pid(), 1, span);
        load.pace = Pace::Rate(rate as f64);
        results.add("acks by rate", rate, drive(&load).0);
        radhook.end();
    }
}

fn post(span: Duration, results: &mut Results) {
    fdatasync("POST", 1000, span, results);
    results.add("packet to POST", 1000, transit::measure(1000.0, span));
}

/// As much as is acknowledged in the span while the receiver is dead; then it comes, at the same address.
fn drain(span: Duration, results: &mut Results) {
    let address = dead_address();
    let radhook = Radhook::single(&format!("http://{address}/"), CONCURRENCY);
    let load = Drive::window(radhook.accounting(), NAS, radhook.pid(), GROW_WINDOW, span);
    drive(&load);
    let waiting = status(&radhook.config).endpoint("crm-1").pending;
    let receiver = Receiver::start_at(address);
    // The first ones find out that it is back, each as its retry comes; a drain is what follows.
    wait_until_taken(&receiver, waiting / WARM_SHARE);
    let (first, cpu, before) = (Instant::now(), cpu_seconds(radhook.pid()), receiver.events());
    wait_until_taken(&receiver, waiting);
    let (seconds, delivered) = (first.elapsed().as_secs_f64(), (waiting - before) as f64);
    let body = receiver.sample().expect("it took something");
    let figures = Figures::from([
        ("per_second".to_owned(), delivered / seconds),
        ("cpu_us".to_owned(), (cpu_seconds(radhook.pid()) - cpu) * 1e6 / delivered),
        ("events".to_owned(), waiting as f64),
        ("body_octets".to_owned(), body.len() as f64),
        ("rss_mib".to_owned(), memory_mib(radhook.pid()).1),
    ]);
    results.add("drain", CONCURRENCY, figures);
    radhook.end();
    results.add("bare, POST of the same", CONCURRENCY, bare::posts(&receiver.url(), &body, CONCURRENCY, span));
}

fn wait_until_taken(receiver: &Receiver, count: u64) {
    let mut progress = (0, Instant::now());
    while receiver.events() < count {
        if receiver.events() > progress.0 {
            progress = (receiver.events(), Instant::now());
        }
        assert!(progress.1.elapsed() < STALLED, "{} of {count} taken, and no more for {STALLED:?}", progress.0);
        thread::sleep(LOOK);
    }
}

/// The acknowledgements are the same whatever the receiver does, and what they promise is there.
fn receivers(span: Duration, results: &mut Results) {
    let conducts = [
        ("alive", Some(Conduct::Take)),
        ("dead", None),
        ("hanging", Some(Conduct::Hang)),
        ("503", Some(Conduct::Unavailable)),
    ];
    for (name, conduct) in conducts {
        let receiver = Receiver::start();
        receiver.behave(conduct.unwrap_or(Conduct::Take));
        let url = if conduct.is_some() { receiver.url() } else { format!("http://{}/", dead_address()) };
        let radhook = Radhook::single(&url, CONCURRENCY);
        let load = Drive::window(radhook.accounting(), NAS, radhook.pid(), RECEIVERS_WINDOW, span);
        let (mut figures, report) = drive(&load);
        let endpoint = status(&radhook.config).endpoint("crm-1").clone();
        let kept = endpoint.delivered + endpoint.pending;
        figures.insert("missing".to_owned(), report.acknowledged.saturating_sub(kept) as f64);
        figures.insert("delivered".to_owned(), endpoint.delivered as f64);
        results.add(&format!("acks, receiver {name}"), RECEIVERS_WINDOW, figures);
        radhook.end();
    }
}

/// Every event goes to each of them, in balance.
fn endpoints(span: Duration, results: &mut Results) {
    for count in [1u64, 10, 100] {
        let receiver = Receiver::start();
        let urls: Vec<String> = (1..=count).map(|at| format!("{}{at}", receiver.url())).collect();
        let radhook = Radhook::start(&urls, &format!("concurrency = {ENDPOINT_CONCURRENCY}"));
        // The load counts in events: each is taken so many times.
        let taken = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let mut load = Drive::window(radhook.accounting(), NAS, radhook.pid(), BACKLOG, span);
        load.balance = Some((std::sync::Arc::clone(&taken), BACKLOG));
        load.deliveries = count;
        let ending = std::sync::atomic::AtomicBool::new(false);
        let mut figures = thread::scope(|scope| {
            scope.spawn(|| {
                while !ending.load(std::sync::atomic::Ordering::Relaxed) {
                    taken.store(receiver.events() / count, std::sync::atomic::Ordering::Relaxed);
                    thread::sleep(LOOK);
                }
            });
            let (figures, _) = drive(&load);
            ending.store(true, std::sync::atomic::Ordering::Relaxed);
            figures
        });
        let deliveries = figures["per_second"] * count as f64;
        figures.insert("deliveries_per_second".to_owned(), deliveries);
        results.add("endpoints", count, figures);
        radhook.end();
    }
}

/// With an endpoint, and nothing to tell it.
fn idle(span: Duration, results: &mut Results) {
    let receiver = Receiver::start();
    let radhook = Radhook::single(&receiver.url(), CONCURRENCY);
    thread::sleep(SETTLED);
    let (begun, cpu) = (Instant::now(), cpu_seconds_fine(radhook.pid()));
    thread::sleep(span);
    let share = (cpu_seconds_fine(radhook.pid()) - cpu) / begun.elapsed().as_secs_f64();
    let figures = [("cores".to_owned(), share), ("rss_mib".to_owned(), memory_mib(radhook.pid()).0)];
    results.add("idle", 0, figures.into());
    radhook.end();
}

/// From before the process is made until its ready line is read, on an empty store.
fn start() -> Figures {
    let receiver = Receiver::start();
    let directory = data_directory();
    let config = configured(directory.path(), &[receiver.url()], "");
    settle();
    let begun = Instant::now();
    let daemon = Daemon::start(&config);
    let took = begun.elapsed();
    daemon.kill9();
    Figures::from([("ms".to_owned(), took.as_secs_f64() * 1e3)])
}
