//! The receiver that verifies with the reference implementation: it takes what is signed right and says what is not.

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use support::daemon::{Config, Daemon};
use support::standard::StandardReceiver;
use support::traffic::{Fact, Traffic};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NAS: &str = "nas-to-radhook";
const EVENT: &str =
    r#"{"id":"e-1","type":"session.start","timestamp":"2026-11-22T10:15:30.000Z","data":{"session":{"id":"5F1A"}}}"#;

/// A signature written down from the specification, not taken from radhook.
fn signature(secret: &str, id: &str, at: i64, body: &str) -> String {
    let key = BASE64.decode(secret.trim_start_matches("whsec_")).expect("the test's secret is base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

async fn post(receiver: &StandardReceiver, id: &str, at: i64, signature: &str, body: &'static str) -> u16 {
    let request = reqwest::Client::new()
        .post(receiver.url())
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .body(body);
    request.send().await.expect("the receiver answers").status().as_u16()
}

#[tokio::test]
async fn a_delivery_signed_right_is_reported_as_valid() {
    let receiver = StandardReceiver::start(SECRET);
    let now = Timestamp::now().as_second();

    assert_eq!(post(&receiver, "e-1", now, &signature(SECRET, "e-1", now, EVENT), EVENT).await, 204);

    let delivery = &receiver.wait_until_deliveries(1)[0];
    assert_eq!((delivery.verdict.as_str(), delivery.status), ("valid", 204));
    assert_eq!(delivery.id.as_deref(), Some("e-1"));
    assert_eq!(delivery.kind.as_deref(), Some("session.start"));
    assert_eq!(delivery.session.as_deref(), Some("5F1A"));
    assert_eq!(delivery.timestamp.as_deref(), Some("2026-11-22T10:15:30.000Z"));
    assert_eq!(delivery.body["data"]["session"]["id"], "5F1A");
}

#[tokio::test]
async fn forged_altered_and_old_deliveries_are_refused_with_the_reason() {
    let receiver = StandardReceiver::start(SECRET);
    let now = Timestamp::now().as_second();
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let hour_ago = now - 3600;

    assert_eq!(post(&receiver, "e-1", now, &signature(other, "e-1", now, EVENT), EVENT).await, 400);
    assert_eq!(post(&receiver, "e-2", now, &signature(SECRET, "e-1", now, EVENT), EVENT).await, 400);
    assert_eq!(post(&receiver, "e-1", now, &signature(SECRET, "e-1", now, EVENT), "{}").await, 400);
    assert_eq!(post(&receiver, "e-1", hour_ago, &signature(SECRET, "e-1", hour_ago, EVENT), EVENT).await, 400);
    assert_eq!(post(&receiver, "e-1", now, &signature(SECRET, "e-1", now, "{}"), "{}").await, 400);

    let deliveries = receiver.wait_until_deliveries(5);
    let verdicts: Vec<_> = deliveries.iter().map(|delivery| delivery.verdict.as_str()).collect();
    assert_eq!(verdicts[..3], ["No matching signature found"; 3]);
    assert_eq!(verdicts[3], "Message timestamp too old");
    assert!(verdicts[4].starts_with("not an event"), "{}", verdicts[4]);
}

#[tokio::test]
async fn a_receiver_comes_back_on_the_port_it_had() {
    let first = StandardReceiver::start(SECRET);
    let port = first.port();
    drop(first);
    let second = StandardReceiver::start_on(port, SECRET);
    let now = Timestamp::now().as_second();

    assert_eq!(post(&second, "e-1", now, &signature(SECRET, "e-1", now, EVENT), EVENT).await, 204);
}

#[test]
fn what_radhook_delivers_is_valid_for_the_package_in_javascript() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = StandardReceiver::start_in_node(SECRET);
    let config = Config::new(directory.path(), NAS).endpoint("crm", &receiver.url(), SECRET, "").write();
    let daemon = Daemon::start(&config);
    let mut traffic = Traffic::new(daemon.accounting(), NAS, 2, 5);

    traffic.play_to_the_end();

    let told = traffic.acknowledged();
    let deliveries = receiver.wait_until_deliveries(told.len());
    assert_eq!((told.len(), deliveries.len()), (8, 8));
    for delivery in deliveries {
        assert_eq!((delivery.verdict.as_str(), delivery.status), ("valid", 204));
        let same = |fact: &Fact| {
            Some(&fact.session) == delivery.session.as_ref() && Some(fact.kind) == delivery.kind.as_deref()
        };
        assert!(told.iter().any(same), "{delivery:?}");
    }
    assert!(daemon.stop().success());
}

#[tokio::test]
async fn the_package_in_javascript_refuses_what_is_forged() {
    let receiver = StandardReceiver::start_in_node(SECRET);
    let now = Timestamp::now().as_second();

    assert_eq!(post(&receiver, "e-1", now, &signature(SECRET, "e-1", now, EVENT), EVENT).await, 204);
    assert_eq!(post(&receiver, "e-1", now, &signature(SECRET, "e-1", now, EVENT), "{}").await, 400);
}
