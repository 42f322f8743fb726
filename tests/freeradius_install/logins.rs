//! What becomes of logins and sessions.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use radhook::exchange::{Exchange, Login, Origin, Reply};
use radhook::radius::{Attributes, Code, Dictionary, Method, Packet, decode};
use radhook::session::Meaning;
use radius::core::code::Code as RadiusCode;
use radius::core::packet::Packet as Request;
use radius::core::{rfc2865, rfc2866};
use serde_json::Value;

use crate::stock::{SECRET, Stock};
use crate::support::daemon::{Config, Daemon};
use crate::support::http_sink::HttpSink;
use crate::support::own_accounting_address;
use crate::support::radclient::{Radclient, session};
use crate::verbs::{EVERYTHING_IN_TURN, config, freeradius};

/// A stock FreeRADIUS joined to radhook by a spool.
struct Joined {
    stock: Stock,
    directory: tempfile::TempDir,
    config: std::path::PathBuf,
    sink: HttpSink,
}

fn joined() -> Joined {
    let (stock, directory, sink) = (Stock::copy(), tempfile::tempdir().unwrap(), HttpSink::start());
    let config = config(directory.path(), own_accounting_address(), &sink.url());
    let installed = freeradius(&stock, &config, &["install", "--yes"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    Joined { stock, directory, config, sink }
}

impl Joined {
    /// The next events, in the order in which they came in.
    fn events(&self, count: usize) -> Vec<Value> {
        (0..count).map(|_| serde_json::from_slice(&self.sink.wait_until_body()).expect("events are JSON")).collect()
    }

    /// Logs in by password from a NAS that asks once; the reply, and the event's id that a relay in front would give it.
    fn log_in(&self, user: &str, password: &str) -> (Code, String) {
        let mut request = Request::new(RadiusCode::AccessRequest, SECRET.as_bytes());
        rfc2865::add_user_name(&mut request, user);
        rfc2865::add_user_password(&mut request, password.as_bytes()).unwrap();
        rfc2865::add_nas_identifier(&mut request, "lobby-ap-1");
        rfc2865::add_calling_station_id(&mut request, "AA-BB-CC-DD-EE-FF");
        let octets = request.encode().unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket.send_to(&octets, self.stock.auth()).unwrap();
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("FreeRADIUS answers");
        let (request, reply) = (Packet::parse(&octets).unwrap(), Packet::parse(&buffer[..length]).unwrap());
        (reply.code(), id_by_a_relay(&request, &reply))
    }
}

impl Joined {
    /// Sends the start of a session of this user; whether it is answered.
    fn account(&self, user: &str) -> bool {
        let mut request = Request::new(RadiusCode::AccountingRequest, SECRET.as_bytes());
        rfc2865::add_user_name(&mut request, user);
        rfc2866::add_acct_status_type(&mut request, rfc2866::ACCT_STATUS_TYPE_START);
        rfc2866::add_acct_session_id(&mut request, &format!("S-{}", user.len()));
        rfc2865::add_nas_identifier(&mut request, "lobby-ap-1");
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket.send_to(&request.encode().unwrap(), self.stock.acct()).unwrap();
        socket.recv(&mut [0; 4096]).is_ok()
    }
}

/// The id of the event that a relay makes, which has seen both packets.
fn id_by_a_relay(request: &Packet, reply: &Packet) -> String {
    let read = |packet: &Packet| -> Attributes { decode(packet, &Dictionary::shipped()) };
    let exchange = Exchange {
        origin: Origin {
            source: "relay".into(),
            kind: "relay",
            client: "nas".into(),
            address: Ipv4Addr::LOCALHOST.into(),
        },
        received_at: Timestamp::now(),
        code: request.code(),
        request: read(request),
        reply: Some(Reply { code: reply.code(), attributes: read(reply), latency: Some(Duration::from_millis(7)) }),
        login: Login { authenticator: Some(*request.authenticator()), method: Method::of(request), rounds: Some(0) },
        swap_octets: false,
    };
    Meaning::read(&exchange).expect("a login means something").id(0).to_string()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn a_login_becomes_the_event_that_a_relay_would_make() {
    let joined = joined();
    let _daemon = Daemon::start(&joined.config);
    let server = joined.stock.start();

    let (accepted, accept_id) = joined.log_in("bob", "hello");
    let (rejected, reject_id) = joined.log_in("bob", "wrong");
    assert_eq!((accepted, rejected), (Code::ACCESS_ACCEPT, Code::ACCESS_REJECT));

    let events = joined.events(2);
    assert_eq!(kinds(&events), ["auth.accept", "auth.reject"]);
    assert_eq!(events[0]["id"], accept_id);
    assert_eq!(events[1]["id"], reject_id);
    let accept = &events[0];
    assert_eq!(accept["source"]["address"], "127.0.0.1");
    assert_eq!(accept["data"]["user"]["name"], "bob");
    assert_eq!(accept["data"]["nas"]["identifier"], "lobby-ap-1");
    assert_eq!(accept["data"]["auth"]["method"], "PAP");
    assert_eq!(accept["data"]["auth"]["session_timeout"], 3600);
    assert_eq!(accept["data"]["auth"]["vlan"], "20");
    assert_eq!(accept["data"]["attributes"]["Calling-Station-Id"], "AA-BB-CC-DD-EE-FF");
    assert_eq!(accept["data"]["reply_attributes"]["Reply-Message"], "Hi bob");
    assert!(accept["data"]["attributes"].get("Reply-Message").is_none(), "{accept}");
    assert!(accept["data"]["reply_attributes"].get("NAS-Identifier").is_none(), "{accept}");
    assert_eq!(events[1]["data"]["auth"]["method"], "PAP");
    let all = format!("{events:?}");
    assert!(!all.contains("hello") && !all.contains("wrong") && !all.contains("Radhook-"), "{all}");
    drop(server);
}

/// Runs eapol_test with an identity of its own; whether the login went well.
fn eapol(stock: &Stock, directory: &Path, network: &str) -> bool {
    let file = directory.join("eapol.conf");
    fs::write(&file, format!("network={{\n identity=\"bob\"\n password=\"hello\"\n{network}\n}}\n")).unwrap();
    let port = stock.auth().port().to_string();
    let output = Command::new("eapol_test")
        .args(["-n", "-a", "127.0.0.1", "-p", &port, "-s", SECRET, "-t", "30", "-c"])
        .arg(&file)
        .output()
        .expect("eapol_test starts; tests/run installs what is missing");
    String::from_utf8_lossy(&output.stdout).trim_end().ends_with("SUCCESS")
}

#[test]
fn every_round_of_eap_is_told_with_its_method_and_without_its_keys() {
    let joined = joined();
    // Down until all is written, so that the spool can be looked at.
    let server = joined.stock.start();
    assert!(eapol(&joined.stock, joined.directory.path(), " key_mgmt=IEEE8021X\n eap=MD5"));
    let peap = " key_mgmt=WPA-EAP\n eap=PEAP\n anonymous_identity=\"anon\"\n phase2=\"auth=MSCHAPV2\"";
    assert!(eapol(&joined.stock, joined.directory.path(), peap));
    let spooled: String = fs::read_dir(joined.stock.spool())
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    for secret in ["EAP-Message", "MSK", "EMSK", "MPPE", "EAP-Session-Id", "Message-Authenticator", "\tState"] {
        assert!(!spooled.contains(secret), "{secret} is in the spool:\n{spooled}");
    }
    let rounds = spooled.matches("Radhook-Result").count();
    let _daemon = Daemon::start(&joined.config);

    let events = joined.events(rounds);

    let mut methods: HashMap<(String, String), usize> = HashMap::new();
    for event in &events {
        let part = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        *methods.entry((part(&event["type"]), part(&event["data"]["auth"]["method"]))).or_default() += 1;
    }
    let count = |kind: &str, method: &str| methods.get(&(kind.to_owned(), method.to_owned())).copied().unwrap_or(0);
    // FreeRADIUS offers MD5 to both, which the second declines.
    assert_eq!(count("auth.challenge", "EAP-MD5"), 2, "{methods:?}");
    assert_eq!(count("auth.accept", "EAP-MD5"), 1, "{methods:?}");
    assert_eq!(count("auth.accept", "PEAP"), 1, "{methods:?}");
    assert_eq!(count("auth.challenge", "PEAP"), rounds - 4, "{methods:?}");
    drop(server);
}

#[test]
fn while_radhook_is_down_logins_and_accounting_go_on_and_are_told_when_it_is_back() {
    let joined = joined();
    let daemon = Daemon::start(&joined.config);
    let server = joined.stock.start();
    let packets = session("carol", "S-1", 1);
    let nas = Radclient::accounting(joined.stock.acct(), SECRET);
    assert_eq!(nas.send(&packets[..1]).answered, 1);
    let started = joined.events(1);
    assert_eq!(kinds(&started), ["session.start"]);
    assert!(daemon.stop().success());

    let begun = Instant::now();
    assert_eq!(nas.send(&packets[1..]).answered, 2);
    let (code, id) = joined.log_in("bob", "hello");
    assert_eq!(code, Code::ACCESS_ACCEPT);
    // FreeRADIUS gives a home server five seconds: nobody has waited for that.
    assert!(begun.elapsed() < Duration::from_secs(5));

    let _daemon = Daemon::start(&joined.config);
    let mut events = joined.events(3);
    events.sort_by_key(|event| event["type"].to_string());
    assert_eq!(kinds(&events), ["auth.accept", "session.stop", "session.update"]);
    assert_eq!(events[0]["id"], id);
    assert_eq!(events[1]["data"]["session"]["id"], "S-1");
    drop(server);
}

#[test]
fn a_spool_that_cannot_be_written_fails_no_login() {
    let joined = joined();
    // A file stands where the directory is to be.
    fs::write(joined.stock.spool(), "").unwrap();
    let server = joined.stock.start();

    assert_eq!(joined.log_in("bob", "hello").0, Code::ACCESS_ACCEPT);
    assert_eq!(joined.log_in("bob", "wrong").0, Code::ACCESS_REJECT);
    assert!(eapol(&joined.stock, joined.directory.path(), " key_mgmt=IEEE8021X\n eap=MD5"));
    drop(server);
}

#[test]
fn proxied_accounting_is_answered_when_radhook_has_stored_it() {
    let (stock, directory, sink) = (Stock::copy(), tempfile::tempdir().unwrap(), HttpSink::start());
    let address: SocketAddr = own_accounting_address();
    let config = config(directory.path(), address, &sink.url());
    let installed = freeradius(&stock, &config, &["install", "--yes", "--what", "proxy"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    let _daemon = Daemon::start(&config);
    let server = stock.start();

    let answers = Radclient::accounting(stock.acct(), SECRET).send(&session("dave", "P-1", 0));

    assert_eq!(answers.answered, 2, "{}", answers.output);
    assert_eq!(sink_kinds(&sink, 2), ["session.start", "session.stop"]);
    let checked = freeradius(&stock, &config, &["check", "--wait", "60s"]);
    assert!(checked.code == 0 && checked.stdout.contains("proxied accounting"), "{checked:?}");
    drop(server);
}

fn sink_kinds(sink: &HttpSink, count: usize) -> Vec<String> {
    let kind = |_| {
        let event: Value = serde_json::from_slice(&sink.wait_until_body()).expect("events are JSON");
        event["type"].as_str().expect("they have a type").to_owned()
    };
    (0..count).map(kind).collect()
}

#[test]
fn rlm_rest_with_nobody_to_post_to_fails_no_login_and_answers_no_accounting() {
    let (stock, directory) = (Stock::copy(), tempfile::tempdir().unwrap());
    let nobody = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let local = format!("[[source]]\ntype = \"local\"\nlisten = \"{nobody}\"");
    let config = Config::new(directory.path(), "0123456789abcdef").table(&local);
    let config = config.endpoint("crm", "http://127.0.0.1:9/", "0123456789abcdef", "").write();
    let installed = freeradius(&stock, &config, &["install", "--yes", "--what", "rest"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    let joined = Joined { stock, directory, config, sink: HttpSink::start() };
    let server = joined.stock.start();

    assert_eq!(joined.log_in("bob", "hello").0, Code::ACCESS_ACCEPT);
    assert_eq!(joined.log_in("bob", "wrong").0, Code::ACCESS_REJECT);
    let nas = Radclient::accounting(joined.stock.acct(), SECRET).tries(1, 3.0);
    assert_eq!(nas.send(&session("erin", "R-1", 0)[..1]).answered, 0);
    drop(server);
}

#[test]
fn rlm_rest_tells_logins_and_sessions_under_the_ids_of_a_relay() {
    let (stock, directory, sink) = (Stock::copy(), tempfile::tempdir().unwrap(), HttpSink::start());
    let local = own_accounting_address();
    let local = format!("[[source]]\ntype = \"local\"\nlisten = \"{local}\"");
    let config = Config::bare(directory.path()).table(&local);
    let config = config.endpoint("crm", &sink.url(), "0123456789abcdef", EVERYTHING_IN_TURN).write();
    let installed = freeradius(&stock, &config, &["install", "--yes", "--what", "rest"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    let _daemon = Daemon::start(&config);
    let joined = Joined { stock, directory, config, sink };
    let server = joined.stock.start();

    let accept = joined.log_in("bob", "hello");
    let reject = joined.log_in("bob", "wrong");
    assert_eq!((accept.0, reject.0), (Code::ACCESS_ACCEPT, Code::ACCESS_REJECT));
    assert!(joined.account("bob"));

    let events = joined.events(3);
    assert_eq!(kinds(&events), ["auth.accept", "auth.reject", "session.start"]);
    assert_eq!((events[0]["id"].as_str(), events[1]["id"].as_str()), (Some(&*accept.1), Some(&*reject.1)));
    assert_eq!(events[0]["data"]["auth"]["method"], "PAP");
    assert!(
        !events[0].to_string().contains("hello\"") || events[0]["data"]["reply_attributes"].is_object(),
        "{events:?}"
    );
    drop(server);
}

#[test]
fn a_name_made_to_upset_the_spools_reader_loses_nothing_else() {
    let joined = joined();
    let _daemon = Daemon::start(&joined.config);
    let server = joined.stock.start();

    let unreadable = ["\u{1}".repeat(253), "a".repeat(10) + &"\0".repeat(243)];
    let odd = ["\"".repeat(253), "\\".repeat(253), "é".repeat(126), "eve\0".to_owned()];
    for name in unreadable.iter().chain(&odd) {
        assert_eq!(joined.log_in(name, "x").0, Code::ACCESS_REJECT, "{name:?}");
        assert!(joined.account(name), "accounting of {name:?} is answered");
    }
    // What the reader takes for an expansion is neither expanded nor passed on.
    assert_eq!(joined.log_in("%{expr:1}", "x").0, Code::ACCESS_REJECT);
    assert_eq!(joined.log_in("bob", "hello").0, Code::ACCESS_ACCEPT);

    let events = joined.events(2 * odd.len() + 2);
    assert_eq!(kinds(&events)[2 * odd.len()..], ["auth.reject", "auth.accept"]);
    assert!(events[2 * odd.len()]["data"].get("user").is_none(), "{events:?}");
    let names: Vec<&str> = events.iter().filter_map(|event| event["data"]["user"]["name"].as_str()).collect();
    for name in &odd {
        // The reader ends a text at a NUL.
        let name = name.trim_end_matches('\0');
        assert_eq!(names.iter().filter(|told| **told == name).count(), 2, "{name:?} is not twice in {names:?}");
    }
    let kept = joined.stock.spool().with_file_name("radhook-unreadable");
    let kept: String =
        fs::read_dir(kept).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert_eq!(kept.matches("User-Name = ").count(), 2 * unreadable.len(), "{kept}");
    drop(server);
}
