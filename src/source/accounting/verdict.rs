//! What an accounting port makes of one datagram: a plain function of the octets and the client.

use std::fmt;

use crate::radius::authenticator::{MessageAuthenticator, verify_request_message};
use crate::radius::response::{accounting_response, status_response};
use crate::radius::{Attributes, Code, Dictionary, Packet, PacketError, decode, numbers};
use crate::source::client::Client;
use crate::source::trust::{Disbelief, judge_signed};

/// What is to be done with a packet.
pub(super) enum Verdict {
    /// Nothing: it is not to be believed, or not for us.
    Drop(Reason),
    /// It says nothing worth storing and is answered at once.
    Answer(Outcome, Vec<u8>),
    /// It is answered once its exchange is stored.
    Exchange {
        /// The request's attributes.
        request: Attributes,
        /// What is to be sent then.
        answer: Vec<u8>,
    },
}

/// Why a packet is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    UnknownClient,
    Malformed(PacketError),
    UnexpectedCode(Code),
    Disbelieved(Disbelief),
}

/// What became of a packet: the `result` of its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Accepted,
    Duplicate,
    StatusServer,
    HealthCheck,
    Dropped(Reason),
}

impl Outcome {
    /// All labels, in the order of [`Outcome::index`].
    pub const LABELS: [&str; 10] = [
        "accepted",
        "duplicate",
        "status_server",
        "health_check",
        "unknown_client",
        "malformed",
        "unexpected_code",
        "bad_authenticator",
        "bad_message_authenticator",
        "no_message_authenticator",
    ];

    /// Where its label stands.
    pub fn index(self) -> usize {
        match self {
            Self::Accepted => 0,
            Self::Duplicate => 1,
            Self::StatusServer => 2,
            Self::HealthCheck => 3,
            Self::Dropped(Reason::UnknownClient) => 4,
            Self::Dropped(Reason::Malformed(_)) => 5,
            Self::Dropped(Reason::UnexpectedCode(_)) => 6,
            Self::Dropped(Reason::Disbelieved(Disbelief::BadAuthenticator)) => 7,
            Self::Dropped(Reason::Disbelieved(Disbelief::BadMessageAuthenticator)) => 8,
            Self::Dropped(Reason::Disbelieved(Disbelief::Unsigned)) => 9,
        }
    }

    /// Its label.
    pub fn label(self) -> &'static str {
        Self::LABELS[self.index()]
    }
}

impl fmt::Display for Reason {
    /// What is wrong, and what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownClient => f.write_str("no [[client]] has this address"),
            Self::Malformed(error) => write!(f, "not a RADIUS packet: {error}"),
            Self::UnexpectedCode(code) => {
                write!(f, "{code} on an accounting port, which takes Accounting-Request and Status-Server")
            }
            Self::Disbelieved(why) => why.fmt(f),
        }
    }
}

/// Looks at a packet from a known client.
pub(super) fn judge(packet: &Packet, client: &Client, dictionary: &Dictionary) -> Verdict {
    let secret = client.secret.expose();
    match packet.code() {
        Code::ACCOUNTING_REQUEST => {
            if let Err(why) = judge_signed(packet, client) {
                return Verdict::Drop(Reason::Disbelieved(why));
            }
            accounting(packet, secret, dictionary)
        }
        Code::STATUS_SERVER => match verify_request_message(packet, secret) {
            MessageAuthenticator::Valid => Verdict::Answer(Outcome::StatusServer, status_response(packet, secret)),
            MessageAuthenticator::Invalid => Verdict::Drop(Reason::Disbelieved(Disbelief::BadMessageAuthenticator)),
            MessageAuthenticator::Absent => Verdict::Drop(Reason::Disbelieved(Disbelief::Unsigned)),
        },
        code => Verdict::Drop(Reason::UnexpectedCode(code)),
    }
}

/// An Accounting-Request that is genuine.
fn accounting(packet: &Packet, secret: &[u8], dictionary: &Dictionary) -> Verdict {
    // One without Acct-Status-Type passes on too: it is against RFC 2866 §5.1, but asking for it again would not mend it,
    // and FreeRADIUS's detail reader would ask for ever and hold up everything behind it.
    let answer = accounting_response(packet, secret);
    if is_health_check(packet) {
        return Verdict::Answer(Outcome::HealthCheck, answer);
    }
    let mut request = decode(packet, dictionary);
    // It belongs to the proxies between the NAS and here (RFC 2865 §5.33) and says nothing of the session.
    request.remove(numbers::PROXY_STATE);
    Verdict::Exchange { request, answer }
}

/// Whether it is what FreeRADIUS sends to a home server with `status_check = request`: a Stop of a session that never
/// was, with the count of checks in NAS-Identifier. All of it must fit, since a NAS may well call its first session
/// "00000000".
pub(in crate::source) fn is_health_check(packet: &Packet) -> bool {
    const STOP: &[u8] = &[0, 0, 0, 2];
    let identifier = packet.first(number_of(numbers::NAS_IDENTIFIER)).unwrap_or_default();
    packet.first(number_of(numbers::ACCT_STATUS_TYPE)) == Some(STOP)
        && packet.first(number_of(numbers::ACCT_SESSION_ID)) == Some(b"00000000")
        && identifier.starts_with(b"Status Check ")
        && identifier.ends_with(b". Are you alive?")
}

/// The type octet of an attribute of the RFC space that stands in packets.
const fn number_of(id: crate::radius::AttributeId) -> u8 {
    assert!(id.vendor == 0 && id.number <= 255);
    id.number as u8
}
