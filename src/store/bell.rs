//! The bell between the writer and one endpoint's delivery: what was committed that delivery should look at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::queue::Place;
use super::records::EventNumber;
#[cfg(doc)]
use super::standing::Begin;

/// Rung by the writer after a commit, heard by the endpoint's delivery. It holds at most what delivery has in hand and
/// one place, so nothing grows while delivery is busy.
///
/// **At once.** A delivery that is caught up offers room ([`Bell::offer`]): attempts that may begin with the batch that queues
/// their events, without being asked for. The writer claims a place for an event while it plans, and delivery holds that event
/// back from then on, since it may be seen in the queue as soon as it is committed. What is claimed is rung
/// ([`Rung::at_once`]) after the commit, or let go ([`Claims`]).
#[derive(Debug, Default)]
pub struct Bell {
    state: Mutex<State>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct State {
    rung: Rung,
    /// Attempts that may be claimed.
    room: usize,
    /// How many are claimed and neither rung nor let go.
    open: usize,
}

/// What has happened in an endpoint's queue since it was last looked at.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rung {
    /// The earliest place at which a delivery was put.
    pub earliest: Option<Place>,
    /// Deliveries whose outcome is now in the store; delivery has held them back until then.
    pub settled: Vec<EventNumber>,
    /// Attempts that may begin now.
    pub begun: Vec<Begun>,
    /// Events for which a place was claimed: told before they are stored, and to be held back from then on.
    pub claimed: Vec<EventNumber>,
    /// Those of them whose attempt has begun by what is stored.
    pub at_once: Vec<EventNumber>,
    /// How the endpoint stands was changed by somebody else.
    pub turned: bool,
}

/// The answer to a [`Begin`]: it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its number.
    pub ticket: u64,
    /// Those of its events that are not to be sent: they were settled meanwhile, or another has taken their place.
    pub gone: Vec<EventNumber>,
}

impl Rung {
    /// Notes a delivery put at `place`.
    pub fn placed(&mut self, place: Place) {
        self.earliest = Some(self.earliest.map_or(place, |earliest| earliest.min(place)));
    }

    /// Whether nothing happened that is to be rung for.
    pub fn is_empty(&self) -> bool {
        self.earliest.is_none()
            && self.settled.is_empty()
            && self.begun.is_empty()
            && self.at_once.is_empty()
            && !self.turned
    }
}

impl Bell {
    /// Rings, unless nothing happened.
    pub fn ring(&self, news: Rung) {
        if news.is_empty() {
            return;
        }
        {
            let mut state = self.state();
            state.open -= news.at_once.len();
            let rung = &mut state.rung;
            news.earliest.into_iter().for_each(|place| rung.placed(place));
            rung.settled.extend(news.settled);
            rung.begun.extend(news.begun);
            rung.at_once.extend(news.at_once);
            rung.turned |= news.turned;
        }
        self.notify.notify_one();
    }

    /// Wakes delivery, though nothing happened in its queue.
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Offers room for attempts: so many, with those that are claimed already.
    pub fn offer(&self, room: usize) {
        let mut state = self.state();
        state.room = room.saturating_sub(state.open + state.rung.at_once.len());
    }

    /// Claims a place for an event, if there is one.
    fn claim(&self, event: EventNumber) -> bool {
        let mut state = self.state();
        let has_room = state.room > 0;
        if has_room {
            state.room -= 1;
            state.open += 1;
            state.rung.claimed.push(event);
        }
        has_room
    }

    /// An event for which a place was claimed was not stored: its number may be given to another.
    fn let_go(&self, event: EventNumber) {
        {
            let mut state = self.state();
            state.open -= 1;
            state.rung.claimed.retain(|claimed| *claimed != event);
            state.rung.settled.push(event);
        }
        self.notify.notify_one();
    }

    /// Whether something is claimed that was neither rung nor let go.
    pub fn is_claimed(&self) -> bool {
        self.state().open > 0
    }

    /// What happened since the last call, but for what [`Bell::take_held`] told. All of one moment: what is to be sent at once
    /// is never told before it is to be held back.
    pub fn take(&self) -> Rung {
        std::mem::take(&mut self.state().rung)
    }

    /// Which events are not to be held back any more, and then which are from now on.
    pub fn take_held(&self) -> (Vec<EventNumber>, Vec<EventNumber>) {
        let mut state = self.state();
        (std::mem::take(&mut state.rung.settled), std::mem::take(&mut state.rung.claimed))
    }

    /// Returns when it has been rung since the last return.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of it leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Places that a batch in the making has claimed. Dropped before they are fulfilled, they are let go.
#[derive(Debug, Default)]
pub struct Claims(Vec<(Arc<Bell>, EventNumber)>);

impl Claims {
    /// Claims a place for an event; says whether there was one.
    pub fn claim(&mut self, bell: &Arc<Bell>, event: EventNumber) -> bool {
        let claimed = bell.claim(event);
        if claimed {
            self.0.push((Arc::clone(bell), event));
        }
        claimed
    }

    /// The batch is stored: they are rung as [`Rung::at_once`].
    pub fn fulfilled(mut self) {
        self.0.clear();
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        self.0.iter().for_each(|(bell, event)| bell.let_go(*event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_claimed_than_was_offered_whatever_is_on_its_way() {
        let bell = Arc::new(Bell::default());
        let mut claims = Claims::default();
        assert!(!claims.claim(&bell, 1), "nothing was offered");
        bell.offer(2);
        assert!(claims.claim(&bell, 1) && claims.claim(&bell, 2) && !claims.claim(&bell, 3));
        bell.offer(2);
        assert!(!claims.claim(&bell, 3), "both are claimed already");
        assert_eq!(bell.take_held(), (vec![], vec![1, 2]));
        claims.fulfilled();
        bell.ring(Rung { at_once: vec![1, 2], ..Rung::default() });
        assert!(!bell.is_claimed());
        bell.offer(3);
        let mut claims = Claims::default();
        assert!(claims.claim(&bell, 3), "one more than the two that were rung");
        assert!(!claims.claim(&bell, 4));
        assert_eq!(bell.take().at_once, [1, 2]);
    }

    #[test]
    fn what_was_claimed_for_a_batch_that_was_not_stored_is_let_go_before_its_number_is_used_again() {
        let bell = Arc::new(Bell::default());
        bell.offer(1);
        let mut claims = Claims::default();
        assert!(claims.claim(&bell, 7));
        drop(claims);
        assert!(!bell.is_claimed());
        assert_eq!(bell.take_held(), (vec![7], vec![]), "delivery may have held it back already");
        bell.offer(1);
        let mut claims = Claims::default();
        assert!(claims.claim(&bell, 7));
        assert_eq!(bell.take_held(), (vec![], vec![7]));
    }

    #[test]
    fn what_is_to_be_sent_at_once_is_told_with_that_it_is_to_be_held_back() {
        let bell = Arc::new(Bell::default());
        bell.offer(1);
        let mut claims = Claims::default();
        assert!(claims.claim(&bell, 7));
        claims.fulfilled();
        bell.ring(Rung { at_once: vec![7], ..Rung::default() });
        let rung = bell.take();
        assert_eq!((rung.claimed, rung.at_once), (vec![7], vec![7]));
        assert_eq!(bell.take_held(), (vec![], vec![]), "held back later, it would be for ever");
    }
}
