//! `count = { key = "user.name", window = "10m" }`: how many events of an endpoint agreed in a key within a time, for its `when`:
//! `count >= 5`.

use super::OncePer;

/// How far is counted. A condition asks for the third or the fiftieth reject; beyond that more is more of the same.
pub const MAX_COUNT: usize = 256;

/// What is counted: the events an endpoint's `events` name, by a key, each for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    of: OncePer,
}

impl Count {
    /// By the same key, and for as long, as such a cap would hold back.
    pub fn new(of: OncePer) -> Self {
        Self { of }
    }

    /// What has to agree, and for how long: see [`OncePer::key`].
    pub fn of(&self) -> &OncePer {
        &self.of
    }

    /// How many count at `now`, with the one that has just come: those whose time is not over.
    pub fn with_this(&self, ends: &[i64], now: i64) -> usize {
        self.live(ends, now).count().saturating_add(1).min(MAX_COUNT)
    }

    /// Until when each counts, the new one among them.
    pub fn after_this(&self, ends: &[i64], now: i64) -> Vec<i64> {
        let kept: Vec<i64> = self.live(ends, now).collect();
        let spare = (kept.len() + 1).saturating_sub(MAX_COUNT);
        kept.into_iter().skip(spare).chain([self.of.until(now)]).collect()
    }

    /// A time further away than the window was written by a clock that has been set back since.
    fn live<'e>(&self, ends: &'e [i64], now: i64) -> impl Iterator<Item = i64> + 'e {
        let latest = self.of.until(now);
        ends.iter().copied().filter(move |end| (now + 1..=latest).contains(end))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_came_within_the_window_counts_and_no_more_than_that() {
        let count = Count::new(OncePer::parse(vec!["user.name".to_owned()], Duration::from_secs(10)).unwrap());
        let mut ends = Vec::new();
        for (now, expected) in [(0, 1), (4_000, 2), (9_999, 3), (10_000, 3), (30_000, 1), (5_000, 1)] {
            assert_eq!(count.with_this(&ends, now), expected, "at {now}");
            ends = count.after_this(&ends, now);
        }
        for at in 0..1_000 {
            ends = count.after_this(&ends, at);
        }
        assert_eq!((ends.len(), count.with_this(&ends, 1_000)), (MAX_COUNT, MAX_COUNT));
    }
}
