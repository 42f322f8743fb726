//! The event model: what happened, in the words of the `native` format.
//!
//! An [`Event`] serialises to exactly the `native` JSON: Standard Webhooks' `type`, `timestamp` and `data`, with `id` and
//! `source` beside them. Absent facts are absent keys. That JSON is what the store keeps and what every other format is
//! rendered from.

pub mod auth;
pub mod catalogue;
pub mod facts;
pub mod id;
pub mod station;

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};

pub use auth::Auth;
pub use catalogue::EventType;
pub use facts::{Counters, Facts};
pub use id::{EventId, Fingerprint, Told};

use crate::radius::Attributes;

/// One event; `data` is [`Data`] where it was made from RADIUS.
#[derive(Debug, Clone, Serialize)]
pub struct Event<'a, D = Data<'a>> {
    /// The same for the same fact, by every path.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When it happened.
    #[serde(serialize_with = "milliseconds")]
    pub timestamp: Timestamp,
    /// How radhook learned of it.
    pub source: Source<'a>,
    /// What happened.
    pub data: D,
}

/// `source`: how radhook learned of an event.
#[derive(Debug, Clone, Serialize)]
pub struct Source<'a> {
    /// The `[[source]]`.
    pub name: &'a str,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The `[[client]]`, where a packet told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<&'a str>,
    /// The address the packet came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// When it arrived.
    #[serde(serialize_with = "milliseconds")]
    pub received_at: Timestamp,
    /// The radhook that received it.
    pub node: Arc<str>,
}

/// `data` of events made from RADIUS.
#[derive(Debug, Clone, Serialize)]
pub struct Data<'a> {
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    /// The device.
    #[serde(skip_serializing_if = "Client::is_unknown")]
    pub client: Client,
    /// The NAS that reported it.
    #[serde(skip_serializing_if = "Nas::is_unknown")]
    pub nas: Nas<'a>,
    /// The access point the device is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap: Option<AccessPoint<'a>>,
    /// The session it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session<'a>>,
    /// The login, of `auth.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth<'a>>,
    /// Everything the request said, by dictionary name, secrets left out.
    pub attributes: &'a Attributes,
    /// The same of its reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_attributes: Option<&'a Attributes>,
}

impl<'a> Data<'a> {
    /// Who and where, as the facts have it; without a session.
    pub fn new(facts: &'a Facts<'a>, attributes: &'a Attributes) -> Self {
        Self {
            user: facts.user_name.map(User::named),
            client: Client {
                mac: facts.calling_station_id.and_then(station::Mac::parse).map(|mac| mac.to_string()),
                ip: facts.framed_ip,
                ipv6: facts.framed_ipv6.clone(),
                ipv6_prefix: facts.ipv6_prefixes.clone(),
            },
            nas: Nas {
                ip: facts.nas_ip,
                identifier: facts.nas_identifier,
                port: facts.nas_port,
                port_id: facts.nas_port_id,
                port_type: facts.nas_port_type.as_deref(),
            },
            ap: facts
                .called_station_id
                .and_then(station::access_point)
                .map(|(mac, ssid)| AccessPoint { mac: mac.to_string(), ssid }),
            session: None,
            auth: None,
            attributes,
            reply_attributes: None,
        }
    }
}

/// `data.user`.
#[derive(Debug, Clone, Serialize)]
pub struct User<'a> {
    /// User-Name as it came.
    pub name: &'a str,
    /// Behind the last `@`, or before the first `\`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<&'a str>,
}

impl<'a> User<'a> {
    fn named(name: &'a str) -> Self {
        let suffix = name.rsplit_once('@').map(|(_, realm)| realm);
        let realm = suffix.or_else(|| name.split_once('\\').map(|(realm, _)| realm)).filter(|realm| !realm.is_empty());
        Self { name, realm }
    }
}

/// `data.client`: the user's device.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Client {
    /// From Calling-Station-Id, where that is a MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Framed-IP-Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Framed-IPv6-Address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ipv6: Vec<IpAddr>,
    /// Framed-IPv6-Prefix and Delegated-IPv6-Prefix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ipv6_prefix: Vec<IpNet>,
}

impl Client {
    fn is_unknown(&self) -> bool {
        self.mac.is_none() && self.ip.is_none() && self.ipv6.is_empty() && self.ipv6_prefix.is_empty()
    }
}

/// `data.nas`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Nas<'a> {
    /// NAS-IP-Address or NAS-IPv6-Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// NAS-Identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<&'a str>,
    /// NAS-Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u64>,
    /// NAS-Port-Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_id: Option<&'a str>,
    /// NAS-Port-Type by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_type: Option<&'a str>,
}

impl Nas<'_> {
    fn is_unknown(&self) -> bool {
        self.ip.is_none()
            && self.identifier.is_none()
            && self.port.is_none()
            && self.port_id.is_none()
            && self.port_type.is_none()
    }
}

/// `data.ap`, from Called-Station-Id.
#[derive(Debug, Clone, Serialize)]
pub struct AccessPoint<'a> {
    /// The radio's MAC.
    pub mac: String,
    /// The network's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssid: Option<&'a str>,
}

/// `data.session`.
#[derive(Debug, Clone, Serialize)]
pub struct Session<'a> {
    /// Acct-Session-Id.
    pub id: &'a str,
    /// Told apart from every other session of every NAS, also where session ids are used again.
    pub unique_id: String,
    /// Acct-Multi-Session-Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_id: Option<&'a str>,
    /// From the start, or computed back from Acct-Session-Time where no start was seen.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_milliseconds")]
    pub started_at: Option<Timestamp>,
    /// From the stop.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_milliseconds")]
    pub stopped_at: Option<Timestamp>,
    /// Acct-Session-Time, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Octets from the user (upload).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_octets: Option<u64>,
    /// Octets to the user (download).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_octets: Option<u64>,
    /// Packets from the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_packets: Option<u64>,
    /// Packets to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_packets: Option<u64>,
    /// Acct-Terminate-Cause by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminate_cause: Option<&'a str>,
    /// The `auth.accept` that let it begin, where it was seen and can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_id: Option<EventId>,
    /// What was added since the session's last packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<Delta>,
}

/// `data.session.delta`: what was added since the session's last packet. Never negative; absent where unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Delta {
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Octets from the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_octets: Option<u64>,
    /// Octets to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_octets: Option<u64>,
}

/// RFC 3339 in UTC with milliseconds, as every time in an event is written.
static TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Writes a time as RFC 3339 in UTC with milliseconds.
pub fn rfc3339(time: Timestamp) -> String {
    TIME.timestamp_to_string(&time)
}

fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}

fn optional_milliseconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => milliseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_milliseconds_and_utc() {
        let time: Timestamp = "2026-11-22T10:15:30.1239Z".parse().unwrap();
        assert_eq!(rfc3339(time), "2026-11-22T10:15:30.123Z");
        assert_eq!(rfc3339("2026-11-22T10:15:30Z".parse().unwrap()), "2026-11-22T10:15:30.000Z");
    }

    #[test]
    fn a_realm_stands_behind_the_at_sign_or_before_the_backslash() {
        assert_eq!(User::named("alice@example.org").realm, Some("example.org"));
        assert_eq!(User::named("CORP\\alice").realm, Some("CORP"));
        assert_eq!(User::named("alice").realm, None);
        assert_eq!(User::named("alice@").realm, None);
    }
}
