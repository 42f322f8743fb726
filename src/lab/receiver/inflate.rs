//! What a compressed body says (RFC 9110 §8.4.1.3), however small it was made.

use std::io::Read as _;

use axum::body::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::MAX_BODY;

/// Why a body cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpackable {
    /// It holds more than [`MAX_BODY`]: a small body can be made to hold gigabytes.
    TooLong,
    /// It is not what its header says.
    Broken,
}

/// The body beneath its `Content-Encoding`, where that is gzip; any other one is left as it is.
pub(super) fn unpacked(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Unpackable> {
    let gzip = |encoding: &[u8]| encoding.eq_ignore_ascii_case(b"gzip") || encoding.eq_ignore_ascii_case(b"x-gzip");
    if !headers.get(CONTENT_ENCODING).is_some_and(|encoding| gzip(encoding.as_bytes())) {
        return Ok(body);
    }
    let mut plain = Vec::new();
    let one_more = MAX_BODY as u64 + 1;
    MultiGzDecoder::new(&*body).take(one_more).read_to_end(&mut plain).map_err(|_| Unpackable::Broken)?;
    if plain.len() > MAX_BODY {
        return Err(Unpackable::TooLong);
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn read(encoding: &'static str, body: Vec<u8>) -> Result<Bytes, Unpackable> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, encoding.parse().unwrap())]);
        unpacked(&headers, body.into())
    }

    #[test]
    fn gzip_is_unpacked_up_to_the_bound_and_all_else_is_left_alone() {
        assert_eq!(read("gzip", gzip(b"{}")).unwrap(), "{}");
        assert_eq!(read("GZip", gzip(b"{}")).unwrap(), "{}");
        assert_eq!(read("br", b"what".to_vec()).unwrap(), "what");
        assert_eq!(unpacked(&HeaderMap::new(), "{}".into()).unwrap(), "{}");
        assert_eq!(read("gzip", gzip(&vec![0; MAX_BODY])).unwrap().len(), MAX_BODY);
        let bomb = gzip(&vec![0; MAX_BODY + 1]);
        assert!(bomb.len() < 10_000);
        assert_eq!(read("gzip", bomb), Err(Unpackable::TooLong));
    }

    #[test]
    fn what_is_no_gzip_or_was_cut_off_is_broken() {
        assert_eq!(read("gzip", b"{}".to_vec()), Err(Unpackable::Broken));
        let whole = gzip(b"{\"id\":\"e-1\"}");
        for length in 1..whole.len() {
            assert_eq!(read("gzip", whole[..length].to_vec()), Err(Unpackable::Broken), "{length}");
        }
    }
}
