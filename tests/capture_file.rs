//! `[[source]] type = "capture"` with a file: what it holds becomes events once, by the file's own times.

mod support;
#[path = "decode/wire.rs"]
#[allow(dead_code, reason = "each test crate uses a part")]
mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use radhook::exchange::{Bookmark, Readiness, Stored, Submission};
use radhook::radius::Dictionary;
use radhook::source::client::Clients;
use radhook::source::{CaptureOptions, Inlet, Running, SourceError, capture};
use support::daemon::{Config, Daemon};
use support::sources::source;
use support::verbs::{status, wait_until};
use support::witness::{SECRET, Taken, Witness};
use tempfile::TempDir;
use wire::{CLIENT, SERVER};

/// What a capture says when it is through.
const READ: &str = "the capture is read";

/// A daemon whose source is one capture file, and who is told of its events.
struct Stage {
    directory: TempDir,
    witness: Witness,
}

impl Stage {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory can be made"), witness: Witness::start() }
    }

    /// Puts octets where the source looks.
    fn put(&self, octets: &[u8]) -> PathBuf {
        let path = self.file();
        fs::write(&path, octets).expect("a file can be written");
        path
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("x.pcap")
    }

    fn config(&self, file: &Path) -> Config {
        Config::bare(self.directory.path())
            .table(&format!("[[source]]\ntype = \"capture\"\nfile = {:?}", file.display().to_string()))
            .endpoint("all", &self.witness.url(), SECRET, "events = [\"*\"]")
    }

    fn start(&self) -> Daemon {
        Daemon::start(&self.config(&self.file()).client("campus", "10.0.0.1", wire::SECRET).write())
    }

    /// Waits for so many events, and returns all that came.
    fn taken(&self, count: usize) -> Vec<Taken> {
        wait_until(&format!("{count} events are taken"), || {
            let taken = self.witness.taken();
            (taken.len() >= count).then_some(taken)
        })
    }

    /// The types of the events of a capture that is read to its end by a daemon of its own, sorted: sessions do not wait
    /// for each other.
    fn kinds(octets: &[u8], events: usize, log: &str) -> Vec<String> {
        let stage = Self::new();
        stage.put(octets);
        let daemon = stage.start();
        daemon.wait_until_log(log);
        let mut kinds: Vec<String> = stage.taken(events).into_iter().map(|taken| taken.kind).collect();
        kinds.sort();
        assert!(daemon.stop().success());
        kinds
    }
}

/// A login and what a server says to it.
fn login(id: u8) -> (Vec<u8>, Vec<u8>) {
    let attributes = wire::attributes(&[(1, b"bob"), (2, &[7; 16]), (4, &[10, 0, 0, 1])]);
    let request = wire::packet(1, id, [id; 16], &attributes);
    let reply = wire::signed_reply(2, &request, &wire::attributes(&[(18, b"hello")]));
    (request, reply)
}

fn asks(packet: &[u8]) -> Vec<u8> {
    wire::ethernet(&wire::udp(CLIENT, SERVER, packet))
}

fn answers(packet: &[u8]) -> Vec<u8> {
    wire::ethernet(&wire::udp(SERVER, CLIENT, packet))
}

/// A pcap file of Ethernet frames at these seconds.
fn timed(frames: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut octets = wire::pcap(&[]);
    for (second, frame) in frames {
        let length = frame.len() as u32;
        let fields = [1_795_342_530 + second, 0, length, length];
        octets.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        octets.extend(frame);
    }
    octets
}

#[test]
fn a_login_in_a_file_becomes_an_event_with_the_file_s_times() {
    let stage = Stage::new();
    let (request, reply) = login(7);
    let path = stage.put(&wire::pcap(&[asks(&request), answers(&reply)]));
    let daemon = stage.start();
    daemon.wait_until_log(&format!("capture=file {}", path.display()));
    let event = stage.taken(1).remove(0).body;
    assert_eq!(event["type"], "auth.accept");
    assert_eq!(event["timestamp"], "2026-11-22T10:15:30.001Z");
    assert_eq!(event["source"]["type"], "capture");
    assert_eq!((&event["source"]["client"], &event["source"]["address"]), (&"campus".into(), &"10.0.0.1".into()));
    assert_eq!(event["source"]["received_at"], "2026-11-22T10:15:30.000Z");
    assert_eq!(event["data"]["auth"]["latency_ms"], 1);
    assert_eq!(event["data"]["auth"]["method"], "PAP");
    assert_eq!(event["data"]["reply_attributes"]["Reply-Message"], "hello");
    assert!(daemon.stop().success());
}

#[test]
fn every_link_layer_and_fragments_make_the_same_event() {
    let (request, reply) = login(7);
    let attributes = wire::attributes(&[(1, b"eve"), (2, &[7; 16]), (18, &[b'x'; 253]), (18, &[b'y'; 253])]);
    let large = wire::packet(1, 8, [8; 16], &attributes);
    let rejected = wire::signed_reply(3, &large, &[]);
    let ip = [wire::udp(CLIENT, SERVER, &request), wire::udp(SERVER, CLIENT, &reply)];
    let whole = wire::udp(CLIENT, SERVER, &large);
    let part = |from: usize, to: usize, more: bool| {
        let mut ip = whole[..20].to_vec();
        ip.extend(&whole[20 + from..20 + to]);
        ip[2..4].copy_from_slice(&(20 + (to - from) as u16).to_be_bytes());
        ip[6..8].copy_from_slice(&(u16::from(more) << 13 | (from / 8) as u16).to_be_bytes());
        ip
    };
    let [one, two] = ip;
    let packets =
        [one, two, part(256, whole.len() - 20, false), part(0, 256, true), wire::udp(SERVER, CLIENT, &rejected)];
    let behind = |head: &[u8]| packets.iter().map(|ip| [head, ip].concat()).collect::<Vec<_>>();
    let ethernet = |tags: &[u8]| behind(&[&[2; 12], tags, &[8, 0]].concat());
    for capture in [
        wire::pcap(&ethernet(&[])),
        wire::pcapng(&ethernet(&[])),
        wire::pcap(&ethernet(&[0x81, 0, 0, 5])),
        wire::pcap(&ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6])),
        wire::pcap_with(113, usize::MAX, &behind(&[[0; 14].as_slice(), &[8, 0]].concat())),
        wire::pcap_with(276, usize::MAX, &behind(&[[8, 0].as_slice(), &[0; 18]].concat())),
        wire::pcap_with(101, usize::MAX, &behind(&[])),
    ] {
        assert_eq!(Stage::kinds(&capture, 2, READ), ["auth.accept", "auth.reject"]);
    }
}

#[test]
fn tcpdump_s_captures_become_events() {
    let files = [
        ("RADIUS.pcap", ["auth.accept", "auth.challenge"].as_slice()),
        ("RADIUS-RFC4675.pcap", &["auth.accept"; 3]),
        // Requests whose replies lie behind the end, and replies to nothing.
        ("RADIUS-RFC3162.pcap", &[]),
        ("RADIUS-RFC5176.pcap", &[]),
        ("RADIUS-RFC5580.pcap", &[]),
        ("radius_attr_asan.pcap", &[]),
    ];
    for (file, expected) in files {
        let stage = Stage::new();
        let daemon = Daemon::start(&stage.config(&source("tcpdump", "tests").join(file)).write());
        daemon.wait_until_log("the capture");
        let mut kinds: Vec<String> = stage.taken(expected.len()).into_iter().map(|taken| taken.kind).collect();
        assert!(daemon.stop().success(), "{file}");
        kinds.sort();
        assert_eq!(kinds, expected, "{file}");
    }
}

#[test]
fn of_a_broken_capture_what_stands_before_the_damage_becomes_events_and_its_place_is_told() {
    let (request, reply) = login(7);
    let (other, accepted) = login(8);
    let whole = wire::pcap(&[asks(&request), answers(&reply), asks(&other), answers(&accepted)]);
    let last = whole.len() - 16 - answers(&accepted).len();
    let place = format!("the record at octet {last} is not all there: the file ends within it");
    // Of the second login only the request is there: its reply may have stood in what is missing.
    assert_eq!(Stage::kinds(&whole[..whole.len() - 1], 1, &place), ["auth.accept"]);

    let mut damaged = whole.clone();
    let second = 24 + 16 + asks(&request).len();
    damaged[second + 8..second + 12].copy_from_slice(&[0xff; 4]);
    let stage = Stage::new();
    stage.put(&damaged);
    let daemon = stage.start();
    daemon.wait_until_log(&format!("octet {second}"));
    daemon.wait_until_log("requests make no event: it ends before their replies");
    assert!(daemon.stop().success());
    assert_eq!(stage.witness.requests(), 0);
}

#[test]
fn only_material_that_goes_on_past_the_patience_says_that_nobody_answered() {
    let (request, reply) = login(7);
    let (other, _) = login(8);
    let elsewhere = wire::ethernet(&wire::udp("10.0.0.9:53", "10.0.0.1:53000", b"what passes by"));
    let short = timed(&[(0, asks(&request)), (1, answers(&reply)), (2, asks(&other)), (32, elsewhere.clone())]);
    assert_eq!(Stage::kinds(&short, 1, "it ends before their replies"), ["auth.accept"]);

    let long = timed(&[(0, asks(&request)), (1, answers(&reply)), (2, asks(&other)), (33, elsewhere)]);
    assert_eq!(Stage::kinds(&long, 2, READ), ["auth.accept", "auth.timeout"]);

    // A reply that comes too late answers nothing, in whichever batch it is looked at.
    let late = timed(&[(0, asks(&request)), (31, answers(&reply))]);
    assert_eq!(Stage::kinds(&late, 1, READ), ["auth.timeout"]);
}

#[test]
fn packets_that_the_capture_cut_are_left_out_and_it_is_said() {
    let (request, reply) = login(7);
    let large = wire::signed_reply(2, &request, &wire::attributes(&[(18, &[b'x'; 200])]));
    let cut = wire::pcap_with(1, 150, &[asks(&request), answers(&large)]);
    let stage = Stage::new();
    stage.put(&cut);
    let daemon = stage.start();
    daemon.wait_until_log("the capture kept only their beginnings");
    daemon.wait_until_log("it ends before their replies");
    assert!(daemon.stop().success());
    // Made anew with all of them, it is another file.
    stage.put(&wire::pcap(&[asks(&request), answers(&reply)]));
    let daemon = stage.start();
    assert_eq!(stage.taken(1)[0].kind, "auth.accept");
    assert!(daemon.stop().success());
}

#[test]
fn after_a_restart_a_file_is_read_again_only_if_it_has_changed() {
    let stage = Stage::new();
    let (request, reply) = login(7);
    let first = wire::pcap(&[asks(&request), answers(&reply)]);
    stage.put(&first);
    let daemon = stage.start();
    daemon.wait_until_log(READ);
    stage.taken(1);
    assert!(daemon.stop().success());

    let daemon = stage.start();
    daemon.wait_until_log("the capture was read before");
    assert!(!daemon.stderr().iter().any(|line| line.contains(READ)), "{:?}", daemon.stderr());
    assert!(daemon.stop().success());

    let (other, accepted) = login(8);
    let second = wire::pcap(&[asks(&request), answers(&reply), asks(&other), answers(&accepted)]);
    stage.put(&second);
    let daemon = stage.start();
    daemon.wait_until_log(READ);
    stage.taken(2);
    assert!(daemon.stop().success());
    assert_eq!(stage.witness.taken().len(), 2);
    stage.witness.assert_no_repeats();

    fs::remove_file(stage.file()).expect("it is there");
    let daemon = stage.start();
    daemon.wait_until_log("the capture was read before, and is gone");
    assert!(daemon.stop().success());
}

#[test]
fn accounting_in_a_file_and_the_same_over_the_network_are_one_event() {
    let stage = Stage::new();
    let start = wire::signed_request(
        4,
        9,
        &wire::attributes(&[
            (1, b"bob"),
            (40, &[0, 0, 0, 1]),
            (44, b"5F1A"),
            (4, &[10, 0, 0, 1]),
            (55, &[0x6b, 0x02, 0x9b, 0x42]),
        ]),
    );
    stage.put(&wire::pcap(&[asks(&start)]));
    let config =
        stage.config(&stage.file()).accounting("127.0.0.1:0").client("here", "127.0.0.1", wire::SECRET).write();
    let daemon = Daemon::start(&config);
    stage.taken(1);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
    socket.send_to(&start, daemon.accounting()).expect("it can be sent");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
    let (length, _) = socket.recv_from(&mut [0; 4096]).expect("it is acknowledged");
    assert!(length >= 20);
    assert_eq!(status(&config).endpoint("all").received, 1);
    assert!(daemon.stop().success());
}

#[test]
fn what_is_no_capture_is_refused_with_the_reason() {
    let refusal = |stage: &Stage, file: &Path| match Daemon::try_start(&stage.config(file).write()) {
        Ok(_) => panic!("it starts on {}", file.display()),
        Err(output) => output,
    };
    for (octets, reason) in [
        (b"".as_slice(), "it is empty"),
        (b"\x1f\x8b\x08\x00", "it is compressed with gzip; unpack it first"),
        (b"garbage\n", "it is neither pcap nor pcapng"),
        (b"0100001400", "it is neither pcap nor pcapng"),
    ] {
        let stage = Stage::new();
        let output = refusal(&stage, &stage.put(octets));
        let expected = format!("source \"capture\" cannot read file {}: {reason}", stage.file().display());
        assert!(output.contains(&expected), "{output}");
    }
    let stage = Stage::new();
    let missing = refusal(&stage, &stage.file());
    assert!(missing.contains("x.pcap: No such file"), "{missing}");
    let stage = Stage::new();
    let directory = refusal(&stage, stage.directory.path());
    assert!(directory.contains("it is no file"), "{directory}");
}

#[test]
fn a_header_and_nothing_behind_it_is_a_capture_of_nothing() {
    assert!(Stage::kinds(&wire::pcap(&[]), 0, "the capture holds no RADIUS on these ports").is_empty());
}

/// A source of its own, whose submissions the test takes.
fn bare(file: &Path, bookmarks: Vec<Bookmark>) -> (Result<Box<dyn Running>, SourceError>, Receiver<Submission>) {
    let (submissions, submitted) = crossbeam_channel::bounded(16);
    let inlet = Inlet {
        clients: Arc::new(Clients::new(Vec::new())),
        dictionary: Dictionary::shipped(),
        submissions,
        readiness: Readiness::new(),
    };
    let options = CaptureOptions {
        name: "wire".into(),
        interface: None,
        file: Some(file.to_owned()),
        ports: vec![1812],
        reply_timeout: Duration::from_secs(30),
    };
    (capture::start(&options, &inlet, bookmarks), submitted)
}

#[test]
fn the_bookmark_comes_behind_everything_and_again_until_it_is_stored() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("x.pcap");
    // More than the observer looks at in one go.
    let frames: Vec<Vec<u8>> = (0..3_000_u32)
        .flat_map(|number| {
            let [high, low] = (40_000 + (number / 256) as u16).to_be_bytes();
            let (request, reply) = login(number as u8);
            let client = format!("10.0.0.1:{}", u16::from_be_bytes([high, low]));
            [wire::udp(&client, SERVER, &request), wire::udp(SERVER, &client, &reply)].map(|ip| wire::ethernet(&ip))
        })
        .collect();
    fs::write(&file, wire::pcap(&frames)).expect("a file can be written");
    let (running, submitted) = bare(&file, Vec::new());
    let running = running.expect("it is a capture");
    let (mut seen, mut refused) = (0, 0);
    let bookmarks = loop {
        let submission = submitted.recv_timeout(Duration::from_secs(30)).expect("it goes on until the bookmark");
        assert!(submission.bookmarks.is_empty() || seen + submission.exchanges.len() == 3_000, "the bookmark is last");
        // Each is refused once: it must come again, whole.
        if refused == 0 {
            refused = submission.len() + submission.bookmarks.len();
            (submission.done)(Stored::No);
            continue;
        }
        assert_eq!(submission.len() + submission.bookmarks.len(), std::mem::take(&mut refused));
        seen += submission.exchanges.len();
        let bookmarks = submission.bookmarks.clone();
        (submission.done)(Stored::Yes);
        if !bookmarks.is_empty() {
            break bookmarks;
        }
    };
    assert_eq!((seen, bookmarks.len()), (3_000, 1));
    running.stop();
    let (again, submitted) = bare(&file, bookmarks);
    again.expect("it was read").stop();
    assert!(submitted.try_recv().is_err());
}

#[test]
fn one_that_is_stopped_before_its_end_leaves_no_bookmark() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("x.pcap");
    let (request, reply) = login(7);
    // More than finds room in the queue while nobody stores anything.
    let frames: Vec<Vec<u8>> = (0..10_000).flat_map(|_| [asks(&request), answers(&reply)]).collect();
    fs::write(&file, wire::pcap(&frames)).expect("a file can be written");
    let (running, submitted) = bare(&file, Vec::new());
    let first = submitted.recv_timeout(Duration::from_secs(30)).expect("it begins");
    assert!(first.bookmarks.is_empty());
    let stopped = std::thread::spawn(move || running.expect("it is a capture").stop());
    (first.done)(Stored::Yes);
    let mut bookmarks = 0;
    while let Ok(submission) = submitted.recv_timeout(Duration::from_secs(30)) {
        bookmarks += submission.bookmarks.len();
        (submission.done)(Stored::Yes);
    }
    stopped.join().expect("it stops");
    assert_eq!(bookmarks, 0);
}
