//! Which requests may be believed: by their authenticator, and by what `require_message_authenticator` asks for
//! (RFC 3579 §3.2; CVE-2024-3596).
//!
//! Without Message-Authenticator nothing ties an Access-Request to the secret, and whoever sits between NAS and server
//! can turn a reject into an accept (BlastRADIUS). `auto` asks it of every client that has sent it once; who sends none
//! is named in the log, once. With EAP every client sends it (RFC 3579 §3.2), also one that logs in others by PAP without:
//! that tells nothing of what it does otherwise.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use super::client::{Client, Requirement};
use crate::radius::authenticator::{MessageAuthenticator, verify_request, verify_request_message};
use crate::radius::{Packet, numbers};

/// Addresses that are remembered. Beyond that no more are; an attacker who sends from more addresses than that must know
/// a client's secret for each.
const MAX_REMEMBERED: usize = 65_536;

/// What is remembered of the clients of one source.
#[derive(Debug, Default)]
pub struct Trust {
    /// Addresses from which a valid Message-Authenticator came.
    signing: HashSet<IpAddr>,
    /// Addresses of whom it was told that they send none.
    told: HashSet<IpAddr>,
}

/// How far an Access-Request is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// It may be believed.
    Believed,
    /// It may be believed, though nothing proves it: to be said once per client, which is now.
    Unproven,
}

/// Why a packet is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disbelief {
    /// Its Request Authenticator is wrong.
    BadAuthenticator,
    /// Its Message-Authenticator is wrong.
    BadMessageAuthenticator,
    /// It has no Message-Authenticator, and must have.
    Unsigned,
}

impl Disbelief {
    /// The `result` of its metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::BadAuthenticator => "bad_authenticator",
            Self::BadMessageAuthenticator => "bad_message_authenticator",
            Self::Unsigned => "no_message_authenticator",
        }
    }
}

impl fmt::Display for Disbelief {
    /// What is wrong, and what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadAuthenticator => "wrong Request Authenticator: the client's secret differs from ours",
            Self::BadMessageAuthenticator => {
                "wrong Message-Authenticator: the client's secret differs from ours, or somebody is forging"
            }
            Self::Unsigned => "no Message-Authenticator, which is required of this packet",
        })
    }
}

/// Judges a request whose Request Authenticator covers its content: accounting and dynamic authorization (RFC 2866 §3,
/// RFC 5176 §2.3). `auto` asks nothing more of it.
pub fn judge_signed(packet: &Packet, client: &Client) -> Result<(), Disbelief> {
    let secret = client.secret.expose();
    if !verify_request(packet, secret) {
        return Err(Disbelief::BadAuthenticator);
    }
    match (verify_request_message(packet, secret), client.message_authenticator) {
        (MessageAuthenticator::Invalid, _) => Err(Disbelief::BadMessageAuthenticator),
        (MessageAuthenticator::Absent, Requirement::Yes) => Err(Disbelief::Unsigned),
        (MessageAuthenticator::Absent, Requirement::Auto | Requirement::No) | (MessageAuthenticator::Valid, _) => {
            Ok(())
        }
    }
}

impl Trust {
    /// Judges an Access-Request that came from `address`.
    pub fn judge(&mut self, packet: &Packet, client: &Client, address: IpAddr) -> Result<Belief, Disbelief> {
        match (verify_request_message(packet, client.secret.expose()), client.message_authenticator) {
            (MessageAuthenticator::Invalid, _) => Err(Disbelief::BadMessageAuthenticator),
            (MessageAuthenticator::Valid, _) => {
                if packet.first(numbers::EAP_MESSAGE.number as u8).is_none() && self.signing.len() < MAX_REMEMBERED {
                    self.signing.insert(address);
                }
                Ok(Belief::Believed)
            }
            (MessageAuthenticator::Absent, Requirement::Yes) => Err(Disbelief::Unsigned),
            (MessageAuthenticator::Absent, Requirement::Auto) if self.signing.contains(&address) => {
                Err(Disbelief::Unsigned)
            }
            // Whoever says no knows.
            (MessageAuthenticator::Absent, Requirement::No) => Ok(Belief::Believed),
            (MessageAuthenticator::Absent, Requirement::Auto) => {
                let is_new = self.told.len() < MAX_REMEMBERED && self.told.insert(address);
                Ok(if is_new { Belief::Unproven } else { Belief::Believed })
            }
        }
    }
}
