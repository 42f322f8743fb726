//! Requests and replies as they pass by, brought together again.
//!
//! A reply belongs to the request with the same client, server and Identifier (RFC 2865 §3). The same Identifier with
//! another authenticator is a new request; with the same one it is a retransmission, and folded into the first. A login of
//! several rounds is followed by the State that each challenge hands out and the next request brings back
//! (RFC 2865 §5.24). Nothing here knows a socket or a clock; what waits is bounded in number, octets and time.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::radius::authenticator::{Authenticator, MessageAuthenticator, verify_response, verify_response_message};
use crate::radius::{Code, Method, Packet, numbers};
use crate::trace::pairs::answers;

/// Requests that wait, or were answered a short while ago: 256 Identifiers from each of 256 ports of a large proxy.
const MAX_WAITING: usize = 65_536;
/// Octets of requests that wait. Requests of usual size fill the number first.
const MAX_OCTETS: usize = 64 * 1024 * 1024;
/// Logins between two rounds.
const MAX_TALKS: usize = 65_536;
/// How long a user may take for a round, say to type a code from a token. FreeRADIUS itself forgets after a minute.
const MAX_ROUND: SignedDuration = SignedDuration::from_mins(5);

/// A packet that passes by.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// When.
    pub at: Timestamp,
    /// Who asks or asked: the NAS, or of RFC 5176 the dynamic authorization client.
    pub client: SocketAddr,
    /// Who is or was asked.
    pub server: SocketAddr,
    /// The packet.
    pub packet: &'a Packet<'a>,
}

/// A request with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Who asked.
    pub client: SocketAddr,
    /// Who was asked.
    pub server: SocketAddr,
    /// When the request was sent first.
    pub at: Timestamp,
    /// The request's octets.
    pub request: Box<[u8]>,
    /// The reply's octets, and how long it took; none where nobody answered in time.
    pub reply: Option<(Box<[u8]>, Duration)>,
    /// How the user proved who they are.
    pub method: Option<Method>,
    /// Challenges so far, this reply included. None where the first ones were not seen.
    pub rounds: Option<u32>,
}

/// What came of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// A request, which now waits; and the one that waited in its place without having been answered.
    Waits(Option<Pair>),
    /// A request or reply that was seen before.
    Again,
    /// The reply to a request.
    Answered(Pair),
    /// A reply to nothing that waits.
    Alone,
    /// A reply that was not made by whoever knows the secret.
    Forged,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    client: SocketAddr,
    server: SocketAddr,
    identifier: u8,
}

#[derive(Debug)]
struct Waiting {
    at: Timestamp,
    code: Code,
    authenticator: Authenticator,
    /// Taken when it is answered; what stays is known for retransmissions.
    request: Option<Box<[u8]>>,
    method: Option<Method>,
    rounds: Option<u32>,
}

/// A login between two rounds.
#[derive(Debug)]
struct Talk {
    at: Timestamp,
    method: Option<Method>,
    rounds: u32,
}

/// The requests that wait for their replies, and the logins between two rounds.
#[derive(Debug)]
pub struct Pairing {
    patience: SignedDuration,
    waiting: HashMap<Key, Waiting>,
    /// In the order of arrival. Holds more than the map where an Identifier was used again.
    by_age: VecDeque<(Timestamp, Key)>,
    octets: usize,
    talks: HashMap<Box<[u8]>, Talk>,
    talks_by_age: VecDeque<(Timestamp, Box<[u8]>)>,
    forgotten: u64,
}

impl Pairing {
    /// Nothing waits yet. `patience` is how long a reply may take.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience: SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX),
            waiting: HashMap::new(),
            by_age: VecDeque::new(),
            octets: 0,
            talks: HashMap::new(),
            talks_by_age: VecDeque::new(),
            forgotten: 0,
        }
    }

    /// Takes a request.
    pub fn request(&mut self, passing: Passing<'_>) -> Passed {
        let Passing { at, client, server, packet } = passing;
        let key = Key { client, server, identifier: packet.identifier() };
        let authenticator = *packet.authenticator();
        if let Some(known) = self.waiting.get(&key)
            && known.authenticator == authenticator
            && known.code == packet.code()
        {
            return Passed::Again;
        }
        let unanswered = self.waiting.remove(&key).and_then(|before| self.give_up(key.clone(), before));
        while self.waiting.len() >= MAX_WAITING || self.octets + packet.bytes().len() > MAX_OCTETS {
            if !self.forget_oldest() {
                break;
            }
        }
        let (method, rounds) = self.talk_of(packet, server);
        self.octets += packet.bytes().len();
        let request = Some(packet.bytes().into());
        let waiting = Waiting { at, code: packet.code(), authenticator, request, method, rounds };
        self.waiting.insert(key.clone(), waiting);
        self.by_age.push_back((at, key));
        Passed::Waits(unanswered)
    }

    /// Takes a reply. With the secret it must be genuine.
    pub fn reply(&mut self, passing: Passing<'_>, secret: Option<&[u8]>) -> Passed {
        let Passing { at, client, server, packet } = passing;
        let key = Key { client, server, identifier: packet.identifier() };
        let Some(waiting) = self.waiting.get_mut(&key) else { return Passed::Alone };
        if !answers(packet.code(), waiting.code) {
            return Passed::Alone;
        }
        if let Some(secret) = secret {
            let message = verify_response_message(packet, &waiting.authenticator, secret);
            if !verify_response(packet, &waiting.authenticator, secret) || message == MessageAuthenticator::Invalid {
                return Passed::Forged;
            }
        }
        let Some(request) = waiting.request.take() else { return Passed::Again };
        self.octets -= request.len();
        let challenges = packet.code() == Code::ACCESS_CHALLENGE;
        let asked = if challenges { Method::of(packet) } else { None };
        let method = waiting.method.map(|method| method.or(asked)).or(asked);
        let rounds = waiting.rounds.map(|rounds| rounds + u32::from(challenges));
        let latency = Duration::try_from(at.duration_since(waiting.at)).unwrap_or_default();
        let pair = Pair {
            client,
            server,
            at: waiting.at,
            request,
            reply: Some((packet.bytes().into(), latency)),
            method,
            rounds,
        };
        if challenges && let (Some(state), Some(rounds)) = (packet.first(STATE), rounds) {
            self.remember(talk_key(server, state), Talk { at, method, rounds });
        }
        Passed::Answered(pair)
    }

    /// The requests that have waited too long by `now`, oldest first.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Pair> {
        let mut unanswered = Vec::new();
        while let Some((at, _)) = self.by_age.front()
            && now.duration_since(*at) > self.patience
        {
            let Some((at, key)) = self.by_age.pop_front() else { break };
            if self.waiting.get(&key).is_some_and(|waiting| waiting.at == at)
                && let Some(waiting) = self.waiting.remove(&key)
            {
                unanswered.extend(self.give_up(key, waiting));
            }
        }
        while let Some((at, _)) = self.talks_by_age.front()
            && now.duration_since(*at) > MAX_ROUND
        {
            self.forget_talk();
        }
        unanswered
    }

    /// How many requests wait for a reply, or were answered within the patience.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Requests that were let go before their time because too many waited, since the last call.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    /// Forgets every request, answered or not; says how many were not.
    pub fn let_go(&mut self) -> usize {
        let unanswered = self.waiting.values().filter(|waiting| waiting.request.is_some()).count();
        self.waiting.clear();
        self.by_age.clear();
        self.octets = 0;
        unanswered
    }

    /// What is known of the login that a request goes on with: by its State, or from its own first proof.
    fn talk_of(&mut self, packet: &Packet, server: SocketAddr) -> (Option<Method>, Option<u32>) {
        let own = Method::of(packet);
        match packet.first(STATE) {
            None => (own, Some(0)),
            // Stays until its time is over: a retransmission under another Identifier goes on with the same State.
            Some(state) => match self.talks.get(&talk_key(server, state)) {
                Some(talk) => (own.map(|method| method.or(talk.method)).or(talk.method), Some(talk.rounds)),
                None => (own, None),
            },
        }
    }

    fn remember(&mut self, key: Box<[u8]>, talk: Talk) {
        while self.talks.len() >= MAX_TALKS {
            self.forget_talk();
        }
        self.talks_by_age.push_back((talk.at, key.clone()));
        self.talks.insert(key, talk);
    }

    fn forget_talk(&mut self) {
        if let Some((at, key)) = self.talks_by_age.pop_front()
            && self.talks.get(&key).is_some_and(|talk| talk.at == at)
        {
            self.talks.remove(&key);
        }
    }

    /// Lets the oldest go. False when there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some((at, key)) = self.by_age.pop_front() else { return false };
        if self.waiting.get(&key).is_some_and(|waiting| waiting.at == at)
            && let Some(waiting) = self.waiting.remove(&key)
            && self.give_up(key, waiting).is_some()
        {
            self.forgotten += 1;
        }
        true
    }

    /// What is left of a request that no longer waits: itself, if nobody answered.
    fn give_up(&mut self, key: Key, waiting: Waiting) -> Option<Pair> {
        let request = waiting.request?;
        self.octets -= request.len();
        let Key { client, server, .. } = key;
        let Waiting { at, method, rounds, .. } = waiting;
        Some(Pair { client, server, at, request, reply: None, method, rounds })
    }
}

/// The type octet of State.
const STATE: u8 = numbers::STATE.number as u8;

/// States are told apart by server: two of them may hand out the same.
fn talk_key(server: SocketAddr, state: &[u8]) -> Box<[u8]> {
    let mut key = state.to_vec();
    key.extend(server.to_string().bytes());
    key.into()
}

#[cfg(test)]
mod tests;
