//! Replies: Access-Accept, -Reject and -Challenge (RFC 2865), CoA and Disconnect (RFC 5176), and the Access-Request that
//! nobody answered.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Meaning, Meaningless, device, nas};
use crate::event::station::Mac;
use crate::event::{Auth, Data, EventType, Facts, Fingerprint};
use crate::exchange::{Exchange, Reply};
use crate::radius::authenticator::Authenticator;
use crate::radius::{Code, Method};

/// Reads what a request and its reply mean together.
pub(super) fn read(exchange: &Exchange) -> Result<Meaning<'_>, Meaningless> {
    let reply = exchange.reply.as_ref();
    let kind = kind(exchange.code, reply.map(|reply| reply.code)).ok_or(Meaningless::Reply)?;
    let request = Facts::read(&exchange.request, exchange.swap_octets);
    Ok(Meaning {
        kind,
        status: None,
        session: None,
        happened_at: happened_at(exchange, &request),
        // A packet's own authenticator says more than its time does.
        is_dated: exchange.login.authenticator.is_none()
            && request.believable_event_timestamp(exchange.received_at).is_some(),
        undated: None,
        fingerprint: fingerprint(kind, exchange, &request),
        facts: match (kind, reply) {
            (EventType::AuthAccept, Some(reply)) => granted(request, reply),
            _ => request,
        },
    })
}

fn kind(request: Code, reply: Option<Code>) -> Option<EventType> {
    Some(match (request, reply) {
        (Code::ACCESS_REQUEST, Some(Code::ACCESS_ACCEPT)) => EventType::AuthAccept,
        (Code::ACCESS_REQUEST, Some(Code::ACCESS_REJECT)) => EventType::AuthReject,
        (Code::ACCESS_REQUEST, Some(Code::ACCESS_CHALLENGE)) => EventType::AuthChallenge,
        (Code::ACCESS_REQUEST, None) => EventType::AuthTimeout,
        (Code::COA_REQUEST, Some(Code::COA_ACK)) => EventType::CoaAck,
        (Code::COA_REQUEST, Some(Code::COA_NAK)) => EventType::CoaNak,
        (Code::DISCONNECT_REQUEST, Some(Code::DISCONNECT_ACK)) => EventType::DisconnectAck,
        (Code::DISCONNECT_REQUEST, Some(Code::DISCONNECT_NAK)) => EventType::DisconnectNak,
        _ => return None,
    })
}

/// What an accept assigns takes the place of what was asked for: RFC 2865 §5.1 has the NAS use its User-Name from then
/// on, where the one of the request may be an outer identity that names nobody.
fn granted<'a>(request: Facts<'a>, reply: &'a Reply) -> Facts<'a> {
    fn or<T>(granted: Vec<T>, asked: Vec<T>) -> Vec<T> {
        if granted.is_empty() { asked } else { granted }
    }
    let granted = Facts::read(&reply.attributes, false);
    Facts {
        user_name: granted.user_name.filter(|name| !name.is_empty()).or(request.user_name),
        framed_ip: granted.framed_ip.or(request.framed_ip),
        framed_ipv6: or(granted.framed_ipv6, request.framed_ipv6),
        ipv6_prefixes: or(granted.ipv6_prefixes, request.ipv6_prefixes),
        ..request
    }
}

/// When the reply came, where both sides were seen; else what a copy says, else when it arrived.
fn happened_at(exchange: &Exchange, facts: &Facts<'_>) -> Timestamp {
    match exchange.reply.as_ref().and_then(|reply| reply.latency) {
        Some(latency) => exchange.received_at.checked_add(latency).unwrap_or(exchange.received_at),
        None => facts.happened_at(exchange.received_at),
    }
}

/// The Request Authenticator tells one login from every other, by whichever path it is seen: FreeRADIUS may rewrite the
/// user's name before it copies. A NAS without random numbers is told by what it sends in their place; its users have only
/// their names. Where a copy lost the authenticator, only its time is left; and a login without either is a fact of its own,
/// since losing one would be worse than telling it twice.
fn fingerprint(kind: EventType, exchange: &Exchange, facts: &Facts<'_>) -> Fingerprint {
    let print = Fingerprint::new(kind.name());
    let print = match exchange.login.authenticator {
        Some(authenticator) if is_random(&authenticator) => print.bytes(Some(&authenticator)),
        Some(authenticator) => print.bytes(Some(&authenticator)).text(facts.user_name),
        None => {
            let of_nas = nas(print, facts, exchange.origin.address).text(facts.nas_port_id).number(facts.nas_port);
            let of_user = of_nas.text(facts.user_name);
            match facts.believable_event_timestamp(exchange.received_at) {
                Some(time) => of_user.number(Some(time.as_second().cast_unsigned())),
                None => of_user.number(Some(exchange.received_at.as_nanosecond() as u64)),
            }
        }
    };
    print.text(device(facts).as_deref()).text(facts.session_id)
}

/// Whether these may be random: of 2^128 only 256 are one octet over and over.
fn is_random(authenticator: &Authenticator) -> bool {
    authenticator.iter().any(|octet| *octet != authenticator[0])
}

/// Puts the reply, and the login if it is one, into the event's data.
pub(super) fn tell<'a>(data: &mut Data<'a>, exchange: &'a Exchange) {
    let reply = exchange.reply.as_ref();
    data.reply_attributes = reply.map(|reply| &reply.attributes).filter(|attributes| !attributes.is_empty());
    if exchange.code != Code::ACCESS_REQUEST {
        return;
    }
    let said = reply.map(|reply| Auth::of_reply(&reply.attributes)).unwrap_or_default();
    let auth = Auth {
        method: method(exchange),
        latency_ms: reply.and_then(|reply| reply.latency),
        rounds: exchange.login.rounds,
        ..said
    };
    data.auth = Some(auth).filter(|auth| *auth != Auth::default());
}

/// The method's name. A device that is its own user has no proof but its address, whatever stands in for a password.
fn method(exchange: &Exchange) -> Option<Cow<'static, str>> {
    /// EAP-MD5, which some switches use to send the address as user and password.
    const EAP_MD5: u8 = 4;
    let facts = Facts::read(&exchange.request, false);
    let user = facts.user_name.and_then(Mac::parse);
    let is_its_own_user = user.is_some() && user == facts.calling_station_id.and_then(Mac::parse);
    match exchange.login.method {
        None | Some(Method::Pap | Method::Chap | Method::Eap(Some(EAP_MD5))) if is_its_own_user => Some("MAC".into()),
        method => method.map(Method::name),
    }
}

#[cfg(test)]
mod tests;
