//! Answers to what an accounting port is asked: Accounting-Response (RFC 2866 §4.2), also to Status-Server
//! (RFC 5997 §3).
//!
//! Every Proxy-State of the request comes back, unchanged and in order (RFC 2865 §5.33). An answer to an
//! Accounting-Request carries no Message-Authenticator: FreeRADIUS 3.2.1 computes it over an authenticator of zeros
//! there and drops one that was made by RFC 3579. An answer to a Status-Server carries one, which it accepts.

use super::authenticator::{self, Authenticator};
use super::numbers::{MESSAGE_AUTHENTICATOR, PROXY_STATE};
use super::packet::{AUTHENTICATOR_LENGTH, Code, HEADER_LENGTH, Packet};

/// The Accounting-Response to an Accounting-Request that is stored. Never longer than the request.
pub fn accounting_response(request: &Packet, secret: &[u8]) -> Vec<u8> {
    let mut answer = header(request);
    echo_proxy_states(request, &mut answer);
    sign(answer, request.authenticator(), secret)
}

/// The Accounting-Response that says that radhook is alive. The request's Message-Authenticator has been verified,
/// so that the answer with its own is never longer than the request.
pub fn status_response(request: &Packet, secret: &[u8]) -> Vec<u8> {
    let mut answer = header(request);
    // First in the packet, so that its place tells nothing (CVE-2024-3596).
    let offset = answer.len();
    push(&mut answer, MESSAGE_AUTHENTICATOR.number as u8, &[0; AUTHENTICATOR_LENGTH]);
    echo_proxy_states(request, &mut answer);
    set_length(&mut answer);
    let value = authenticator::message_authenticator(&answer, offset, request.authenticator(), secret);
    answer[offset + 2..offset + 2 + AUTHENTICATOR_LENGTH].copy_from_slice(&value);
    sign(answer, request.authenticator(), secret)
}

fn header(request: &Packet) -> Vec<u8> {
    let mut answer = Vec::with_capacity(64);
    answer.extend([Code::ACCOUNTING_RESPONSE.0, request.identifier()]);
    answer.resize(HEADER_LENGTH, 0);
    answer
}

fn echo_proxy_states(request: &Packet, answer: &mut Vec<u8>) {
    let number = PROXY_STATE.number as u8;
    for state in request.attributes().filter(|attribute| attribute.number == number) {
        push(answer, number, state.value);
    }
}

/// Adds an attribute of at most 253 octets, which is what a packet's attribute can hold.
fn push(answer: &mut Vec<u8>, number: u8, value: &[u8]) {
    answer.extend([number, (value.len() + 2) as u8]);
    answer.extend(value);
}

fn set_length(answer: &mut [u8]) {
    let length = (answer.len() as u16).to_be_bytes();
    answer[2..4].copy_from_slice(&length);
}

fn sign(mut answer: Vec<u8>, request: &Authenticator, secret: &[u8]) -> Vec<u8> {
    set_length(&mut answer);
    let authenticator = authenticator::response_authenticator(&answer, request, secret);
    answer[HEADER_LENGTH - AUTHENTICATOR_LENGTH..HEADER_LENGTH].copy_from_slice(&authenticator);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::authenticator::{MessageAuthenticator, verify_response, verify_response_message};
    use crate::radius::sample;

    fn request(pairs: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = sample::packet(4, 77, &sample::attributes(pairs));
        bytes[4..20].copy_from_slice(b"0123456789abcdef");
        bytes
    }

    #[test]
    fn every_proxy_state_comes_back_in_order_and_nothing_else() {
        let bytes = request(&[(1, b"nemo"), (33, b"first"), (44, b"5F1A"), (33, b""), (33, &[0xff; 253])]);
        let asked = Packet::parse(&bytes).unwrap();
        let bytes = accounting_response(&asked, sample::SECRET);
        let answer = Packet::parse(&bytes).unwrap();
        assert_eq!((answer.code(), answer.identifier()), (Code::ACCOUNTING_RESPONSE, 77));
        let attributes: Vec<_> = answer.attributes().map(|attribute| (attribute.number, attribute.value)).collect();
        assert_eq!(attributes, [(33, b"first".as_slice()), (33, b""), (33, &[0xff; 253])]);
        assert!(verify_response(&answer, asked.authenticator(), sample::SECRET));
    }

    #[test]
    fn an_answer_to_accounting_never_has_a_message_authenticator() {
        let bytes = request(&[(80, &[1; 16]), (33, b"p")]);
        let answer = accounting_response(&Packet::parse(&bytes).unwrap(), sample::SECRET);
        let answer = Packet::parse(&answer).unwrap();
        assert_eq!(verify_response_message(&answer, b"0123456789abcdef", sample::SECRET), MessageAuthenticator::Absent);
    }

    #[test]
    fn an_answer_to_status_server_is_authenticated_both_ways() {
        let bytes = sample::rfc5997_6_2_request();
        let asked = Packet::parse(&bytes).unwrap();
        let answer = status_response(&asked, sample::SECRET);
        let answer = Packet::parse(&answer).unwrap();
        assert_eq!((answer.code(), answer.identifier()), (Code::ACCOUNTING_RESPONSE, 0xb3));
        assert!(verify_response(&answer, asked.authenticator(), sample::SECRET));
        assert_eq!(
            verify_response_message(&answer, asked.authenticator(), sample::SECRET),
            MessageAuthenticator::Valid
        );
    }

    #[test]
    fn the_radius_crate_finds_our_answers_authentic_and_builds_the_same() {
        let bytes = request(&[(33, b"one"), (33, b"two")]);
        let answer = accounting_response(&Packet::parse(&bytes).unwrap(), sample::SECRET);
        assert!(radius::core::packet::Packet::is_authentic_response(&answer, &bytes, sample::SECRET));
        let theirs = radius::core::packet::Packet::decode(&bytes, sample::SECRET).unwrap();
        let mut reply = theirs.make_response_packet(radius::core::code::Code::AccountingResponse);
        for state in radius::core::rfc2865::lookup_all_proxy_state(&theirs) {
            radius::core::rfc2865::add_proxy_state(&mut reply, &state);
        }
        assert_eq!(reply.encode().unwrap(), answer);
    }

    #[test]
    fn a_request_full_of_proxy_states_is_answered_within_4096_octets() {
        let full = sample::attributes(&[(33, [7; 253].as_slice()); 15]);
        let bytes = sample::packet(4, 1, &full);
        let answer = accounting_response(&Packet::parse(&bytes).unwrap(), sample::SECRET);
        assert_eq!(answer.len(), bytes.len());
    }
}
