//! A stand-in for radhook's accounting source: a UDP socket that verifies and answers, and remembers what it saw.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::rfc2865::PROXY_STATE_TYPE;

use super::process::PATIENCE;

/// Answers every authentic Accounting-Request with an Accounting-Response and every Status-Server likewise, and lets nobody log
/// in, until dropped.
pub struct Responder {
    address: SocketAddr,
    silent: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    seen: Mutex<Receiver<Packet>>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// Listens on a free loopback port.
    pub fn start(secret: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
        // The thread looks this often whether it should stop; no test waits on it but the drop.
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a read timeout can be set");
        let address = socket.local_addr().expect("a bound socket has an address");
        let silent = Arc::new(AtomicBool::new(false));
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, seen) = channel();
        let secret = secret.as_bytes().to_vec();
        let thread = {
            let (silent, stop) = (silent.clone(), stop.clone());
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while !stop.load(Ordering::Relaxed) {
                    let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
                    let Some((request, answer)) = answer(&buffer[..length], &secret) else { continue };
                    if !silent.load(Ordering::Relaxed) {
                        // A peer that has gone away in between is its own affair.
                        let _ = socket.send_to(&answer, peer);
                    }
                    // The test may have seen enough and dropped its end.
                    let _ = sender.send(request);
                }
            })
        };
        Self { address, silent, stop, seen: Mutex::new(seen), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `true`: it goes on seeing packets and answers none, as a bridge does that cannot store.
    pub fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// The next authentic request, in order of arrival.
    pub fn wait_until_request(&self) -> Packet {
        match self.seen.lock().expect("one test reads").recv_timeout(PATIENCE) {
            Ok(packet) => packet,
            Err(RecvTimeoutError::Timeout) => panic!("no authentic request arrived within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the responder's thread has ended"),
        }
    }

    /// What has arrived and was not yet looked at.
    pub fn requests(&self) -> Vec<Packet> {
        self.seen.lock().expect("one test reads").try_iter().collect()
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The request and the bytes that answer it; nothing for what is neither a login nor an authentic accounting packet.
fn answer(datagram: &[u8], secret: &[u8]) -> Option<(Packet, Vec<u8>)> {
    let request = Packet::decode(datagram, secret).ok()?;
    let code = match request.get_code() {
        Code::AccountingRequest if Packet::is_authentic_request(datagram, secret) => Code::AccountingResponse,
        Code::AccessRequest => Code::AccessReject,
        // Its Message-Authenticator is FreeRADIUS's to compute and ours to trust: this stands in, it does not guard.
        Code::StatusServer => Code::AccountingResponse,
        _ => return None,
    };
    let mut response = request.make_response_packet(code);
    // RFC 2865 §5.33: every Proxy-State goes back, in order. FreeRADIUS 3.2.1 does not miss it; other proxies do.
    for state in request.lookup_all(PROXY_STATE_TYPE) {
        response.add(state.clone());
    }
    let answer = response.encode().expect("an answer of echoed attributes encodes");
    Some((request, answer))
}
