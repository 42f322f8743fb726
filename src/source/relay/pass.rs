//! The thread of one listen address: takes datagrams from clients and hands them to a server, takes the replies and
//! hands them back, octet for octet.
//!
//! Nothing in here waits for anybody: every socket is asked without waiting, the observer's queue takes what fits. What
//! passed is shown to it after it was sent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::counters::{Counters, Reason};
use super::eyes::Eyes;
use super::flows::{Flow, Flows, Key, MAX_FLOWS};
use super::probe::Probe;
use super::servers::{Change, Servers};
use super::upstream::{OpenError, Upstream};
use crate::radius::packet::MAX_LENGTH;
use crate::radius::{Code, Packet};
use crate::source::log_limit::LogLimit;
use crate::source::observer::Sighting;
use crate::source::udp::{Answer, BATCH, Buffers, Datagram, UdpSocket};
use crate::source::{ProbeOptions, RelayOptions, Remarks};
use crate::trace::pairs::Role;

/// Sockets that are looked at in one turn. With more, those at the end would wait for all before them.
const EVENTS: usize = 256;
/// How often a stop, probes and idle flows are looked for.
const TICK: Duration = Duration::from_millis(100);
/// How long to rest when the system does not tell what is ready, so that the thread does not spin.
const REST: Duration = Duration::from_millis(100);
/// How long a client must be silent to be sent to the preferred server again, after another had to serve it. By then
/// no login is under way: FreeRADIUS forgets one after a minute (`timer_expire` of its module eap).
const LOGIN_OVER: Duration = Duration::from_secs(60);
/// Log lines about what was not passed on, per reason and minute.
const LOG_LINES: u64 = 10;

/// What an event of a socket belongs to: the clients' socket, a probe, or the flow in this slot.
const CLIENTS: u64 = u64::MAX;
/// Above it stand the probes, by server.
const PROBES: u64 = u64::MAX / 2;

/// All that one listen address has.
pub struct Passer {
    name: Arc<str>,
    socket: Arc<UdpSocket>,
    upstream: Vec<SocketAddr>,
    preserve_source: bool,
    servers: Servers,
    probes: Vec<Probe>,
    flows: Flows<Upstream>,
    epoll: Epoll,
    eyes: Arc<Eyes>,
    sightings: Vec<Sighting>,
    counters: Counters,
    limit: LogLimit,
    stop: Arc<AtomicBool>,
}

/// The time, as one turn sees it.
#[derive(Clone, Copy)]
struct Now {
    at: Timestamp,
    instant: Instant,
}

impl Passer {
    /// For one address that is bound.
    pub fn new(
        options: &RelayOptions,
        socket: Arc<UdpSocket>,
        eyes: Arc<Eyes>,
        remarks: Remarks,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*socket, interest(CLIENTS))?;
        let probe = |probe: &ProbeOptions| {
            let probe = |address: &SocketAddr| Probe::new(*address, probe.secret.clone());
            options.upstream.iter().map(probe).collect()
        };
        let probes = options.probe.as_ref().map(probe).unwrap_or_default();
        let interval = options.probe.as_ref().map(|probe| probe.interval);
        Ok(Self {
            name: Arc::clone(&options.name),
            upstream: options.upstream.clone(),
            preserve_source: options.preserve_source,
            servers: Servers::new(options.upstream.len(), interval, Instant::now()),
            probes,
            flows: Flows::new(),
            epoll,
            eyes,
            sightings: Vec::new(),
            counters: Counters::new(&options.name, socket.local_addr(), &options.upstream, remarks),
            socket,
            limit: LogLimit::new(LOG_LINES),
            stop,
        })
    }

    /// Passes on until it is to stop.
    pub fn run(&mut self) {
        let mut buffers = Buffers::new();
        let mut events = [EpollEvent::empty(); EVENTS];
        let mut overflows = 0;
        let mut looked = Instant::now();
        let patience = EpollTimeout::try_from(TICK).unwrap_or(EpollTimeout::ZERO);
        while !self.stop.load(Ordering::Relaxed) {
            let ready = match self.epoll.wait(&mut events, patience) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => 0,
                Err(errno) => {
                    self.cannot("wait for packets", &errno.into());
                    std::thread::sleep(REST);
                    0
                }
            };
            let now = Now { at: Timestamp::now(), instant: Instant::now() };
            let ready = &events[..ready];
            self.replies(ready, now);
            if ready.iter().any(|event| event.data() == CLIENTS) {
                self.requests(&mut buffers, &mut overflows, now);
            }
            self.eyes.show(&mut self.sightings);
            if now.instant.duration_since(looked) >= TICK {
                looked = now.instant;
                self.tick(now.instant);
            }
        }
        self.counters.flows.set(0.0);
    }

    fn tick(&mut self, now: Instant) {
        let mut changes = Vec::new();
        for server in self.servers.probes_due(now, &mut changes) {
            if self.probe(server, now).is_err() {
                self.servers.refused(server, now, &mut changes);
            }
        }
        self.tell(changes);
        while self.flows.take_idle(now).is_some() {
            self.counters.idle.increment(1);
        }
        self.counters.flows.set(self.flows.len() as f64);
        for (reason, count) in self.limit.suppressed(now) {
            tracing::warn!(source = &*self.name, reason, count, "packets like these were not passed on either");
        }
    }

    fn probe(&mut self, server: usize, now: Instant) -> io::Result<()> {
        let probe = &mut self.probes[server];
        if let Some(socket) = probe.open()? {
            self.epoll.add(socket, interest(PROBES + server as u64))?;
        }
        probe.send(now)
    }

    /// Takes what the clients sent, and passes it on.
    fn requests(&mut self, buffers: &mut Buffers, overflows: &mut u32, now: Now) {
        let socket = Arc::clone(&self.socket);
        match socket.receive_waiting(buffers, |datagram| self.request(&datagram, now)) {
            Ok(None) => {}
            Ok(Some(dropped)) => {
                self.counters.dropped(Reason::Overflow, dropped.wrapping_sub(*overflows).into());
                *overflows = dropped;
            }
            Err(error) => {
                self.cannot("receive", &error);
                std::thread::sleep(REST);
            }
        }
    }

    fn request(&mut self, datagram: &Datagram, now: Now) {
        let key = Key { client: datagram.peer, asked: datagram.asked };
        if datagram.cut {
            return self.drop_packet(Reason::TooLarge, &key, "it has more than 4,096 octets", now);
        }
        let expects_reply = Packet::parse(datagram.octets).is_ok_and(|packet| Role::of(packet.code()) == Role::Request);
        // Each server once; and the first once more, since what it says first may be about an earlier packet.
        let mut why = String::new();
        for _ in 0..=self.servers.len() {
            let server = self.server_of(&key, now.instant);
            let flow = match self.flow(&key, server, now.instant) {
                Ok(flow) => flow,
                Err(error) if error.is_unreachable() => {
                    why = error.to_string();
                    self.refused(server, now.instant);
                    continue;
                }
                Err(error) => return self.drop_packet(Reason::NoSocket, &key, &error.to_string(), now),
            };
            match flow.link.send(datagram.octets) {
                Ok(_) => {
                    self.counters.request(server);
                    if expects_reply {
                        self.servers.asked(server, now.instant);
                    }
                    self.see(&key, server, datagram.octets, true, now);
                    return;
                }
                Err(error) if is_full(&error) => {
                    return self.drop_packet(Reason::BufferFull, &key, &error.to_string(), now);
                }
                Err(error) => {
                    why = error.to_string();
                    self.refused(server, now.instant);
                }
            }
        }
        self.drop_packet(Reason::NotSent, &key, &why, now);
    }

    /// Whom to ask for this client now.
    fn server_of(&mut self, key: &Key, now: Instant) -> usize {
        let before = self.flows.used(key, now).filter(|(_, rested)| *rested < LOGIN_OVER);
        let before = before.and_then(|(slot, _)| Some(self.flows.get(slot)?.link.server));
        let mut changes = Vec::new();
        let server = self.servers.choose(before, now, &mut changes);
        self.tell(changes);
        server
    }

    /// The flow of a packet, with a socket to the server that is to be asked now.
    fn flow(&mut self, key: &Key, server: usize, now: Instant) -> Result<&Flow<Upstream>, OpenError> {
        let known = self.flows.used(key, now).map(|(slot, _)| slot);
        let fits = |slot: &usize| self.flows.get(*slot).is_some_and(|flow| flow.link.server == server);
        let slot = match known.filter(fits) {
            Some(slot) => slot,
            None => self.open_flow(key, known, server, now)?,
        };
        self.flows.get(slot).ok_or_else(|| io::Error::other("the flow is gone").into())
    }

    /// Gives a flow a new socket, or opens one where there is none. Answers with its slot.
    fn open_flow(&mut self, key: &Key, known: Option<usize>, server: usize, now: Instant) -> Result<usize, OpenError> {
        while known.is_none() && self.flows.len() >= MAX_FLOWS {
            self.evict();
        }
        let (address, source) = (self.upstream[server], self.preserve_source.then_some(key.client));
        let link = match Upstream::open(server, address, source) {
            // Whatever there is too little of, the least recently used flow has some.
            Err(error) if !error.is_unreachable() && known.is_none() && self.flows.len() > 0 => {
                self.evict();
                Upstream::open(server, address, source)?
            }
            link => link?,
        };
        let slot = known.unwrap_or_else(|| self.flows.vacant());
        // When a socket is closed the system forgets it by itself.
        self.epoll.add(&link, interest(slot as u64)).map_err(io::Error::from)?;
        match self.flows.get_mut(slot) {
            Some(flow) => flow.link = link,
            None => self.flows.insert(*key, link, now),
        }
        Ok(slot)
    }

    fn refused(&mut self, server: usize, now: Instant) {
        let mut changes = Vec::new();
        self.servers.refused(server, now, &mut changes);
        self.tell(changes);
    }

    fn evict(&mut self) {
        if self.flows.take_oldest().is_some() {
            self.counters.evicted.increment(1);
        }
    }

    /// Takes what the servers sent, and sends it back.
    fn replies(&mut self, ready: &[EpollEvent], now: Now) {
        let mut answers = Vec::new();
        let mut changes = Vec::new();
        for event in ready {
            match event.data() {
                CLIENTS => {}
                probe @ PROBES.. => self.probe_answered((probe - PROBES) as usize, now.instant, &mut changes),
                slot => self.reply(slot as usize, now, &mut answers, &mut changes),
            }
        }
        let sent = self.socket.send(&answers);
        self.counters.dropped(Reason::BufferFull, sent.buffer_full);
        self.counters.dropped(Reason::NotSent, sent.failed);
        self.tell(changes);
    }

    fn reply(&mut self, slot: usize, now: Now, answers: &mut Vec<Answer>, changes: &mut Vec<Change>) {
        // One more than a packet may have, so that what has more is seen to.
        let mut room = [0; MAX_LENGTH + 1];
        for _ in 0..BATCH {
            // It may have ended in this turn.
            let Some(flow) = self.flows.get(slot) else { return };
            let (key, server) = (flow.key, flow.link.server);
            match flow.link.receive(&mut room) {
                Ok(length) if length > MAX_LENGTH => {
                    self.drop_packet(Reason::TooLarge, &key, "the server sent more than 4,096 octets", now);
                }
                Ok(length) => {
                    let octets = &room[..length];
                    answers.push(Answer { to: key.client, from: key.asked, octets: octets.into() });
                    self.counters.reply(server);
                    self.servers.answered(server, changes);
                    self.see(&key, server, octets, false, now);
                }
                Err(error) if is_full(&error) => return,
                Err(_) => self.servers.refused(server, now.instant, changes),
            }
        }
    }

    fn probe_answered(&mut self, server: usize, now: Instant, changes: &mut Vec<Change>) {
        match self.probes[server].receive() {
            Ok(Some(sent)) => self.servers.answered_probe(server, sent, changes),
            Ok(None) => {}
            Err(_) => self.servers.refused(server, now, changes),
        }
    }

    /// Notes a packet, to be shown to the observer as it passes on the NAS's side: between the client and the address that it
    /// asks, or, of what a NAS is asked (RFC 5176), between the client and the NAS.
    fn see(&mut self, key: &Key, server: usize, octets: &[u8], is_request: bool, now: Now) {
        let local = self.socket.local_addr();
        let asked = match octets.first() {
            Some(&code) if Code(code).is_dynamic_authorization() => self.upstream[server],
            _ => key.asked.map_or(local, |asked| SocketAddr::new(asked.ip(), local.port())),
        };
        let (from, to) = if is_request { (key.client, asked) } else { (asked, key.client) };
        self.sightings.push(Sighting { at: now.at, from, to, octets: octets.into() });
    }

    fn tell(&mut self, changes: Vec<Change>) {
        for Change { server, why } in changes {
            self.counters.server(server, why.is_up());
            let (listen, address) = (self.socket.local_addr(), self.upstream[server]);
            if why.is_up() {
                tracing::info!(source = &*self.name, %listen, server = %address, "the server is up: {why}");
            } else {
                tracing::warn!(source = &*self.name, %listen, server = %address, "the server is down: {why}");
            }
        }
    }

    fn drop_packet(&mut self, reason: Reason, key: &Key, why: &str, now: Now) {
        self.counters.dropped(reason, 1);
        if self.limit.allows(reason.label(), now.instant) {
            tracing::warn!(source = &*self.name, client = %key.client, reason = reason.label(), "a packet was not passed on: {why}");
        }
    }

    fn cannot(&mut self, what: &'static str, error: &io::Error) {
        if self.limit.allows(what, Instant::now()) {
            tracing::error!(source = &*self.name, listen = %self.socket.local_addr(), %error, "cannot {what}");
        }
    }
}

fn interest(of: u64) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN, of)
}

/// Whether a socket has nothing to give or no room to take, which is no failure.
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(Errno::ENOBUFS as i32)
}
