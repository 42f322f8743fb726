//! How a receiver misbehaves: which requests it treats badly, and in which way. Pure; `now` is an argument.

use std::time::{Duration, Instant};

use http::StatusCode;

/// What a receiver does with requests it believes. The default takes everything at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// Which requests fare badly.
    pub when: When,
    /// What happens to those.
    pub how: How,
    /// Every request waits so long for its fate.
    pub delay: Duration,
}

/// Which requests fare badly, counted from when the behaviour was set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// None.
    Never,
    /// All.
    Always,
    /// The first so many.
    First(u64),
    /// This share of them, 0.0 to 1.0, evenly spread: with 0.25 every fourth.
    Share(f64),
    /// All, for so long.
    For(Duration),
}

/// What a badly faring request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// This status, and no body.
    Status(StatusCode),
    /// Nothing, ever; the connection stays open.
    Hang,
    /// Nothing; the connection is closed.
    Close,
    /// Status 200 and a body that comes a byte at a time and never seems to end.
    Drip {
        /// Between two bytes.
        every: Duration,
    },
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { when: When::Never, how: How::Status(StatusCode::SERVICE_UNAVAILABLE), delay: Duration::ZERO }
    }
}

impl Behaviour {
    /// Every request gets this status.
    pub fn status(status: StatusCode) -> Self {
        Self { when: When::Always, how: How::Status(status), ..Self::default() }
    }
}

/// A behaviour at work.
#[derive(Debug)]
pub(super) struct Conduct {
    behaviour: Behaviour,
    since: Instant,
    requests: u64,
}

impl Conduct {
    pub(super) fn new(behaviour: Behaviour, now: Instant) -> Self {
        Self { behaviour, since: now, requests: 0 }
    }

    pub(super) fn delay(&self) -> Duration {
        self.behaviour.delay
    }

    /// What the next request gets; `None` is a proper answer.
    pub(super) fn next(&mut self, now: Instant) -> Option<How> {
        self.requests += 1;
        let bad = match self.behaviour.when {
            When::Never => false,
            When::Always => true,
            When::First(requests) => self.requests <= requests,
            When::Share(share) => {
                let failed = |requests: u64| (requests as f64 * share).floor();
                failed(self.requests) > failed(self.requests - 1)
            }
            When::For(duration) => now - self.since < duration,
        };
        bad.then_some(self.behaviour.how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(when: When, requests: usize) -> Vec<bool> {
        let now = Instant::now();
        let mut conduct = Conduct::new(Behaviour { when, ..Behaviour::default() }, now);
        (0..requests).map(|_| conduct.next(now).is_some()).collect()
    }

    #[test]
    fn the_first_ones_fail_and_then_none() {
        assert_eq!(fates(When::First(2), 4), [true, true, false, false]);
        assert_eq!(fates(When::Never, 1), [false]);
        assert_eq!(fates(When::Always, 1), [true]);
    }

    #[test]
    fn a_share_is_met_exactly_and_evenly() {
        assert_eq!(fates(When::Share(0.25), 8), [false, false, false, true, false, false, false, true]);
        let tenth = fates(When::Share(0.1), 1000);
        assert_eq!(tenth.iter().filter(|bad| **bad).count(), 100);
        assert_eq!(fates(When::Share(1.0), 3), [true; 3]);
        assert_eq!(fates(When::Share(0.0), 3), [false; 3]);
    }

    #[test]
    fn after_its_duration_the_receiver_is_well_again() {
        let start = Instant::now();
        let when = When::For(Duration::from_secs(30));
        let mut conduct = Conduct::new(Behaviour { when, ..Behaviour::default() }, start);
        assert!(conduct.next(start + Duration::from_millis(29_999)).is_some());
        assert!(conduct.next(start + Duration::from_secs(30)).is_none());
    }
}
