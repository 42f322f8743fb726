//! What a relay counts, looked up once and kept.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use metrics::{Counter, Gauge, counter, gauge};

use crate::metrics::{RELAY_DROPS, RELAY_FLOWS, RELAY_FLOWS_ENDED, RELAY_PACKETS, RELAY_SERVER_UP};
use crate::source::Remarks;

/// Why a datagram was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It has more octets than a packet may have (RFC 2865 §3).
    TooLarge,
    /// There is no socket for its flow.
    NoSocket,
    /// The buffer of the socket is full.
    BufferFull,
    /// The system refuses to send it.
    NotSent,
    /// The system had no room to keep it until it was received.
    Overflow,
}

impl Reason {
    /// All of them.
    const ALL: [Self; 5] = [Self::TooLarge, Self::NoSocket, Self::BufferFull, Self::NotSent, Self::Overflow];

    /// Its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NoSocket => "no_socket",
            Self::BufferFull => "buffer_full",
            Self::NotSent => "not_sent",
            Self::Overflow => "overflow",
        }
    }
}

/// The counters of one listen address.
pub struct Counters {
    /// By server: requests to it, replies of it.
    packets: Vec<[Counter; 2]>,
    up: Vec<Gauge>,
    servers: Vec<SocketAddr>,
    listen: SocketAddr,
    remarks: Remarks,
    drops: HashMap<Reason, Counter>,
    /// Flows there are now.
    pub flows: Gauge,
    /// Flows that ended because nobody used them.
    pub idle: Counter,
    /// Flows that ended because another needed their place.
    pub evicted: Counter,
}

impl Counters {
    /// For a source of this name, one of its listen addresses, and its servers.
    pub fn new(source: &Arc<str>, listen: SocketAddr, servers: &[SocketAddr], remarks: Remarks) -> Self {
        let name = || source.to_string();
        let packets = |server: &SocketAddr, direction: &'static str| counter!(RELAY_PACKETS, "source" => name(), "server" => server.to_string(), "direction" => direction);
        let both = |server: &SocketAddr| [packets(server, "request"), packets(server, "reply")];
        let up = |server: &SocketAddr| gauge!(RELAY_SERVER_UP, "source" => name(), "listen" => listen.to_string(), "server" => server.to_string());
        let drops = |reason: Reason| (reason, counter!(RELAY_DROPS, "source" => name(), "reason" => reason.label()));
        let ended = |reason: &'static str| counter!(RELAY_FLOWS_ENDED, "source" => name(), "reason" => reason);
        let counters = Self {
            packets: servers.iter().map(both).collect(),
            up: servers.iter().map(up).collect(),
            servers: servers.to_vec(),
            listen,
            remarks,
            drops: Reason::ALL.into_iter().map(drops).collect(),
            flows: gauge!(RELAY_FLOWS, "source" => name(), "listen" => listen.to_string()),
            idle: ended("idle"),
            evicted: ended("table_full"),
        };
        counters.up.iter().for_each(|up| up.set(1.0));
        counters
    }

    /// A request went to a server.
    pub fn request(&self, server: usize) {
        self.packets[server][0].increment(1);
    }

    /// A reply of a server went back.
    pub fn reply(&self, server: usize) {
        self.packets[server][1].increment(1);
    }

    /// So many datagrams were not passed on.
    pub fn dropped(&self, reason: Reason, count: u64) {
        if let Some(counter) = self.drops.get(&reason) {
            counter.increment(count);
        }
    }

    /// A server came up or went down.
    pub fn server(&self, server: usize, is_up: bool) {
        self.up[server].set(f64::from(u8::from(is_up)));
        let server = self.servers[server];
        let about = format!("{} {server}", self.listen);
        match is_up {
            true => self.remarks.clear(&about),
            false => self.remarks.say(about, format!("server {server} does not answer")),
        }
    }
}
