//! What the sources hand to intake: exchanges (a request and, where it was seen, its reply), posted events, and the
//! places up to which files were read.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::event::{EventId, EventType};
use crate::radius::authenticator::Authenticator;
use crate::radius::{Attributes, Code, Method};

/// What one source saw of one request. Everything behind the sources works on this and no longer knows where it came
/// from.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The way in and who spoke.
    pub origin: Origin,
    /// When radhook received the request; when it was sent first, where it was sent several times.
    pub received_at: Timestamp,
    /// The packet code of the request.
    pub code: Code,
    /// The request's attributes, by name.
    pub request: Attributes,
    /// The reply. Accounting-Requests are told without; any other request without one was not answered in time.
    pub reply: Option<Reply>,
    /// Of an Access-Request, what its attributes no longer tell.
    pub login: Login,
    /// Octet and packet counters of this client stand the wrong way round and are swapped.
    pub swap_octets: bool,
}

/// The reply to a request.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its packet code.
    pub code: Code,
    /// Its attributes, by name.
    pub attributes: Attributes,
    /// From the first sending of the request to the reply, where both were seen.
    pub latency: Option<Duration>,
}

/// What only whoever saw the packets of a login can tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Login {
    /// The Request Authenticator: random, so that it tells this request from every other (RFC 2865 §3).
    pub authenticator: Option<Authenticator>,
    /// How the user proved who they are, where there was a proof.
    pub method: Option<Method>,
    /// How many challenges came before the reply, where all were seen.
    pub rounds: Option<u32>,
}

/// Where an exchange came from: the `source` of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The source's name in the config.
    pub source: Arc<str>,
    /// The source's type: `accounting`, `relay`, …
    pub kind: &'static str,
    /// The `[[client]]` it was taken as, or the address where there is none.
    pub client: Arc<str>,
    /// The address the request came from: of a copy that FreeRADIUS wrote, the address it came from there.
    pub address: IpAddr,
}

/// An event that somebody beside RADIUS made, and posted.
#[derive(Debug, Clone)]
pub struct Post {
    /// The way in and who spoke.
    pub origin: Origin,
    /// When radhook received it.
    pub received_at: Timestamp,
    /// Its type.
    pub kind: EventType,
    /// Its id, by which repeats are known: the one its sender gave it, or one of its own.
    pub id: EventId,
    /// When it happened, if not when it was received.
    pub timestamp: Option<Timestamp>,
    /// Its `data`.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// How far a source has read something that stays: written down with what was read there, in one batch, so that nothing
/// is read twice or skipped after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    /// The source.
    pub source: Arc<str>,
    /// What it reads: a file's identity. At most 255 octets.
    pub item: Vec<u8>,
    /// How far, in the source's own words; `None` forgets the item.
    pub place: Option<Vec<u8>>,
}

/// What is handed to intake together. It is stored in one batch, or not at all.
pub struct Submission {
    /// What was seen, in the order of arrival. May be empty. Shared with a source that submits it again.
    pub exchanges: Arc<Vec<Exchange>>,
    /// What was posted.
    pub posts: Vec<Post>,
    /// What was read by this.
    pub bookmarks: Vec<Bookmark>,
    /// Called once, on the writer's thread, after the commit: this is what sends the acknowledgements, so it must not
    /// block. Dropped uncalled only when the daemon stops, which means [`Stored::No`].
    pub done: Box<dyn FnOnce(Stored) + Send>,
}

impl Submission {
    /// Of exchanges alone.
    pub fn of(exchanges: Vec<Exchange>, done: impl FnOnce(Stored) + Send + 'static) -> Self {
        Self { exchanges: Arc::new(exchanges), posts: Vec::new(), bookmarks: Vec::new(), done: Box::new(done) }
    }

    /// Exchanges and posts together.
    pub fn len(&self) -> usize {
        self.exchanges.len() + self.posts.len()
    }

    /// Whether there is nothing to be stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.bookmarks.is_empty()
    }
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
