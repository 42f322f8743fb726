//! What an endpoint's receiver would get of an event: the request as an attempt makes it, signed now, and sent to nobody.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use reqwest::Url;
use thiserror::Error;

use super::attempt::alone;
use super::body::Body;
use super::client::Sender;
use super::logged;
use super::options::EndpointOptions;
use super::sign::SignError;
use crate::event::EventId;
use crate::render::RenderError;

/// Stands for what is secret.
const MASK: &str = "[secret]";

/// A request that is not sent.
#[derive(Debug, Clone)]
pub struct Composed {
    /// Its method.
    pub method: Method,
    /// Where it would go.
    pub url: Url,
    /// Its headers, with `[secret]` for what is secret.
    pub headers: Vec<(String, String)>,
    /// Its body as it was rendered.
    pub body: Vec<u8>,
    /// How many octets of body go over the wire: fewer than `body` has where it is compressed.
    pub octets: usize,
}

/// Why there is no request to be made.
#[derive(Debug, Error)]
pub enum ComposeError {
    /// The event cannot be written in the endpoint's format.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Sender {
    /// The request that an attempt at this event would make now. Nothing is sent, and no token fetched.
    pub fn compose(
        &self,
        options: &EndpointOptions,
        id: EventId,
        json: Vec<u8>,
        now: Timestamp,
    ) -> Result<Composed, ComposeError> {
        let (id, rendered) = alone(options, id, json)?;
        let plain = rendered.body.clone();
        let url = rendered.url.clone().unwrap_or_else(|| options.url.clone());
        let body = Body::of(rendered, options.compression);
        // What the HTTP library adds stands where it adds it.
        let mut headers = HeaderMap::new();
        headers.extend(host(&options.url).map(|host| (HOST, host)));
        headers.extend(self.headers(options, &id, &body, now)?);
        if self.shows_who_asks() {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(MASK));
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.insert(CONTENT_LENGTH, body.octets.len().into());
        let headers = logged::masked(&headers, MASK).collect();
        let (method, url) = (options.method.clone(), url);
        Ok(Composed { method, url, headers, body: plain, octets: body.octets.len() })
    }
}

fn host(url: &Url) -> Option<HeaderValue> {
    let host = url.host_str()?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::from_str(&host).ok()
}
