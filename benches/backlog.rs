//! A backlog as a dead receiver leaves it: what it costs on the disk and in memory, how long a start with it takes, after a
//! stop and after a kill, and how fast it is delivered when the receiver is back.
//!
//! `cargo bench --bench backlog [-- --events N] [--window N] [--concurrency N]`, or `RADHOOK_BACKLOG=N`; a hundred thousand
//! events unless told otherwise, for a quick run. A million take some minutes and 6 GB of the build directory's disk.
//!
//! Everything, load and receiver included, shares the machine's cores.

#[path = "../tests/support/mod.rs"]
mod support;

mod harness;

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use harness::usage::{cpu_seconds, memory_mib, on_disk};
use radhook::lab::load::{self, LoadOptions, Pace};
use radhook::secret::Secret;
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::own_loopback;
use support::verbs::{status, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// Packets of a session: a start, two updates, a stop.
const PACKETS: u64 = 4;

/// What was tried while the receiver was away is tried again soon after it is back, and for long enough not to be given up.
const SCHEDULE: [&str; 32] = ["1s"; 32];

/// How often the receiver's count is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A receiver that gets nothing for so long will not get the rest either.
const STALLED: Duration = Duration::from_secs(60);

const MIB: f64 = 1024.0 * 1024.0;

#[derive(Debug, Parser)]
struct Options {
    /// Events in the backlog
    #[arg(long, env = "RADHOOK_BACKLOG", default_value_t = 100_000)]
    events: u64,
    /// Packets under way at once while it grows
    #[arg(long, default_value_t = 512)]
    window: usize,
    /// Requests under way at once while it is delivered
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// What cargo bench adds by itself
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory is writable");
    let address = SocketAddr::from((own_loopback(), 18131));
    let retry = format!("concurrency = {}\nretry = {{ schedule = {SCHEDULE:?} }}", options.concurrency);
    let config = Config::new(directory.path(), NAS).endpoint("crm", &format!("http://{address}/"), SECRET, &retry);
    let config = config.write();

    let daemon = Daemon::start(&config);
    print_memory("empty", &daemon);
    let events = grow(&options, &daemon);
    print_memory("with the backlog", &daemon);
    print_store(&config, directory.path());

    let begun = Instant::now();
    assert!(daemon.stop().success());
    println!("stop                {:>9.2} s", begun.elapsed().as_secs_f64());
    print_store_on_disk("stopped", directory.path());
    let daemon = start("after the stop", &config);
    daemon.kill9();
    let daemon = start("after the kill", &config);
    assert_eq!(status(&config).endpoint("crm").pending, events, "a restart loses nothing");

    drain(&daemon, address, events);
    let settled = wait_until_status(&config, "all is settled", |status| status.endpoint("crm").pending == 0);
    let crm = settled.endpoint("crm");
    assert_eq!((crm.received, crm.delivered, crm.dead), (events, events, 0));
    print_memory("delivered", &daemon);
    print_store(&config, directory.path());
    assert!(daemon.stop().success());
}

/// Plays sessions into a daemon whose receiver is away; returns how many events wait.
fn grow(options: &Options, daemon: &Daemon) -> u64 {
    let mut load = LoadOptions::new(daemon.accounting(), Secret::new(NAS));
    load.pace = Pace::Window(options.window);
    load.sessions = Some(options.events.div_ceil(PACKETS));
    let report = load::run(&load, |_| ControlFlow::Continue(())).expect("the load runs");
    assert_eq!((report.lost, report.bad_answers), (0, 0), "{report:?}");
    let at = |quantile| report.latency.value_at_quantile(quantile) as f64 / 1e6;
    println!(
        "{} events waiting, {:.0} acknowledged a second, p50 {:.2} ms, p99 {:.2} ms, max {:.0} ms",
        report.acknowledged,
        report.rate(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    report.acknowledged
}

fn start(when: &str, config: &Path) -> Daemon {
    let begun = Instant::now();
    let daemon = Daemon::start(config);
    println!("ready {when:<14} {:>7.2} s", begun.elapsed().as_secs_f64());
    print_memory("ready", &daemon);
    daemon
}

/// The receiver comes back and gets everything.
fn drain(daemon: &Daemon, address: SocketAddr, events: u64) {
    let (begun, cpu) = (Instant::now(), cpu_seconds(daemon.pid()));
    let sink = HttpSink::counting_at(address);
    let taken = || sink.taken() as u64;
    let mut progress = (0, begun);
    let mut wait_until_taken = |count: u64| {
        while taken() < count {
            if taken() > progress.0 {
                progress = (taken(), Instant::now());
            }
            assert!(progress.1.elapsed() < STALLED, "{} of {events} taken, and no more for {STALLED:?}", taken());
            thread::sleep(LOOK);
        }
        begun.elapsed().as_secs_f64()
    };
    let first = wait_until_taken(1);
    println!("first delivery      {first:>9.2} s after the receiver is back");
    let mut before = first;
    for quarter in 1..=4 {
        let at = wait_until_taken(events * quarter / 4);
        let rate = events as f64 / 4.0 / (at - before).max(f64::MIN_POSITIVE);
        println!(
            "quarter {quarter}           {rate:>9.0} deliveries/s, {:>6.0} MiB resident",
            memory_mib(daemon.pid()).0
        );
        before = at;
    }
    let (took, spent) = (before - first, cpu_seconds(daemon.pid()) - cpu);
    println!("all                 {:>9.0} deliveries/s in {took:.1} s", events as f64 / took);
    println!("CPU                 {:>9.0} µs a delivery", spent * 1e6 / events as f64);
    println!("repeats             {:>9}", taken() - events);
}

fn print_memory(when: &str, daemon: &Daemon) {
    let (now, most) = memory_mib(daemon.pid());
    println!("memory {when:<16} {now:>5.0} MiB resident, at most {most:.0} so far");
}

fn print_store(config: &Path, directory: &Path) {
    let store = status(config).store;
    let of = |key: &str| store[key].as_u64().unwrap_or_default() as f64 / MIB;
    println!(
        "store               {:>9.0} MiB used: journal {:.0}, sled {:.0}; overlay {:.0}",
        of("used"),
        of("journal"),
        of("sled"),
        of("overlay")
    );
    print_store_on_disk("running", directory);
}

fn print_store_on_disk(when: &str, directory: &Path) {
    println!("on disk, {when:<10} {:>9.0} MiB", on_disk(&directory.join("data")) as f64 / MIB);
}
