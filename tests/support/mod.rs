//! What the tests that run real programs share: FreeRADIUS, a receiver in Python, the radhook binary, a small disk.
//!
//! Each test crate takes this in by `mod support;` and uses a part of it. Everything started here listens on loopback
//! only, is ended by its own process id when its value is dropped, and is waited for by what it prints, never by time.
#![allow(dead_code, reason = "each test crate uses a part")]

pub mod backend;
pub mod daemon;
pub mod debugged;
pub mod dialect;
pub mod disk;
pub mod eapol;
pub mod freeradius;
pub mod freeradius_auth;
pub mod http_sink;
pub mod https;
pub mod logins;
pub mod metrics;
pub mod network;
pub mod process;
pub mod proxy;
pub mod radclient;
pub mod raw;
pub mod responder;
pub mod schema;
pub mod scripted;
pub mod secrets;
pub mod sources;
pub mod spooling;
pub mod standard;
pub mod traffic;
pub mod verbs;
pub mod witness;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

/// A UDP port that was free on loopback a moment ago. Only for programs that cannot bind port 0 and say what they got;
/// whoever uses it starts again with another one when the port was taken in between.
pub fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
    socket.local_addr().expect("a bound socket has an address").port()
}

/// A loopback address of this test's own. On it a port that was given up is still free when its owner comes back:
/// everybody else's sockets take theirs on 127.0.0.1.
pub fn own_loopback() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [high, low] = ((std::process::id() & 0x7fff) as u16).to_be_bytes();
    Ipv4Addr::new(127, 64 + high / 2, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// An accounting address of this test's own, for daemons that come back on the port they had.
pub fn own_accounting_address() -> SocketAddr {
    (own_loopback(), 18130).into()
}

/// A file that stands under `tests/`.
pub fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}
