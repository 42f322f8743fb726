use super::*;

fn pcap(magic: u32, records: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend(magic.to_be_bytes());
    octets.extend([0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 101]);
    for (seconds, fraction, data) in records {
        let length = u32::try_from(data.len()).unwrap();
        for field in [*seconds, *fraction, length, length] {
            octets.extend(field.to_be_bytes());
        }
        octets.extend(*data);
    }
    octets
}

/// A pcapng block of the byte order, its body padded.
fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let number = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let padded = body.len().next_multiple_of(4);
    let length = number(u32::try_from(padded + 12).unwrap());
    let mut octets = [number(kind), length].concat();
    octets.extend(body);
    octets.resize(8 + padded, 0);
    octets.extend(length);
    octets
}

fn pcapng(big: bool, resolution: u8, time: u64, offset: i64, data: &[u8]) -> Vec<u8> {
    let long = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let short = |number: u16| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let seconds = if big { offset.to_be_bytes() } else { offset.to_le_bytes() };
    let section = [long(0x1a2b_3c4d).as_slice(), &short(1), &short(0), &[0xff; 8]].concat();
    let interface = [
        short(101).as_slice(),
        &[0, 0],
        &long(0),
        &short(9),
        &short(1),
        &[resolution, 0, 0, 0],
        &short(14),
        &short(8),
        &seconds,
        &[0; 4],
    ]
    .concat();
    let length = long(u32::try_from(data.len()).unwrap());
    let packet = [&long(0), &long((time >> 32) as u32), &long(time as u32), &length, &length, data].concat();
    [
        block(big, 0x0a0d_0d0a, &section),
        block(big, 1, &interface),
        block(big, 6, &packet),
        block(big, 3, &[&length, data].concat()),
        block(big, 0x0bad_cafe, b"whatever"),
    ]
    .concat()
}

fn frames(format: Format, octets: &[u8]) -> Vec<Result<Frame, CaptureError>> {
    match Capture::open(format, octets) {
        Ok(capture) => capture.collect(),
        Err(error) => vec![Err(error)],
    }
}

#[test]
fn pcap_is_read_with_micro_and_nanoseconds() {
    for (magic, expected) in
        [(0xa1b2_c3d4, "1970-01-01T00:00:05.000007Z"), (0xa1b2_3c4d, "1970-01-01T00:00:05.000000007Z")]
    {
        let read = frames(Format::Pcap, &pcap(magic, &[(5, 7, b"one"), (6, 0, b"")]));
        let first = read[0].clone().unwrap();
        assert_eq!((first.octets.as_slice(), first.link), (b"one".as_slice(), LinkType::Ip));
        assert_eq!(first.time.unwrap().to_string(), expected);
        assert_eq!(read.len(), 2);
    }
}

#[test]
fn pcapng_is_read_in_both_byte_orders_with_any_resolution_and_offset() {
    for big in [false, true] {
        for (resolution, time, expected) in [
            (6, 5_000_007, "1970-01-01T00:01:05.000007Z"),
            (9, 5_000_000_007, "1970-01-01T00:01:05.000000007Z"),
            (0x8a, 5 << 10 | 512, "1970-01-01T00:01:05.5Z"),
        ] {
            let read = frames(Format::Pcapng, &pcapng(big, resolution, time, 60, b"data"));
            let read: Vec<_> = read.into_iter().map(Result::unwrap).collect();
            assert_eq!(read[0].time.unwrap().to_string(), expected, "{big} {resolution}");
            assert_eq!(
                (read[0].octets.as_slice(), read[1].octets.as_slice()),
                (b"data".as_slice(), b"data".as_slice())
            );
            assert_eq!((read[1].time, read.len()), (None, 2));
        }
    }
}

#[test]
fn what_could_be_read_comes_before_the_error_with_its_offset() {
    let whole = pcap(0xa1b2_c3d4, &[(5, 7, b"one"), (6, 0, b"two")]);
    let read = frames(Format::Pcap, &whole[..whole.len() - 1]);
    assert_eq!((read[0].is_ok(), &read[1]), (true, &Err(CaptureError::Ends { offset: 24 + 19 })));
    let mut huge = whole.clone();
    huge[24 + 19 + 8] = 0x7f;
    assert_eq!(frames(Format::Pcap, &huge)[1], Err(CaptureError::Ends { offset: 24 + 19 }));
    huge.resize(MAX_RECORD + 1000, 0);
    assert_eq!(frames(Format::Pcap, &huge)[1], Err(CaptureError::TooLarge { offset: 24 + 19 }));
    assert_eq!(frames(Format::Pcap, &whole[..20]), [Err(CaptureError::Ends { offset: 0 })]);

    let mut ng = pcapng(false, 6, 0, 0, b"data");
    let packet = 28 + 44 + 8;
    ng[packet] = 3;
    let error = CaptureError::UnknownInterface { offset: 72, interface: 3, known: 1 };
    assert_eq!(frames(Format::Pcapng, &ng), [Err(error)]);
}

#[test]
fn frames_of_an_unknown_link_layer_are_counted() {
    let mut octets = pcap(0xa1b2_c3d4, &[(5, 7, b"one")]);
    octets[23] = 147;
    let mut capture = Capture::open(Format::Pcap, octets.as_slice()).unwrap();
    assert!(capture.next().is_none());
    assert_eq!(capture.skipped(), 1);
}

#[test]
fn a_file_that_gives_an_octet_at_a_time_is_read_all_the_same() {
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }
    let octets = pcap(0xa1b2_c3d4, &[(5, 7, b"one"), (6, 0, b"two")]);
    let source = octets[..24].chain(Slow(&octets[24..]));
    assert_eq!(Capture::open(Format::Pcap, source).unwrap().filter_map(Result::ok).count(), 2);
}

#[test]
fn mutated_captures_do_not_hurt() {
    use proptest::prelude::*;
    let files = [
        pcap(0xa1b2_c3d4, &[(5, 7, b"one"), (6, 0, b"two")]),
        pcapng(false, 6, 5, 0, b"data"),
        pcapng(true, 9, 5, 0, b"data"),
    ];
    proptest!(|(file in 0_usize..3, changes in proptest::collection::vec((0_usize..300, any::<u8>()), 1..6), cut in 0_usize..300)| {
        let mut octets = files[file].clone();
        for (at, octet) in changes {
            let length = octets.len();
            octets[at % length] = octet;
        }
        octets.truncate(octets.len().saturating_sub(cut / 4));
        let format = if file == 0 { Format::Pcap } else { Format::Pcapng };
        let read = frames(format, &octets);
        prop_assert!(read.len() < 10);
    });
}
