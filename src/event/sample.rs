//! A sample of every type: complete and plausible, as a receiver would get it. Test deliveries send them, the schemas show
//! them, and tests hold them against the schemas. Names and addresses are those that documents use (RFC 2606, RFC 5737,
//! RFC 3849, RFC 7042 §2.1.2).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{EventId, EventType, rfc3339};

/// `source.type` of a test delivery: by it, and by an id that nothing else has, a receiver tells it from what happened.
pub const TEST: &str = "test";

/// What a sample is made of, beside its type.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// When it happens. Everything else in it lies before.
    pub now: Timestamp,
    /// The radhook that tells it.
    pub node: &'a str,
    /// The endpoint that it is about, where it is about one.
    pub endpoint: &'a str,
}

impl Sample<'_> {
    /// What a test delivery sends: a sample under an id of its own.
    pub fn test_delivery(&self, kind: EventType) -> (EventId, Vec<u8>) {
        self.marked(self.of(kind))
    }

    /// Makes an event, given in the format `native`, one that a test delivery may send.
    pub fn marked(&self, mut event: Value) -> (EventId, Vec<u8>) {
        let id = EventId::random();
        let timestamp = event["timestamp"].take();
        let timestamp = if timestamp.is_string() { timestamp } else { self.ago(0).into() };
        let event = json!({
            "id": id.to_string(),
            "type": event["type"].take(),
            "timestamp": timestamp,
            "source": self.source("radhook", TEST),
            "data": event["data"].take(),
        });
        (id, event.to_string().into_bytes())
    }

    /// An event of this type, in the format `native`. The same each time.
    pub fn of(&self, kind: EventType) -> Value {
        let print = super::Fingerprint::new("sample").text(Some(kind.name()));
        json!({
            "id": print.id().to_string(),
            "type": kind.name(),
            "timestamp": self.ago(0),
            "source": self.source_of(kind),
            "data": self.data(kind),
        })
    }

    fn ago(&self, seconds: i64) -> String {
        rfc3339(self.now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(self.now))
    }

    fn source(&self, name: &str, kind: &str) -> Value {
        json!({ "name": name, "type": kind, "received_at": self.ago(0), "node": self.node })
    }

    fn source_of(&self, kind: EventType) -> Value {
        let mut source = match kind.name().split('.').next() {
            Some("auth" | "coa" | "disconnect") => self.source("relay", "relay"),
            Some("session" | "nas") => self.source("accounting", "accounting"),
            Some("user" | "voucher" | "dhcp") => self.source("local", "local"),
            Some("test") => return self.source("radhook", TEST),
            _ => return self.source("radhook", "system"),
        };
        let of_packet = source["type"] != "local";
        if let Some(source) = source.as_object_mut() {
            let client = if of_packet { "lobby" } else { "local" };
            let address = if of_packet { "192.0.2.10" } else { "127.0.0.1" };
            // Where they stand in an event.
            source.shift_insert(2, "client".to_owned(), client.into());
            source.shift_insert(3, "address".to_owned(), address.into());
        }
        source
    }

    fn data(&self, kind: EventType) -> Value {
        use EventType as T;
        match kind {
            T::AuthAccept | T::AuthReject | T::AuthChallenge | T::AuthTimeout => self.login(kind),
            T::SessionStart
            | T::SessionUpdate
            | T::SessionStop
            | T::SessionResumed
            | T::SessionLost
            | T::SessionRevoked
            | T::SessionLimitExceeded => self.session(kind),
            T::NasOn | T::NasOff => {
                let status = if kind == T::NasOn { "Accounting-On" } else { "Accounting-Off" };
                json!({ "nas": nas(), "attributes": { "Acct-Status-Type": status, "NAS-Identifier": "lobby-ap-1" } })
            }
            T::CoaAck | T::CoaNak | T::DisconnectAck | T::DisconnectNak => {
                let mut data = json!({
                    "user": user(), "client": { "mac": MAC }, "nas": nas(),
                    "attributes": { "User-Name": USER, "Acct-Session-Id": SESSION, "Calling-Station-Id": MAC },
                });
                if matches!(kind, T::CoaNak | T::DisconnectNak) {
                    data["reply_attributes"] = json!({ "Error-Cause": "Session-Context-Not-Found" });
                }
                data
            }
            T::UserCreated | T::UserUpdated | T::UserDeleted => json!({
                "user": { "name": USER, "email": USER, "first_name": "Alice", "last_name": "Example" },
            }),
            T::VoucherRedeemed | T::VoucherExpired => json!({
                "user": user(), "client": { "mac": MAC },
                "voucher": { "code": "GUEST-1234", "expires_at": self.ago(-86_400) },
            }),
            T::DhcpGranted | T::DhcpExpired => json!({
                "client": { "mac": MAC, "ip": "198.51.100.23", "hostname": "alices-phone" },
                "lease": { "expires_at": self.ago(-3_600) },
            }),
            T::ConfigAudit => json!({
                "actor": "root", "setting": "endpoint.crm.url",
                "old": "https://old.example.com/hooks", "new": "https://crm.example.com/hooks",
            }),
            T::SystemStart | T::SystemStop => json!({ "version": env!("CARGO_PKG_VERSION") }),
            T::SystemUserlimitExceeded => json!({ "limit": 1_000, "active_users": 1_001 }),
            T::SystemBacklogHigh | T::SystemBacklogOk => {
                json!({ "endpoint": self.endpoint(), "pending": if kind == T::SystemBacklogHigh { 100_000 } else { 12 } })
            }
            T::SystemBackupStarted | T::SystemBackupDone => json!({ "path": "/var/backups/radhook" }),
            T::SystemBackupError => json!({ "path": "/var/backups/radhook", "reason": "no space left on device" }),
            T::EndpointDisabled => json!({
                "endpoint": self.endpoint(), "reason": "it answered 410 Gone", "failing_since": self.ago(3_600),
            }),
            T::EndpointEnabled => json!({ "endpoint": self.endpoint(), "reason": "an operator enabled it" }),
            T::EndpointRecovered => {
                json!({ "endpoint": self.endpoint(), "reason": "it takes events again, after 60 min" })
            }
            T::DeliveryExhausted => json!({
                "endpoint": self.endpoint(),
                "event": { "id": AUTH_ID, "type": T::SessionStop.name() },
                "attempt": { "status": 503 },
            }),
            T::Test => json!({ "endpoint": self.endpoint() }),
        }
    }

    fn endpoint(&self) -> Value {
        json!({ "name": self.endpoint })
    }

    fn login(&self, kind: EventType) -> Value {
        let mut data = json!({
            "user": user(),
            "client": { "mac": MAC },
            "nas": nas(),
            "ap": ap(),
            "venue": venue(),
            "company": company(),
            "auth": { "method": "PEAP" },
            "attributes": {
                "User-Name": "anonymous@example.org", "NAS-IP-Address": "192.0.2.10", "NAS-Identifier": "lobby-ap-1",
                "NAS-Port-Type": "Wireless-802.11", "Calling-Station-Id": MAC, "Called-Station-Id": CALLED,
            },
        });
        match kind {
            EventType::AuthAccept => {
                data["user"]["visits"] = json!({ "888": 7 });
                data["auth"] = json!({
                    "method": "PEAP", "reply_message": ["welcome"], "session_timeout": 3_600, "vlan": "20",
                    "latency_ms": 12, "rounds": 9,
                });
                data["reply_attributes"] = json!({
                    "User-Name": USER, "Session-Timeout": 3_600, "Reply-Message": "welcome",
                    "Tunnel-Private-Group-Id:0": "20",
                });
            }
            EventType::AuthReject => {
                data["auth"] =
                    json!({ "method": "PEAP", "reply_message": ["wrong password"], "latency_ms": 1_004, "rounds": 8 });
                data["reply_attributes"] = json!({ "Reply-Message": "wrong password" });
            }
            EventType::AuthChallenge => {
                data["auth"] = json!({ "method": "PEAP", "session_timeout": 30, "latency_ms": 3, "rounds": 1 });
                data["reply_attributes"] = json!({ "Session-Timeout": 30 });
            }
            _ => {}
        }
        data
    }

    fn session(&self, kind: EventType) -> Value {
        const LASTS: i64 = 3_600;
        let is_start = matches!(kind, EventType::SessionStart | EventType::SessionResumed);
        let is_over = !is_start && kind != EventType::SessionUpdate;
        let mut session = json!({
            "id": SESSION,
            "unique_id": "9d1f0c5b7a3e4d2886f0a1b2c3d4e5f6",
            "multi_id": "5F1A-0001-77",
            "started_at": self.ago(if is_start { 0 } else { LASTS }),
        });
        if is_start {
            session["login"] = "reconnect".into();
            session["visit"] = 7.into();
            session["auth_id"] = AUTH_ID.into();
        } else {
            let figures = json!({
                "duration": LASTS, "input_octets": 5_368_709_120_u64, "output_octets": 73_400_320,
                "input_packets": 4_210_330, "output_packets": 61_024,
            });
            extend(&mut session, figures);
        }
        let changes = json!({
            "delta": { "duration": 300, "input_octets": 1_048_576, "output_octets": 65_536 },
            "rate": { "input_bps": 27_962, "output_bps": 1_747 },
        });
        match kind {
            EventType::SessionResumed => {
                session["previous"] = json!({
                    "unique_id": "0b4d2f6a8c1e3570a2b4c6d8e0f21436", "stopped_at": self.ago(40),
                    "nas": "lobby-ap-2", "ap": "00-00-5E-00-53-02",
                });
            }
            EventType::SessionUpdate => extend(&mut session, changes),
            EventType::SessionLost => {
                session["stopped_at"] = self.ago(0).into();
                session["last_seen_at"] = self.ago(900).into();
                session["terminate_cause"] = "No-Interim".into();
            }
            _ if is_over => {
                session["stopped_at"] = self.ago(0).into();
                let cause = match kind {
                    EventType::SessionRevoked => "Admin-Reset",
                    EventType::SessionLimitExceeded => "Session-Timeout",
                    _ => "User-Request",
                };
                session["terminate_cause"] = cause.into();
                if kind == EventType::SessionRevoked {
                    session["revoked"] = true.into();
                }
                if kind == EventType::SessionLimitExceeded {
                    session["limit"] = "time".into();
                }
                extend(&mut session, changes);
            }
            _ => {}
        }
        let mut data = json!({
            "user": user(),
            "client": { "mac": MAC, "ip": "198.51.100.23", "ipv6": ["2001:db8::5"], "ipv6_prefix": ["2001:db8:1::/64"] },
            "nas": nas(),
            "ap": ap(),
            "venue": venue(),
            "company": company(),
            "session": session,
        });
        if is_start || is_over && kind != EventType::SessionLost {
            let first_seen = self.ago(30 * 86_400);
            data["user"]["first_seen_at"] = first_seen.clone().into();
            data["user"]["sessions"] = u32::from(is_start).into();
            data["client"]["first_seen_at"] = first_seen.into();
        }
        // Of a lost session no packet tells.
        if kind != EventType::SessionLost {
            let status = match kind {
                _ if is_start => "Start",
                EventType::SessionUpdate => "Interim-Update",
                _ => "Stop",
            };
            data["attributes"] = json!({
                "Acct-Status-Type": status, "Acct-Session-Id": SESSION, "User-Name": USER,
                "NAS-Identifier": "lobby-ap-1", "Called-Station-Id": CALLED, "Class": ["0x01", "0x02"],
            });
        }
        data
    }
}

const USER: &str = "alice@example.org";
const MAC: &str = "00-00-5E-00-53-AF";
const CALLED: &str = "00-00-5E-00-53-01:Guest";
const SESSION: &str = "5F1A-0001";
const AUTH_ID: &str = "8a61c1f0-9f0e-8d1c-b0f2-6d2a4f0c9b11";

fn user() -> Value {
    json!({
        "name": USER, "realm": "example.org", "id": 1_234, "email": USER, "first_name": "Alice", "last_name": "Example",
    })
}

fn venue() -> Value {
    json!({ "id": 888, "name": "Lobby", "organization": "acme", "latitude": 53.4857388, "longitude": -2.0999813 })
}

fn company() -> Value {
    json!({ "id": 999, "name": "Acme Hotels" })
}

fn nas() -> Value {
    json!({
        "ip": "192.0.2.10", "identifier": "lobby-ap-1", "port": 7, "port_id": "wlan0", "port_type": "Wireless-802.11",
    })
}

fn ap() -> Value {
    json!({ "mac": "00-00-5E-00-53-01", "ssid": "Guest" })
}

fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(value), Value::Object(more)) = (value, more) {
        value.extend(more);
    }
}
