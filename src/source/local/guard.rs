//! Who may post. On a Unix socket the file's permissions decide. A port on loopback can be reached by every program on the
//! host, and by web pages too: a browser there sends what any page tells it to. Browsers say so by headers that pages
//! cannot leave out (Origin, RFC 6454 §7; Fetch Metadata), and a page that has bent its own host name to loopback (DNS
//! rebinding) by the name it asks for.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};

/// What only browsers send.
const OF_BROWSERS: [&str; 2] = ["origin", "sec-fetch-site"];

/// Why somebody may not post.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It is a browser.
    #[error("the header {0} says that this comes from a web page, and only programs may post")]
    Browser(&'static str),
    /// It asks for somebody else, or for nobody.
    #[error("the header Host must name this host: localhost, or a loopback address such as 127.0.0.1; it is {0:?}")]
    Host(String),
}

/// Judges a request that came over TCP.
pub fn judge(headers: &HeaderMap) -> Result<(), Foreign> {
    if let Some(name) = OF_BROWSERS.into_iter().find(|name| headers.contains_key(*name)) {
        return Err(Foreign::Browser(name));
    }
    let mut hosts = headers.get_all(header::HOST).into_iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_here = |authority: Authority| {
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    match host.parse().is_ok_and(is_here) && hosts.next().is_none() {
        true => Ok(()),
        // What is quoted goes back to whoever sent it, and into the log.
        false => Err(Foreign::Host(host.chars().take(64).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        HeaderMap::from_iter(lines.iter().map(line))
    }

    #[test]
    fn programs_on_this_host_may_post() {
        for host in ["127.0.0.1:8464", "localhost", "LOCALHOST:8464", "[::1]:8464", "127.9.9.9"] {
            assert_eq!(judge(&headers(&[("host", host)])), Ok(()), "{host}");
        }
    }

    #[test]
    fn web_pages_may_not() {
        let here = ("host", "127.0.0.1:8464");
        for name in ["Origin", "Sec-Fetch-Site"] {
            assert!(matches!(judge(&headers(&[here, (name, "null")])), Err(Foreign::Browser(_))), "{name}");
        }
        for host in ["evil.example:8464", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example", "", "a b"] {
            assert!(matches!(judge(&headers(&[("host", host)])), Err(Foreign::Host(_))), "{host}");
        }
        assert!(judge(&headers(&[])).is_err());
        let mut twice = headers(&[here]);
        twice.append("host", HeaderValue::from_static("evil.example"));
        assert!(judge(&twice).is_err());
    }
}
