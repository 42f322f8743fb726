use super::*;
use crate::radius::sample;

const NAS: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:1812";

struct Wire(Pairing);

impl Wire {
    fn new() -> Self {
        Self(Pairing::new(Duration::from_secs(30)))
    }

    /// A request with this identifier and authenticator, so many milliseconds in.
    fn ask(&mut self, ms: i64, identifier: u8, authenticator: u8, attributes: &[(u8, &[u8])]) -> Passed {
        let octets = packet(Code::ACCESS_REQUEST, identifier, authenticator, attributes);
        self.0.request(passing(ms, &Packet::parse(&octets).unwrap()))
    }

    fn answer(&mut self, ms: i64, code: Code, identifier: u8, attributes: &[(u8, &[u8])]) -> Passed {
        let octets = packet(code, identifier, 0, attributes);
        self.0.reply(passing(ms, &Packet::parse(&octets).unwrap()), None)
    }

    fn answered(&mut self, ms: i64, code: Code, identifier: u8, attributes: &[(u8, &[u8])]) -> Pair {
        match self.answer(ms, code, identifier, attributes) {
            Passed::Answered(pair) => pair,
            other => panic!("{other:?}"),
        }
    }
}

fn packet(code: Code, identifier: u8, authenticator: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut octets = sample::packet(code.0, identifier, &sample::attributes(attributes));
    octets[4..20].fill(authenticator);
    octets
}

fn passing<'a>(ms: i64, packet: &'a Packet<'a>) -> Passing<'a> {
    Passing { at: at(ms), client: NAS.parse().unwrap(), server: SERVER.parse().unwrap(), packet }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_342_530_000 + ms).unwrap()
}

#[test]
fn a_reply_completes_its_request_once_and_latency_counts_from_the_first_sending() {
    let mut wire = Wire::new();
    assert_eq!(wire.ask(0, 7, 1, &[(1, b"bob"), (2, &[0; 16])]), Passed::Waits(None));
    assert_eq!(wire.ask(3_000, 7, 1, &[(1, b"bob"), (2, &[0; 16])]), Passed::Again);
    let pair = wire.answered(3_012, Code::ACCESS_ACCEPT, 7, &[]);
    assert_eq!(pair.reply.as_ref().unwrap().1, Duration::from_millis(3_012));
    assert_eq!((pair.at, pair.method, pair.rounds), (at(0), Some(Method::Pap), Some(0)));
    // The NAS asked again before it had the reply, and FreeRADIUS answers from its cache.
    assert_eq!(wire.ask(3_013, 7, 1, &[(1, b"bob")]), Passed::Again);
    assert_eq!(wire.answer(3_014, Code::ACCESS_ACCEPT, 7, &[]), Passed::Again);
    assert_eq!(wire.answer(3_015, Code::ACCESS_ACCEPT, 8, &[]), Passed::Alone);
    assert_eq!(wire.answer(3_016, Code::ACCOUNTING_RESPONSE, 7, &[]), Passed::Alone);
    assert!(wire.0.expire(at(60_000)).is_empty());
    assert_eq!(wire.0.len(), 0);
}

#[test]
fn rounds_are_counted_along_the_states_and_the_method_is_kept() {
    let mut wire = Wire::new();
    let identity: &[u8] = &[2, 1, 0, 6, 1, b'b'];
    wire.ask(0, 1, 1, &[(79, identity)]);
    let first = wire.answered(1, Code::ACCESS_CHALLENGE, 1, &[(24, b"s1"), (79, &[1, 2, 0, 6, 25, 0x20])]);
    assert_eq!((first.method.unwrap().name().as_ref(), first.rounds), ("PEAP", Some(1)));
    wire.ask(2, 2, 2, &[(24, b"s1"), (79, &[2, 2, 0, 6, 25, 0])]);
    wire.answered(3, Code::ACCESS_CHALLENGE, 2, &[(24, b"s2"), (79, &[1, 3, 0, 6, 25, 0])]);
    // The last request may say nothing of the method any more.
    wire.ask(4, 3, 3, &[(24, b"s2"), (79, &[2, 3, 0, 4])]);
    let last = wire.answered(5, Code::ACCESS_REJECT, 3, &[(79, &[4, 3, 0, 4])]);
    assert_eq!((last.method.unwrap().name().as_ref(), last.rounds), ("PEAP", Some(2)));
}

#[test]
fn rounds_are_unknown_where_the_first_ones_were_not_seen_or_are_long_ago() {
    let mut wire = Wire::new();
    wire.ask(0, 1, 1, &[(24, b"before we came"), (79, &[2, 2, 0, 6, 13, 0])]);
    let pair = wire.answered(1, Code::ACCESS_ACCEPT, 1, &[]);
    assert_eq!((pair.method.unwrap().name().as_ref(), pair.rounds), ("EAP-TLS", None));
    wire.ask(2, 2, 2, &[(79, &[2, 1, 0, 6, 1, 0])]);
    wire.answered(3, Code::ACCESS_CHALLENGE, 2, &[(24, b"s")]);
    wire.0.expire(at(5 * 60_000 + 4));
    wire.ask(5 * 60_000 + 5, 3, 3, &[(24, b"s")]);
    assert_eq!(wire.answered(5 * 60_000 + 6, Code::ACCESS_ACCEPT, 3, &[]).rounds, None);
}

#[test]
fn nobody_answers_shows_after_the_patience_or_when_the_identifier_is_used_again() {
    let mut wire = Wire::new();
    wire.ask(0, 1, 1, &[(1, b"a")]);
    wire.ask(10, 2, 2, &[(1, b"b")]);
    let Passed::Waits(Some(before)) = wire.ask(20, 1, 3, &[(1, b"c")]) else { panic!("a was not given up") };
    assert_eq!((before.reply, before.at), (None, at(0)));
    assert!(wire.0.expire(at(30_010)).is_empty());
    let late: Vec<_> = wire.0.expire(at(30_011)).iter().map(|pair| pair.at).collect();
    assert_eq!(late, [at(10)]);
    assert_eq!(wire.0.expire(at(60_000)).len(), 1);
    assert_eq!(wire.0.octets, 0);
}

#[test]
fn a_reply_that_the_secret_does_not_prove_answers_nothing() {
    let (request, reply) = (sample::rfc2865_7_1_request(), sample::rfc2865_7_1_accept());
    let (request, genuine) = (Packet::parse(&request).unwrap(), Packet::parse(&reply).unwrap());
    let mut forged = reply.clone();
    forged[0] = Code::ACCESS_REJECT.0;
    let forged = Packet::parse(&forged).unwrap();
    let mut pairing = Pairing::new(Duration::from_secs(30));
    pairing.request(passing(0, &request));
    assert_eq!(pairing.reply(passing(1, &forged), Some(sample::SECRET)), Passed::Forged);
    assert_eq!(pairing.reply(passing(1, &genuine), Some(b"another secret")), Passed::Forged);
    assert!(matches!(pairing.reply(passing(2, &genuine), Some(sample::SECRET)), Passed::Answered(_)));
}

#[test]
fn what_waits_is_bounded_in_number_and_in_octets() {
    let mut pairing = Pairing::new(Duration::from_secs(30));
    let ask = |pairing: &mut Pairing, port: u16, identifier: u8, attributes: &[(u8, &[u8])]| {
        let octets = packet(Code::ACCESS_REQUEST, identifier, 1, attributes);
        let packet = Packet::parse(&octets).unwrap();
        pairing.request(Passing { client: ([10, 0, 0, 1], port).into(), ..passing(0, &packet) });
    };
    for number in 0..=MAX_WAITING {
        ask(&mut pairing, u16::try_from(number >> 8).unwrap() + 1, number as u8, &[]);
    }
    assert_eq!((pairing.len(), pairing.take_forgotten(), pairing.take_forgotten()), (MAX_WAITING, 1, 0));
    let long = [0; 253];
    let large = vec![(79, long.as_slice()); 15];
    for number in 0..MAX_OCTETS / 3_845 + 1 {
        ask(&mut pairing, u16::try_from(number >> 8).unwrap() + 1, number as u8, &large);
    }
    assert!(pairing.octets <= MAX_OCTETS, "{}", pairing.octets);
    assert!(pairing.take_forgotten() > 0);
}

#[test]
fn what_is_let_go_is_counted_and_leaves_nothing_behind() {
    let mut wire = Wire::new();
    wire.ask(0, 7, 1, &[(1, b"bob")]);
    wire.ask(0, 8, 1, &[(1, b"eve")]);
    wire.answered(1, Code::ACCESS_ACCEPT, 8, &[]);
    assert_eq!(wire.0.let_go(), 1);
    assert_eq!((wire.0.len(), wire.0.octets, wire.0.expire(at(60_000)).len()), (0, 0, 0));
}
