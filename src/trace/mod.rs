//! What others have written down: captures, hex dumps and detail files, read back into datagrams and records.
//!
//! ```text
//! capture: pcap, pcapng → frames ─▶ link: frames → UDP datagrams ─▶ (fragments put together)
//! hex:     text → octets                    detail: text → records → attributes
//! pairs:   a reply's request, and requests that nobody answered
//! ```
//!
//! Nothing in here opens a file or knows the time: octets come in from whoever reads them, times out of the material
//! itself. Everything that is kept between two pieces of input has a named limit, and no input makes it panic; what is
//! broken is told with its place and what can be read behind it goes on.

pub mod capture;
pub mod detail;
pub mod format;
mod fragments;
pub mod hex;
pub mod link;
pub mod pairs;

use std::net::SocketAddr;

use jiff::Timestamp;

pub use format::Format;

/// A UDP datagram as somebody saw it on a wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// When it was captured; of fragments, when the last one was. None where the file does not tell.
    pub time: Option<Timestamp>,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// What it carries, as far as it was captured.
    pub payload: Vec<u8>,
    /// How many octets it carried when it was sent: more than `payload` holds when the capture cut it off.
    pub length: usize,
}

impl Datagram {
    /// Whether the capture kept only its beginning.
    pub fn is_cut(&self) -> bool {
        self.payload.len() < self.length
    }
}
