//! Receivers over TLS: how their connections are used, and what is said of certificates that will not do.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use rcgen::date_time_ymd;
use rustls::version::{TLS12, TLS13};
use support::daemon::{Config, Daemon};
use support::https::{Authority, HttpsReceiver};
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// One attempt, under a deadline that is not reached.
const ONE_TRY: &str = "timeout = \"2m\"\nretry = { schedule = [] }";

fn trusting(more: &str) -> String {
    format!("timeout = \"2m\"\ntls = {{ ca = \"ca.pem\" }}\n{more}")
}

/// Plays so many sessions through one endpoint, which is to take them all.
fn deliver(directory: &Path, url: &str, more: &str, sessions: u64) {
    let config = Config::new(directory, NAS).endpoint("crm", url, SECRET, more).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, sessions, 6).play_to_the_end();
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(status.endpoint("crm").delivered, sessions * 4, "{status:?}");
    assert!(daemon.stop().success());
}

/// An https URL of a server that speaks plain HTTP.
fn plain_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // It answers what it does not understand; whether anybody reads that is the sender's business.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    format!("https://localhost:{port}/hook")
}

#[test]
fn http2_carries_many_deliveries_at_once_over_one_connection() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new();
    fs::write(directory.path().join("ca.pem"), authority.pem()).expect("it can be written");
    let receiver = HttpsReceiver::start(authority.server("localhost", |_| {}), &["h2", "http/1.1"]);

    deliver(directory.path(), &receiver.url("localhost"), &trusting("concurrency = 16"), 100);

    // The first requests set out together, before any of them knows that the receiver speaks HTTP/2.
    let requests = receiver.requests();
    assert!(receiver.accepted() <= 16, "{requests:?}");
    assert_eq!(requests.iter().sum::<usize>(), 400);
    assert!(requests.iter().any(|&of_one| of_one >= 300), "{requests:?}");
    assert!(receiver.most_at_once() > 1, "none of them waited for another");
}

#[test]
fn http1_uses_no_more_connections_than_requests_may_be_under_way_and_uses_them_again() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new();
    fs::write(directory.path().join("ca.pem"), authority.pem()).expect("it can be written");
    let receiver = HttpsReceiver::start(authority.server("localhost", |_| {}), &["http/1.1"]);

    deliver(directory.path(), &receiver.url("localhost"), &trusting("concurrency = 4"), 100);

    let requests = receiver.requests();
    assert_eq!(requests.iter().sum::<usize>(), 400);
    assert!(receiver.most_open() <= 4 && receiver.most_at_once() <= 4, "{requests:?}");
    assert!(receiver.accepted() <= 8, "connections are used again: {requests:?}");
}

#[test]
fn what_is_wrong_with_a_receivers_tls_is_said_so_that_it_can_be_mended() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new();
    fs::write(directory.path().join("ca.pem"), authority.pem()).expect("it can be written");
    let expired = authority.server("localhost", |params| params.not_after = date_time_ymd(2026, 1, 31));
    let early = authority.server("localhost", |params| params.not_before = date_time_ymd(4000, 1, 1));
    let alpn = ["http/1.1"];
    let expired = HttpsReceiver::start(expired, &alpn);
    let early = HttpsReceiver::start(early, &alpn);
    let elsewhere = HttpsReceiver::start(authority.server("crm.example.com", |_| {}), &alpn);
    let good = HttpsReceiver::start(authority.server("localhost", |_| {}), &alpn);
    let old = HttpsReceiver::start(authority.server_of("localhost", &[&TLS12], |_| {}), &alpn);
    let new = HttpsReceiver::start(authority.server_of("localhost", &[&TLS13], |_| {}), &alpn);
    let trusting = format!("{ONE_TRY}\ntls = {{ ca = \"ca.pem\" }}");
    let demanding = format!("{ONE_TRY}\ntls = {{ ca = \"ca.pem\", min_version = \"1.3\" }}");
    let config = Config::new(directory.path(), NAS)
        .endpoint("expired", &expired.url("localhost"), SECRET, &trusting)
        .endpoint("early", &early.url("localhost"), SECRET, &trusting)
        .endpoint("elsewhere", &elsewhere.url("localhost"), SECRET, &trusting)
        .endpoint("unknown", &good.url("localhost"), SECRET, ONE_TRY)
        .endpoint("old", &old.url("localhost"), SECRET, &demanding)
        .endpoint("plain", &plain_server(), SECRET, &trusting)
        .endpoint("new", &new.url("localhost"), SECRET, &demanding)
        .endpoint("older", &old.url("localhost"), SECRET, &trusting)
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 6).play_starts();
    let status = wait_until_status(&config, "every attempt has ended", |status| {
        status.endpoints.iter().all(|endpoint| endpoint.pending == 0)
    });

    for (name, said) in [
        ("expired", "cannot connect: the certificate has expired on 2026-01-31T00:00:00Z"),
        ("early", "cannot connect: the certificate is valid from 4000-01-01T00:00:00Z on: is this host's clock right?"),
        ("elsewhere", "cannot connect: the certificate is for crm.example.com, not localhost"),
        (
            "unknown",
            "cannot connect: the certificate's issuer is unknown: set tls.ca, or have the receiver send the whole chain",
        ),
        ("old", "cannot connect: the receiver speaks only older TLS than tls.min_version"),
        ("plain", "cannot connect: what answers there does not speak TLS"),
    ] {
        let letter =
            &radhook(&config, &["deliveries", "list", "--json", "--state", "dead", "--endpoint", name]).json()[0];
        assert_eq!(letter["last_attempts"][0]["error"], said);
    }
    assert_eq!((status.endpoint("new").delivered, status.endpoint("older").delivered), (1, 1));
    assert!(daemon.stop().success());
}

#[test]
fn a_certificate_that_ends_soon_is_spoken_of_and_every_end_is_in_the_figures() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new();
    fs::write(directory.path().join("ca.pem"), authority.pem()).expect("it can be written");
    let ends = std::time::SystemTime::now() + std::time::Duration::from_secs(5 * 86_400 + 3_600);
    let soon = authority.server("localhost", |params| params.not_after = ends.into());
    let late = authority.server("localhost", |params| params.not_after = date_time_ymd(2060, 1, 1));
    let (soon, late) = (HttpsReceiver::start(soon, &["h2"]), HttpsReceiver::start(late, &["http/1.1"]));
    let config = Config::new(directory.path(), NAS)
        .endpoint("soon", &soon.url("localhost"), SECRET, &trusting(""))
        .endpoint("late", &late.url("localhost"), SECRET, &trusting(""))
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 6).play_to_the_end();
    wait_until_status(&config, "all is delivered", |status| {
        status.endpoints.iter().all(|endpoint| endpoint.delivered == 4)
    });

    let listed = radhook(&config, &["endpoints", "list", "--json"]).json();
    assert_eq!(listed[1]["certificate_expires"], "2060-01-01T00:00:00Z");
    assert!(listed[0]["certificate_expires"].is_string(), "{listed:?}");
    for verb in [&["status"] as &[&str], &["endpoints", "list"]] {
        let said = radhook(&config, verb).stdout;
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("certificate")).collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(lines[0].contains("the receiver's certificate expires in 5d 0h"), "{said}");
    }
    let told = daemon.stderr().into_iter().filter(|line| line.contains("certificate ends soon")).collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "once, not for every delivery: {told:?}");
    assert!(told[0].contains("soon"), "{told:?}");
    assert!(daemon.stop().success());
}
