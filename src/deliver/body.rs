//! What is sent of events as it goes over the wire: the body, which is what is signed and what receivers verify before they
//! unpack it, and the headers that tell what it is.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::{HeaderName, HeaderValue};
use reqwest::Url;

use super::options::Compression;
use crate::render::Rendered;

/// Smaller bodies are sent as they are: with their headers they fit into one packet already.
const WORTH_IT: usize = 1024;

/// Made once for an attempt and shared by the requests of it.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub octets: Bytes,
    /// `Content-Encoding`, where they are not what was rendered.
    pub encoding: Option<HeaderValue>,
    /// `Content-Type`.
    pub kind: HeaderValue,
    /// What the format brings besides.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Where it goes, where that is not the endpoint's URL as it stands.
    pub url: Option<Url>,
}

impl Body {
    /// What is sent of what was rendered.
    pub fn of(rendered: Rendered, compression: Compression) -> Self {
        let Rendered { body: plain, content_type: kind, headers, url } = rendered;
        let packed = match compression {
            Compression::Gzip if plain.len() >= WORTH_IT => gzip(&plain).filter(|packed| packed.len() < plain.len()),
            Compression::Gzip | Compression::None => None,
        };
        let encoding = packed.as_ref().map(|_| HeaderValue::from_static("gzip"));
        Self { octets: packed.unwrap_or(plain).into(), encoding, kind, headers, url }
    }
}

/// Without name and time, so that the same event is the same octets at every attempt. Writing to memory does not fail.
fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), flate2::Compression::default());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(plain: &[u8], compression: Compression) -> Body {
        let rendered = Rendered::new(plain.to_vec(), "application/json");
        Body::of(rendered, compression)
    }

    #[test]
    fn only_what_gains_by_it_is_compressed() {
        let small = vec![b'x'; WORTH_IT - 1];
        let large = vec![b'x'; WORTH_IT];
        // What has no pattern, it would only make longer.
        let random: Vec<u8> = (0..8 * WORTH_IT).map(|_| rand::random()).collect();
        for (plain, compression) in
            [(&small, Compression::Gzip), (&large, Compression::None), (&random, Compression::Gzip)]
        {
            let sent = body(plain, compression);
            assert!(sent.octets == *plain && sent.encoding.is_none(), "{} bytes", plain.len());
        }
        let sent = body(&large, Compression::Gzip);
        assert!(sent.octets.len() < 100 && sent.encoding.is_some());
    }

    #[test]
    fn the_same_body_is_the_same_octets_each_time() {
        let octets = || body(&br#"{"id":"e-1"}"#.repeat(1000), Compression::Gzip).octets;
        assert_eq!(octets(), octets());
    }
}
