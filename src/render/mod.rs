//! An event's body and headers, as its receiver wants them. Rendered at delivery: the store keeps each event once, in the
//! format `native`, and every other format is made of that.

mod cloudevents;
mod native;
pub mod schema;

use std::fmt;

use http::{HeaderName, HeaderValue};
use thiserror::Error;

/// `format`: how events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// The event's JSON as it is stored; several as an array.
    #[default]
    Native,
    /// The same, an event a line.
    Ndjson,
    /// CloudEvents in structured mode: all in the body; several as a batch.
    CloudEvents,
    /// CloudEvents in binary mode: attributes as headers, data as the body.
    CloudEventsBinary,
}

/// What is sent: the body, byte for byte as it is signed, and the headers that the format brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The request's body.
    pub body: Vec<u8>,
    /// The request's Content-Type.
    pub content_type: &'static str,
    /// Further headers: the `ce-` ones of CloudEvents' binary mode.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Why there is no request to be made of events.
#[derive(Debug, Error)]
pub enum RenderError {
    /// What is stored is no event.
    #[error("the stored event cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The format has no form for several events.
    #[error("the format {0} cannot hold several events in one request")]
    NoBatch(Format),
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Native, Self::Ndjson, Self::CloudEvents, Self::CloudEventsBinary];

    /// Its name, as it stands in the config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Ndjson => "ndjson",
            Self::CloudEvents => "cloudevents",
            Self::CloudEventsBinary => "cloudevents-binary",
        }
    }

    /// Whether several events can go in one request.
    pub fn can_batch(self) -> bool {
        self != Self::CloudEventsBinary
    }

    /// One event as a request of its own. `json` is the event as it is stored.
    pub fn one(self, json: Vec<u8>) -> Result<Rendered, RenderError> {
        match self {
            Self::Native => Ok(native::one(json)),
            Self::Ndjson => Ok(native::lines(&[json])),
            Self::CloudEvents => cloudevents::structured(&json),
            Self::CloudEventsBinary => cloudevents::binary(&json),
        }
    }

    /// A batch of events, also of a single one, each as it is stored.
    pub fn many(self, events: &[impl AsRef<[u8]>]) -> Result<Rendered, RenderError> {
        match self {
            Self::Native => Ok(native::array(events)),
            Self::Ndjson => Ok(native::lines(events)),
            Self::CloudEvents => cloudevents::batch(events),
            Self::CloudEventsBinary => Err(RenderError::NoBatch(self)),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests;
