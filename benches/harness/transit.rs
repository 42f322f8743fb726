//! How long from a packet's leaving the NAS until the receiver has its event's whole request, by one clock: the sender and the
//! receiver are both in this process.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use jiff::Timestamp;
use radhook::lab::nas::{Nas, NasOptions, Record, Session};
use radhook::secret::Secret;

use super::bare::{histogram, quantiles};
use super::receiver::{Receiver, find};
use super::results::Figures;
use super::subject::{CONCURRENCY, NAS, Radhook};

/// Sockets that take turns, so that an identifier rests for about a second at 1,000 packets a second.
const SOCKETS: usize = 4;

/// Sessions open at once: a start is followed by its stop so many packets later.
const OPEN: usize = 200;

/// The first of them find neither threads nor connections.
const WARM_UP: Duration = Duration::from_secs(1);

/// What is not delivered so long after the last packet will not be.
const PATIENCE: Duration = Duration::from_secs(5);

/// The length of a simulated NAS's Acct-Session-Id: two words of eight hexadecimal digits, and a dash.
const SESSION_ID: usize = 17;

/// Acct-Session-Id, and whether it is a stop.
type Key = (String, bool);

/// What is under way, and how long the others were.
#[derive(Default)]
struct Watch {
    left: HashMap<Key, Instant>,
    /// When what is counted began.
    counted_from: Option<Instant>,
    took: Option<Histogram<u64>>,
}

/// Sends so many packets a second for so long to a radhook of its own, receiver alive.
pub fn measure(rate: f64, span: Duration) -> Figures {
    let watch = Arc::new(Mutex::new(Watch { took: Some(histogram()), ..Watch::default() }));
    let mut nas = Nas::new(NasOptions { interims: 0, ..NasOptions::default() });
    let opened = nas.open(Timestamp::now()).next(Timestamp::now()).expect("a session begins");
    let prefix = session_of(&opened)[..9].to_owned();
    let (watching, mark) = (Arc::clone(&watch), prefix.into_bytes());
    let receiver = Receiver::showing(move |body| {
        let now = Instant::now();
        let Some(at) = find(body, &mark) else { return };
        let Some(Ok(session)) = body.get(at..at + SESSION_ID).map(std::str::from_utf8) else { return };
        let key = (session.to_owned(), find(body, b"session.stop").is_some());
        watching.lock().expect("nobody panics with it").arrived(&key, now);
    });
    let radhook = Radhook::single(&receiver.url(), CONCURRENCY);
    let sent = send(&mut nas, radhook.accounting(), rate, span, &watch);
    let ended = Instant::now();
    while !watch.lock().expect("nobody panics with it").left.is_empty() && ended.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(5));
    }
    let watch = watch.lock().expect("nobody panics with it");
    let took = watch.took.as_ref().expect("it is there from the start");
    assert!(!took.is_empty(), "none of {sent} packets became a request: {:?}", radhook.daemon.stderr());
    let mut figures = quantiles(took);
    figures.insert("undelivered".to_owned(), watch.left.len() as f64);
    figures.insert("delivered".to_owned(), took.len() as f64);
    radhook.end();
    figures
}

impl Watch {
    fn arrived(&mut self, key: &Key, now: Instant) {
        let Some(left) = self.left.remove(key) else { return };
        if self.counted_from.is_some_and(|from| left >= from)
            && let Some(took) = &mut self.took
        {
            took.saturating_record((now - left).as_nanos() as u64);
        }
    }
}

/// Sends by the clock, and takes the answers off the sockets.
fn send(nas: &mut Nas, to: SocketAddr, rate: f64, span: Duration, watch: &Mutex<Watch>) -> u64 {
    // A timer that is 50 µs late, as usual, is late at leaving, which is not counted; but packets should not bunch.
    let _ = nix::sys::prctl::set_timerslack(1);
    let secret = Secret::new(NAS);
    let sockets: Vec<UdpSocket> = (0..SOCKETS)
        .map(|_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback takes a UDP socket");
            socket.connect(to).expect("loopback can be reached");
            socket.set_nonblocking(true).expect("it can be set");
            socket
        })
        .collect();
    let mut open: std::collections::VecDeque<Session> = std::collections::VecDeque::new();
    let begun = Instant::now();
    watch.lock().expect("nobody panics with it").counted_from = Some(begun + WARM_UP.min(span));
    let mut number = 0u64;
    let mut answer = [0; 4096];
    while begun.elapsed() < WARM_UP.min(span) + span {
        let due = begun + Duration::from_secs_f64(number as f64 / rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let record = if number % 2 == 1 && open.len() >= OPEN {
            open.pop_front().and_then(|mut session| session.next(Timestamp::now()))
        } else {
            let mut session = nas.open(Timestamp::now());
            let start = session.next(Timestamp::now());
            open.push_back(session);
            start
        };
        let record = record.expect("a session has a start and a stop");
        let at = number as usize % SOCKETS;
        let packet = record.packet((number / SOCKETS as u64) as u8, &secret, 0).expect("its names are short");
        while sockets[at].recv(&mut answer).is_ok() {}
        let key = (session_of(&record), record.status == radhook::lab::nas::Status::Stop);
        watch.lock().expect("nobody panics with it").left.insert(key, Instant::now());
        sockets[at].send(&packet).expect("loopback takes a datagram");
        number += 1;
    }
    number
}

fn session_of(record: &Record) -> String {
    record.subscriber.as_ref().expect("it is a user's").session.clone()
}
