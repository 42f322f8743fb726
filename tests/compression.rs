//! Compressed bodies: signed as they are sent, and read by receivers that verify before they unpack.

mod support;

use std::io::Read;

use axum::http::StatusCode;
use flate2::read::GzDecoder;
use radhook::deliver::options::SignatureOptions;
use radhook::deliver::sign::Signer;
use radhook::secret::Secret;
use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::https::{Authority, HttpsReceiver};
use support::traffic::Traffic;
use support::verbs::wait_until_status;
use support::witness::{SECRET, Witness};

const NAS: &str = "nas-to-radhook";

/// A header of every event's size is of no use here: names long enough to make an event worth compressing.
fn long_node() -> String {
    format!("node = \"{}\"", "radhook-".repeat(8))
}

#[test]
fn a_compressed_body_is_signed_as_it_is_sent() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new();
    std::fs::write(directory.path().join("ca.pem"), authority.pem()).expect("it can be written");
    let receiver = HttpsReceiver::start(authority.server("localhost", |_| {}), &["http/1.1"]);
    let more = "timeout = \"2m\"\ncompression = \"gzip\"\ntls = { ca = \"ca.pem\" }";
    let url = receiver.url("localhost");
    let config = Config::new(directory.path(), NAS).top(&long_node()).endpoint("crm", &url, SECRET, more).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 5, 2).play_to_the_end();
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(status.endpoint("crm").delivered, 20, "{status:?}");

    let signer =
        Signer::new(&SignatureOptions::Standard { secrets: vec![Secret::new(SECRET).into()] }).expect("a secret");
    let mut compressed = 0;
    for taken in receiver.taken() {
        signer.verify(&taken.headers, &taken.body, None, jiff::Timestamp::now()).expect("signed as it was sent");
        let length: usize = taken.headers["content-length"].to_str().expect("ASCII").parse().expect("a number");
        assert_eq!(length, taken.body.len());
        let event: Value = match taken.headers.get("content-encoding") {
            Some(encoding) => {
                compressed += 1;
                assert_eq!(encoding, "gzip");
                let mut plain = Vec::new();
                GzDecoder::new(&*taken.body).read_to_end(&mut plain).expect("gzip");
                assert!(plain.len() >= 1024 && taken.body.len() < plain.len());
                serde_json::from_slice(&plain).expect("an event is JSON")
            }
            None => {
                assert!(taken.body.len() < 1024, "{} bytes", taken.body.len());
                serde_json::from_slice(&taken.body).expect("an event is JSON")
            }
        };
        assert_eq!(event["id"], taken.headers["webhook-id"].to_str().expect("ASCII"));
    }
    assert!(compressed > 0, "some events are long enough");
    assert!(daemon.stop().success());
}

#[test]
fn the_verifying_receiver_believes_compressed_bodies_and_reads_them() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let witness = Witness::start();
    let more = "compression = \"gzip\"";
    let config =
        Config::new(directory.path(), NAS).top(&long_node()).endpoint("crm", &witness.url(), SECRET, more).write();
    let daemon = Daemon::start(&config);
    let mut traffic = Traffic::new(daemon.accounting(), NAS, 5, 2);
    traffic.play_to_the_end();
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 20);
    witness.assert_took(traffic.acknowledged());
    witness.assert_believed_and_in_order();
    assert!(witness.seen().iter().any(|received| received.headers.contains_key("content-encoding")));
    assert!(daemon.stop().success());
}

#[tokio::test]
async fn what_inflates_beyond_all_measure_or_is_no_gzip_is_refused() {
    let witness = tokio::task::spawn_blocking(Witness::start).await.expect("it starts");
    let signer =
        Signer::new(&SignatureOptions::Standard { secrets: vec![Secret::new(SECRET).into()] }).expect("a secret");
    let mut bomb = Vec::new();
    let zeroes = std::io::repeat(b' ').take(radhook::lab::receiver::MAX_BODY as u64 + 1);
    flate2::read::GzEncoder::new(zeroes, flate2::Compression::best()).read_to_end(&mut bomb).expect("it compresses");
    for (body, status) in [(bomb, StatusCode::PAYLOAD_TOO_LARGE), (b"{}".to_vec(), StatusCode::BAD_REQUEST)] {
        let mut request = reqwest::Client::new().post(witness.url()).header("content-encoding", "gzip");
        for (name, value) in signer.sign("e-1", jiff::Timestamp::now(), &body).expect("it signs") {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.expect("it answers");
        assert_eq!(answer.status(), status);
    }
    tokio::task::spawn_blocking(|| drop(witness)).await.expect("it stops");
}
