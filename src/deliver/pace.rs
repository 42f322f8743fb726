//! How fast an endpoint is tried. One that works is tried as fast as its concurrency allows; one that does nothing but fail
//! is tried at a bounded pace, so that a dead receiver costs the host next to nothing, however long its backlog.
//!
//! Pure: `now` is an argument.

use std::time::{Duration, Instant};

/// So many failures in a row are no accident: four times the default concurrency.
const FAILING: u32 = 64;

/// Between the beginnings of two attempts while the endpoint fails: a hundred a second find out soon enough that it is back.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// The pace of one endpoint.
#[derive(Debug, Default)]
pub struct Pace {
    failures: u32,
    last_start: Option<Instant>,
}

impl Pace {
    /// When the next attempt may begin; `None` for at once.
    pub fn held_until(&self, now: Instant) -> Option<Instant> {
        let at = self.last_start? + BETWEEN_ATTEMPTS;
        (self.failures >= FAILING && at > now).then_some(at)
    }

    /// An attempt begins.
    pub fn started(&mut self, now: Instant) {
        self.last_start = Some(now);
    }

    /// An attempt has ended. One success is enough to go at full speed again.
    pub fn landed(&mut self, delivered: bool) {
        self.failures = if delivered { 0 } else { self.failures.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_run_of_failures_slows_down_and_one_success_ends_it() {
        let begun = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..63 {
            pace.started(begun);
            pace.landed(false);
        }
        assert_eq!(pace.held_until(begun), None);
        pace.landed(false);
        assert_eq!(pace.held_until(begun), Some(begun + Duration::from_millis(10)));
        assert_eq!(pace.held_until(begun + Duration::from_millis(10)), None);
        pace.landed(true);
        assert_eq!(pace.held_until(begun), None);
    }
}
