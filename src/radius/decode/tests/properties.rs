//! What holds of every packet.

use proptest::prelude::*;

use super::*;

/// Packets with a little of everything.
fn samples() -> Vec<Vec<u8>> {
    let pairs = sample::attributes(&[
        (1, b"alice@example.org"),
        (2, &[9; 16]),
        (4, &[10, 0, 0, 1]),
        (26, &vendor(9, b"\x01\x05a=b\x02\x05xyz")),
        (26, &vendor(311, &[16, 6, 1, 2, 3, 4])),
        (40, &[0, 0, 0, 1]),
        (55, &[0x65, 0, 0, 0]),
        (64, &[1, 0, 0, 3]),
        (79, &[1; 40]),
        (80, &[1; 16]),
        (97, &[0, 64, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0]),
    ]);
    vec![
        sample::rfc2865_7_1_request(),
        sample::rfc2865_7_1_accept(),
        sample::rfc2865_7_2_request(),
        sample::rfc2865_7_2_accept(),
        sample::rfc5997_6_1_request(),
        sample::packet(4, 1, &pairs),
    ]
}

#[test]
fn a_sample_cut_off_anywhere_is_refused_or_decoded_in_part() {
    let dictionary = Dictionary::shipped();
    for whole in samples() {
        let all = decode(&Packet::parse(&whole).unwrap(), &dictionary);
        for length in 0..whole.len() {
            let mut cut = whole[..length].to_vec();
            assert!(Packet::parse(&cut).is_err(), "the length field still names {} octets", whole.len());
            if length >= 20 {
                cut[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
                if let Ok(packet) = Packet::parse(&cut) {
                    let part = decode(&packet, &dictionary);
                    assert!(part.iter().zip(all.iter()).all(|(part, whole)| part == whole));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_octets_are_refused_or_decoded(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(packet) = Packet::parse(&octets) {
            decode(&packet, &Dictionary::shipped());
        }
        let bytes = sample::packet(4, 1, &octets);
        if let Ok(packet) = Packet::parse(&bytes) {
            let walked: usize = packet.attributes().map(|attribute| attribute.value.len() + 2).sum();
            prop_assert_eq!(walked, octets.len());
            decode(&packet, &Dictionary::shipped());
        }
    }

    #[test]
    fn one_changed_octet_changes_at_most_what_it_belongs_to(
        at in 0..6usize,
        position in any::<proptest::sample::Index>(),
        octet: u8,
    ) {
        let original = samples().swap_remove(at);
        let mut changed = original.clone();
        changed[position.index(original.len())] = octet;
        if let Ok(packet) = Packet::parse(&changed) {
            decode(&packet, &Dictionary::shipped());
            let theirs = radius::core::packet::Packet::decode(&changed, sample::SECRET);
            prop_assert!(theirs.is_ok(), "the radius crate refuses what we take: {:?}", theirs.err());
        } else {
            prop_assert!(radius::core::packet::Packet::decode(&changed, sample::SECRET).is_err());
        }
    }

    #[test]
    fn the_radius_crate_reads_the_same_values(name in "[a-zA-Z0-9@.]{1,60}", port: u32, address: [u8; 4], class in proptest::collection::vec(any::<u8>(), 1..253)) {
        use radius::core::{rfc2865, rfc2866};
        let mut request = radius::core::packet::Packet::new(radius::core::code::Code::AccountingRequest, sample::SECRET);
        rfc2865::add_user_name(&mut request, &name);
        rfc2865::add_nas_port(&mut request, port);
        rfc2865::add_nas_ip_address(&mut request, &address.into());
        rfc2865::add_class(&mut request, &class);
        rfc2866::add_acct_status_type(&mut request, rfc2866::ACCT_STATUS_TYPE_STOP);
        let bytes = request.encode().unwrap();
        let packet = Packet::parse(&bytes).unwrap();
        let ours = decode(&packet, &Dictionary::shipped());
        let values: Vec<_> = ours.iter().map(|attribute| attribute.value.clone()).collect();
        prop_assert_eq!(values, vec![
            Value::Text(name.into()),
            Value::Integer(port.into()),
            Value::Address(std::net::Ipv4Addr::from(address).into()),
            Value::Octets(class.into()),
            Value::Named { number: 2, name: "Stop".into() },
        ]);
    }
}
