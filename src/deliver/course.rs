//! How a batch goes out: as one request, and where that is refused in parts, until the event that is to blame stands alone.
//!
//! Parts go out from left to right, so that events of one session keep their order. A refusal is blamed on an event only where
//! the receiver took another one of the same batch: one that refuses everything is not to be fed, but waited for.
//!
//! Pure.

use std::collections::VecDeque;
use std::ops::Range;

/// What a request with some of the events came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They were taken.
    Taken,
    /// The receiver works and does not want something in it.
    Refused,
    /// Nothing is known of the events: the receiver failed.
    Failed,
}

impl Verdict {
    /// What an answer's status says; `None` where none came. What is about who asks (401, 403, 407), about where (404, 405, 410)
    /// or about when (408, 425, 429) is not about the events.
    pub fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..300) => Self::Taken,
            Some(401 | 403 | 404 | 405 | 407 | 408 | 410 | 425 | 429) => Self::Failed,
            Some(400..500) => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// What becomes of an event of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was taken.
    Taken,
    /// It stood alone and was refused, and others were taken.
    Poison,
    /// It is tried again.
    Failed,
}

/// The requests of one batch, one behind the other.
#[derive(Debug)]
pub struct Course {
    /// Still to go out, from left to right.
    parts: VecDeque<Range<usize>>,
    /// Of each event: what became of it, and by which request.
    fates: Vec<(Fate, usize)>,
    requests: usize,
    refusals: usize,
    has_taken: bool,
}

impl Course {
    /// A batch of so many events, at least one.
    pub fn new(events: usize) -> Self {
        let parts = std::iter::once(0..events).collect();
        Self { parts, fates: vec![(Fate::Failed, 0); events], requests: 0, refusals: 0, has_taken: false }
    }

    /// The events of the next request; `None` where the batch has come to its end.
    pub fn next(&self) -> Option<Range<usize>> {
        self.parts.front().cloned()
    }

    /// That request has come to this.
    pub fn landed(&mut self, verdict: Verdict) {
        let Some(part) = self.parts.pop_front() else { return };
        let request = self.requests;
        self.requests += 1;
        let fate = match verdict {
            Verdict::Taken => {
                self.has_taken = true;
                Fate::Taken
            }
            Verdict::Refused => {
                self.refusals += 1;
                Fate::Poison
            }
            Verdict::Failed => Fate::Failed,
        };
        self.fates[part.clone()].fill((fate, request));
        let in_vain = !self.has_taken && self.refusals > refusals_in_vain(self.fates.len());
        if fate == Fate::Failed || in_vain {
            // What was not sent shares the fate of the last that was.
            for part in self.parts.drain(..) {
                self.fates[part].fill((Fate::Failed, request));
            }
        } else if fate == Fate::Poison && part.len() > 1 {
            let middle = part.start + part.len() / 2;
            self.parts.push_front(middle..part.end);
            self.parts.push_front(part.start..middle);
        }
    }

    /// Of each event what became of it, and by which request, counted from 0.
    pub fn fates(mut self) -> Vec<(Fate, usize)> {
        if !self.has_taken {
            self.fates.iter_mut().for_each(|(fate, _)| *fate = Fate::Failed);
        }
        self.fates
    }
}

/// How many refusals without a single event taken are enough to call it the receiver's fault: down to the first event, past
/// it and up again, and once more half as far.
fn refusals_in_vain(events: usize) -> usize {
    let depth = events.next_power_of_two().ilog2() as usize;
    2 * depth + depth / 2 + 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a batch at a receiver that refuses whatever holds one of these events; the requests made.
    fn run(events: usize, poison: &[usize]) -> (Vec<Fate>, Vec<Range<usize>>) {
        let mut course = Course::new(events);
        let mut requests = Vec::new();
        while let Some(part) = course.next() {
            let refuses = poison.iter().any(|event| part.contains(event));
            course.landed(if refuses { Verdict::Refused } else { Verdict::Taken });
            requests.push(part);
        }
        (course.fates().into_iter().map(|(fate, _)| fate).collect(), requests)
    }

    #[test]
    fn a_batch_that_is_taken_is_one_request() {
        let (fates, requests) = run(3, &[]);
        assert_eq!((fates, requests.len()), (vec![Fate::Taken; 3], 1));
    }

    #[test]
    fn the_one_to_blame_is_found_wherever_it_stands_and_the_others_are_taken_in_order() {
        for at in 0..100 {
            let (fates, requests) = run(100, &[at]);
            let expected = |event| if event == at { Fate::Poison } else { Fate::Taken };
            assert_eq!(fates, (0..100).map(expected).collect::<Vec<_>>());
            assert!(requests.len() <= 15, "{at}: {} requests", requests.len());
        }
    }

    #[test]
    fn a_receiver_that_refuses_everything_is_not_fed_and_nothing_is_blamed() {
        let all: Vec<usize> = (0..1_000).collect();
        let (fates, requests) = run(1_000, &all);
        assert_eq!(fates, vec![Fate::Failed; 1_000]);
        assert!(requests.len() <= 30, "{} requests", requests.len());
        assert_eq!(run(1, &[0]).0, [Fate::Failed], "alone it goes by its schedule");
        assert_eq!(run(2, &[0, 1]).0, vec![Fate::Failed; 2]);
    }

    #[test]
    fn a_failure_ends_it_and_what_was_taken_stays_taken() {
        let mut course = Course::new(8);
        course.landed(Verdict::Refused);
        assert_eq!(course.next(), Some(0..4));
        course.landed(Verdict::Taken);
        course.landed(Verdict::Failed);
        assert_eq!(course.next(), None);
        let fates = course.fates();
        assert_eq!(fates[..4], [(Fate::Taken, 1); 4]);
        assert_eq!(fates[4..], [(Fate::Failed, 2); 4]);
    }

    #[test]
    fn what_is_not_about_the_events_is_not_blamed_on_them() {
        for status in [None, Some(401), Some(404), Some(429), Some(500), Some(503), Some(302), Some(100)] {
            assert_eq!(Verdict::of(status), Verdict::Failed, "{status:?}");
        }
        for status in [400, 409, 413, 415, 422] {
            assert_eq!(Verdict::of(Some(status)), Verdict::Refused, "{status}");
        }
    }

    proptest! {
        #[test]
        fn every_event_is_taken_once_or_blamed_rightly_and_what_is_taken_keeps_its_order(
            events in 1_usize..300,
            poison in prop::collection::btree_set(0_usize..300, 0..12),
        ) {
            let poison: Vec<usize> = poison.into_iter().filter(|event| *event < events).collect();
            let (fates, requests) = run(events, &poison);
            let taken: Vec<usize> =
                requests.iter().filter(|part| !poison.iter().any(|event| part.contains(event))).cloned().flatten().collect();
            prop_assert!(taken.is_sorted());
            for (event, fate) in fates.iter().enumerate() {
                match fate {
                    Fate::Taken => prop_assert_eq!(taken.iter().filter(|other| **other == event).count(), 1),
                    Fate::Poison => prop_assert!(poison.contains(&event) && !taken.contains(&event)),
                    Fate::Failed => prop_assert!(taken.is_empty()),
                }
            }
            prop_assert!(requests.len() <= 2 * events);
        }
    }
}
