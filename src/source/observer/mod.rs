//! Whoever only watches: turns packets that pass by into exchanges and hands them to intake, on a thread of its own.
//!
//! ```text
//! relay, capture ──▶ Feed ──▶ bounded queue ──▶ watch: pairs, believes, decodes ──▶ intake
//!                     └ full: counted as dropped, and whoever feeds goes on at once
//! ```
//!
//! One batch is under way at a time. What cannot be stored is tried again while the queue holds what comes next; what
//! then finds no room is counted. Nobody waits for an acknowledgement here. Whoever feeds out of a file ends with an
//! [`Ending`], whose bookmarks are stored behind everything before it.

mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, TrySendError, bounded};
use jiff::Timestamp;
use metrics::{Counter, counter};

use super::hand_in::Kept;
use super::log_limit::LogLimit;
use super::{Inlet, SourceError};
use crate::exchange::{Bookmark, Exchange, Submission};
use crate::metrics::{OBSERVED_DROPS, OBSERVED_PACKETS};
use crate::priority::behind_radius;
pub use watch::{Outcome, Seen, Sighting, Watch};

/// Datagrams that wait to be looked at: a second of a busy relay. At 4,096 octets each that is 32 MiB.
const QUEUE: usize = 8_192;
/// Datagrams that are looked at for one submission.
const BATCH: usize = 1_024;
/// How often requests without a reply are looked for.
const TICK: Duration = Duration::from_millis(250);
/// Log lines about dropped packets, per reason and minute.
const LOG_LINES: u64 = 10;
/// The client of a packet from nobody known, in metrics.
const UNKNOWN_CLIENT: &str = "unknown";

/// Where datagrams are handed in. Clones feed the same observer.
#[derive(Debug, Clone)]
pub struct Feed {
    fed: Sender<Fed>,
    full: Counter,
}

/// What waits in the queue.
#[derive(Debug)]
enum Fed {
    Sighting(Sighting),
    Ending(Ending),
}

/// The end of what is fed.
#[derive(Debug)]
pub struct Ending {
    /// How far the material goes in its own time, if it has any: requests that nobody answered by then, and in time, are
    /// told as unanswered. Of the others the replies may lie behind the end; they are let go, and counted.
    pub until: Option<Timestamp>,
    /// What was read by this, to be stored behind everything that was fed before.
    pub bookmarks: Vec<Bookmark>,
}

impl Feed {
    /// Hands a datagram over, or counts it as dropped where there is no room: never waits.
    pub fn offer(&self, sighting: Sighting) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.fed.try_send(Fed::Sighting(sighting)) {
            self.full.increment(1);
        }
    }

    /// Hands a datagram over, waiting for room. False when the observer has ended or `stop` is set.
    pub fn wait(&self, sighting: Sighting, stop: &AtomicBool) -> bool {
        let taken = self.push(Fed::Sighting(sighting), stop);
        if !taken {
            self.full.increment(1);
        }
        taken
    }

    /// Says that nothing more comes, waiting for room. False when it was not heard: nothing of it is stored then.
    pub fn finish(self, ending: Ending, stop: &AtomicBool) -> bool {
        self.push(Fed::Ending(ending), stop)
    }

    fn push(&self, mut fed: Fed, stop: &AtomicBool) -> bool {
        loop {
            match self.fed.send_timeout(fed, TICK) {
                Ok(()) => return true,
                Err(SendTimeoutError::Disconnected(_)) => return false,
                Err(SendTimeoutError::Timeout(back)) if !stop.load(Ordering::Relaxed) => fed = back,
                Err(SendTimeoutError::Timeout(_)) => return false,
            }
        }
    }
}

/// A running observer. It ends when all feeds are gone; joining waits for what they had handed in.
#[derive(Debug)]
pub struct Observer {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Observer {
    /// Returns when everything fed is stored or given up. Every [`Feed`] must be gone.
    pub fn join(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a source's observing thread has panicked");
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.end();
    }
}

/// When a request without a reply is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// By the time of day.
    Live,
    /// By the times of what is fed, as from a file.
    Material,
}

/// Starts an observer for a source of this name and type, which waits `patience` for replies.
pub fn start(
    name: &Arc<str>,
    kind: &'static str,
    inlet: &Inlet,
    patience: Duration,
    clock: Clock,
) -> Result<(Feed, Observer), SourceError> {
    let (fed, waiting) = bounded(QUEUE);
    let drops = |reason: &'static str| counter!(OBSERVED_DROPS, "source" => name.to_string(), "reason" => reason);
    let stop = Arc::new(AtomicBool::new(false));
    let (clients, dictionary) = (Arc::clone(&inlet.clients), Arc::clone(&inlet.dictionary));
    let mut thread = Thread {
        name: Arc::clone(name),
        waiting,
        watch: Watch::new(Arc::clone(name), kind, clients, dictionary, patience),
        clock,
        intake: inlet.submissions.clone(),
        stop: Arc::clone(&stop),
        limit: LogLimit::new(LOG_LINES),
        not_stored: drops("not_stored"),
        forgotten: drops("too_many_waiting"),
        ended: drops("file_ended"),
    };
    let feed = Feed { fed, full: drops("queue_full") };
    let thread = std::thread::Builder::new()
        .name(format!("see-{kind}"))
        .spawn(move || {
            behind_radius();
            thread.run();
        })
        .map_err(|error| SourceError::Thread { name: Arc::clone(name), error })?;
    Ok((feed, Observer { thread: Some(thread), stop }))
}

struct Thread {
    name: Arc<str>,
    waiting: Receiver<Fed>,
    watch: Watch,
    clock: Clock,
    intake: Sender<Submission>,
    stop: Arc<AtomicBool>,
    limit: LogLimit,
    not_stored: Counter,
    forgotten: Counter,
    ended: Counter,
}

impl Thread {
    fn run(&mut self) {
        let mut latest = Timestamp::MIN;
        loop {
            let first = match self.waiting.recv_timeout(TICK) {
                Ok(fed) => Some(fed),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let (mut exchanges, mut bookmarks) = (Vec::new(), Vec::new());
            let waiting = self.waiting.clone();
            for fed in first.into_iter().chain(waiting.try_iter().take(BATCH)) {
                match fed {
                    Fed::Sighting(sighting) => {
                        latest = latest.max(sighting.at);
                        if self.clock == Clock::Material {
                            // Before each: what the material says must not depend on how it falls into batches.
                            self.watch.expire(latest, &mut exchanges);
                        }
                        let seen = self.watch.see(&sighting, &mut exchanges);
                        self.account(&seen, &sighting);
                    }
                    Fed::Ending(ending) => {
                        latest = latest.max(ending.until.unwrap_or(latest));
                        self.watch.expire(latest, &mut exchanges);
                        self.let_go();
                        bookmarks.extend(ending.bookmarks);
                    }
                }
            }
            let now = if self.clock == Clock::Live { Timestamp::now() } else { latest };
            self.watch.expire(now, &mut exchanges);
            self.forgotten.increment(self.watch.take_forgotten());
            if !exchanges.is_empty() || !bookmarks.is_empty() {
                self.submit(exchanges, bookmarks);
            }
            for (reason, count) in self.limit.suppressed(Instant::now()) {
                tracing::warn!(source = &*self.name, reason, count, "packets like these made no event either");
            }
        }
    }

    fn let_go(&mut self) {
        let unanswered = self.watch.let_go() as u64;
        self.ended.increment(unanswered);
        if unanswered > 0 {
            let requests = unanswered;
            tracing::warn!(source = &*self.name, requests, "requests make no event: it ends before their replies");
        }
    }

    fn account(&mut self, seen: &Seen, sighting: &Sighting) {
        let client = seen.client.as_ref().map_or(UNKNOWN_CLIENT, |client| &*client.name);
        let (source, name) = (self.name.to_string(), client.to_string());
        counter!(OBSERVED_PACKETS, "source" => source, "client" => name, "result" => seen.outcome.label()).increment(1);
        if let Outcome::Dropped(reason) = seen.outcome
            && self.limit.allows(reason, Instant::now())
        {
            let Sighting { from, to, .. } = sighting;
            tracing::warn!(source = &*self.name, client, %from, %to, reason, "a packet that passed by makes no event");
        }
        if seen.unproven {
            tracing::warn!(
                source = &*self.name,
                client,
                from = %sighting.from.ip(),
                "its Access-Requests carry no Message-Authenticator, so that somebody between it and the server can turn a \
                 reject into an accept (CVE-2024-3596); upgrade it or switch it on, then set \
                 require_message_authenticator = \"yes\" for it (\"no\" silences this)"
            );
        }
    }

    /// Hands a batch to intake until it is stored.
    fn submit(&self, exchanges: Vec<Exchange>, bookmarks: Vec<Bookmark>) {
        let events = exchanges.len();
        let is_stopped = |patience| {
            std::thread::sleep(patience);
            self.stop.load(Ordering::Relaxed)
        };
        let kept = Kept { exchanges, bookmarks, stands_elsewhere: false };
        if !kept.until_stored(&self.intake, is_stopped) {
            self.not_stored.increment(events as u64);
            tracing::error!(source = &*self.name, events, "what was seen last could not be stored");
        }
    }
}
