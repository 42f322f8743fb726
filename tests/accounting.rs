//! The accounting source through real sockets on loopback.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use radhook::exchange::{Readiness, Stored, Submission};
use radhook::radius::authenticator::{self, MessageAuthenticator};
use radhook::radius::{Code, Dictionary, Packet, numbers};
use radhook::secret::Secret;
use radhook::source::accounting::{self, AccountingSource};
use radhook::source::client::{Client, Clients, Requirement};
use radhook::source::{AccountingOptions, Inlet, Running};

const SECRET: &[u8] = b"xyzzy5461";
const START: (u8, &[u8]) = (40, &[0, 0, 0, 1]);
const STOP: (u8, &[u8]) = (40, &[0, 0, 0, 2]);
/// How long an answer may take before a test says that it does not come. Never waited for where one does.
const PATIENCE: Duration = Duration::from_secs(10);

static METRICS: LazyLock<PrometheusHandle> =
    LazyLock::new(|| PrometheusBuilder::new().install_recorder().expect("nobody else installs one in this process"));

/// What a source needs of the house.
fn inlet(clients: Clients, submissions: Sender<Submission>, readiness: Readiness) -> Inlet {
    Inlet { clients: Arc::new(clients), dictionary: Dictionary::shipped(), submissions, readiness }
}

/// A source on free loopback ports, with the other end of its intake.
struct Server {
    name: Arc<str>,
    source: AccountingSource,
    intake: Receiver<Submission>,
    readiness: Readiness,
    /// Kept so that the channel stays open.
    _intake: Sender<Submission>,
}

impl Server {
    /// `name` is the source's and must be a test's own, since it tells the tests' metrics apart.
    fn start(name: &str, listen: &[&str]) -> Self {
        Self::with(name, listen, Requirement::Auto, 16)
    }

    fn with(name: &str, listen: &[&str], requirement: Requirement, room: usize) -> Self {
        LazyLock::force(&METRICS);
        let client = |name: &str, network: &str, secret: &[u8]| Client {
            name: name.into(),
            network: network.parse().unwrap(),
            secret: Secret::new(secret),
            message_authenticator: requirement,
            swap_octets: false,
            nas_type: None,
        };
        let clients = Clients::new(vec![
            client("loopback", "127.0.0.0/8", SECRET),
            client("six", "::1/128", SECRET),
            client("special", "127.0.0.7/32", b"special"),
        ]);
        let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
        let options = AccountingOptions { name: name.into(), listen };
        let (sender, intake) = crossbeam_channel::bounded(room);
        let readiness = Readiness::new();
        let source = accounting::start(&options, &inlet(clients, sender.clone(), readiness.clone())).unwrap();
        Self { name: name.into(), source, intake, readiness, _intake: sender }
    }

    fn port(&self) -> u16 {
        self.source.local_addrs()[0].port()
    }

    fn submission(&self) -> Submission {
        self.intake.recv_timeout(PATIENCE).expect("a submission")
    }

    /// Takes the next submission, stores it, and answers with its attributes as JSON.
    fn store_next(&self) -> Vec<serde_json::Value> {
        let submission = self.submission();
        let requests =
            submission.exchanges.iter().map(|exchange| serde_json::to_value(&exchange.request).unwrap()).collect();
        (submission.done)(Stored::Yes);
        requests
    }

    fn count(&self, client: &str, result: &str) -> u64 {
        let line = format!(
            r#"radhook_accounting_packets_total{{source="{}",client="{client}",result="{result}"}} "#,
            self.name
        );
        find(&line)
    }

    fn answers(&self, result: &str) -> u64 {
        find(&format!(r#"radhook_accounting_answers_total{{source="{}",result="{result}"}} "#, self.name))
    }
}

fn find(line: &str) -> u64 {
    METRICS.render().lines().find_map(|other| other.strip_prefix(line)?.parse().ok()).unwrap_or(0)
}

/// A NAS.
struct Nas(UdpSocket);

impl Nas {
    fn at(address: &str) -> Self {
        let socket = UdpSocket::bind((address.parse::<IpAddr>().unwrap(), 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn send(&self, octets: &[u8], to: (&str, u16)) {
        self.0.send_to(octets, to).unwrap();
    }

    fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut octets = vec![0; 4096];
        let (length, from) = self.0.recv_from(&mut octets).expect("an answer");
        octets.truncate(length);
        (octets, from)
    }

    /// Asks whether the server is alive. Its threads answer in order: what was sent before has been looked at when
    /// the answer is here, and if it had been answered at once, that answer would come first.
    fn sync(&self, to: (&str, u16)) {
        let request = status_server(SECRET);
        self.send(&request, to);
        let (answer, _) = self.receive();
        assert_eq!(answer[1], request[1], "an answer that should not have come");
        assert!(genuine(&answer, &request, SECRET));
    }
}

fn attributes(pairs: &[(u8, &[u8])]) -> Vec<u8> {
    pairs.iter().flat_map(|(number, value)| [&[*number, value.len() as u8 + 2], *value].concat()).collect()
}

fn packet(code: u8, identifier: u8, authenticator: [u8; 16], pairs: &[(u8, &[u8])]) -> Vec<u8> {
    let attributes = attributes(pairs);
    let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    [&[code, identifier, length[0], length[1]], authenticator.as_slice(), &attributes].concat()
}

fn accounting_request(identifier: u8, pairs: &[(u8, &[u8])]) -> Vec<u8> {
    signed(packet(4, identifier, [0; 16], pairs), SECRET)
}

fn signed(mut request: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let authenticator = authenticator::request_authenticator(&request, secret);
    request[4..20].copy_from_slice(&authenticator);
    request
}

/// With a Message-Authenticator in front of the other attributes.
fn with_message_authenticator(code: u8, identifier: u8, pairs: &[(u8, &[u8])], secret: &[u8]) -> Vec<u8> {
    let authenticator = if code == 12 { [identifier; 16] } else { [0; 16] };
    let pairs = [[(80, [0; 16].as_slice())].as_slice(), pairs].concat();
    let mut request = packet(code, identifier, authenticator, &pairs);
    let value = authenticator::message_authenticator(&request, 20, &authenticator, secret);
    request[22..38].copy_from_slice(&value);
    if code == 12 { request } else { signed(request, secret) }
}

fn status_server(secret: &[u8]) -> Vec<u8> {
    with_message_authenticator(12, 250, &[], secret)
}

fn genuine(answer: &[u8], request: &[u8], secret: &[u8]) -> bool {
    radius::core::packet::Packet::is_authentic_response(answer, request, secret)
}

const LOOPBACK: &str = "127.0.0.1";

#[test]
fn an_answer_leaves_only_after_the_exchange_is_stored() {
    let server = Server::start("stored-first", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    let to = (LOOPBACK, server.port());
    let request = accounting_request(7, &[(1, b"alice"), START, (33, b"one"), (44, b"5F1A"), (33, b"two")]);
    nas.send(&request, to);
    let submission = server.submission();
    nas.sync(to);
    let exchange = &submission.exchanges[0];
    assert_eq!((exchange.code.0, &*exchange.origin.source, exchange.origin.kind), (4, "stored-first", "accounting"));
    assert_eq!((&*exchange.origin.client, exchange.origin.address), ("loopback", LOOPBACK.parse().unwrap()));
    assert_eq!(exchange.request.get(numbers::USER_NAME).and_then(|value| value.text()), Some("alice"));
    (submission.done)(Stored::Yes);
    let (answer, from) = nas.receive();
    assert!(genuine(&answer, &request, SECRET));
    assert_eq!(from, SocketAddr::from(([127, 0, 0, 1], server.port())));
    let answer = Packet::parse(&answer).unwrap();
    assert_eq!((answer.code(), answer.identifier()), (Code::ACCOUNTING_RESPONSE, 7));
    let states: Vec<_> = answer.attributes().map(|attribute| (attribute.number, attribute.value)).collect();
    assert_eq!(states, [(33, b"one".as_slice()), (33, b"two")]);
    assert_eq!(server.count("loopback", "accepted"), 1);
}

#[test]
fn what_is_not_stored_is_not_answered_and_its_next_try_is_taken_anew() {
    let server = Server::start("not-stored", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    let to = (LOOPBACK, server.port());
    let request = accounting_request(7, &[START]);
    nas.send(&request, to);
    (server.submission().done)(Stored::No);
    nas.sync(to);
    assert_eq!(server.answers("withheld"), 1);
    nas.send(&request, to);
    server.store_next();
    assert!(genuine(&nas.receive().0, &request, SECRET));
}

#[test]
fn a_retransmission_is_dropped_while_in_flight_and_then_answered_the_same_way() {
    let server = Server::start("retransmission", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    let to = (LOOPBACK, server.port());
    let request = accounting_request(7, &[START, (33, b"state")]);
    nas.send(&request, to);
    let submission = server.submission();
    nas.send(&request, to);
    nas.sync(to);
    (submission.done)(Stored::Yes);
    let (first, _) = nas.receive();
    nas.send(&request, to);
    assert_eq!(nas.receive().0, first);
    assert!(server.intake.is_empty());
    assert_eq!(server.count("loopback", "duplicate"), 2);
    let other = accounting_request(7, &[STOP, (33, b"state")]);
    nas.send(&other, to);
    server.store_next();
    assert!(genuine(&nas.receive().0, &other, SECRET), "the same identifier with other octets is a new request");
}

#[test]
fn one_submission_holds_a_batch_in_the_order_of_arrival() {
    let server = Server::with("batch", &["127.0.0.1:0"], Requirement::Auto, 0);
    let nas = Nas::at(LOOPBACK);
    let to = (LOOPBACK, server.port());
    for identifier in 0..200 {
        let session = identifier.to_string();
        nas.send(&accounting_request(identifier, &[START, (44, session.as_bytes())]), to);
    }
    let mut sessions = Vec::new();
    let mut submissions = 0;
    while sessions.len() < 200 {
        submissions += 1;
        sessions.extend(server.store_next().into_iter().map(|request| request["Acct-Session-Id"].clone()));
    }
    let expected: Vec<_> = (0..200).map(|at: u32| serde_json::Value::from(at.to_string())).collect();
    assert_eq!(sessions, expected);
    assert!(submissions < 200, "the first may be alone, but while it waits others gather");
    let answered: std::collections::BTreeSet<u8> = (0..200).map(|_| nas.receive().0[1]).collect();
    assert_eq!(answered.len(), 200);
}

#[test]
fn an_unknown_client_gets_no_answer() {
    let server = Server::start("unknown-client", &["[::]:0", "127.0.0.1:0"]);
    let nas = Nas::at("::1");
    nas.sync(("::1", server.port()));
    let clients = Clients::new(vec![]);
    let options = AccountingOptions { name: "nobody".into(), listen: vec!["127.0.0.1:0".parse().unwrap()] };
    let (intake, submissions) = crossbeam_channel::bounded(1);
    let nobody = accounting::start(&options, &inlet(clients, intake, Readiness::new())).unwrap();
    let nas = Nas::at(LOOPBACK);
    nas.send(&accounting_request(1, &[START]), (LOOPBACK, nobody.local_addrs()[0].port()));
    wait_until(|| {
        find(r#"radhook_accounting_packets_total{source="nobody",client="unknown",result="unknown_client"} "#) == 1
    });
    assert!(submissions.is_empty());
    nas.0.set_nonblocking(true).unwrap();
    assert_eq!(nas.0.recv_from(&mut [0; 64]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

fn wait_until(condition: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "it does not happen");
        std::thread::yield_now();
    }
}

#[test]
fn a_forged_or_broken_packet_is_dropped_and_counted_by_its_reason() {
    let server = Server::start("forged", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    let to = (LOOPBACK, server.port());
    let good = accounting_request(1, &[START]);
    let mut forged = good.clone();
    forged[10] ^= 1;
    nas.send(&forged, to);
    nas.send(&signed(packet(4, 2, [0; 16], &[START]), b"other"), to);
    nas.send(b"", to);
    nas.send(&good[..19], to);
    nas.send(&good[..25], to);
    nas.send(&packet(1, 1, [1; 16], &[(1, b"alice")]), to);
    nas.send(&packet(12, 1, [1; 16], &[]), to);
    nas.send(&status_server(b"other"), to);
    let mut broken = with_message_authenticator(4, 3, &[START], SECRET);
    broken[30] ^= 1;
    nas.send(&signed(broken, SECRET), to);
    nas.sync(to);
    for (result, count) in [
        ("bad_authenticator", 2),
        ("malformed", 3),
        ("unexpected_code", 1),
        ("no_message_authenticator", 1),
        ("bad_message_authenticator", 2),
        ("status_server", 1),
        ("accepted", 0),
    ] {
        assert_eq!(server.count("loopback", result), count, "{result}");
    }
    assert!(server.intake.is_empty());
}

#[test]
fn the_most_specific_client_s_secret_counts() {
    let server = Server::start("specific", &["0.0.0.0:0"]);
    let nas = Nas::at("127.0.0.7");
    let to = (LOOPBACK, server.port());
    nas.send(&accounting_request(1, &[START]), to);
    let request = signed(packet(4, 2, [0; 16], &[START]), b"special");
    nas.send(&request, to);
    server.store_next();
    assert!(genuine(&nas.receive().0, &request, b"special"));
    assert_eq!(server.count("special", "bad_authenticator"), 1);
}

#[test]
fn a_message_authenticator_is_verified_where_present_and_required_where_asked_for() {
    let auto = Server::start("auto", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    let request = with_message_authenticator(4, 1, &[START], SECRET);
    nas.send(&request, (LOOPBACK, auto.port()));
    auto.store_next();
    let (answer, _) = nas.receive();
    assert!(genuine(&answer, &request, SECRET));
    let answer = Packet::parse(&answer).unwrap();
    let present = authenticator::verify_response_message(&answer, &[0; 16], SECRET);
    assert_eq!(present, MessageAuthenticator::Absent, "FreeRADIUS 3.2.1 drops an Accounting-Response with one");

    let strict = Server::with("strict", &["127.0.0.1:0"], Requirement::Yes, 16);
    nas.send(&accounting_request(2, &[START]), (LOOPBACK, strict.port()));
    nas.send(&request, (LOOPBACK, strict.port()));
    assert_eq!(strict.store_next().len(), 1);
    assert!(genuine(&nas.receive().0, &request, SECRET));
    assert_eq!(strict.count("loopback", "no_message_authenticator"), 1);
}

#[test]
fn status_server_is_answered_at_once_with_a_message_authenticator() {
    let server = Server::with("status", &["127.0.0.1:0"], Requirement::Auto, 0);
    let nas = Nas::at(LOOPBACK);
    let request = with_message_authenticator(12, 9, &[(33, b"state")], SECRET);
    nas.send(&request, (LOOPBACK, server.port()));
    let (answer, _) = nas.receive();
    assert!(genuine(&answer, &request, SECRET));
    let answer = Packet::parse(&answer).unwrap();
    assert_eq!(answer.code(), Code::ACCOUNTING_RESPONSE);
    assert_eq!(answer.first(33), Some(b"state".as_slice()));
    let authenticator = request[4..20].try_into().unwrap();
    let message = authenticator::verify_response_message(&answer, authenticator, SECRET);
    assert_eq!(message, MessageAuthenticator::Valid);
}

#[test]
fn a_health_check_is_not_answered_while_nothing_is_stored() {
    let server = Server::with("not-ready", &["127.0.0.1:0"], Requirement::Auto, 0);
    let nas = Nas::at(LOOPBACK);
    server.readiness.tell(false);
    nas.send(&with_message_authenticator(12, 1, &[], SECRET), (LOOPBACK, server.port()));
    wait_until(|| server.count("loopback", "status_server") == 1);
    server.readiness.tell(true);
    nas.send(&with_message_authenticator(12, 2, &[], SECRET), (LOOPBACK, server.port()));
    assert_eq!(nas.receive().0[1], 2, "the first answer to come is the second check's");
}

#[test]
fn the_fake_stop_of_a_health_check_is_answered_and_is_no_event() {
    let server = Server::with("fake-stop", &["127.0.0.1:0"], Requirement::Auto, 0);
    let nas = Nas::at(LOOPBACK);
    let to = (LOOPBACK, server.port());
    // As FreeRADIUS 3.2.1 sends it with status_check = request.
    let fake: &[(u8, &[u8])] = &[
        (1, b"test_user"),
        STOP,
        (44, b"00000000"),
        (55, &[0x6b, 2, 0x94, 0xdb]),
        (32, b"Status Check 0. Are you alive?"),
    ];
    let request = accounting_request(1, fake);
    nas.send(&request, to);
    assert!(genuine(&nas.receive().0, &request, SECRET));
    assert_eq!(server.count("loopback", "health_check"), 1);
    // A NAS may call a session of its own so.
    nas.send(&accounting_request(2, &[STOP, (44, b"00000000"), (32, b"lobby-ap-1")]), to);
    assert_eq!(server.store_next()[0]["NAS-Identifier"], "lobby-ap-1");
}

#[test]
fn accounting_on_and_unknown_status_types_pass_on() {
    let server = Server::start("status-types", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    for (identifier, status, name) in
        [(1, 7, "Accounting-On".into()), (2, 8, "Accounting-Off".into()), (3, 99, serde_json::Value::from(99))]
    {
        nas.send(&accounting_request(identifier, &[(40, &[0, 0, 0, status])]), (LOOPBACK, server.port()));
        assert_eq!(server.store_next()[0]["Acct-Status-Type"], name);
        assert_eq!(nas.receive().0[1], identifier);
    }
}

#[test]
fn a_record_without_a_status_passes_on_since_asking_again_would_not_mend_it() {
    let server = Server::start("no-status", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    for (identifier, attribute) in [(1, (1, b"alice".as_slice())), (2, (40, &[1]))] {
        nas.send(&accounting_request(identifier, &[attribute]), (LOOPBACK, server.port()));
        server.store_next();
        assert_eq!(nas.receive().0[1], identifier);
    }
}

#[test]
fn the_answer_leaves_from_the_address_that_was_asked() {
    let server = Server::start("asked", &["0.0.0.0:0", "[::]:0"]);
    let nas = Nas::at(LOOPBACK);
    for (identifier, address) in [(1, "127.0.0.2"), (2, "127.0.0.1"), (3, "127.0.0.3")] {
        nas.send(&accounting_request(identifier, &[START]), (address, server.port()));
        server.store_next();
        let (answer, from) = nas.receive();
        assert_eq!((answer[1], from), (identifier, SocketAddr::new(address.parse().unwrap(), server.port())));
    }
    // At once as well, and several addresses in one batch.
    for address in ["127.0.0.2", "127.0.0.3"] {
        nas.send(&status_server(SECRET), (address, server.port()));
        assert_eq!(nas.receive().1.ip(), address.parse::<IpAddr>().unwrap());
    }
    let six = server.source.local_addrs()[1];
    let nas = Nas::at("::1");
    let request = accounting_request(4, &[START]);
    nas.send(&request, ("::1", six.port()));
    server.store_next();
    let (answer, from) = nas.receive();
    assert!(genuine(&answer, &request, SECRET));
    assert_eq!(from, SocketAddr::new("::1".parse().unwrap(), six.port()));
}

#[test]
fn both_wildcards_share_a_port() {
    let first = Server::start("four", &["0.0.0.0:0"]);
    let six = format!("[::]:{}", first.port());
    let second = Server::start("six", &[&six]);
    Nas::at(LOOPBACK).sync((LOOPBACK, first.port()));
    Nas::at("::1").sync(("::1", second.port()));
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let server = Server::start("taken", &["127.0.0.1:0"]);
    let address = server.source.local_addrs()[0];
    let options = AccountingOptions { name: "second".into(), listen: vec![address] };
    let (intake, _submissions) = crossbeam_channel::bounded(1);
    let error =
        accounting::start(&options, &inlet(Clients::default(), intake, Readiness::new())).unwrap_err().to_string();
    assert!(error.starts_with(&format!("source \"second\" cannot listen on {address}: ")), "{error}");
}

#[test]
fn a_packet_of_4096_octets_is_taken_and_its_padding_too() {
    let server = Server::start("large", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    let state = [7; 253];
    let mut pairs = vec![START, (44, b"0123456789abcdef0123456789abcdef01234567")];
    let used = 20 + attributes(&pairs).len();
    let left = 4096 - used;
    pairs.extend(std::iter::repeat_n((33, state.as_slice()), left / 255));
    let rest = [7; 253];
    pairs.push((33, &rest[..left % 255 - 2]));
    let request = accounting_request(1, &pairs);
    assert_eq!(request.len(), 4096);
    nas.send(&[request.as_slice(), &[0xff; 500]].concat(), (LOOPBACK, server.port()));
    server.store_next();
    let (answer, _) = nas.receive();
    assert!(genuine(&answer, &request, SECRET));
    let states: usize = Packet::parse(&answer).unwrap().attributes().map(|attribute| attribute.value.len() + 2).sum();
    assert_eq!(states, attributes(&pairs[2..]).len());
}

#[test]
fn a_flood_of_garbage_does_not_disturb_the_others() {
    let server = Server::start("flood", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    let to = (LOOPBACK, server.port());
    let mut seed = 1_u32;
    for round in 0..50 {
        for _ in 0..100 {
            let garbage: Vec<u8> = (0..40)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            nas.send(&garbage, to);
        }
        let request = accounting_request(round, &[START]);
        nas.send(&request, to);
        server.store_next();
        assert!(genuine(&nas.receive().0, &request, SECRET));
    }
    assert_eq!(server.count("loopback", "accepted"), 50);
    assert!(server.intake.is_empty());
}

#[test]
fn a_source_stops_while_intake_is_full_and_frees_its_ports() {
    let Server { source, intake, _intake, .. } = Server::with("full", &["127.0.0.1:0"], Requirement::Auto, 0);
    let address = source.local_addrs()[0];
    let nas = Nas::at(LOOPBACK);
    nas.send(&accounting_request(1, &[START]), (LOOPBACK, address.port()));
    wait_until(|| find(r#"radhook_accounting_packets_total{source="full",client="loopback",result="accepted"} "#) == 1);
    Running::stop(Box::new(source));
    assert!(intake.is_empty());
    UdpSocket::bind(address).expect("the port is free again");
}

#[test]
fn answers_still_leave_when_the_source_has_stopped() {
    let Server { source, intake, _intake, .. } = Server::start("stopped", &["127.0.0.1:0"]);
    let nas = Nas::at(LOOPBACK);
    let request = accounting_request(1, &[START]);
    nas.send(&request, (LOOPBACK, source.local_addrs()[0].port()));
    let submission = intake.recv_timeout(PATIENCE).unwrap();
    Running::stop(Box::new(source));
    (submission.done)(Stored::Yes);
    assert!(genuine(&nas.receive().0, &request, SECRET));
}
