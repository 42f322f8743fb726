//! Receivers that misbehave in every way beside one that does not: it, and RADIUS, are not to notice. And receivers that
//! must not be spoken to.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::process::Process;
use support::raw::{Conduct, FLOOD, RawReceiver};
use support::traffic::Traffic;
use support::verbs::{self, radhook, wait_until_status};
use support::witness::{SECRET, Witness};

const NAS: &str = "nas-to-radhook";

/// So many events, all of them failing, still leave the breaker closed: each is attempted.
const SESSIONS: u64 = 4;
const EVENTS: u64 = SESSIONS * 4;

/// One attempt each, under a deadline that is not reached.
const ONE_TRY: &str = "timeout = \"2m\"\nretry = { schedule = [] }\nconcurrency = 4";

/// One attempt each, under a deadline that a test can wait for.
const ONE_SHORT_TRY: &str = "timeout = \"300ms\"\nretry = { schedule = [] }\nconcurrency = 4";

/// The last attempt of every dead letter of an endpoint.
fn last_attempts(config: &Path, endpoint: &str) -> Vec<Value> {
    let words = ["deliveries", "list", "--json", "--limit", "0", "--state", "dead", "--endpoint", endpoint];
    radhook(config, &words).json().into_iter().map(|mut letter| letter["last_attempts"][0].take()).collect()
}

#[test]
fn hostile_receivers_hurt_neither_radius_nor_the_good_one_beside_them_and_their_attempts_end() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let good = Witness::start();
    let elsewhere = RawReceiver::start(Conduct::Say("HTTP/1.1 204 No Content\r\n\r\n".to_owned()));
    let redirect =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url());
    let fails = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops".to_owned();
    let garbage = "SSH-2.0-OpenSSH_9.2\r\n".to_owned();
    let endless_head = format!("HTTP/1.1 200 OK\r\n{}", "X-Filler: 0123456789\r\n".repeat(100_000));
    let deadline = "no complete answer within 300ms";
    // Its name, what it does, and what its attempts come to in words or in a status.
    let hostile: [(&str, Conduct, &str); 8] = [
        ("hangs", Conduct::Hang, deadline),
        ("drips-head", Conduct::DripHead, deadline),
        ("drips-body", Conduct::DripBody, deadline),
        ("closes", Conduct::Close, "request failed"),
        ("redirects", Conduct::Say(redirect), "307"),
        ("fails", Conduct::Say(fails), "500"),
        ("garbage", Conduct::Say(garbage), "request failed"),
        ("endless-head", Conduct::Say(endless_head), "request failed"),
    ];
    let hostile = hostile.map(|(name, conduct, comes_to)| (name, RawReceiver::start(conduct), comes_to));
    let flood = RawReceiver::start(Conduct::Flood);
    let mut config = Config::new(directory.path(), NAS).endpoint("good", &good.url(), SECRET, "").endpoint(
        "flood",
        &flood.url(),
        SECRET,
        ONE_TRY,
    );
    for (name, receiver, comes_to) in &hostile {
        let tries = if *comes_to == deadline { ONE_SHORT_TRY } else { ONE_TRY };
        config = config.endpoint(name, &receiver.url(), SECRET, tries);
    }
    let config = config.write();
    let daemon = Daemon::start(&config);
    let mut traffic = Traffic::new(daemon.accounting(), NAS, SESSIONS, 6);

    traffic.play_to_the_end();
    let status = wait_until_status(&config, "every attempt has ended", |status| {
        status.endpoints.iter().all(|endpoint| endpoint.pending == 0)
    });

    assert_eq!(traffic.acknowledged().len() as u64, EVENTS);
    assert_eq!(status.endpoint("good").delivered, EVENTS);
    good.assert_took(traffic.acknowledged());
    good.assert_no_repeats();
    good.assert_believed_and_in_order();
    for (name, receiver, comes_to) in &hostile {
        let endpoint = status.endpoint(name);
        assert_eq!((endpoint.received, endpoint.dead), (EVENTS, EVENTS), "{endpoint:?}");
        assert!(receiver.requests() as u64 >= EVENTS, "{name}: every attempt was made");
        for attempt in last_attempts(&config, name) {
            let said = match attempt["error"].as_str() {
                Some(error) => error.to_owned(),
                None => attempt["status"].to_string(),
            };
            assert!(said.starts_with(comes_to), "{name}: {said}");
        }
    }
    assert_eq!(elsewhere.requests(), 0, "a redirect is not followed");
    // 200 came, and its first bytes: that is success, and the rest is not read.
    assert_eq!(status.endpoint("flood").delivered, EVENTS);
    assert!(flood.written() < FLOOD / 10, "{} bytes were taken", flood.written());
    assert!(daemon.stop().success());
}

#[test]
fn a_receiver_that_asks_to_go_on_for_ever_keeps_nobody_but_itself_waiting() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (good, floods) = (Witness::start(), RawReceiver::start(Conduct::Continue));
    let config = Config::new(directory.path(), NAS)
        .endpoint("good", &good.url(), SECRET, "")
        .endpoint("floods", &floods.url(), SECRET, "timeout = \"2s\"\nretry = { schedule = [\"10ms\", \"1h\"] }")
        .write();
    let daemon = Daemon::start(&config);
    // So many that it is tried until its breaker opens, and beyond.
    let mut traffic = Traffic::new(daemon.accounting(), NAS, 50, 8);
    traffic.play_to_the_end();
    wait_until_status(&config, "the breaker has opened", |status| {
        daemon.stderr().iter().any(|line| line.contains("is left alone")) && status.endpoint("good").pending == 0
    });
    Traffic::new(daemon.accounting(), NAS, 50, 80).play_to_the_end();
    wait_until_status(&config, "the good one has everything", |status| status.endpoint("good").delivered == 400);

    let words = ["deliveries", "list", "--json", "--limit", "0", "--state", "delivered", "--endpoint", "good"];
    for delivery in radhook(&config, &words).json() {
        let took = &delivery["last_attempts"][0]["took_ms"];
        assert!(took.as_u64().is_some_and(|took| took < 2_000), "as long as the flood's deadline: {delivery}");
    }
    good.assert_no_repeats();
    assert!(daemon.stop().success());
}

#[test]
fn https_is_spoken_to_who_shows_a_certificate_of_the_configured_authority_only() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (authority, url) = https_receiver();
    let file = directory.path().join("ca.pem");
    fs::write(&file, authority).expect("it can be written");
    let trusting = format!("{ONE_TRY}\ntls = {{ ca = \"ca.pem\" }}");
    let wrong_name = url.replace("localhost", "127.0.0.1");
    let config = Config::new(directory.path(), NAS)
        .endpoint("trusting", &url, SECRET, &trusting)
        .endpoint("wary", &url, SECRET, ONE_TRY)
        .endpoint("wrong-name", &wrong_name, SECRET, &trusting)
        .write();
    let daemon = Daemon::start(&config);
    let mut traffic = Traffic::new(daemon.accounting(), NAS, 1, 6);

    traffic.play_starts();
    let status = wait_until_status(&config, "every attempt has ended", |status| {
        status.endpoints.iter().all(|endpoint| endpoint.pending == 0)
    });

    assert_eq!(status.endpoint("trusting").delivered, 1, "{status:?}");
    let said = |endpoint: &str| last_attempts(&config, endpoint)[0]["error"].as_str().expect("words").to_owned();
    assert!(said("wary").contains("issuer is unknown"), "{}", said("wary"));
    assert!(said("wrong-name").contains("is for localhost, not 127.0.0.1"), "{}", said("wrong-name"));
    assert!(daemon.stop().success());

    fs::write(&file, "not a certificate").expect("it can be written");
    let output = Daemon::try_start(&config).err().expect("it does not start without its authority");
    assert!(output.contains("ca.pem") && output.contains("holds no certificate"), "{output}");
}

/// An https receiver on the name localhost that answers 204: its authority's certificate, and its URL.
fn https_receiver() -> (String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().expect("a key can be made");
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority signs itself");
    let own_key = key();
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a host name");
    let certificate = params.signed_by(&own_key, &authority).expect("the authority signs");
    // There are two in the tree.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(own_key.serialize_der()).expect("a key of a known kind"),
        )
        .expect("certificate and key belong together");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("the config is whole");
            thread::spawn(move || {
                let mut stream = StreamOwned::new(connection, stream);
                let mut request = Vec::new();
                let mut part = [0; 4096];
                // One request a connection; it ends with the event's last brace.
                while !request.ends_with(b"}") {
                    match stream.read(&mut part) {
                        Ok(length @ 1..) => request.extend_from_slice(&part[..length]),
                        _ => return,
                    }
                }
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
    (authority.pem(), format!("https://localhost:{port}/hook"))
}

/// The daemon with a hosts file of its own, which only root can give it.
#[test]
fn a_name_that_leads_to_a_refused_address_is_refused_whatever_it_is_called() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let hosts = directory.path().join("hosts");
    let names = "127.0.0.1 localhost\n169.254.169.254 metadata.test\n::ffff:169.254.169.254 mapped.test\n\
                 fe80::1 link.test\n169.254.169.254 both.test\n127.0.0.1 both.test\n";
    fs::write(&hosts, names).expect("it can be written");
    let receiver = RawReceiver::start(Conduct::Say("HTTP/1.1 204 No Content\r\n\r\n".to_owned()));
    let port = receiver.url().rsplit(':').next().and_then(|rest| rest.split('/').next()).expect("a port").to_owned();
    let insecure = format!("insecure_http = true\n{ONE_TRY}");
    let mut config = Config::new(directory.path(), NAS);
    for name in ["metadata", "mapped", "link", "both"] {
        config = config.endpoint(name, &format!("http://{name}.test:{port}/"), SECRET, &insecure);
    }
    let config = config.write();
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$1\" /etc/hosts && exec \"$2\" run --config \"$3\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(&hosts).arg(env!("CARGO_BIN_EXE_radhook")).arg(&config);
    let process = Process::start("radhook run in a mount namespace", &mut command);
    let ready = process.wait_until_line("the ready line", |line| line.starts_with("ready "));
    let address = ready.split_whitespace().find_map(|word| word.strip_prefix("accounting=")).expect("an address");
    let mut traffic = Traffic::new(address.parse().expect("an address"), NAS, 1, 7);

    traffic.play_starts();
    let status = wait_until_status(&config, "every attempt has ended", |status| {
        status.endpoints.iter().all(|endpoint| endpoint.pending == 0)
    });

    for name in ["metadata", "mapped", "link"] {
        assert_eq!(status.endpoint(name).dead, 1, "{status:?}");
        let error = last_attempts(&config, name)[0]["error"].as_str().expect("words").to_owned();
        assert!(error.contains(&format!("{name}.test resolves to")) && error.contains("refused"), "{error}");
    }
    assert_eq!(status.endpoint("both").delivered, 1, "the address that is allowed is used");
    assert_eq!(receiver.requests(), 1);
    assert_eq!(verbs::status(&config).endpoint("both").received, 1);
}
