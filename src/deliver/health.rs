//! How an endpoint stands, by what its attempts tell: pure, times are arguments.

use std::time::Duration;

use crate::event::EventType;
use crate::store::records::shorten;
use crate::store::standing::{Disabled, Standing, Verified};

/// A receiver that says this is gone for good (RFC 9110 §15.5.11).
const GONE: u16 = 410;

/// A run of failures is written down, and its end told, only when it has lasted so long: a receiver that fails now and then
/// would otherwise cost a write each time.
const WORTH_TELLING_MS: i64 = 60_000;

/// How an endpoint stands, and what makes it fall.
#[derive(Debug, Clone)]
pub struct Health {
    standing: Standing,
    /// The first failure since the last success, also one not worth telling yet.
    failing_since: Option<i64>,
    disable_after: Option<Duration>,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// To be told to others.
    pub told: Option<EventType>,
    /// Why, in words.
    pub reason: String,
}

impl Health {
    /// Of an endpoint that stood so at the start.
    pub fn new(standing: Standing, disable_after: Option<Duration>) -> Self {
        Self { failing_since: standing.failing_since, standing, disable_after }
    }

    /// How it stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether it may be tried.
    pub fn is_disabled(&self) -> bool {
        self.standing.disabled.is_some()
    }

    /// An operator has changed how it stands.
    pub fn stands(&mut self, standing: Standing) {
        self.failing_since = standing.failing_since;
        self.standing = standing;
    }

    /// The receiver has agreed to be sent events.
    pub fn verified(&mut self, verified: Verified) {
        self.standing.verified = Some(verified);
    }

    /// An attempt has ended at a time in milliseconds since 1970: with a success, or with this status or error.
    pub fn landed(&mut self, delivered: bool, status: Option<u16>, error: Option<&str>, at: i64) -> Option<Turned> {
        if delivered {
            self.failing_since = None;
            let since = self.standing.failing_since.take()?;
            let minutes = (at - since).max(0) / 60_000;
            let reason = format!("it takes events again, after {minutes} min");
            return Some(Turned { told: Some(EventType::EndpointRecovered), reason });
        }
        if self.is_disabled() {
            return None;
        }
        let since = *self.failing_since.get_or_insert(at);
        let lasted = at.saturating_sub(since);
        let too_long = self.disable_after.is_some_and(|after| i128::from(lasted) >= after.as_millis().cast_signed());
        let reason = match (status, error) {
            (Some(GONE), _) => Some("it answered 410 Gone".to_owned()),
            _ if too_long => {
                let last = match (status, error) {
                    (Some(status), _) => format!("answered {status}"),
                    (None, Some(error)) => error.to_owned(),
                    (None, None) => "no answer".to_owned(),
                };
                Some(format!("it has taken nothing for {} h, the last: {last}", lasted / 3_600_000))
            }
            _ => None,
        };
        if let Some(reason) = reason {
            let reason = shorten(&reason);
            // Once it is enabled it has to agree anew.
            let disabled = Some(Disabled { at, reason: reason.clone() });
            self.standing = Standing { failing_since: Some(since), disabled, verified: None };
            return Some(Turned { told: Some(EventType::EndpointDisabled), reason });
        }
        if lasted >= WORTH_TELLING_MS && self.standing.failing_since.is_none() {
            self.standing.failing_since = Some(since);
            return Some(Turned { told: None, reason: "it fails".to_owned() });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn health() -> Health {
        Health::new(Standing::default(), Some(Duration::from_secs(3_600)))
    }

    fn told(turned: Option<Turned>) -> Option<EventType> {
        turned.and_then(|turned| turned.told)
    }

    #[test]
    fn gone_disables_at_once_and_nothing_more_is_told_of_what_was_under_way() {
        let mut health = health();
        let turned = health.landed(false, Some(410), None, 1_000).unwrap();
        assert_eq!((turned.told, &*turned.reason), (Some(EventType::EndpointDisabled), "it answered 410 Gone"));
        assert!(health.is_disabled());
        assert_eq!(health.landed(false, Some(410), None, 1_001), None);
    }

    #[test]
    fn a_run_of_failures_disables_after_its_time_and_one_success_begins_anew() {
        let mut health = health();
        let fails = |health: &mut Health, at| health.landed(false, None, Some("cannot connect"), at);
        assert_eq!(fails(&mut health, 0), None);
        assert_eq!(fails(&mut health, MINUTE - 1), None);
        assert!(fails(&mut health, MINUTE).unwrap().told.is_none(), "written down, not told");
        assert_eq!(health.standing().failing_since, Some(0));
        assert_eq!(told(health.landed(true, Some(204), None, 59 * MINUTE)), Some(EventType::EndpointRecovered));
        assert_eq!(fails(&mut health, 60 * MINUTE), None);
        fails(&mut health, 100 * MINUTE);
        let turned = fails(&mut health, 120 * MINUTE).unwrap();
        assert_eq!(turned.told, Some(EventType::EndpointDisabled));
        assert_eq!(turned.reason, "it has taken nothing for 1 h, the last: cannot connect");
    }

    #[test]
    fn a_short_failure_is_not_worth_a_word_and_a_restart_does_not_begin_anew() {
        let mut health = health();
        health.landed(false, Some(500), None, 0);
        assert_eq!(health.landed(true, Some(200), None, 1), None);
        let kept = Standing { failing_since: Some(0), ..Standing::default() };
        let mut after_restart = Health::new(kept, Some(Duration::from_secs(3_600)));
        assert_eq!(told(after_restart.landed(false, Some(500), None, 60 * MINUTE)), Some(EventType::EndpointDisabled));
        let mut never = Health::new(Standing::default(), None);
        never.landed(false, None, None, 0);
        never.landed(false, None, None, i64::MAX / 2);
        assert!(!never.is_disabled());
    }
}
