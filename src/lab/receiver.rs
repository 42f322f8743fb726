//! A receiver that believes nothing: it verifies every request, knows what it was sent before, checks the order
//! within each session, and misbehaves when told to.
//!
//! A request it does not believe is answered with 401, one whose body is too long with 413; what it believes meets its
//! [`Behaviour`]. Each request is reported once, when its fate is known. An event counts as taken once a 2xx is on its
//! way; a sender that leaves before that is noticed.

mod behaviour;
mod inflate;
mod ledger;
mod serve;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::deliver::sign::{Signer, WEBHOOK_ID};
use behaviour::Conduct;
pub use behaviour::{Behaviour, How, When};
use inflate::{Unpackable, unpacked};
use ledger::Ledger;
pub use ledger::{Facts, Novelty};

/// The longest body taken. An event of the largest packet is below 100 KiB; this leaves room for batches.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Requests kept for [`Receiver::records`].
pub const MAX_RECORDS: usize = 10_000;

/// Bytes of bodies kept among them.
const MAX_RECORDED_BYTES: usize = 64 * 1024 * 1024;

/// How long [`Receiver::stop`] waits for answers under way: enough to write them, too short for a hanging one.
pub const GRACE: Duration = Duration::from_secs(1);

/// What a receiver listens on and believes.
#[derive(Debug, Clone)]
pub struct ReceiverOptions {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Verifies requests; without it all are believed.
    pub signer: Option<Signer>,
    /// How old a signed time may be; `None` takes any.
    pub tolerance: Option<Duration>,
}

/// One request, and what became of it.
#[derive(Debug, Clone)]
pub struct Received {
    /// When its body was complete.
    pub at: Timestamp,
    /// What it says about its event.
    pub facts: Facts,
    /// Whether it is believed.
    pub verdict: Verdict,
    /// Whether its event was here before.
    pub novelty: Novelty,
    /// How it breaks the order of its session, if it does.
    pub disorder: Option<String>,
    /// What it got.
    pub answered: Answered,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, unpacked where it came compressed by gzip; it was verified as it came.
    pub body: Bytes,
}

/// Whether a request is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Rightly signed.
    Verified,
    /// No secret to verify it with.
    Unchecked,
    /// Not believed, for this reason.
    Refused(String),
}

/// What a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// A status.
    Status(StatusCode),
    /// Nothing; the connection stays open.
    Hung,
    /// A closed connection.
    Closed,
    /// A status 200 whose body does not end.
    Dripped,
    /// Nothing: the sender left before.
    SenderLeft,
}

/// Counts over all requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests whose body arrived, too long ones included.
    pub requests: u64,
    /// Not believed.
    pub refused: u64,
    /// Believed and answered with 2xx, repeats not counted: different events taken, where every event has its id.
    pub taken: u64,
    /// Believed and treated badly, as told.
    pub failed: u64,
    /// Senders that left before they were answered.
    pub left: u64,
    /// Events that had come before and had not been taken.
    pub retries: u64,
    /// Events that had been taken before.
    pub repeats: u64,
    /// Events that broke the order of their session.
    pub out_of_order: u64,
}

/// Why a receiver did not start.
#[derive(Debug, Error)]
#[error("listen on {listen}: {source}")]
pub struct ReceiverError {
    /// The address asked for.
    pub listen: SocketAddr,
    /// What the system answered.
    pub source: io::Error,
}

/// A running receiver. Dropped, it stops at once and breaks off its connections.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    /// Holds the listening socket and every connection.
    task: JoinHandle<()>,
}

struct State {
    options: ReceiverOptions,
    report: Box<dyn Fn(&Received) + Send + Sync>,
    inner: Mutex<Inner>,
}

struct Inner {
    conduct: Conduct,
    ledger: Ledger,
    records: VecDeque<Arc<Received>>,
    recorded_bytes: usize,
    summary: Summary,
}

impl Receiver {
    /// Listens, and calls `report` with every request when its fate is known. It is called on the runtime's threads,
    /// so it must not block for long.
    pub async fn start(
        options: ReceiverOptions,
        report: impl Fn(&Received) + Send + Sync + 'static,
    ) -> Result<Self, ReceiverError> {
        let refused = |source| ReceiverError { listen: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let state = Arc::new(State { options, report: Box::new(report), inner: Mutex::new(Inner::new()) });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve::accept(listener, Arc::clone(&state), stopped));
        Ok(Self { address, state, stop, task })
    }

    /// Takes no more requests, lets those under way have their answer within [`GRACE`], and counts for the last time.
    pub async fn stop(mut self) -> Summary {
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(GRACE, &mut self.task).await;
        self.summary()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where to send events to; it answers on every path.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Changes what it does from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state.inner().conduct = Conduct::new(behaviour, Instant::now());
    }

    /// The latest requests, oldest first, at most [`MAX_RECORDS`].
    pub fn records(&self) -> Vec<Arc<Received>> {
        self.state.inner().records.iter().cloned().collect()
    }

    /// Counts over all requests so far.
    pub fn summary(&self) -> Summary {
        self.state.inner().summary
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("address", &self.address).field("summary", &self.summary()).finish()
    }
}

/// A request whose fate is not known yet. Dropped without an answer, its sender has left.
struct Open {
    state: Arc<State>,
    received: Option<Received>,
    fate: Fate,
}

/// What a request is to get.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is not believed.
    Refuse(StatusCode),
    /// It is believed, waits, and then gets this; `None` is a proper answer.
    Believe { delay: Duration, how: Option<How> },
}

/// The body was longer than [`MAX_BODY`].
struct TooLong;

impl State {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Counters and maps are whole between two statements, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges a request.
    fn open(self: Arc<Self>, headers: HeaderMap, body: Result<Bytes, TooLong>) -> Open {
        let at = Timestamp::now();
        let (verdict, refusal) = match (&body, &self.options.signer) {
            (Err(TooLong), _) => {
                let reason = format!("the body is longer than {MAX_BODY} bytes");
                (Verdict::Refused(reason), Some(StatusCode::PAYLOAD_TOO_LARGE))
            }
            (Ok(_), None) => (Verdict::Unchecked, None),
            (Ok(body), Some(signer)) => match signer.verify(&headers, body, self.options.tolerance, at) {
                Ok(()) => (Verdict::Verified, None),
                Err(reason) => (Verdict::Refused(reason.to_string()), Some(StatusCode::UNAUTHORIZED)),
            },
        };
        let too_long = || format!("the body holds more than {MAX_BODY} bytes");
        let (body, verdict, refusal) = match (body.map(|body| unpacked(&headers, body)), refusal) {
            (Err(TooLong), _) => (Bytes::new(), verdict, refusal),
            (Ok(Ok(body)), _) => (body, verdict, refusal),
            (Ok(Err(_)), Some(_)) => (Bytes::new(), verdict, refusal),
            (Ok(Err(Unpackable::TooLong)), None) => {
                (Bytes::new(), Verdict::Refused(too_long()), Some(StatusCode::PAYLOAD_TOO_LARGE))
            }
            (Ok(Err(Unpackable::Broken)), None) => {
                let reason = "the body is not compressed as its Content-Encoding says".to_owned();
                (Bytes::new(), Verdict::Refused(reason), Some(StatusCode::BAD_REQUEST))
            }
        };
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let id = [WEBHOOK_ID, "idempotency-key"].into_iter().find_map(|name| headers.get(name).and_then(text));
        let facts = Facts::read(id, &body);
        let mut inner = self.inner();
        inner.summary.requests += 1;
        let (novelty, disorder, fate) = match refusal {
            Some(status) => (Novelty::New, None, Fate::Refuse(status)),
            None => {
                let (novelty, disorder) = inner.ledger.arrive(&facts);
                let fate = Fate::Believe { delay: inner.conduct.delay(), how: inner.conduct.next(Instant::now()) };
                (novelty, disorder, fate)
            }
        };
        drop(inner);
        let answered = Answered::SenderLeft;
        let received = Some(Received { at, facts, verdict, novelty, disorder, answered, headers, body });
        Open { state: self, received, fate }
    }
}

impl Open {
    /// Notes, counts and reports what the request got.
    fn close(&mut self, answered: Answered) {
        let Some(mut received) = self.received.take() else { return };
        received.answered = answered;
        let received = Arc::new(received);
        self.state.inner().note(&received, self.fate);
        (self.state.report)(&received);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close(Answered::SenderLeft);
    }
}

impl Inner {
    fn new() -> Self {
        Self {
            conduct: Conduct::new(Behaviour::default(), Instant::now()),
            ledger: Ledger::default(),
            records: VecDeque::new(),
            recorded_bytes: 0,
            summary: Summary::default(),
        }
    }

    fn note(&mut self, received: &Arc<Received>, fate: Fate) {
        let summary = &mut self.summary;
        let success = matches!(received.answered, Answered::Status(status) if status.is_success());
        summary.left += u64::from(received.answered == Answered::SenderLeft);
        match fate {
            Fate::Refuse(_) => summary.refused += 1,
            Fate::Believe { how, .. } => {
                self.ledger.leave(&received.facts, success);
                summary.taken += u64::from(success && received.novelty != Novelty::Repeat);
                summary.failed += u64::from(how.is_some() && !success);
                summary.retries += u64::from(received.novelty == Novelty::Retry);
                summary.repeats += u64::from(received.novelty == Novelty::Repeat);
                summary.out_of_order += u64::from(received.disorder.is_some());
            }
        }
        self.recorded_bytes += received.body.len();
        self.records.push_back(Arc::clone(received));
        while self.records.len() > MAX_RECORDS || self.recorded_bytes > MAX_RECORDED_BYTES {
            let Some(oldest) = self.records.pop_front() else { break };
            self.recorded_bytes -= oldest.body.len();
        }
    }
}
