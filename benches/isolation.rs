//! What two bad receivers do to eight good ones and to RADIUS: ten endpoints under the same load, all of them healthy (A),
//! and with one that refuses and one that never answers among them (B), in turns.
//!
//! `cargo bench --bench isolation [-- --rate N]... [--seconds N] [--rounds N]`; takes about ten minutes.
//!
//! Everything shares the machine's cores: compare A with B. In B there are two receivers less to send to, so where the
//! machine is busy B may well be the faster one. The latency of a delivery counts from `received_at`, which is cut to
//! whole milliseconds, to the end of its request's body.

#[path = "../tests/support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use clap::Parser;
use hdrhistogram::Histogram;
use jiff::Timestamp;
use radhook::lab::load::{self, LoadOptions, Pace};
use radhook::secret::Secret;
use support::daemon::{Config, Daemon};
use support::own_loopback;
use support::raw::{Conduct, RawReceiver};
use support::verbs::status;
use support::witness::SECRET;
use tokio::runtime::Runtime;

const NAS: &str = "nas-to-radhook";

/// Healthy in A and in B.
const GOOD: usize = 8;

/// Healthy in A only: the first refuses in B, the second never answers.
const BAD: [&str; 2] = ["refuses", "hangs"];

/// Packets of a session: a start, two updates, a stop.
const PACKETS: f64 = 4.0;

/// How often the sinks are looked at while the backlog drains.
const LOOK: Duration = Duration::from_millis(20);

/// A drain that takes longer than this is a failure.
const DRAIN: Duration = Duration::from_secs(180);

#[derive(Debug, Parser)]
struct Options {
    /// Packets a second; may be given several times
    #[arg(long = "rate", default_values_t = [500.0, 2000.0])]
    rates: Vec<f64>,
    /// How long they are sent
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Rounds of A and B each
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What cargo bench adds by itself
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the good ones of a round got, and RADIUS.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Deliveries a second to each good one, from the first packet until it had everything.
    rate: f64,
    /// From packet to request, in milliseconds.
    delivery: [f64; 2],
    /// From packet to acknowledgement, in milliseconds.
    acknowledgement: [f64; 2],
}

fn main() {
    let options = Options::parse();
    println!(
        "{:>8} {:<10} {:>11} {:>10} {:>10} {:>12} {:>12}",
        "packets", "round", "delivered/s", "p50 ms", "p99 ms", "ack p50 ms", "ack p99 ms"
    );
    for &rate in &options.rates {
        let mut rounds: [Vec<Round>; 2] = Default::default();
        for _ in 0..options.rounds {
            for (bad, rounds) in [false, true].into_iter().zip(&mut rounds) {
                let round = round(rate, options.seconds, bad);
                print_row(rate, if bad { "B" } else { "A" }, round.figures());
                rounds.push(round);
            }
        }
        let [a, b] = rounds.map(|rounds| medians(&rounds));
        print_row(rate, "A, median", a);
        print_row(rate, "B, median", b);
        print_row(rate, "B to A", std::array::from_fn(|at| b[at] / a[at]));
    }
}

/// A round on a daemon of its own, so that none inherits another one's backlog.
fn round(rate: f64, seconds: f64, bad: bool) -> Round {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory is writable");
    let sinks = Sinks::start(GOOD + BAD.len());
    let hangs = RawReceiver::start(Conduct::Hang);
    let mut urls: Vec<(String, String)> = (1..=GOOD).map(|at| format!("good-{at}")).zip(sinks.urls()).collect();
    if bad {
        urls.push((BAD[0].to_owned(), refusing()));
        urls.push((BAD[1].to_owned(), hangs.url()));
    } else {
        urls.extend(BAD.map(str::to_owned).into_iter().zip(sinks.urls().skip(GOOD)));
    }
    let mut config = Config::new(directory.path(), NAS);
    for (name, url) in &urls {
        config = config.endpoint(name, url, SECRET, "");
    }
    let config = config.write();
    let daemon = Daemon::start(&config);

    let mut options = LoadOptions::new(daemon.accounting(), Secret::new(NAS));
    options.pace = Pace::Rate(rate);
    options.sessions = Some((rate * seconds / PACKETS) as u64);
    let begun = Instant::now();
    let report = load::run(&options, |_| ControlFlow::Continue(())).expect("the load runs");
    assert_eq!((report.lost, report.bad_answers), (0, 0), "{report:?}");
    let loaded = Instant::now();
    let good = || sinks.latencies.iter().take(GOOD).map(|latency| latency.lock().expect("nobody panics with it"));
    while good().any(|latency| latency.len() < report.acknowledged) {
        assert!(loaded.elapsed() < DRAIN, "not delivered within {DRAIN:?}: {:?}", status(&config));
        std::thread::sleep(LOOK);
    }
    let took = begun.elapsed().as_secs_f64();
    let mut together = good().next().expect("there are good ones").clone();
    good().skip(1).for_each(|latency| together.add(&*latency).expect("they are alike"));
    // Reading it checks that every endpoint's figures add up.
    for endpoint in status(&config).endpoints {
        assert_eq!(endpoint.received, report.acknowledged, "{endpoint:?}");
        assert!(!bad || !BAD.contains(&&*endpoint.name) || endpoint.delivered == 0, "{endpoint:?}");
    }
    daemon.kill9();
    let at = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64;
    Round {
        rate: report.acknowledged as f64 / took,
        delivery: [0.5, 0.99].map(|quantile| at(&together, quantile) / 1e3),
        acknowledgement: [0.5, 0.99].map(|quantile| at(&report.latency, quantile) / 1e6),
    }
}

impl Round {
    fn figures(&self) -> [f64; 5] {
        let Self { rate, delivery: [p50, p99], acknowledgement: [ack_p50, ack_p99] } = *self;
        [rate, p50, p99, ack_p50, ack_p99]
    }
}

fn medians(rounds: &[Round]) -> [f64; 5] {
    std::array::from_fn(|at| {
        let mut figures: Vec<f64> = rounds.iter().map(|round| round.figures()[at]).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    })
}

fn print_row(rate: f64, name: &str, [per_second, p50, p99, ack_p50, ack_p99]: [f64; 5]) {
    println!("{rate:>6.0}/s {name:<10} {per_second:>11.2} {p50:>10.2} {p99:>10.2} {ack_p50:>12.3} {ack_p99:>12.3}");
}

/// Nobody listens there, and nobody will: the address is our own.
fn refusing() -> String {
    let listener = TcpListener::bind((own_loopback(), 0)).expect("loopback takes a TCP listener");
    format!("http://{}/", listener.local_addr().expect("a bound listener has an address"))
}

/// Receivers that take every POST at once, and how long each was under way, in microseconds.
struct Sinks {
    addresses: Vec<SocketAddr>,
    latencies: Vec<Arc<Mutex<Histogram<u64>>>>,
    runtime: Option<Runtime>,
}

impl Sinks {
    fn start(count: usize) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("it starts");
        let mut sinks = Self { addresses: Vec::new(), latencies: Vec::new(), runtime: None };
        for _ in 0..count {
            let listener =
                runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback takes a listener");
            sinks.addresses.push(listener.local_addr().expect("a bound listener has an address"));
            let latency = Arc::new(Mutex::new(Histogram::new(3).expect("3 digits are few enough")));
            let routes = Router::new().route("/", post(take)).with_state(Arc::clone(&latency));
            runtime.spawn(async move { axum::serve(listener, routes).await });
            sinks.latencies.push(latency);
        }
        sinks.runtime = Some(runtime);
        sinks
    }

    fn urls(&self) -> impl Iterator<Item = String> {
        self.addresses.iter().map(|address| format!("http://{address}/"))
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn take(State(latency): State<Arc<Mutex<Histogram<u64>>>>, body: Bytes) -> StatusCode {
    let now = Timestamp::now();
    let received = received_at(&body).expect("every event says when its packet came");
    let took = u64::try_from(now.as_microsecond() - received.as_microsecond()).unwrap_or_default();
    latency.lock().expect("nobody panics with it").record(took).expect("it resizes itself");
    StatusCode::NO_CONTENT
}

fn received_at(body: &[u8]) -> Option<Timestamp> {
    let (_, rest) = std::str::from_utf8(body).ok()?.split_once("\"received_at\":\"")?;
    rest.split_once('"')?.0.parse().ok()
}
