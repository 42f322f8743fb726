//! One packet with all that was found out about it.

use std::net::SocketAddr;

use jiff::Timestamp;

use super::explain::Part;
use super::secrets::Checked;
use crate::radius::packet::HEADER_LENGTH;
use crate::radius::{Attributes, Packet, PacketError};
use crate::trace::pairs::Found;

/// From where to where.
pub type Path = (SocketAddr, SocketAddr);

/// What is told of a packet, in either form.
pub struct Told<'p> {
    /// Counted from 1 over all that the input holds.
    pub number: u64,
    /// When it was captured.
    pub time: Option<Timestamp>,
    /// From where to where.
    pub way: Option<Path>,
    /// Octets that are there.
    pub octets: usize,
    /// Octets that were sent.
    pub length: usize,
    /// The packet, of one without its end its whole attributes, or why it is none.
    pub packet: Result<Packet<'p>, PacketError>,
    /// Why it is not whole, though the datagram is.
    pub missing: Option<PacketError>,
    /// Its attributes.
    pub attributes: Attributes,
    /// What it belongs to.
    pub found: Option<Found>,
    /// Whether it is genuine.
    pub checked: Option<Checked>,
    /// Where everything stands, if that was asked for.
    pub parts: Vec<Part>,
}

impl Told<'_> {
    /// Whether the capture kept only its beginning.
    pub fn is_cut(&self) -> bool {
        self.octets < self.length
    }
}

/// The beginning of a packet as a packet of the attributes that are whole. None if not even its header is.
pub fn shortened(octets: &[u8]) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes([*octets.get(2)?, *octets.get(3)?]));
    if octets.len() < HEADER_LENGTH || octets.len() >= length {
        return None;
    }
    let mut end = HEADER_LENGTH;
    while let Some(length) = octets.get(end + 1).map(|length| usize::from(*length)) {
        if length < 2 || end + length > octets.len() {
            break;
        }
        end += length;
    }
    let mut packet = octets[..end].to_vec();
    packet[2..4].copy_from_slice(&u16::try_from(end).ok()?.to_be_bytes());
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::sample;

    #[test]
    fn of_a_cut_packet_the_whole_attributes_are_kept() {
        let whole = sample::rfc2865_7_1_request();
        for length in 0..whole.len() {
            let kept = shortened(&whole[..length]);
            assert_eq!(kept.is_some(), length >= HEADER_LENGTH, "{length}");
            let Some(kept) = kept else { continue };
            let attributes = Packet::parse(&kept).unwrap().attributes().count();
            let expected = [20, 26, 44, 50, 56].iter().filter(|end| **end <= length).count() - 1;
            assert_eq!(attributes, expected, "{length}");
        }
        assert_eq!(shortened(&whole), None);
    }
}
