//! What operators see of an endpoint: whether it works, since when not, and why.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tracing::{info, warn};

use super::breaker::Changed;
use super::certificate::Certificate;
use super::policy;
use crate::event::EventId;
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
    /// By what a receiver that says yes later is known; made up when it is first asked.
    callback: Option<EventId>,
    /// A receiver has said yes, and to how many requests a minute.
    granted: Option<Option<u32>>,
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
    /// Requests failed since the last success.
    pub failures: u64,
    /// Nothing is sent until then, when one request finds out whether the receiver is back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests_until: Option<Timestamp>,
    /// Nothing is sent because the receiver has not agreed to it (`verify`); what it said when it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_verified: Option<String>,
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

    /// Notes how many requests are under way, and until when none is begun.
    pub(super) fn shows(&self, requests: usize, rests_until: Option<Timestamp>) {
        let mut known = self.lock();
        known.seen.in_flight = requests;
        known.seen.rests_until = rests_until;
    }

    /// Notes whether the receiver has agreed, or why not. The log hears of a new reason.
    pub(super) fn agreed(&self, endpoint: &str, answer: Result<(), &str>) {
        let mut known = self.lock();
        let reason = answer.err().map(str::to_owned);
        match &reason {
            None => info!(endpoint, "has agreed to be sent events"),
            Some(reason) if known.seen.not_verified.as_ref() != Some(reason) => {
                warn!(endpoint, reason, "has not agreed to be sent events, which wait; it is asked again");
            }
            Some(_) => {}
        }
        known.seen.not_verified = reason;
    }

    /// By what a receiver is known that says yes later.
    pub(super) fn callback(&self) -> EventId {
        *self.lock().callback.get_or_insert_with(EventId::random)
    }

    /// A receiver says yes, to so many requests a minute. Says whether it is this endpoint's.
    pub fn grant(&self, callback: EventId, per_minute: Option<u32>) -> bool {
        let mut known = self.lock();
        let is_own = known.callback.is_some_and(|own| bool::from(own.as_bytes().ct_eq(callback.as_bytes())));
        if is_own {
            known.granted = Some(per_minute);
        }
        is_own
    }

    /// What was granted since the last call.
    pub(super) fn take_granted(&self) -> Option<Option<u32>> {
        self.lock().granted.take()
    }

    /// Notes a request, and what the breaker made of it. The log hears when the endpoint begins to fail, when the breaker opens
    /// and when it works again, not of every request, of which there may be thousands a second.
    pub(super) fn attempted(&self, endpoint: &str, attempt: &Attempt, changed: Option<Changed>, now: Timestamp) {
        let mut known = self.lock();
        if attempt.status.is_some_and(policy::is_success) {
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
        if let Some(Changed::Opened { failures }) = changed {
            warn!(endpoint, failures, reason, "is left alone; one request at a time finds out whether it is back");
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
