//! RADIUS latency before, during and after an outage of the receiver: the same load all along, at two rates, one of them
//! far above what a site sends.
//!
//! `cargo bench --bench outage`; takes a bit more than three minutes. Everything shares the machine's cores: compare the
//! three phases with each other.

#[path = "../tests/support/mod.rs"]
mod support;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use radhook::lab::load::{self, LoadOptions, Pace};
use radhook::secret::Secret;
use support::daemon::{Config, Daemon};
use support::verbs::wait_until_status;
use support::witness::{SECRET, Witness};

const NAS: &str = "nas-to-radhook";

/// Retries soon, and for far longer than the outage lasts.
const RETRY: &str = "retry = { schedule = [\"100ms\", \"250ms\", \"500ms\", \"1s\", \"2s\", \"2s\", \"5s\", \"5s\", \
                     \"10s\", \"10s\", \"30s\", \"1m\", \"2m\"], jitter = 0.1 }";

/// A thousand sessions of four packets each over the three phases.
const PACKETS: f64 = 4000.0;

/// How long each of before, during and after lasts.
const PHASE: Duration = Duration::from_secs(30);

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut witness = Witness::start();
    let config = Config::new(directory.path(), NAS).endpoint("crm", &witness.url(), SECRET, RETRY).write();
    let daemon = Daemon::start(&config);
    for rate in [PACKETS / (3.0 * PHASE.as_secs_f64()), 1000.0] {
        let mut options = LoadOptions::new(daemon.accounting(), Secret::new(NAS));
        options.nas.seed = rate as u64;
        options.pace = Pace::Rate(rate);
        options.sessions = Some((rate * 3.0 * PHASE.as_secs_f64() / 4.0) as u64);
        let begun = Instant::now();
        let mut phases: Vec<Histogram<u64>> = Vec::new();
        let report = load::run(&options, |report| {
            let phase = (begun.elapsed().as_secs_f64() / PHASE.as_secs_f64()) as usize;
            if phase > phases.len() && phases.len() < 2 {
                phases.push(report.latency.clone());
                if phase == 1 { witness.down() } else { witness.up() }
            }
            ControlFlow::Continue(())
        })
        .expect("the load runs");
        phases.push(report.latency.clone());
        assert_eq!((report.lost, report.bad_answers), (0, 0), "{report:?}");
        println!("{rate:.0} packets a second, {} sessions, {} retransmitted", report.sessions, report.retransmitted);
        let mut before = Histogram::new_from(&report.latency);
        for (name, upto) in ["before", "during", "after"].into_iter().zip(phases) {
            let mut only = upto.clone();
            only.subtract(&before).expect("a later histogram holds the earlier");
            let at = |quantile| only.value_at_quantile(quantile) as f64 / 1000.0;
            println!(
                "  {name:<7} {:>6} packets, p50 {:>7.0} µs, p99 {:>7.0} µs, p99.9 {:>7.0} µs, max {:>7.0} µs",
                only.len(),
                at(0.5),
                at(0.99),
                at(0.999),
                only.max() as f64 / 1000.0
            );
            before = upto;
        }
        let settled = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
        let crm = settled.endpoint("crm");
        println!("  received {}, delivered {}, dead {}", crm.received, crm.delivered, crm.dead);
        assert_eq!((crm.received, crm.dead), (crm.delivered, 0));
    }
    witness.assert_believed_and_in_order();
    witness.assert_no_repeats();
}
