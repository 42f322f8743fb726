//! radhook beside its peers, in one run: the same simulated NAS against FreeRADIUS doing nothing, FreeRADIUS posting each
//! record with rlm_rest, and radhook delivering each event.
//!
//! `cargo bench --bench peers [-- --sessions N] [--window N]... [--rounds N]`
//!
//! Needs what `tests/run --prepare` installs. Everything, load and receiver included, shares the machine's cores, so the
//! figures compare with each other and not with those of another machine. Each line is the round whose rate is the median.

#[path = "../tests/support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use serde::Deserialize;
use support::daemon::{Config, Daemon};
use support::freeradius::{Accounting, FreeRadius, NAS_SECRET};
use support::http_sink::HttpSink;
use support::process::{Process, Stream};

/// The signing secret of radhook's endpoint: signing is part of what it does.
const SIGNING_SECRET: &str = "whsec_cmFkaG9vay1wZWVycy1iZW5jaC1zZWNyZXQ=";

/// A backlog larger than this much time is told as not delivered.
const DRAIN: Duration = Duration::from_secs(60);

/// How often the receiver's count is looked at while the backlog drains.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Parser)]
struct Options {
    /// Sessions a round, each of four packets: start, two updates, stop
    #[arg(long, default_value_t = 5000)]
    sessions: usize,
    /// Packets under way at once; may be given several times
    #[arg(long = "window", default_values_t = [64, 512])]
    windows: Vec<usize>,
    /// Rounds for each peer and window
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What cargo bench adds by itself
    #[arg(long, hide = true)]
    bench: bool,
}

/// What `radhook simulate --json` reports in its last line, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Report {
    acknowledged: usize,
    lost: usize,
    rate: f64,
    latency_us: Latency,
}

#[derive(Debug, Deserialize)]
struct Latency {
    p50: u64,
    p99: u64,
}

/// One round: the load's report, and what reached the receiver after how long, where there is one.
struct Round {
    report: Report,
    delivered: Option<(usize, f64)>,
}

#[derive(Clone, Copy)]
enum Peer {
    Nothing,
    Rest,
    Radhook,
}

impl Peer {
    const ALL: [Self; 3] = [Self::Nothing, Self::Rest, Self::Radhook];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "FreeRADIUS, nothing",
            Self::Rest => "FreeRADIUS + rlm_rest",
            Self::Radhook => "radhook",
        }
    }

    /// A round on a peer of its own, so that none inherits another one's backlog.
    fn round(self, sessions: usize, window: usize) -> Round {
        let sink = HttpSink::counting();
        match self {
            Self::Nothing => {
                let freeradius = FreeRadius::start(&Accounting::Nothing);
                Round { report: simulate(freeradius.accounting(), sessions, window), delivered: None }
            }
            Self::Rest => {
                let freeradius = FreeRadius::start(&Accounting::Rest { url: sink.url() });
                delivered_to(&sink, || simulate(freeradius.accounting(), sessions, window))
            }
            Self::Radhook => {
                let directory =
                    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory is writable");
                let config = Config::new(directory.path(), NAS_SECRET)
                    .endpoint("sink", &sink.url(), SIGNING_SECRET, "concurrency = 64")
                    .write();
                let daemon = Daemon::start(&config);
                delivered_to(&sink, || simulate(daemon.accounting(), sessions, window))
            }
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    println!(
        "{:<22} {:>6} {:>7} {:>6} {:>9} {:>9} {:>9} {:>10} {:>12}",
        "peer", "window", "acked", "lost", "acked/s", "p50 µs", "p99 µs", "delivered", "delivered/s"
    );
    let mut whole = true;
    for &window in &options.windows {
        // Peers take turns, so that a change of the machine's mood meets all of them.
        let mut rounds: Vec<Vec<Round>> = Peer::ALL.iter().map(|_| Vec::new()).collect();
        for _ in 0..options.rounds {
            for (peer, rounds) in Peer::ALL.iter().zip(&mut rounds) {
                rounds.push(peer.round(options.sessions, window));
            }
        }
        for (peer, mut rounds) in Peer::ALL.into_iter().zip(rounds) {
            rounds.sort_by(|a, b| a.report.rate.total_cmp(&b.report.rate));
            let median = &rounds[rounds.len() / 2];
            print_row(peer, window, median);
            let incomplete = |round: &Round| {
                round.report.lost > 0 || round.delivered.is_some_and(|(count, _)| count < round.report.acknowledged)
            };
            whole &= !(matches!(peer, Peer::Radhook) && rounds.iter().any(incomplete));
        }
    }
    if whole {
        ExitCode::SUCCESS
    } else {
        eprintln!("radhook lost a packet, or did not deliver within {DRAIN:?} what it had acknowledged");
        ExitCode::FAILURE
    }
}

fn print_row(peer: Peer, window: usize, Round { report, delivered }: &Round) {
    let (count, rate) = match delivered {
        Some((count, seconds)) => (count.to_string(), format!("{:.0}", *count as f64 / seconds)),
        None => ("-".to_owned(), "-".to_owned()),
    };
    println!(
        "{:<22} {:>6} {:>7} {:>6} {:>9.0} {:>9} {:>9} {:>10} {:>12}",
        peer.name(),
        window,
        report.acknowledged,
        report.lost,
        report.rate,
        report.latency_us.p50,
        report.latency_us.p99,
        count,
        rate
    );
}

/// The NAS is radhook's own, for all peers alike.
fn simulate(target: SocketAddr, sessions: usize, window: usize) -> Report {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    command
        .args(["simulate", "--json", "--secret", NAS_SECRET, "--interims", "2", "--seed", "1"])
        .args(["--target", &target.to_string()])
        .args(["--sessions", &sessions.to_string(), "--window", &window.to_string()]);
    let mut process = Process::start("radhook simulate", &mut command);
    // Its exit code says whether anything was lost, which the report says too.
    process.wait_until_exit();
    let last = process.lines(Stream::Stdout).pop().unwrap_or_default();
    serde_json::from_str(&last).unwrap_or_else(|error| panic!("{error} in {last:?}:\n{}", process.transcript()))
}

/// Runs the load, waits until as much has been delivered as was acknowledged, and counts from the load's beginning.
fn delivered_to(sink: &HttpSink, load: impl FnOnce() -> Report) -> Round {
    let begun = Instant::now();
    let report = load();
    let loaded = Instant::now();
    while sink.taken() < report.acknowledged && loaded.elapsed() < DRAIN {
        std::thread::sleep(LOOK);
    }
    Round { delivered: Some((sink.taken(), begun.elapsed().as_secs_f64())), report }
}
