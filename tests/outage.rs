//! A receiver that is down for a while: nothing is lost, nothing comes twice, every session stays in order, and RADIUS
//! does not notice.

mod support;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use radhook::lab::load::{self, LoadOptions, Pace};
use radhook::secret::Secret;
use support::daemon::{Config, Daemon};
use support::traffic::Traffic;
use support::verbs::wait_until_status;
use support::witness::{SECRET, Witness};

const NAS: &str = "nas-to-radhook";

/// Retries soon, and for far longer than any outage here lasts.
const RETRY: &str = "retry = { schedule = [\"100ms\", \"250ms\", \"500ms\", \"1s\", \"2s\", \"2s\", \"5s\", \"5s\", \
                     \"10s\", \"10s\", \"30s\", \"1m\", \"2m\"], jitter = 0.1 }";

const SESSIONS: usize = 1000;
const EVENTS: usize = SESSIONS * 4;

#[test]
fn an_outage_in_a_run_of_a_thousand_sessions_loses_nothing_doubles_nothing_and_keeps_the_order() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut witness = Witness::start();
    let config = Config::new(directory.path(), NAS).endpoint("crm", &witness.url(), SECRET, RETRY).write();
    let daemon = Daemon::start(&config);
    // All starts come first, then all first updates, and so on: every session is open during the outage.
    let mut traffic = Traffic::new(daemon.accounting(), NAS, SESSIONS as u64, 2);

    traffic.play_until_acknowledged(EVENTS / 4);
    witness.down();
    traffic.play_until_acknowledged(EVENTS * 3 / 4);
    let during = wait_until_status(&config, "it is seen to fail", |status| status.endpoint("crm").state == "failing");
    assert!(during.ready, "RADIUS does not wait for HTTP");
    assert!(during.endpoint("crm").pending >= EVENTS as u64 / 2, "{during:?}");
    witness.up();
    traffic.play_to_the_end();

    let settled = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    let crm = settled.endpoint("crm");
    assert_eq!((crm.received, crm.delivered, crm.dead, crm.filtered), (EVENTS as u64, EVENTS as u64, 0, 0));
    assert_eq!(traffic.acknowledged().len(), EVENTS);
    witness.assert_took(traffic.acknowledged());
    witness.assert_no_repeats();
    witness.assert_believed_and_in_order();
    assert_eq!(witness.taken().len(), EVENTS);
    assert!(daemon.stop().success());
}

/// Figures, not a test: `cargo test --release --test outage -- --ignored --nocapture`.
#[test]
#[ignore = "takes a minute and a half, and prints figures that mean something in a release build only"]
fn figures_of_radius_latency_before_during_and_after_an_outage_of_30_seconds() {
    const PHASE: Duration = Duration::from_secs(30);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut witness = Witness::start();
    let config = Config::new(directory.path(), NAS).endpoint("crm", &witness.url(), SECRET, RETRY).write();
    let daemon = Daemon::start(&config);
    for rate in [EVENTS as f64 / (3.0 * PHASE.as_secs_f64()), 1000.0] {
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
