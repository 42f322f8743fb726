//! What the attributes of one request say, read in one pass: who, where, and how much.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::vendor;
use crate::radius::{Attributes, Value, numbers};

/// The attributes that events and sessions are made of. Absent facts are `None`; of repeated attributes the first counts.
#[derive(Debug, Default, Clone)]
pub struct Facts<'a> {
    /// User-Name.
    pub user_name: Option<&'a str>,
    /// Calling-Station-Id.
    pub calling_station_id: Option<&'a str>,
    /// Called-Station-Id.
    pub called_station_id: Option<&'a str>,
    /// NAS-IP-Address, else NAS-IPv6-Address.
    pub nas_ip: Option<IpAddr>,
    /// NAS-Identifier.
    pub nas_identifier: Option<&'a str>,
    /// NAS-Port.
    pub nas_port: Option<u64>,
    /// NAS-Port-Id.
    pub nas_port_id: Option<&'a str>,
    /// NAS-Port-Type, by name.
    pub nas_port_type: Option<String>,
    /// Framed-IP-Address. The two reserved values of RFC 2865 §5.8 that mean "to be chosen" are no address.
    pub framed_ip: Option<IpAddr>,
    /// Every Framed-IPv6-Address (RFC 6911).
    pub framed_ipv6: Vec<IpAddr>,
    /// Every Framed-IPv6-Prefix (RFC 3162) and Delegated-IPv6-Prefix (RFC 4818).
    pub ipv6_prefixes: Vec<IpNet>,
    /// Acct-Status-Type, as a number.
    pub status_type: Option<u64>,
    /// Acct-Session-Id.
    pub session_id: Option<&'a str>,
    /// Acct-Multi-Session-Id.
    pub multi_session_id: Option<&'a str>,
    /// Acct-Session-Time, in seconds.
    pub session_time: Option<u64>,
    /// Acct-Delay-Time, in seconds, where it can be believed.
    pub delay: Option<u64>,
    /// Event-Timestamp, in seconds since 1970.
    pub event_timestamp: Option<u64>,
    /// Acct-Terminate-Cause, by name.
    pub terminate_cause: Option<String>,
    /// Why it ended, in the vendor's own attribute.
    pub vendor_cause: Option<String>,
    /// The device's name, where a vendor sends what DHCP told it.
    pub hostname: Option<Cow<'a, str>>,
    /// The traffic counters.
    pub counters: Counters,
    /// Whether the NAS itself counts how often the octets wrapped: of input, of output.
    pub counts_wraps: [bool; 2],
}

/// Traffic so far, from the NAS's point of view: `input` is what it received from the user (RFC 2866 §5.3).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Octets from the user, Acct-Input-Gigawords (RFC 2869 §5.1) merged in.
    pub input_octets: Option<u64>,
    /// Octets to the user, Acct-Output-Gigawords (RFC 2869 §5.2) merged in.
    pub output_octets: Option<u64>,
    /// Packets from the user.
    pub input_packets: Option<u64>,
    /// Packets to the user.
    pub output_packets: Option<u64>,
}

impl Counters {
    /// The same with input and output exchanged, for a NAS that reports them the wrong way round.
    fn swapped(self) -> Self {
        Self {
            input_octets: self.output_octets,
            output_octets: self.input_octets,
            input_packets: self.output_packets,
            output_packets: self.input_packets,
        }
    }
}

/// FreeRADIUS's detail reader computes Acct-Delay-Time as now minus Event-Timestamp, which for a NAS clock in the future
/// gives values near 2^32. From here on a delay is unknown.
const UNKNOWN_DELAY: u64 = 1 << 31;

/// 2000-01-01T00:00:00Z. A NAS that has lost its clock counts from 1970; no RADIUS packet is older than this.
const EARLIEST_EVENT: u64 = 946_684_800;

/// How far a NAS's clock may run ahead before its Event-Timestamp is disbelieved: a wrong time zone is at most 14 hours.
const CLOCK_AHEAD: SignedDuration = SignedDuration::from_hours(24);

impl<'a> Facts<'a> {
    /// Reads them out of a request's attributes.
    pub fn read(attributes: &'a Attributes, swap_octets: bool) -> Self {
        let mut facts = Self::default();
        let (mut input_gigawords, mut output_gigawords) = (None, None);
        for attribute in attributes.iter() {
            let value = &attribute.value;
            match attribute.id {
                numbers::USER_NAME => first(&mut facts.user_name, value.text()),
                numbers::CALLING_STATION_ID => first(&mut facts.calling_station_id, value.text()),
                numbers::CALLED_STATION_ID => first(&mut facts.called_station_id, value.text()),
                numbers::NAS_IP_ADDRESS => first(&mut facts.nas_ip, value.address()),
                numbers::NAS_IPV6_ADDRESS => first(&mut facts.nas_ip, value.address()),
                numbers::NAS_IDENTIFIER => first(&mut facts.nas_identifier, value.text()),
                numbers::NAS_PORT => first(&mut facts.nas_port, value.number()),
                numbers::NAS_PORT_ID => first(&mut facts.nas_port_id, value.text()),
                numbers::NAS_PORT_TYPE => first(&mut facts.nas_port_type, named(value)),
                numbers::FRAMED_IP_ADDRESS => first(&mut facts.framed_ip, value.address().filter(is_assigned)),
                numbers::FRAMED_IPV6_ADDRESS => facts.framed_ipv6.extend(value.address()),
                numbers::FRAMED_IPV6_PREFIX | numbers::DELEGATED_IPV6_PREFIX => {
                    if let Value::Prefix(prefix) = value {
                        facts.ipv6_prefixes.push(*prefix);
                    }
                }
                numbers::ACCT_STATUS_TYPE => first(&mut facts.status_type, value.number()),
                numbers::ACCT_SESSION_ID => first(&mut facts.session_id, value.text()),
                numbers::ACCT_MULTI_SESSION_ID => first(&mut facts.multi_session_id, value.text()),
                numbers::ACCT_SESSION_TIME => first(&mut facts.session_time, value.number()),
                numbers::ACCT_DELAY_TIME => {
                    first(&mut facts.delay, value.number().filter(|delay| *delay < UNKNOWN_DELAY))
                }
                numbers::EVENT_TIMESTAMP => first(&mut facts.event_timestamp, value.number()),
                numbers::ACCT_TERMINATE_CAUSE => first(&mut facts.terminate_cause, named(value)),
                numbers::ACCT_INPUT_OCTETS => first(&mut facts.counters.input_octets, value.number()),
                numbers::ACCT_OUTPUT_OCTETS => first(&mut facts.counters.output_octets, value.number()),
                numbers::ACCT_INPUT_PACKETS => first(&mut facts.counters.input_packets, value.number()),
                numbers::ACCT_OUTPUT_PACKETS => first(&mut facts.counters.output_packets, value.number()),
                numbers::ACCT_INPUT_GIGAWORDS => first(&mut input_gigawords, value.number()),
                numbers::ACCT_OUTPUT_GIGAWORDS => first(&mut output_gigawords, value.number()),
                id if id.vendor != 0 => {
                    first(&mut facts.vendor_cause, vendor::cause(id, value));
                    first(&mut facts.hostname, vendor::hostname(id, value));
                }
                _ => {}
            }
        }
        facts.counts_wraps = [input_gigawords.is_some(), output_gigawords.is_some()];
        facts.counters.input_octets = merge(facts.counters.input_octets, input_gigawords);
        facts.counters.output_octets = merge(facts.counters.output_octets, output_gigawords);
        if swap_octets {
            facts.counters = facts.counters.swapped();
            facts.counts_wraps.reverse();
        }
        facts
    }

    /// When it happened: Event-Timestamp where it can be believed, else the arrival minus Acct-Delay-Time.
    pub fn happened_at(&self, received_at: Timestamp) -> Timestamp {
        if let Some(time) = self.believable_event_timestamp(received_at) {
            return time;
        }
        let delay = SignedDuration::from_secs(self.delay.unwrap_or(0).cast_signed());
        received_at.checked_sub(delay).unwrap_or(received_at)
    }

    /// Event-Timestamp, unless the NAS's clock is plainly wrong.
    pub fn believable_event_timestamp(&self, received_at: Timestamp) -> Option<Timestamp> {
        let seconds = self.event_timestamp.filter(|seconds| *seconds >= EARLIEST_EVENT)?;
        let time = Timestamp::from_second(seconds.cast_signed()).ok()?;
        (time.duration_since(received_at) <= CLOCK_AHEAD).then_some(time)
    }
}

/// Of repeated attributes the first counts.
fn first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

/// A 32-bit counter and how often it wrapped. The counter is masked, since a decoder may have read a wider one.
fn merge(octets: Option<u64>, gigawords: Option<u64>) -> Option<u64> {
    match (octets, gigawords) {
        (None, None) => None,
        (octets, gigawords) => {
            let wraps = gigawords.unwrap_or(0) & 0xffff_ffff;
            Some((wraps << 32).saturating_add(octets.unwrap_or(0)))
        }
    }
}

/// An enumerated value by its name, or its number where the dictionary has none.
fn named(value: &Value) -> Option<String> {
    match value {
        Value::Named { name, .. } => Some(name.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// RFC 2865 §5.8: 255.255.255.255 lets the user choose, 255.255.255.254 lets the NAS choose.
fn is_assigned(address: &IpAddr) -> bool {
    !matches!(address, IpAddr::V4(v4) if matches!(v4.octets(), [255, 255, 255, 254 | 255]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::{Attribute, AttributeId};

    fn request(pairs: &[(AttributeId, u64)]) -> Attributes {
        pairs
            .iter()
            .map(|(id, number)| Attribute { id: *id, name: "x".into(), value: Value::Integer(*number) })
            .collect()
    }

    #[test]
    fn gigawords_are_the_upper_half_of_the_counter() {
        let attributes = request(&[
            (numbers::ACCT_INPUT_OCTETS, 1_073_741_824),
            (numbers::ACCT_INPUT_GIGAWORDS, 1),
            (numbers::ACCT_OUTPUT_GIGAWORDS, 2),
        ]);
        let facts = Facts::read(&attributes, false);
        assert_eq!(facts.counters.input_octets, Some(5_368_709_120));
        assert_eq!(facts.counters.output_octets, Some(8_589_934_592));
        assert_eq!(facts.counters.input_packets, None);
        assert_eq!(Facts::read(&attributes, true).counters.output_octets, Some(5_368_709_120));
    }

    #[test]
    fn time_is_event_timestamp_or_arrival_minus_delay() {
        let received: Timestamp = "2026-11-22T10:15:31.482Z".parse().unwrap();
        let at = |pairs: &[(AttributeId, u64)]| Facts::read(&request(pairs), false).happened_at(received).to_string();
        assert_eq!(at(&[(numbers::EVENT_TIMESTAMP, 1_795_342_530)]), "2026-11-22T10:15:30Z");
        assert_eq!(
            at(&[(numbers::EVENT_TIMESTAMP, 1_795_342_530), (numbers::ACCT_DELAY_TIME, 9)]),
            "2026-11-22T10:15:30Z"
        );
        assert_eq!(at(&[(numbers::ACCT_DELAY_TIME, 31)]), "2026-11-22T10:15:00.482Z");
        assert_eq!(at(&[]), "2026-11-22T10:15:31.482Z");
        // A clock in the future makes the detail reader's delay wrap; a clock that was lost counts from 1970.
        assert_eq!(at(&[(numbers::ACCT_DELAY_TIME, 4_294_967_200)]), "2026-11-22T10:15:31.482Z");
        assert_eq!(at(&[(numbers::EVENT_TIMESTAMP, 86_400)]), "2026-11-22T10:15:31.482Z");
        assert_eq!(
            at(&[(numbers::EVENT_TIMESTAMP, 4_000_000_000), (numbers::ACCT_DELAY_TIME, 1)]),
            "2026-11-22T10:15:30.482Z"
        );
    }
}
