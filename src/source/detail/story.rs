//! What one record tells: a login, a session, or nothing that an event could be made of.
//!
//! | record | is |
//! |---|---|
//! | with the marker Radhook-Result | a login with both sides: the spool policy's |
//! | Packet-Type of a reply to an Access-Request | a login as its reply tells it: `reply_log` |
//! | Packet-Type = Access-Request | nothing yet, whatever comes of it: `auth_log` |
//! | with Acct-Status-Type | accounting |

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Component, Path};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::exchange::{Exchange, Login, Origin, Reply};
use crate::radius::{Attribute, Attributes, Code, Dictionary, Value, numbers};
use crate::source::client::Clients;
use crate::source::copied;
use crate::trace::detail::{Record, TIMESTAMP, TIMESTAMP_DONE, attributes};

/// What the detail module itself writes beside the packet's attributes: of the packet, not in it.
const ABOUT: [&str; 10] = [
    TIMESTAMP,
    TIMESTAMP_DONE,
    PACKET_TYPE,
    SOURCE,
    SOURCE_V6,
    SOURCE_V2,
    DESTINATION,
    DESTINATION_V6,
    "Packet-Src-Port",
    "Packet-Dst-Port",
];
const PACKET_TYPE: &str = "Packet-Type";
const SOURCE: &str = "Packet-Src-IP-Address";
const SOURCE_V6: &str = "Packet-Src-IPv6-Address";
const DESTINATION: &str = "Packet-Dst-IP-Address";
const DESTINATION_V6: &str = "Packet-Dst-IPv6-Address";
/// FreeRADIUS 2's.
const SOURCE_V2: &str = "Client-IP-Address";

/// Who the client is where nothing tells.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What a record tells.
#[derive(Debug, Clone)]
pub enum Told {
    /// What may become an event.
    Exchange(Kind, Box<Exchange>),
    /// Nothing.
    Nothing(Kind),
}

/// What a record is: the `result` of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An Accounting-Request.
    Accounting,
    /// A login with both its sides.
    Login,
    /// The reply of a login, alone.
    Reply,
    /// The request of a login, alone.
    Request,
    /// The made-up Stop by which another FreeRADIUS asks whether this one is there.
    HealthCheck,
    /// Any other packet.
    Other,
    /// It cannot be understood, and is kept in the quarantine.
    Bad,
    /// It cannot be understood, and finds no room in the quarantine.
    BadNotKept,
}

impl Kind {
    /// As the metric names it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Accounting => "accounting",
            Self::Login => "login",
            Self::Reply => "reply",
            Self::Request => "request",
            Self::HealthCheck => "health_check",
            Self::Other => "other",
            Self::Bad => "bad",
            Self::BadNotKept => "bad_not_kept",
        }
    }
}

/// What telling needs beside the record.
#[derive(Debug)]
pub struct Teller {
    /// The source.
    pub name: Arc<str>,
    /// Who the clients are.
    pub clients: Arc<Clients>,
    /// What attributes are called.
    pub dictionary: Arc<Dictionary>,
    /// Where the server's clock stands, for a record that has no time but its header's.
    pub zone: TimeZone,
}

impl Teller {
    /// Tells a record that stands in the file at `path`. `now` is its time where it says none itself.
    pub fn tell(&self, record: &Record, path: &Path, now: Timestamp) -> Told {
        let mut given = attributes(record, &self.dictionary);
        let time = self.time(record, &given).unwrap_or(now);
        let code = record.bare(PACKET_TYPE).map(|name| Code::named(name).unwrap_or(Code(0)));
        let from_reply = code.is_some_and(is_reply);
        let address = address(&given, path, from_reply);
        let client = self.clients.lookup(address);
        let origin = Origin {
            source: Arc::clone(&self.name),
            kind: "detail",
            client: client.map_or_else(|| address.to_string().into(), |client| Arc::clone(&client.name)),
            address,
        };
        given = given.into_iter().filter(|attribute| !is_about(attribute)).collect();
        let exchange = |kind, exchange: Exchange| Told::Exchange(kind, Box::new(exchange));
        let given = match copied::split(given) {
            Ok(copied) => return exchange(Kind::Login, copied.into_exchange(origin, time)),
            Err(given) => given,
        };
        match code {
            Some(Code::ACCESS_REQUEST) => Told::Nothing(Kind::Request),
            Some(code) if from_reply => exchange(Kind::Reply, reply(origin, code, given, time, record.offset)),
            Some(code) if code != Code::ACCOUNTING_REQUEST => Told::Nothing(Kind::Other),
            _ if given.get(numbers::ACCT_STATUS_TYPE).is_none() => Told::Nothing(Kind::Other),
            _ if is_health_check(&given) => Told::Nothing(Kind::HealthCheck),
            _ => {
                let swap_octets = client.is_some_and(|client| client.swap_octets);
                exchange(Kind::Accounting, copied::of_accounting(origin, time, given, swap_octets))
            }
        }
    }

    /// When the server received the packet: Timestamp, else the header, else what the NAS says.
    fn time(&self, record: &Record, given: &Attributes) -> Option<Timestamp> {
        let local = || Some(record.local_time()?.to_zoned(self.zone.clone()).ok()?.timestamp());
        let of_nas = || Timestamp::from_second(given.get(numbers::EVENT_TIMESTAMP)?.number()?.cast_signed()).ok();
        record.time().or_else(local).or_else(of_nas)
    }
}

fn is_reply(code: Code) -> bool {
    matches!(code, Code::ACCESS_ACCEPT | Code::ACCESS_REJECT | Code::ACCESS_CHALLENGE)
}

fn is_about(attribute: &Attribute) -> bool {
    ABOUT.iter().any(|name| attribute.name.eq_ignore_ascii_case(name))
}

/// A login of which only the reply was written down: nothing in it tells it from another one of the same second, but
/// where it stands. That goes into its time, below the milliseconds that are shown, so that it is a fact of its own and
/// the same one however often it is read.
fn reply(origin: Origin, code: Code, attributes: Attributes, time: Timestamp, offset: u64) -> Exchange {
    const BELOW_A_MILLISECOND: u64 = 1_000_000;
    let place = SignedDuration::from_nanos((offset % BELOW_A_MILLISECOND).cast_signed());
    Exchange {
        origin,
        received_at: time.checked_add(place).unwrap_or(time),
        code: Code::ACCESS_REQUEST,
        request: Attributes::default(),
        reply: Some(Reply { code, attributes, latency: None }),
        login: Login::default(),
        swap_octets: false,
    }
}

/// The address that the request came from: what the spool policy says, else what the detail module says, else the
/// directory that is named by it, as in FreeRADIUS's own `radacct/%{Packet-Src-IP-Address}/`, else the NAS's own word.
fn address(given: &Attributes, path: &Path, from_reply: bool) -> IpAddr {
    let read = |value: &Value| match value {
        Value::Address(address) => Some(*address),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    let named = |name: &str| given.by_name(name).and_then(read);
    // A reply goes to where its request came from.
    let about = match from_reply {
        true => named(DESTINATION).or_else(|| named(DESTINATION_V6)),
        false => named(SOURCE).or_else(|| named(SOURCE_V6)).or_else(|| named(SOURCE_V2)),
    };
    let directory = || {
        path.parent()?.components().rev().find_map(|component| match component {
            Component::Normal(name) => name.to_str()?.parse().ok(),
            _ => None,
        })
    };
    let own = || given.get(numbers::NAS_IP_ADDRESS).or_else(|| given.get(numbers::NAS_IPV6_ADDRESS)).and_then(read);
    let marked = given.get(numbers::RADHOOK_CLIENT).and_then(read);
    marked.or(about).or_else(directory).or_else(own).unwrap_or(NOBODY).to_canonical()
}

/// As `accounting::verdict` knows it in a packet.
fn is_health_check(given: &Attributes) -> bool {
    const STOP: u64 = 2;
    let text = |id| given.get(id).and_then(Value::text).unwrap_or_default();
    let identifier = text(numbers::NAS_IDENTIFIER);
    given.get(numbers::ACCT_STATUS_TYPE).and_then(Value::number) == Some(STOP)
        && text(numbers::ACCT_SESSION_ID) == "00000000"
        && identifier.starts_with("Status Check ")
        && identifier.ends_with(". Are you alive?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::source::client::{Client, Requirement};
    use crate::trace::detail::{Position, Splitter};

    fn tell_at(path: &str, text: &str) -> Vec<Told> {
        let nas = Client {
            name: "lobby".into(),
            network: "10.1.0.0/16".parse().unwrap(),
            secret: Secret::new("s"),
            message_authenticator: Requirement::Auto,
            swap_octets: true,
            nas_type: None,
        };
        let teller = Teller {
            name: "files".into(),
            clients: Arc::new(Clients::new(vec![nas])),
            dictionary: Dictionary::shipped(),
            zone: TimeZone::fixed(jiff::tz::offset(1)),
        };
        let mut told = Vec::new();
        let now = "2030-01-01T00:00:00Z".parse().unwrap();
        Splitter::at(Position::default()).push(text.as_bytes(), |raw| {
            told.push(teller.tell(&raw.read().unwrap(), Path::new(path), now));
        });
        told
    }

    fn tell(text: &str) -> Told {
        tell_at("/log/radacct/10.1.2.3/detail-20261122", &format!("Sun Nov 22 11:15:31 2026\n{text}\n"))
            .into_iter()
            .next()
            .unwrap()
    }

    fn exchange(text: &str) -> (Kind, Exchange) {
        match tell(text) {
            Told::Exchange(kind, exchange) => (kind, *exchange),
            Told::Nothing(kind) => panic!("{kind:?}"),
        }
    }

    fn names(attributes: &Attributes) -> Vec<&str> {
        attributes.iter().map(|attribute| &*attribute.name).collect()
    }

    #[test]
    fn accounting_is_told_with_its_client_and_without_what_the_module_adds() {
        let (kind, told) = exchange(
            "\tAcct-Status-Type = Start\n\tAcct-Session-Id = \"S1\"\n\tPacket-Src-Port = 4711\n\tTimestamp = 1795342530\n",
        );
        assert_eq!((kind, told.code, told.swap_octets), (Kind::Accounting, Code::ACCOUNTING_REQUEST, true));
        assert_eq!(names(&told.request), ["Acct-Status-Type", "Acct-Session-Id"]);
        assert_eq!(told.received_at.to_string(), "2026-11-22T10:15:30Z");
        let Origin { source, kind, client, address } = told.origin;
        assert_eq!((&*source, kind, &*client, address.to_string().as_str()), ("files", "detail", "lobby", "10.1.2.3"));
        let (kind, _) = exchange("\tPacket-Type = Accounting-Request\n\tAcct-Status-Type = Start\n");
        assert_eq!(kind, Kind::Accounting);
    }

    #[test]
    fn a_login_of_the_spool_policy_has_both_its_sides() {
        let (kind, told) = exchange(
            "\tUser-Name = \"bob\"\n\tRadhook-Client = \"192.0.2.9\"\n\tRadhook-Authenticator = 0x00112233445566778899aabbccddeeff\n\
             \tRadhook-Method = \"PEAP\"\n\tRadhook-Result = \"Access-Accept\"\n\tReply-Message = \"hi\"\n\tDonestamp = 1795342530\n",
        );
        assert_eq!((kind, told.code), (Kind::Login, Code::ACCESS_REQUEST));
        assert_eq!(names(&told.request), ["User-Name"]);
        let reply = told.reply.unwrap();
        assert_eq!((reply.code, names(&reply.attributes)), (Code::ACCESS_ACCEPT, vec!["Reply-Message"]));
        assert_eq!(told.login.authenticator.unwrap()[15], 0xff);
        assert_eq!(told.login.method.unwrap().name(), "PEAP");
        assert_eq!((&*told.origin.client, told.origin.address.to_string().as_str()), ("192.0.2.9", "192.0.2.9"));
        assert_eq!(told.received_at.to_string(), "2026-11-22T10:15:30Z");
    }

    #[test]
    fn a_reply_alone_is_a_fact_of_its_own() {
        let text = "\tPacket-Type = Access-Accept\n\tPacket-Src-IP-Address = 10.0.0.1\n\tPacket-Dst-IP-Address = 10.1.9.9\n\
                    \tReply-Message = \"hi\"\n\tTimestamp = 1795342530\n";
        let (kind, told) = exchange(text);
        assert_eq!((kind, told.code, told.request.is_empty()), (Kind::Reply, Code::ACCESS_REQUEST, true));
        assert_eq!(told.origin.address.to_string(), "10.1.9.9");
        assert_eq!(names(&told.reply.unwrap().attributes), ["Reply-Message"]);
        let twice = tell_at("/x", &format!("now\n{text}\nnow\n{text}\n"));
        let at = |told: &Told| match told {
            Told::Exchange(_, exchange) => exchange.received_at,
            Told::Nothing(kind) => panic!("{kind:?}"),
        };
        assert_ne!(at(&twice[0]), at(&twice[1]));
        assert_eq!(at(&twice[0]).as_millisecond(), at(&twice[1]).as_millisecond());
    }

    #[test]
    fn what_makes_no_event_is_told_by_what_it_is() {
        for (text, expected) in [
            ("\tPacket-Type = Access-Request\n\tUser-Name = \"bob\"\n", Kind::Request),
            ("\tPacket-Type = CoA-Request\n\tAcct-Status-Type = Start\n", Kind::Other),
            ("\tPacket-Type = 200\n", Kind::Other),
            ("\tUser-Name = \"bob\"\n", Kind::Other),
            (
                "\tAcct-Status-Type = Stop\n\tAcct-Session-Id = \"00000000\"\n\tNAS-Identifier = \"Status Check 3. Are you alive?\"\n",
                Kind::HealthCheck,
            ),
        ] {
            assert!(matches!(tell(text), Told::Nothing(kind) if kind == expected), "{text}: {:?}", tell(text));
        }
    }

    #[test]
    fn the_time_is_the_servers_then_the_headers_then_the_nass_then_now() {
        let of =
            |header: &str, more: &str| match &tell_at("/x", &format!("{header}\n\tAcct-Status-Type = Start\n{more}\n"))
                [0]
            {
                Told::Exchange(_, exchange) => exchange.received_at.to_string(),
                Told::Nothing(kind) => panic!("{kind:?}"),
            };
        let event = "\tEvent-Timestamp = \"Nov 22 2026 10:00:00 UTC\"\n";
        assert_eq!(of("Sun Nov 22 11:15:31 2026", "\tTimestamp = 1795342530\n"), "2026-11-22T10:15:30Z");
        assert_eq!(of("Sun Nov 22 11:15:31 2026", event), "2026-11-22T10:15:31Z");
        assert_eq!(of("whenever", event), "2026-11-22T10:00:00Z");
        assert_eq!(of("whenever", ""), "2030-01-01T00:00:00Z");
    }

    #[test]
    fn the_address_is_the_first_that_anything_names() {
        let of = |path: &str, text: &str| match &tell_at(path, &format!("now\n\tAcct-Status-Type = Start\n{text}\n"))[0]
        {
            Told::Exchange(_, exchange) => exchange.origin.address.to_string(),
            Told::Nothing(kind) => panic!("{kind:?}"),
        };
        let nas = "\tNAS-IP-Address = 10.0.0.3\n";
        let source = "\tPacket-Src-IP-Address = 10.0.0.2\n";
        assert_eq!(of("/radacct/10.0.0.1/detail", &format!("{source}{nas}")), "10.0.0.2");
        assert_eq!(of("/radacct/x/detail", "\tPacket-Src-IPv6-Address = 2001:db8::2\n"), "2001:db8::2");
        assert_eq!(of("/radacct/x/detail", "\tClient-IP-Address = 10.0.0.4\n"), "10.0.0.4");
        assert_eq!(of("/radacct/10.0.0.1/detail", nas), "10.0.0.1");
        assert_eq!(of("/radacct/2001:db8::1/2026/detail", nas), "2001:db8::1");
        assert_eq!(of("/radacct/detail", nas), "10.0.0.3");
        assert_eq!(of("/radacct/detail", ""), "127.0.0.1");
    }
}
