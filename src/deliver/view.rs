//! What operators see of an endpoint: whether it works, since when not, and why.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::certificate::Certificate;
use crate::store::queue::Then;
use crate::store::records::Attempt;

/// One endpoint's state, written by its delivery and read by the admin API.
#[derive(Debug, Default)]
pub struct View {
    known: Mutex<Known>,
    certificate: Arc<Certificate>,
}

#[derive(Debug, Default)]
struct Known {
    seen: Seen,
    /// The log's last word was that it fails.
    said_failing: bool,
    /// When the log's last word on a change was.
    said_at: Option<Timestamp>,
}

/// A receiver that fails now and then changes its state many times a second; the log hears of a change to the worse once
/// in so long.
const SAID_AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// A snapshot of a [`View`].
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
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
    /// When the receiver's certificate ends, where it has shown one since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_expires: Option<Timestamp>,
}

impl View {
    /// A view that shows this certificate's end too.
    pub fn of(certificate: Arc<Certificate>) -> Self {
        Self { certificate, ..Self::default() }
    }

    /// The state now.
    pub fn seen(&self) -> Seen {
        Seen { certificate_expires: self.certificate.expires(), ..self.lock().seen.clone() }
    }

    /// Notes how many requests are under way.
    pub(super) fn in_the_air(&self, requests: usize) {
        self.lock().seen.in_flight = requests;
    }

    /// Notes an attempt. The log hears when the endpoint begins to fail and when it works again, not of every attempt, of
    /// which there may be thousands a second.
    pub(super) fn attempted(&self, endpoint: &str, attempt: &Attempt, then: Then, now: Timestamp) {
        let mut known = self.lock();
        if then == Then::Delivered {
            if known.said_failing {
                info!(endpoint, failures = known.seen.failures, "takes deliveries again");
                known.said_failing = false;
                known.said_at = Some(now);
            }
            known.seen.last_success = Some(now);
            known.seen.failures = 0;
            return;
        }
        let reason = match (&attempt.error, attempt.status) {
            (Some(error), _) => error.clone(),
            (None, Some(status)) => format!("answered {status}"),
            (None, None) => "no answer".to_owned(),
        };
        if !known.said_failing && known.said_at.is_none_or(|at| now.duration_since(at) >= SAID_AGAIN) {
            warn!(endpoint, reason, "a delivery failed; retried by the schedule");
            known.said_failing = true;
            known.said_at = Some(now);
        }
        known.seen.failures += 1;
        known.seen.last_failure = Some(now);
        known.seen.last_error = Some(reason);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
