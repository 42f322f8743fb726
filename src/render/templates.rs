//! What an operator writes of a request by templates of their own: its URL, headers, body, and what the body is.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use reqwest::Url;
use serde_json::Value;

use super::{Dialect, Format, RenderError, Rendered};
use crate::template::{Facts, Place, Template};

/// The longest header, in bytes: servers commonly refuse more than 8 KiB of headers in all.
const MAX_HEADER: usize = 4096;

/// The longest URL, in bytes.
const MAX_URL: usize = 8192;

/// An endpoint's own templates. What is not set is as its format makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates {
    /// `url`, where something in it is to be filled in.
    pub url: Option<Template>,
    /// Those of `headers` in which something is to be filled in. One that comes to nothing is not sent.
    pub headers: Vec<(HeaderName, Template)>,
    /// `body`, of the formats `template` and `iacbox`.
    pub body: Option<Template>,
    /// `content_type`.
    pub content_type: Option<HeaderValue>,
}

impl Templates {
    /// One event as a request of its own. `json` is the event as it is stored.
    pub fn one(&self, format: Format, json: Vec<u8>) -> Result<Rendered, RenderError> {
        if self.url.is_none() && self.headers.is_empty() && self.body.is_none() {
            return Ok(self.named(format.one(json)?));
        }
        let event: Value = serde_json::from_slice(&json)?;
        let facts = match format {
            Format::Dialect(Dialect::IacBox) => Facts::named(&format.facts(&event)?),
            _ => Facts::of(Arc::new(event)),
        };
        let mut rendered = match &self.body {
            Some(body) => Rendered::new(body.render(&facts)?.into_bytes(), kind_of(body.place())),
            None => format.one(json)?,
        };
        if let Some(url) = &self.url {
            rendered.url = Some(address(&url.render(&facts)?)?);
        }
        for (name, template) in &self.headers {
            let value = template.render(&facts)?;
            if value.len() > MAX_HEADER {
                return Err(RenderError::TooLong(name.to_string()));
            }
            if !value.is_empty() {
                let value =
                    HeaderValue::from_bytes(value.as_bytes()).map_err(|_| RenderError::TooLong(name.to_string()))?;
                rendered.headers.push((name.clone(), value));
            }
        }
        Ok(self.named(rendered))
    }

    /// A batch of events, also of a single one, each as it is stored. Only the body can be of all of them.
    pub fn many(&self, format: Format, events: &[impl AsRef<[u8]>]) -> Result<Rendered, RenderError> {
        let Some(body) = &self.body else { return Ok(self.named(format.many(events)?)) };
        let read = |json: &_| serde_json::from_slice(AsRef::<[u8]>::as_ref(json)).map(Arc::new);
        let events = events.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let written = body.render(&Facts::of_several(events))?;
        Ok(self.named(Rendered::new(written.into_bytes(), kind_of(body.place()))))
    }

    fn named(&self, mut rendered: Rendered) -> Rendered {
        if let Some(content_type) = &self.content_type {
            rendered.content_type = content_type.clone();
        }
        rendered
    }
}

/// What a body is where the operator does not say so.
fn kind_of(place: Place) -> &'static str {
    match place {
        Place::Xml => "application/xml",
        Place::Form => "application/x-www-form-urlencoded",
        Place::Json => "application/json",
        Place::JsonLines => "application/x-ndjson",
        Place::Text | Place::Url | Place::Header => "text/plain; charset=utf-8",
    }
}

fn address(text: &str) -> Result<Url, RenderError> {
    if text.len() > MAX_URL {
        return Err(RenderError::TooLong("the URL".to_owned()));
    }
    Url::parse(text).map_err(|error| RenderError::Url(error.to_string()))
}
