//! Which server is asked: the first that answers. Plain logic, time is an argument.
//!
//! With probes a server is down when it has left [`PROBES_UNANSWERED`] of them unanswered, and up again with one answer.
//! Without, it is judged by what passes: one that owes [`REQUESTS_UNANSWERED`] answers in a row, the oldest for
//! [`UNANSWERED_FOR`], is set aside for [`SET_ASIDE`] and then tried again. Both ways an ICMP refusal takes it down at
//! once, and any answer brings it up. Where none is up one is asked all the same: a judgement may be wrong, and silence
//! costs the NAS as much.

use std::time::{Duration, Instant};

/// Probes in a row without an answer that take a server down, as FreeRADIUS counts (`num_answers_to_alive` the other way).
pub const PROBES_UNANSWERED: u32 = 3;
/// How long a probe of a server that is up may take before the next one follows. A server that is alive answers at once.
pub const PROBE_PATIENCE: Duration = Duration::from_secs(2);
/// Requests in a row without an answer that set a server aside. A NAS that tries three times three seconds apart thus
/// reaches the next server with its third.
pub const REQUESTS_UNANSWERED: u32 = 2;
/// How long the oldest of them has waited. A delayed reject takes a second.
pub const UNANSWERED_FOR: Duration = Duration::from_secs(3);
/// How long a server stays set aside. FreeRADIUS itself leaves a dead home server alone for several minutes; half a minute
/// costs those who are sent there to try it one retransmission.
pub const SET_ASIDE: Duration = Duration::from_secs(30);

/// What is known of the servers, by their place in the config.
#[derive(Debug)]
pub struct Servers {
    servers: Vec<Server>,
    interval: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Server {
    state: State,
    /// Requests since the last answer.
    unanswered: u32,
    /// When the first of them was sent.
    since: Instant,
    probe: Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// Since then.
    Down(Instant),
}

#[derive(Debug, Clone, Copy)]
struct Probe {
    due: Instant,
    waits: bool,
    unanswered: u32,
}

/// A server came up or went down: to be told, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its place in the config.
    pub server: usize,
    /// What is now true of it.
    pub why: Why,
}

/// Why a server is up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Up: it answered.
    #[error("it answers")]
    Answered,
    /// Up: it was set aside for long enough.
    #[error("it was set aside for {SET_ASIDE:?} and is tried again")]
    TriedAgain,
    /// Down: its host says that nobody listens there, or that there is no way to it.
    #[error("it cannot be reached")]
    Refused,
    /// Down: it owes answers.
    #[error("it left {requests} requests in a row unanswered, the oldest for {waited:?}")]
    Silent {
        /// How many.
        requests: u32,
        /// For how long the oldest.
        waited: Duration,
    },
    /// Down: it leaves probes unanswered.
    #[error(
        "it left {PROBES_UNANSWERED} Status-Server packets in a row unanswered; does it know this host as a client, with the \
         secret of `probe`?"
    )]
    NoAnswerToProbes,
}

impl Why {
    /// Whether the server is up by this.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Answered | Self::TriedAgain)
    }
}

impl Servers {
    /// So many servers, the preferred one first, all up until something is known. `interval` is how often they are probed,
    /// if they are.
    pub fn new(count: usize, interval: Option<Duration>, now: Instant) -> Self {
        let probe = Probe { due: now, waits: false, unanswered: 0 };
        let server = Server { state: State::Up, unanswered: 0, since: now, probe };
        Self { servers: vec![server; count], interval }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Whom to ask next: the server that was asked before while it is up, or else the first that is; where none is, the one
    /// that has been down longest.
    pub fn choose(&mut self, before: Option<usize>, now: Instant, changes: &mut Vec<Change>) -> usize {
        if self.interval.is_none() {
            for server in 0..self.servers.len() {
                self.judge(server, now, changes);
            }
        }
        let is_up = |server: &usize| self.servers.get(*server).is_some_and(|server| server.state == State::Up);
        if let Some(before) = before.filter(is_up) {
            return before;
        }
        let all = 0..self.servers.len();
        all.clone().find(is_up).unwrap_or_else(|| {
            let since = |server: &usize| match self.servers[*server].state {
                State::Up => now,
                State::Down(since) => since,
            };
            all.min_by_key(since).unwrap_or(0)
        })
    }

    /// A request was sent to it.
    pub fn asked(&mut self, server: usize, now: Instant) {
        let server = &mut self.servers[server];
        if server.unanswered == 0 {
            server.since = now;
        }
        server.unanswered = server.unanswered.saturating_add(1);
    }

    /// It answered something, be it a probe.
    pub fn answered(&mut self, server: usize, changes: &mut Vec<Change>) {
        let known = &mut self.servers[server];
        known.unanswered = 0;
        known.probe.unanswered = 0;
        self.up(server, Why::Answered, changes);
    }

    /// It answered a probe that was sent at `sent`.
    pub fn answered_probe(&mut self, server: usize, sent: Instant, changes: &mut Vec<Change>) {
        let probe = &mut self.servers[server].probe;
        probe.waits = false;
        probe.due = sent + self.interval.unwrap_or_default();
        self.answered(server, changes);
    }

    /// Its host, or one on the way to it, says that it is not there.
    pub fn refused(&mut self, server: usize, now: Instant, changes: &mut Vec<Change>) {
        self.down(server, Why::Refused, now, changes);
    }

    /// The servers to be probed now: the caller sends each of them one.
    pub fn probes_due(&mut self, now: Instant, changes: &mut Vec<Change>) -> Vec<usize> {
        let Some(interval) = self.interval else { return Vec::new() };
        let due: Vec<_> = (0..self.servers.len()).filter(|server| self.servers[*server].probe.due <= now).collect();
        for &server in &due {
            let probe = &mut self.servers[server].probe;
            if probe.waits {
                probe.unanswered = probe.unanswered.saturating_add(1);
                if probe.unanswered >= PROBES_UNANSWERED {
                    self.down(server, Why::NoAnswerToProbes, now, changes);
                }
            }
            let known = &mut self.servers[server];
            let patience = if known.state == State::Up { interval.min(PROBE_PATIENCE) } else { interval };
            known.probe = Probe { due: now + patience, waits: true, ..known.probe };
        }
        due
    }

    /// Without probes: whether it owes too much, or was set aside for long enough.
    fn judge(&mut self, server: usize, now: Instant, changes: &mut Vec<Change>) {
        let known = &mut self.servers[server];
        match known.state {
            State::Down(since) if now.saturating_duration_since(since) >= SET_ASIDE => {
                known.unanswered = 0;
                self.up(server, Why::TriedAgain, changes);
            }
            State::Up if known.unanswered >= REQUESTS_UNANSWERED => {
                let waited = now.saturating_duration_since(known.since);
                if waited >= UNANSWERED_FOR {
                    let requests = known.unanswered;
                    self.down(server, Why::Silent { requests, waited }, now, changes);
                }
            }
            _ => {}
        }
    }

    fn up(&mut self, server: usize, why: Why, changes: &mut Vec<Change>) {
        let known = &mut self.servers[server];
        if known.state != State::Up {
            known.state = State::Up;
            changes.push(Change { server, why });
        }
    }

    fn down(&mut self, server: usize, why: Why, now: Instant, changes: &mut Vec<Change>) {
        let known = &mut self.servers[server];
        if known.state == State::Up {
            known.state = State::Down(now);
            changes.push(Change { server, why });
        }
    }
}

#[cfg(test)]
mod tests;
