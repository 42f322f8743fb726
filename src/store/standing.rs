//! How an endpoint stands: whether it fails, and since when; whether it is disabled, and why; whether it has agreed to be sent
//! events. Kept, so that a restart does not make a dead receiver young again, nor ask a willing one anew.

use serde::{Deserialize, Serialize};

use super::queue::Outcome;
use super::records::{self, EndpointId, EventNumber};
use super::{Store, StoreError};
use crate::event::EventType;

/// How an endpoint stands. The default is well.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// When its first attempt failed since its last success, in milliseconds since 1970.
    pub failing_since: Option<i64>,
    /// It is not tried until an operator enables it.
    pub disabled: Option<Disabled>,
    /// It has agreed to be sent events, where it is asked (`verify`).
    pub verified: Option<Verified>,
}

/// That a receiver has agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// By which URL: another one is another receiver.
    pub url: String,
    /// How many requests a minute it allows; `None` for as many as there are.
    pub per_minute: Option<u32>,
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
    /// Attempts are about to begin.
    Begin(Begin),
    /// What came of an attempt.
    Outcome(Outcome),
    /// How the endpoint stands now.
    Turn(Turn),
}

/// Attempts that begin once this is written down, and not before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// The endpoint's number.
    pub endpoint: EndpointId,
    /// By which delivery knows the answer.
    pub ticket: u64,
    /// The events, in the order in which they are sent.
    pub events: Vec<EventNumber>,
}

impl Report {
    /// How many deliveries it is about.
    pub fn deliveries(&self) -> usize {
        match self {
            Self::Begin(begin) => begin.events.len(),
            Self::Outcome(_) | Self::Turn(_) => 1,
        }
    }
}

/// How an endpoint stands.
pub fn read(store: &dyn Store, endpoint: EndpointId) -> Result<Standing, StoreError> {
    let key = records::standing(endpoint);
    Ok(store.get(&key)?.map(|bytes| records::decode(&key, &bytes)).transpose()?.unwrap_or_default())
}
