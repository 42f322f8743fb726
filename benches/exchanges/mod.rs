//! Exchanges for the benches that begin behind the decoder: packets of the simulated NAS, decoded.
#![allow(dead_code, reason = "each bench uses a part")]

use std::sync::Arc;

use jiff::Timestamp;
use radhook::deliver::options::Format;
use radhook::exchange::{Exchange, Login, Origin};
use radhook::intake::Route;
use radhook::lab::nas::{Nas, NasOptions, Session};
use radhook::radius::{Code, Dictionary, Packet, decode};
use radhook::route::Interest;
use radhook::secret::Secret;
use radhook::store::bell::Bell;

/// When everything happens.
pub fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// Exchanges of sessions that nobody has heard of yet: each is a new start.
pub struct Starts(Nas);

impl Starts {
    /// Of a hundred thousand users.
    pub fn new() -> Self {
        Self(Nas::new(NasOptions { users: 100_000, ..NasOptions::default() }))
    }

    /// The next one's.
    pub fn next(&mut self) -> Exchange {
        exchange(&mut self.0.open(now()))
    }
}

/// The next packet of a session.
pub fn octets(session: &mut Session) -> Vec<u8> {
    session.next(now()).unwrap().packet(1, &Secret::new("secret"), 0).unwrap()
}

/// The same, decoded.
pub fn exchange(session: &mut Session) -> Exchange {
    of(&octets(session), &Dictionary::shipped())
}

/// What an accounting source makes of these octets.
pub fn of(packet: &[u8], dictionary: &Dictionary) -> Exchange {
    Exchange {
        origin: Origin {
            source: "accounting".into(),
            kind: "accounting",
            client: "nas".into(),
            address: "10.0.0.1".parse().unwrap(),
        },
        received_at: now(),
        code: Code::ACCOUNTING_REQUEST,
        reply: None,
        login: Login::default(),
        request: decode(&Packet::parse(packet).unwrap(), dictionary),
        swap_octets: false,
    }
}

/// An endpoint that wants everything.
pub fn route(name: &str) -> Route {
    Route {
        name: name.into(),
        interest: Interest::default(),
        format: Format::default(),
        in_session_order: true,
        coalesces_updates: false,
        bell: Arc::new(Bell::default()),
    }
}
