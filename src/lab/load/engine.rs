//! The run itself: which packet leaves next, and what its answer means for the figures.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::flight::{Answer, Flight, Overdue};
use super::wire::{BATCH, Wire};
use super::{Backlog, LoadError, LoadOptions, LoadReport, MAX_WINDOW, Pace};
use crate::lab::nas::{Nas, Record, Session};
use crate::secret::Secret;

/// Sessions open at once, as long as there are new ones: enough that their packets mix as on a real NAS.
const OPEN_SESSIONS: u64 = 1000;

/// Simulated time between two records of a session; a usual Acct-Interim-Interval. Sessions are dated back by their
/// whole length, so that no Event-Timestamp lies in the future.
const INTERVAL: Duration = Duration::from_secs(300);

/// How long a repeated record says it waited: Acct-Delay-Time, seconds.
const REPEAT_DELAY: u32 = 5;

/// Genuine packets for each forged one, where the length of the run is not known.
const FORGED_EVERY: u64 = 100;

/// How often the other end is looked at while it holds everything up: it gives no sign of its own.
const LOOK: Duration = Duration::from_micros(200);

/// The wire's socket for forged packets: whatever arrives there is an answer nobody should have given.
const FORGED: usize = 0;

/// The wire's socket for the flight's first; the rest follow.
const GENUINE: usize = FORGED + 1;

/// A session, and what it says next.
struct Play {
    session: Session,
    /// When its next record happens, in simulated time.
    at: Timestamp,
    /// The last record, to be told once more with a raised Acct-Delay-Time before the session goes on.
    repeat: Option<Record>,
}

pub(super) struct Engine<'a> {
    options: &'a LoadOptions,
    backlog: Option<&'a Backlog>,
    nas: Nas,
    /// A secret the target does not have.
    forging: Secret,
    rng: SmallRng,
    wire: Wire,
    flight: Flight<Play>,
    /// Sessions with nothing under way, the longest waiting first.
    ready: VecDeque<Play>,
    /// Sessions that have not been told to their end.
    open: u64,
    /// Packets chosen to be sent twice.
    twice: u64,
    started: Instant,
    last_answer: Instant,
    report: LoadReport,
}

impl<'a> Engine<'a> {
    pub(super) fn new(options: &'a LoadOptions, backlog: Option<&'a Backlog>) -> Result<Self, LoadError> {
        let now = Instant::now();
        let mut engine = Self {
            options,
            backlog,
            nas: Nas::new(options.nas.clone()),
            forging: Secret::new([options.secret.expose(), b", forged"].concat()),
            rng: SmallRng::seed_from_u64(options.nas.seed),
            wire: Wire::new(options.target),
            flight: Flight::new(options.secret.clone(), options.timeout, options.tries),
            ready: VecDeque::new(),
            open: 0,
            twice: 0,
            started: now,
            last_answer: now,
            report: LoadReport::new(),
        };
        engine.open_socket()?;
        Ok(engine)
    }

    fn open_socket(&mut self) -> Result<(), LoadError> {
        let doing = || format!("open a socket to {}", self.options.target);
        self.wire.open().map_err(|source| LoadError::Io { doing: doing(), source })
    }

    /// The figures so far.
    pub(super) fn report(&mut self, now: Instant) -> &LoadReport {
        self.report.outstanding = self.flight.outstanding() as u64;
        self.report.refused = self.wire.refused;
        self.report.elapsed = self.last_answer - self.started;
        if let Pace::Rate(rate) = self.options.pace
            && let Some(duration) = self.options.duration.filter(|duration| now - self.started >= *duration)
        {
            let wanted = (duration.as_secs_f64() * rate) as u64;
            self.report.unsent =
                wanted.min(self.options.expected().unwrap_or(u64::MAX)).saturating_sub(self.report.sent);
        }
        &self.report
    }

    /// Whether all is told and answered, or the time is over and all that was sent is answered or given up.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let told = self.ready.is_empty() && !self.has_new_sessions();
        self.flight.outstanding() == 0 && (told || self.is_late(now))
    }

    fn is_late(&self, now: Instant) -> bool {
        self.options.duration.is_some_and(|duration| now - self.started >= duration)
    }

    fn has_new_sessions(&self) -> bool {
        self.options.sessions.is_none_or(|sessions| self.report.sessions < sessions)
    }

    /// How many packets should leave now.
    fn due(&self, now: Instant) -> usize {
        let outstanding = self.flight.outstanding();
        let due = match self.options.pace {
            _ if self.is_late(now) => 0,
            Pace::Window(window) => window.saturating_sub(outstanding),
            Pace::Rate(rate) => {
                // Rounded by the very function that says when each one leaves, or the two could wait for each other.
                let mut wanted = ((now - self.started).as_secs_f64() * rate) as u64;
                while self.started + departure(wanted, rate) <= now {
                    wanted += 1;
                }
                let missing = usize::try_from(wanted.saturating_sub(self.report.sent)).unwrap_or(usize::MAX);
                missing.min(MAX_WINDOW.saturating_sub(outstanding))
            }
        };
        due.min(self.room())
    }

    /// How many more the target's other end lets in.
    fn room(&self) -> usize {
        // A packet that was given up may have gone in or not. It counts as if it had, and its room never comes back: a run
        // that loses packets says so.
        self.backlog.map_or(usize::MAX, |backlog| backlog.room(self.report.sent))
    }

    /// When the packet that leaves next should leave.
    fn intended(&self, now: Instant) -> Instant {
        match self.options.pace {
            Pace::Window(_) => now,
            Pace::Rate(rate) => self.started + departure(self.report.sent, rate),
        }
    }

    /// How long nothing happens unless an answer arrives.
    pub(super) fn until_next_move(&self, now: Instant) -> Duration {
        let until = |at: Instant| at.saturating_duration_since(now);
        let deadline = self.flight.next_deadline().map_or(Duration::MAX, until);
        match self.intended(now) {
            // What should have left long ago waits for an answer, too.
            intended if intended <= now && self.room() == 0 => deadline.min(LOOK),
            intended if intended <= now => deadline,
            intended => deadline.min(until(intended)),
        }
    }

    /// Sends one batch of what is due, on the socket with the most room, and says whether there may be more.
    pub(super) fn send_due(&mut self, now: Instant) -> Result<bool, LoadError> {
        let due = self.due(now);
        if due == 0 {
            return Ok(false);
        }
        let socket = match (0..self.flight.sockets()).max_by_key(|at| self.flight.room(*at)) {
            Some(socket) if self.flight.room(socket) > 0 => socket,
            _ => {
                self.open_socket()?;
                self.flight.add_socket()
            }
        };
        let mut batch = Vec::with_capacity(BATCH);
        for _ in 0..due.min(BATCH).min(self.flight.room(socket)) {
            let identifier = self.flight.identifier(socket);
            let Some((play, packet, copied)) = self.next_packet(identifier)? else { break };
            self.flight.launch(socket, packet, self.intended(now), now, play);
            self.report.sent += 1;
            batch.push(identifier);
            if copied {
                self.report.retransmitted += 1;
                batch.push(identifier);
            }
        }
        let datagrams: Vec<&[u8]> = batch.iter().map(|identifier| self.flight.request(socket, *identifier)).collect();
        self.wire.send(GENUINE + socket, &datagrams).map_err(|source| sending(self.options, source))?;
        self.send_forged()?;
        Ok(!batch.is_empty() && self.due(now) > 0)
    }

    /// What leaves next: whose it is, its bytes, and whether a copy goes right behind. `None` when everybody waits for
    /// an answer or has told everything.
    fn next_packet(&mut self, identifier: u8) -> Result<Option<(Play, Vec<u8>, bool)>, LoadError> {
        loop {
            let early = self.has_new_sessions() && self.open < OPEN_SESSIONS;
            let waiting = if early { None } else { self.ready.pop_front() };
            let mut play = match waiting {
                Some(play) => play,
                None if self.has_new_sessions() => self.open_session(),
                None => return Ok(None),
            };
            if let Some(record) = play.repeat.take() {
                self.report.repeated += 1;
                return Ok(Some((play, record.packet(identifier, &self.options.secret, REPEAT_DELAY)?, false)));
            }
            let Some(record) = play.session.next(play.at) else {
                self.open -= 1;
                continue;
            };
            play.at = play.at.checked_add(INTERVAL).unwrap_or(play.at);
            let packet = record.packet(identifier, &self.options.secret, 0)?;
            let twice = self.rng.random_bool(self.options.retransmit_share);
            self.twice += u64::from(twice);
            let copied = twice && self.twice % 2 == 1;
            play.repeat = (twice && !copied).then_some(record);
            return Ok(Some((play, packet, copied)));
        }
    }

    fn open_session(&mut self) -> Play {
        let length = INTERVAL.saturating_mul(self.options.nas.interims.saturating_add(1));
        let now = Timestamp::now();
        let at = now.checked_sub(length).unwrap_or(now);
        self.report.sessions += 1;
        self.open += 1;
        Play { session: self.nas.open(at), at, repeat: None }
    }

    /// Sends forged packets as far as the run has come.
    fn send_forged(&mut self) -> Result<(), LoadError> {
        let due = match self.options.expected() {
            Some(expected) => {
                let share = self.report.sent as f64 / expected.max(1) as f64;
                (self.options.forge as f64 * share).ceil() as u64
            }
            None => self.report.sent.div_ceil(FORGED_EVERY),
        };
        while self.report.forged < due.min(self.options.forge) {
            let at = Timestamp::now();
            let Some(record) = self.nas.open(at).next(at) else { break };
            let packet = record.packet(self.report.forged as u8, &self.forging, 0)?;
            self.wire.send(FORGED, &[&packet]).map_err(|source| sending(self.options, source))?;
            self.report.forged += 1;
        }
        Ok(())
    }

    /// Sends again what has waited too long, or gives it up.
    pub(super) fn resend_or_give_up(&mut self, now: Instant) -> Result<(), LoadError> {
        while let Some(overdue) = self.flight.overdue(now) {
            match overdue {
                Overdue::Resend { socket, identifier } => {
                    let request = self.flight.request(socket, identifier);
                    self.wire.send(GENUINE + socket, &[request]).map_err(|source| sending(self.options, source))?;
                    self.report.retransmitted += 1;
                }
                Overdue::Lost { cargo } => {
                    self.report.lost += 1;
                    self.ready.push_back(cargo);
                }
            }
        }
        Ok(())
    }

    /// Waits for answers, at most so long, and takes them in.
    pub(super) fn receive(&mut self, at_most: Duration) -> Result<(), LoadError> {
        let Self { options, wire, flight, ready, report, last_answer, .. } = self;
        let receiving = |source| LoadError::Io { doing: format!("receive from {}", options.target), source };
        for socket in wire.wait(at_most).map_err(receiving)? {
            wire.receive(socket, |bytes| {
                let Some(genuine) = socket.checked_sub(GENUINE) else {
                    report.forged_answered += 1;
                    return;
                };
                match flight.answer(genuine, bytes) {
                    Answer::Acknowledged { since, cargo } => {
                        *last_answer = Instant::now();
                        report.acknowledged += 1;
                        let latency = last_answer.saturating_duration_since(since).as_nanos();
                        report.latency.saturating_record(u64::try_from(latency).unwrap_or(u64::MAX).max(1));
                        ready.push_back(cargo);
                    }
                    Answer::Again => report.answered_again += 1,
                    Answer::Bad => report.bad_answers += 1,
                }
            })
            .map_err(receiving)?;
        }
        Ok(())
    }
}

/// When, after the start, the packet with this number leaves in open loop.
fn departure(number: u64, rate: f64) -> Duration {
    Duration::try_from_secs_f64(number as f64 / rate).unwrap_or(Duration::MAX)
}

fn sending(options: &LoadOptions, source: io::Error) -> LoadError {
    LoadError::Io { doing: format!("send to {}", options.target), source }
}
