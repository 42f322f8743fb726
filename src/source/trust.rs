//! Which Access-Requests may be believed: what `require_message_authenticator` asks for (RFC 3579 §3.2; CVE-2024-3596).
//!
//! Without Message-Authenticator nothing ties an Access-Request to the secret, and whoever sits between NAS and server
//! can turn a reject into an accept (BlastRADIUS). `auto` asks it of every client that has sent it once; who sends none
//! is named in the log, once. With EAP every client sends it (RFC 3579 §3.2), also one that logs in others by PAP without:
//! that tells nothing of what it does otherwise.

use std::collections::HashSet;
use std::net::IpAddr;

use super::client::{Client, Requirement};
use crate::radius::authenticator::{MessageAuthenticator, verify_request_message};
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

/// What is made of an Access-Request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It may be believed.
    Believed,
    /// It may be believed, though nothing proves it: to be said once per client, which is now.
    Unproven,
    /// Its Message-Authenticator is wrong.
    Invalid,
    /// It has none, and must have.
    Missing,
}

impl Trust {
    /// Judges an Access-Request that came from `address`.
    pub fn judge(&mut self, packet: &Packet, client: &Client, address: IpAddr) -> Judgement {
        match (verify_request_message(packet, client.secret.expose()), client.message_authenticator) {
            (MessageAuthenticator::Invalid, _) => Judgement::Invalid,
            (MessageAuthenticator::Valid, _) => {
                if packet.first(numbers::EAP_MESSAGE.number as u8).is_none() && self.signing.len() < MAX_REMEMBERED {
                    self.signing.insert(address);
                }
                Judgement::Believed
            }
            (MessageAuthenticator::Absent, Requirement::Yes) => Judgement::Missing,
            (MessageAuthenticator::Absent, Requirement::Auto) if self.signing.contains(&address) => Judgement::Missing,
            // Whoever says no knows.
            (MessageAuthenticator::Absent, Requirement::No) => Judgement::Believed,
            (MessageAuthenticator::Absent, Requirement::Auto) => {
                let is_new = self.told.len() < MAX_REMEMBERED && self.told.insert(address);
                if is_new { Judgement::Unproven } else { Judgement::Believed }
            }
        }
    }
}
