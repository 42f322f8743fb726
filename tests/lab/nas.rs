//! The simulated NAS. Its packets are taken apart here by hand, with no crate for RADIUS in between.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use md5::{Digest, Md5};
use radhook::lab::nas::{Nas, NasOptions, Record, Status};
use radhook::secret::Secret;

const ACCT_DELAY_TIME: u8 = 41;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).unwrap()
}

fn secret() -> Secret {
    Secret::new("xyzzy5461")
}

/// Attribute values by type; every type the NAS sends stands in a packet once.
fn attributes(packet: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut rest = &packet[20..];
    let mut found = BTreeMap::new();
    while let [kind, length, ..] = rest {
        let (attribute, behind) = rest.split_at(usize::from(*length));
        assert!(found.insert(*kind, attribute[2..].to_vec()).is_none(), "attribute {kind} stands there twice");
        rest = behind;
    }
    found
}

fn number(packet: &[u8], kind: u8) -> u32 {
    u32::from_be_bytes(attributes(packet)[&kind][..].try_into().unwrap())
}

fn text(packet: &[u8], kind: u8) -> String {
    String::from_utf8(attributes(packet)[&kind].clone()).unwrap()
}

/// RFC 2866 §3: MD5 over code, identifier, length, sixteen zero octets, attributes, secret.
fn is_signed_with(packet: &[u8], secret: &str) -> bool {
    let sum = Md5::new().chain_update(&packet[..4]).chain_update([0; 16]).chain_update(&packet[20..]);
    sum.chain_update(secret).finalize()[..] == packet[4..20]
}

/// Every record of the next session, five minutes apart.
fn session(nas: &mut Nas) -> Vec<Record> {
    let mut session = nas.open(at(0));
    (0..).map_while(|number| session.next(at(number * 300))).collect()
}

#[test]
fn a_session_is_start_interims_and_stop_and_then_nothing() {
    let mut nas = Nas::new(NasOptions { interims: 3, ..NasOptions::default() });
    let statuses: Vec<_> = session(&mut nas).iter().map(|record| record.status).collect();
    let interim = Status::InterimUpdate;
    assert_eq!(statuses, [Status::Start, interim, interim, interim, Status::Stop]);
}

#[test]
fn packets_carry_what_an_access_point_sends_under_a_right_authenticator() {
    let mut nas = Nas::new(NasOptions::default());
    let records = session(&mut nas);
    let packets: Vec<_> = records.iter().map(|record| record.packet(7, &secret(), 0).unwrap()).collect();
    for (packet, record) in packets.iter().zip(&records) {
        assert_eq!(packet[..2], [4, 7], "Accounting-Request, identifier 7");
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
        assert!(is_signed_with(packet, "xyzzy5461"));
        assert_eq!(number(packet, 40), record.status as u32);
        assert_eq!(text(packet, 1), "alice@example.org");
        assert_eq!(attributes(packet)[&4], [10, 0, 0, 1]);
        assert_eq!(attributes(packet)[&8], [10, 1, 0, 0]);
        assert!(["00-11-22-00-01-00:Guest", "00-11-22-00-01-01:Staff"].contains(&text(packet, 30).as_str()));
        assert_eq!(text(packet, 31), "02-1A-00-00-00-01");
        assert_eq!(text(packet, 32), "lobby-ap-1");
        assert_eq!(number(packet, 61), 19, "Wireless-802.11");
        assert_eq!(number(packet, ACCT_DELAY_TIME), 0);
        assert_eq!(i64::from(number(packet, 55)), record.at.as_second());
        for same in [5, 30, 44, 50, 87] {
            assert_eq!(attributes(packet)[&same], attributes(&packets[0])[&same], "attribute {same}");
        }
    }
    assert!(!attributes(&packets[0]).contains_key(&46), "a start has no counters");
    assert_eq!([number(&packets[1], 46), number(&packets[3], 46)], [300, 900], "Acct-Session-Time");
    assert!(!attributes(&packets[2]).contains_key(&49));
    assert!((1..=5).contains(&number(&packets[3], 49)), "Acct-Terminate-Cause");
}

#[test]
fn counters_only_grow_and_some_go_beyond_four_gibibytes() {
    let mut nas = Nas::new(NasOptions::default());
    let mut beyond = 0;
    for _ in 0..100 {
        let records = session(&mut nas);
        for pair in records.windows(2) {
            assert!(pair[0].usage.input_octets <= pair[1].usage.input_octets);
            assert!(pair[0].usage.output_octets <= pair[1].usage.output_octets);
        }
        let stop = records.last().unwrap();
        let packet = stop.packet(0, &secret(), 0).unwrap();
        let merged =
            |octets, gigawords| u64::from(number(&packet, gigawords)) << 32 | u64::from(number(&packet, octets));
        assert_eq!(merged(42, 52), stop.usage.input_octets);
        assert_eq!(merged(43, 53), stop.usage.output_octets);
        beyond += u32::from(number(&packet, 53) > 0);
    }
    assert!((10..90).contains(&beyond), "{beyond} of 100 sessions have Gigawords");
}

#[test]
fn sent_again_a_record_keeps_all_but_its_delay() {
    let mut nas = Nas::new(NasOptions::default());
    let record = session(&mut nas).remove(1);
    let first = record.packet(1, &secret(), 0).unwrap();
    assert_eq!(record.packet(1, &secret(), 0).unwrap(), first, "an identical retransmission");
    let delayed = record.packet(2, &secret(), 5).unwrap();
    assert!(is_signed_with(&delayed, "xyzzy5461"));
    assert_ne!(delayed[4..20], first[4..20]);
    let mut expected = attributes(&first);
    expected.insert(ACCT_DELAY_TIME, 5u32.to_be_bytes().to_vec());
    assert_eq!(attributes(&delayed), expected);
}

#[test]
fn a_forged_packet_says_the_same_under_another_secret() {
    let mut nas = Nas::new(NasOptions::default());
    let record = session(&mut nas).remove(0);
    let forged = record.packet(1, &Secret::new("another"), 0).unwrap();
    assert!(!is_signed_with(&forged, "xyzzy5461"));
    assert!(is_signed_with(&forged, "another"));
    assert_eq!(attributes(&forged), attributes(&record.packet(1, &secret(), 0).unwrap()));
}

#[test]
fn on_and_off_are_about_the_nas_alone() {
    let nas = Nas::new(NasOptions::default());
    for (record, status) in [(nas.on(at(0)), 7), (nas.off(at(0)), 8)] {
        let packet = record.packet(0, &secret(), 0).unwrap();
        assert!(is_signed_with(&packet, "xyzzy5461"));
        assert_eq!(number(&packet, 40), status);
        assert_eq!(text(&packet, 32), "lobby-ap-1");
        assert!(!attributes(&packet).contains_key(&44), "no Acct-Session-Id");
    }
}

#[test]
fn users_take_turns_and_no_two_devices_or_sessions_are_alike() {
    let mut nas = Nas::new(NasOptions { users: 20, ..NasOptions::default() });
    let subscribers: Vec<_> = (0..40).map(|_| session(&mut nas).remove(0).subscriber.unwrap()).collect();
    let different = |of: fn(&radhook::lab::nas::Subscriber) -> &str| {
        subscribers.iter().map(|subscriber| of(subscriber)).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(different(|subscriber| &subscriber.user), 20);
    assert_eq!(different(|subscriber| &subscriber.mac), 20);
    assert_eq!(different(|subscriber| &subscriber.session), 40);
    assert_eq!(subscribers[19].user, "user00019@example.org");
}

#[test]
fn the_same_seed_gives_the_same_packets_and_another_seed_gives_others() {
    let stops = |seed| {
        let mut nas = Nas::new(NasOptions { seed, ..NasOptions::default() });
        let stops = (0..5).map(|_| session(&mut nas).pop().unwrap().packet(0, &secret(), 0).unwrap());
        stops.collect::<Vec<_>>()
    };
    assert_eq!(stops(1), stops(1));
    assert!(stops(1).iter().zip(stops(2)).all(|(one, other)| *one != other));
}

#[test]
fn time_that_does_not_pass_or_runs_back_carries_nothing() {
    let mut nas = Nas::new(NasOptions { interims: 1, ..NasOptions::default() });
    let mut session = nas.open(at(0));
    let start = session.next(at(0)).unwrap();
    let back = session.next(start.at - Duration::from_secs(10)).unwrap();
    assert_eq!(back.usage, start.usage);
}

#[test]
fn a_name_too_long_for_an_attribute_is_refused() {
    let mut nas = Nas::new(NasOptions { realm: "x".repeat(300), ..NasOptions::default() });
    assert!(session(&mut nas)[0].packet(0, &secret(), 0).is_err());
}
