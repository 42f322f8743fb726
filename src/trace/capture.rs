//! Packet captures: the frames in pcap and pcapng, one after the other.
//!
//! At most one record is held at a time. A record that is larger than any capture program writes, or that makes no
//! sense, ends the reading with its offset in the file: behind it there is no way to find the next one.

use std::io::Read;

use jiff::Timestamp;
use pcap_parser::traits::{PcapNGPacketBlock as _, PcapReaderIterator};
use pcap_parser::{Block, LegacyPcapReader, Linktype, PcapBlockOwned, PcapError, PcapNGReader};

use super::Format;
use super::link::LinkType;

/// Room for a record at first: libpcap's largest snapshot length is 256 KiB.
const FIRST_ROOM: usize = 512 * 1024;
/// The most that one record may take. pcapng's blocks of names or keys can be larger than a frame, none is that large.
const MAX_RECORD: usize = 16 * 1024 * 1024;
/// Interfaces of one section. Each costs a few octets here and 20 in the file.
const MAX_INTERFACES: usize = 65_536;

/// One captured frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When; None where the file does not tell.
    pub time: Option<Timestamp>,
    /// What it begins with.
    pub link: LinkType,
    /// Its octets, as far as they were captured.
    pub octets: Vec<u8>,
}

/// Why a capture cannot be read any further. Offsets are in octets from the file's beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The system does not give more of the file.
    #[error("reading failed behind octet {offset}")]
    Unreadable {
        /// Where the record begins that could not be read.
        offset: u64,
    },
    /// The file ends too early: the capture was interrupted, or copied in part.
    #[error("the record at octet {offset} is not all there: the file ends within it")]
    Ends {
        /// Where the record begins.
        offset: u64,
    },
    /// What stands there is no record.
    #[error("no record can be read at octet {offset}: the file is damaged there")]
    Damaged {
        /// Where the record should begin.
        offset: u64,
    },
    /// A record above the limit.
    #[error("the record at octet {offset} claims more than {MAX_RECORD} octets: the file is damaged there")]
    TooLarge {
        /// Where the record begins.
        offset: u64,
    },
    /// A packet of an interface that nothing describes.
    #[error("the packet at octet {offset} is of interface {interface}, but only {known} are described before it")]
    UnknownInterface {
        /// Where its block begins.
        offset: u64,
        /// The interface's number.
        interface: u32,
        /// How many there are.
        known: usize,
    },
    /// More interfaces than the limit.
    #[error("the interface at octet {offset} is one too many: the limit is {MAX_INTERFACES}")]
    TooManyInterfaces {
        /// Where its block begins.
        offset: u64,
    },
}

/// Reads a capture frame by frame. After an error there is nothing more.
pub struct Capture<'r> {
    /// None after the end and after an error.
    reader: Option<Box<dyn PcapReaderIterator + 'r>>,
    room: usize,
    records: Records,
}

impl<'r> Capture<'r> {
    /// Begins with the file's header. `source` is read from its beginning; its first read should give the whole
    /// header, as every file, and a beginning that was looked at and put in front again, does.
    pub fn open(format: Format, source: impl Read + 'r) -> Result<Self, CaptureError> {
        let reader: Result<Box<dyn PcapReaderIterator>, _> = match format {
            Format::Pcapng => PcapNGReader::new(FIRST_ROOM, source).map(|reader| Box::new(reader) as _),
            _ => LegacyPcapReader::new(FIRST_ROOM, source).map(|reader| Box::new(reader) as _),
        };
        let reader = reader.map_err(|error| match error {
            PcapError::Incomplete(_) | PcapError::UnexpectedEof | PcapError::Eof => CaptureError::Ends { offset: 0 },
            PcapError::ReadError => CaptureError::Unreadable { offset: 0 },
            _ => CaptureError::Damaged { offset: 0 },
        })?;
        Ok(Self { reader: Some(reader), room: FIRST_ROOM, records: Records::default() })
    }

    /// Frames of link layers that are not known, which were passed over.
    pub fn skipped(&self) -> u64 {
        self.records.skipped
    }

    /// The next frame; None at the end.
    fn frame(&mut self) -> Result<Option<Frame>, CaptureError> {
        let Some(reader) = self.reader.as_mut() else { return Ok(None) };
        loop {
            let offset = reader.consumed() as u64;
            match reader.next() {
                Ok((length, record)) => {
                    let frame = self.records.take(record, offset)?;
                    reader.consume(length);
                    if frame.is_some() {
                        return Ok(frame);
                    }
                    continue;
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_) | PcapError::BufferTooSmall) => {}
                Err(PcapError::UnexpectedEof) => return Err(CaptureError::Ends { offset }),
                Err(PcapError::ReadError) => return Err(CaptureError::Unreadable { offset }),
                Err(_) => return Err(CaptureError::Damaged { offset }),
            }
            let before = reader.data().len();
            if reader.refill().is_err() {
                return Err(CaptureError::Unreadable { offset });
            }
            // Neither more octets nor the end: there was no room.
            if reader.data().len() == before && !reader.reader_exhausted() {
                self.room *= 2;
                if self.room > MAX_RECORD || !reader.grow(self.room) {
                    return Err(CaptureError::TooLarge { offset });
                }
            }
        }
    }
}

impl Iterator for Capture<'_> {
    type Item = Result<Frame, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.frame().transpose();
        if !matches!(frame, Some(Ok(_))) {
            self.reader = None;
        }
        frame
    }
}

/// What records before the present one have said.
#[derive(Debug, Default)]
struct Records {
    interfaces: Vec<Interface>,
    big_endian: bool,
    skipped: u64,
}

/// Where frames come from; a pcap file is one interface.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Option<LinkType>,
    /// Units of its times in a second; none where what the file says cannot be.
    units: Option<u64>,
    /// Seconds to be added to its times.
    offset: i64,
    /// The most octets of a frame that were kept; 0 for all.
    kept: usize,
}

impl Records {
    fn take(&mut self, record: PcapBlockOwned, offset: u64) -> Result<Option<Frame>, CaptureError> {
        match record {
            PcapBlockOwned::LegacyHeader(header) => {
                let units = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                let link = link_type(header.network);
                self.interfaces = vec![Interface { link, units: Some(units), offset: 0, kept: 0 }];
                Ok(None)
            }
            PcapBlockOwned::Legacy(record) => {
                let time = |units: u64| u64::from(record.ts_sec).checked_mul(units)?.checked_add(record.ts_usec.into());
                self.packet(0, offset, time, record.data)
            }
            PcapBlockOwned::NG(Block::SectionHeader(header)) => {
                self.interfaces.clear();
                self.big_endian = header.big_endian();
                Ok(None)
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.interfaces.len() == MAX_INTERFACES {
                    return Err(CaptureError::TooManyInterfaces { offset });
                }
                // The crate reads it as little-endian in any section.
                let seconds = interface.if_tsoffset;
                self.interfaces.push(Interface {
                    link: link_type(interface.linktype),
                    units: units(interface.if_tsresol),
                    offset: if self.big_endian { seconds.swap_bytes() } else { seconds },
                    kept: interface.snaplen as usize,
                });
                Ok(None)
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                self.packet(packet.if_id, offset, |_| Some(time), packet.packet_data())
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let octets = packet.packet_data();
                let kept = self.interfaces.first().map_or(0, |interface| interface.kept);
                // Its padding is told from its octets by what the interface keeps of a frame.
                let octets = if kept > 0 { &octets[..octets.len().min(kept)] } else { octets };
                self.packet(0, offset, |_| None, octets)
            }
            // Names, statistics, keys, and what is not known.
            PcapBlockOwned::NG(_) => Ok(None),
        }
    }

    fn packet(
        &mut self,
        number: u32,
        offset: u64,
        time: impl Fn(u64) -> Option<u64>,
        octets: &[u8],
    ) -> Result<Option<Frame>, CaptureError> {
        let known = self.interfaces.len();
        let Some(interface) = self.interfaces.get(number as usize) else {
            return Err(CaptureError::UnknownInterface { offset, interface: number, known });
        };
        let Some(link) = interface.link else {
            self.skipped += 1;
            return Ok(None);
        };
        let time = interface.units.and_then(|units| timestamp(time(units)?, units, interface.offset));
        Ok(Some(Frame { time, link, octets: octets.to_vec() }))
    }
}

/// The high half of pcap's field tells how long the frame check sequence is.
fn link_type(number: Linktype) -> Option<LinkType> {
    LinkType::from_number(number.0 as u32 & 0xffff)
}

/// `if_tsresol`: a negative power of 10, or with the top bit set of 2 (pcapng's draft, §4.2).
fn units(resolution: u8) -> Option<u64> {
    let exponent = u32::from(resolution & 0x7f);
    if resolution & 0x80 == 0 { 10_u64.checked_pow(exponent) } else { 1_u64.checked_shl(exponent) }
}

fn timestamp(time: u64, units: u64, offset: i64) -> Option<Timestamp> {
    let seconds = i64::try_from(time / units).ok()?.checked_add(offset)?;
    let nanoseconds = u128::from(time % units) * 1_000_000_000 / u128::from(units);
    Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
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
}
