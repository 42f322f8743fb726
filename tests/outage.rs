//! A receiver that is down for a while: nothing is lost, nothing comes twice, every session stays in order, and RADIUS
//! does not notice.

mod support;

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
