//! What an endpoint's delivery has taken out of the queue and not settled yet, and how batches are made of it. Only numbers are
//! held, never a backlog.

use std::collections::{HashSet, VecDeque};

use super::options::BatchOptions;
use crate::store::queue::Place;
use crate::store::records::EventNumber;

/// What is in hand.
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// To be sent next, with when each was due.
    ready: VecDeque<Place>,
    /// Ready, under way, or waiting for their outcome to be written down.
    held: HashSet<EventNumber>,
}

/// What can be made of what is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gathered {
    /// These go out together.
    Batch(Vec<EventNumber>),
    /// They wait for company until then, in milliseconds since 1970.
    Waits(i64),
    /// There is nothing.
    Nothing,
}

impl Hand {
    /// Takes what is due into the hand, but for what is there already.
    pub fn take(&mut self, places: impl IntoIterator<Item = Place>) {
        let held = &mut self.held;
        self.ready.extend(places.into_iter().filter(|(_, event)| held.insert(*event)));
    }

    /// An event is under way without having been taken: it is not to be taken either.
    pub fn hold(&mut self, event: EventNumber) {
        self.held.insert(event);
    }

    /// How many could go out.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// An event's outcome is written down, or it is not to be sent: it may be taken again when it is due.
    pub fn release(&mut self, event: EventNumber) {
        self.held.remove(&event);
    }

    /// Makes the next batch at `now`: as many as a batch holds, or fewer once the first of them has waited long enough. What
    /// waits behind an event in its session goes with it: `behind` names it.
    pub fn gather<E>(
        &mut self,
        options: &BatchOptions,
        now: i64,
        mut behind: impl FnMut(EventNumber) -> Result<Option<EventNumber>, E>,
    ) -> Result<Gathered, E> {
        let Some((first, _)) = self.ready.front() else { return Ok(Gathered::Nothing) };
        let leaves_at = first.saturating_add(i64::try_from(options.max_wait.as_millis()).unwrap_or(i64::MAX));
        // A time far ahead was written by a clock that has been set back since.
        let waits = now < leaves_at && *first <= now.saturating_add(CLOCK_SLACK_MS);
        if self.ready.len() < options.max_events && waits {
            return Ok(Gathered::Waits(leaves_at));
        }
        let mut batch = Vec::new();
        while batch.len() < options.max_events
            && let Some((_, event)) = self.ready.pop_front()
        {
            let mut next = Some(event);
            while batch.len() < options.max_events
                && let Some(event) = next
            {
                batch.push(event);
                self.held.insert(event);
                next = match options.is_single() {
                    true => None,
                    false => behind(event)?,
                };
            }
        }
        Ok(Gathered::Batch(batch))
    }
}

/// How far ahead of the clock a due time may be that was taken as due: only by what passes between two looks at it.
const CLOCK_SLACK_MS: i64 = 1_000;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use super::*;

    fn options(max_events: usize, max_wait_ms: u64) -> BatchOptions {
        BatchOptions { max_events, max_wait: Duration::from_millis(max_wait_ms), ..BatchOptions::default() }
    }

    fn gather(hand: &mut Hand, options: &BatchOptions, now: i64) -> Gathered {
        // 10 is followed by 11 and 12 in its session.
        let behind = |event| Ok::<_, Infallible>((10..12).contains(&event).then(|| event + 1));
        hand.gather(options, now, behind).unwrap()
    }

    #[test]
    fn single_events_go_out_one_by_one_and_none_twice() {
        let mut hand = Hand::default();
        hand.take([(0, 10), (0, 20), (5, 10)]);
        let single = options(1, 0);
        assert_eq!(gather(&mut hand, &single, 9), Gathered::Batch(vec![10]));
        hand.take([(0, 10)]);
        assert_eq!(gather(&mut hand, &single, 9), Gathered::Batch(vec![20]));
        assert_eq!(gather(&mut hand, &single, 9), Gathered::Nothing);
        hand.release(10);
        hand.take([(0, 10)]);
        assert_eq!(hand.ready(), 1);
    }

    #[test]
    fn a_batch_waits_for_company_until_it_is_full_or_old() {
        let mut hand = Hand::default();
        let three = options(3, 1_000);
        hand.take([(100, 1), (200, 2)]);
        assert_eq!(gather(&mut hand, &three, 300), Gathered::Waits(1_100));
        assert_eq!(gather(&mut hand, &three, 1_100), Gathered::Batch(vec![1, 2]));
        hand.take([(1_200, 3), (1_200, 4), (1_200, 5), (1_200, 6)]);
        assert_eq!(gather(&mut hand, &three, 1_200), Gathered::Batch(vec![3, 4, 5]));
        assert_eq!(gather(&mut hand, &three, 1_200), Gathered::Waits(2_200));
    }

    #[test]
    fn what_waits_in_a_session_goes_with_its_first_event_as_far_as_there_is_room() {
        let mut hand = Hand::default();
        hand.take([(0, 10), (0, 20)]);
        assert_eq!(gather(&mut hand, &options(10, 0), 0), Gathered::Batch(vec![10, 11, 12, 20]));
        let mut hand = Hand::default();
        hand.take([(0, 10), (0, 20)]);
        assert_eq!(gather(&mut hand, &options(2, 0), 0), Gathered::Batch(vec![10, 11]));
        hand.take([(0, 11)]);
        assert_eq!(gather(&mut hand, &options(2, 0), 0), Gathered::Batch(vec![20]), "11 is under way");
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let mut hand = Hand::default();
        hand.take([(1_000_000, 1)]);
        assert_eq!(gather(&mut hand, &options(3, 1_000), 0), Gathered::Batch(vec![1]));
    }
}
