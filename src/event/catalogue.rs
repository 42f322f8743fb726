//! The catalogue of event types. Every type radhook can ever send stands here, so that a subscription can be checked
//! when the config is read; `docs/events.md` says which of them this version makes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! catalogue {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// One type of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventType { $(#[doc = $doc] $variant,)* }

        impl EventType {
            /// Every type, in catalogue order.
            pub const ALL: &'static [EventType] = &[$(EventType::$variant,)*];

            /// Its name as receivers see it.
            pub const fn name(self) -> &'static str {
                match self { $(EventType::$variant => $name,)* }
            }
        }
    };
}

catalogue! {
    AuthAccept "auth.accept" "An Access-Accept.",
    AuthReject "auth.reject" "An Access-Reject.",
    AuthChallenge "auth.challenge" "An Access-Challenge.",
    AuthTimeout "auth.timeout" "No reply to an Access-Request was seen.",
    SessionStart "session.start" "Accounting Start.",
    SessionUpdate "session.update" "Accounting Interim-Update.",
    SessionStop "session.stop" "Accounting Stop.",
    SessionResumed "session.resumed" "The same device started again soon after a stop.",
    SessionLost "session.lost" "No interim or stop for too long, or the NAS rebooted.",
    SessionRevoked "session.revoked" "Ended by an administrator.",
    SessionLimitExceeded "session.limit_exceeded" "Ended because a time or volume limit was used up.",
    NasOn "nas.on" "Accounting-On.",
    NasOff "nas.off" "Accounting-Off.",
    CoaAck "coa.ack" "A CoA-ACK (RFC 5176).",
    CoaNak "coa.nak" "A CoA-NAK (RFC 5176).",
    DisconnectAck "disconnect.ack" "A Disconnect-ACK (RFC 5176).",
    DisconnectNak "disconnect.nak" "A Disconnect-NAK (RFC 5176).",
    UserCreated "user.created" "A user was created beside RADIUS.",
    UserUpdated "user.updated" "A user was changed beside RADIUS.",
    UserDeleted "user.deleted" "A user was removed beside RADIUS.",
    VoucherRedeemed "voucher.redeemed" "The first accept of a voucher.",
    VoucherExpired "voucher.expired" "A voucher's end.",
    DhcpGranted "dhcp.granted" "A lease began.",
    DhcpExpired "dhcp.expired" "A lease ended.",
    ConfigAudit "config.audit" "A setting changed.",
    SystemStart "system.start" "radhook started.",
    SystemStop "system.stop" "radhook stopped.",
    SystemUserlimitExceeded "system.userlimit_exceeded" "More users than `limits.max_users`.",
    SystemBacklogHigh "system.backlog_high" "Deliveries pile up.",
    SystemBacklogOk "system.backlog_ok" "The pile is gone.",
    SystemBackupStarted "system.backup.started" "A backup began.",
    SystemBackupDone "system.backup.done" "A backup is complete.",
    SystemBackupError "system.backup.error" "A backup failed.",
    EndpointDisabled "endpoint.disabled" "An endpoint was disabled.",
    EndpointEnabled "endpoint.enabled" "An endpoint was enabled.",
    EndpointRecovered "endpoint.recovered" "An endpoint takes deliveries again.",
    DeliveryExhausted "delivery.exhausted" "An event was dead-lettered.",
    Test "test" "A test delivery.",
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No type of the catalogue has this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no event type {0:?}")]
pub struct UnknownEventType(pub String);

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| UnknownEventType(name.to_owned()))
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
