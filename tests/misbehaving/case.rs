//! One row of the table.

use std::time::Duration;

use super::receiver::{Conduct, Receiver};

/// The deadline of those that would keep an attempt for ever.
const DEADLINE: Duration = Duration::from_secs(1);

/// The deadline of all others. It is not reached.
const FAR: Duration = Duration::from_secs(30);

/// What a loaded machine may add to an attempt. Far from the deadline that is not reached.
const ROOM: Duration = Duration::from_secs(4);

/// The wait before the retry of those that are tried again, in minutes: nothing is, while the test runs.
pub const SCHEDULE: i64 = 10;

/// How a receiver's deliveries end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComesTo {
    /// Taken at the first attempt, with this status.
    Delivered(u16),
    /// Taken at the first attempt or the second.
    DeliveredAtLast,
    /// Given up upon this status.
    Refused(u16),
    /// Given up without a status, in these words among others.
    Failed(&'static str),
    /// Given up at the deadline.
    Over,
    /// No connection came about within its share of the deadline.
    Unconnected,
    /// To be tried again, so many minutes after an attempt that ended with this status.
    Due(u16, i64),
}

/// A receiver, how it is delivered to, and what that comes to.
pub struct Case {
    pub name: String,
    pub url: String,
    /// Where there is one.
    pub receiver: Option<Receiver>,
    pub comes_to: ComesTo,
    /// Whether it asks for every event of the session, or for the start only.
    pub whole: bool,
    /// It sends much: it is tried alone, and what that costs in memory is measured.
    pub alone: bool,
    more: &'static str,
}

/// Speaks plain HTTP, or should.
pub fn plain(name: impl Into<String>, conduct: Conduct, comes_to: ComesTo) -> Case {
    at(name, Receiver::plain(conduct), comes_to)
}

/// Is this receiver.
pub fn at(name: impl Into<String>, receiver: Receiver, comes_to: ComesTo) -> Case {
    Case { receiver: Some(receiver), ..Case::without(name, "", comes_to) }.with_its_url()
}

impl Case {
    /// Nobody is there at all.
    pub fn without(name: impl Into<String>, url: &str, comes_to: ComesTo) -> Self {
        let (name, url) = (name.into(), url.to_owned());
        Self { name, url, receiver: None, comes_to, whole: false, alone: false, more: "" }
    }

    fn with_its_url(mut self) -> Self {
        self.url = self.receiver.as_ref().map(Receiver::url).unwrap_or_default();
        self
    }

    /// It asks for the whole session.
    pub fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// It is tried alone.
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Further keys of its endpoint.
    pub fn with(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    /// The keys of its endpoint, one a line.
    pub fn keys(&self) -> String {
        let events = if self.whole { "session.*" } else { "session.start" };
        let timeout = if self.takes_its_time() { DEADLINE } else { FAR };
        let schedule = match self.comes_to {
            ComesTo::Due(..) => format!("[\"{SCHEDULE}m\"]"),
            ComesTo::DeliveredAtLast => "[\"50ms\"]".to_owned(),
            _ => "[]".to_owned(),
        };
        let (more, timeout) = (self.more, timeout.as_secs());
        format!(
            "events = [\"{events}\"]\ntimeout = \"{timeout}s\"\nretry = {{ schedule = {schedule}, jitter = 0.0 }}\n\
             concurrency = 2\n{more}"
        )
    }

    /// Whether its attempt ends by the deadline.
    pub fn takes_its_time(&self) -> bool {
        matches!(self.comes_to, ComesTo::Over | ComesTo::Unconnected)
    }

    /// The longest that an attempt may have taken.
    pub fn bound(&self) -> Duration {
        if self.takes_its_time() { DEADLINE + ROOM } else { ROOM }
    }
}
