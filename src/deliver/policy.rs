//! What follows from an attempt: pure functions of its outcome, the schedule and the time.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

use super::options::RetryOptions;
use crate::store::queue::Then;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The receiver answered in time.
    Answered {
        /// The status.
        status: u16,
        /// What Retry-After asked for, if it was there and could be read.
        retry_after: Option<Duration>,
    },
    /// No answer came, for this reason.
    Failed(String),
    /// It cannot be made at all, now or later: the event cannot be rendered or is gone.
    Impossible(String),
}

/// The longest Retry-After that is obeyed. A receiver that asks for more is tried again after a day.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Only 2xx is success; redirects are not followed and are failures.
pub fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Reads Retry-After: seconds or a date (RFC 9110 §10.2.3), at most [`LONGEST_RETRY_AFTER`].
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = date(value)?;
            // A date that has passed asks for nothing.
            Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// A date as HTTP writes it, or in one of the two forms of old that RFC 9110 §5.6.7 still wants to be read.
fn date(value: &str) -> Option<Timestamp> {
    let of_old = |form: &str| {
        let time = strtime::parse(form, value).ok()?.to_datetime().ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let modern = rfc2822::DateTimeParser::new().parse_timestamp(value).ok();
    modern.or_else(|| of_old("%A, %d-%b-%y %H:%M:%S GMT")).or_else(|| of_old("%a %b %e %H:%M:%S %Y"))
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// Which attempt at it this was, from 1.
    pub made: u32,
    /// When it was queued, in milliseconds since 1970.
    pub queued_at: i64,
}

impl Age {
    /// Of a delivery of which nothing is known.
    pub const FRESH: Self = Self { made: 1, queued_at: i64::MAX };
}

/// Whether what was queued then is not worth sending any more.
pub fn is_too_old(queued_at: i64, retry: &RetryOptions, now: Timestamp) -> bool {
    ends_at(queued_at, retry).is_some_and(|ends_at| now.as_millisecond() > ends_at)
}

fn ends_at(queued_at: i64, retry: &RetryOptions) -> Option<i64> {
    let max_age = i64::try_from(retry.max_age?.as_millis()).unwrap_or(i64::MAX);
    Some(queued_at.saturating_add(max_age))
}

/// Decides what follows from an attempt at a delivery that has come so far. `dice` is a random number from 0.0 to 1.0, which
/// places the retry within the jitter. A retry that would come too late is none.
pub fn decide(ended: &Ended, retry: &RetryOptions, age: Age, dice: f64, now: Timestamp) -> Then {
    let asked_for = match ended {
        Ended::Answered { status, .. } if is_success(*status) => return Then::Delivered,
        Ended::Answered { retry_after, .. } => *retry_after,
        Ended::Failed(_) => None,
        Ended::Impossible(_) => return Then::Dead,
    };
    let last = || retry.schedule.last().filter(|_| retry.endless);
    let Some(wait) = (age.made as usize).checked_sub(1).and_then(|at| retry.schedule.get(at).or_else(last)) else {
        return Then::Dead;
    };
    let jittered = wait.mul_f64((1.0 + retry.jitter * (2.0 * dice - 1.0)).max(0.0));
    let wait = asked_for.map_or(jittered, |asked_for| jittered.max(asked_for));
    let due = now.as_millisecond().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    match ends_at(age.queued_at, retry) {
        Some(ends_at) if due > ends_at => Then::Dead,
        _ => Then::Retry(due),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(seconds: &[u64]) -> RetryOptions {
        let schedule = seconds.iter().copied().map(Duration::from_secs).collect();
        RetryOptions { schedule, jitter: 0.1, max_age: None, endless: false }
    }

    fn age(made: u32) -> Age {
        Age { made, ..Age::FRESH }
    }

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    fn after(ended: &Ended, made: u32, dice: f64) -> Option<i64> {
        match decide(ended, &retry(&[60, 300]), age(made), dice, now()) {
            Then::Retry(at) => Some(at - now().as_millisecond()),
            Then::Dead => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_schedule_is_walked_with_jitter_and_ends_in_the_dead_letters() {
        let down = Ended::Failed("connection refused".to_owned());
        assert_eq!(after(&down, 1, 0.5), Some(60_000));
        assert_eq!(after(&down, 1, 0.0), Some(54_000));
        assert_eq!(after(&down, 1, 1.0), Some(66_000));
        assert_eq!(after(&down, 2, 0.5), Some(300_000));
        assert_eq!(after(&down, 3, 0.5), None);
        assert_eq!(decide(&down, &retry(&[]), age(1), 0.5, now()), Then::Dead);
    }

    #[test]
    fn only_2xx_is_success() {
        let answered = |status| Ended::Answered { status, retry_after: None };
        for status in [200, 201, 204, 299] {
            assert_eq!(decide(&answered(status), &retry(&[1]), age(1), 0.5, now()), Then::Delivered);
        }
        for status in [100, 301, 302, 304, 400, 404, 410, 429, 500, 503] {
            assert_eq!(after(&answered(status), 1, 0.5), Some(60_000), "{status}");
        }
    }

    #[test]
    fn retry_after_stretches_the_wait_and_never_shortens_it() {
        let busy = |seconds| Ended::Answered { status: 503, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(after(&busy(120), 1, 0.5), Some(120_000));
        assert_eq!(after(&busy(1), 1, 0.5), Some(60_000));
        assert_eq!(after(&busy(120), 3, 0.5), None, "it does not lengthen the schedule");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_a_day() {
        let read = |value| retry_after(value, now()).map(|wait| wait.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("Sun, 22 Nov 2026 10:02:00 GMT"), Some(120));
        assert_eq!(read("Sun, 22 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(read("Sunday, 22-Nov-26 10:02:00 GMT"), Some(120));
        assert_eq!(read("Sun Nov 22 10:02:00 2026"), Some(120));
        assert_eq!(read("Sun Nov  8 10:02:00 2026"), Some(0));
        assert_eq!(read("99999999"), Some(86_400));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
    }

    #[test]
    fn what_is_too_old_is_neither_sent_nor_tried_again() {
        let hour = RetryOptions { max_age: Some(Duration::from_secs(3_600)), ..retry(&[60, 7_200]) };
        let queued_at = now().as_millisecond();
        let later = |seconds| now() + Duration::from_secs(seconds);
        let down = Ended::Failed("down".to_owned());
        let then = |made, seconds| decide(&down, &hour, Age { made, queued_at }, 0.5, later(seconds));
        assert_eq!(then(1, 3_540), Then::Retry(queued_at + 3_600_000));
        assert_eq!(then(1, 3_541), Then::Dead, "its retry would come too late");
        assert_eq!(then(2, 0), Then::Dead);
        assert!(!is_too_old(queued_at, &hour, later(3_600)) && is_too_old(queued_at, &hour, later(3_601)));
        assert!(!is_too_old(0, &retry(&[1]), now()), "there is no end unless one is set");
    }

    #[test]
    fn endless_retries_repeat_the_last_wait_until_the_event_is_too_old() {
        let endless = RetryOptions { endless: true, ..retry(&[60, 300]) };
        let down = Ended::Failed("down".to_owned());
        for (made, seconds) in [(1, 60), (2, 300), (3, 300), (4_000_000_000, 300)] {
            let due = Then::Retry(now().as_millisecond() + seconds * 1_000);
            assert_eq!(decide(&down, &endless, age(made), 0.5, now()), due, "{made}");
        }
        let queued_at = now().as_millisecond();
        let hour = RetryOptions { max_age: Some(Duration::from_secs(3_600)), ..endless };
        let at = |seconds| decide(&down, &hour, Age { made: 50, queued_at }, 0.5, now() + Duration::from_secs(seconds));
        assert!(matches!(at(3_300), Then::Retry(_)));
        assert_eq!(at(3_301), Then::Dead);
        assert_eq!(decide(&Ended::Impossible("gone".to_owned()), &hour, age(1), 0.5, now()), Then::Dead);
    }

    #[test]
    fn what_cannot_be_made_is_not_tried_again() {
        assert_eq!(decide(&Ended::Impossible("gone".to_owned()), &retry(&[1]), age(1), 0.5, now()), Then::Dead);
    }
}
