//! A NAS that remembers which of its packets were acknowledged, and that a test can stop and go on with at any packet.
//!
//! The load generator of `lab/` is faster and measures; this one knows. Packets come from the same simulated NAS.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use radhook::lab::nas::{Nas, NasOptions, Record, Session, Status};
use radhook::secret::Secret;
use radius::core::packet::Packet;

/// Between two records of a session, in simulated time.
const INTERVAL: SignedDuration = SignedDuration::from_secs(300);

/// How far back sessions begin: none of their records lies in the future.
const AGO: SignedDuration = SignedDuration::from_hours(6);

/// How long an answer is waited for before the packet is sent again. Short, since tests take servers down; a second
/// answer to a slow server's packet does no harm.
const RESEND: Duration = Duration::from_millis(250);

/// How long to wait for answers before looking around.
const TICK: Duration = Duration::from_millis(5);

/// How long [`Traffic::play`] goes on without an acknowledgement: reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// One accounting fact, by what its event says of it too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fact {
    /// Acct-Session-Id.
    pub session: String,
    /// The event's type.
    pub kind: &'static str,
    /// Acct-Session-Time; 0 at the start.
    pub seconds: u64,
}

impl Fact {
    fn of(record: &Record) -> Self {
        let kind = match record.status {
            Status::Start => "session.start",
            Status::InterimUpdate => "session.update",
            Status::Stop => "session.stop",
            Status::AccountingOn => "nas.on",
            Status::AccountingOff => "nas.off",
        };
        let session = record.subscriber.as_ref().map(|subscriber| subscriber.session.clone()).unwrap_or_default();
        Self { session, kind, seconds: record.usage.seconds.into() }
    }
}

/// Sessions being played against one server.
pub struct Traffic {
    target: SocketAddr,
    secret: Secret,
    socket: UdpSocket,
    nas: Nas,
    window: usize,
    to_open: u64,
    /// Sessions open now, and at most.
    open: (usize, usize),
    waiting: VecDeque<Play>,
    /// Whether sessions that are open stay as they are.
    holds: bool,
    flight: HashMap<u8, Flying>,
    next_identifier: u8,
    acknowledged: Vec<Fact>,
}

struct Play {
    session: Session,
    at: Timestamp,
}

struct Flying {
    play: Play,
    record: Record,
    request: Vec<u8>,
    sent_at: Instant,
    sendings: u32,
}

impl Traffic {
    /// `sessions` sessions of a start, two interims and a stop. Unless [`Traffic::at_once`] says otherwise all are open at
    /// the same time: first come all starts.
    pub fn new(target: SocketAddr, secret: &str, sessions: u64, seed: u64) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
        socket.set_read_timeout(Some(TICK)).expect("a read timeout can be set");
        Self {
            target,
            secret: Secret::new(secret),
            socket,
            nas: Nas::new(NasOptions { seed, ..NasOptions::default() }),
            window: 32,
            to_open: sessions,
            open: (0, usize::MAX),
            waiting: VecDeque::new(),
            holds: false,
            flight: HashMap::new(),
            next_identifier: 0,
            acknowledged: Vec::new(),
        }
    }

    /// How many packets are under way at once; 32 unless set, at most 128.
    pub fn window(mut self, packets: usize) -> Self {
        assert!(packets <= 128, "identifiers are one byte and should rest before they come again");
        self.window = packets;
        self
    }

    /// At most so many sessions are open at the same time: the next opens when one was played to its stop.
    pub fn at_once(mut self, sessions: usize) -> Self {
        self.open.1 = sessions;
        self
    }

    /// Every fact acknowledged so far, in the order of the acknowledgements.
    pub fn acknowledged(&self) -> &[Fact] {
        &self.acknowledged
    }

    /// Whether every session was played to its end and acknowledged.
    pub fn is_over(&self) -> bool {
        self.to_open == 0 && self.waiting.is_empty() && self.flight.is_empty()
    }

    /// Plays until `enough`, which is asked after every answer and every few milliseconds, or until all is played. What
    /// is under way then stays under way, and is sent again when playing goes on.
    pub fn play(&mut self, mut enough: impl FnMut(&Self) -> bool) {
        let mut progress = (self.acknowledged.len(), Instant::now());
        while !self.is_over() && !enough(self) {
            self.exchange(&mut progress);
        }
    }

    /// Plays until so many facts are acknowledged.
    pub fn play_until_acknowledged(&mut self, facts: usize) {
        self.play(|traffic| traffic.acknowledged.len() >= facts);
        assert!(self.acknowledged.len() >= facts, "only {} facts were to be told", self.acknowledged.len());
    }

    /// Plays every session to its end.
    pub fn play_to_the_end(&mut self) {
        self.play(|_| false);
    }

    /// Plays the start of every session that is to be opened, and nothing more.
    pub fn play_starts(&mut self) {
        self.holds = true;
        let mut progress = (self.acknowledged.len(), Instant::now());
        while self.to_open > 0 || !self.flight.is_empty() {
            self.exchange(&mut progress);
        }
        self.holds = false;
    }

    /// Gets the answers of what is under way, without beginning anything new.
    pub fn land(&mut self) {
        let window = std::mem::replace(&mut self.window, 0);
        let mut progress = (self.acknowledged.len(), Instant::now());
        while !self.flight.is_empty() {
            self.exchange(&mut progress);
        }
        self.window = window;
    }

    /// Sends what may be sent and takes an answer in. `progress` holds the last count of acknowledgements, and since when.
    fn exchange(&mut self, progress: &mut (usize, Instant)) {
        if self.acknowledged.len() > progress.0 {
            *progress = (self.acknowledged.len(), Instant::now());
        }
        let (acknowledged, since) = *progress;
        assert!(
            since.elapsed() < PATIENCE,
            "for {PATIENCE:?} nothing was acknowledged, after {acknowledged} packets and with {} under way",
            self.flight.len()
        );
        self.send();
        self.receive();
    }

    fn send(&mut self) {
        let now = Instant::now();
        let overdue: Vec<u8> =
            self.flight.iter().filter(|(_, flying)| now - flying.sent_at >= RESEND).map(|(id, _)| *id).collect();
        for identifier in overdue {
            let flying = self.flight.remove(&identifier).expect("it was there a moment ago");
            self.again(identifier, flying);
        }
        while self.flight.len() < self.window {
            let Some(mut play) = self.next_play() else { return };
            let Some(record) = play.session.next(play.at) else {
                self.open.0 -= 1;
                continue;
            };
            play.at = play.at.checked_add(INTERVAL).expect("a session ends long before time does");
            let identifier = self.identifier();
            let request = record.packet(identifier, &self.secret, 0).expect("the record makes a packet");
            self.put(&request);
            self.flight.insert(identifier, Flying { play, record, request, sent_at: now, sendings: 1 });
        }
    }

    /// Sends a packet again as NASes do: the same bytes, or every other time the same fact as another packet, with a
    /// raised Acct-Delay-Time.
    fn again(&mut self, identifier: u8, mut flying: Flying) {
        let mut now_as = identifier;
        if flying.sendings.is_multiple_of(2) {
            now_as = self.identifier();
            let packet = flying.record.packet(now_as, &self.secret, flying.sendings);
            flying.request = packet.expect("the record makes a packet");
        }
        self.put(&flying.request);
        flying.sent_at = Instant::now();
        flying.sendings += 1;
        self.flight.insert(now_as, flying);
    }

    fn next_play(&mut self) -> Option<Play> {
        if self.to_open > 0 && self.open.0 < self.open.1 {
            self.to_open -= 1;
            self.open.0 += 1;
            let at = Timestamp::now().checked_sub(AGO).expect("six hours ago there was time");
            return Some(Play { session: self.nas.open(at), at });
        }
        if self.holds { None } else { self.waiting.pop_front() }
    }

    fn identifier(&mut self) -> u8 {
        loop {
            let identifier = self.next_identifier;
            self.next_identifier = identifier.wrapping_add(1);
            if !self.flight.contains_key(&identifier) {
                return identifier;
            }
        }
    }

    fn put(&self, request: &[u8]) {
        // A full buffer is a lost packet, as on any network.
        let _ = self.socket.send_to(request, self.target);
    }

    fn receive(&mut self) {
        let mut buffer = [0; 4096];
        let length = match self.socket.recv_from(&mut buffer) {
            Ok((length, peer)) if peer == self.target => length,
            Ok(_) => return,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            Err(error) => panic!("receiving an answer: {error}"),
        };
        let [5, identifier, ..] = buffer else { return };
        let answers =
            |flying: &Flying| Packet::is_authentic_response(&buffer[..length], &flying.request, self.secret.expose());
        if !self.flight.get(&identifier).is_some_and(answers) {
            return;
        }
        let Some(flying) = self.flight.remove(&identifier) else { return };
        self.acknowledged.push(Fact::of(&flying.record));
        self.waiting.push_back(flying.play);
    }
}
