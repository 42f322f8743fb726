//! When a receiver's certificate ends: an outage that can be seen coming. What to say of it, and when, is decided by a
//! pure function of what was shown and the time.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::warn;
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser as _;

/// How long before its end a certificate is spoken of: whoever renews by hand still has time, and whoever renews by
/// machine has done so before (most do with a third of ninety days left).
pub const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How often the log says so.
const SAID_AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// The certificate of one endpoint's receiver: noted by who sends, read by who shows.
#[derive(Debug, Default)]
pub struct Certificate(Mutex<Known>);

impl Certificate {
    /// When it ends, once the receiver has shown one.
    pub fn expires(&self) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).expires
    }

    /// Notes what the receiver has shown, and tells the log of a near end.
    pub(super) fn shown(&self, endpoint: &str, der: &[u8], now: Timestamp) {
        if let Some(expires) = self.0.lock().unwrap_or_else(PoisonError::into_inner).shown(der, now) {
            warn!(endpoint, %expires, "the receiver's certificate ends soon, or has ended");
        }
    }
}

/// What is known of a certificate.
#[derive(Debug, Default)]
struct Known {
    /// The last one seen, which is read only when another one comes.
    der: Vec<u8>,
    expires: Option<Timestamp>,
    said_at: Option<Timestamp>,
}

impl Known {
    /// Notes the certificate that a receiver has shown. Answers with when it ends, where the log should say so now.
    fn shown(&mut self, der: &[u8], now: Timestamp) -> Option<Timestamp> {
        if self.der != der {
            *self = Self { der: der.to_vec(), expires: expires(der), said_at: None };
        }
        let expires = self.expires.filter(|expires| is_soon(*expires, now))?;
        if self.said_at.is_some_and(|at| now.duration_since(at) < SAID_AGAIN) {
            return None;
        }
        self.said_at = Some(now);
        Some(expires)
    }
}

/// Whether a certificate ends so soon that people should know, or has ended.
pub fn is_soon(expires: Timestamp, now: Timestamp) -> bool {
    expires.duration_since(now) < SOON
}

/// notAfter (RFC 5280 §4.1.2.5); `None` for what cannot be read, which is no reason not to deliver.
fn expires(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509CertificateParser::new().with_deep_parse_extensions(false).parse(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32, month: u8, day: u8) -> Vec<u8> {
        let mut params = CertificateParams::new(["crm.example.com".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, month, day);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_log_hears_once_a_day_and_only_when_the_end_is_near() {
        let (der, mut known) = (certificate(2026, 12, 31), Known::default());
        let end = at("2026-12-31T00:00:00Z");
        assert_eq!(known.shown(&der, at("2026-12-16T23:59:59Z")), None);
        assert_eq!(known.expires, Some(end));
        assert_eq!(known.shown(&der, at("2026-12-17T00:00:01Z")), Some(end));
        assert_eq!(known.shown(&der, at("2026-12-17T23:59:59Z")), None);
        assert_eq!(known.shown(&der, at("2026-12-18T00:00:01Z")), Some(end));
        assert_eq!(known.shown(&der, at("2027-01-02T00:00:01Z")), Some(end), "after its end too");
        // A new one is news again.
        let renewed = certificate(2060, 1, 1);
        assert_eq!(known.shown(&renewed, at("2027-01-02T00:00:02Z")), None);
        assert_eq!(known.expires, Some(at("2060-01-01T00:00:00Z")));
    }

    #[test]
    fn what_cannot_be_read_has_no_end_and_does_no_harm() {
        let der = certificate(2026, 12, 31);
        for length in 0..der.len() {
            let mut known = Known::default();
            assert_eq!(known.shown(&der[..length], at("2026-12-30T00:00:00Z")), None, "{length}");
            assert_eq!(known.expires, None, "{length}");
        }
    }
}
