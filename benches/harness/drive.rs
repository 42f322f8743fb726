//! The load, the same for every peer: radhook's own simulated NAS, for a span of time after a moment to warm up.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use radhook::lab::load::{self, Backlog, LoadOptions, LoadReport, Pace};
use radhook::secret::Secret;

use super::bare::quantiles;
use super::results::Figures;
use super::usage::{cpu_seconds, memory_mib};

/// Soon, so that a peer which drops packets gets its window filled again: three seconds, as NASes have it, would leave it idle.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Threads and connections are there after so long.
const WARM_UP: Duration = Duration::from_secs(1);

/// One drive.
pub struct Drive<'a> {
    /// Where accounting is taken.
    pub target: SocketAddr,
    /// The secret shared with it.
    pub secret: &'a str,
    /// Packets under way, or a second.
    pub pace: Pace,
    /// How long is measured, after the warm-up.
    pub span: Duration,
    /// Whose CPU and memory are looked at.
    pub pid: u32,
    /// What the receiver has taken, and how many events may be between: the target is held in balance.
    pub balance: Option<(Arc<AtomicU64>, u64)>,
    /// Deliveries that each event makes.
    pub deliveries: u64,
}

impl<'a> Drive<'a> {
    /// So many packets under way, and nothing held back.
    pub fn window(target: SocketAddr, secret: &'a str, pid: u32, window: u64, span: Duration) -> Self {
        Self { target, secret, pace: Pace::Window(window as usize), span, pid, balance: None, deliveries: 1 }
    }
}

/// Where everything stood at one moment.
struct Mark {
    at: Instant,
    cpu: f64,
    report: LoadReport,
}

/// Drives, and says what came of it: `per_second` (acknowledged), latencies, `cpu_us` an event and `lost` packets; the report is
/// of the whole, the warm-up among it.
pub fn drive(drive: &Drive) -> (Figures, LoadReport) {
    let mut options = LoadOptions::new(drive.target, Secret::new(drive.secret));
    options.pace = drive.pace;
    options.sessions = None;
    options.timeout = TIMEOUT;
    options.tries = 10;
    let warm_up = WARM_UP.min(drive.span);
    options.duration = Some(warm_up + drive.span + Duration::from_secs(60));
    let begun = Instant::now();
    let (mut first, mut last): (Option<Mark>, Option<Mark>) = (None, None);
    let progress = |report: &LoadReport| {
        let at = Instant::now();
        let mark = || Mark { at, cpu: cpu_seconds(drive.pid), report: report.clone() };
        if first.is_none() && at - begun >= warm_up {
            first = Some(mark());
        }
        if first.as_ref().is_some_and(|first| at - first.at >= drive.span) && last.is_none() {
            last = Some(mark());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    let report = match &drive.balance {
        Some((taken, at_most)) => {
            let backlog = Backlog { taken: Arc::clone(taken), at_most: *at_most };
            load::run_balanced(&options, &backlog, progress)
        }
        None => load::run(&options, progress),
    };
    let report = report.expect("the load runs");
    let (first, last) = (first.expect("it warmed up"), last.expect("it went on for its span"));
    let mut latency = last.report.latency.clone();
    latency.subtract(&first.report.latency).expect("a later histogram holds the earlier");
    let acknowledged = (last.report.acknowledged - first.report.acknowledged) as f64;
    let seconds = (last.at - first.at).as_secs_f64();
    let mut figures = quantiles(&latency);
    let mut note = |name: &str, value: f64| figures.extend([(name.to_owned(), value)]);
    note("per_second", acknowledged / seconds);
    note("cpu_us", (last.cpu - first.cpu) * 1e6 / acknowledged.max(1.0) / drive.deliveries as f64);
    note("cores", (last.cpu - first.cpu) / seconds);
    note("lost", report.lost as f64);
    note("sent_again", report.retransmitted as f64);
    note("rss_mib", memory_mib(drive.pid).1);
    (figures, report)
}
