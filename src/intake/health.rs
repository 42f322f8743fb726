//! Whether the store accepts what comes in: what readiness and the status page say.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use crate::exchange::Readiness;
use crate::store::StoreError;

/// Written by the writer, read by everybody.
#[derive(Debug, Default)]
pub struct Health {
    refusal: Mutex<Option<Refusal>>,
    readiness: Readiness,
    turns: AtomicU64,
}

/// Why nothing is acknowledged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refusal {
    /// Since when.
    pub since: Timestamp,
    /// What the store said last.
    pub error: String,
}

impl Health {
    /// Why nothing is acknowledged at present, or `None` where all is well.
    pub fn refusal(&self) -> Option<Refusal> {
        self.lock().clone()
    }

    /// The same for the sources, in one word.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// How often the writer has looked for something to do: at least once a second while it is well.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// The writer looks again.
    pub(super) fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// The store took a batch of new events.
    pub(super) fn accepts(&self) {
        if let Some(refusal) = self.lock().take() {
            self.readiness.tell(true);
            info!(since = %refusal.since, "the store accepts again; acknowledging");
        }
    }

    /// The store refused one. Said once, not for every batch.
    pub(super) fn refuses(&self, error: &StoreError, now: Timestamp) {
        let mut refusal = self.lock();
        self.readiness.tell(false);
        let since = match &*refusal {
            Some(refusal) => refusal.since,
            None => {
                error!(%error, "the store refuses: nothing is acknowledged until it accepts again");
                now
            }
        };
        *refusal = Some(Refusal { since, error: error.to_string() });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
