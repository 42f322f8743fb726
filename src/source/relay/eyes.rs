//! Where what passes is shown to the observer, while there is one.

use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, counter};

use crate::metrics::OBSERVED_DROPS;
use crate::source::observer::{Feed, Sighting};

/// The observer's place. Packets pass before it is taken and after it is given up, and make no events then.
#[derive(Debug)]
pub struct Eyes {
    feed: RwLock<Option<Feed>>,
    unseen: Counter,
}

impl Eyes {
    /// Nobody watches the source of this name yet.
    pub fn closed(source: &Arc<str>) -> Self {
        let unseen = counter!(OBSERVED_DROPS, "source" => source.to_string(), "reason" => "starting_or_stopping");
        Self { feed: RwLock::default(), unseen }
    }

    /// From now on everything is shown to this observer.
    pub fn open(&self, feed: Feed) {
        *self.feed.write().unwrap_or_else(PoisonError::into_inner) = Some(feed);
    }

    /// From now on nothing is shown.
    pub fn close(&self) {
        *self.feed.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Shows what passed, or counts it. Never waits for the observer; the lock is held by others only to change who watches.
    pub fn show(&self, sightings: &mut Vec<Sighting>) {
        let feed = self.feed.read().unwrap_or_else(PoisonError::into_inner);
        match &*feed {
            Some(feed) => sightings.drain(..).for_each(|sighting| feed.offer(sighting)),
            None => {
                self.unseen.increment(sightings.len() as u64);
                sightings.clear();
            }
        }
    }
}
