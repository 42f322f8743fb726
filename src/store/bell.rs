//! The bell between the writer and one endpoint's delivery: what was committed that delivery should look at.

use std::sync::Mutex;

use tokio::sync::Notify;

use super::queue::Place;
use super::records::EventNumber;
#[cfg(doc)]
use super::standing::Begin;

/// Rung by the writer after a commit, heard by the endpoint's delivery. It holds at most what delivery has in hand and
/// one place, so nothing grows while delivery is busy.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<Rung>,
    notify: Notify,
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

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.earliest.is_none() && self.settled.is_empty() && self.begun.is_empty() && !self.turned
    }
}

impl Bell {
    /// Rings, unless nothing happened.
    pub fn ring(&self, news: Rung) {
        if news.is_empty() {
            return;
        }
        {
            let mut rung = self.rung.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            news.earliest.into_iter().for_each(|place| rung.placed(place));
            rung.settled.extend(news.settled);
            rung.begun.extend(news.begun);
            rung.turned |= news.turned;
        }
        self.notify.notify_one();
    }

    /// Wakes delivery, though nothing happened in its queue.
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// What happened since the last call.
    pub fn take(&self) -> Rung {
        std::mem::take(&mut self.rung.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Returns when it has been rung since the last return.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }
}
