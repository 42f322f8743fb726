//! What the tests that run real programs share: FreeRADIUS, a receiver in Python, the radhook binary, a small disk.
//!
//! Each test crate takes this in by `mod support;` and uses a part of it. Everything started here listens on loopback
//! only, is ended by its own process id when its value is dropped, and is waited for by what it prints, never by time.
#![allow(dead_code, reason = "each test crate uses a part")]

pub mod daemon;
pub mod disk;
pub mod freeradius;
pub mod http_sink;
pub mod process;
pub mod radclient;
pub mod responder;
pub mod standard;

use std::net::UdpSocket;
use std::path::PathBuf;

/// A UDP port that was free on loopback a moment ago. Only for programs that cannot bind port 0 and say what they got;
/// whoever uses it starts again with another one when the port was taken in between.
pub fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
    socket.local_addr().expect("a bound socket has an address").port()
}

/// A file that stands under `tests/`.
pub fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}
