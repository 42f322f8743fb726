//! Walking a packet allocates nothing, however much is nested in it. A program of its own, since its allocator counts.

use std::hint::black_box;

use allocation_counter::measure;
use radhook::radius::dictionary::VendorFormat;
use radhook::radius::row::Row;
use radhook::radius::{Dictionary, Packet, decode};

/// An attribute with its type and length.
fn attribute(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number, u8::try_from(value.len() + 2).expect("it fits one attribute")], value].concat()
}

fn vendor_specific(vendor: u32, inside: &[u8]) -> Vec<u8> {
    attribute(26, &[vendor.to_be_bytes().as_slice(), inside].concat())
}

/// Plain attributes, and vendors' in four formats: Cisco, Starent, USR, and WiMAX with TLVs inside.
fn packet() -> Vec<u8> {
    let attributes = [
        attribute(1, b"alice@example.org"),
        attribute(4, &[10, 0, 0, 1]),
        vendor_specific(9, &[attribute(1, b"a=b"), attribute(1, b"c=d")].concat()),
        vendor_specific(8164, b"\0\x02\0\x07foo"),
        vendor_specific(429, &[0, 0, 0xbf, 0xbe, 0, 0, 4, 210]),
        vendor_specific(24757, &[&[1, 11, 0], attribute(1, b"1.0").as_slice(), &attribute(2, &[1])].concat()),
        attribute(79, &[7; 253]),
        attribute(79, &[7; 40]),
    ]
    .concat();
    let length = u16::try_from(20 + attributes.len()).expect("it fits a packet").to_be_bytes();
    [&[4, 7, length[0], length[1]], [9; 16].as_slice(), &attributes].concat()
}

/// How many attributes there are on every level.
fn walk(octets: &[u8], dictionary: &Dictionary) -> [usize; 3] {
    let mut count = [0; 3];
    let packet = Packet::parse(octets).expect("it is well formed");
    for attribute in packet.attributes() {
        count[0] += 1;
        let Some((vendor, inside)) = attribute.vendor() else { continue };
        for inner in Row::new(inside, dictionary.vendor_format(vendor)).flatten() {
            count[1] += 1;
            count[2] += Row::new(inner.value, VendorFormat::default()).flatten().count();
        }
    }
    count
}

#[test]
fn the_walk_over_a_packet_and_into_its_vendors_attributes_allocates_nothing() {
    let octets = packet();
    let dictionary = Dictionary::shipped();
    let mut count = [0; 3];
    let walked = measure(|| count = walk(black_box(&octets), &dictionary));
    assert_eq!((count[0], count[1]), (8, 5), "all of it was walked");
    assert!(count[2] >= 2, "and the TLVs too");
    assert_eq!(walked.count_total, 0, "{walked:?}");
    // What is counted, is counted: names and values need room.
    let decoded = measure(|| drop(decode(&Packet::parse(&octets).expect("it is well formed"), &dictionary)));
    assert!(decoded.count_total > 0);
}
