//! `[[source]] type = "relay"`: stands in front of RADIUS servers and passes everything on, octet for octet.
//!
//! ```text
//! NAS ──▶ listen address ──▶ flow: a socket for each client address and port ──▶ server
//!     ◀── (as it was asked) ◀────────────────────────────────────────────────────
//!              └─ copies ─▶ eyes ─▶ observer, while there is one
//! ```
//!
//! Each listen address has a thread of its own (`pass.rs`) that waits for nobody. It begins before the store opens and ends
//! when everything else has ended, so that a start, a stop or a fault of the house costs RADIUS nothing; what passes
//! while nobody watches is counted. Which server is asked is decided by `servers.rs`; flows, and what bounds them, stand in
//! `flows.rs`. A limit that is reached ends the flow that was not used for the longest time: its client's next packet
//! opens another.

mod counters;
mod eyes;
mod flows;
mod pass;
mod probe;
mod servers;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::observer::{self, Clock, Observer};
use super::udp::UdpSocket;
use super::{Inlet, RelayOptions, Remarks, Running, SourceError};
use eyes::Eyes;
use pass::Passer;

/// A relay that passes packets on. Stops when dropped, within a fifth of a second.
#[derive(Debug)]
pub struct Relay {
    name: Arc<str>,
    reply_timeout: Duration,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    eyes: Arc<Eyes>,
    remarks: Remarks,
    stop: Arc<AtomicBool>,
}

/// Binds all addresses and starts to pass on. Nobody watches yet.
pub fn open(options: &RelayOptions) -> Result<Relay, SourceError> {
    let name = || Arc::clone(&options.name);
    if let (true, Some(&server)) = (options.preserve_source, options.upstream.first()) {
        upstream::check_transparent(server).map_err(|error| SourceError::Transparent { name: name(), error })?;
    }
    let sockets = upstream::limit();
    if sockets < flows::MAX_FLOWS as u64 {
        tracing::warn!(
            source = &*options.name,
            sockets,
            wanted = flows::MAX_FLOWS,
            "RLIMIT_NOFILE leaves fewer sockets to flows than a busy relay may want; raise LimitNOFILE in the unit"
        );
    }
    let mut relay = Relay {
        name: name(),
        reply_timeout: options.reply_timeout,
        addresses: Vec::new(),
        threads: Vec::new(),
        eyes: Arc::new(Eyes::closed(&options.name)),
        remarks: Remarks::default(),
        stop: Arc::default(),
    };
    // All are bound before the first passes anything on: when one is taken, none has begun.
    let mut passers = Vec::new();
    for &address in &options.listen {
        let listen = |error| SourceError::Listen { name: name(), address, error };
        let socket = Arc::new(UdpSocket::bind(address).map_err(listen)?);
        relay.addresses.push(socket.local_addr());
        let (eyes, stop) = (Arc::clone(&relay.eyes), Arc::clone(&relay.stop));
        passers.push(Passer::new(options, socket, eyes, relay.remarks.clone(), stop).map_err(listen)?);
    }
    for (mut passer, address) in passers.into_iter().zip(&relay.addresses) {
        let thread = std::thread::Builder::new().name(format!("relay-{}", address.port()));
        let thread = thread.spawn(move || passer.run());
        relay.threads.push(thread.map_err(|error| SourceError::Thread { name: name(), error })?);
    }
    Ok(relay)
}

impl Relay {
    /// Its source's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it listens, in the order of the config, with the ports that were given.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Begins to make events of what passes. When the answer is stopped they end, and packets pass on.
    pub fn watch(&self, inlet: &Inlet) -> Result<Box<dyn Running>, SourceError> {
        let (feed, observer) = observer::start(&self.name, "relay", inlet, self.reply_timeout, Clock::Live)?;
        self.eyes.open(feed);
        let places = self.addresses.iter().map(ToString::to_string).collect();
        let (eyes, remarks) = (Arc::clone(&self.eyes), self.remarks.clone());
        Ok(Box::new(Watched { places, eyes, remarks, observer: Some(observer) }))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(source = &*self.name, "a thread of a relay has panicked");
            }
        }
    }
}

/// A relay whose packets become events.
struct Watched {
    places: Vec<String>,
    eyes: Arc<Eyes>,
    remarks: Remarks,
    observer: Option<Observer>,
}

impl Running for Watched {
    fn places(&self) -> Vec<String> {
        self.places.clone()
    }

    fn remarks(&self) -> Remarks {
        self.remarks.clone()
    }

    fn stop(self: Box<Self>) {}
}

impl Drop for Watched {
    fn drop(&mut self) {
        // The observer ends when the last feed is gone.
        self.eyes.close();
        if let Some(observer) = self.observer.take() {
            observer.join();
        }
    }
}
