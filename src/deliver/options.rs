//! What an operator sets for an `[[endpoint]]`, validated.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use reqwest::Url;

use crate::secret::Secret;

/// One `[[endpoint]]`, as delivery sees it.
#[derive(Debug, Clone)]
pub struct EndpointOptions {
    /// Its name: in commands, metrics, logs, and the store.
    pub name: Arc<str>,
    /// Where requests go. `https`, or `http` to a loopback address or with `insecure_http = true`.
    pub url: Url,
    /// POST unless set.
    pub method: Method,
    /// From connecting to the last byte of the answer.
    pub timeout: Duration,
    /// Whether events of one session keep their order.
    pub order: Order,
    /// Requests under way at once.
    pub concurrency: usize,
    /// `false` keeps events pending without sending them.
    pub enabled: bool,
    /// Sent with every request, after radhook's own.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How requests are signed; `None` leaves them unsigned.
    pub signature: Option<SignatureOptions>,
    /// When a failed delivery is tried again.
    pub retry: RetryOptions,
    /// PEM file of certificate authorities trusted besides the system's.
    pub ca: Option<PathBuf>,
}

/// `order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// start, updates and stop of one session arrive in order; sessions do not wait for each other.
    #[default]
    Session,
    /// Whatever is ready goes out.
    None,
}

/// `signature`: a scheme and its active secrets. Several during a rotation: each signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureOptions {
    /// Standard Webhooks v1: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>`.
    Standard {
        /// `whsec_` and base64, or raw bytes.
        secrets: Vec<Secret>,
    },
    /// Lower-case hex HMAC-SHA256 of the raw body in a header of its own.
    HmacSha256 {
        /// The keys; the newest first. One header value is sent per key, joined by a comma and a space.
        secrets: Vec<Secret>,
        /// `X-Radhook-Signature` unless set.
        header: HeaderName,
        /// Stands before the hex, such as `sha256=`.
        prefix: String,
    },
}

/// `retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryOptions {
    /// The wait before each retry. When it is used up the event is dead-lettered. Empty: one attempt.
    pub schedule: Vec<Duration>,
    /// Each wait is stretched or shrunk by up to this share, 0.0 to 1.0, so that failures do not come back in step.
    pub jitter: f64,
}
