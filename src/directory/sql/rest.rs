//! When a database that is not there is asked again. While it rests nobody waits for it: what finds out whether it is back is asked
//! aside. Pure: `now` is an argument.

use std::time::{Duration, Instant};

/// The first rest: a server that is only restarted is missed for no longer.
const FIRST: Duration = Duration::from_secs(1);

/// Rests double up to here: whoever starts the database sees what it says in events before they wonder.
const LONGEST: Duration = Duration::from_secs(10);

/// Whether the database is left alone.
#[derive(Debug, Default)]
pub(super) struct Rest {
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

/// How a question may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// And waited for.
    Ask,
    /// It finds out whether the database is back; nobody waits.
    FindOut,
    /// Not at all.
    Not,
}

impl Rest {
    /// How a question may be asked that takes at most `patience`. Of several only one finds out.
    pub fn may(&mut self, now: Instant, patience: Duration) -> May {
        match &mut self.pause {
            None => May::Ask,
            Some(pause) if now < pause.until => May::Not,
            Some(pause) => {
                // Should it never be heard of again, another one finds out.
                pause.until = now + patience + pause.length;
                May::FindOut
            }
        }
    }

    /// Whether it rests.
    pub fn rests(&self) -> bool {
        self.pause.is_some()
    }

    /// It was not there. Says whether it rests from now on and did not before.
    pub fn failed(&mut self, was_to_find_out: bool, now: Instant) -> bool {
        match &mut self.pause {
            None => {
                self.pause = Some(Pause { until: now + FIRST, length: FIRST });
                true
            }
            Some(pause) if was_to_find_out => {
                let length = (pause.length * 2).min(LONGEST);
                *pause = Pause { until: now + length, length };
                false
            }
            // It was asked before the rest began.
            Some(_) => false,
        }
    }

    /// It has answered. Says whether it rested before.
    pub fn answered(&mut self) -> bool {
        self.pause.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    #[test]
    fn rests_grow_and_one_question_at_a_time_finds_out() {
        let start = Instant::now();
        let mut rest = Rest::default();
        assert_eq!(rest.may(start, PATIENCE), May::Ask);
        assert!(rest.failed(false, start));
        assert!(!rest.failed(false, start + FIRST / 2), "it was asked before");
        let mut now = start;
        for length in [1, 2, 4, 8, 10, 10].map(Duration::from_secs) {
            assert_eq!(rest.may(now + length - Duration::from_millis(1), PATIENCE), May::Not);
            now += length;
            assert_eq!(rest.may(now, PATIENCE), May::FindOut);
            assert_eq!(rest.may(now + PATIENCE, PATIENCE), May::Not, "another one finds out");
            assert!(!rest.failed(true, now));
        }
        assert!(rest.answered() && !rest.answered());
        assert_eq!(rest.may(now, PATIENCE), May::Ask);
    }

    #[test]
    fn one_that_is_never_heard_of_again_is_followed_by_another() {
        let start = Instant::now();
        let mut rest = Rest::default();
        rest.failed(false, start);
        assert_eq!(rest.may(start + FIRST, PATIENCE), May::FindOut);
        assert_eq!(rest.may(start + FIRST + PATIENCE + FIRST, PATIENCE), May::FindOut);
    }
}
