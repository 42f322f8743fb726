//! `POST /api/v1/endpoints/test`: a test delivery, now, to see what the receiver makes of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Admin;
use super::deliveries::ListError;
use super::exchange::Exchange;
use crate::deliver::trial;
use crate::event::sample::Sample;
use crate::event::{EventId, EventType};

/// What is to be sent, and to whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trial {
    /// The endpoint's name; it may be disabled.
    pub endpoint: String,
    /// A sample of this type is sent; `test` unless given.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EventType>,
    /// This event is sent instead of a sample, in the format `native`: under an id and source of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tested {
    /// The endpoint's name.
    pub endpoint: String,
    /// The test event's own id.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Whether the receiver took it: 2xx.
    pub taken: bool,
    /// What it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From connecting to the end of the answer, in milliseconds.
    pub took_ms: u64,
    /// Why no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of an endpoint with `verify = "purple"`, whether it may be sent events after such an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agrees: Option<bool>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disagrees_because: Option<String>,
    /// Request and answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
}

impl Admin {
    /// Sends a test event, once. It is in no queue and counts nowhere.
    pub async fn test_endpoint(&self, wanted: Trial) -> Result<Tested, ListError> {
        let Trial { endpoint, kind, event } = wanted;
        let endpoints = self.endpoints.now();
        let Some(own) = endpoints.iter().find(|own| *own.options.name == *endpoint) else {
            return Err(ListError::NoEndpoint(endpoint));
        };
        let (options, now) = (&*own.options, Timestamp::now());
        let sample = Sample { now, node: &self.node, endpoint: &options.name };
        let (kind, (id, mut json)) = match event {
            None => {
                let kind = kind.unwrap_or(EventType::Test);
                (kind, sample.test_delivery(kind))
            }
            Some(event) => {
                let said = event["type"].as_str().and_then(|name| name.parse::<EventType>().ok());
                let (Some(kind), true) = (said, event["data"].is_object()) else {
                    let what = "the event is none of the format native: it needs a `type` of the catalogue and `data`";
                    return Err(ListError::Wrong(what.to_owned()));
                };
                (kind, sample.marked(event))
            }
        };
        if let Some(directory) = &self.directory {
            directory.join(std::iter::once(&mut json)).await;
        }
        // Who floods keeps no thread that others need.
        let wrong = |what: String| ListError::Wrong(format!("{endpoint}: {what}"));
        let sender = own.sender.aside(options, self.aside.clone()).map_err(|error| wrong(error.to_string()))?;
        let tried = trial::send(options, &sender, id, json, now).await.map_err(|error| wrong(error.to_string()))?;
        let status = tried.exchange.as_ref().and_then(|exchange| exchange.answer.as_ref()).map(|answer| answer.status);
        Ok(Tested {
            id,
            kind,
            taken: tried.error.is_none() && status.is_some_and(|status| (200..300).contains(&status)),
            status,
            took_ms: tried.took_ms,
            error: tried.error,
            agrees: tried.agrees.as_ref().map(Result::is_ok),
            disagrees_because: tried.agrees.and_then(Result::err),
            exchange: tried.exchange.map(Exchange::from),
            endpoint,
        })
    }
}
