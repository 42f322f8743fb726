//! What the octets of a dump may be besides a packet: a frame, which does not say what it begins with.

use crate::radius::Packet;
use crate::trace::Datagram;
use crate::trace::capture::Frame;
use crate::trace::link::{Datagrams, LinkType};

/// A packet of a kind that exists, at the beginning of these octets.
pub fn known_packet(octets: &[u8]) -> Option<Packet<'_>> {
    Packet::parse(octets).ok().filter(|packet| packet.code().name().is_some())
}

/// The frames of a dump, which does not say what they begin with.
#[derive(Default)]
pub struct Frames {
    ip: Datagrams,
    ethernet: Datagrams,
}

/// What a frame holds.
pub enum InFrame {
    /// A datagram, or the last fragment of one.
    Datagram(Datagram),
    /// A part of one, of which others are missing.
    Fragment,
    /// None of it.
    Nothing,
}

impl Frames {
    /// The datagram in a frame's octets.
    pub fn datagram(&mut self, octets: &[u8]) -> InFrame {
        for (datagrams, link) in [(&mut self.ip, LinkType::Ip), (&mut self.ethernet, LinkType::Ethernet)] {
            let before = datagrams.incomplete();
            let frame = Frame { time: None, link, octets: octets.to_vec() };
            if let Some(datagram) = datagrams.datagram(&frame) {
                return InFrame::Datagram(datagram);
            }
            if datagrams.incomplete() > before {
                return InFrame::Fragment;
            }
        }
        InFrame::Nothing
    }

    /// Datagrams of which fragments are missing.
    pub fn incomplete(&self) -> u64 {
        self.ip.incomplete() + self.ethernet.incomplete()
    }
}
