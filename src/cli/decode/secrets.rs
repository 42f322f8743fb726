//! Secrets, and what they say about packets.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::packet::Path as Way;
use crate::cli::arguments::secret_from;
use crate::radius::authenticator::{self, MessageAuthenticator};
use crate::radius::{Code, Packet, numbers};
use crate::secret::Secret;
use crate::trace::pairs::{Found, Role};

/// `--client ADDRESS=SECRET`.
#[derive(Debug, Clone)]
pub struct ClientSecret {
    network: IpNet,
    secret: Secret,
}

/// Reads `--client`. The secret may hold equals signs.
pub fn client(text: &str) -> Result<ClientSecret, String> {
    let wrong = || "write an address or network, an equals sign and a secret: 10.1.0.0/16=s3cret".to_owned();
    let (address, secret) = text.split_once('=').ok_or_else(wrong)?;
    let network = address.parse::<IpNet>().or_else(|_| address.parse::<IpAddr>().map(IpNet::from));
    Ok(ClientSecret { network: network.map_err(|_| wrong())?, secret: Secret::new(secret) })
}

/// The secrets that are known.
pub struct Secrets {
    /// Longest network first.
    clients: Vec<ClientSecret>,
    common: Option<Secret>,
}

/// What became of checking one authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is right.
    Valid,
    /// It is wrong: another secret, or a packet that was changed on its way.
    Invalid,
    /// It is not there.
    Absent,
    /// It is a random number and says nothing: Access-Request and Status-Server.
    Random,
    /// There is no secret for this client.
    NoSecret,
    /// It is computed from the request, which was not seen.
    NoRequest,
    /// Not all of the packet is there.
    Cut,
    /// The packet's code is not known, nor how its authenticator is computed.
    UnknownCode,
}

impl State {
    /// Its word in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Absent => "absent",
            Self::Random => "random",
            Self::NoSecret | Self::NoRequest | Self::Cut | Self::UnknownCode => "unchecked",
        }
    }

    /// For people, with the reason.
    pub fn told(self) -> &'static str {
        match self {
            Self::NoSecret => "not checked (no secret)",
            Self::NoRequest => "not checked (its request was not seen)",
            Self::Cut => "not checked (the packet is cut)",
            Self::UnknownCode => "not checked (unknown code)",
            Self::Random => "random",
            Self::Invalid => "INVALID",
            other => other.word(),
        }
    }
}

/// What both authenticators of a packet say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The one in the header.
    pub authenticator: State,
    /// The attribute.
    pub message: State,
}

impl Secrets {
    /// The secrets of the command line.
    pub fn new(secret: Option<&str>, file: Option<&Path>, mut clients: Vec<ClientSecret>) -> anyhow::Result<Self> {
        clients.sort_by_key(|client| std::cmp::Reverse(client.network.prefix_len()));
        let common = match file {
            Some(file) => Some(secret_from(file)?),
            None => secret.map(Secret::new),
        };
        Ok(Self { clients, common })
    }

    /// Checks both authenticators of a packet. `cut`: not all of it is there.
    pub fn check(&self, packet: &Packet, way: Option<Way>, found: &Found, cut: bool) -> Checked {
        let role = Role::of(packet.code());
        let random = matches!(packet.code(), Code::ACCESS_REQUEST | Code::STATUS_SERVER);
        let has_message =
            packet.attributes().any(|attribute| u32::from(attribute.number) == numbers::MESSAGE_AUTHENTICATOR.number);
        let authenticator = |state| if random { State::Random } else { state };
        let message = |state| if has_message { state } else { State::Absent };
        let neither = |state| Checked { authenticator: authenticator(state), message: message(state) };
        if cut {
            // It may stand in the part that is missing.
            return Checked { authenticator: authenticator(State::Cut), message: State::Cut };
        }
        let Some(secret) = self.of(way, role) else { return neither(State::NoSecret) };
        let secret = secret.expose();
        let valid = |valid| if valid { State::Valid } else { State::Invalid };
        match (role, found) {
            (Role::Request, _) => Checked {
                authenticator: authenticator(valid(authenticator::verify_request(packet, secret))),
                message: state(authenticator::verify_request_message(packet, secret)),
            },
            (Role::Reply, Found::Answer { authenticator: request, .. }) => Checked {
                authenticator: valid(authenticator::verify_response(packet, request, secret)),
                message: state(authenticator::verify_response_message(packet, request, secret)),
            },
            (Role::Reply, _) => neither(State::NoRequest),
            (Role::Unknown, _) => neither(State::UnknownCode),
        }
    }

    /// The client is who asks. A server that sends CoA asks too, but the secret is known by the NAS: the other end is
    /// looked at next.
    fn of(&self, way: Option<Way>, role: Role) -> Option<&Secret> {
        let ends = way.map(|(source, destination)| match role {
            Role::Reply => [destination.ip(), source.ip()],
            _ => [source.ip(), destination.ip()],
        });
        let client = ends.into_iter().flatten().find_map(|end| {
            self.clients.iter().find(|client| client.network.contains(&end)).map(|client| &client.secret)
        });
        client.or(self.common.as_ref())
    }
}

fn state(message: MessageAuthenticator) -> State {
    match message {
        MessageAuthenticator::Absent => State::Absent,
        MessageAuthenticator::Valid => State::Valid,
        MessageAuthenticator::Invalid => State::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_network_wins_then_the_common_secret() {
        let clients = ["10.0.0.0/8=wide", "10.1.0.0/16=narrow=", "::1=six"].map(|text| client(text).unwrap());
        let secrets = Secrets::new(Some("common"), None, clients.to_vec()).unwrap();
        let of = |source: &str, role| {
            let server = "192.0.2.1:1812".parse().unwrap();
            let client = source.parse().unwrap();
            let way = if role == Role::Reply { (server, client) } else { (client, server) };
            secrets.of(Some(way), role).unwrap().expose().to_vec()
        };
        for (source, expected) in
            [("10.1.2.3:1", "narrow="), ("10.2.0.1:1", "wide"), ("[::1]:1", "six"), ("192.0.2.9:1", "common")]
        {
            assert_eq!(of(source, Role::Request), expected.as_bytes());
            assert_eq!(of(source, Role::Reply), expected.as_bytes());
        }
        let coa = ("192.0.2.1:1".parse().unwrap(), "10.1.0.1:3799".parse().unwrap());
        assert_eq!(secrets.of(Some(coa), Role::Request).unwrap().expose(), b"narrow=");
        assert!(client("10.0.0.1").is_err() && client("nas=secret").is_err());
    }
}
