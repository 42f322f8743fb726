//! Requests and answers as they are kept word for word (`log_bodies`), without what is secret in them.

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use reqwest::Response;

use super::options::EndpointOptions;
use crate::render::Rendered;
use crate::store::exchanges::{Answer, Exchange};

/// How much of a request's body is kept: any single event, and of a batch enough to see what is wrong with it.
const BODY_KEPT: usize = 256 * 1024;

/// How much of an answer's headers is kept; more says nothing more.
const HEADERS_KEPT: usize = 8 * 1024;

/// Stands for what is not kept.
const MASK: &str = "[redacted]";

/// Headers whose values are nobody's business, whoever set them. Values that the config made (`headers`, tokens, passwords) are
/// marked as sensitive beside them.
const SECRET: [HeaderName; 5] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE, WWW_AUTHENTICATE];

/// A request that is about to be made; its headers are not known yet.
pub(super) fn request(options: &EndpointOptions, rendered: &Rendered, now: Timestamp) -> Exchange {
    let body = &rendered.body;
    Exchange {
        at: now.as_millisecond(),
        method: options.method.to_string(),
        url: rendered.url.as_ref().unwrap_or(&options.url).to_string(),
        headers: Vec::new(),
        body: body[..body.len().min(BODY_KEPT)].to_vec(),
        cut: body.len() > BODY_KEPT,
        answer: None,
    }
}

/// Headers as they are kept.
pub(super) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut room = HEADERS_KEPT;
    masked(headers, MASK)
        .take_while(|(name, value)| {
            let fits = name.len() + value.len() <= room;
            room = room.saturating_sub(name.len() + value.len());
            fits
        })
        .collect()
}

/// Headers as they may be shown, with `mask` in the place of what is secret.
pub(super) fn masked(headers: &HeaderMap, mask: &'static str) -> impl Iterator<Item = (String, String)> {
    headers.iter().map(move |(name, value)| {
        let secret = value.is_sensitive() || SECRET.contains(name);
        let value = if secret { mask.into() } else { String::from_utf8_lossy(value.as_bytes()) };
        (name.to_string(), value.into_owned())
    })
}

/// Notes an answer; its body is still to come.
pub(super) fn answer<'e>(exchange: &'e mut Exchange, answer: &Response) -> &'e mut Answer {
    let (status, headers) = (answer.status().as_u16(), headers(answer.headers()));
    exchange.answer.insert(Answer { status, headers, body: Vec::new() })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_secret_is_masked_and_what_is_long_is_left_out() {
        let mut map = HeaderMap::new();
        map.insert("authorization", HeaderValue::from_static("Bearer s3cret"));
        map.insert("set-cookie", HeaderValue::from_static("session=s3cret"));
        let mut token = HeaderValue::from_static("s3cret");
        token.set_sensitive(true);
        map.insert("x-token", token);
        map.insert("webhook-id", HeaderValue::from_static("an-id"));
        map.insert("x-long", HeaderValue::from_str(&"a".repeat(HEADERS_KEPT)).unwrap());
        let kept = headers(&map);
        assert!(!format!("{kept:?}").contains("s3cret"), "{kept:?}");
        assert!(kept.contains(&("webhook-id".to_owned(), "an-id".to_owned())));
        assert_eq!(kept.iter().filter(|(_, value)| value == MASK).count(), 3);
        assert!(kept.iter().all(|(name, _)| name != "x-long"));
    }
}
