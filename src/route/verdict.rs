//! Whether an endpoint wants an event, and if not, why: what `intake` decides, and what an operator is told of it.

use super::Interest;
use crate::event::EventType;

/// What was decided of one event for one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent it.
    Wanted,
    /// `events` does not name its type.
    NotSubscribed,
    /// It tells of this endpoint itself, and goes to the others only.
    AboutItself,
    /// The endpoint's `format` has no word for it.
    NoWord,
    /// It is from outside `venues` and `organization`.
    Elsewhere,
    /// `when` does not hold.
    Condition,
    /// `when` cannot be evaluated for it, which counts as not holding.
    Unfit,
    /// `once_per`: one that agrees in the key has passed, and nothing more does until then, in milliseconds since 1970.
    OncePer {
        /// Until when.
        until: i64,
    },
}

impl Verdict {
    /// Whether it is sent it.
    pub fn is_wanted(self) -> bool {
        self == Self::Wanted
    }

    /// Its word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::NotSubscribed => "not_subscribed",
            Self::AboutItself => "about_itself",
            Self::NoWord => "no_word",
            Self::Elsewhere => "elsewhere",
            Self::Condition => "condition",
            Self::Unfit => "condition_failed",
            Self::OncePer { .. } => "once_per",
        }
    }

    /// The reason, for an operator.
    pub fn why(self, kind: EventType, interest: &Interest) -> String {
        let patterns = || interest.subscription.patterns().join(", ");
        let condition = || interest.when.as_ref().map(|when| when.source()).unwrap_or_default();
        match self {
            Self::Wanted => format!("{kind} is among its `events`: {}", patterns()),
            Self::NotSubscribed if kind == EventType::AuthChallenge => format!(
                "{kind} is not among its `events`: {}; globs leave it out, but for `*` alone: write it out",
                patterns()
            ),
            Self::NotSubscribed => format!("{kind} is not among its `events`: {}", patterns()),
            Self::AboutItself => "it tells of this endpoint, and goes to the others only".to_owned(),
            Self::NoWord => "its `format` has no word for it".to_owned(),
            Self::Elsewhere => "it is from outside its `venues` or `organization`".to_owned(),
            Self::Condition => format!("its `when` does not hold: {}", condition()),
            Self::Unfit => format!("its `when` cannot be evaluated for this event: {}", condition()),
            Self::OncePer { until } => {
                let fields = interest.once_per.as_ref().map(|cap| cap.fields().join(", ")).unwrap_or_default();
                let until = jiff::Timestamp::from_millisecond(until).map(crate::event::rfc3339).unwrap_or_default();
                format!(
                    "`once_per` of {fields} is used up: one that agrees in it has passed; the next may after {until}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OncePer, Subscription};
    use super::*;

    #[test]
    fn the_reason_names_what_the_operator_wrote() {
        let subscription = Subscription::parse(["auth.*", "session.stop"]).unwrap();
        let asks = Interest { subscription, ..Interest::default() };
        let why = |verdict: Verdict, kind| verdict.why(kind, &asks);
        assert_eq!(
            why(Verdict::NotSubscribed, EventType::SessionStart),
            "session.start is not among its `events`: auth.*, session.stop"
        );
        assert!(why(Verdict::NotSubscribed, EventType::AuthChallenge).contains("write it out"));
        let cap = OncePer::parse(vec!["user.name".to_owned()], std::time::Duration::from_secs(60)).unwrap();
        let told = Verdict::OncePer { until: 1_795_342_530_000 }
            .why(EventType::AuthAccept, &Interest { once_per: Some(cap), ..asks.clone() });
        assert!(told.contains("of user.name") && told.contains("2026-11-22T10:15:30.000Z"), "{told}");
    }
}
