//! How an endpoint stands: whether it fails, and since when; whether it is disabled, and why. Kept, so that a restart does not
//! make a dead receiver young again.

use serde::{Deserialize, Serialize};

use super::queue::Outcome;
use super::records::{self, EndpointId};
use super::{Store, StoreError};
use crate::event::EventType;

/// How an endpoint stands. The default is well.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// When its first attempt failed since its last success, in milliseconds since 1970.
    pub failing_since: Option<i64>,
    /// It is not tried until an operator enables it.
    pub disabled: Option<Disabled>,
}

/// Why an endpoint is not tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Since when, in milliseconds since 1970.
    pub at: i64,
    /// Why, in words. At most [`records::REASON_KEPT`] bytes.
    pub reason: String,
}

/// A change of it, to be written down and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The endpoint's number.
    pub endpoint: EndpointId,
    /// How it stands from now on.
    pub standing: Standing,
    /// What is told to the others: `endpoint.disabled`, `endpoint.enabled` or `endpoint.recovered`.
    pub told: Option<EventType>,
    /// Why, or since when, in words.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// What delivery reports to the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// What came of an attempt.
    Outcome(Outcome),
    /// How the endpoint stands now.
    Turn(Turn),
}

/// How an endpoint stands.
pub fn read(store: &dyn Store, endpoint: EndpointId) -> Result<Standing, StoreError> {
    let key = records::standing(endpoint);
    Ok(store.get(&key)?.map(|bytes| records::decode(&key, &bytes)).transpose()?.unwrap_or_default())
}
