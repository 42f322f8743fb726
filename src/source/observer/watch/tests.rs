use super::*;
use crate::radius::{Method, Value, authenticator, sample};
use crate::secret::Secret;
use crate::source::client::Requirement;

const NAS: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:1812";
const SECRET: &[u8] = sample::SECRET;

fn watch(requirement: Option<Requirement>) -> Watch {
    let client = requirement.map(|message_authenticator| Client {
        name: "lobby".into(),
        network: "10.0.0.1/32".parse().unwrap(),
        secret: Secret::new(SECRET),
        message_authenticator,
        swap_octets: false,
        nas_type: None,
    });
    let clients = Arc::new(Clients::new(client.into_iter().collect()));
    Watch::new("edge".into(), "relay", clients, Dictionary::shipped(), Duration::from_secs(30))
}

fn sighting(ms: i64, from: &str, to: &str, octets: Vec<u8>) -> Sighting {
    let at = Timestamp::from_millisecond(1_795_342_530_000 + ms).unwrap();
    Sighting { at, from: from.parse().unwrap(), to: to.parse().unwrap(), octets: octets.into() }
}

fn asks(ms: i64, octets: Vec<u8>) -> Sighting {
    sighting(ms, NAS, SERVER, octets)
}

fn answers(ms: i64, octets: Vec<u8>) -> Sighting {
    sighting(ms, SERVER, NAS, octets)
}

/// An Access-Request with a Message-Authenticator, valid or not.
fn signed(identifier: u8, secret: &[u8]) -> Vec<u8> {
    signed_with(identifier, secret, &[])
}

/// The same, with more attributes.
fn signed_with(identifier: u8, secret: &[u8], more: &[(u8, &[u8])]) -> Vec<u8> {
    let attributes = [&[(80, [0; 16].as_slice()), (1, b"bob")], more].concat();
    let mut octets = sample::packet(1, identifier, &sample::attributes(&attributes));
    let signature = authenticator::message_authenticator(&octets, 20, &[0; 16], secret);
    octets[22..38].copy_from_slice(&signature);
    octets
}

fn unsigned(identifier: u8) -> Vec<u8> {
    sample::packet(1, identifier, &sample::attributes(&[(1, b"bob"), (2, &[7; 16])]))
}

fn outcome(watch: &mut Watch, sighting: &Sighting) -> (&'static str, usize) {
    let mut exchanges = Vec::new();
    (watch.see(sighting, &mut exchanges).outcome.label(), exchanges.len())
}

#[test]
fn request_and_reply_become_one_exchange_without_what_must_not_be_seen() {
    let mut watch = watch(Some(Requirement::Auto));
    let mut exchanges = Vec::new();
    let seen = watch.see(&asks(0, sample::rfc2865_7_1_request()), &mut exchanges);
    assert_eq!((seen.outcome, seen.client.unwrap().name.as_ref(), seen.unproven), (Outcome::Waits, "lobby", true));
    watch.see(&answers(12, sample::rfc2865_7_1_accept()), &mut exchanges);
    let [exchange] = &exchanges[..] else { panic!("{exchanges:?}") };
    assert_eq!(exchange.code, Code::ACCESS_REQUEST);
    assert_eq!((&*exchange.origin.client, exchange.origin.address.to_string()), ("lobby", "10.0.0.1".to_owned()));
    let reply = exchange.reply.as_ref().unwrap();
    assert_eq!((reply.code, reply.latency), (Code::ACCESS_ACCEPT, Some(Duration::from_millis(12))));
    assert_eq!(exchange.request.get(numbers::USER_NAME), Some(&Value::Text("nemo".into())));
    assert_eq!(exchange.request.get(numbers::USER_PASSWORD), Some(&Value::Redacted));
    assert_eq!((exchange.login.method, exchange.login.rounds), (Some(Method::Pap), Some(0)));
}

#[test]
fn nobody_known_is_watched_too_and_named_by_address() {
    let mut watch = watch(None);
    let mut exchanges = Vec::new();
    watch.see(&asks(0, unsigned(1)), &mut exchanges);
    watch.see(&answers(1, sample::packet(3, 1, &[])), &mut exchanges);
    assert_eq!(&*exchanges[0].origin.client, "10.0.0.1");
}

#[test]
fn a_forged_reply_is_dropped_and_the_genuine_one_still_counts() {
    let mut watch = watch(Some(Requirement::Auto));
    assert_eq!(outcome(&mut watch, &asks(0, sample::rfc2865_7_1_request())), ("request", 0));
    let mut forged = sample::rfc2865_7_1_accept();
    forged[0] = 3;
    assert_eq!(outcome(&mut watch, &answers(1, forged)), ("forged_reply", 0));
    assert_eq!(outcome(&mut watch, &answers(2, sample::rfc2865_7_1_accept())), ("answer", 1));
}

#[test]
fn message_authenticator_is_asked_for_as_the_client_is_configured() {
    let mut auto = watch(Some(Requirement::Auto));
    let unproven = |watch: &mut Watch, octets| watch.see(&asks(0, octets), &mut Vec::new()).unproven;
    assert!(unproven(&mut auto, unsigned(1)), "told once");
    assert!(!unproven(&mut auto, unsigned(2)), "and once only");
    assert_eq!(outcome(&mut auto, &asks(0, signed(3, b"wrong"))), ("bad_message_authenticator", 0));
    assert_eq!(outcome(&mut auto, &asks(0, unsigned(4))), ("request", 0));
    assert_eq!(outcome(&mut auto, &asks(0, signed(5, SECRET))), ("request", 0));
    assert_eq!(outcome(&mut auto, &asks(0, unsigned(6))), ("no_message_authenticator", 0));

    let mut yes = watch(Some(Requirement::Yes));
    assert_eq!(outcome(&mut yes, &asks(0, unsigned(1))), ("no_message_authenticator", 0));
    assert_eq!(outcome(&mut yes, &asks(0, signed(2, SECRET))), ("request", 0));

    let mut no = watch(Some(Requirement::No));
    assert_eq!(outcome(&mut no, &asks(0, signed(1, SECRET))), ("request", 0));
    assert!(!unproven(&mut no, unsigned(2)));
    assert_eq!(outcome(&mut no, &asks(0, unsigned(3))), ("request", 0));
    assert_eq!(outcome(&mut no, &asks(0, signed(4, b"wrong"))), ("bad_message_authenticator", 0));
}

#[test]
fn a_message_authenticator_that_came_with_eap_obliges_nobody_to_send_one_with_pap() {
    let mut watch = watch(Some(Requirement::Auto));
    let eap = signed_with(1, SECRET, &[(79, &[2, 1, 0, 8, 1, b'b', b'o', b'b'])]);
    assert_eq!(outcome(&mut watch, &asks(0, eap)), ("request", 0));
    assert_eq!(outcome(&mut watch, &asks(0, unsigned(2))), ("request", 0));
}

#[test]
fn accounting_is_told_at_once_when_it_is_genuine() {
    let mut watch = watch(Some(Requirement::Auto));
    let mut octets = sample::packet(4, 1, &sample::attributes(&[(40, &[0, 0, 0, 1]), (44, b"s-1")]));
    assert_eq!(outcome(&mut watch, &asks(0, octets.clone())), ("bad_authenticator", 0));
    let signature = authenticator::request_authenticator(&octets, SECRET);
    octets[4..20].copy_from_slice(&signature);
    assert_eq!(outcome(&mut watch, &asks(0, octets)), ("accounting", 1));
    assert_eq!(outcome(&mut watch, &answers(1, sample::packet(5, 1, &[]))), ("passed", 0));
}

#[test]
fn what_is_no_radius_and_what_answers_nothing_is_told_apart() {
    let mut watch = watch(Some(Requirement::Auto));
    assert_eq!(outcome(&mut watch, &asks(0, b"GET / HTTP/1.1".to_vec())), ("malformed", 0));
    assert_eq!(outcome(&mut watch, &asks(0, sample::packet(99, 1, &[]))), ("unexpected_code", 0));
    assert_eq!(outcome(&mut watch, &answers(0, sample::packet(2, 9, &[]))), ("reply_without_request", 0));
    // A health check and its answer, on an authentication port.
    let check = sample::packet(12, 3, &[]);
    assert_eq!(outcome(&mut watch, &sighting(0, "10.0.0.9:1000", SERVER, check)), ("request", 0));
    let alive = sighting(1, SERVER, "10.0.0.9:1000", sample::packet(2, 3, &[]));
    assert_eq!(outcome(&mut watch, &alive), ("passed", 0));
}

#[test]
fn a_request_that_nobody_answers_is_told_after_the_patience() {
    let mut watch = watch(Some(Requirement::Auto));
    let mut exchanges = Vec::new();
    watch.see(&asks(0, unsigned(1)), &mut exchanges);
    watch.expire(Timestamp::from_millisecond(1_795_342_530_000 + 30_001).unwrap(), &mut exchanges);
    assert!(matches!(&exchanges[..], [Exchange { reply: None, code: Code::ACCESS_REQUEST, .. }]), "{exchanges:?}");
}
