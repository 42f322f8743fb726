//! What a real FreeRADIUS writes: read beside its own reader, and told as by any other path.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use radhook::exchange::{Exchange, Login, Reply};
use radhook::radius::{Attributes, Code, Dictionary, Method, decode};
use radhook::session::Meaning;
use radius::core::code::Code as WireCode;
use radius::core::packet::Packet;
use radius::core::rfc2865;
use tempfile::TempDir;

use crate::source::{Source, sessions};
use crate::support::freeradius::{Accounting, FreeRadius, HOME_SECRET, NAS_SECRET};
use crate::support::process::{PATIENCE, Process};
use crate::support::radclient::{self, Radclient};
use crate::support::responder::Responder;
use crate::support::verbs::wait_until;
use crate::support::{fixture, free_udp_port};

/// A FreeRADIUS that writes down logins in every way it can.
struct Server {
    auth: SocketAddr,
    accounting: SocketAddr,
    directory: TempDir,
    _process: Process,
}

impl Server {
    fn start() -> Self {
        // Somebody may take a port in between.
        for _ in 0..5 {
            let directory = tempfile::tempdir().expect("a temporary directory can be made");
            let (auth, accounting) = (free_udp_port(), free_udp_port());
            let write = |template: &str, name: &str| {
                let template = fs::read_to_string(fixture("freeradius").join(template)).expect("the template is there");
                let text = template
                    .replace("@directory@", directory.path().to_str().expect("temporary directories have UTF-8 names"))
                    .replace("@auth_port@", &auth.to_string())
                    .replace("@port@", &accounting.to_string())
                    .replace("@nas_secret@", NAS_SECRET);
                fs::write(directory.path().join(name), text).expect("the configuration can be written");
            };
            write("detail_logins.conf", "variant.conf");
            write("radiusd.conf", "radiusd.conf");
            let markers = Path::new(env!("CARGO_MANIFEST_DIR")).join("dictionaries/dictionary.radhook");
            fs::copy(markers, directory.path().join("dictionary")).expect("the dictionary can be written");
            let mut command = Command::new("freeradius");
            // Its binary stands where only root's PATH looks.
            let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
            command.env("PATH", path).args(["-f", "-l", "stdout", "-n", "radiusd", "-d"]).arg(directory.path());
            let process = Process::start("freeradius", &mut command);
            if process.wait_for_line(|line| line.contains("Ready to process requests")).is_some() {
                let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                return Self { auth: at(auth), accounting: at(accounting), directory, _process: process };
            }
            let transcript = process.transcript();
            assert!(transcript.contains("Address already in use"), "freeradius ended:\n{transcript}");
        }
        panic!("five free ports in a row were taken");
    }

    fn glob(&self, pattern: &str) -> String {
        self.path(pattern).to_str().expect("temporary directories have UTF-8 names").to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("radacct").join(name)
    }

    /// Sends a login and takes its answer; as whoever stands in between would tell it.
    fn login(&self, user: &str, password: &str) -> Exchange {
        let mut packet = Packet::new(WireCode::AccessRequest, NAS_SECRET.as_bytes());
        rfc2865::add_user_name(&mut packet, user);
        rfc2865::add_user_password(&mut packet, password.as_bytes()).expect("it is short enough");
        rfc2865::add_nas_identifier(&mut packet, "lobby-ap-1");
        rfc2865::add_calling_station_id(&mut packet, "AA-BB-CC-DD-EE-FF");
        let request = packet.encode().expect("it encodes");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        socket.send_to(&request, self.auth).expect("it can be sent");
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("FreeRADIUS answers");
        let dictionary = Dictionary::shipped();
        let read = |octets| radhook::radius::Packet::parse(octets).expect("a packet");
        let (request, answer) = (read(&request), read(&buffer[..length]));
        Exchange {
            origin: radhook::exchange::Origin {
                source: "front".into(),
                kind: "relay",
                client: "127.0.0.1".into(),
                address: Ipv4Addr::LOCALHOST.into(),
            },
            received_at: Timestamp::now(),
            code: request.code(),
            request: decode(&request, &dictionary),
            reply: Some(Reply { code: answer.code(), attributes: decode(&answer, &dictionary), latency: None }),
            login: Login { authenticator: Some(*request.authenticator()), method: Some(Method::Pap), rounds: None },
            swap_octets: false,
        }
    }
}

fn of(exchange: &Exchange) -> Meaning<'_> {
    Meaning::read(exchange).expect("it means something")
}

fn reply(exchange: &Exchange) -> (Code, serde_json::Value) {
    let reply = exchange.reply.as_ref().expect("a reply");
    (reply.code, json(&reply.attributes))
}

fn json(attributes: &Attributes) -> serde_json::Value {
    serde_json::to_value(attributes).expect("attributes are JSON")
}

#[test]
fn logins_of_the_spool_policy_are_the_same_facts_as_seen_from_in_front() {
    let server = Server::start();
    let seen = [server.login("alice", "hunter2"), server.login("bob", "wrong"), server.login("carol", "hunter2")];
    let quarantine = server.path("quarantine");
    let mut source = Source::over("spool", vec![server.glob("radhook/detail*")], false, quarantine);
    let told = source.exchanges(3);
    let kinds: Vec<_> = told.iter().map(|exchange| of(exchange).kind.name()).collect();
    assert_eq!(kinds, ["auth.accept", "auth.reject", "auth.challenge"]);
    for (told, seen) in told.iter().zip(&seen) {
        assert_eq!(of(told).id(0), of(seen).id(0), "{told:?}\n{seen:?}");
        assert_eq!(told.origin.address, seen.origin.address);
        assert_eq!(told.login.authenticator, seen.login.authenticator);
        let (told_reply, seen_reply) = (reply(told), reply(seen));
        assert_eq!(told_reply.0, seen_reply.0);
        let mut expected = seen_reply.1;
        // What the policy suppresses.
        expected
            .as_object_mut()
            .expect("an object")
            .retain(|name, _| name != "State" && name != "Message-Authenticator");
        assert_eq!(told_reply.1, expected);
        for (name, value) in json(&seen.request).as_object().expect("an object") {
            assert_eq!(json(&told.request).get(name), Some(value), "{name}");
        }
        assert!(!json(&told.request).to_string().contains("Radhook"), "{told:?}");
    }
    assert_eq!(told[0].login.method.map(|method| method.name()), Some("PAP".into()));
    source.wait_for_records("login", 3);
}

#[test]
fn the_logs_of_the_default_site_tell_of_a_login_what_its_reply_says() {
    let server = Server::start();
    for (user, password) in [("alice", "hunter2"), ("bob", "wrong"), ("carol", "hunter2"), ("alice", "hunter2")] {
        server.login(user, password);
    }
    let quarantine = server.path("quarantine");
    let mut source = Source::over("logs", vec![server.glob("*/*-detail-*")], false, quarantine);
    let told = source.exchanges(4);
    let kinds: Vec<_> = told.iter().map(|exchange| of(exchange).kind.name()).collect();
    assert_eq!(kinds, ["auth.accept", "auth.reject", "auth.challenge", "auth.accept"]);
    assert_eq!(reply(&told[0]).1["Reply-Message"], "Hello alice");
    assert_ne!(of(&told[0]).id(0), of(&told[3]).id(0), "the same user twice is two logins");
    assert_eq!(told[0].origin.address, Ipv4Addr::LOCALHOST, "by the name of the directory");
    source.wait_for_records("request", 4);
    source.wait_for_records("reply", 4);
}

#[test]
fn freeradius_s_own_reader_and_ours_do_not_notice_each_other() {
    const UPDATES: usize = 18;
    let home = Responder::start(HOME_SECRET);
    home.set_silent(true);
    let freeradius = FreeRadius::start(&Accounting::Spool { home: home.address() });
    let spool = freeradius.radacct().join("radhook");
    let glob = spool.join("detail*").to_str().expect("temporary directories have UTF-8 names").to_owned();
    let mut source = Source::over("beside", vec![glob], false, spool.join("quarantine"));
    let packets = radclient::session("alice", "5F1A-0001", UPDATES);
    let answers = Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&packets);
    assert_eq!(answers.answered, packets.len(), "{}", answers.output);
    let told = source.exchanges(packets.len());
    assert!(sessions(&told).iter().all(|session| session == "5F1A-0001"));

    // Its reader has taken the file by now, and gets no answer.
    home.wait_until_request();
    wait_until("the reader has renamed the file", || spool.join("detail.work").exists().then_some(()));
    let more = radclient::session("bob", "5F1A-0002", 0);
    Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&more);
    assert_eq!(sessions(&source.exchanges(more.len())), ["5F1A-0002", "5F1A-0002"]);
    source.restart();

    home.set_silent(false);
    wait_until("the reader has read both files and deleted them", || {
        let left = fs::read_dir(&spool).expect("it lists").filter_map(Result::ok);
        let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("detail")).count();
        (left == 0).then_some(())
    });
    let last = radclient::session("carol", "5F1A-0003", 0);
    Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&last[..1]);
    assert_eq!(sessions(&source.exchanges(1)), ["5F1A-0003"], "nothing was told twice in between");
    assert_eq!(source.files("truncated"), 0);
}

#[test]
fn accounting_is_the_same_fact_in_a_detail_file_and_on_the_wire() {
    let server = Server::start();
    let home = Responder::start(HOME_SECRET);
    let packets = [
        "Acct-Status-Type = Start, User-Name = \"bob\", Acct-Session-Id = \"S1\", NAS-Identifier = \"ap\", \
         Event-Timestamp = \"Nov 22 2026 10:15:30 UTC\", Class = 0x00ff, Called-Station-Id = \"00-11-22-33-44-55:Guest\"",
        "Acct-Status-Type = Stop, User-Name = \"bob\", Acct-Session-Id = \"S1\", NAS-Identifier = \"ap\", \
         Acct-Session-Time = 30, Acct-Input-Octets = 4294967295, Acct-Input-Gigawords = 2, Acct-Terminate-Cause = User-Request",
    ]
    .map(str::to_owned);
    for (to, secret) in [(server.accounting, NAS_SECRET), (home.address(), HOME_SECRET)] {
        let answers = Radclient::accounting(to, secret).send(&packets);
        assert_eq!(answers.answered, packets.len(), "{}", answers.output);
    }
    let mut source = Source::over("same", vec![server.glob("radhook/detail*")], false, server.path("quarantine"));
    for told in source.exchanges(2) {
        let octets = home.wait_until_request().encode().expect("it encodes");
        let request = radhook::radius::Packet::parse(&octets).expect("a packet");
        let request = decode(&request, &Dictionary::shipped());
        let wire = Exchange { request, ..told.clone() };
        assert_eq!(of(&told).id(0), of(&wire).id(0));
        for (name, value) in json(&wire.request).as_object().expect("an object") {
            assert_eq!(json(&told.request).get(name), Some(value), "{name}");
        }
    }
}
