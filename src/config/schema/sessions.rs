//! `[sessions]` and `[limits]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::reader::{Reader, Scope};
use crate::config::tree::{Node, Value};
use crate::config::value::{duration, flag, integer, number};
use crate::session::options::{
    DEFAULT_INTERVALS, DEFAULT_KEEP_ENDED, DEFAULT_REMEMBER, DEFAULT_RESUME_WINDOW, DEFAULT_SILENT_AFTER,
};
use crate::session::{Grace, SessionOptions};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Below one interval every session is lost again and again; beyond a hundred, `silent_after` says the same better.
const INTERVALS: RangeInclusive<f64> = 1.5..=100.0;

/// Sessions of months exist, and so do NASes that report once a day.
const GRACE: RangeInclusive<Duration> = SECOND..=DAY.saturating_mul(365);

/// A session without interims may rightly be silent for hours.
const SILENT_AFTER: RangeInclusive<Duration> = Duration::from_secs(3_600)..=DAY.saturating_mul(3_650);

/// Zero is never; after a day it is another visit.
const RESUME_WINDOW: RangeInclusive<Duration> = Duration::ZERO..=DAY;

/// A packet may be sent again within minutes; each session that is kept costs its record.
const KEEP_ENDED: RangeInclusive<Duration> = Duration::from_secs(60)..=DAY.saturating_mul(30);

/// What is remembered of people is theirs: no longer than ten years.
const REMEMBER: RangeInclusive<Duration> = Duration::from_secs(3_600)..=DAY.saturating_mul(3_650);

/// More users than one radhook has sessions for.
const MAX_USERS: RangeInclusive<u64> = 1..=100_000_000;

/// How sessions are told; everything has a default.
pub(super) fn options(top: &mut Reader<'_>) -> SessionOptions {
    let read = |table: &mut Reader<'_>| SessionOptions {
        interim_grace: table.or("interim_grace", grace, Grace::Intervals(DEFAULT_INTERVALS)),
        silent_after: table.or("silent_after", duration(SILENT_AFTER), DEFAULT_SILENT_AFTER),
        resume_window: table.or("resume_window", duration(RESUME_WINDOW), DEFAULT_RESUME_WINDOW),
        keep_ended: table.or("keep_ended", duration(KEEP_ENDED), DEFAULT_KEEP_ENDED),
        remember: table.or("remember", duration(REMEMBER), DEFAULT_REMEMBER),
        acct_unique_id: table.or("acct_unique_id", flag, false),
        max_users: None,
    };
    let sessions = top.table("sessions", read).unwrap_or_default();
    let max_users = top.table("limits", |limits| limits.optional("max_users", integer(MAX_USERS))).flatten();
    SessionOptions { max_users, ..sessions }
}

/// A number of intervals, or a time.
fn grace(scope: &Scope<'_>, node: &Node) -> Option<Grace> {
    match &node.value {
        Value::Text(_) => duration(GRACE)(scope, node).map(Grace::Fixed),
        Value::Integer(_) | Value::Float(_) => number(INTERVALS)(scope, node).map(Grace::Intervals),
        _ => {
            scope.wrong_type(node, "a number of intervals such as 3, or a duration such as \"15m\"");
            None
        }
    }
}
