//! tcpdump's own RADIUS captures, and what its `.out` files say they hold.
//!
//! Both print the same facts in different words. What is compared is every packet's code, Identifier, authenticator and
//! addresses, every attribute's number and order, and every value that both print; what they print differently is listed
//! in [`mapped`].

use std::fs;

use radhook::radius::Dictionary;
use radhook::radius::dictionary::Space;
use serde_json::Value;

use crate::support::sources::source;
use crate::verb::decode;

/// One attribute as tcpdump prints it.
struct Theirs {
    number: u32,
    name: String,
    value: String,
}

/// Captures with RADIUS, tcpdump's output for them, a port they need, and how many attributes both print.
const FILES: [(&str, &str, &str, usize); 8] = [
    ("RADIUS.pcap", "radius-v.out", "", 35),
    ("RADIUS-RFC3162.pcap", "radius-rfc3162-v.out", "", 9),
    ("RADIUS-RFC4675.pcap", "radius-rfc4675-v.out", "", 25),
    ("RADIUS-RFC5176.pcap", "radius-rfc5176-v.out", "", 6),
    ("RADIUS-RFC5176-2.pcap", "radius-rfc5176-2-v.out", "", 4),
    ("RADIUS-RFC5447.pcap", "radius-rfc5447-v.out", "", 3),
    ("RADIUS-RFC5580.pcap", "radius-rfc5580-v.out", "", 9),
    ("RADIUS-port1700.pcap", "radius-port1700-v.out", "1700", 1),
];

/// What tcpdump calls numbers of a few attributes, and what the dictionaries call them.
const WORDS: [(&str, &str); 3] = [("Framed", "Framed-User"), ("NAS Select", "255.255.255.254"), ("#3", "3")];

/// A value of theirs in our words; None where they print what we do not or otherwise.
fn mapped(theirs: &Theirs, ours: &Value) -> Option<Value> {
    let text = |text: &str| Some(Value::String(text.to_owned()));
    match theirs.name.as_str() {
        // Never shown by us; tcpdump prints parts of them.
        "User-Password" | "EAP-Message" | "Message-Authenticator" => None,
        // Octets: tcpdump prints dots for what is not ASCII.
        "State"
        | "User-Priority-Table"
        | "Location-Information"
        | "Location-Data"
        | "Basic-Location-Policy-Rules"
        | "Operator-Name"
        | "MIP6-Feature-Vector"
        | "MIP6-Home-Link-Prefix" => None,
        // They tell the number and describe it, we name it; a number that nobody knows stays one.
        "Error-Cause" => {
            let (number, told) = theirs.value.strip_prefix("Error cause ")?.split_once(": ")?;
            if told.ends_with("not known") { number.parse::<u64>().ok().map(Value::from) } else { None }
        }
        // The dictionaries do not take the tag apart: RFC 4675 §2.1 puts it into the number, §2.3 into the text.
        "Egress-VLANID" | "Egress-VLAN-Name" => {
            let (tag, rest) = theirs.value.split_once("(0x").and_then(|(_, rest)| rest.split_once(") "))?;
            let tag = u64::from_str_radix(tag, 16).ok()?;
            match rest.parse::<u64>() {
                Ok(number) => Some((tag << 24 | number).into()),
                Err(_) => text(&format!("{}{rest}", char::from(u8::try_from(tag).ok()?))),
            }
        }
        // They say what is wrong with it, we show its octets.
        _ if theirs.value.starts_with("ERROR") => ours.as_str().filter(|ours| ours.starts_with("0x")).and_then(text),
        _ => {
            let value =
                WORDS.iter().find(|(word, _)| *word == theirs.value).map_or(theirs.value.as_str(), |(_, ours)| ours);
            match (value.parse::<u64>(), ours) {
                (Ok(number), Value::Number(_)) => Some(number.into()),
                _ => text(value),
            }
        }
    }
}

#[test]
fn tcpdump_s_captures_say_what_its_out_files_say() {
    let tests = source("tcpdump", "tests");
    let dictionary = Dictionary::shipped();
    for (capture, out, port, expected) in FILES {
        let out = fs::read_to_string(tests.join(out)).unwrap_or_else(|error| panic!("{out}: {error}"));
        let words: &[&str] =
            if port.is_empty() { &["--json", "--explain"] } else { &["--json", "--explain", "--port", port] };
        let ended = decode(&tests.join(capture), words);
        assert_eq!(ended.code, 0, "{capture}: {ended:?}");
        let packets = ended.json();
        let mut theirs = out.lines().peekable();
        let mut compared = 0;
        for packet in &packets {
            let place = theirs.find(|line| line.contains(": RADIUS, length: ")).expect("as many packets");
            let (addresses, length) = place.trim().split_once(": RADIUS, length: ").expect("it was found by this");
            assert_eq!(packet["length"].to_string(), length, "{capture}");
            let end = |end: &Value| format!("{}.{}", end["address"].as_str().unwrap_or("?"), end["port"]);
            assert_eq!(addresses, format!("{} > {}", end(&packet["source"]), end(&packet["destination"])));
            let head = theirs.next().expect("a header").trim();
            let parts = packet["parts"].as_array().expect("--explain was asked for");
            let authenticator = parts[3]["hex"].as_str().expect("sixteen octets");
            assert_eq!(
                head,
                format!(
                    "{} ({}), id: {:#04x}, Authenticator: {authenticator}",
                    packet["type"].as_str().unwrap_or("?"),
                    packet["code"],
                    packet["id"].as_u64().unwrap_or(256)
                ),
                "{capture}"
            );
            let mut ours = parts[4..].iter();
            while let Some(line) = theirs.next_if(|line| line.starts_with('\t')) {
                let Some(attribute) = attribute(line) else { continue };
                let part = ours.next().unwrap_or_else(|| panic!("{capture}: they have one more: {line}"));
                let at = format!("{capture}: {line}: {part}");
                assert_eq!(
                    u32::from_str_radix(&part["hex"].as_str().expect("octets")[..2], 16).ok(),
                    Some(attribute.number),
                    "{at}"
                );
                if let Some(definition) = dictionary.get(Space::Vendor(0), attribute.number) {
                    assert_eq!(*definition.name, attribute.name, "{at}");
                }
                if let Some(value) = mapped(&attribute, &part["value"]) {
                    assert_eq!(part["value"], value, "{at}");
                }
                compared += 1;
            }
            assert_eq!(ours.next(), None, "{capture}: we have one more");
        }
        assert!(!theirs.any(|line| line.contains(": RADIUS, length: ")), "{capture}: they have more packets");
        assert_eq!(compared, expected, "{capture}");
    }
}

/// The one capture that is not compared: a fragment whose header is broken, with the rest missing, of which tcpdump
/// prints the beginning as if it were a datagram.
#[test]
fn tcpdump_s_broken_capture_is_said_to_be_incomplete() {
    let ended = decode(&source("tcpdump", "tests").join("radius_attr_asan.pcap"), &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    assert!(ended.stderr.contains("left out: 1 datagrams of which fragments are missing"), "{ended:?}");
}

fn attribute(line: &str) -> Option<Theirs> {
    let (name, rest) = line.trim_start().split_once(" Attribute (")?;
    let (number, rest) = rest.split_once("), length: ")?;
    let (_, value) = rest.split_once(", Value: ")?;
    Some(Theirs { number: number.parse().ok()?, name: name.to_owned(), value: value.to_owned() })
}
