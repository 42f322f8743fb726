//! Telling by its beginning what a file is.

use super::{detail, hex};

/// What `decode` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Packet capture in libpcap's format, any byte order, micro- or nanoseconds.
    Pcap,
    /// Packet capture in the next generation's format.
    Pcapng,
    /// Octets written as hex digits.
    Hex,
    /// FreeRADIUS's detail file.
    Detail,
}

/// How much of a file's beginning is looked at. A detail record tells itself by its second line, a dump by its first;
/// before them may stand comments.
pub const LOOK: usize = 64 * 1024;

/// Why a beginning is nothing that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFormat {
    /// Nothing stands there.
    #[error("it is empty")]
    Empty,
    /// Packed by a program that unpacks it, too.
    #[error("it is compressed with {0}; unpack it first")]
    Compressed(&'static str),
    /// None of the formats.
    #[error("it is neither pcap nor pcapng, nor a hex dump, nor a detail file")]
    Unknown,
}

/// Four octets at the beginning of a file say what it is (pcap's and pcapng's drafts, §4 and §4.1).
const MAGICS: [([u8; 4], Format); 6] = [
    ([0xa1, 0xb2, 0xc3, 0xd4], Format::Pcap),
    ([0xd4, 0xc3, 0xb2, 0xa1], Format::Pcap),
    ([0xa1, 0xb2, 0x3c, 0x4d], Format::Pcap),
    ([0x4d, 0x3c, 0xb2, 0xa1], Format::Pcap),
    // Kuznetzov's, with a longer record header; written by old Linux systems.
    ([0x34, 0xcd, 0xb2, 0xa1], Format::Pcap),
    ([0x0a, 0x0d, 0x0d, 0x0a], Format::Pcapng),
];

/// A pcap file's header.
const PCAP_HEADER_LENGTH: usize = 24;

const COMPRESSED: [(&[u8], &str); 4] =
    [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ", "xz"), (b"BZh", "bzip2")];

/// Whether this much of a file tells what it is, and [`super::capture::Capture::open`] can begin with it: so that a
/// capture that is still being made is shown as it comes.
pub fn is_enough(beginning: &[u8]) -> bool {
    match Format::of(beginning) {
        _ if beginning.len() >= LOOK => true,
        Ok(Format::Pcap) => beginning.len() >= PCAP_HEADER_LENGTH,
        Ok(Format::Pcapng) => beginning.len() >= section_header_length(beginning),
        Err(UnknownFormat::Compressed(_)) => true,
        _ => false,
    }
}

/// What pcapng's first block says about its length, in the byte order that it says.
fn section_header_length(beginning: &[u8]) -> usize {
    let field = |at: usize| beginning.get(at..).and_then(|rest| rest.first_chunk()).copied();
    let length = match (field(4), field(8)) {
        (Some(length), Some([0x1a, 0x2b, 0x3c, 0x4d])) => u32::from_be_bytes(length),
        (Some(length), Some(_)) => u32::from_le_bytes(length),
        _ => u32::MAX,
    };
    length as usize
}

impl Format {
    /// The format of what begins like this. [`LOOK`] octets are enough, fewer only at the end of the file.
    pub fn of(beginning: &[u8]) -> Result<Self, UnknownFormat> {
        if beginning.is_empty() {
            return Err(UnknownFormat::Empty);
        }
        if let Some((_, format)) = MAGICS.iter().find(|(magic, _)| beginning.starts_with(magic)) {
            return Ok(*format);
        }
        if let Some((_, name)) = COMPRESSED.iter().find(|(magic, _)| beginning.starts_with(magic)) {
            return Err(UnknownFormat::Compressed(name));
        }
        let lines = || beginning.split(|octet| *octet == b'\n');
        if lines().any(detail::is_pair) {
            return Ok(Self::Detail);
        }
        if lines().any(hex::is_dump) {
            return Ok(Self::Hex);
        }
        Err(if lines().all(<[u8]>::is_empty) { UnknownFormat::Empty } else { UnknownFormat::Unknown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_told_by_its_beginning() {
        for (beginning, format) in [
            (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00".as_slice(), Format::Pcap),
            (b"\xa1\xb2\x3c\x4d\x00\x02\x00\x04", Format::Pcap),
            (b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00", Format::Pcapng),
            (b"01000038", Format::Hex),
            (b"# from the customer\n\n01 00 00 38 0f\n", Format::Hex),
            (b"00000000: 0100 0038 0f40 3f94 7397 8057 bd83 d5cb  ...8.@?.s..W....\n", Format::Hex),
            (b"12:00:00.000000 IP 10.0.0.1.1 > 10.0.0.2.1812: RADIUS\n\t0x0000:  4500 0054\n", Format::Hex),
            (b"Sun Nov 22 10:15:30 2026\n\tUser-Name = \"bob\"\n", Format::Detail),
            (b"\nface\n\tUser-Name = \"bob\"\n", Format::Detail),
        ] {
            assert_eq!(Format::of(beginning), Ok(format), "{}", beginning.escape_ascii());
        }
    }

    #[test]
    fn a_capture_is_known_by_its_header_and_a_text_by_its_beginning() {
        let pcap = [b"\xd4\xc3\xb2\xa1".as_slice(), &[0; 20]].concat();
        assert!(is_enough(&pcap) && !is_enough(&pcap[..23]));
        let section = [b"\x0a\x0d\x0d\x0a\x00\x00\x00\x1c\x1a\x2b\x3c\x4d".as_slice(), &[0; 16]].concat();
        assert!(is_enough(&section) && !is_enough(&section[..27]) && !is_enough(&section[..5]));
        assert!(!is_enough(b"01000014") && is_enough(&[b'0'; LOOK]));
    }

    #[test]
    fn what_is_nothing_of_it_is_said_to_be_so() {
        for (beginning, why) in [
            (b"".as_slice(), UnknownFormat::Empty),
            (b"\n\n", UnknownFormat::Empty),
            (b"\x1f\x8b\x08\x00", UnknownFormat::Compressed("gzip")),
            (b"{\"kind\": 1}\n", UnknownFormat::Unknown),
            (b"hello there\n", UnknownFormat::Unknown),
            (b"\x01\x00\x00\x14\x00", UnknownFormat::Unknown),
        ] {
            assert_eq!(Format::of(beginning), Err(why), "{}", beginning.escape_ascii());
        }
    }
}
