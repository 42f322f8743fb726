//! The flows: one for each address and port that a client sends from, and the address it asks. Plain logic, time is an
//! argument.
//!
//! Each has an upstream socket, so that the server sees one port for each port of a client: the Identifiers of two of
//! them never meet (RFC 2865 §3).

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::source::udp::Asked;

/// The most flows of one listen address. A NAS has a few; a large proxy one for each 256 requests it has in flight. Linux has
/// some 28,000 ports to give to the sockets behind them.
pub const MAX_FLOWS: usize = 16_384;
/// How long a flow without a request stays. By then nobody waits for a reply any more, and the next request opens another.
pub const IDLE: Duration = Duration::from_secs(300);

/// What a flow is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Who sends.
    pub client: SocketAddr,
    /// Which of our addresses it asks, as far as the system says.
    pub asked: Option<Asked>,
}

/// One flow. `L` is its way to the server.
#[derive(Debug)]
pub struct Flow<L> {
    /// What it is known by.
    pub key: Key,
    /// Its way to the server.
    pub link: L,
    used_at: Instant,
    turn: u64,
}

/// All flows of one listen address, each in a slot that it keeps.
#[derive(Debug)]
pub struct Flows<L> {
    slots: Vec<Option<Flow<L>>>,
    free: Vec<usize>,
    by_key: HashMap<Key, usize>,
    /// Slots by their last use.
    by_use: BTreeMap<u64, usize>,
    turn: u64,
}

impl<L> Flows<L> {
    /// No flows.
    pub fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), by_key: HashMap::new(), by_use: BTreeMap::new(), turn: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The slot of a flow that is used now, and how long it had not been.
    pub fn used(&mut self, key: &Key, now: Instant) -> Option<(usize, Duration)> {
        let slot = *self.by_key.get(key)?;
        self.turn += 1;
        let flow = self.slots.get_mut(slot)?.as_mut()?;
        self.by_use.remove(&flow.turn);
        self.by_use.insert(self.turn, slot);
        flow.turn = self.turn;
        let rested = now.saturating_duration_since(flow.used_at);
        flow.used_at = now;
        Some((slot, rested))
    }

    /// The slot that the next new flow gets.
    pub fn vacant(&self) -> usize {
        self.free.last().copied().unwrap_or(self.slots.len())
    }

    /// Adds a flow that is used now, and was not there, into the vacant slot.
    pub fn insert(&mut self, key: Key, link: L, now: Instant) {
        self.turn += 1;
        let slot = self.vacant();
        if self.free.pop().is_none() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(Flow { key, link, used_at: now, turn: self.turn });
        self.by_key.insert(key, slot);
        self.by_use.insert(self.turn, slot);
    }

    /// The flow in a slot, if there still is one.
    pub fn get(&self, slot: usize) -> Option<&Flow<L>> {
        self.slots.get(slot)?.as_ref()
    }

    /// As [`Flows::get`], to be changed.
    pub fn get_mut(&mut self, slot: usize) -> Option<&mut Flow<L>> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Takes out the flow that was not used for the longest time.
    pub fn take_oldest(&mut self) -> Option<Flow<L>> {
        let (_, slot) = self.by_use.pop_first()?;
        let flow = self.slots.get_mut(slot)?.take()?;
        self.by_key.remove(&flow.key);
        self.free.push(slot);
        Some(flow)
    }

    /// Takes out a flow that was idle for too long, if there is one.
    pub fn take_idle(&mut self, now: Instant) -> Option<Flow<L>> {
        let (_, slot) = self.by_use.first_key_value()?;
        let idle = now.saturating_duration_since(self.get(*slot)?.used_at);
        if idle >= IDLE { self.take_oldest() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16) -> Key {
        Key { client: ([10, 0, 0, 1], port).into(), asked: None }
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let now = Instant::now();
        let mut flows = Flows::new();
        for port in 1..=3 {
            flows.insert(key(port), port, now);
        }
        assert!(flows.used(&key(1), now).is_some());
        let gone: Vec<_> = std::iter::from_fn(|| flows.take_oldest()).map(|flow| flow.link).collect();
        assert_eq!(gone, [2, 3, 1]);
        assert_eq!(flows.len(), 0);
        assert_eq!(flows.used(&key(1), now), None);
    }

    #[test]
    fn idle_flows_go_and_used_ones_stay() {
        let start = Instant::now();
        let mut flows = Flows::new();
        flows.insert(key(1), 1, start);
        flows.insert(key(2), 2, start);
        let later = start + IDLE / 2;
        assert_eq!(flows.used(&key(1), later), Some((0, IDLE / 2)));
        assert!(flows.take_idle(start + IDLE - Duration::from_millis(1)).is_none());
        assert_eq!(flows.take_idle(start + IDLE).map(|flow| flow.link), Some(2));
        assert!(flows.take_idle(start + IDLE).is_none());
        assert_eq!(flows.take_idle(later + IDLE).map(|flow| flow.link), Some(1));
    }

    #[test]
    fn a_slot_is_used_again_and_never_shared() {
        let now = Instant::now();
        let mut flows = Flows::new();
        let first = flows.vacant();
        flows.insert(key(1), 1, now);
        let second = flows.vacant();
        flows.insert(key(2), 2, now);
        assert_ne!(first, second);
        flows.take_oldest();
        assert!(flows.get(first).is_none());
        assert_eq!(flows.vacant(), first);
        flows.insert(key(3), 3, now);
        assert_eq!(flows.get(first).map(|flow| flow.link), Some(3));
        assert_eq!(flows.get(second).map(|flow| flow.link), Some(2));
    }

    #[test]
    fn the_same_port_asking_two_addresses_is_two_flows() {
        let (one, other) = (Asked::of("10.0.0.2"), Asked::of("10.0.0.3"));
        let now = Instant::now();
        let mut flows = Flows::new();
        flows.insert(Key { asked: Some(one), ..key(1) }, 1, now);
        assert_eq!(flows.used(&Key { asked: Some(other), ..key(1) }, now), None);
    }
}
