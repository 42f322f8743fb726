//! What is made of the packets that pass by: a plain function of octets, times and clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::exchange::{Exchange, Login, Origin, Reply};
use crate::radius::{Attributes, Code, Dictionary, Packet, decode, numbers};
use crate::source::accounting::is_health_check;
use crate::source::client::{Client, Clients};
use crate::source::copied::of_accounting;
use crate::source::pairing::{Pair, Pairing, Passed, Passing};
use crate::source::trust::{Belief, Disbelief, Trust, judge_signed};
use crate::trace::pairs::Role;

/// A datagram that passed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When.
    pub at: Timestamp,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// What it carries.
    pub octets: Box<[u8]>,
}

/// What came of a datagram: the `result` of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A request that waits for its reply.
    Waits,
    /// A reply that found its request.
    Answered,
    /// An Accounting-Request.
    Accounting,
    /// One that was seen before.
    Retransmission,
    /// Nothing that makes an event: Accounting-Response, Status-Server, a health check.
    Passed,
    /// It makes no event, and this is why.
    Dropped(&'static str),
}

impl Outcome {
    /// Its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Waits => "request",
            Self::Answered => "answer",
            Self::Accounting => "accounting",
            Self::Retransmission => "retransmission",
            Self::Passed => "passed",
            Self::Dropped(reason) => reason,
        }
    }
}

/// What a [`Watch`] has to tell of one datagram.
#[derive(Debug)]
pub struct Seen {
    /// What came of it.
    pub outcome: Outcome,
    /// The `[[client]]` it belongs to, if there is one.
    pub client: Option<Arc<Client>>,
    /// The client sends Access-Requests that nothing proves: to be said once, now.
    pub unproven: bool,
}

/// Turns what passes by into exchanges.
#[derive(Debug)]
pub struct Watch {
    source: Arc<str>,
    kind: &'static str,
    clients: Arc<Clients>,
    dictionary: Arc<Dictionary>,
    pairing: Pairing,
    trust: Trust,
}

impl Watch {
    /// For a source of this name and type, which waits so long for replies.
    pub fn new(
        source: Arc<str>,
        kind: &'static str,
        clients: Arc<Clients>,
        dictionary: Arc<Dictionary>,
        patience: Duration,
    ) -> Self {
        Self { source, kind, clients, dictionary, pairing: Pairing::new(patience), trust: Trust::default() }
    }

    /// Takes a datagram; puts what it completes behind `exchanges`.
    pub fn see(&mut self, sighting: &Sighting, exchanges: &mut Vec<Exchange>) -> Seen {
        let Sighting { at, from, to, octets } = sighting;
        let packet = match Packet::parse(octets) {
            Ok(packet) => packet,
            Err(_) => return Seen { outcome: Outcome::Dropped("malformed"), client: None, unproven: false },
        };
        let (asks, asked) = match Role::of(packet.code()) {
            Role::Request => (*from, *to),
            Role::Reply => (*to, *from),
            Role::Unknown => {
                return Seen { outcome: Outcome::Dropped("unexpected_code"), client: None, unproven: false };
            }
        };
        let client = self.client(packet.code(), asks, asked).cloned();
        let passing = Passing { at: *at, client: asks, server: asked, packet: &packet };
        let mut unproven = false;
        let outcome = match packet.code() {
            Code::ACCOUNTING_REQUEST => self.accounting(passing, client.as_deref(), exchanges),
            Code::ACCOUNTING_RESPONSE => Outcome::Passed,
            _ if asks == *from => match self.disbelief(&packet, client.as_deref(), asks, &mut unproven) {
                Some(reason) => Outcome::Dropped(reason),
                None => match self.pairing.request(passing) {
                    Passed::Waits(unanswered) => {
                        exchanges.extend(unanswered.and_then(|pair| self.exchange(pair)));
                        Outcome::Waits
                    }
                    _ => Outcome::Retransmission,
                },
            },
            _ => match self.pairing.reply(passing, client.as_deref().map(|client| client.secret.expose())) {
                Passed::Answered(pair) => {
                    let exchange = self.exchange(pair);
                    let outcome = if exchange.is_some() { Outcome::Answered } else { Outcome::Passed };
                    exchanges.extend(exchange);
                    outcome
                }
                Passed::Again => Outcome::Retransmission,
                Passed::Forged => Outcome::Dropped("forged_reply"),
                Passed::Waits(_) | Passed::Alone => Outcome::Dropped("reply_without_request"),
            },
        };
        Seen { outcome, client, unproven }
    }

    /// Tells of the requests that nobody has answered in time.
    pub fn expire(&mut self, now: Timestamp, exchanges: &mut Vec<Exchange>) {
        for pair in self.pairing.expire(now) {
            exchanges.extend(self.exchange(pair));
        }
    }

    /// Requests that were let go before their time, since the last call.
    pub fn take_forgotten(&mut self) -> u64 {
        self.pairing.take_forgotten()
    }

    /// Lets go of the requests that still wait, since their replies will not be seen; says how many there were.
    pub fn let_go(&mut self) -> usize {
        self.pairing.let_go()
    }

    /// The `[[client]]` whose secret both sides share: the NAS. It asks, but for the requests of RFC 5176, which it is
    /// asked.
    fn client(&self, code: Code, asks: SocketAddr, asked: SocketAddr) -> Option<&Arc<Client>> {
        match code.is_dynamic_authorization() {
            true => self.clients.lookup(asked.ip()).or_else(|| self.clients.lookup(asks.ip())),
            false => self.clients.lookup(asks.ip()),
        }
    }

    /// Why a request is not to be believed, if it is not.
    fn disbelief(
        &mut self,
        packet: &Packet,
        client: Option<&Client>,
        asks: SocketAddr,
        unproven: &mut bool,
    ) -> Option<&'static str> {
        let client = client?;
        match packet.code() {
            Code::ACCESS_REQUEST => match self.trust.judge(packet, client, asks.ip().to_canonical()) {
                Ok(Belief::Believed) => None,
                Ok(Belief::Unproven) => {
                    *unproven = true;
                    None
                }
                Err(why) => Some(why.label()),
            },
            code if code.is_dynamic_authorization() => judge_signed(packet, client).err().map(Disbelief::label),
            _ => None,
        }
    }

    fn accounting(&self, passing: Passing<'_>, client: Option<&Client>, exchanges: &mut Vec<Exchange>) -> Outcome {
        if let Some(why) = client.and_then(|client| judge_signed(passing.packet, client).err()) {
            return Outcome::Dropped(why.label());
        }
        if is_health_check(passing.packet) {
            return Outcome::Passed;
        }
        let origin = self.origin(client, passing.client);
        let swap_octets = client.is_some_and(|client| client.swap_octets);
        let request = self.decode(passing.packet);
        exchanges.push(of_accounting(origin, passing.at, request, swap_octets));
        Outcome::Accounting
    }

    /// A pair as an exchange; none for what makes no event with or without an answer.
    fn exchange(&self, pair: Pair) -> Option<Exchange> {
        let packet = Packet::parse(&pair.request).ok()?;
        let code = packet.code();
        if !code.is_dynamic_authorization() && code != Code::ACCESS_REQUEST {
            return None;
        }
        let nas = if code.is_dynamic_authorization() { pair.server } else { pair.client };
        let client = self.client(code, pair.client, pair.server);
        let reply = match &pair.reply {
            None => None,
            Some((octets, latency)) => {
                let packet = Packet::parse(octets).ok()?;
                Some(Reply { code: packet.code(), attributes: self.decode(&packet), latency: Some(*latency) })
            }
        };
        Some(Exchange {
            origin: self.origin(client.map(|client| &**client), nas),
            received_at: pair.at,
            code,
            request: self.decode(&packet),
            reply,
            login: Login { authenticator: Some(*packet.authenticator()), method: pair.method, rounds: pair.rounds },
            swap_octets: false,
        })
    }

    /// The attributes, without those that belong to the proxies on the way (RFC 2865 §5.33).
    fn decode(&self, packet: &Packet) -> Attributes {
        let mut attributes = decode(packet, &self.dictionary);
        attributes.remove(numbers::PROXY_STATE);
        attributes
    }

    fn origin(&self, client: Option<&Client>, address: SocketAddr) -> Origin {
        let address = address.ip().to_canonical();
        Origin {
            source: Arc::clone(&self.source),
            kind: self.kind,
            client: client.map_or_else(|| address.to_string().into(), |client| Arc::clone(&client.name)),
            address,
        }
    }
}

#[cfg(test)]
mod tests;
