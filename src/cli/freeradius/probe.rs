//! Packets that prove the way: a session, a login, and the question whether radhook is there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use radius::core::avp::AVP;
use radius::core::code::Code as RadiusCode;
use radius::core::packet::Packet as Request;
use radius::core::{rfc2865, rfc2866, rfc2869};

use super::target::invent;
use crate::radius::authenticator::{
    MessageAuthenticator, message_authenticator, verify_response, verify_response_message,
};
use crate::radius::{Code, Packet};
use crate::secret::Secret;

/// The NAS that the packets claim to be from.
const NAS: &str = "radhook-check";
/// How often a packet is sent, and how long each time is waited: a reject is delayed by a second, and a server that is
/// just starting may need a few.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
/// RFC 2865 §3.
const MAX_PACKET: usize = 4096;
/// Header and the start of the first attribute, which is Message-Authenticator (RFC 3579 §3.2).
const FIRST_ATTRIBUTE: usize = 20;

/// Asks a server of accounting whether it is there (RFC 5997).
pub fn status(server: SocketAddr, secret: &Secret) -> anyhow::Result<Code> {
    let request = Request::new(RadiusCode::StatusServer, secret.expose());
    ask(server, secret, signed(request, secret)?)
}

/// A login by password, of a user that nobody knows.
pub fn login(server: SocketAddr, secret: &Secret, user: &str) -> anyhow::Result<Code> {
    let mut request = Request::new(RadiusCode::AccessRequest, secret.expose());
    request.add(AVP::from_bytes(rfc2869::MESSAGE_AUTHENTICATOR_TYPE, &[0; 16]));
    request.add(AVP::from_string(rfc2865::USER_NAME_TYPE, user));
    rfc2865::add_user_password(&mut request, invent().expose()).map_err(|error| anyhow!("{error}"))?;
    identify(&mut request);
    ask(server, secret, sign(request.encode().map_err(|error| anyhow!("{error}"))?, secret))
}

/// The beginning and the end of a session, so that none is left open.
pub fn session(server: SocketAddr, secret: &Secret, user: &str) -> anyhow::Result<()> {
    for status in [rfc2866::ACCT_STATUS_TYPE_START, rfc2866::ACCT_STATUS_TYPE_STOP] {
        let mut request = Request::new(RadiusCode::AccountingRequest, secret.expose());
        let now = u32::try_from(Timestamp::now().as_second()).unwrap_or(0);
        request.extend(vec![
            AVP::from_u32(rfc2866::ACCT_STATUS_TYPE_TYPE, status),
            AVP::from_string(rfc2865::USER_NAME_TYPE, user),
            AVP::from_string(rfc2866::ACCT_SESSION_ID_TYPE, user),
            AVP::from_u32(rfc2869::EVENT_TIMESTAMP_TYPE, now),
            AVP::from_u32(rfc2866::ACCT_SESSION_TIME_TYPE, 0),
        ]);
        identify(&mut request);
        ask(server, secret, request.encode().map_err(|error| anyhow!("{error}"))?)?;
    }
    Ok(())
}

fn identify(request: &mut Request) {
    request.extend(vec![
        AVP::from_string(rfc2865::NAS_IDENTIFIER_TYPE, NAS),
        AVP::from_ipv4(rfc2865::NAS_IP_ADDRESS_TYPE, &Ipv4Addr::LOCALHOST),
        AVP::from_u32(rfc2865::NAS_PORT_TYPE, 0),
    ]);
}

/// A packet with nothing but its Message-Authenticator.
fn signed(mut request: Request, secret: &Secret) -> anyhow::Result<Vec<u8>> {
    request.add(AVP::from_bytes(rfc2869::MESSAGE_AUTHENTICATOR_TYPE, &[0; 16]));
    Ok(sign(request.encode().map_err(|error| anyhow!("{error}"))?, secret))
}

/// Fills in the Message-Authenticator, which is the first attribute.
fn sign(mut octets: Vec<u8>, secret: &Secret) -> Vec<u8> {
    if let Ok(packet) = Packet::parse(&octets) {
        let value = message_authenticator(&octets, FIRST_ATTRIBUTE, packet.authenticator(), secret.expose());
        octets[FIRST_ATTRIBUTE + 2..FIRST_ATTRIBUTE + 2 + value.len()].copy_from_slice(&value);
    }
    octets
}

/// Sends until a genuine answer comes.
fn ask(server: SocketAddr, secret: &Secret, octets: Vec<u8>) -> anyhow::Result<Code> {
    let from: IpAddr = match server.ip() {
        // As the home server's src_ipaddr has it.
        address if address.is_loopback() => address,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((from, 0)).context("no socket can be opened")?;
    socket.connect(server).with_context(|| format!("{server} cannot be reached"))?;
    socket.set_read_timeout(Some(PATIENCE)).context("no wait can be set")?;
    let request = *Packet::parse(&octets).context("the packet cannot be read back")?.authenticator();
    let mut buffer = [0; MAX_PACKET];
    let mut problem = anyhow!("no answer within {} s", (PATIENCE * TRIES).as_secs());
    for _ in 0..TRIES {
        if let Err(error) = socket.send(&octets) {
            problem = anyhow!("{error}");
            continue;
        }
        match socket.recv(&mut buffer) {
            Ok(length) => match Packet::parse(&buffer[..length]) {
                Ok(answer) if is_genuine(&answer, &request, secret) => return Ok(answer.code()),
                _ => problem = anyhow!("the answer was not made with the same secret"),
            },
            // Nobody listens there; somebody may a moment later.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                problem = anyhow!("nobody listens there");
                std::thread::sleep(PATIENCE / TRIES);
            }
            Err(_) => {}
        }
    }
    Err(problem)
}

fn is_genuine(answer: &Packet, request: &[u8; 16], secret: &Secret) -> bool {
    verify_response(answer, request, secret.expose())
        // What answers an Accounting-Request or Status-Server is signed by FreeRADIUS in a way of its own.
        && (answer.code() == Code::ACCOUNTING_RESPONSE
            || verify_response_message(answer, request, secret.expose()) != MessageAuthenticator::Invalid)
}
