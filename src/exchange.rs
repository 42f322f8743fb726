//! One observed exchange: a request and, where it was seen, its reply, with its source and time.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use crate::radius::Attributes;

/// What one source saw. Everything behind the sources works on this and no longer knows where it came from.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The way in and who spoke.
    pub origin: Origin,
    /// When radhook received it.
    pub received_at: Timestamp,
    /// The packet code of the request: 4 is Accounting-Request (RFC 2866 §3).
    pub code: u8,
    /// The request's attributes, by name.
    pub request: Attributes,
    /// Octet and packet counters of this client stand the wrong way round and are swapped.
    pub swap_octets: bool,
}

/// Where an exchange came from: the `source` of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The source's name in the config.
    pub source: Arc<str>,
    /// The source's type: `accounting`, …
    pub kind: &'static str,
    /// The `[[client]]` it was taken as.
    pub client: Arc<str>,
    /// The address the packet came from.
    pub address: IpAddr,
}

/// Exchanges handed to intake together. They are stored in one batch, or not at all.
pub struct Submission {
    /// What was seen, in the order of arrival. May be empty.
    pub exchanges: Vec<Exchange>,
    /// Called once, on the writer's thread, after the commit: this is what sends the acknowledgements, so it must not
    /// block. Dropped uncalled only when the daemon stops, which means [`Stored::No`].
    pub done: Box<dyn FnOnce(Stored) + Send>,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// On disk. It may be acknowledged.
    Yes,
    /// Not stored: stay silent, so that the sender tries again.
    No,
}

/// Whether what is submitted is being stored: told by the writer, heard by the sources, which answer health checks only
/// while it is. Whoever asks by Status-Server then turns to another server instead of sending what finds no room here.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Ready, until told otherwise.
    pub fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether submissions are stored.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Tells everybody who holds a copy.
    pub fn tell(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}
