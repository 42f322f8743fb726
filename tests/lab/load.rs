//! Load against small responders that drop, double and forge.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use radhook::lab::load::{Backlog, LoadError, LoadOptions, LoadReport, MAX_WINDOW, Pace, run, run_balanced};
use radhook::lab::nas::NasOptions;
use radhook::secret::Secret;
use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc2866};

const SECRET: &[u8] = b"xyzzy5461";

/// Answers what it receives with whatever `answer` makes of it, until it is stopped; then gives `answer` back.
struct Responder<A> {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<A>,
}

impl<A: FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static> Responder<A> {
    fn start(mut answer: A) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                for response in answer(&buffer[..length]) {
                    socket.send_to(&response, from).unwrap();
                }
            }
            answer
        });
        Self { address, stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

fn authentic(request: &[u8]) -> bool {
    Packet::is_authentic_request(request, SECRET)
}

fn acknowledgement(request: &[u8], secret: &[u8]) -> Vec<u8> {
    let request = Packet::decode(request, secret).unwrap();
    request.make_response_packet(Code::AccountingResponse).encode().unwrap()
}

fn options(target: SocketAddr) -> LoadOptions {
    LoadOptions {
        sessions: Some(50),
        // Longer than any machine is busy: no test but those that shorten it sees a retransmission.
        timeout: Duration::from_secs(20),
        nas: NasOptions { seed: 1, ..NasOptions::default() },
        ..LoadOptions::new(target, Secret::new(SECRET))
    }
}

fn played(options: &LoadOptions) -> LoadReport {
    run(options, |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn every_packet_of_every_session_is_acknowledged_once() {
    let responder = Responder::start(|request: &[u8]| vec![acknowledgement(request, SECRET)]);
    let report = played(&options(responder.address));
    assert_eq!((report.sent, report.acknowledged, report.sessions), (200, 200, 50));
    assert_eq!((report.lost, report.outstanding, report.bad_answers, report.answered_again), (0, 0, 0, 0));
    assert_eq!(report.latency.len(), 200);
    assert!(report.elapsed > Duration::ZERO && report.rate() > 0.0);
    responder.stop();
}

#[test]
fn packets_wait_for_the_other_end() {
    let responder = Responder::start(|request: &[u8]| vec![acknowledgement(request, SECRET)]);
    let backlog = Backlog { taken: Arc::default(), at_most: 10 };
    let taken: Arc<AtomicU64> = Arc::clone(&backlog.taken);
    let mut most_between = 0;
    let report = run_balanced(&LoadOptions { sessions: Some(5), ..options(responder.address) }, &backlog, |report| {
        most_between = most_between.max(report.sent - taken.load(Ordering::Relaxed));
        // All that went in comes out, after a moment in which nothing more may go in.
        taken.store(report.acknowledged, Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    assert_eq!(report.unwrap().acknowledged, 20);
    assert_eq!(most_between, 10);
    responder.stop();
}

#[test]
fn a_dropped_packet_is_sent_again_byte_for_byte_and_its_wait_counts_as_latency() {
    let mut seen = BTreeSet::new();
    let responder = Responder::start(move |request: &[u8]| match seen.insert(request.to_vec()) {
        true => vec![],
        false => vec![acknowledgement(request, SECRET)],
    });
    let timeout = Duration::from_millis(200);
    let report = played(&LoadOptions { sessions: Some(3), timeout, tries: 100, ..options(responder.address) });
    assert_eq!((report.sent, report.acknowledged, report.lost), (12, 12, 0));
    assert!(report.retransmitted >= 12, "{}", report.retransmitted);
    assert!(report.latency.min() >= 199_000_000, "{}", report.latency.min());
    responder.stop();
}

#[test]
fn a_packet_that_nobody_answers_is_given_up_after_its_tries() {
    let responder = Responder::start(|_: &[u8]| vec![]);
    let short = Duration::from_millis(20);
    let report = played(&LoadOptions { sessions: Some(2), timeout: short, tries: 3, ..options(responder.address) });
    assert_eq!((report.sent, report.acknowledged, report.lost), (8, 0, 8));
    assert_eq!(report.retransmitted, 16);
    assert_eq!((report.latency.len(), report.elapsed), (0, Duration::ZERO));
    responder.stop();
}

#[test]
fn second_answers_and_wrongly_signed_answers_are_told_apart() {
    let responder = Responder::start(|request: &[u8]| {
        let right = acknowledgement(request, SECRET);
        let mut padded = right.clone();
        padded.extend([0; 4]);
        let mut of_another_code = Packet::decode(request, SECRET).unwrap().make_response_packet(Code::AccessAccept);
        of_another_code.set_identifier(request[1]);
        vec![
            acknowledgement(request, b"another"),
            vec![5, request[1]],
            of_another_code.encode().unwrap(),
            padded,
            right,
        ]
    });
    let report = played(&options(responder.address));
    assert_eq!((report.acknowledged, report.lost, report.retransmitted), (200, 0, 0));
    // What comes behind the very last acknowledgement comes too late to be counted.
    assert_eq!(report.bad_answers, 600);
    assert!((199..=200).contains(&report.answered_again), "{}", report.answered_again);
    responder.stop();
}

#[test]
fn forged_packets_are_sent_beside_and_an_answer_to_one_is_seen() {
    let honest = Responder::start(|request: &[u8]| match authentic(request) {
        true => vec![acknowledgement(request, SECRET)],
        false => vec![],
    });
    let report = played(&LoadOptions { forge: 10, ..options(honest.address) });
    assert_eq!((report.acknowledged, report.forged, report.forged_answered), (200, 10, 0));
    honest.stop();
    let naive = Responder::start(|request: &[u8]| vec![acknowledgement(request, SECRET)]);
    let report = played(&LoadOptions { forge: 10, ..options(naive.address) });
    assert_eq!((report.acknowledged, report.forged), (200, 10));
    assert!(report.forged_answered >= 9, "{}", report.forged_answered);
    naive.stop();
}

#[test]
fn a_session_says_nothing_before_its_last_packet_was_acknowledged() {
    // Answers in pairs, in turned order, so that order can only come from waiting.
    let mut told: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut held: Option<Vec<u8>> = None;
    let (tell, hear) = std::sync::mpsc::channel();
    let responder = Responder::start(move |request: &[u8]| {
        let packet = Packet::decode(request, SECRET).unwrap();
        let session = rfc2866::lookup_acct_session_id(&packet).unwrap().unwrap();
        let status = rfc2866::lookup_acct_status_type(&packet).unwrap().unwrap();
        let said = told.entry(session).or_default();
        said.push(status);
        if said.len() == 4 {
            tell.send(said.clone()).unwrap();
        }
        match held.take() {
            Some(first) => vec![acknowledgement(request, SECRET), first],
            None => {
                held = Some(acknowledgement(request, SECRET));
                vec![]
            }
        }
    });
    let report = played(&LoadOptions { pace: Pace::Window(8), ..options(responder.address) });
    assert_eq!((report.acknowledged, report.retransmitted), (200, 0));
    responder.stop();
    let sessions: Vec<_> = hear.iter().collect();
    assert_eq!(sessions, vec![vec![1, 3, 3, 2]; 50]);
}

#[test]
fn wanted_retransmissions_are_copies_and_repeats_with_a_delay() {
    let (tell, hear) = std::sync::mpsc::channel();
    let responder = Responder::start(move |request: &[u8]| {
        tell.send(request.to_vec()).unwrap();
        vec![acknowledgement(request, SECRET)]
    });
    let report = played(&LoadOptions { retransmit_share: 1.0, ..options(responder.address) });
    assert_eq!((report.retransmitted, report.repeated), (100, 100));
    assert_eq!((report.sent, report.acknowledged, report.sent - report.repeated), (300, 300, 200));
    assert!((99..=100).contains(&report.answered_again), "{}", report.answered_again);
    responder.stop();
    let datagrams: Vec<_> = hear.iter().collect();
    assert_eq!(datagrams.len(), 400);
    assert_eq!(datagrams.iter().collect::<BTreeSet<_>>().len(), 300);
    let delayed = datagrams.iter().filter(|bytes| {
        let packet = Packet::decode(bytes, SECRET).unwrap();
        rfc2866::lookup_acct_delay_time(&packet).unwrap().unwrap() > 0
    });
    assert_eq!(delayed.count(), 100);
}

#[test]
fn more_than_an_identifier_can_tell_apart_go_through_several_sockets() {
    // Holds everything back until the whole window is there: 600 packets at once need more than 256 identifiers.
    let mut held = Vec::new();
    let responder = Responder::start(move |request: &[u8]| {
        assert!(authentic(request));
        held.push(acknowledgement(request, SECRET));
        let user = rfc2865::lookup_user_name(&Packet::decode(request, SECRET).unwrap()).unwrap();
        assert!(user.is_ok());
        vec![]
    });
    let short = Duration::from_millis(200);
    let wide = LoadOptions {
        pace: Pace::Window(600),
        sessions: Some(600),
        timeout: short,
        tries: 1,
        duration: Some(Duration::from_millis(100)),
        ..options(responder.address)
    };
    let mut most = 0;
    run(&wide, |report| {
        most = most.max(report.outstanding);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(most, 600);
    responder.stop();
}

#[test]
fn at_a_given_rate_a_stall_counts_from_when_packets_should_have_left() {
    // The responder sleeps once for 300 ms, with every session waiting for it. At 100 a second some 30 packets should
    // leave meanwhile and cannot; those of the first 200 ms are then more than 100 ms late.
    let mut taken = 0;
    let responder = Responder::start(move |request: &[u8]| {
        taken += 1;
        if taken == 20 {
            std::thread::sleep(Duration::from_millis(300));
        }
        vec![acknowledgement(request, SECRET)]
    });
    let few = LoadOptions {
        pace: Pace::Rate(100.0),
        sessions: Some(5),
        nas: NasOptions { interims: 38, ..NasOptions::default() },
        ..options(responder.address)
    };
    let report = played(&few);
    assert_eq!((report.acknowledged, report.lost), (200, 0));
    assert!(report.elapsed >= Duration::from_millis(1980), "{:?}", report.elapsed);
    let slow = 200 - report.latency.count_between(0, 100_000_000);
    assert!(slow >= 19, "{slow} packets waited longer than 100 ms");
    responder.stop();
}

#[test]
fn a_run_without_a_number_of_sessions_ends_after_its_duration() {
    let responder = Responder::start(|request: &[u8]| vec![acknowledgement(request, SECRET)]);
    let endless = LoadOptions {
        sessions: None,
        duration: Some(Duration::from_millis(200)),
        pace: Pace::Rate(1000.0),
        ..options(responder.address)
    };
    let report = played(&endless);
    assert!(report.sent <= 201, "{}", report.sent);
    assert_eq!(report.sent + report.unsent, 200.max(report.sent));
    assert_eq!((report.acknowledged, report.lost, report.outstanding), (report.sent, 0, 0));
    responder.stop();
}

#[test]
fn a_stopped_run_says_what_is_outstanding() {
    let responder = Responder::start(|_: &[u8]| vec![]);
    let report = run(&options(responder.address), |_| ControlFlow::Break(())).unwrap();
    assert_eq!((report.sent, report.outstanding, report.lost), (50, 50, 0));
    responder.stop();
}

#[test]
fn a_closed_port_is_said_to_refuse() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let report =
        played(&LoadOptions { sessions: Some(1), timeout: Duration::from_millis(20), tries: 2, ..options(closed) });
    assert_eq!((report.sent, report.lost), (4, 4));
    assert!(report.refused > 0);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let target: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let good = options(target);
    for (wrong, says) in [
        (LoadOptions { pace: Pace::Window(0), ..good.clone() }, "at least 1"),
        (LoadOptions { pace: Pace::Window(MAX_WINDOW + 1), ..good.clone() }, "at most 16384"),
        (LoadOptions { pace: Pace::Rate(0.0), ..good.clone() }, "above 0"),
        (LoadOptions { pace: Pace::Rate(f64::NAN), ..good.clone() }, "above 0"),
        (LoadOptions { sessions: None, ..good.clone() }, "would not end"),
        (LoadOptions { retransmit_share: 1.1, ..good.clone() }, "not 0 to 1"),
        (LoadOptions { secret: Secret::new(""), ..good.clone() }, "empty"),
    ] {
        match run(&wrong, |_| ControlFlow::Continue(())) {
            Err(LoadError::Options(what)) => assert!(what.contains(says), "{what}"),
            other => panic!("{says}: {other:?}"),
        }
    }
}
