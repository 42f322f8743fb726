//! How fast an endpoint is tried. One that works is tried as fast as its concurrency and `rate` allow; one that asks for
//! mercy is tried more slowly for a while; one that does nothing but fail is tried at a bounded pace, so that a dead
//! receiver costs the host next to nothing, however long its backlog.
//!
//! Pure: `now` is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::options::Rate;

/// So many failures in a row are no accident: four times the default concurrency.
const FAILING: u32 = 64;

/// Between the beginnings of two attempts while the endpoint fails: a hundred a second find out soon enough that it is back.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// Between two attempts after the first answer that asks for mercy; each further one doubles it, each success halves it.
const FIRST_MERCY: Duration = Duration::from_millis(50);

/// The longest that mercy stretches: slower than this the backlog of a busy site would never end.
const LONGEST_MERCY: Duration = Duration::from_secs(2);

/// Below this mercy is over.
const LEAST_MERCY: Duration = Duration::from_millis(5);

/// The longest that a Retry-After holds up the endpoint as a whole; the delivery it came with waits as long as was asked. A
/// receiver that names a day by mistake would otherwise hear nothing for a day.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// What an attempt tells of its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It took the event.
    Took,
    /// It is there and has too much to do: 429.
    Throttled,
    /// It is overloaded, or what stands before it cannot reach it: 502, 503, 504.
    Unavailable,
    /// It failed, or did not answer.
    Failed,
    /// It is there, and did not take the event.
    Refused,
}

impl Sign {
    /// What the status of an answer tells; `None` where none came.
    pub fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..300) => Self::Took,
            Some(429) => Self::Throttled,
            Some(502..=504) => Self::Unavailable,
            Some(500..600) | None => Self::Failed,
            Some(_) => Self::Refused,
        }
    }

    /// Whether it says that the receiver is not there, whatever it is sent.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Unavailable | Self::Failed)
    }
}

/// The pace of one endpoint.
#[derive(Debug, Default)]
pub struct Pace {
    rate: Option<Rate>,
    /// When the last attempts began, as many as `rate` allows within its time.
    starts: VecDeque<Instant>,
    failures: u32,
    mercy: Duration,
    last_start: Option<Instant>,
    /// The receiver has asked to be left alone until then.
    asked: Option<Instant>,
}

impl Pace {
    /// Of an endpoint with this `rate`.
    pub fn new(rate: Option<Rate>) -> Self {
        Self { rate, ..Self::default() }
    }

    /// Whether it holds nothing up, however many begin.
    pub fn is_free(&self) -> bool {
        self.rate.is_none() && self.mercy.is_zero() && self.failures < FAILING
    }

    /// Another rate holds from now on.
    pub fn keep_to(&mut self, rate: Option<Rate>) {
        self.rate = rate;
    }

    /// When the next attempt may begin; `None` for at once.
    pub fn held_until(&self, now: Instant) -> Option<Instant> {
        let by_rate = self.rate.and_then(|rate| {
            let full = self.starts.len() >= rate.count as usize;
            full.then(|| self.starts.front().map(|first| *first + rate.within)).flatten()
        });
        let between = if self.failures >= FAILING { self.mercy.max(BETWEEN_ATTEMPTS) } else { self.mercy };
        let by_mercy = self.last_start.filter(|_| !between.is_zero()).map(|last| last + between);
        by_rate.max(by_mercy).max(self.asked).filter(|at| *at > now)
    }

    /// An attempt begins.
    pub fn started(&mut self, now: Instant) {
        self.last_start = Some(now);
        if let Some(rate) = self.rate {
            while self.starts.len() >= rate.count as usize {
                self.starts.pop_front();
            }
            self.starts.push_back(now);
        }
    }

    /// An attempt has ended, and its answer asked to be left alone for so long. One success is enough to end the pace of a
    /// failing endpoint.
    pub fn landed(&mut self, sign: Sign, retry_after: Option<Duration>, now: Instant) {
        if let (Sign::Throttled | Sign::Unavailable, Some(wait)) = (sign, retry_after) {
            self.asked = self.asked.max(Some(now + wait.min(LONGEST_HOLD)));
        }
        match sign {
            Sign::Took => {
                self.failures = 0;
                self.mercy /= 2;
                if self.mercy < LEAST_MERCY {
                    self.mercy = Duration::ZERO;
                }
            }
            Sign::Throttled | Sign::Unavailable => {
                self.failures = self.failures.saturating_add(1);
                self.mercy = (self.mercy * 2).clamp(FIRST_MERCY, LONGEST_MERCY);
            }
            Sign::Failed | Sign::Refused => self.failures = self.failures.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn only_a_long_run_of_failures_slows_down_and_one_success_ends_it() {
        let begun = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..63 {
            pace.started(begun);
            pace.landed(Sign::Refused, None, begun);
        }
        assert_eq!(pace.held_until(begun), None);
        pace.landed(Sign::Refused, None, begun);
        assert_eq!(pace.held_until(begun), Some(begun + ms(10)));
        assert_eq!(pace.held_until(begun + ms(10)), None);
        pace.landed(Sign::Took, None, begun);
        assert_eq!(pace.held_until(begun), None);
    }

    #[test]
    fn an_overloaded_receiver_gets_mercy_that_grows_and_fades() {
        let begun = Instant::now();
        let mut pace = Pace::default();
        pace.started(begun);
        let held = |pace: &Pace| pace.held_until(begun).map(|at| at.duration_since(begun));
        pace.landed(Sign::of(Some(503)), None, begun);
        assert_eq!(held(&pace), Some(ms(50)));
        pace.landed(Sign::of(Some(429)), None, begun);
        assert_eq!(held(&pace), Some(ms(100)));
        (0..20).for_each(|_| pace.landed(Sign::of(Some(502)), None, begun));
        assert_eq!(held(&pace), Some(ms(2_000)));
        // 2,000 ms halved nine times are less than five.
        (0..8).for_each(|_| pace.landed(Sign::of(Some(200)), None, begun));
        assert!(held(&pace).is_some());
        pace.landed(Sign::of(Some(200)), None, begun);
        assert_eq!(held(&pace), None);
        for status in [Some(500), Some(404), None] {
            pace.landed(Sign::of(status), None, begun);
        }
        assert_eq!(held(&pace), None, "only what says so is overloaded");
    }

    #[test]
    fn a_receiver_that_names_a_time_is_left_alone_till_then_and_not_for_ever() {
        let begun = Instant::now();
        let mut pace = Pace::default();
        pace.landed(Sign::Throttled, Some(ms(3_000)), begun);
        assert_eq!(pace.held_until(begun), Some(begun + ms(3_000)));
        assert_eq!(pace.held_until(begun + ms(3_000)), None);
        pace.landed(Sign::Unavailable, Some(ms(86_400_000)), begun);
        assert_eq!(pace.held_until(begun), Some(begun + LONGEST_HOLD));
        let mut pace = Pace::default();
        pace.landed(Sign::Refused, Some(ms(3_000)), begun);
        assert_eq!(pace.held_until(begun), None, "only the delivery waits");
    }

    #[test]
    fn no_window_of_the_rate_holds_more_starts_than_it_allows() {
        let begun = Instant::now();
        let rate = Rate { count: 3, within: ms(1_000) };
        let mut pace = Pace::new(Some(rate));
        let mut now = begun;
        let mut starts = Vec::new();
        for step in 0..50_u64 {
            now += ms(step * 37 % 120);
            if let Some(at) = pace.held_until(now) {
                assert!(at > now);
                now = at;
                assert_eq!(pace.held_until(now), None);
            }
            pace.started(now);
            starts.push(now);
        }
        assert!(starts.windows(4).all(|four| four[3].duration_since(four[0]) >= rate.within));
        assert!(starts.windows(3).any(|three| three[2].duration_since(three[0]) < ms(300)), "bursts are let through");
    }
}
