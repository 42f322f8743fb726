//! What goes in and what comes out.

use std::fs;

use serde_json::json;

use crate::verb::{decode, decode_stdin};
use crate::wire::{self, CLIENT, SECRET, SERVER};

/// A login, and what the server says to it.
fn login() -> (Vec<u8>, Vec<u8>) {
    let asked = wire::attributes(&[
        (1, b"bob"),
        (2, b"0123456789abcdef"),
        (4, &[10, 0, 0, 1]),
        (61, &[0, 0, 0, 19]),
        (79, &[2, 0, 0, 5, 1]),
        // The number that RFC 5612 keeps for examples: no dictionary names what is in there.
        (26, &[0, 0, 0x7e, 0xd9, 1, 5, b'a', b'=', b'b']),
    ]);
    let request = wire::packet(1, 7, *b"sixteen octets!!", &asked);
    let reply = wire::signed_reply(2, &request, &wire::attributes(&[(18, b"hello"), (27, &[0, 0, 14, 16])]));
    (request, reply)
}

fn frames() -> Vec<Vec<u8>> {
    let (request, reply) = login();
    vec![wire::ethernet(&wire::udp(CLIENT, SERVER, &request)), wire::ethernet(&wire::udp(SERVER, CLIENT, &reply))]
}

#[test]
fn every_format_is_told_by_itself_and_says_the_same_from_a_file_and_from_stdin() {
    let (request, reply) = login();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let expected = decode_stdin(&wire::pcap(&frames()), &["--json"]).json();
    assert_eq!(expected.len(), 2);
    let both = |dump: &dyn Fn(&[u8]) -> String, packet: &dyn Fn(&[u8], bool) -> Vec<u8>| {
        (dump(&packet(&request, true)) + &dump(&packet(&reply, false))).into_bytes()
    };
    let bare = |packet: &[u8], _: bool| packet.to_vec();
    let ip = |packet: &[u8], forth: bool| {
        let (from, to) = if forth { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        wire::udp(from, to, packet)
    };
    let frame = |packet: &[u8], forth: bool| wire::ethernet(&ip(packet, forth));
    for (name, input) in [
        ("pcapng", wire::pcapng(&frames())),
        ("bare lines", both(&|octets| wire::hex(octets) + "\n", &bare)),
        ("0x", both(&|octets| format!("0x{}\n\n", wire::hex(octets)), &bare)),
        ("xxd", both(&wire::xxd, &bare)),
        ("tcpdump -x", both(&wire::tcpdump_x, &ip)),
        ("tcpdump -xx", both(&wire::tcpdump_x, &frame)),
    ] {
        let file = directory.path().join("input");
        fs::write(&file, &input).expect("a file can be written");
        for ended in [decode(&file, &["--json"]), decode_stdin(&input, &["--json"])] {
            assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{name}: {ended:?}");
            let packets = ended.json();
            assert_eq!(packets.len(), 2, "{name}: {packets:?}");
            for (found, expected) in packets.iter().zip(&expected) {
                for key in ["code", "type", "id", "length", "attributes", "redacted", "answers"] {
                    assert_eq!(found.get(key), expected.get(key), "{name}: {key}");
                }
            }
        }
    }
}

#[test]
fn an_object_a_packet_with_time_addresses_authenticators_and_attributes_by_name() {
    let ended = decode_stdin(&wire::pcap(&frames()), &["--json", "--secret", SECRET]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(
        ended.json(),
        [
            json!({
                "packet": 1, "time": "2026-11-22T10:15:30.000000Z",
                "source": { "address": "10.0.0.1", "port": 40000 },
                "destination": { "address": "10.0.0.2", "port": 1812 },
                "length": 73, "code": 1, "type": "Access-Request", "id": 7,
                "authenticator": "random", "message_authenticator": "absent",
                "attributes": {
                    "User-Name": "bob", "NAS-IP-Address": "10.0.0.1", "NAS-Port-Type": "Wireless-802.11",
                    "Attr-26.32473.1": "0x613d62",
                },
                "redacted": ["User-Password", "EAP-Message"],
            }),
            json!({
                "packet": 2, "time": "2026-11-22T10:15:30.001000Z",
                "source": { "address": "10.0.0.2", "port": 1812 },
                "destination": { "address": "10.0.0.1", "port": 40000 },
                "length": 51, "code": 2, "type": "Access-Accept", "id": 7,
                "authenticator": "valid", "message_authenticator": "valid",
                "answers": 1, "latency_ms": 1.0,
                "attributes": { "Reply-Message": "hello", "Session-Timeout": 3600 },
                "redacted": ["Message-Authenticator"],
            }),
        ]
    );
}

#[test]
fn authenticators_are_checked_with_the_client_s_secret_or_the_common_one() {
    let request = wire::signed_request(4, 9, &wire::attributes(&[(1, b"bob"), (40, &[0, 0, 0, 1])]));
    let reply = wire::signed_reply(5, &request, &[]);
    let input = wire::pcap(&[
        wire::ethernet(&wire::udp(CLIENT, "10.0.0.2:1813", &request)),
        wire::ethernet(&wire::udp("10.0.0.2:1813", CLIENT, &reply)),
        // Nobody asked for this one.
        wire::ethernet(&wire::udp("10.0.0.2:1813", "10.0.0.9:40000", &reply)),
    ]);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("secret");
    fs::write(&file, format!("{SECRET}\n")).expect("a file can be written");
    let file = file.to_str().expect("temporary files have UTF-8 names");
    let right = format!("10.0.0.0/24={SECRET}");
    for (words, request, reply) in [
        (vec!["--secret", SECRET], "valid", "valid"),
        (vec!["--secret-file", file], "valid", "valid"),
        (vec!["--client", right.as_str(), "--secret", "another"], "valid", "valid"),
        (vec!["--client", "10.0.0.1=another", "--secret", SECRET], "invalid", "invalid"),
        (vec!["--client", right.as_str(), "--client", "10.0.0.1=another"], "invalid", "invalid"),
        (vec!["--client", "10.9.0.0/16=another"], "unchecked", "unchecked"),
        (vec![], "unchecked", "unchecked"),
    ] {
        let ended = decode_stdin(&input, &[&["--json"], words.as_slice()].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let packets = ended.json();
        assert_eq!(packets[0]["authenticator"], request, "{words:?}");
        assert_eq!(packets[1]["authenticator"], reply, "{words:?}");
        assert_eq!(packets[1]["message_authenticator"], reply, "{words:?}");
        assert_eq!(packets[2]["authenticator"], "unchecked", "{words:?}");
        assert_eq!(packets[2]["answers"], json!(null));
    }
}

#[test]
fn the_text_is_aligned_and_tells_latency_repeats_and_silence() {
    let (request, reply) = login();
    let other = wire::packet(1, 8, *b"another sixteen!", &wire::attributes(&[(1, b"eve\x1b[31m\"")]));
    let to = |packet: &[u8]| wire::ethernet(&wire::udp(CLIENT, SERVER, packet));
    let input =
        wire::pcap(&[to(&request), to(&request), wire::ethernet(&wire::udp(SERVER, CLIENT, &reply)), to(&other)]);
    let ended = decode_stdin(&input, &["--secret", SECRET]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let login = "\tUser-Name           = \"bob\"\n\tUser-Password       = [redacted]\n\tNAS-IP-Address      = 10.0.0.1\n\
                 \tNAS-Port-Type       = Wireless-802.11\n\tEAP-Message         = [redacted]\n\
                 \tAttr-26.32473.1     = 0x613d62\n\tAuthenticator-Field = 0x7369787465656e206f63746574732121\n";
    let expected = format!(
        "1    2026-11-22T10:15:30.000000Z  {CLIENT} -> {SERVER}  Access-Request id 7, 73 octets\n{login}\
         \t(authenticator random; Message-Authenticator absent)\n\n\
         2    2026-11-22T10:15:30.001000Z  {CLIENT} -> {SERVER}  Access-Request id 7, 73 octets\n{login}\
         \t(sent again: the same as 1; authenticator random; Message-Authenticator absent)\n\n\
         3    2026-11-22T10:15:30.002000Z  {SERVER} -> {CLIENT}  Access-Accept id 7, 51 octets\n\
         \tMessage-Authenticator = [redacted]\n\tReply-Message         = \"hello\"\n\tSession-Timeout       = 3600\n\
         \tAuthenticator-Field   = 0x{}\n\
         \t(answers 1 after 2.000 ms; authenticator valid; Message-Authenticator valid)\n\n\
         4    2026-11-22T10:15:30.003000Z  {CLIENT} -> {SERVER}  Access-Request id 8, 31 octets\n\
         \tUser-Name           = \"eve\\033[31m\\\"\"\n\
         \tAuthenticator-Field = 0x616e6f74686572207369787465656e21\n\
         \t(authenticator random; Message-Authenticator absent)\n\n\
         1 request without an answer:\n\
         4    2026-11-22T10:15:30.003000Z  {CLIENT} -> {SERVER}  Access-Request id 8\n",
        wire::hex(&reply[4..20]),
    );
    assert_eq!(ended.stdout, expected);
}

#[test]
fn explain_shows_every_octet_but_those_of_secrets() {
    let (request, _) = login();
    let ended = decode_stdin(wire::hex(&request).as_bytes(), &["--explain"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(
        ended.stdout,
        "1    Access-Request id 7, 73 octets\n\
         \t   0    1  01                                               Code = Access-Request\n\
         \t   1    1  07                                               Identifier = 7\n\
         \t   2    2  00 49                                            Length = 73\n\
         \t   4   16  73 69 78 74 65 65 6e 20 6f 63 74 65 74 73 21 21  Authenticator\n\
         \t  20    5  01 05 62 6f 62                                   User-Name = \"bob\"\n\
         \t  25   18  02 12 [16 octets not shown]                      User-Password = [redacted]\n\
         \t  43    6  04 06 0a 00 00 01                                NAS-IP-Address = 10.0.0.1\n\
         \t  49    6  3d 06 00 00 00 13                                NAS-Port-Type = Wireless-802.11\n\
         \t  55    7  4f 07 [5 octets not shown]                       EAP-Message = [redacted]\n\
         \t  62    6  1a 0b 00 00 7e d9                                Vendor-Specific of 32473\n\
         \t  68    5  01 05 61 3d 62                                     Attr-26.32473.1 = 0x613d62\n\
         \t(authenticator random; Message-Authenticator absent)\n\n"
    );
    let packet = decode_stdin(wire::hex(&request).as_bytes(), &["--explain", "--json"]).only();
    assert_eq!(
        packet["parts"][4],
        json!({ "offset": 20, "length": 5, "hex": "0105626f62", "name": "User-Name", "value": "bob" })
    );
    assert_eq!(
        packet["parts"][5],
        json!({ "offset": 25, "length": 18, "hex": "0212", "name": "User-Password", "value": "[redacted]" })
    );
}

#[test]
fn secrets_are_shown_in_no_way() {
    let body = [b"hunter2-hunter2-".as_slice(), &[0; 16]].concat();
    let key = [[0, 0, 1, 55, 16, 2 + 18, 0x80, 1].as_slice(), b"hunter2-hunter2-"].concat();
    let asked = wire::attributes(&[(2, &body), (79, b"hunter2-hunter2-"), (26, &key), (69, &body), (1, b"bob")]);
    let request = wire::packet(1, 7, [9; 16], &asked);
    let detail = "now\n\tUser-Password = \"hunter2\"\n\tMS-CHAP2-Response = 0x68756e74657232\n\tCleartext-Password := \"x\"\n\n\
                  now\n\tCleartext-Password = \"hunter2\"\n\tTmp-Secret = hunter2\n\tUser-Name = \"bob\"\n\n";
    for input in [
        wire::hex(&request).into_bytes(),
        wire::pcap(&[wire::ethernet(&wire::udp(CLIENT, SERVER, &request))]),
        detail.into(),
    ] {
        for words in [&["--json"][..], &["--explain"], &["--json", "--explain"], &[]] {
            let ended = decode_stdin(&input, &[words, &["--secret", "hunter2-hunter2-"]].concat());
            assert!(ended.stdout.contains("bob"), "{ended:?}");
            for secret in ["hunter2", "68756e74657232", "68 75 6e 74 65 72 32"] {
                assert!(!format!("{ended:?}").contains(secret), "{words:?}: {ended:?}");
            }
        }
    }
}

#[test]
fn a_dictionary_and_a_port_can_be_added() {
    let (request, _) = login();
    let input = wire::pcap(&[wire::ethernet(&wire::udp(CLIENT, "10.0.0.2:1700", &request))]);
    let without = decode_stdin(&input, &["--json"]);
    assert_eq!((without.code, without.stdout.as_str()), (0, ""));
    assert!(without.stderr.contains("no RADIUS on ports 1812, 1813, 1645, 1646, 3799 in 1 frames; --port adds others"));

    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("dictionary.mine");
    fs::write(
        &file,
        "VENDOR Mine 32473\nBEGIN-VENDOR Mine\nATTRIBUTE Mine-Pair 1 string\nEND-VENDOR Mine\nSOMETHING new\n",
    )
    .expect("a file can be written");
    let file = file.to_str().expect("temporary files have UTF-8 names");
    let ended = decode_stdin(&input, &["--json", "--port", "1700", "--dictionary", file]);
    assert_eq!(ended.only()["attributes"]["Mine-Pair"], "a=b");
    assert!(
        ended.stderr.starts_with("radhook: warning: ") && ended.stderr.contains("dictionary.mine:5:1: "),
        "{ended:?}"
    );

    let missing = decode_stdin(&input, &["--dictionary", "/nowhere/dictionary"]);
    assert_eq!(missing.code, 1);
    assert_eq!(
        missing.stderr,
        "radhook: load the dictionary: /nowhere/dictionary:1:1: cannot read /nowhere/dictionary: no such file\n"
    );
}

#[test]
fn of_a_broken_capture_all_is_shown_up_to_the_place_where_it_breaks() {
    let whole = wire::pcap(&frames());
    let second = 24 + 16 + 73 + 42;
    for (input, error) in [
        (&whole[..whole.len() - 1], format!("the record at octet {second} is not all there: the file ends within it")),
        (&whole[..second + 5], format!("the record at octet {second} is not all there: the file ends within it")),
        (&whole[..10], "the record at octet 0 is not all there: the file ends within it".to_owned()),
    ] {
        let ended = decode_stdin(input, &["--json"]);
        assert_eq!((ended.code, ended.json().len()), (1, usize::from(input.len() > second)), "{ended:?}");
        assert!(ended.stderr.contains(&format!("radhook: stdin: {error}\n")), "{ended:?}");
    }
    let ng = wire::pcapng(&frames());
    let mut damaged = ng.clone();
    // The length of the last block, before and behind it.
    let last = ng.len() - 4;
    damaged[last] ^= 0xff;
    let ended = decode_stdin(&damaged, &["--json"]);
    assert_eq!((ended.code, ended.json().len()), (1, 1), "{ended:?}");
    assert!(ended.stderr.contains("the file is damaged there"), "{ended:?}");
}

#[test]
fn of_a_packet_that_the_capture_cut_the_whole_attributes_are_shown_and_it_is_said() {
    let input = wire::pcap_with(1, 42 + 43, &frames()[..1]);
    let packet = decode_stdin(&input, &["--json", "--secret", SECRET]).only();
    assert_eq!((&packet["length"], &packet["captured"]), (&json!(73), &json!(43)));
    assert_eq!(packet["attributes"], json!({ "User-Name": "bob" }));
    assert_eq!(packet["message_authenticator"], "unchecked");
    let text = decode_stdin(&input, &[]).stdout;
    assert!(text.contains("73 octets (cut by the capture: only 43 of them are there)"), "{text}");
}

#[test]
fn fragments_of_a_large_packet_are_put_together() {
    let asked = wire::attributes(&[(1, b"bob"), (18, &[b'x'; 253]), (18, &[b'y'; 253])]);
    let request = wire::packet(1, 7, [9; 16], &asked);
    let whole = wire::udp(CLIENT, SERVER, &request);
    let part = |from: usize, to: usize, more: bool| {
        let mut ip = whole[..20].to_vec();
        ip.extend(&whole[20 + from..20 + to]);
        ip[2..4].copy_from_slice(&(20 + (to - from) as u16).to_be_bytes());
        ip[6..8].copy_from_slice(&(u16::from(more) << 13 | (from / 8) as u16).to_be_bytes());
        wire::ethernet(&ip)
    };
    let end = whole.len() - 20;
    let packet = decode_stdin(&wire::pcap(&[part(256, end, false), part(0, 256, true)]), &["--json"]).only();
    assert_eq!(packet["attributes"]["Reply-Message"], json!(["x".repeat(253), "y".repeat(253)]));
    let ended = decode_stdin(&wire::pcap(&[part(256, end, false)]), &["--json"]);
    assert!(ended.stderr.contains("left out: 1 datagrams of which fragments are missing"), "{ended:?}");
}

#[test]
fn ipv6_and_other_link_layers_are_read() {
    let (request, _) = login();
    let (client, server) = ("[2001:db8::1]:40000", "[2001:db8::2]:1812");
    let ip = wire::udp(client, server, &request);
    let cooked = |ip: &[u8]| [[0; 14].as_slice(), &[0x86, 0xdd], ip].concat();
    let cooked2 = |ip: &[u8]| [[0x86, 0xdd].as_slice(), &[0; 18], ip].concat();
    for (link, frame) in [
        (1, wire::ethernet(&ip)),
        (101, ip.clone()),
        (229, ip.clone()),
        (113, cooked(&ip)),
        (276, cooked2(&ip)),
        (0, [&[30, 0, 0, 0], ip.as_slice()].concat()),
    ] {
        let packet = decode_stdin(&wire::pcap_with(link, usize::MAX, &[frame]), &["--json"]).only();
        assert_eq!(packet["source"], json!({ "address": "2001:db8::1", "port": 40000 }), "{link}");
        assert_eq!(packet["attributes"]["User-Name"], "bob", "{link}");
    }
}

#[test]
fn what_is_no_packet_is_said_to_be_none() {
    let broken = wire::packet(1, 7, [9; 16], &[1, 1, 0]);
    let ended = decode_stdin(&wire::pcap(&[wire::ethernet(&wire::udp(CLIENT, SERVER, &broken))]), &["--json"]);
    assert_eq!(ended.only()["error"], "attribute 1 at octet 20 has length 1, the least is 2");
    // Given by hand, it is what was asked about.
    let ended = decode_stdin(wire::hex(&broken).as_bytes(), &[]);
    assert_eq!(ended.code, 1);
    assert_eq!(
        ended.stdout,
        "1    no RADIUS packet, 23 octets: attribute 1 at octet 20 has length 1, the least is 2\n\n"
    );
    let ended = decode_stdin(b"0100\n0x01 zz\n\n", &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (1, "radhook: stdin: line 2, column 6: 'z' is no hex digit\n"));
}

#[test]
fn a_file_that_is_nothing_of_it_is_refused_with_the_reason() {
    for (input, reason) in [
        (b"".as_slice(), "it is empty"),
        (b"\x1f\x8b\x08\x00", "it is compressed with gzip; unpack it first"),
        (b"hello\n", "it is neither pcap nor pcapng, nor a hex dump, nor a detail file"),
    ] {
        let ended = decode_stdin(input, &[]);
        assert_eq!((ended.code, ended.stderr), (1, format!("radhook: cannot decode stdin: {reason}\n")));
    }
    let missing = decode("/nowhere/x.pcap".as_ref(), &[]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.starts_with("radhook: open /nowhere/x.pcap: No such file"), "{missing:?}");
    assert_eq!(decode_stdin(b"", &["--client", "nobody"]).code, 2);
}
