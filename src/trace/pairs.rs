//! Which request a reply answers: client, server and Identifier are the same (RFC 2865 §3).
//!
//! An Identifier is one octet, so that it comes back soon: the same one with another authenticator is a new request,
//! and the one before it was not answered if nothing came until then. The same one with the same authenticator is a
//! retransmission. What waits for a reply is forgotten, as unanswered, when it has waited too long or is one too many.

use std::collections::HashMap;
use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};

use crate::radius::authenticator::Authenticator;
use crate::radius::{Code, Packet};

/// Requests that wait at the same time: 256 Identifiers from each of 256 ports of a large proxy.
const MAX_WAITING: usize = 65_536;
/// Unanswered requests that are kept to be told. Their number is kept without limit.
const MAX_TOLD: usize = 1000;
/// How long a request waits for its reply. RFC 5080 §2.2.1 has senders give up within about 30 seconds; the double
/// lets a late reply still be seen as one.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(60);

/// What a packet does in an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It asks.
    Request,
    /// It answers.
    Reply,
    /// Its code says neither.
    Unknown,
}

impl Role {
    /// The role of a code (RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3, RFC 5997 §2).
    pub fn of(code: Code) -> Self {
        match code {
            Code::ACCESS_REQUEST
            | Code::ACCOUNTING_REQUEST
            | Code::STATUS_SERVER
            | Code::STATUS_CLIENT
            | Code::DISCONNECT_REQUEST
            | Code::COA_REQUEST => Self::Request,
            Code::ACCESS_ACCEPT
            | Code::ACCESS_REJECT
            | Code::ACCOUNTING_RESPONSE
            | Code::ACCESS_CHALLENGE
            | Code::DISCONNECT_ACK
            | Code::DISCONNECT_NAK
            | Code::COA_ACK
            | Code::COA_NAK => Self::Reply,
            _ => Self::Unknown,
        }
    }
}

/// Whether a reply of this code can answer a request of that one. Any reply answers a Status-Server, as the port it
/// was sent to decides (RFC 5997 §3).
pub fn answers(reply: Code, request: Code) -> bool {
    match request {
        Code::ACCESS_REQUEST => {
            matches!(reply, Code::ACCESS_ACCEPT | Code::ACCESS_REJECT | Code::ACCESS_CHALLENGE)
        }
        Code::ACCOUNTING_REQUEST => reply == Code::ACCOUNTING_RESPONSE,
        Code::DISCONNECT_REQUEST => matches!(reply, Code::DISCONNECT_ACK | Code::DISCONNECT_NAK),
        Code::COA_REQUEST => matches!(reply, Code::COA_ACK | Code::COA_NAK),
        _ => true,
    }
}

/// One packet on its way, as far as pairing looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its number in the material, to be told by.
    pub number: u64,
    /// When.
    pub time: Option<Timestamp>,
    /// From where to where; none where the material does not tell, as in a hex dump: then there is one client and one
    /// server.
    pub path: Option<(SocketAddr, SocketAddr)>,
    /// The packet.
    pub packet: &'a Packet<'a>,
}

/// What pairing found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found {
    /// Nothing before it belongs to it.
    Alone,
    /// A request that was sent before.
    Again {
        /// The number of the first one.
        first: u64,
    },
    /// The reply to a request.
    Answer {
        /// The number of the request, the first one if it was sent several times.
        request: u64,
        /// The request's authenticator, which the reply's is computed from.
        authenticator: Authenticator,
        /// From the first sending of the request to this reply, where both times are known.
        latency: Option<SignedDuration>,
        /// Whether another reply came before.
        again: bool,
    },
}

/// A request that nobody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Its number in the material.
    pub number: u64,
    /// Its code.
    pub code: Code,
    /// Its Identifier.
    pub identifier: u8,
    /// When it was sent first.
    pub time: Option<Timestamp>,
    /// From where to where.
    pub path: Option<(SocketAddr, SocketAddr)>,
    /// How often it was sent.
    pub sent: u64,
}

/// The requests seen so far, and which of them were answered.
#[derive(Debug, Default)]
pub struct Pairs {
    waiting: HashMap<Key, Waiting>,
    unanswered: Vec<Unanswered>,
    count: u64,
}

/// Client, server and Identifier.
type Key = (Option<(SocketAddr, SocketAddr)>, u8);

#[derive(Debug)]
struct Waiting {
    request: Unanswered,
    authenticator: Authenticator,
    answered: bool,
}

impl Pairs {
    /// Takes the next packet and says what it belongs to.
    pub fn see(&mut self, seen: Seen) -> Found {
        match Role::of(seen.packet.code()) {
            Role::Request => self.request(seen),
            Role::Reply => self.reply(seen),
            Role::Unknown => Found::Alone,
        }
    }

    /// The requests without an answer, in the order in which they were seen, of which no more than a thousand are
    /// kept; and how many there are in all.
    pub fn finish(mut self) -> (Vec<Unanswered>, u64) {
        for (_, waiting) in std::mem::take(&mut self.waiting) {
            self.let_go(waiting);
        }
        self.unanswered.sort_by_key(|request| request.number);
        self.unanswered.truncate(MAX_TOLD);
        (self.unanswered, self.count)
    }

    fn request(&mut self, seen: Seen) -> Found {
        let key = (seen.path, seen.packet.identifier());
        let (code, authenticator) = (seen.packet.code(), *seen.packet.authenticator());
        if let Some(waiting) = self.waiting.get_mut(&key) {
            let same = waiting.authenticator == authenticator && waiting.request.code == code;
            if same && !is_old(waiting, seen.time) {
                waiting.request.sent += 1;
                return Found::Again { first: waiting.request.number };
            }
        }
        if let Some(before) = self.waiting.remove(&key) {
            self.let_go(before);
        }
        if self.waiting.len() >= MAX_WAITING {
            self.make_room(seen.time);
        }
        let request = Unanswered {
            number: seen.number,
            code,
            identifier: seen.packet.identifier(),
            time: seen.time,
            path: seen.path,
            sent: 1,
        };
        self.waiting.insert(key, Waiting { request, authenticator, answered: false });
        Found::Alone
    }

    fn reply(&mut self, seen: Seen) -> Found {
        let back = seen.path.map(|(source, destination)| (destination, source));
        let Some(waiting) = self.waiting.get_mut(&(back, seen.packet.identifier())) else { return Found::Alone };
        if !answers(seen.packet.code(), waiting.request.code) || is_old(waiting, seen.time) {
            return Found::Alone;
        }
        let again = std::mem::replace(&mut waiting.answered, true);
        let latency = seen.time.zip(waiting.request.time).map(|(now, then)| now.duration_since(then));
        Found::Answer { request: waiting.request.number, authenticator: waiting.authenticator, latency, again }
    }

    /// Forgets what is too old, or else the older half.
    fn make_room(&mut self, now: Option<Timestamp>) {
        let mut gone: Vec<Key> =
            self.waiting.iter().filter(|(_, waiting)| is_old(waiting, now)).map(|(key, _)| *key).collect();
        if gone.is_empty() {
            let mut by_age: Vec<_> = self.waiting.iter().map(|(key, waiting)| (waiting.request.number, *key)).collect();
            by_age.sort_by_key(|(number, _)| *number);
            gone = by_age.into_iter().take(MAX_WAITING / 2).map(|(_, key)| key).collect();
        }
        for key in gone {
            if let Some(waiting) = self.waiting.remove(&key) {
                self.let_go(waiting);
            }
        }
    }

    fn let_go(&mut self, waiting: Waiting) {
        if waiting.answered {
            return;
        }
        self.count += 1;
        // The last ones come in no order; they are sorted before the list is cut.
        if self.unanswered.len() < MAX_TOLD + MAX_WAITING {
            self.unanswered.push(waiting.request);
        }
    }
}

fn is_old(waiting: &Waiting, now: Option<Timestamp>) -> bool {
    now.zip(waiting.request.time).is_some_and(|(now, then)| now.duration_since(then) > MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::sample;

    struct Wire {
        pairs: Pairs,
        number: u64,
    }

    impl Wire {
        fn new() -> Self {
            Self { pairs: Pairs::default(), number: 0 }
        }

        /// A packet at a millisecond, from a port of the client or back to it.
        fn see(&mut self, at: i64, code: Code, id: u8, authenticator: u8, port: u16) -> Found {
            let mut bytes = sample::packet(code.0, id, &[]);
            bytes[4..20].fill(authenticator);
            let client = SocketAddr::from(([10, 0, 0, 1], port));
            let server = SocketAddr::from(([10, 0, 0, 2], 1812));
            let path = if Role::of(code) == Role::Reply { (server, client) } else { (client, server) };
            self.number += 1;
            self.pairs.see(Seen {
                number: self.number,
                time: Some(Timestamp::from_millisecond(at).unwrap()),
                path: Some(path),
                packet: &Packet::parse(&bytes).unwrap(),
            })
        }
    }

    fn answer(request: u64, authenticator: u8, milliseconds: i64, again: bool) -> Found {
        let latency = Some(SignedDuration::from_millis(milliseconds));
        Found::Answer { request, authenticator: [authenticator; 16], latency, again }
    }

    #[test]
    fn a_reply_finds_its_request_by_client_server_and_identifier() {
        let mut wire = Wire::new();
        assert_eq!(wire.see(0, Code::ACCESS_REQUEST, 7, 1, 40_000), Found::Alone);
        assert_eq!(wire.see(1, Code::ACCESS_REQUEST, 7, 2, 40_001), Found::Alone);
        assert_eq!(wire.see(2, Code::ACCESS_REQUEST, 8, 3, 40_000), Found::Alone);
        assert_eq!(wire.see(5, Code::ACCESS_ACCEPT, 7, 9, 40_001), answer(2, 2, 4, false));
        assert_eq!(wire.see(6, Code::ACCESS_REJECT, 7, 9, 40_000), answer(1, 1, 6, false));
        assert_eq!(wire.see(7, Code::ACCESS_ACCEPT, 9, 9, 40_000), Found::Alone);
        let (unanswered, count) = wire.pairs.finish();
        assert_eq!((unanswered.len(), unanswered[0].number, count), (1, 3, 1));
    }

    #[test]
    fn a_retransmission_is_the_same_request_and_its_latency_counts_from_the_first_one() {
        let mut wire = Wire::new();
        wire.see(0, Code::ACCOUNTING_REQUEST, 7, 1, 40_000);
        assert_eq!(wire.see(3000, Code::ACCOUNTING_REQUEST, 7, 1, 40_000), Found::Again { first: 1 });
        assert_eq!(wire.see(3004, Code::ACCOUNTING_RESPONSE, 7, 9, 40_000), answer(1, 1, 3004, false));
        assert_eq!(wire.see(3005, Code::ACCOUNTING_RESPONSE, 7, 9, 40_000), answer(1, 1, 3005, true));
        assert_eq!(wire.pairs.finish().1, 0);
    }

    #[test]
    fn an_identifier_that_is_used_again_leaves_the_one_before_unanswered() {
        let mut wire = Wire::new();
        wire.see(0, Code::ACCESS_REQUEST, 7, 1, 40_000);
        assert_eq!(wire.see(10, Code::ACCESS_REQUEST, 7, 2, 40_000), Found::Alone);
        assert_eq!(wire.see(11, Code::ACCESS_ACCEPT, 7, 9, 40_000), answer(2, 2, 1, false));
        let (unanswered, _) = wire.pairs.finish();
        assert_eq!(unanswered.iter().map(|request| request.number).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_reply_of_another_kind_or_much_later_answers_nothing() {
        let mut wire = Wire::new();
        wire.see(0, Code::ACCESS_REQUEST, 7, 1, 40_000);
        assert_eq!(wire.see(1, Code::ACCOUNTING_RESPONSE, 7, 9, 40_000), Found::Alone);
        assert_eq!(wire.see(60_001, Code::ACCESS_ACCEPT, 7, 9, 40_000), Found::Alone);
        wire.see(70_000, Code::STATUS_SERVER, 8, 1, 40_000);
        assert_eq!(wire.see(70_001, Code::ACCOUNTING_RESPONSE, 8, 9, 40_000), answer(4, 1, 1, false));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_still_counted() {
        let mut wire = Wire::new();
        let requests = (MAX_WAITING + MAX_WAITING / 2) as u64;
        for number in 0..requests {
            wire.see(0, Code::ACCESS_REQUEST, number as u8, 1, (number >> 8) as u16 + 1);
        }
        assert!(wire.pairs.waiting.len() <= MAX_WAITING);
        let (unanswered, count) = wire.pairs.finish();
        assert_eq!((unanswered.len(), count), (MAX_TOLD, requests));
        assert_eq!(unanswered[0].number, 1);
    }
}
