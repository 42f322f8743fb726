//! A relay between clients and servers that the tests have in hand: what passes and how, which server is asked, and that
//! nothing that goes wrong behind it costs a login.

mod support;

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::backend::Backend;
use support::daemon::{Config, Daemon};
use support::disk::SmallDisk;
use support::freeradius::NAS_SECRET;
use support::freeradius_auth::{AuthServer, PASSWORD, USER};
use support::logins::{Logins, Outcome};
use support::metrics::sum;
use support::process::PATIENCE;
use support::raw::{Conduct, RawReceiver};
use support::verbs::{self, wait_until};
use support::witness::SECRET;
use support::{own_loopback, verbs::wait_until_status};
use tempfile::TempDir;

/// Nobody listens there, which is no matter where no event is made.
const NOWHERE: &str = "http://127.0.0.1:9/";

const EVENTS: &str = "events = [\"auth.*\"]";

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

/// A daemon with one relay.
fn relay(directory: &Path, listen: &str, servers: &[SocketAddr], more: &str) -> PathBuf {
    Config::bare(directory)
        .relay("edge", listen, servers, more)
        .client("nas", "127.0.0.1", NAS_SECRET)
        .endpoint("crm", NOWHERE, SECRET, "events = [\"test\"]")
        .write()
}

fn client() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a read timeout can be set");
    socket
}

fn ask(socket: &UdpSocket, server: SocketAddr, octets: &[u8]) -> (Vec<u8>, SocketAddr) {
    socket.send_to(octets, server).expect("it leaves");
    let mut room = [0; 65_536];
    let (length, from) = socket.recv_from(&mut room).expect("an answer comes");
    (room[..length].to_vec(), from)
}

fn logins(server: SocketAddr, window: u8, every: Duration) -> Logins {
    Logins::start(server, NAS_SECRET, USER, PASSWORD, window, every)
}

fn assert_all_let_in(outcome: &Outcome) {
    assert!(outcome.lost == 0 && outcome.refused == 0 && !outcome.latencies.is_empty(), "{outcome:?}");
}

fn wait_until_more(logins: &Logins, more: u64) {
    let goal = logins.answered() + more;
    wait_until("more logins are answered", || (logins.answered() >= goal).then_some(()));
}

#[test]
fn octets_pass_unchanged_both_ways_whatever_they_are_up_to_a_packets_length() {
    let (directory, server) = (directory(), Backend::echo("127.0.0.1:0"));
    let daemon = Daemon::start(&relay(directory.path(), "127.0.0.1:0", &[server.address()], ""));
    let client = client();
    let mut sent = Vec::new();
    for length in [1, 3, 19, 20, 21, 576, 1472, 1473, 4095, 4096] {
        let octets: Vec<u8> = (0..length).map(|_| rand::random()).collect();
        let (back, from) = ask(&client, daemon.relay(), &octets);
        assert_eq!((&back, from), (&octets, daemon.relay()));
        sent.push(octets);
    }
    client.send_to(&[7; 4097], daemon.relay()).expect("it leaves");
    let (back, _) = ask(&client, daemon.relay(), b"after it");
    assert_eq!(back, b"after it");
    sent.push(back);

    let seen: Vec<Vec<u8>> = server.seen().into_iter().map(|(_, octets)| octets).collect();
    assert_eq!(seen, sent);
    assert_eq!(sum(&daemon, "radhook_relay_drops_total", &["reason=\"too_large\""]), 1.0);
    assert_eq!(sum(&daemon, "radhook_relay_packets_total", &["direction=\"reply\""]), 11.0);
}

#[test]
fn each_port_of_a_client_is_one_port_towards_the_server_and_stays_it() {
    let (directory, server) = (directory(), Backend::echo("127.0.0.1:0"));
    let daemon = Daemon::start(&relay(directory.path(), "127.0.0.1:0", &[server.address()], ""));
    let clients: Vec<UdpSocket> = (0..20).map(|_| client()).collect();
    for round in 0..3_u8 {
        for (number, client) in clients.iter().enumerate() {
            let octets = [number as u8, round];
            assert_eq!(ask(client, daemon.relay(), &octets).0, octets, "each gets its own answer");
        }
    }
    let mut ports: HashMap<u8, HashSet<u16>> = HashMap::new();
    for (from, octets) in server.seen() {
        ports.entry(octets[0]).or_default().insert(from.port());
    }
    assert!(ports.values().all(|ports| ports.len() == 1), "{ports:?}");
    assert_eq!(ports.values().flatten().collect::<HashSet<_>>().len(), 20);
    wait_until("the flows are counted", || (sum(&daemon, "radhook_relay_flows", &[]) == 20.0).then_some(()));
}

#[test]
fn answers_leave_from_the_address_that_was_asked_in_both_families() {
    let (directory, server) = (directory(), Backend::echo("127.0.0.1:0"));
    let config = Config::bare(directory.path())
        .relay("v4", "0.0.0.0:0", &[server.address()], "")
        .relay("v6", "[::]:0", &[server.address()], "")
        .client("nas", "127.0.0.1", NAS_SECRET)
        .endpoint("crm", NOWHERE, SECRET, "")
        .write();
    let daemon = Daemon::start(&config);
    let [v4, v6] = daemon.relay_addresses() else { panic!("two relays") };
    let socket = client();
    for _ in 0..2 {
        for asked in [own_loopback(), own_loopback()] {
            let asked = SocketAddr::from((asked, v4.port()));
            let octets = asked.to_string().into_bytes();
            assert_eq!(ask(&socket, asked, &octets), (octets.clone(), asked));
        }
    }
    let socket = UdpSocket::bind("[::1]:0").expect("there is IPv6 on loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a read timeout can be set");
    let asked: SocketAddr = format!("[::1]:{}", v6.port()).parse().expect("an address");
    assert_eq!(ask(&socket, asked, b"six"), (b"six".to_vec(), asked));
}

#[test]
fn more_clients_than_sockets_are_all_answered_and_the_least_recently_used_gives_way() {
    let (directory, server) = (directory(), Backend::echo("127.0.0.1:0"));
    let config = relay(directory.path(), "127.0.0.1:0", &[server.address()], "");
    // Half of a small limit stays with the rest of the house.
    let mut command = Command::new("prlimit");
    command.args(["--nofile=512:1024", env!("CARGO_BIN_EXE_radhook"), "run", "--config"]).arg(config);
    let daemon = Daemon::try_start_command(command).expect("it starts");
    daemon.wait_until_log("RLIMIT_NOFILE leaves fewer sockets");
    let clients: Vec<UdpSocket> = (0..600).map(|_| client()).collect();
    for (number, client) in clients.iter().enumerate() {
        let octets = number.to_be_bytes();
        assert_eq!(ask(client, daemon.relay(), &octets).0, octets);
    }
    assert_eq!(sum(&daemon, "radhook_relay_flows_ended_total", &["table_full"]), 88.0);
    // The last one still has its flow, the first one gets another.
    assert_eq!(ask(&clients[599], daemon.relay(), b"last").0, b"last");
    assert_eq!(sum(&daemon, "radhook_relay_flows_ended_total", &["table_full"]), 88.0);
    assert_eq!(ask(&clients[0], daemon.relay(), b"first").0, b"first");
    assert_eq!(sum(&daemon, "radhook_relay_flows_ended_total", &["table_full"]), 89.0);
    assert_eq!(sum(&daemon, "radhook_relay_drops_total", &[]), 0.0);
}

#[test]
fn a_server_that_is_gone_is_passed_over_at_once_and_asked_again_when_it_answers() {
    let (directory, mut first, second) = (directory(), AuthServer::start(), AuthServer::start());
    let probe = format!("probe = {{ secret = \"{NAS_SECRET}\", interval = \"1s\" }}");
    let daemon = Daemon::start(&relay(directory.path(), "127.0.0.1:0", &[first.auth(), second.auth()], &probe));
    let up = |server: &AuthServer| {
        sum(&daemon, "radhook_relay_server_up", &[&format!("server=\"{}\"", server.auth())]) == 1.0
    };
    let asked = |server: &AuthServer| {
        let label = format!("server=\"{}\"", server.auth());
        sum(&daemon, "radhook_relay_packets_total", &[&label, "direction=\"request\""])
    };
    let before = logins(daemon.relay(), 1, Duration::from_millis(1));
    wait_until_more(&before, 20);
    assert!(up(&first) && up(&second));
    assert_eq!(asked(&second), 0.0, "the first is preferred");

    first.stop();
    wait_until_more(&before, 20);
    assert!(!up(&first));
    daemon.wait_until_log("the server is down: it cannot be reached");
    first.start_again();
    daemon.wait_until_log("the server is up: it answers");
    assert!(up(&first));
    // Who was sent to the second stays there, since logins of several rounds live there; newcomers go to the first.
    let asked_before = asked(&first);
    wait_until_more(&before, 20);
    assert_eq!(asked(&first), asked_before);
    let newcomers = logins(daemon.relay(), 1, Duration::from_millis(1));
    wait_until_more(&newcomers, 20);
    assert!(asked(&first) >= asked_before + 20.0);
    assert_all_let_in(&newcomers.finish());
    let outcome = before.finish();
    assert_all_let_in(&outcome);
    let longest = outcome.latencies.iter().max().expect("there were some");
    println!("{} logins, {} sent again, the longest took {longest:?}", outcome.latencies.len(), outcome.resent);
}

#[test]
fn probes_find_a_server_that_hangs_and_see_it_come_back() {
    let (directory, mut first, second) = (directory(), AuthServer::start(), AuthServer::start());
    let probe = format!("probe = {{ secret = \"{NAS_SECRET}\", interval = \"1s\" }}");
    let config = relay(directory.path(), "127.0.0.1:0", &[first.auth(), second.auth()], &probe);
    let daemon = Daemon::start(&config);
    let remark = format!("! server {} does not answer", first.auth());
    let is_remarked = || verbs::radhook(&config, &["status"]).stdout.contains(&remark);
    assert!(!is_remarked());
    first.freeze();
    daemon.wait_until_log("it left 3 Status-Server packets in a row unanswered");
    wait_until("status says so", || is_remarked().then_some(()));
    let during = logins(daemon.relay(), 4, Duration::from_millis(1));
    wait_until_more(&during, 20);
    let outcome = during.finish();
    assert_all_let_in(&outcome);
    assert_eq!(outcome.resent, 0, "nobody is sent to the one that hangs");
    first.thaw();
    daemon.wait_until_log("the server is up: it answers");
    wait_until("status has nothing to say of it", || (!is_remarked()).then_some(()));
    assert_eq!(daemon.stderr().iter().filter(|line| line.contains("the server is")).count(), 2, "a line per change");
}

#[test]
fn without_probes_a_retransmission_to_a_server_that_hangs_reaches_the_next() {
    let (directory, mut first, second) = (directory(), AuthServer::start(), AuthServer::start());
    let daemon = Daemon::start(&relay(directory.path(), "127.0.0.1:0", &[first.auth(), second.auth()], ""));
    let going = logins(daemon.relay(), 2, Duration::from_millis(1));
    wait_until_more(&going, 20);
    first.freeze();
    wait_until_more(&going, 20);
    daemon.wait_until_log("requests in a row unanswered");
    let outcome = going.finish();
    assert_all_let_in(&outcome);
    assert!(outcome.resent > 0);
}

#[test]
fn a_restart_costs_no_login() {
    let (directory, server) = (directory(), AuthServer::start());
    let config = relay(directory.path(), &SocketAddr::from((own_loopback(), 18120)).to_string(), &[server.auth()], "");
    let daemon = Daemon::start(&config);
    let going = logins(daemon.relay(), 8, Duration::from_millis(1));
    let mut daemon = Some(daemon);
    for _ in 0..3 {
        wait_until_more(&going, 50);
        assert!(daemon.take().expect("it runs").stop().success());
        daemon = Some(Daemon::start(&config));
    }
    wait_until_more(&going, 50);
    let outcome = going.finish();
    assert_all_let_in(&outcome);
    let longest = outcome.latencies.iter().max().expect("there were some");
    println!("{} logins, {} sent again, the longest took {longest:?}", outcome.latencies.len(), outcome.resent);
}

#[test]
fn a_stop_that_waits_for_a_receiver_keeps_no_login_waiting() {
    let (directory, server) = (directory(), AuthServer::start());
    let hanging = RawReceiver::start(Conduct::Hang);
    let config = Config::bare(directory.path())
        .relay("edge", "127.0.0.1:0", &[server.auth()], "")
        .client("nas", "127.0.0.1", NAS_SECRET)
        .endpoint("crm", &hanging.url(), SECRET, &format!("{EVENTS}\ntimeout = \"5m\""))
        .write();
    let daemon = Daemon::start(&config);
    let going = logins(daemon.relay(), 1, Duration::from_millis(1));
    wait_until("the receiver hangs", || (hanging.requests() >= 1).then_some(()));
    daemon.ask_to_end();
    let admin = directory.path().join("admin.sock");
    wait_until("it stops", || std::os::unix::net::UnixStream::connect(&admin).err());
    wait_until_more(&going, 50);
    assert!(!daemon.stderr().iter().any(|line| line.contains("stopped")), "it still waits for the receiver");
    assert_all_let_in(&going.finish());
    daemon.kill9();
}

/// Lets users in until the events have nowhere to go and are dropped, and then some more.
fn logins_pass_while_events_drop(daemon: &Daemon, config: &Path) -> Outcome {
    let going = logins(daemon.relay(), 64, Duration::ZERO);
    let dropped = || sum(daemon, "radhook_observed_drops_total", &["reason=\"queue_full\""]);
    wait_until("events find no room", || (dropped() > 0.0 && !verbs::status(config).ready).then_some(()));
    wait_until_more(&going, 1000);
    let outcome = going.finish();
    assert_all_let_in(&outcome);
    let mut sorted = outcome.latencies.clone();
    sorted.sort();
    let at = |share: usize| sorted[(sorted.len() - 1) * share / 100];
    println!("{} logins, {} sent again; p50 {:?}, p99 {:?}", sorted.len(), outcome.resent, at(50), at(99));
    outcome
}

#[test]
fn with_a_full_store_and_a_receiver_that_hangs_every_login_passes() {
    let (directory, server) = (directory(), AuthServer::start());
    let hanging = RawReceiver::start(Conduct::Hang);
    let config = Config::bare(directory.path())
        .store("max_size = \"16MiB\"")
        .relay("edge", "127.0.0.1:0", &[server.auth()], "")
        .client("nas", "127.0.0.1", NAS_SECRET)
        .endpoint("crm", &hanging.url(), SECRET, EVENTS)
        .write();
    let daemon = Daemon::start(&config);
    let outcome = logins_pass_while_events_drop(&daemon, &config);
    assert_eq!(outcome.resent, 0, "{outcome:?}");
    let pending = wait_until_status(&config, "it still answers", |_| true).endpoint("crm").pending;
    let passed = sum(&daemon, "radhook_relay_packets_total", &["direction=\"reply\""]);
    assert!(pending > 100 && (pending as f64) < passed, "{pending} of {passed}");
    daemon.kill9();
}

#[test]
fn with_a_full_disk_every_login_passes_and_events_go_on_when_there_is_room() {
    let (disk, directory, server) = (SmallDisk::mount(64 << 20), directory(), AuthServer::start());
    let config = Config::bare(directory.path())
        .store_path(&disk.path().join("data"))
        .store("max_size = \"32MiB\"")
        .relay("edge", "127.0.0.1:0", &[server.auth()], "")
        .client("nas", "127.0.0.1", NAS_SECRET)
        .endpoint("crm", NOWHERE, SECRET, EVENTS)
        .write();
    let daemon = Daemon::start(&config);
    disk.fill();
    logins_pass_while_events_drop(&daemon, &config);
    let before = verbs::status(&config).endpoint("crm").received;
    disk.release();
    wait_until_status(&config, "what waited is stored", |status| {
        status.ready && status.endpoint("crm").received > before
    });
    daemon.kill9();
}

#[test]
fn a_store_that_does_not_open_stops_no_login_and_the_rest_comes_when_it_can() {
    let (directory, server) = (directory(), AuthServer::start());
    // A file where the store's directory should be.
    let in_the_way = directory.path().join("data");
    std::fs::write(&in_the_way, "not a store").expect("it can be written");
    let config = relay(directory.path(), "127.0.0.1:0", &[server.auth()], "");
    let daemon = Daemon::start(&config);
    daemon.wait_until_log("RELAYING ONLY");
    let logins = logins(daemon.relay(), 4, Duration::ZERO);
    wait_until_more(&logins, 100);
    assert_eq!(verbs::radhook(&config, &["status"]).code, 4, "the rest is not there");
    std::fs::remove_file(&in_the_way).expect("it can be removed");
    daemon.wait_until_log("all of it is up now");
    wait_until_status(&config, "it is ready", |status| status.ready);
    wait_until_more(&logins, 100);
    assert_all_let_in(&logins.finish());
    assert!(daemon.stop().success());
}
