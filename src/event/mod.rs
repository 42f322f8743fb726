//! The event model: what happened, in the words of the `native` format.
//!
//! An [`Event`] serialises to exactly the `native` JSON: Standard Webhooks' `type`, `timestamp` and `data`, with `id` and
//! `source` beside them. Absent facts are absent keys. That JSON is what the store keeps and what every other format is
//! rendered from.

pub mod added;
pub mod auth;
pub mod catalogue;
pub mod facts;
pub mod id;
pub mod sample;
pub mod secrets;
pub mod session;
pub mod station;
pub mod vendor;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

pub use added::{Added, Subject, Tells};
pub use auth::Auth;
pub use catalogue::EventType;
pub use facts::{Counters, Facts};
pub use id::{EventId, Fingerprint, Told};
pub use session::{Delta, Previous, Rate, Session};
pub use vendor::Limits;

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
    pub kind: &'a str,
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
#[derive(Debug, Clone, Default, Serialize)]
pub struct Data<'a> {
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    /// The device.
    #[serde(skip_serializing_if = "Client::is_unknown")]
    pub client: Client<'a>,
    /// The NAS that reported it.
    #[serde(skip_serializing_if = "Nas::is_unknown")]
    pub nas: Nas<'a>,
    /// The access point the device is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap: Option<AccessPoint<'a>>,
    /// Where that is, by the config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub venue: Option<Arc<Value>>,
    /// Whose network it is, by the config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<Arc<Value>>,
    /// What the config wants to be told with every event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Arc<Value>>,
    /// The session it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session<'a>>,
    /// The login, of `auth.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth<'a>>,
    /// Everything the request said, by dictionary name, secrets left out; absent where no packet told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<&'a Attributes>,
    /// The same of its reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_attributes: Option<&'a Attributes>,
}

impl<'a> Data<'a> {
    /// Who and where, as the facts have it; without a session.
    pub fn new(facts: &'a Facts<'a>, attributes: &'a Attributes) -> Self {
        let mac = facts.calling_station_id.and_then(station::Mac::parse);
        Self {
            user: facts.user_name.map(User::named),
            client: Client {
                randomised: mac.is_some_and(station::Mac::is_local),
                mac: mac.map(|mac| mac.to_string()),
                ip: facts.framed_ip,
                ipv6: facts.framed_ipv6.clone(),
                ipv6_prefix: facts.ipv6_prefixes.clone(),
                hostname: facts.hostname.as_deref().map(Cow::Borrowed),
                first_seen_at: None,
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
            venue: None,
            company: None,
            facts: None,
            session: None,
            auth: None,
            attributes: Some(attributes),
            reply_attributes: None,
        }
    }
}

/// `data.user`.
#[derive(Debug, Clone, Serialize)]
pub struct User<'a> {
    /// User-Name as it came; empty where only the device told who it is.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: &'a str,
    /// Behind the last `@`, or before the first `\`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<&'a str>,
    /// When a session of this user was first seen.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_milliseconds")]
    pub first_seen_at: Option<Timestamp>,
    /// Sessions of this user that are open, after this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u32>,
    /// Logins of this user by the id of the venue, this one included.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub visits: BTreeMap<String, u32>,
    /// What a file or a database knows of them.
    #[serde(flatten)]
    pub known: Map<String, Value>,
}

impl<'a> User<'a> {
    /// A user of this name, with its realm.
    pub fn named(name: &'a str) -> Self {
        let suffix = name.rsplit_once('@').map(|(_, realm)| realm);
        let realm = suffix.or_else(|| name.split_once('\\').map(|(realm, _)| realm)).filter(|realm| !realm.is_empty());
        Self { name, realm, first_seen_at: None, sessions: None, visits: BTreeMap::new(), known: Map::new() }
    }
}

/// `data.client`: the user's device.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Client<'a> {
    /// From Calling-Station-Id, where that is a MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The MAC is one that the device made up, or somebody gave it: locally administered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub randomised: bool,
    /// Framed-IP-Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Framed-IPv6-Address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ipv6: Vec<IpAddr>,
    /// Framed-IPv6-Prefix and Delegated-IPv6-Prefix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ipv6_prefix: Vec<IpNet>,
    /// Its name, where a vendor sends what DHCP told the NAS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Cow<'a, str>>,
    /// When a session of this device was first seen.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_milliseconds")]
    pub first_seen_at: Option<Timestamp>,
}

impl Client<'_> {
    fn is_unknown(&self) -> bool {
        self.mac.is_none()
            && self.ip.is_none()
            && self.ipv6.is_empty()
            && self.ipv6_prefix.is_empty()
            && self.hostname.is_none()
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

/// RFC 3339 in UTC with milliseconds, as every time in an event is written.
static TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Writes a time as RFC 3339 in UTC with milliseconds.
pub fn rfc3339(time: Timestamp) -> String {
    TIME.timestamp_to_string(&time)
}

fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}

pub(crate) fn optional_milliseconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
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
