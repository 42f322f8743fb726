//! Load: drives a simulated NAS against a target and measures every answer.
//!
//! Closed loop ([`Pace::Window`]): so many packets are under way, the next leaves when one is answered; this finds the
//! most a target can take. Open loop ([`Pace::Rate`]): packets leave when the clock says so, and latency counts from
//! that moment and not from the moment the packet really left, so that a target which stalls cannot hide its stall by
//! stalling the sender.
//!
//! Within a session the next packet leaves only after the one before was acknowledged or given up. Every answer's
//! Response Authenticator is verified (RFC 2866 §3). Everything ends: a packet after its tries, the run after its
//! sessions or its duration.

mod engine;
mod flight;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use radius::core::packet::PacketError;
use thiserror::Error;

use crate::lab::nas::NasOptions;
use crate::secret::Secret;
use engine::Engine;
use flight::PER_SOCKET;

/// Sockets at most, for 16,384 packets under way: enough for 5,000 packets a second into a target that is down, and
/// within the 1,024 open files a process may usually have.
const MAX_SOCKETS: usize = 128;

/// The largest [`Pace::Window`].
pub const MAX_WINDOW: usize = MAX_SOCKETS * PER_SOCKET;

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// The longest latency told apart, in nanoseconds: beyond it a packet counts as this slow.
const MAX_LATENCY: u64 = 600_000_000_000;

/// What to send, where, and how fast.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where accounting is taken.
    pub target: SocketAddr,
    /// The secret shared with it.
    pub secret: Secret,
    /// The simulated NAS, its users and its seed.
    pub nas: NasOptions,
    /// How fast.
    pub pace: Pace,
    /// Sessions to play from start to stop; `None` opens new ones until `duration` is over.
    pub sessions: Option<u64>,
    /// No new packets after so long.
    pub duration: Option<Duration>,
    /// The share of packets that are sent twice though they are answered, 0.0 to 1.0. Every other time as an identical
    /// copy right behind, otherwise after the answer, with a raised Acct-Delay-Time.
    pub retransmit_share: f64,
    /// Packets signed with another secret, spread over the run. Nobody should answer them.
    pub forge: u64,
    /// How long to wait for an answer before sending again.
    pub timeout: Duration,
    /// How often a packet is sent in all before it counts as lost; at least 1.
    pub tries: u32,
}

impl LoadOptions {
    /// As many NASes do it: three tries, three seconds apart, 64 packets under way, a thousand sessions.
    pub fn new(target: SocketAddr, secret: Secret) -> Self {
        Self {
            target,
            secret,
            nas: NasOptions::default(),
            pace: Pace::Window(64),
            sessions: Some(1000),
            duration: None,
            retransmit_share: 0.0,
            forge: 0,
            timeout: Duration::from_secs(3),
            tries: 3,
        }
    }
}

impl LoadOptions {
    fn check(&self) -> Result<(), LoadError> {
        let wrong = |what: String| Err(LoadError::Options(what));
        match self.pace {
            Pace::Window(0) => wrong("the window must be at least 1".to_owned()),
            Pace::Window(window) if window > MAX_WINDOW => {
                wrong(format!("the window is {window}, and at most {MAX_WINDOW} packets can be under way"))
            }
            Pace::Rate(rate) if !(rate.is_finite() && rate > 0.0) => {
                wrong(format!("the rate is {rate}, and must be above 0"))
            }
            _ if self.sessions.is_none() && self.duration.is_none() => {
                wrong("without a number of sessions or a duration the run would not end".to_owned())
            }
            _ if !(0.0..=1.0).contains(&self.retransmit_share) => {
                wrong(format!("the share of retransmissions is {}, not 0 to 1", self.retransmit_share))
            }
            _ if self.secret.expose().is_empty() => wrong("the secret is empty".to_owned()),
            _ => Ok(()),
        }
    }

    /// Packets of all sessions together, without repeats; `None` when only the duration ends the run.
    pub fn expected(&self) -> Option<u64> {
        self.sessions.map(|sessions| sessions.saturating_mul(u64::from(self.nas.interims) + 2))
    }
}

/// How fast packets leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many under way at any time, at most [`MAX_WINDOW`].
    Window(usize),
    /// So many a second, whatever the answers do, as long as [`MAX_WINDOW`] are not outstanding.
    Rate(f64),
}

/// How far the target's other end may fall behind: packets wait while more of the acknowledged have not come out there.
#[derive(Debug, Clone)]
pub struct Backlog {
    /// How many have come out; whoever takes them counts.
    pub taken: Arc<AtomicU64>,
    /// How many may be between the two ends, those under way to the target among them.
    pub at_most: u64,
}

impl Backlog {
    /// How many more may go in, when so many have gone in already.
    fn room(&self, sent: u64) -> usize {
        let between = sent.saturating_sub(self.taken.load(Ordering::Relaxed));
        usize::try_from(self.at_most.saturating_sub(between)).unwrap_or(usize::MAX)
    }
}

/// What happened so far, and in the end.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// Packets sent, each counted once however often it was retransmitted: acknowledged, lost, or outstanding.
    pub sent: u64,
    /// Answered, rightly signed.
    pub acknowledged: u64,
    /// Given up after the last try.
    pub lost: u64,
    /// Still under way: 0 at the end of a run that was not stopped.
    pub outstanding: u64,
    /// Datagrams sent again, byte for byte: after a timeout, or as a wanted copy.
    pub retransmitted: u64,
    /// Packets, among the sent ones, that told an earlier record again with a raised Acct-Delay-Time.
    /// `sent - repeated` is the number of different facts.
    pub repeated: u64,
    /// Right answers to packets that had been answered or given up before.
    pub answered_again: u64,
    /// Malformed, unexpected or wrongly signed answers.
    pub bad_answers: u64,
    /// How often the target's host said that nobody listens there.
    pub refused: u64,
    /// Forged packets sent; in none of the other counts.
    pub forged: u64,
    /// Forged packets somebody answered.
    pub forged_answered: u64,
    /// Packets [`Pace::Rate`] wanted to send before the end of `duration` and could not.
    pub unsent: u64,
    /// Sessions opened.
    pub sessions: u64,
    /// Nanoseconds from when a packet should have left (`Rate`) or left first (`Window`) to its answer. Lost packets
    /// are not in it.
    pub latency: Histogram<u64>,
    /// From the first packet to the last acknowledgement.
    pub elapsed: Duration,
}

impl LoadReport {
    fn new() -> Self {
        Self {
            sent: 0,
            acknowledged: 0,
            lost: 0,
            outstanding: 0,
            retransmitted: 0,
            repeated: 0,
            answered_again: 0,
            bad_answers: 0,
            refused: 0,
            forged: 0,
            forged_answered: 0,
            unsent: 0,
            sessions: 0,
            latency: Histogram::new_with_bounds(1, MAX_LATENCY, 3)
                .expect("1 < 2 * 1 <= MAX_LATENCY, and 3 <= 5 digits"),
            elapsed: Duration::ZERO,
        }
    }

    /// Acknowledgements a second.
    pub fn rate(&self) -> f64 {
        self.acknowledged as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Why a load run could not go on.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The options contradict themselves or a limit.
    #[error("{0}")]
    Options(String),
    /// The local system refused a socket or a datagram.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system answered.
        source: io::Error,
    },
    /// A name is too long for an attribute.
    #[error("a packet of the simulated NAS: {0}")]
    Packet(#[from] PacketError),
}

/// Plays the whole run on this thread. `progress` is called about ten times a second and at the end; `Break` stops at
/// once, with what is under way left outstanding.
pub fn run(
    options: &LoadOptions,
    progress: impl FnMut(&LoadReport) -> ControlFlow<()>,
) -> Result<LoadReport, LoadError> {
    play(options, None, progress)
}

/// As [`run`], and no faster than what goes in comes out again: what is found is the rate that a target can hold for ever.
pub fn run_balanced(
    options: &LoadOptions,
    backlog: &Backlog,
    progress: impl FnMut(&LoadReport) -> ControlFlow<()>,
) -> Result<LoadReport, LoadError> {
    play(options, Some(backlog), progress)
}

fn play(
    options: &LoadOptions,
    backlog: Option<&Backlog>,
    mut progress: impl FnMut(&LoadReport) -> ControlFlow<()>,
) -> Result<LoadReport, LoadError> {
    options.check()?;
    let mut engine = Engine::new(options, backlog)?;
    // A timer that is 50 µs late, as usual, would show up as the target's latency. Without the right to change it
    // figures are that much worse, nothing more.
    let _ = nix::sys::prctl::set_timerslack(1);
    let mut next_progress = Instant::now() + PROGRESS_EVERY;
    loop {
        let now = Instant::now();
        engine.resend_or_give_up(now)?;
        let more = engine.send_due(now)?;
        if engine.is_over(now) {
            break;
        }
        if now >= next_progress {
            next_progress = now + PROGRESS_EVERY;
            if progress(engine.report(now)).is_break() {
                break;
            }
        }
        let sleep = if more { Duration::ZERO } else { engine.until_next_move(now).min(next_progress - now) };
        engine.receive(sleep)?;
    }
    let report = engine.report(Instant::now());
    let _ = progress(report);
    Ok(report.clone())
}
