use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::*;

fn usage(session: &str, status: &str, seconds: u32, gigawords: u32) -> String {
    let more = format!(
        "Acct-Session-Time = {seconds}, Acct-Input-Octets = 705032704, Acct-Input-Gigawords = {gigawords}, \
         Acct-Output-Octets = {seconds}000"
    );
    packet("alice", session, status, &more)
}

#[test]
fn usage_is_told_in_order_once_and_for_as_long_as_it_takes() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let receiver = Scripted::start(move |_| Answer(if is_down.load(Ordering::SeqCst) { 503 } else { 204 }, &[]));
    let mut site = Site::start("billing", origin(&receiver));
    site.accounting(&[usage("B-1", "Start", 0, 0), usage("B-1", "Interim-Update", 300, 0)]);
    receiver.wait_until_asked(1);
    site.radhook(&["endpoints", "disable", "billing"]);
    site.wait_until("what was under way has failed", |status| {
        let endpoint = status.endpoint("billing");
        (endpoint.in_flight, endpoint.pending) == (0, 1) && endpoint.last_error.is_some()
    });
    let in_vain = receiver.asked().len();
    // While billing is down more updates come, of which the newest is enough, and the stop.
    site.accounting(&[
        usage("B-1", "Interim-Update", 600, 0),
        usage("B-1", "Interim-Update", 900, 0),
        usage("B-1", "Stop", 1350, 1),
        // What comes again is no second stop.
        usage("B-1", "Stop", 1350, 1),
    ]);
    site.restart();
    site.radhook(&["endpoints", "enable", "billing"]);
    receiver.wait_until_asked(in_vain + 1);
    down.store(false, Ordering::SeqCst);
    let status = site.wait_until("all is billed", |status| status.endpoint("billing").delivered == 2);
    let endpoint = status.endpoint("billing");
    assert_eq!((endpoint.received, endpoint.filtered, endpoint.coalesced, endpoint.dead), (5, 1, 2, 0));

    let asked = receiver.asked();
    let taken = &asked[asked.len() - 2..];
    let bodies: Vec<_> = taken.iter().map(super::support::scripted::Asked::json).collect();
    let figures: Vec<_> = bodies
        .iter()
        .map(|body| (body["minutes"].as_f64().unwrap(), body["upload_gb"].as_f64().unwrap(), body["final"] == true))
        .collect();
    assert_eq!(figures, [(15.0, 0.71, false), (22.5, 5.0, true)]);
    for (request, body) in taken.iter().zip(&bodies) {
        assert_eq!((request.method.as_str(), request.uri.to_string().as_str()), ("POST", "/api/usage"));
        assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(Some(request.header("idempotency-key")), body["usage_id"].as_str());
        assert_eq!(Some(request.header("x-usage-of")), body["session"].as_str());
        assert_eq!(body["account"], "alice");
    }
    assert_eq!(bodies[1]["download_gb"], json!(0.0));
    assert_eq!(bodies[1]["octets"], json!(5_000_000_000_u64 + 1_350_000));
    assert!(bodies[1]["from"].as_str() < bodies[1]["to"].as_str());
    // What was asked for in vain carried the same key.
    assert_eq!(asked[in_vain].header("idempotency-key"), taken[0].header("idempotency-key"));
    assert!(asked.len() >= in_vain + 3);
}
