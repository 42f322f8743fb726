//! Who and where, as the packets of a session said: what is told when it ends without one.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Meaning, nas};
use crate::event::station::{Mac, access_point};
use crate::event::{AccessPoint, Client, Data, Facts, Fingerprint, Nas, User};
use crate::exchange::Exchange;

/// A NAS at its address: an identifier set in the factory may be that of many.
pub type NasKey = [u8; 16];

/// A user, or a device.
pub type WhoKey = [u8; 16];

/// What is known of a session beside its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Acct-Session-Id.
    pub session_id: String,
    /// Acct-Multi-Session-Id.
    pub multi_id: Option<String>,
    /// User-Name of the first packet that had one: whose session it is.
    pub user: Option<String>,
    /// The device.
    pub mac: Option<Mac>,
    /// Calling-Station-Id, where it is no MAC.
    pub station: Option<String>,
    /// Framed-IP-Address.
    pub ip: Option<IpAddr>,
    /// Framed-IPv6-Address.
    pub ipv6: Vec<IpAddr>,
    /// Framed-IPv6-Prefix, Delegated-IPv6-Prefix.
    pub ipv6_prefix: Vec<IpNet>,
    /// The device's name.
    pub hostname: Option<String>,
    /// The NAS.
    pub nas: NasKey,
    /// NAS-IP-Address or NAS-IPv6-Address.
    pub nas_ip: Option<IpAddr>,
    /// NAS-Identifier.
    pub nas_identifier: Option<String>,
    /// NAS-Port.
    pub port: Option<u64>,
    /// NAS-Port-Id.
    pub port_id: Option<String>,
    /// NAS-Port-Type, by name.
    pub port_type: Option<String>,
    /// The access point.
    pub ap: Option<Mac>,
    /// Its network.
    pub ssid: Option<String>,
    /// The `[[source]]` of the last packet.
    pub source: String,
    /// Its type.
    pub kind: String,
    /// The `[[client]]`.
    pub client: String,
    /// Where the last packet came from.
    pub address: IpAddr,
    /// Acct-Unique-Session-Id of the first packet, where it was asked for.
    pub acct_unique: Option<[u8; 16]>,
}

impl Card {
    /// The card after a packet: what it says, and where it is silent, what was known.
    pub(super) fn after(known: Option<&Self>, meaning: &Meaning<'_>, exchange: &Exchange) -> Self {
        let facts = &meaning.facts;
        let own = |text: Option<&str>| text.map(str::to_owned);
        let mac = facts.calling_station_id.and_then(Mac::parse);
        let (ap, ssid) = facts.called_station_id.and_then(access_point).unzip();
        let or = |now: Option<String>, before: fn(&Self) -> &Option<String>| {
            now.or_else(|| known.and_then(|known| before(known).clone()))
        };
        Self {
            session_id: facts.session_id.unwrap_or_default().to_owned(),
            multi_id: or(own(facts.multi_session_id), |known| &known.multi_id),
            user: known.and_then(|known| known.user.clone()).or(own(facts.user_name)),
            mac: mac.or(known.and_then(|known| known.mac)),
            station: own(facts.calling_station_id).filter(|_| mac.is_none()),
            ip: facts.framed_ip.or(known.and_then(|known| known.ip)),
            ipv6: match known {
                Some(known) if facts.framed_ipv6.is_empty() => known.ipv6.clone(),
                _ => facts.framed_ipv6.clone(),
            },
            ipv6_prefix: match known {
                Some(known) if facts.ipv6_prefixes.is_empty() => known.ipv6_prefix.clone(),
                _ => facts.ipv6_prefixes.clone(),
            },
            hostname: or(facts.hostname.as_deref().map(str::to_owned), |known| &known.hostname),
            nas: known.map_or_else(|| nas_key(facts, exchange.origin.address), |known| known.nas),
            nas_ip: facts.nas_ip.or(known.and_then(|known| known.nas_ip)),
            nas_identifier: or(own(facts.nas_identifier), |known| &known.nas_identifier),
            port: facts.nas_port.or(known.and_then(|known| known.port)),
            port_id: or(own(facts.nas_port_id), |known| &known.port_id),
            port_type: or(facts.nas_port_type.clone(), |known| &known.port_type),
            ap: ap.or(known.and_then(|known| known.ap)),
            ssid: or(ssid.flatten().map(str::to_owned), |known| &known.ssid),
            source: exchange.origin.source.to_string(),
            kind: exchange.origin.kind.to_owned(),
            client: exchange.origin.client.to_string(),
            address: exchange.origin.address.to_canonical(),
            acct_unique: known.and_then(|known| known.acct_unique),
        }
    }

    /// Takes from late news what nothing newer has said.
    pub(super) fn fill(&mut self, late: Self) {
        self.multi_id = self.multi_id.take().or(late.multi_id);
        self.ip = self.ip.or(late.ip);
        if self.ipv6.is_empty() {
            self.ipv6 = late.ipv6;
        }
        if self.ipv6_prefix.is_empty() {
            self.ipv6_prefix = late.ipv6_prefix;
        }
        self.hostname = self.hostname.take().or(late.hostname);
        if self.ap.is_none() {
            (self.ap, self.ssid) = (late.ap, late.ssid);
        }
    }

    /// `data` of an event that no packet told.
    pub(super) fn data(&self) -> Data<'_> {
        Data {
            user: self.user.as_deref().map(User::named),
            client: Client {
                mac: self.mac.map(|mac| mac.to_string()),
                randomised: self.mac.is_some_and(Mac::is_local),
                ip: self.ip,
                ipv6: self.ipv6.clone(),
                ipv6_prefix: self.ipv6_prefix.clone(),
                hostname: self.hostname.as_deref().map(Cow::Borrowed),
                first_seen_at: None,
            },
            nas: Nas {
                ip: self.nas_ip,
                identifier: self.nas_identifier.as_deref(),
                port: self.port,
                port_id: self.port_id.as_deref(),
                port_type: self.port_type.as_deref(),
            },
            ap: self.access_point(),
            venue: None,
            company: None,
            facts: None,
            session: None,
            auth: None,
            attributes: None,
            reply_attributes: None,
        }
    }

    /// Adds to `data` what only earlier packets said of user and device.
    pub(super) fn complete<'a>(&'a self, data: &mut Data<'a>) {
        if data.user.is_none() {
            data.user = self.user.as_deref().map(User::named);
        }
        let client = &mut data.client;
        client.ip = client.ip.or(self.ip);
        if client.ipv6.is_empty() {
            client.ipv6.clone_from(&self.ipv6);
        }
        if client.ipv6_prefix.is_empty() {
            client.ipv6_prefix.clone_from(&self.ipv6_prefix);
        }
        if client.hostname.is_none() {
            client.hostname = self.hostname.as_deref().map(Cow::Borrowed);
        }
        if data.ap.is_none() {
            data.ap = self.access_point();
        }
    }

    fn access_point(&self) -> Option<AccessPoint<'_>> {
        self.ap.map(|mac| AccessPoint { mac: mac.to_string(), ssid: self.ssid.as_deref() })
    }

    /// The NAS in a word: its identifier, else its address.
    pub fn nas_name(&self) -> String {
        match &self.nas_identifier {
            Some(identifier) => identifier.clone(),
            None => self.nas_ip.unwrap_or(self.address).to_canonical().to_string(),
        }
    }

    /// Where visits are counted: the NAS and the network's name.
    pub fn place(&self) -> String {
        match &self.ssid {
            Some(ssid) => format!("{}/{ssid}", self.nas_name()),
            None => self.nas_name(),
        }
    }

    /// Whose session it is.
    pub fn user_key(&self) -> Option<WhoKey> {
        self.user.as_deref().map(user_key)
    }

    /// On which device.
    pub fn device_key(&self) -> Option<WhoKey> {
        match (self.mac, &self.station) {
            (Some(mac), _) => Some(device_key(&mac.to_string())),
            (None, station) => station.as_deref().map(device_key),
        }
    }
}

/// A user, by User-Name as it came.
pub fn user_key(name: &str) -> WhoKey {
    Fingerprint::new("user").text(Some(name)).finish()
}

/// A device, by its MAC in capitals with hyphens, or by Calling-Station-Id.
pub fn device_key(name: &str) -> WhoKey {
    Fingerprint::new("device").text(Some(name)).finish()
}

/// The NAS of a request.
pub fn nas_key(facts: &Facts<'_>, address: IpAddr) -> NasKey {
    let at = facts.nas_ip.unwrap_or(address).to_canonical().to_string();
    nas(Fingerprint::new("nas"), facts, address).text(Some(&at)).finish()
}
