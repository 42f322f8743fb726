//! `radhook explain`: it decides as the daemon does, and shows the request that a receiver then gets.

mod support;

use std::fs;
use std::io::Read as _;
use std::net::UdpSocket;
use std::path::Path;

use axum::http::HeaderMap;
use jiff::Timestamp;
use radhook::deliver::options::SignatureOptions;
use radhook::deliver::sign::Signer;
use radhook::radius::authenticator::request_authenticator;
use radhook::secret::Secret;
use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::schema::assert_native;
use support::scripted::{Answer, Asked, Scripted};
use support::traffic::Traffic;
use support::verbs::{Ended, radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// What every attempt makes afresh.
const AFRESH: [&str; 2] = ["webhook-timestamp", "webhook-signature"];

fn taking() -> Scripted {
    Scripted::start(|_| Answer(204, &[]))
}

fn headers(explained: &Value) -> Vec<(String, String)> {
    serde_json::from_value(explained["request"]["headers"].clone()).expect("headers are pairs")
}

/// The headers that are the same each time, sorted.
fn lasting(headers: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut headers: Vec<_> = headers.filter(|(name, _)| !AFRESH.contains(&name.as_str())).collect();
    headers.sort();
    headers
}

fn plain(asked: &Asked) -> Vec<u8> {
    match asked.header("content-encoding") {
        "gzip" => {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&*asked.body).read_to_end(&mut plain).expect("it is gzip");
            plain
        }
        _ => asked.body.to_vec(),
    }
}

/// Fails unless the signature that is shown is one of this very body by the endpoint's secret.
fn assert_signed(explained: &Value) {
    let secrets = vec![Secret::new(SECRET).into()];
    let signer = Signer::new(&SignatureOptions::Standard { secrets }).expect("the secret is one");
    let pairs = headers(explained).into_iter();
    let map: HeaderMap =
        pairs.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect();
    let body = explained["request"]["body"].as_str().expect("a body is text");
    let verified = signer.verify(&map, body.as_bytes(), None, Timestamp::now());
    assert!(verified.is_ok(), "{verified:?}: {explained:#}");
}

#[test]
fn what_is_shown_of_a_stored_event_is_byte_for_byte_what_its_receiver_got() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receivers: Vec<Scripted> = (0..5).map(|_| taking()).collect();
    let auth = "auth = { type = \"bearer\", token = \"hush-hush\" }\nheaders = { \"X-Site\" = \"lobby\" }";
    let config = Config::new(directory.path(), NAS)
        .endpoint("plain", receivers[0].url(), SECRET, auth)
        .endpoint("packed", receivers[1].url(), SECRET, "compression = \"gzip\"\nmethod = \"PUT\"")
        .endpoint("cloud", receivers[2].url(), SECRET, "format = \"cloudevents-binary\"")
        .endpoint("structured", receivers[3].url(), SECRET, "format = \"cloudevents\"")
        .endpoint("batches", receivers[4].url(), SECRET, "batch = { max_events = 2 }\nrate = \"1000/s\"")
        .write();
    let daemon = Daemon::start(&config);
    // One packet at a time, so that a batch is one of one.
    let mut event_ids = Vec::new();
    Traffic::new(daemon.accounting(), NAS, 1, 2).window(1).play_to_the_end();
    wait_until_status(&config, "all is delivered", |status| {
        ["plain", "packed", "cloud", "structured", "batches"].iter().all(|name| status.endpoint(name).delivered == 4)
    });
    for asked in receivers[0].asked() {
        event_ids.push(asked.header("idempotency-key").to_owned());
    }
    assert_eq!(event_ids.len(), 4);

    for (number, id) in event_ids.iter().enumerate() {
        let explained = radhook(&config, &["explain", id, "--json"]).json();
        assert_eq!(explained.len(), 5);
        for (told, receiver) in explained.iter().zip(&receivers) {
            let name = told["endpoint"].as_str().expect("a name");
            assert_eq!((&told["wanted"], &told["state"]), (&true.into(), &"delivered".into()), "{told:#}");
            let shown = told["request"]["body"].as_str().expect("a body").as_bytes();
            let asked = receiver.asked();
            // What was sent in a batch of two is shown alone.
            let Some(got) = asked.iter().find(|asked| plain(asked) == shown) else {
                assert!(name == "batches" && asked.len() < 4, "{name} got nothing like {told:#}");
                continue;
            };
            assert_eq!(told["request"]["method"], got.method.as_str());
            assert_eq!(told["request"]["url"], receiver.url());
            assert_eq!(told["request"]["size"], got.body.len(), "{name}");
            let hidden = ["authorization", "x-site"];
            let received = got.headers.iter().map(|(header, value)| {
                let value = value.to_str().expect("text");
                let value = if hidden.contains(&header.as_str()) { "[secret]" } else { value };
                (header.to_string(), value.to_owned())
            });
            assert_eq!(lasting(headers(told).into_iter()), lasting(received), "{name}, event {number}");
            assert!(headers(told).iter().any(|(header, _)| header == AFRESH[1]));
            if name != "packed" {
                assert_signed(told);
            }
        }
    }
    let text = radhook(&config, &["explain", &event_ids[0]]);
    assert!(text.stdout.contains("authorization: [secret]") && !text.stdout.contains("hush-hush"), "{text:?}");
    let one = radhook(&config, &["explain", &event_ids[0], "--endpoint", "cloud", "--json"]).json();
    assert_eq!(one.len(), 1);
    let sent: usize = receivers.iter().map(|receiver| receiver.asked().len()).sum();
    assert!(daemon.stop().success());
    assert_eq!(sent, receivers.iter().map(|receiver| receiver.asked().len()).sum::<usize>(), "nothing more was sent");
}

#[test]
fn each_endpoint_s_reason_is_told_in_words_as_the_daemon_decided() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (crm, once) = (taking(), taking());
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", crm.url(), SECRET, "events = [\"session.stop\"]")
        .endpoint("once", once.url(), SECRET, "once_per = { key = \"nas.identifier\", window = \"24h\" }")
        .endpoint("off", crm.url(), SECRET, "enabled = false")
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).window(1).play_to_the_end();
    wait_until_status(&config, "all is decided", |status| {
        let (crm, once, off) = (status.endpoint("crm"), status.endpoint("once"), status.endpoint("off"));
        (crm.delivered, once.delivered, once.filtered, off.pending) == (1, 1, 3, 4)
    });
    let events = radhook(&config, &["events", "list", "--json"]).json();
    let id = |at: usize| events[at]["id"].as_str().expect("an id").to_owned();

    let start = radhook(&config, &["explain", &id(0), "--json"]).json();
    assert_eq!(start[0]["verdict"], "not_subscribed");
    assert_eq!(start[0]["why"], "session.start is not among its `events`: session.stop");
    assert!(start[0].get("request").is_none());
    // It is what used the cap up, and was sent.
    assert_eq!((&start[1]["verdict"], &start[1]["state"]), (&"wanted".into(), &"delivered".into()), "{:#}", start[1]);
    assert!(start[2]["held"][0].as_str().is_some_and(|held| held.contains("`enabled = false`")), "{:#}", start[2]);
    assert_eq!(start[2]["state"], "pending");
    let stop = radhook(&config, &["explain", &id(3), "--json"]).json();
    assert_eq!((&stop[0]["wanted"], &stop[1]["wanted"]), (&true.into(), &false.into()));
    assert_eq!(stop[1]["verdict"], "once_per");
    let why = stop[1]["why"].as_str().expect("a reason");
    assert!(why.contains("nas.identifier") && why.contains("used up"), "{why}");

    let asked = once.asked().len();
    let nothing = radhook(&config, &["explain", "3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2"]);
    assert!(nothing.code == 1 && nothing.stderr.contains("there is no event"), "{nothing:?}");
    let nobody = radhook(&config, &["explain", &id(0), "--endpoint", "nobody"]);
    assert!(nobody.code == 1 && nobody.stderr.contains("there is no endpoint \"nobody\""), "{nobody:?}");
    assert_eq!(once.asked().len(), asked);
    assert!(daemon.stop().success());
    let gone = radhook(&config, &["explain", &id(0)]);
    assert_eq!(gone.code, 4, "{gone:?}");
}

/// An Accounting-Request under `secret`, with these attributes.
fn packet(secret: &str, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let attributes: Vec<u8> =
        attributes.iter().flat_map(|(number, value)| [&[*number, value.len() as u8 + 2], *value].concat()).collect();
    let length = u16::try_from(20 + attributes.len()).expect("it fits").to_be_bytes();
    let mut packet = [[4, 1, length[0], length[1]].as_slice(), &[0; 16], &attributes].concat();
    let authenticator = request_authenticator(&packet, secret.as_bytes());
    packet[4..20].copy_from_slice(&authenticator);
    packet
}

fn stop(secret: &str) -> Vec<u8> {
    let at = u32::try_from(Timestamp::now().as_second()).expect("before 2106").to_be_bytes();
    packet(
        secret,
        &[
            (1, b"alice@example.org"),
            (40, &[0, 0, 0, 2]),
            (44, b"5F1A-0001"),
            (46, &[0, 0, 0x0e, 0x10]),
            (55, &at),
            (32, b"lobby-ap-1"),
            (31, b"00-00-5E-00-53-AF"),
        ],
    )
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn explain(config: &Path, octets: &[u8], words: &[&str]) -> Ended {
    let file = config.with_file_name("packet.hex");
    fs::write(&file, hex(octets)).expect("it can be written");
    let file = file.to_str().expect("a UTF-8 path");
    radhook(config, &[&["explain", "--packet", file, "--json"], words].concat())
}

/// Everything that an event and its request say, without when this one arrived.
fn without_arrival(mut body: Value) -> Value {
    body["source"]["received_at"] = Value::Null;
    body
}

#[test]
fn a_pasted_packet_is_explained_without_a_daemon_and_becomes_the_events_that_the_daemon_makes_of_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let crm = taking();
    let config = Config::new(directory.path(), NAS).endpoint("crm", crm.url(), SECRET, "").write();
    let stop = stop(NAS);
    let ended = explain(&config, &stop, &[]);
    let told = ended.json();
    let types: Vec<&Value> = told.iter().map(|told| &told["type"]).collect();
    assert_eq!(types, ["session.start", "session.stop"], "the start that was missed is concluded: {ended:?}");
    assert!(ended.stderr.contains("taken as sent by test (127.0.0.1)"), "{ended:?}");
    assert!(!directory.path().join("data").exists(), "nothing is stored");
    assert!(crm.asked().is_empty(), "nothing is sent");

    let daemon = Daemon::start(&config);
    let nas = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a socket");
    nas.send_to(&stop, daemon.accounting()).expect("it can be sent");
    let got = crm.wait_until_asked(2);
    for (told, got) in told.iter().zip(&got) {
        let shown: Value = serde_json::from_str(told["request"]["body"].as_str().expect("a body")).expect("JSON");
        assert_native(&shown);
        assert_eq!(without_arrival(shown), without_arrival(got.json()));
        assert_eq!(told["request"]["size"], got.body.len());
        let received =
            got.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        assert_eq!(lasting(headers(told).into_iter()), lasting(received));
        assert_signed(told);
    }
    // The daemon knows the session by now; here nothing is known yet.
    assert_eq!(explain(&config, &stop, &[]).json().len(), 2);
    // As JSON, an event is the same as well.
    let file = directory.path().join("event.json");
    let id = told[1]["id"].as_str().expect("an id");
    let shown = radhook(&config, &["events", "show", id]);
    fs::write(&file, &shown.stdout).expect("it can be written");
    let written = radhook(&config, &["explain", "--event", file.to_str().expect("UTF-8"), "--json"]).json();
    assert_eq!(written[0]["request"]["body"].as_str().map(str::as_bytes), Some(&*got[1].body));
    assert!(daemon.stop().success());
}

#[test]
fn a_packet_of_nobody_known_is_explained_all_the_same_and_a_client_can_be_chosen() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let config = Config::bare(directory.path())
        .accounting("127.0.0.1:0")
        .client("lobby", "192.0.2.0/24", NAS)
        .endpoint("crm", "http://127.0.0.1:9/", SECRET, "")
        .write();
    let client = |ended: &Ended| {
        let body: Value =
            serde_json::from_str(ended.json()[1]["request"]["body"].as_str().expect("a body")).expect("JSON");
        body["source"]["client"].clone()
    };
    let strange = stop("another secret");
    let unknown = explain(&config, &strange, &[]);
    assert!(unknown.stderr.contains("no [[client]] has the address 127.0.0.1"), "{unknown:?}");
    assert_eq!(client(&unknown), "127.0.0.1");
    let chosen = explain(&config, &strange, &["--client", "lobby"]);
    assert!(chosen.stderr.contains("a running radhook drops it: wrong Request Authenticator"), "{chosen:?}");
    assert_eq!(client(&chosen), "lobby");
    let nobody = explain(&config, &strange, &["--client", "nobody"]);
    assert!(nobody.code == 1 && nobody.stderr.contains("there are: lobby"), "{nobody:?}");

    // A reply without its request, a packet that is none, and a health check are said to make nothing.
    let mut response = strange.clone();
    response[0] = 5;
    let reply = explain(&config, &response, &[]);
    assert!(reply.code == 0 && reply.json().is_empty() && reply.stderr.contains("it makes no event"), "{reply:?}");
    let on = explain(&config, &packet(NAS, &[(40, &[0, 0, 0, 9])]), &[]);
    assert!(
        on.json().is_empty() && on.stderr.contains("no event: no Acct-Status-Type, or one that makes none"),
        "{on:?}"
    );
    let garbage = explain(&config, &[1, 2, 3], &[]);
    assert!(garbage.stderr.contains("no RADIUS packet"), "{garbage:?}");
}

#[test]
fn a_detail_file_and_a_lone_login_are_explained_and_a_wrong_command_line_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", "http://127.0.0.1:9/", SECRET, "events = [\"auth.timeout\", \"session.*\"]")
        .write();
    let detail = directory.path().join("detail");
    let record = "Sun Nov 22 10:15:30 2026\n\tUser-Name = \"bob\"\n\tAcct-Status-Type = Start\n\tAcct-Session-Id = \"7\"\n\
                  \tTimestamp = 1795342530\n\n";
    fs::write(&detail, record).expect("it can be written");
    let path = detail.to_str().expect("a UTF-8 path");
    let told = radhook(&config, &["explain", "--packet", path, "--json"]).json();
    assert_eq!((told.len(), &told[0]["type"]), (1, &"session.start".into()));

    let mut login = packet(NAS, &[(1, b"bob"), (32, b"lobby")]);
    login[0] = 1;
    let text = explain(&config, &login, &[]);
    assert!(text.stderr.contains("no reply to it is there"), "{text:?}");
    assert_eq!(text.json()[0]["type"], "auth.timeout");

    for words in [&["explain"][..], &["explain", "id", "--event", "-"], &["explain", "--event", "-", "--client", "x"]] {
        assert_eq!(radhook(&config, words).code, 2, "{words:?}");
    }
    let file = directory.path().join("event.json");
    fs::write(&file, "{\"type\": \"session.stop\"}").expect("it can be written");
    let half = radhook(&config, &["explain", "--event", file.to_str().expect("UTF-8")]);
    assert!(half.code == 1 && half.stderr.contains("it has no `id`"), "{half:?}");
    let broken = Config::new(directory.path(), NAS).table("[[endpoint]]\nname = \"x\"").write();
    assert_eq!(radhook(&broken, &["explain", "--packet", path]).code, 3);
}
