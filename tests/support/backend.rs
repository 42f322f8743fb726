//! A server behind a relay that does what a test says with each datagram, and remembers them all.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Who sent what, in order.
pub type Seen = Vec<(SocketAddr, Vec<u8>)>;

/// Listens until dropped.
pub struct Backend {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    silent: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Backend {
    /// Answers each datagram with what `answer` makes of it.
    pub fn start(address: &str, mut answer: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let socket = UdpSocket::bind(address).expect("the address is there and its port free");
        // The thread looks this often whether it should stop; no test waits on it but the drop.
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a read timeout can be set");
        let address = socket.local_addr().expect("a bound socket has an address");
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (silent, stop): (Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        let thread = {
            let (seen, silent, stop) = (Arc::clone(&seen), Arc::clone(&silent), Arc::clone(&stop));
            thread::spawn(move || {
                let mut room = [0; 65_536];
                while !stop.load(Ordering::Relaxed) {
                    let Ok((length, peer)) = socket.recv_from(&mut room) else { continue };
                    let octets = &room[..length];
                    seen.lock().expect("nobody panics with it").push((peer, octets.to_vec()));
                    if !silent.load(Ordering::Relaxed) {
                        // Who asked may have gone.
                        let _ = socket.send_to(&answer(octets), peer);
                    }
                }
            })
        };
        Self { address, seen, silent, stop, thread: Some(thread) }
    }

    /// Says back what it hears.
    pub fn echo(address: &str) -> Self {
        Self::start(address, <[u8]>::to_vec)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `true`: it goes on hearing and says nothing.
    pub fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// What it has heard so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
