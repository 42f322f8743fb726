//! Status-Server, by which a server is asked whether it is there (RFC 5997).

use std::net::SocketAddr;
use std::time::Instant;
use std::{fmt, io};

use socket2::Socket;

use super::upstream::{connected, receive};
use crate::radius::authenticator::{
    Authenticator, MessageAuthenticator, message_authenticator, verify_response, verify_response_message,
};
use crate::radius::packet::{AUTHENTICATOR_LENGTH, HEADER_LENGTH, MAX_LENGTH};
use crate::radius::{Code, Packet, numbers};
use crate::secret::Secret;

/// Header and Message-Authenticator, which is all that RFC 5997 §3 asks for.
const LENGTH: usize = HEADER_LENGTH + 2 + AUTHENTICATOR_LENGTH;

/// What asks one server, from a port of its own.
pub struct Probe {
    address: SocketAddr,
    socket: Option<Socket>,
    secret: Secret,
    sent: Option<Sent>,
    identifier: u8,
}

struct Sent {
    at: Instant,
    identifier: u8,
    authenticator: Authenticator,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Probe {
    /// For the server at `address`, which knows this host by `secret`.
    pub fn new(address: SocketAddr, secret: Secret) -> Self {
        Self { address, socket: None, secret, sent: None, identifier: rand::random() }
    }

    /// Opens its socket, unless that was done before: the one to be waited on from now on. Fails while there is no way to
    /// the server.
    pub fn open(&mut self) -> io::Result<Option<&Socket>> {
        if self.socket.is_some() {
            return Ok(None);
        }
        Ok(Some(self.socket.insert(connected(self.address, None)?)))
    }

    /// Asks, once it is open. What was asked before is no longer waited for.
    pub fn send(&mut self, now: Instant) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        self.identifier = self.identifier.wrapping_add(1);
        let authenticator: Authenticator = rand::random();
        self.sent = Some(Sent { at: now, identifier: self.identifier, authenticator });
        let octets = status_server(self.identifier, &authenticator, &self.secret);
        // The error may be that of an earlier one, and is then gone.
        socket.send(&octets).or_else(|_| socket.send(&octets)).map(|_| ())
    }

    /// Receives what there is, without waiting: when the probe was sent that is answered now, if one is.
    pub fn receive(&mut self) -> io::Result<Option<Instant>> {
        let Some(socket) = &self.socket else { return Ok(None) };
        let mut room = [0; MAX_LENGTH];
        loop {
            let length = match receive(socket, &mut room) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            let answers =
                |sent: &mut Sent| answers(&room[..length], sent.identifier, &sent.authenticator, &self.secret);
            if let Some(sent) = self.sent.take_if(answers) {
                return Ok(Some(sent.at));
            }
        }
    }
}

fn status_server(identifier: u8, authenticator: &Authenticator, secret: &Secret) -> [u8; LENGTH] {
    let mut octets = [0; LENGTH];
    octets[0] = Code::STATUS_SERVER.0;
    octets[1] = identifier;
    octets[2..4].copy_from_slice(&(LENGTH as u16).to_be_bytes());
    octets[4..HEADER_LENGTH].copy_from_slice(authenticator);
    octets[HEADER_LENGTH] = numbers::MESSAGE_AUTHENTICATOR.number as u8;
    octets[HEADER_LENGTH + 1] = (2 + AUTHENTICATOR_LENGTH) as u8;
    let value = message_authenticator(&octets, HEADER_LENGTH, authenticator, secret.expose());
    octets[HEADER_LENGTH + 2..].copy_from_slice(&value);
    octets
}

/// Whether these octets are the answer to that Status-Server, made by whoever knows the secret. An authentication port answers
/// with Access-Accept, an accounting port with Accounting-Response (RFC 5997 §3); a server that is alive but refuses
/// rejects.
fn answers(octets: &[u8], identifier: u8, authenticator: &Authenticator, secret: &Secret) -> bool {
    let Ok(packet) = Packet::parse(octets) else { return false };
    let secret = secret.expose();
    packet.identifier() == identifier
        && verify_response(&packet, authenticator, secret)
        && verify_response_message(&packet, authenticator, secret) != MessageAuthenticator::Invalid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::authenticator::verify_request_message;
    use crate::radius::response::status_response;
    use crate::radius::sample;

    #[test]
    fn a_probe_is_a_genuine_status_server_and_only_its_own_answer_counts() {
        let secret = Secret::new(sample::SECRET);
        let octets = status_server(7, &[9; 16], &secret);
        let packet = Packet::parse(&octets).unwrap();
        assert_eq!((packet.code(), packet.identifier()), (Code::STATUS_SERVER, 7));
        assert_eq!(verify_request_message(&packet, sample::SECRET), MessageAuthenticator::Valid);

        let answer = status_response(&packet, sample::SECRET);
        assert!(answers(&answer, 7, &[9; 16], &secret));
        assert!(!answers(&answer, 8, &[9; 16], &secret), "another identifier");
        assert!(!answers(&answer, 7, &[8; 16], &secret), "another question");
        assert!(!answers(&answer, 7, &[9; 16], &Secret::new("other")), "another secret");
        assert!(!answers(&answer[..19], 7, &[9; 16], &secret), "half of it");
    }
}
