//! What operators see of an endpoint: whether it works, since when not, and why.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tracing::{info, warn};

use crate::store::queue::Then;
use crate::store::records::Attempt;

/// One endpoint's state, written by its delivery and read by the admin API.
#[derive(Debug, Default)]
pub struct View(Mutex<Seen>);

/// A snapshot of a [`View`].
#[derive(Debug, Default, Clone, Serialize)]
pub struct Seen {
    /// Requests under way.
    pub in_flight: usize,
    /// When it last took an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// When an attempt last failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Attempts failed since the last success.
    pub failures: u64,
}

impl View {
    /// The state now.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// Notes how many requests are under way.
    pub(super) fn in_the_air(&self, requests: usize) {
        self.lock().in_flight = requests;
    }

    /// Notes an attempt. Says so in the log when the endpoint begins to fail, when it works again, and for each event
    /// given up: not for every attempt, of which there may be thousands a second.
    pub(super) fn attempted(&self, endpoint: &str, attempt: &Attempt, then: Then, now: Timestamp) {
        let mut seen = self.lock();
        if then == Then::Delivered {
            if seen.failures > 0 {
                info!(endpoint, failures = seen.failures, "takes deliveries again");
            }
            *seen = Seen { in_flight: seen.in_flight, last_success: Some(now), failures: 0, ..seen.clone() };
            return;
        }
        let reason = match (&attempt.error, attempt.status) {
            (Some(error), _) => error.clone(),
            (None, Some(status)) => format!("answered {status}"),
            (None, None) => "no answer".to_owned(),
        };
        if seen.failures == 0 {
            warn!(endpoint, reason, "a delivery failed; retried by the schedule");
        }
        seen.failures += 1;
        seen.last_failure = Some(now);
        seen.last_error = Some(reason);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
