//! Requests and answers word for word, of endpoints that keep them (`log_bodies`).
//!
//! They live as long as the delivery they belong to stays readable, and only the last of each is kept. What is secret in them
//! was masked by whoever made them.

use serde::{Deserialize, Serialize};

use super::records::{self, EndpointId, EventNumber};
use super::{Store, StoreError};

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// When the request was made, in milliseconds since 1970.
    pub at: i64,
    /// Its method.
    pub method: String,
    /// Where it went.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body, as far as it is kept.
    pub body: Vec<u8>,
    /// The body was longer than what is kept.
    pub cut: bool,
    /// What came back, if anything did.
    pub answer: Option<Answer>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
}

/// What stands under a delivery's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// The exchange itself.
    Whole(Exchange),
    /// It was the same request as this event's.
    With(EventNumber),
}

/// The last exchange of a delivery, if it was kept.
pub fn read(store: &dyn Store, endpoint: EndpointId, event: EventNumber) -> Result<Option<Exchange>, StoreError> {
    let kept = |event| -> Result<Option<Kept>, StoreError> {
        let key = records::exchange(endpoint, event);
        store.get(&key)?.map(|bytes| records::decode(&key, &bytes)).transpose()
    };
    match kept(event)? {
        Some(Kept::With(first)) => match kept(first)? {
            Some(Kept::Whole(exchange)) => Ok(Some(exchange)),
            _ => Ok(None),
        },
        Some(Kept::Whole(exchange)) => Ok(Some(exchange)),
        None => Ok(None),
    }
}
