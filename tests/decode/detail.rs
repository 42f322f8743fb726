//! Detail files, made up and written by FreeRADIUS.

use std::fs;
use std::net::UdpSocket;

use radhook::radius::authenticator::request_authenticator;
use serde_json::json;

use crate::support::freeradius::{Accounting, FreeRadius, NAS_SECRET};
use crate::support::process::PATIENCE;
use crate::verb::{decode, decode_stdin};
use crate::wire;

const RECORD: &str = "Sun Nov 22 10:15:30 2026\n\tUser-Name = \"bob \\\"b\\\" \\303\\251\"\n\tUser-Password = \"hunter2\"\n\
                      \tAcct-Status-Type = Stop\n\tNAS-IP-Address = 10.0.0.1\n\tAcct-Session-Time = 3600\n\
                      \tEvent-Timestamp = \"Nov 22 2026 10:15:29 UTC\"\n\tMy-Own = \"x\"\n\tTimestamp = 1795342530\n\n";

#[test]
fn a_record_is_an_object_with_typed_attributes() {
    let packet = decode_stdin(RECORD.as_bytes(), &["--json"]).only();
    assert_eq!(
        packet,
        json!({
            "packet": 1, "line": 1, "time": "2026-11-22T10:15:30.000000Z", "header": "Sun Nov 22 10:15:30 2026",
            "type": "Accounting-Request",
            "attributes": {
                "User-Name": "bob \"b\" é", "Acct-Status-Type": "Stop", "NAS-IP-Address": "10.0.0.1",
                "Acct-Session-Time": 3600, "Event-Timestamp": "2026-11-22T10:15:29.000Z", "My-Own": "x",
                "Timestamp": "1795342530",
            },
            "redacted": ["User-Password"],
        })
    );
    let text = decode_stdin(RECORD.as_bytes(), &[]).stdout;
    assert!(text.starts_with("1    2026-11-22T10:15:30Z  record in line 1, Accounting-Request\n"), "{text}");
    assert!(text.contains("\tUser-Name         = \"bob \\\"b\\\" é\"\n\tUser-Password     = [redacted]\n"), "{text}");
}

#[test]
fn a_bad_record_is_told_with_its_place_and_the_others_are_shown() {
    let input = format!("{RECORD}yesterday\n\tNAS-Port = 1\nnonsense\n\n{RECORD}");
    let ended = decode_stdin(input.as_bytes(), &["--json"]);
    assert_eq!((ended.code, ended.json().len()), (1, 2), "{ended:?}");
    let offset = RECORD.len() + "yesterday\n\tNAS-Port = 1\n".len();
    assert_eq!(
        ended.stderr,
        format!(
            "radhook: stdin: line 13, octet {offset}: this is neither an attribute nor the empty line that ends a record; \
             the record that begins in line 11 is left out\n"
        )
    );
}

#[test]
fn a_value_of_any_length_is_read() {
    let long = "x".repeat(200_000);
    let input = format!("now\n\tClass = \"{long}\"\n\tReply-Message = \"{long}\"\n\n");
    assert_eq!(decode_stdin(input.as_bytes(), &["--json"]).only()["attributes"]["Reply-Message"], long);
}

/// Sends a packet to a real FreeRADIUS, and reads what its detail module made of it.
#[test]
fn a_packet_says_the_same_in_freeradius_s_detail_file_as_on_the_wire() {
    const DICTIONARY: &str = "/usr/share/freeradius/dictionary";
    let vendor = |vendor: u32, body: &[u8]| [vendor.to_be_bytes().as_slice(), body].concat();
    let (cisco, unknown) = (vendor(9, b"\x01\x05a=b"), vendor(9, b"\xf0\x04xy"));
    let (mikrotik, wimax) = (vendor(14988, &[14, 6, 0, 0, 0, 5]), vendor(24757, b"\x01\x0b\0\x01\x051.0\x02\x03\x01"));
    let prefix = [0, 64, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0];
    let attributes = wire::attributes(&[
        (1, b"a \"b\" \\ \n caf\xc3\xa9"),
        (11, b"caf\xe9\\"),
        (40, &[0, 0, 0, 2]),
        (44, b"5F1A-0001"),
        (4, &[10, 0, 0]),
        (5, &[0, 0, 0, 7]),
        (25, &[0, 0xab, 0xff]),
        (55, &[0x6a, 0xb5, 0x41, 0x7f]),
        (64, &[1, 0, 0, 13]),
        (65, &[0, 0, 0, 6]),
        (81, b"\x01guests"),
        (95, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]),
        (96, &[0, 1, 2, 3, 4, 5, 6, 7]),
        (97, &prefix),
        (155, &[0, 24, 192, 0, 2, 0]),
        (26, &cisco),
        (26, &cisco),
        (26, &unknown),
        (26, &mikrotik),
        (26, &wimax),
        (250, b"unknown"),
    ]);
    let mut packet = wire::packet(4, 9, [0; 16], &attributes);
    let value = request_authenticator(&packet, NAS_SECRET.as_bytes());
    packet[4..20].copy_from_slice(&value);
    let freeradius = FreeRadius::start(&Accounting::Detail);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    socket.send_to(&packet, freeradius.accounting()).expect("it can be sent");
    socket.recv(&mut [0; 4096]).expect("FreeRADIUS answers when the record is written");

    let client = freeradius.radacct().join("127.0.0.1");
    let file = fs::read_dir(client).expect("the client has its directory").next().expect("it holds a file");
    let file = file.expect("the entry reads").path();
    let detail = decode(&file, &["--json", "--dictionary", DICTIONARY]).only();
    let wire = decode_stdin(wire::hex(&packet).as_bytes(), &["--json", "--dictionary", DICTIONARY]).only();
    let written = fs::read_to_string(&file).unwrap_or_default();
    let attributes = wire["attributes"].as_object().expect("attributes by name");
    assert_eq!(attributes.len(), 21, "{attributes:?}");
    for (name, value) in attributes {
        assert_eq!(detail["attributes"].get(name), Some(value), "{name}\n{written}");
    }
    assert_eq!(detail["type"], "Accounting-Request");
    assert!(detail["time"].is_string(), "{detail}");
}
