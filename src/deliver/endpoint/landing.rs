//! What came of what was under way: to the pace, the breaker, the endpoint's health, operators, and the writer.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::{Id, JoinError};
use tracing::error;

use super::{Landed, Work};
use crate::deliver::attempt::{Made, Request};
use crate::deliver::handshake::Agreement;
use crate::deliver::health::Turned;
use crate::deliver::pace::Sign;
use crate::deliver::policy::Ended;
use crate::event::EventType;
use crate::store::queue::{Outcome, Then};
use crate::store::records::{Attempt, EndpointId, EventNumber};
use crate::store::standing::{Report, Turn, Verified};

impl Work {
    pub(super) fn landed(&mut self, landed: Result<(Id, Landed), JoinError>) {
        let id = landed.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let about = self.about.remove(&id);
        let (is_probe, events) = about.map_or((false, Vec::new()), |about| (about.is_probe, about.events));
        match landed {
            Ok((_, Landed::Attempt(made))) => self.made(made, is_probe),
            Ok((_, Landed::Handshake(answer))) => self.agreed(answer),
            Err(error) => {
                error!(endpoint = %self.delivery.options.name, %error, "an attempt was cut off by a fault of radhook's own");
                self.made(cut_off(self.delivery.id, events), is_probe);
                self.agreement.cut_off();
            }
        }
    }

    fn made(&mut self, made: Made, is_probe: bool) {
        let name = Arc::clone(&self.delivery.options.name);
        let mut is_heard = false;
        for request in &made.requests {
            let Request { attempt, retry_after, ended, .. } = request;
            let (now, sign) = (std::time::Instant::now(), Sign::of(attempt.status));
            if matches!(ended, Ended::Impossible(_)) {
                // A packet can bring what no request is made of: it may not slow down what others are told.
                self.delivery.view.attempted(&name, attempt, None, Timestamp::now());
                continue;
            }
            is_heard = true;
            self.pace.landed(sign, *retry_after, now);
            let changed = self.breaker.landed(sign, is_probe, now);
            self.delivery.view.attempted(&name, attempt, changed, Timestamp::now());
            self.heard(attempt);
        }
        if is_probe && !is_heard {
            self.breaker.probe_fell_through();
        }
        for outcome in made.outcomes {
            let Attempt { status, error, at, took_ms } = &outcome.attempt;
            let (delivered, at) = (outcome.then == Then::Delivered, at.saturating_add((*took_ms).into()));
            let turned = match outcome.then {
                Then::Unsent => None,
                _ if made.impossible.contains(&outcome.event) => None,
                _ => self.health.landed(delivered, *status, error.as_deref(), at),
            };
            self.delivery.report(Report::Outcome(outcome));
            if let Some(turned) = turned {
                self.turned(turned, at);
            }
        }
    }

    fn turned(&mut self, Turned { told, reason }: Turned, at: i64) {
        if told == Some(EventType::EndpointDisabled) {
            let endpoint = &*self.delivery.options.name;
            error!(endpoint, reason, "disabled: its events wait for `radhook endpoints enable`");
            self.agreement = Agreement::default();
        }
        let (endpoint, standing) = (self.delivery.id, self.health.standing().clone());
        self.delivery.report(Report::Turn(Turn { endpoint, standing, told, reason, at }));
    }

    /// The receiver has agreed to be sent events, or has not.
    pub(super) fn agreed(&mut self, answer: Result<Verified, String>) {
        let now = std::time::Instant::now();
        let endpoint = &*self.delivery.options.name;
        self.delivery.view.agreed(endpoint, answer.as_ref().map(drop).map_err(String::as_str));
        match answer {
            Ok(verified) => {
                let at = verified.at;
                self.agreement = Agreement::default();
                self.health.verified(verified);
                self.heed_the_standing();
                self.turned(Turned { told: None, reason: "it has agreed".to_owned() }, at);
            }
            Err(_) => self.agreement.refused(now),
        }
    }

    /// Notes whether the receiver answers. A connection that is refused says nothing of it.
    fn heard(&mut self, attempt: &Attempt) {
        let is_late = u128::from(attempt.took_ms) >= self.delivery.options.timeout.as_millis();
        match attempt.status {
            Some(_) => {
                self.answers = true;
                self.aside = None;
            }
            None if is_late => self.answers = false,
            None => {}
        }
    }
}

/// What becomes of events whose attempt ended without a word.
fn cut_off(endpoint: EndpointId, events: Vec<EventNumber>) -> Made {
    let at = Timestamp::now().as_millisecond();
    let outcome = |event| Outcome {
        endpoint,
        event,
        attempt: Attempt {
            at,
            took_ms: 0,
            status: None,
            error: Some("cut off by a fault of radhook's own".to_owned()),
        },
        then: Then::Retry(at.saturating_add(AFTER_A_FAULT_MS)),
        exchange: None,
    };
    Made { outcomes: events.into_iter().map(outcome).collect(), ..Made::default() }
}

/// When events are tried again whose attempt met a fault of our own: not so soon that it fills the log.
const AFTER_A_FAULT_MS: i64 = 60_000;
