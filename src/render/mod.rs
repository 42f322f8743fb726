//! An event's body and headers, as its receiver wants them. Rendered at delivery: the store keeps each event once, in the
//! format `native`, and every other format is made of that.

mod cloudevents;
mod dialect;
mod native;
pub mod schema;
pub mod templates;

use std::fmt;

use http::{HeaderName, HeaderValue};
use reqwest::Url;
use serde_json::Value;
use thiserror::Error;

pub use dialect::Dialect;
pub use templates::Templates;

use crate::event::EventType;
use crate::template::Unfit;

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
    /// The operator's own body: see [`Templates`].
    Template,
    /// The words of another system.
    Dialect(Dialect),
}

/// What is sent: the body, byte for byte as it is signed, and the headers that the format brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The request's body.
    pub body: Vec<u8>,
    /// The request's Content-Type.
    pub content_type: HeaderValue,
    /// Further headers: the `ce-` ones of CloudEvents' binary mode, FreeRADIUS's of `rlm_rest`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Where it goes, where that is not the endpoint's URL as it stands.
    pub url: Option<Url>,
}

impl Rendered {
    /// A body, and what it is.
    pub fn new(body: Vec<u8>, content_type: &'static str) -> Self {
        Self { body, content_type: HeaderValue::from_static(content_type), headers: Vec::new(), url: None }
    }
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
    /// The format has no word for this event.
    #[error("the format {0} has no word for this event")]
    NoWord(Format),
    /// There is nothing to write it by.
    #[error("the format template needs a body")]
    NoBody,
    /// A template made something that does not fit where it stands.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A template made something that is too long to be sent.
    #[error("{0} is too long")]
    TooLong(String),
    /// A template made no URL.
    #[error("the URL that its template makes is none: {0}")]
    Url(String),
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 12] = [
        Self::Native,
        Self::Ndjson,
        Self::CloudEvents,
        Self::CloudEventsBinary,
        Self::Template,
        Self::Dialect(Dialect::IronWifi),
        Self::Dialect(Dialect::IacBox),
        Self::Dialect(Dialect::SignIn),
        Self::Dialect(Dialect::Purple),
        Self::Dialect(Dialect::Bt),
        Self::Dialect(Dialect::RlmRest),
        Self::Dialect(Dialect::OpenWisp),
    ];

    /// Its name, as it stands in the config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Ndjson => "ndjson",
            Self::CloudEvents => "cloudevents",
            Self::CloudEventsBinary => "cloudevents-binary",
            Self::Template => "template",
            Self::Dialect(dialect) => dialect.name(),
        }
    }

    /// Whether several events can go in one request.
    pub fn can_batch(self) -> bool {
        match self {
            Self::CloudEventsBinary => false,
            Self::Dialect(dialect) => dialect.can_batch(),
            Self::Native | Self::Ndjson | Self::CloudEvents | Self::Template => true,
        }
    }

    /// The types of events that it has words for.
    pub fn kinds(self) -> &'static [EventType] {
        match self {
            Self::Dialect(dialect) => dialect.kinds(),
            _ => EventType::ALL,
        }
    }

    /// Whether it has a word for an event only where that says more than its type: then [`Format::has_word_for`] decides.
    pub fn looks_inside(self) -> bool {
        matches!(self, Self::Dialect(dialect) if dialect.looks_inside())
    }

    /// Whether it has a word for this event, given as its native JSON.
    pub fn has_word_for(self, event: &Value) -> bool {
        match self {
            Self::Dialect(dialect) => dialect.has_word_for(event),
            _ => true,
        }
    }

    /// Whether a receiver can be asked by a test event in it.
    pub fn has_test(self) -> bool {
        match self {
            Self::Dialect(dialect) => dialect.has_test(),
            _ => true,
        }
    }

    /// One event as a request of its own. `json` is the event as it is stored.
    pub fn one(self, json: Vec<u8>) -> Result<Rendered, RenderError> {
        match self {
            Self::Native => Ok(native::one(json)),
            Self::Ndjson => Ok(native::lines(&[json])),
            Self::CloudEvents => cloudevents::structured(&json),
            Self::CloudEventsBinary => cloudevents::binary(&json),
            Self::Template => Err(RenderError::NoBody),
            Self::Dialect(dialect) => dialect.one(&json),
        }
    }

    /// A batch of events, also of a single one, each as it is stored.
    pub fn many(self, events: &[impl AsRef<[u8]>]) -> Result<Rendered, RenderError> {
        match self {
            Self::Native => Ok(native::array(events)),
            Self::Ndjson => Ok(native::lines(events)),
            Self::CloudEvents => cloudevents::batch(events),
            Self::CloudEventsBinary => Err(RenderError::NoBatch(self)),
            Self::Template => Err(RenderError::NoBody),
            Self::Dialect(dialect) => dialect.many(events),
        }
    }

    /// What templates find of an event in a dialect that has names of its own.
    fn facts(self, event: &Value) -> Result<Value, RenderError> {
        match self {
            Self::Dialect(dialect) => dialect.facts(event),
            _ => Ok(event.clone()),
        }
    }

    /// The names that templates may use, where they are not those of native events.
    pub fn names(self) -> Option<&'static [&'static str]> {
        matches!(self, Self::Dialect(Dialect::IacBox)).then_some(dialect::iacbox::NAMES)
    }

    /// Whether the operator may write the body by a template; with `template` they must.
    pub fn takes_body(self) -> bool {
        matches!(self, Self::Template | Self::Dialect(Dialect::IacBox))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests;
