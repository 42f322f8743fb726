//! A test delivery: made at once as any other, but out of no queue. It is not tried again, and counts nowhere.

use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::attempt::alone;
use super::client::{Answered, Sender};
use super::handshake;
use super::options::EndpointOptions;
use super::policy::Ended;
use crate::event::EventId;
use crate::render::RenderError;
use crate::store::exchanges::Exchange;

/// What came of it.
#[derive(Debug)]
pub struct Tried {
    /// From connecting to the end of the answer, in milliseconds.
    pub took_ms: u64,
    /// Request and answer, without what is secret. The request has no headers where it was not even made, and no answer where
    /// none came.
    pub exchange: Option<Exchange>,
    /// Why none came.
    pub error: Option<String>,
    /// Of an endpoint with `verify = "purple"`, whether the answer is one by which it may be sent events.
    pub agrees: Option<Result<(), String>>,
}

/// Sends an event, once.
pub async fn send(
    options: &EndpointOptions,
    sender: &Sender,
    id: EventId,
    json: Vec<u8>,
    now: Timestamp,
) -> Result<Tried, RenderError> {
    let (id, rendered) = alone(options, id, json)?;
    let options = EndpointOptions { log_bodies: true, ..options.clone() };
    let started = Instant::now();
    let Answered { ended, exchange } = sender.attempt(&options, &id, rendered, now).await;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let answer = exchange.as_ref().and_then(|exchange| exchange.answer.as_ref());
    let agrees = answer.and_then(|answer| {
        let pairs = answer.headers.iter();
        let headers: HeaderMap = pairs.filter_map(|(name, value)| header(name, value)).collect();
        handshake::agrees(&options.verify, answer.status, &headers)
    });
    let error = match ended {
        Ended::Answered { .. } => None,
        Ended::Failed(reason) | Ended::Impossible(reason) => Some(reason),
    };
    Ok(Tried { took_ms, exchange, error, agrees })
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}
