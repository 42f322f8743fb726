//! What an endpoint wants to hear of.

use super::{Count, OncePer, Scope, Subscription};
use crate::template::Condition;

/// What has to hold of an event for an endpoint to be sent it, in the order in which it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interest {
    /// `events`: its type is one of these.
    pub subscription: Subscription,
    /// `venues`, `organization`: it is from there; `None` for everywhere.
    pub scope: Option<Scope>,
    /// `when`: this holds of it; `None` for any.
    pub when: Option<Condition>,
    /// `count`: what is counted for that.
    pub count: Option<Count>,
    /// `once_per`: none that agrees with it has passed shortly before; `None` for always.
    pub once_per: Option<OncePer>,
}
