//! The breaker of an endpoint: after a run of failures nothing is sent for a while, then one request finds out whether the
//! receiver is back. So a receiver that is down costs next to nothing, and the events that wait for it do not use up their
//! retries: they were not tried.
//!
//! Pure: `now` is an argument.

use std::time::{Duration, Instant};

use super::pace::Sign;

/// So many failures in a row are no accident, and more than the default concurrency can have under way at once.
const OPENS_AFTER: u32 = 20;

/// The first rest: a receiver that is only restarted is missed for no longer.
const FIRST_REST: Duration = Duration::from_millis(500);

/// Rests double up to here: whoever repairs a receiver sees events come in before they wonder where they are.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// The breaker of one endpoint.
#[derive(Debug, Default)]
pub struct Breaker {
    /// In a row.
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    rest: Duration,
    /// The one request that finds out is under way.
    probing: bool,
}

/// Whether an attempt may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Closed,
    /// One may, to find out.
    HalfOpen,
    /// None may until then; `None` while the one that finds out is under way.
    Open(Option<Instant>),
}

/// A change, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It has opened after so many failures in a row.
    Opened {
        /// How many.
        failures: u32,
    },
    /// It has closed.
    Closed,
}

impl Breaker {
    /// Whether an attempt may begin at `now`.
    pub fn gate(&self, now: Instant) -> Gate {
        match &self.open {
            None => Gate::Closed,
            Some(open) if open.probing => Gate::Open(None),
            Some(open) if now < open.until => Gate::Open(Some(open.until)),
            Some(_) => Gate::HalfOpen,
        }
    }

    /// Whether nothing but single requests is sent.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// An attempt begins through a half-open gate.
    pub fn probes(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
    }

    /// The attempt that was to find out was never made: there was nothing to send after all.
    pub fn probe_fell_through(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }

    /// An attempt has ended. An answer of any kind that is not about the receiver itself closes the breaker: it is there.
    pub fn landed(&mut self, sign: Sign, was_probe: bool, now: Instant) -> Option<Changed> {
        if !sign.is_down() {
            self.failures = 0;
            return self.open.take().map(|_| Changed::Closed);
        }
        self.failures = self.failures.saturating_add(1);
        match &mut self.open {
            Some(open) if was_probe => {
                let rest = (open.rest * 2).min(LONGEST_REST);
                *open = Open { until: now + rest, rest, probing: false };
                None
            }
            // It began before the breaker opened.
            Some(_) => None,
            None if self.failures >= OPENS_AFTER => {
                self.open = Some(Open { until: now + FIRST_REST, rest: FIRST_REST, probing: false });
                Some(Changed::Opened { failures: self.failures })
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..OPENS_AFTER - 1 {
            assert_eq!(breaker.landed(Sign::Failed, false, now), None);
            assert_eq!(breaker.gate(now), Gate::Closed);
        }
        assert_eq!(breaker.landed(Sign::Unavailable, false, now), Some(Changed::Opened { failures: OPENS_AFTER }));
        breaker
    }

    #[test]
    fn a_run_of_failures_opens_it_and_one_request_at_a_time_finds_out() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let mut due = now + FIRST_REST;
        assert_eq!(breaker.gate(now), Gate::Open(Some(due)));
        for rest in [1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
            assert_eq!(breaker.gate(due), Gate::HalfOpen);
            breaker.probes();
            assert_eq!(breaker.gate(due), Gate::Open(None), "one is under way");
            assert_eq!(breaker.landed(Sign::Failed, true, due), None, "said once, when it opened");
            assert_eq!(breaker.gate(due), Gate::Open(Some(due + Duration::from_millis(rest))));
            due += Duration::from_millis(rest);
        }
        breaker.probes();
        assert_eq!(breaker.landed(Sign::Took, true, due), Some(Changed::Closed));
        assert_eq!(breaker.gate(due), Gate::Closed);
    }

    #[test]
    fn a_success_in_between_begins_the_count_anew() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 0..OPENS_AFTER - 1 {
                breaker.landed(Sign::Failed, false, now);
            }
            breaker.landed(Sign::Took, false, now);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn who_refuses_events_or_asks_for_mercy_is_there() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..1_000 {
            breaker.landed(Sign::Refused, false, now);
            breaker.landed(Sign::Throttled, false, now);
        }
        assert_eq!(breaker.gate(now), Gate::Closed);
        let mut breaker = opened(now);
        breaker.probes();
        assert_eq!(breaker.landed(Sign::Refused, true, now), Some(Changed::Closed));
    }

    #[test]
    fn what_began_before_it_opened_does_not_stretch_the_rest_but_may_close_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.landed(Sign::Failed, false, now + FIRST_REST / 2);
        assert_eq!(breaker.gate(now), Gate::Open(Some(now + FIRST_REST)));
        assert_eq!(breaker.landed(Sign::Took, false, now), Some(Changed::Closed));
    }

    #[test]
    fn a_probe_that_found_nothing_to_send_lets_the_next_one_go() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.probes();
        breaker.probe_fell_through();
        assert_eq!(breaker.gate(now + FIRST_REST), Gate::HalfOpen);
    }
}
