//! `data.session`: what is told of a session.

use jiff::Timestamp;
use serde::Serialize;

use super::{EventId, optional_milliseconds};

/// `data.session`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Session<'a> {
    /// Acct-Session-Id.
    pub id: &'a str,
    /// Told apart from every other session of every NAS, also where session ids are used again.
    pub unique_id: String,
    /// What FreeRADIUS 3 calls Acct-Unique-Session-Id, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acct_unique_id: Option<String>,
    /// Acct-Multi-Session-Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_id: Option<&'a str>,
    /// From the start, or computed back from Acct-Session-Time where no start was seen.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_milliseconds")]
    pub started_at: Option<Timestamp>,
    /// No start was seen: this event was concluded from a later packet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inferred: bool,
    /// From the stop; of a lost session, when it is taken to have ended.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_milliseconds")]
    pub stopped_at: Option<Timestamp>,
    /// Of a lost session: when its last packet happened.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_milliseconds")]
    pub last_seen_at: Option<Timestamp>,
    /// Seconds: Acct-Session-Time, never less than was told before.
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
    /// What was noticed about the counters of this packet: `wrapped`, `reset`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub noticed: Vec<&'static str>,
    /// Acct-Terminate-Cause by name; where it is missing, the vendor's word; of a lost session, radhook's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminate_cause: Option<&'a str>,
    /// The vendor's own word on why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_cause: Option<&'a str>,
    /// The limit that was used up: `time` or `volume`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<&'static str>,
    /// An administrator ended it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    /// `first` or `reconnect`: whether a session of this user (of this device, where there is no user) was seen before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<&'static str>,
    /// The how-manieth visit of this user to this place it is: counted by NAS and network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visit: Option<u32>,
    /// The session that this one goes on from, where it began soon after that or under the same Acct-Multi-Session-Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
    /// The `auth.accept` that let it begin, where it was seen and can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_id: Option<EventId>,
    /// What was added since the session's last packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<Delta>,
    /// How fast, on average since the session's last packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
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

/// `data.session.rate`: bits a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// From the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_bps: Option<u64>,
    /// To the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bps: Option<u64>,
}

/// `data.session.previous`: the session before, of the same device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Previous {
    /// Its `unique_id`.
    pub unique_id: String,
    /// When it ended; absent where it is still open.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_milliseconds")]
    pub stopped_at: Option<Timestamp>,
    /// The NAS it was on, where that was another: its identifier or address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nas: Option<String>,
    /// The access point it was on, where that was another: its MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap: Option<String>,
}
