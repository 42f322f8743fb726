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

/// The kind of the block that begins a section: the same in both byte orders (pcapng's draft, §4.1).
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Kind, length, and the length again: the least that a block can be (pcapng's draft, §3.1).
const MIN_BLOCK: u32 = 12;

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
    format: Format,
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
        Ok(Self { reader: Some(reader), room: FIRST_ROOM, format, records: Records::default() })
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
            if self.format == Format::Pcapng && self.records.is_too_short(reader.data()) {
                return Err(CaptureError::Damaged { offset });
            }
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
    /// Whether a block's length does not even cover itself: pcap-parser 0.17 subtracts from it unchecked.
    fn is_too_short(&self, block: &[u8]) -> bool {
        let (Some(kind), Some(length)) = (block.first_chunk(), block.get(4..).and_then(|rest| rest.first_chunk()))
        else {
            return false;
        };
        // A section's own block says by itself in which order it is written.
        let length = if self.big_endian { u32::from_be_bytes(*length) } else { u32::from_le_bytes(*length) };
        *kind != SECTION_HEADER && length < MIN_BLOCK
    }

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
mod tests;
