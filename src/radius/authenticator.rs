//! Whether a packet comes from somebody who knows the secret.
//!
//! - Request Authenticator of Accounting-Request (RFC 2866 §3), CoA-Request and Disconnect-Request (RFC 5176 §2.3):
//!   MD5 over the packet with the field as zeros, then the secret.
//! - Response Authenticator (RFC 2865 §3): the same with the request's authenticator in the field.
//! - Message-Authenticator (RFC 3579 §3.2, RFC 5997 §3): HMAC-MD5 over the packet with the attribute's value as zeros.
//!
//! All comparisons take the same time for right and wrong values.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::numbers;
use super::packet::{AUTHENTICATOR_LENGTH, Code, HEADER_LENGTH, Packet};

/// 16 octets of an authenticator of either kind.
pub type Authenticator = [u8; AUTHENTICATOR_LENGTH];

/// What stands in the authenticator field while a Request Authenticator is computed.
const ZEROS: Authenticator = [0; AUTHENTICATOR_LENGTH];

/// Type and Length of a Message-Authenticator, before its value.
const ATTRIBUTE_HEADER_LENGTH: usize = 2;

/// The Request Authenticator that an Accounting-, CoA- or Disconnect-Request of these octets must carry. What stands
/// in its field now does not matter. `packet` is at least a header long.
pub fn request_authenticator(packet: &[u8], secret: &[u8]) -> Authenticator {
    digest(packet, &ZEROS, secret)
}

/// The Response Authenticator of a reply of these octets to the request with that authenticator. What stands in its
/// field now does not matter. `packet` is at least a header long.
pub fn response_authenticator(packet: &[u8], request: &Authenticator, secret: &[u8]) -> Authenticator {
    digest(packet, request, secret)
}

/// Whether the Request Authenticator of an Accounting-, CoA- or Disconnect-Request is right. For Access-Request and
/// Status-Server, whose authenticators are random, it never is; they have their Message-Authenticator.
pub fn verify_request(packet: &Packet, secret: &[u8]) -> bool {
    request_authenticator(packet.bytes(), secret).ct_eq(packet.authenticator()).into()
}

/// Whether the Response Authenticator of a reply to the request with that authenticator is right.
pub fn verify_response(packet: &Packet, request: &Authenticator, secret: &[u8]) -> bool {
    response_authenticator(packet.bytes(), request, secret).ct_eq(packet.authenticator()).into()
}

/// What a packet's Message-Authenticator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageAuthenticator {
    /// There is none.
    Absent,
    /// There is one, and it is right.
    Valid,
    /// It is wrong, of a wrong size, or there are several (RFC 3579 §3.3 allows one).
    Invalid,
}

/// Checks the Message-Authenticator of a request.
///
/// Access-Request and Status-Server are computed with their own authenticator in place; Accounting-, CoA- and
/// Disconnect-Request with zeros there, since their authenticator covers this attribute (RFC 5176 §3.4).
pub fn verify_request_message(packet: &Packet, secret: &[u8]) -> MessageAuthenticator {
    match packet.code() {
        Code::ACCESS_REQUEST | Code::STATUS_SERVER => verify_message(packet, packet.authenticator(), secret),
        _ => verify_message(packet, &ZEROS, secret),
    }
}

/// Checks the Message-Authenticator of a reply, computed with the request's authenticator in place.
pub fn verify_response_message(packet: &Packet, request: &Authenticator, secret: &[u8]) -> MessageAuthenticator {
    verify_message(packet, request, secret)
}

/// The value of the Message-Authenticator whose attribute begins at `offset` of these octets, computed with
/// `authenticator` in the packet's field. What its value is now does not matter.
pub fn message_authenticator(
    packet: &[u8],
    offset: usize,
    authenticator: &Authenticator,
    secret: &[u8],
) -> Authenticator {
    let value = offset + ATTRIBUTE_HEADER_LENGTH;
    let mut hmac = Hmac::<Md5>::new_from_slice(secret).expect("HMAC takes keys of any length");
    hmac.update(&packet[..HEADER_LENGTH - AUTHENTICATOR_LENGTH]);
    hmac.update(authenticator);
    hmac.update(&packet[HEADER_LENGTH..value]);
    hmac.update(&ZEROS);
    hmac.update(&packet[value + AUTHENTICATOR_LENGTH..]);
    hmac.finalize().into_bytes().into()
}

fn verify_message(packet: &Packet, authenticator: &Authenticator, secret: &[u8]) -> MessageAuthenticator {
    let mut found =
        packet.attributes().filter(|attribute| attribute.number == numbers::MESSAGE_AUTHENTICATOR.number as u8);
    let Some(attribute) = found.next() else { return MessageAuthenticator::Absent };
    if found.next().is_some() || attribute.value.len() != AUTHENTICATOR_LENGTH {
        return MessageAuthenticator::Invalid;
    }
    let right = message_authenticator(packet.bytes(), attribute.offset, authenticator, secret);
    if right.ct_eq(attribute.value).into() { MessageAuthenticator::Valid } else { MessageAuthenticator::Invalid }
}

fn digest(packet: &[u8], authenticator: &Authenticator, secret: &[u8]) -> Authenticator {
    Md5::new()
        .chain_update(&packet[..HEADER_LENGTH - AUTHENTICATOR_LENGTH])
        .chain_update(authenticator)
        .chain_update(&packet[HEADER_LENGTH..])
        .chain_update(secret)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::sample;

    fn check_reply(request: &[u8], reply: &[u8]) {
        let request = Packet::parse(request).unwrap();
        let mut wrong = reply.to_vec();
        assert!(verify_response(&Packet::parse(reply).unwrap(), request.authenticator(), sample::SECRET));
        assert!(!verify_response(&Packet::parse(reply).unwrap(), request.authenticator(), b"other"));
        wrong[1] ^= 1;
        assert!(!verify_response(&Packet::parse(&wrong).unwrap(), request.authenticator(), sample::SECRET));
    }

    #[test]
    fn rfc2865_7_1_response_authenticator() {
        check_reply(&sample::rfc2865_7_1_request(), &sample::rfc2865_7_1_accept());
    }

    #[test]
    fn rfc2865_7_2_response_authenticator() {
        check_reply(&sample::rfc2865_7_2_request(), &sample::rfc2865_7_2_accept());
    }

    #[test]
    fn rfc5997_6_1_message_and_response_authenticator() {
        let request = sample::rfc5997_6_1_request();
        let packet = Packet::parse(&request).unwrap();
        assert_eq!(verify_request_message(&packet, sample::SECRET), MessageAuthenticator::Valid);
        assert_eq!(verify_request_message(&packet, b"other"), MessageAuthenticator::Invalid);
        check_reply(&request, &sample::rfc5997_6_1_response());
    }

    #[test]
    fn rfc5997_6_2_message_and_response_authenticator() {
        let request = sample::rfc5997_6_2_request();
        let packet = Packet::parse(&request).unwrap();
        assert_eq!(verify_request_message(&packet, sample::SECRET), MessageAuthenticator::Valid);
        check_reply(&request, &sample::rfc5997_6_2_response());
    }

    /// An Accounting-Request as the `radius` crate signs it.
    fn accounting_request() -> Vec<u8> {
        let mut request = radius::core::packet::Packet::new_with_identifier(
            radius::core::code::Code::AccountingRequest,
            sample::SECRET,
            7,
        );
        radius::core::rfc2865::add_user_name(&mut request, "nemo");
        radius::core::rfc2866::add_acct_session_id(&mut request, "5F1A-0001");
        request.encode().unwrap()
    }

    #[test]
    fn rfc2866_3_request_authenticator_covers_every_octet_of_the_packet() {
        let request = accounting_request();
        assert!(verify_request(&Packet::parse(&request).unwrap(), sample::SECRET));
        assert!(!verify_request(&Packet::parse(&request).unwrap(), b"other"));
        for at in (0..request.len()).filter(|at| ![2, 3].contains(at)) {
            let mut forged = request.clone();
            forged[at] ^= 0x80;
            if let Ok(packet) = Packet::parse(&forged) {
                assert!(!verify_request(&packet, sample::SECRET), "octet {at} is not covered");
            }
        }
    }

    #[test]
    fn padding_takes_no_part_in_the_authenticator() {
        let mut padded = accounting_request();
        padded.extend([1, 2, 3]);
        assert!(verify_request(&Packet::parse(&padded).unwrap(), sample::SECRET));
        assert!(
            !radius::core::packet::Packet::is_authentic_request(&padded, sample::SECRET),
            "the radius crate takes the whole slice; when it no longer does, it can verify for us"
        );
    }

    #[test]
    fn rfc3579_3_2_message_authenticator_of_an_accounting_request_is_computed_over_a_zero_authenticator() {
        let mut request =
            sample::packet(4, 9, &sample::attributes(&[(1, b"nemo"), (80, &[0; 16]), (44, b"5F1A-0001")]));
        let value = message_authenticator(&request, 26, &ZEROS, sample::SECRET);
        request[28..44].copy_from_slice(&value);
        let authenticator = request_authenticator(&request, sample::SECRET);
        request[4..20].copy_from_slice(&authenticator);
        let packet = Packet::parse(&request).unwrap();
        assert!(verify_request(&packet, sample::SECRET));
        assert_eq!(verify_request_message(&packet, sample::SECRET), MessageAuthenticator::Valid);
        request[30] ^= 1;
        let packet = Packet::parse(&request).unwrap();
        assert_eq!(verify_request_message(&packet, sample::SECRET), MessageAuthenticator::Invalid);
    }

    #[test]
    fn rfc3579_3_2_message_authenticator_of_a_reply_needs_the_request() {
        let request = sample::rfc5997_6_2_request();
        let request = Packet::parse(&request).unwrap();
        let mut reply = sample::packet(5, 0xb3, &sample::attributes(&[(80, &[0; 16])]));
        let value = message_authenticator(&reply, 20, request.authenticator(), sample::SECRET);
        reply[22..38].copy_from_slice(&value);
        let reply = Packet::parse(&reply).unwrap();
        let verify = |request| verify_response_message(&reply, request, sample::SECRET);
        assert_eq!(verify(request.authenticator()), MessageAuthenticator::Valid);
        assert_eq!(verify(&ZEROS), MessageAuthenticator::Invalid);
    }

    #[test]
    fn a_message_authenticator_of_a_wrong_size_or_twice_is_invalid_and_none_is_absent() {
        let check = |pairs: &[(u8, &[u8])]| {
            let bytes = sample::packet(12, 1, &sample::attributes(pairs));
            verify_request_message(&Packet::parse(&bytes).unwrap(), sample::SECRET)
        };
        assert_eq!(check(&[(1, b"nemo")]), MessageAuthenticator::Absent);
        assert_eq!(check(&[(80, &[])]), MessageAuthenticator::Invalid);
        assert_eq!(check(&[(80, &[0; 15])]), MessageAuthenticator::Invalid);
        assert_eq!(check(&[(80, &[0; 17])]), MessageAuthenticator::Invalid);
        assert_eq!(check(&[(80, &[0; 16]), (80, &[0; 16])]), MessageAuthenticator::Invalid);
    }
}
