//! A request's body as it goes over the wire: what is signed, and what receivers verify before they unpack it.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::HeaderValue;

use super::options::Compression;

/// Smaller bodies are sent as they are: with their headers they fit into one packet already.
const WORTH_IT: usize = 1024;

/// The octets of a body, made once for an attempt and shared by the requests of it.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub octets: Bytes,
    /// `Content-Encoding`, where they are not what was rendered.
    pub encoding: Option<HeaderValue>,
}

impl Body {
    /// What is sent of a rendered body.
    pub fn of(rendered: Vec<u8>, compression: Compression) -> Self {
        let packed = match compression {
            Compression::Gzip if rendered.len() >= WORTH_IT => gzip(&rendered).filter(|it| it.len() < rendered.len()),
            Compression::Gzip | Compression::None => None,
        };
        match packed {
            Some(packed) => Self { octets: packed.into(), encoding: Some(HeaderValue::from_static("gzip")) },
            None => Self { octets: rendered.into(), encoding: None },
        }
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

    #[test]
    fn only_what_gains_by_it_is_compressed() {
        let small = vec![b'x'; WORTH_IT - 1];
        let large = vec![b'x'; WORTH_IT];
        // What has no pattern, it would only make longer.
        let random: Vec<u8> = (0..8 * WORTH_IT).map(|_| rand::random()).collect();
        for (body, compression) in
            [(&small, Compression::Gzip), (&large, Compression::None), (&random, Compression::Gzip)]
        {
            let sent = Body::of(body.clone(), compression);
            assert!(sent.octets == *body && sent.encoding.is_none(), "{} bytes", body.len());
        }
        let sent = Body::of(large, Compression::Gzip);
        assert!(sent.octets.len() < 100 && sent.encoding.is_some());
    }

    #[test]
    fn the_same_body_is_the_same_octets_each_time() {
        let body = || Body::of(br#"{"id":"e-1"}"#.repeat(1000), Compression::Gzip).octets;
        assert_eq!(body(), body());
    }
}
