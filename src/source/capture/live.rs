//! Looks on at a network interface, on a thread of its own.
//!
//! Life cycle: the interface may be down or away at the start and at any time after; it is then looked for again and
//! again, and coming and going are logged once each. What the system has dropped because we were busy is counted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{Counter, Gauge, counter, gauge};

use super::socket::{Buffers, Captured, OpenError, PacketSocket};
use super::{is_of, sighting};
use crate::metrics::{CAPTURE_OVERFLOWS, CAPTURE_UP, OBSERVED_DROPS};
use crate::source::observer::Feed;
use crate::source::{CaptureOptions, Remarks};
use crate::trace::capture::Frame;
use crate::trace::link::{Datagrams, LinkType};

/// What is said of the interface.
const INTERFACE: &str = "interface";

/// Between two looks for an interface that is away.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What the thread works with.
pub(super) struct Live {
    name: Arc<str>,
    interface: String,
    ports: Vec<u16>,
    feed: Feed,
    remarks: Remarks,
    stop: Arc<AtomicBool>,
    /// None while the interface is away.
    socket: Option<PacketSocket>,
    /// Whether it was there when last looked at; None before the first look.
    is_up: Option<bool>,
    /// Packets that the system has dropped at the present socket.
    overflows: u32,
    /// Datagrams that were lost for want of a fragment.
    incomplete: u64,
    datagrams: Datagrams,
    counters: Counters,
}

struct Counters {
    overflows: Counter,
    fragments_missing: Counter,
    cut_off: Counter,
    up: Gauge,
}

impl Live {
    /// Opens its socket. An interface that is not there may still come.
    pub fn open(
        options: &CaptureOptions,
        interface: &str,
        feed: Feed,
        remarks: Remarks,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, OpenError> {
        let socket = match PacketSocket::open(interface, &options.ports) {
            Ok(socket) => Some(socket),
            Err(OpenError::NoInterface) => None,
            Err(error) => return Err(error),
        };
        let name = options.name.to_string();
        let drops = |reason: &'static str| counter!(OBSERVED_DROPS, "source" => name.clone(), "reason" => reason);
        let counters = Counters {
            overflows: counter!(CAPTURE_OVERFLOWS, "source" => name.clone()),
            fragments_missing: drops("fragments_missing"),
            cut_off: drops("cut_off"),
            up: gauge!(CAPTURE_UP, "source" => name.clone()),
        };
        let mut live = Self {
            name: Arc::clone(&options.name),
            interface: interface.to_owned(),
            ports: options.ports.clone(),
            feed,
            remarks,
            stop,
            socket,
            is_up: None,
            overflows: 0,
            incomplete: 0,
            datagrams: Datagrams::default(),
            counters,
        };
        if live.socket.is_none() {
            live.goes(&OpenError::NoInterface);
        }
        Ok(live)
    }

    /// Looks on until it is stopped.
    pub fn run(mut self) {
        let mut buffers = Buffers::new();
        while !self.stop.load(Ordering::Relaxed) {
            match self.receive(&mut buffers) {
                Ok(()) => self.comes(),
                Err(error) => {
                    self.socket = None;
                    self.goes(&error);
                    std::thread::sleep(LOOK_AGAIN);
                }
            }
            let incomplete = self.datagrams.give_up(Timestamp::now());
            self.counters.fragments_missing.increment(incomplete - self.incomplete);
            self.incomplete = incomplete;
        }
    }

    /// Takes what is there, through a new socket where there is none.
    fn receive(&mut self, buffers: &mut Buffers) -> Result<(), OpenError> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                self.overflows = 0;
                PacketSocket::open(&self.interface, &self.ports)?
            }
        };
        let dropped = socket.receive(buffers, |captured| self.take(&captured))?;
        self.socket = Some(socket);
        if let Some(dropped) = dropped {
            self.counters.overflows.increment(dropped.wrapping_sub(self.overflows).into());
            self.overflows = dropped;
        }
        Ok(())
    }

    fn take(&mut self, captured: &Captured) {
        if captured.is_cut {
            return self.counters.cut_off.increment(1);
        }
        let frame = Frame { time: Some(captured.at), link: LinkType::Network, octets: captured.octets.to_vec() };
        if let Some(datagram) = self.datagrams.datagram(&frame)
            && is_of(&datagram, &self.ports)
        {
            self.feed.wait(sighting(datagram, captured.at), &self.stop);
        }
    }

    fn comes(&mut self) {
        if self.is_up == Some(false) {
            tracing::info!(source = &*self.name, interface = self.interface, "the interface is there, and looked at");
        }
        self.is_up = Some(true);
        self.counters.up.set(1.0);
        self.remarks.clear(INTERFACE);
    }

    fn goes(&mut self, error: &OpenError) {
        if self.is_up != Some(false) {
            let interface = &self.interface;
            match error {
                OpenError::Io(error) if error.kind() == io::ErrorKind::NetworkDown => {
                    tracing::warn!(
                        source = &*self.name,
                        interface,
                        "the interface is down; nothing is seen until it is up"
                    );
                }
                error => tracing::warn!(source = &*self.name, interface, %error, "nothing is seen; looked for again"),
            }
        }
        self.is_up = Some(false);
        self.counters.up.set(0.0);
        self.remarks.say(INTERFACE, format!("nothing is seen: {error}"));
    }
}
