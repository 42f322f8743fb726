//! `data.auth`: how a login went, from the request, its reply, and what was seen between them.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use crate::radius::{Attributes, Value, numbers};

/// `data.auth` of `auth.*`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Auth<'a> {
    /// How the user proved who they are: `PAP`, `CHAP`, `MS-CHAPv2`, `PEAP`, `EAP-TLS`, …, or `MAC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Cow<'static, str>>,
    /// Every Reply-Message (RFC 2865 §5.18).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reply_message: Vec<&'a str>,
    /// Session-Timeout, in seconds (RFC 2865 §5.27).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_timeout: Option<u64>,
    /// Tunnel-Private-Group-Id: the VLAN's number or name (RFC 3580 §3.31).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<&'a str>,
    /// From the request to its reply, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "milliseconds")]
    pub latency_ms: Option<Duration>,
    /// How many challenges came before this reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
}

impl<'a> Auth<'a> {
    /// What a reply's attributes say.
    pub fn of_reply(reply: &'a Attributes) -> Self {
        let mut auth = Self::default();
        for attribute in reply.iter() {
            let value = &attribute.value;
            match attribute.id {
                numbers::REPLY_MESSAGE => auth.reply_message.extend(value.text()),
                numbers::SESSION_TIMEOUT => auth.session_timeout = auth.session_timeout.or(value.number()),
                numbers::TUNNEL_PRIVATE_GROUP_ID => auth.vlan = auth.vlan.or(value.text()),
                _ => {}
            }
        }
        auth
    }
}

/// The octets of every Class (RFC 2865 §5.25), which the NAS repeats in accounting; None where there is none.
pub fn class(attributes: &Attributes) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.id == numbers::CLASS) {
        match &attribute.value {
            Value::Octets(octets) => all.extend_from_slice(octets),
            Value::Text(text) => all.extend_from_slice(text.as_bytes()),
            _ => {}
        }
    }
    (!all.is_empty()).then_some(all)
}

fn milliseconds<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let milliseconds = duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    milliseconds.serialize(serializer)
}
