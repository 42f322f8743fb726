//! `[[source]] type = "capture"` at network interfaces: loopback with a real FreeRADIUS, radclient and tcpdump, and veth
//! pairs between network namespaces. They need root, as the capability to capture is root's.

mod support;
#[path = "decode/wire.rs"]
#[allow(dead_code, reason = "each test crate uses a part")]
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::daemon::{Config, Daemon};
use support::debugged::{DICTIONARIES, Debugged};
use support::process::Process;
use support::verbs::{status, wait_until};
use support::witness::{SECRET, Witness};
use support::{free_udp_port, own_accounting_address};
use tempfile::TempDir;

const RADIUS_SECRET: &str = "s3cret";

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

fn capture(interface: &str, ports: &[u16]) -> String {
    format!("[[source]]\ntype = \"capture\"\ninterface = {interface:?}\nports = {ports:?}")
}

/// Sends one packet from inside whatever the words before it enter, and waits for the answer, if there is to be one.
fn radclient(before: &[&str], to: &str, command: &str, attributes: &str, is_answered: bool) {
    let (tries, seconds) = if is_answered { ("3", "3") } else { ("1", "0.1") };
    let mut words = before.to_vec();
    words.extend(["radclient", "-D", DICTIONARIES, "-r", tries, "-t", seconds, to, command, RADIUS_SECRET]);
    let mut radclient = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("radclient starts; tests/run installs what is missing");
    radclient.stdin.take().expect("it is piped").write_all(attributes.as_bytes()).expect("it reads");
    radclient.wait().expect("it ends");
}

/// The value of a metric, over all its labels.
fn metric(config: &Path, name: &str) -> f64 {
    let socket = config.parent().expect("it stands in a directory").join("admin.sock");
    let mut stream = UnixStream::connect(socket).expect("the daemon listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let lines = text.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// A FreeRADIUS that knows bob, and proxies accounting to a home server.
fn freeradius(accounting: u16, home: SocketAddr) -> Debugged {
    let (home, home_port) = (home.ip(), home.port());
    Debugged::start(|port| {
        format!(
            "thread pool {{\n start_servers = 1\n max_servers = 2\n}}\n\
             modules {{\n pap {{\n }}\n}}\n\
             home_server radhook {{\n type = acct\n ipaddr = {home}\n port = {home_port}\n secret = {RADIUS_SECRET}\n}}\n\
             home_server_pool radhook {{\n home_server = radhook\n}}\n\
             realm radhook {{\n acct_pool = radhook\n}}\n\
             server default {{\n\
             listen {{\n type = auth\n ipaddr = 127.0.0.1\n port = {port}\n }}\n\
             listen {{\n type = acct\n ipaddr = 127.0.0.1\n port = {accounting}\n }}\n\
             authorize {{\n if (&User-Name == \"bob\") {{\n update control {{\n &Cleartext-Password := \"hello\"\n }}\n \
             update reply {{\n &Reply-Message := \"welcome\"\n }}\n }}\n pap\n }}\n\
             authenticate {{\n Auth-Type PAP {{\n pap\n }}\n }}\n\
             preacct {{\n update control {{\n &Proxy-To-Realm := \"radhook\"\n }}\n }}\n accounting {{\n }}\n}}\n"
        )
    })
}

#[test]
fn on_loopback_logins_and_sessions_become_events_once_under_the_ids_of_every_other_path() {
    let directory = temporary();
    let witness = Witness::start();
    let (accounting, home) = (free_udp_port(), own_accounting_address());
    let server = freeradius(accounting, home);
    let ports = [server.port(), accounting];
    let base = Config::bare(directory.path())
        .client("nas", "127.0.0.1", RADIUS_SECRET)
        .endpoint("all", &witness.url(), SECRET, "events = [\"*\"]")
        .accounting(&home.to_string());
    let path = base.clone().table(&capture("lo", &ports)).write();
    let daemon = Daemon::start(&path);
    assert!(daemon.stderr().iter().any(|line| line.contains(" capture=lo ")), "{:?}", daemon.stderr());

    let file = directory.path().join("lo.pcap");
    let filter = format!("udp port {} or udp port {accounting}", server.port());
    let mut tcpdump = Process::start(
        "tcpdump",
        Command::new("tcpdump").args(["-i", "lo", "-U", "-Z", "root", "-w"]).arg(&file).arg(&filter),
    );
    tcpdump.wait_until_line("that it listens", |line| line.contains("listening on"));

    let auth = format!("127.0.0.1:{}", server.port());
    let acct = format!("127.0.0.1:{accounting}");
    let who = "NAS-IP-Address = 10.0.0.1, Calling-Station-Id = \"AA-BB-CC-DD-EE-FF\", Message-Authenticator = 0x00";
    radclient(&[], &auth, "auth", &format!("User-Name = bob, User-Password = hello, {who}"), true);
    radclient(&[], &auth, "auth", &format!("User-Name = bob, User-Password = wrong-one, {who}"), true);
    for state in ["Start", "Stop"] {
        let session =
            format!("User-Name = bob, Acct-Status-Type = {state}, Acct-Session-Id = 5F1A, NAS-IP-Address = 10.0.0.1");
        radclient(&[], &acct, "acct", &session, true);
    }
    let taken = wait_until("four events are taken", || Some(witness.taken()).filter(|taken| taken.len() >= 4));
    let by_kind: BTreeMap<&str, _> = taken.iter().map(|taken| (taken.kind.as_str(), &taken.body)).collect();
    let kinds: Vec<&str> = by_kind.keys().copied().collect();
    assert_eq!(kinds, ["auth.accept", "auth.reject", "session.start", "session.stop"]);
    let accept = by_kind["auth.accept"];
    assert_eq!(accept["source"]["type"], "capture");
    assert_eq!(accept["source"]["client"], "nas");
    assert_eq!(accept["data"]["user"]["name"], "bob");
    assert_eq!(accept["data"]["auth"]["method"], "PAP");
    assert_eq!(accept["data"]["auth"]["rounds"], 0);
    assert_eq!(accept["data"]["reply_attributes"]["Reply-Message"], "welcome");
    assert!(accept["data"]["auth"]["latency_ms"].is_u64());

    // Each packet was seen once though loopback shows it twice; FreeRADIUS passed the sessions on as well.
    wait_until("every packet is seen", || (metric(&path, "radhook_observed_packets_total") >= 8.0).then_some(()));
    assert_eq!(metric(&path, "radhook_observed_packets_total"), 8.0);
    assert_eq!(metric(&path, "radhook_intake_without_event_total"), 2.0);
    assert_eq!(metric(&path, "radhook_capture_up"), 1.0);
    assert_eq!(status(&path).endpoint("all").received, 4);

    // What tcpdump made of the same traffic has nothing new to tell.
    wait_until("tcpdump has written all", || fs::metadata(&file).ok().filter(|file| file.len() > 8 * 58).map(drop));
    tcpdump.terminate();
    assert!(daemon.stop().success());
    let from_file =
        format!("[[source]]\ntype = \"capture\"\nfile = {:?}\nports = {ports:?}", file.display().to_string());
    let config = base.table(&from_file).write();
    let daemon = Daemon::start(&config);
    let told = daemon.wait_until_log("the capture is read");
    assert!(told.contains("packets=8"), "{told}");
    wait_until("all is known", || (metric(&config, "radhook_intake_without_event_total") >= 4.0).then_some(()));
    assert_eq!(status(&config).endpoint("all").received, 4);
    assert!(daemon.stop().success());
    witness.assert_no_repeats();
}

#[test]
fn the_one_capability_it_needs_is_enough_and_without_it_the_refusal_says_what_to_do() {
    let directory = temporary();
    let witness = Witness::start();
    let port = free_udp_port();
    let config = Config::bare(directory.path())
        .table(&capture("any", &[port]))
        .endpoint("all", &witness.url(), SECRET, "events = [\"*\"]")
        .write();
    let with = |capabilities: &str| {
        let words = format!("exec setpriv --bounding-set={capabilities} {}", env!("CARGO_BIN_EXE_radhook"));
        script(directory.path(), &words)
    };
    let Err(output) = Daemon::try_start_program(&with("-net_raw"), &config) else { panic!("it starts without") };
    assert!(
        output.contains("source \"capture\" cannot read interface any: it needs the capability CAP_NET_RAW"),
        "{output}"
    );
    assert!(output.contains("AmbientCapabilities=CAP_NET_RAW") && output.contains("setcap cap_net_raw+ep"), "{output}");

    let daemon = Daemon::try_start_program(&with("-all,+net_raw"), &config).unwrap_or_else(|output| panic!("{output}"));
    let start = "Acct-Status-Type = Start, Acct-Session-Id = 1, NAS-IP-Address = 10.0.0.1";
    radclient(&[], &format!("127.0.0.1:{port}"), "acct", start, false);
    wait_until("the event is taken", || Some(witness.taken()).filter(|taken| taken.len() == 1));
    assert!(daemon.stop().success());
}

#[test]
fn what_the_system_drops_is_counted() {
    let directory = temporary();
    let witness = Witness::start();
    let port = free_udp_port();
    let config = Config::bare(directory.path())
        .table(&capture("lo", &[port]))
        .endpoint("all", &witness.url(), SECRET, "")
        .write();
    let daemon = Daemon::start(&config);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    // Nobody listens there, which the sender may be told; what is captured is the sending.
    let send = |octets: &[u8]| drop(socket.send_to(octets, to));
    let pid = Pid::from_raw(daemon.pid().try_into().expect("process ids fit an i32"));
    kill(pid, Signal::SIGSTOP).expect("it is our own");
    // Several times what its receive buffer holds.
    (0..20_000).for_each(|_| send(&[0; 4000]));
    kill(pid, Signal::SIGCONT).expect("it is our own");
    // How many were dropped is told with the next packet that is not.
    let overflows = wait_until("drops are counted", || {
        send(&[0; 20]);
        Some(metric(&config, "radhook_capture_overflows_total")).filter(|count| *count > 0.0)
    });
    assert!(overflows < 20_000.0, "{overflows}");
    assert!(daemon.stop().success());
}

/// A program that does what these words say, with whatever it is given behind them.
fn script(directory: &Path, words: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = directory.join(format!("radhook-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    fs::write(&path, format!("#!/bin/sh\n{words} \"$@\"\n")).expect("a script can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be made a program");
    path
}

/// A network namespace of the test's own, with loopback up.
struct Namespace(String);

impl Namespace {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let namespace = Self(format!("rh{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        ip(&["netns", "add", &namespace.0]);
        namespace.ip("link set lo up");
        namespace
    }

    /// `ip` inside it.
    fn ip(&self, words: &str) {
        ip(&[["-n", &self.0].as_slice(), &words.split(' ').collect::<Vec<_>>()].concat());
    }

    /// A veth pair, one end here and one there, both up.
    fn join(&self, here: &str, other: &Self, there: &str) {
        self.ip(&format!("link add {here} type veth peer name {there} netns {}", other.0));
        self.ip(&format!("link set {here} up"));
        other.ip(&format!("link set {there} up"));
    }

    /// The words before those of a program that is to run inside it.
    fn enter(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.0]
    }

    /// A daemon inside it, with a receiver.
    fn daemon(&self, source: &str) -> Inside {
        let directory = temporary();
        let radhook = env!("CARGO_BIN_EXE_radhook");
        let mut listen = Command::new("ip");
        listen.args(&self.enter()[1..]).args([radhook, "listen", "--json", "--listen", "127.0.0.1:0"]);
        let receiver = Process::start("radhook listen", &mut listen);
        let ready = receiver.wait_until_line("that it is ready", |line| line.starts_with("ready "));
        let url = ready.trim_start_matches("ready ");
        let config = Config::bare(directory.path())
            .client("nas-4", "10.9.0.0/24", RADIUS_SECRET)
            .client("nas-6", "fd00:9::/64", RADIUS_SECRET)
            .client("nas-injected-4", "10.8.0.0/24", wire::SECRET)
            .client("nas-injected-6", "fd00:8::/64", wire::SECRET)
            .table(source)
            .table(&format!("[[endpoint]]\nname = \"all\"\nurl = {url:?}\nevents = [\"*\"]"))
            .write();
        let program = script(directory.path(), &format!("exec {} {radhook}", self.enter().join(" ")));
        let daemon = Daemon::try_start_program(&program, &config).unwrap_or_else(|output| panic!("{output}"));
        Inside { daemon, receiver, config, _directory: directory }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().expect("ip starts; tests/run installs what is missing");
    assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A daemon inside a namespace.
struct Inside {
    daemon: Daemon,
    receiver: Process,
    config: PathBuf,
    _directory: TempDir,
}

impl Inside {
    /// Waits for the event of a session, and returns its line.
    fn told(&self, session: &str) -> String {
        let session = format!("\"session\":\"{session}\"");
        self.receiver.wait_until_line(&session, |line| line.contains(&session))
    }
}

/// An accounting packet of so many octets, at least.
fn start(session: &str, octets: usize) -> String {
    let filling = format!(", Class = 0x{}", "aa".repeat(200)).repeat(octets / 202);
    format!(
        "Acct-Status-Type = Start, Acct-Session-Id = \"{session}\", User-Name = bob, NAS-IP-Address = 10.0.0.1{filling}"
    )
}

/// Sends frames as they are.
fn inject(namespace: &Namespace, interface: &str, frames: &[Vec<u8>]) {
    let program = "import socket, sys\n\
                   wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n\
                   wire.bind((sys.argv[1], 0))\n\
                   for frame in sys.argv[2:]: wire.send(bytes.fromhex(frame))";
    let mut words = namespace.enter().to_vec();
    words.extend(["python3", "-c", program, interface]);
    let status = Command::new(words[0]).args(&words[1..]).args(frames.iter().map(|frame| wire::hex(frame))).status();
    assert!(status.expect("python3 starts; tests/run installs what is missing").success());
}

/// An accounting packet from one VLAN to another host in it, whole over IPv4 and IPv6, and in two fragments. The frames are
/// for somebody else, as on a mirrored port.
fn tagged(tags: &[u8], name: &str) -> Vec<Vec<u8>> {
    let start = |session: &str| {
        let attributes = [(1, b"bob".as_slice()), (40, &[0, 0, 0, 1]), (44, session.as_bytes()), (25, &[0xaa; 200])];
        wire::signed_request(4, 1, &wire::attributes(&attributes))
    };
    let four = |session: &str| wire::udp("10.8.0.1:40000", "10.8.0.2:1813", &start(session));
    let six = wire::udp("[fd00:8::1]:40000", "[fd00:8::2]:1813", &start(&format!("{name}-six")));
    let whole = four(&format!("{name}-parts"));
    let part = |from: usize, to: usize, more: bool| {
        let mut ip = whole[..20].to_vec();
        ip.extend(&whole[20 + from..20 + to]);
        ip[2..4].copy_from_slice(&(20 + (to - from) as u16).to_be_bytes());
        ip[6..8].copy_from_slice(&(u16::from(more) << 13 | (from / 8) as u16).to_be_bytes());
        ip
    };
    let packets = [four(&format!("{name}-four")), six, part(0, 128, true), part(128, whole.len() - 20, false)];
    packets
        .iter()
        .map(|ip| {
            let frame = wire::ethernet(ip);
            [&frame[..12], tags, &frame[12..]].concat()
        })
        .collect()
}

#[test]
fn fragments_and_vlans_are_seen_on_their_way_out_and_in() {
    let (nas, server) = (Namespace::new(), Namespace::new());
    nas.join("a0", &server, "b0");
    for (namespace, link, host) in [(&nas, "a0", 1), (&server, "b0", 2)] {
        namespace.ip(&format!("addr add 10.9.0.{host}/24 dev {link}"));
        namespace.ip(&format!("addr add fd00:9::{host}/64 dev {link} nodad"));
    }
    let daemons = [
        nas.daemon(&capture("a0", &[1813])),
        server.daemon(&capture("b0", &[1813])),
        server.daemon(&capture("any", &[1813])),
    ];
    let mut expected = Vec::new();
    for (path, to) in [("plain4", "10.9.0.2:1813"), ("plain6", "[fd00:9::2]:1813")] {
        for octets in [0, 3000] {
            // Nobody answers, which changes nothing for what is seen.
            let session = format!("{path}-{octets}");
            radclient(&nas.enter(), to, "acct", &start(&session, octets), false);
            expected.push((session, octets / 202));
        }
        // The same way to another port is not looked at.
        radclient(&nas.enter(), &to.replace("1813", "1899"), "acct", &start(&format!("{path}-other"), 0), false);
    }
    // VLAN 5; VLAN 8 in VLAN 7; VLAN 1280 with priority 2, whose tag looks like an IP packet's beginning, in VLAN 7.
    for (name, tags) in [
        ("untagged", [].as_slice()),
        ("one", &[0x81, 0, 0, 5]),
        ("two", &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8]),
        ("odd", &[0x88, 0xa8, 0, 7, 0x81, 0, 0x45, 0]),
    ] {
        inject(&nas, "a0", &tagged(tags, name));
        expected.extend(["four", "six", "parts"].map(|kind| (format!("{name}-{kind}"), 1)));
    }
    for inside in &daemons {
        for (session, filling) in &expected {
            let line = inside.told(session);
            assert!(line.contains("\"client\":\"nas-"), "its authenticator was right: {line}");
            assert_eq!(line.matches(&"aa".repeat(200)).count(), *filling, "{line}");
        }
    }
    for Inside { daemon, receiver, config, _directory } in daemons {
        assert_eq!(status(&config).endpoint("all").received, expected.len() as u64, "{}", receiver.transcript());
        assert_eq!(metric(&config, "radhook_observed_drops_total"), 0.0);
        assert!(daemon.stop().success());
    }
}

#[test]
fn an_interface_may_come_late_go_down_vanish_and_come_back() {
    let (nas, server) = (Namespace::new(), Namespace::new());
    let inside = server.daemon(&capture("b0", &[1813]));
    inside.daemon.wait_until_log("there is no such interface; `ip link` lists them");
    assert_eq!(metric(&inside.config, "radhook_capture_up"), 0.0);
    let join = || {
        nas.join("a0", &server, "b0");
        nas.ip("addr add 10.9.0.1/24 dev a0");
        server.ip("addr add 10.9.0.2/24 dev b0");
    };
    let is_up = |up: f64| {
        wait_until("the metric says whether it is up", || {
            (metric(&inside.config, "radhook_capture_up") == up).then_some(())
        });
    };
    let seen = |session: &str| {
        is_up(1.0);
        radclient(&nas.enter(), "10.9.0.2:1813", "acct", &start(session, 0), false);
        inside.told(session);
    };
    join();
    seen("late");
    server.ip("link set b0 down");
    inside.daemon.wait_until_log("the interface is down");
    is_up(0.0);
    server.ip("link set b0 up");
    seen("up-again");
    server.ip("link del b0");
    is_up(0.0);
    join();
    seen("another-one");
    let Inside { daemon, receiver: _receiver, .. } = inside;
    let log = daemon.stderr();
    let count = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count("the interface is there, and looked at"), 3, "{log:#?}");
    assert_eq!(count("nothing is seen"), 3, "coming and going are told once each: {log:#?}");
    assert!(daemon.stop().success());
}
