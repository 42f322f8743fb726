//! `[[source]] type = "accounting"`: answers Accounting-Request (RFC 2866) and Status-Server (RFC 5997).
//!
//! Each listen address has a thread of its own. It takes what has arrived in one system call, judges each packet
//! (`verdict.rs`) and hands the exchanges of the batch to intake as one submission, answers prepared. When they are
//! stored, the writer's thread sends the answers; if they could not be stored, nothing leaves and the NAS asks again.
//! While intake is busy the thread waits for it: the kernel's buffer then fills, and what it drops is asked again too.

mod verdict;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use jiff::Timestamp;
use metrics::{Counter, counter};

use super::client::{Client, Clients};
use super::copied::of_accounting;
use super::duplicates::{Duplicates, Key, Seen};
use super::hand_in::{NotTaken, hand_in};
use super::log_limit::LogLimit;
use super::udp::{Answer, Buffers, Datagram, Sent, UdpSocket};
use super::{AccountingOptions, Inlet, Running, SourceError};
use crate::exchange::{Exchange, Origin, Readiness, Stored, Submission};
use crate::metrics::{ACCOUNTING_ANSWERS, ACCOUNTING_OVERFLOWS, ACCOUNTING_PACKETS};
use crate::radius::authenticator::Authenticator;
use crate::radius::{Attributes, Dictionary, Packet};
pub(super) use verdict::is_health_check;
use verdict::{Outcome, Reason, Verdict, judge};

/// Log lines about dropped packets, per reason and minute.
const LOG_LINES: u64 = 10;
/// How long a thread rests when the system refuses to receive, so that it does not spin.
const RECEIVE_REST: Duration = Duration::from_millis(100);
/// The client of a packet from nobody known, in metrics.
const UNKNOWN_CLIENT: &str = "unknown";

/// A running accounting source. Stops when dropped.
#[derive(Debug)]
pub struct AccountingSource {
    sockets: Vec<Arc<UdpSocket>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// Binds all addresses, then starts to take packets from the clients and to hand exchanges to intake. Health checks are
/// answered while the store accepts.
pub fn start(options: &AccountingOptions, inlet: &Inlet) -> Result<AccountingSource, SourceError> {
    let mut sockets = Vec::new();
    for &address in &options.listen {
        let listen = |error| SourceError::Listen { name: options.name.clone(), address, error };
        sockets.push(Arc::new(UdpSocket::bind(address).map_err(listen)?));
    }
    let mut source = AccountingSource { sockets, threads: Vec::new(), stop: Arc::default() };
    for socket in &source.sockets {
        let mut receiver = Receiver {
            name: options.name.clone(),
            clients: inlet.clients.clone(),
            dictionary: inlet.dictionary.clone(),
            intake: inlet.submissions.clone(),
            readiness: inlet.readiness.clone(),
            stop: source.stop.clone(),
            counters: Counters::new(&options.name),
            limit: LogLimit::new(LOG_LINES),
            port: Arc::new(Port {
                socket: socket.clone(),
                duplicates: Mutex::default(),
                answers: AnswerCounters::new(&options.name),
            }),
        };
        let thread = std::thread::Builder::new()
            .name(format!("acct-{}", socket.local_addr().port()))
            .spawn(move || receiver.run())
            .map_err(|error| SourceError::Thread { name: options.name.clone(), error })?;
        source.threads.push(thread);
    }
    Ok(source)
}

impl Running for AccountingSource {
    /// The addresses in the order of the config, with the ports that were given.
    fn places(&self) -> Vec<String> {
        self.local_addrs().iter().map(ToString::to_string).collect()
    }

    /// Takes no more packets and returns when its threads have ended, within a fifth of a second. Answers to what was
    /// handed to intake before still leave.
    fn stop(mut self: Box<Self>) {
        self.end();
    }
}

impl AccountingSource {
    /// Where it listens, in the order of the config, with the ports that were given.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|socket| socket.local_addr()).collect()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of an accounting source has panicked");
            }
        }
    }
}

impl Drop for AccountingSource {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the receiving thread and the writer's thread share of one listen address.
struct Port {
    socket: Arc<UdpSocket>,
    duplicates: Mutex<Duplicates>,
    answers: AnswerCounters,
}

impl Port {
    fn duplicates(&self) -> MutexGuard<'_, Duplicates> {
        // It is whole between any two calls, whatever became of the caller.
        self.duplicates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, answers: &[Answer]) {
        self.answers.count(self.socket.send(answers));
    }

    /// Called on the writer's thread.
    fn done(&self, pending: Vec<Pending>, stored: Stored) {
        match stored {
            Stored::Yes => {
                let mut duplicates = self.duplicates();
                for pending in &pending {
                    let octets = pending.answer.octets.clone();
                    duplicates.answered(pending.key, &pending.authenticator, octets);
                }
                drop(duplicates);
                let answers: Vec<_> = pending.into_iter().map(|pending| pending.answer).collect();
                self.send(&answers);
            }
            Stored::No => {
                self.answers.withheld.increment(pending.len() as u64);
                let mut duplicates = self.duplicates();
                for pending in pending {
                    duplicates.failed(pending.key, &pending.authenticator);
                }
            }
        }
    }
}

/// An answer that waits for its exchange to be stored.
struct Pending {
    key: Key,
    authenticator: Authenticator,
    answer: Answer,
}

/// One batch, being sorted.
#[derive(Default)]
struct Batch {
    /// When its first datagram was seen, which counts for all: they were taken in one system call.
    at: Option<(Timestamp, Instant)>,
    exchanges: Vec<Exchange>,
    pending: Vec<Pending>,
    /// To be sent at once.
    answers: Vec<Answer>,
}

/// The thread of one listen address.
struct Receiver {
    name: Arc<str>,
    clients: Arc<Clients>,
    dictionary: Arc<Dictionary>,
    intake: Sender<Submission>,
    readiness: Readiness,
    stop: Arc<AtomicBool>,
    counters: Counters,
    limit: LogLimit,
    port: Arc<Port>,
}

impl Receiver {
    fn run(&mut self) {
        let mut buffers = Buffers::new();
        let mut overflows = 0_u32;
        let port = self.port.clone();
        while !self.stop.load(Ordering::Relaxed) {
            let mut batch = Batch::default();
            match port.socket.receive(&mut buffers, |datagram| self.take(datagram, &mut batch)) {
                Ok(None) => {}
                Ok(Some(dropped)) => {
                    self.counters.overflows.increment(dropped.wrapping_sub(overflows).into());
                    overflows = dropped;
                }
                Err(error) => self.rest(&error),
            }
            port.send(&batch.answers);
            if !batch.exchanges.is_empty() && !self.submit(batch.exchanges, batch.pending) {
                return;
            }
            for (reason, count) in self.limit.suppressed(Instant::now()) {
                tracing::warn!(source = &*self.name, reason, count, "packets like these were dropped as well");
            }
        }
    }

    fn rest(&mut self, error: &io::Error) {
        if self.limit.allows("receive", Instant::now()) {
            tracing::error!(source = &*self.name, %error, "cannot receive");
        }
        std::thread::sleep(RECEIVE_REST);
    }

    /// Hands a batch to intake, waiting for it as long as need be. False when there is nothing more to do.
    fn submit(&self, exchanges: Vec<Exchange>, pending: Vec<Pending>) -> bool {
        let port = self.port.clone();
        let submission = Submission::of(exchanges, move |stored| port.done(pending, stored));
        match hand_in(&self.intake, submission, || self.stop.load(Ordering::Relaxed)) {
            Ok(()) => true,
            Err(NotTaken::Stopped) => false,
            Err(NotTaken::NoIntake) => {
                tracing::info!(source = &*self.name, "intake has ended, and so does this source");
                false
            }
        }
    }

    /// Sorts one datagram into the batch, or drops it with a reason.
    fn take(&mut self, datagram: Datagram, batch: &mut Batch) {
        let (received_at, now) = *batch.at.get_or_insert_with(|| (Timestamp::now(), Instant::now()));
        let Some(client) = self.clients.lookup(datagram.peer.ip()).cloned() else {
            return self.drop_packet(None, datagram.peer, Reason::UnknownClient, now);
        };
        let packet = match Packet::parse(datagram.octets) {
            Ok(packet) => packet,
            Err(error) => return self.drop_packet(Some(&client), datagram.peer, Reason::Malformed(error), now),
        };
        let answer = |octets: Arc<[u8]>| Answer { to: datagram.peer, from: datagram.asked, octets };
        let outcome = match judge(&packet, &client, &self.dictionary) {
            Verdict::Drop(reason) => return self.drop_packet(Some(&client), datagram.peer, reason, now),
            Verdict::Answer(outcome, octets) => {
                if self.readiness.is_ready() {
                    batch.answers.push(answer(octets.into()));
                } else {
                    self.port.answers.withheld.increment(1);
                }
                outcome
            }
            Verdict::Exchange { request, answer: octets } => {
                let key = Key { peer: datagram.peer, identifier: packet.identifier() };
                let authenticator = *packet.authenticator();
                let seen = self.port.duplicates().arrived(key, &authenticator, now);
                match seen {
                    Seen::New => {
                        batch.exchanges.push(self.exchange(&client, datagram.peer.ip(), request, received_at));
                        batch.pending.push(Pending { key, authenticator, answer: answer(octets.into()) });
                        Outcome::Accepted
                    }
                    Seen::InFlight => Outcome::Duplicate,
                    Seen::Answered(octets) => {
                        batch.answers.push(answer(octets));
                        Outcome::Duplicate
                    }
                }
            }
        };
        self.counters.count(Some(&client), outcome);
    }

    fn exchange(&self, client: &Client, address: IpAddr, request: Attributes, received_at: Timestamp) -> Exchange {
        let origin = Origin { source: self.name.clone(), kind: "accounting", client: client.name.clone(), address };
        of_accounting(origin, received_at, request, client.swap_octets)
    }

    fn drop_packet(&mut self, client: Option<&Client>, peer: SocketAddr, reason: Reason, now: Instant) {
        let outcome = Outcome::Dropped(reason);
        self.counters.count(client, outcome);
        if self.limit.allows(outcome.label(), now) {
            let client = client.map_or(UNKNOWN_CLIENT, |client| &*client.name);
            tracing::warn!(source = &*self.name, client, %peer, "packet dropped: {reason}");
        }
    }
}

/// A thread's counters, looked up once and kept: the recorder's own look-up costs more than the counting.
struct Counters {
    source: Arc<str>,
    by_client: HashMap<Arc<str>, Vec<Counter>>,
    overflows: Counter,
}

impl Counters {
    fn new(source: &Arc<str>) -> Self {
        let overflows = counter!(ACCOUNTING_OVERFLOWS, "source" => source.to_string());
        Self { source: source.clone(), by_client: HashMap::new(), overflows }
    }

    fn count(&mut self, client: Option<&Client>, outcome: Outcome) {
        let name = client.map_or(UNKNOWN_CLIENT, |client| &*client.name);
        if !self.by_client.contains_key(name) {
            let counters = Outcome::LABELS.map(|result| {
                let (source, client) = (self.source.to_string(), name.to_string());
                counter!(ACCOUNTING_PACKETS, "source" => source, "client" => client, "result" => result)
            });
            self.by_client.insert(name.into(), counters.into());
        }
        if let Some(counters) = self.by_client.get(name) {
            counters[outcome.index()].increment(1);
        }
    }
}

struct AnswerCounters {
    sent: Counter,
    buffer_full: Counter,
    failed: Counter,
    withheld: Counter,
}

impl AnswerCounters {
    fn new(source: &str) -> Self {
        let counter =
            |result: &'static str| counter!(ACCOUNTING_ANSWERS, "source" => source.to_string(), "result" => result);
        Self {
            sent: counter("sent"),
            buffer_full: counter("buffer_full"),
            failed: counter("failed"),
            withheld: counter("withheld"),
        }
    }

    fn count(&self, sent: Sent) {
        self.sent.increment(sent.sent);
        self.buffer_full.increment(sent.buffer_full);
        self.failed.increment(sent.failed);
    }
}
