//! What an operator sets for an `[[endpoint]]`, validated.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use reqwest::Url;

use super::egress::Egress;
use super::sign::KeySource;
pub use crate::render::Templates;
pub use crate::render::{Dialect, Format, RenderError};
use crate::secret::Secret;

/// One `[[endpoint]]`, as delivery sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointOptions {
    /// Its name: in commands, metrics, logs, and the store.
    pub name: Arc<str>,
    /// What operators say of it.
    pub description: Option<String>,
    /// Where requests go. `https`, or `http` to a loopback address or with `insecure_http = true`.
    pub url: Url,
    /// POST unless set.
    pub method: Method,
    /// How events are written.
    pub format: Format,
    /// What of that the operator writes by templates.
    pub templates: Arc<Templates>,
    /// From connecting to the last byte of the answer.
    pub timeout: Duration,
    /// Whether events of one session keep their order.
    pub order: Order,
    /// Requests under way at once.
    pub concurrency: usize,
    /// The most requests that begin within a time.
    pub rate: Option<Rate>,
    /// How long it may fail without a success before it is disabled; `None` for ever.
    pub disable_after: Option<Duration>,
    /// `false` keeps events pending without sending them.
    pub enabled: bool,
    /// Sent with every request, after radhook's own.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How radhook shows the receiver who it is.
    pub auth: AuthOptions,
    /// How requests are signed; `None` leaves them unsigned.
    pub signature: Option<SignatureOptions>,
    /// When a failed delivery is tried again.
    pub retry: RetryOptions,
    /// How many events go in one request.
    pub batch: BatchOptions,
    /// How a receiver is asked whether it wants events before it is sent any.
    pub verify: Verify,
    /// Whether requests and answers are kept word for word.
    pub log_bodies: bool,
    /// PEM file of certificate authorities trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// Whether TLS 1.2 is too old for this receiver.
    pub tls13_only: bool,
    /// Where requests may go.
    pub egress: Arc<Egress>,
    /// What they go through.
    pub proxy: Option<ProxyOptions>,
    /// How bodies are compressed.
    pub compression: Compression,
}

/// `proxy`: an HTTP proxy between radhook and the receiver, and its authentication server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyOptions {
    /// Where it is, without credentials.
    pub url: Url,
    /// User and password for it.
    pub credentials: Option<(String, Secret)>,
}

/// `compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Bodies are sent as they are.
    #[default]
    None,
    /// RFC 1952, by `Content-Encoding: gzip`; small bodies as they are.
    Gzip,
}

/// `disable.after` unless set: a long weekend, and somebody has looked.
pub const DEFAULT_DISABLE_AFTER: Duration = Duration::from_secs(5 * 86_400);

/// `rate`: so many requests within so long, wherever that time is taken to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least one.
    pub count: u32,
    /// Within how long.
    pub within: Duration,
}

impl fmt::Display for Rate {
    /// As it stands in the config, where its time is one that can stand there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.within.as_secs() {
            1 => write!(f, "{}/s", self.count),
            60 => write!(f, "{}/m", self.count),
            3_600 => write!(f, "{}/h", self.count),
            86_400 => write!(f, "{}/d", self.count),
            _ => write!(f, "{} in {:?}", self.count, self.within),
        }
    }
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
        secrets: Vec<KeySource>,
    },
    /// Standard Webhooks v1a: the same headers, `v1a,<base64>`.
    Ed25519 {
        /// `whsk_` and base64 of a private key; for verifying also `whpk_` of a public one.
        secrets: Vec<KeySource>,
    },
    /// Lower-case hex HMAC-SHA256 of the raw body in a header of its own.
    HmacSha256 {
        /// The keys; the newest first. One header value is sent per key, joined by a comma and a space.
        secrets: Vec<KeySource>,
        /// `X-Radhook-Signature` unless set.
        header: HeaderName,
        /// Stands before the hex, such as `sha256=`.
        prefix: String,
    },
}

impl SignatureOptions {
    /// Where its secrets are, newest first.
    pub fn secrets(&self) -> &[KeySource] {
        let (Self::Standard { secrets } | Self::Ed25519 { secrets } | Self::HmacSha256 { secrets, .. }) = self;
        secrets
    }

    /// The same with other secrets.
    pub fn with_secrets(&self, secrets: Vec<KeySource>) -> Self {
        match self {
            Self::Standard { .. } => Self::Standard { secrets },
            Self::Ed25519 { .. } => Self::Ed25519 { secrets },
            Self::HmacSha256 { header, prefix, .. } => {
                Self::HmacSha256 { secrets, header: header.clone(), prefix: prefix.clone() }
            }
        }
    }
}

/// `auth`: how radhook shows a receiver who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AuthOptions {
    /// Not at all, or by the signature alone.
    #[default]
    None,
    /// User and password in every request (RFC 7617).
    Basic {
        /// Without a colon.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token in every request (RFC 6750).
    Bearer {
        /// The token.
        token: Secret,
    },
    /// A token that is fetched from a URL and then sent as a bearer's.
    Token(TokenOptions),
    /// A token by client credentials (RFC 6749 §4.4).
    OAuth2(OAuth2Options),
    /// A certificate of our own.
    Mtls {
        /// PEM file with the certificate, and those between it and its authority.
        certificate: PathBuf,
        /// PEM file with its key.
        key: PathBuf,
    },
}

/// `auth = { type = "token" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOptions {
    /// Where the token is fetched.
    pub url: Url,
    /// How.
    pub method: Method,
    /// Sent with the request for it.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The request's body, in which `{{ username }}` and `{{ password }}` stand for the two.
    pub body: String,
    /// What the body is.
    pub content_type: HeaderValue,
    /// In the body, or else as Basic authentication.
    pub username: Option<String>,
    /// See `username`.
    pub password: Option<Secret>,
    /// Where the token stands in the answer's JSON: `auth.token`.
    pub field: String,
    /// How long a token is used.
    pub refresh: Duration,
}

/// `auth = { type = "oauth2" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2Options {
    /// The token endpoint.
    pub url: Url,
    /// Who asks.
    pub client_id: String,
    /// And its secret.
    pub client_secret: Secret,
    /// What is asked for, separated by spaces.
    pub scope: Option<String>,
    /// For whom the token is, where the server wants to know.
    pub audience: Option<String>,
}

/// `retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryOptions {
    /// The wait before each retry. When it is used up the event is dead-lettered, unless `endless`. Empty: one attempt.
    pub schedule: Vec<Duration>,
    /// Each wait is stretched or shrunk by up to this share, 0.0 to 1.0, so that failures do not come back in step.
    pub jitter: f64,
    /// How long after it was queued an event is worth sending; `None` for ever.
    pub max_age: Option<Duration>,
    /// Whether the last wait of the schedule comes again and again, and nothing is dead-lettered for its failures.
    pub endless: bool,
}

/// `batch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOptions {
    /// The most events in one request. With 1 each is sent by itself, and not as a list of one.
    pub max_events: usize,
    /// How long the first event of a batch waits for others.
    pub max_wait: Duration,
    /// The most bytes of events in one request; a larger event goes by itself.
    pub max_bytes: usize,
}

impl BatchOptions {
    /// Whether each event is a request of its own.
    pub fn is_single(&self) -> bool {
        self.max_events == 1
    }
}

impl Default for BatchOptions {
    /// One event a request. A megabyte is what common servers take without being told to.
    fn default() -> Self {
        Self { max_events: 1, max_wait: Duration::ZERO, max_bytes: 1024 * 1024 }
    }
}

/// `verify`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Verify {
    /// It is not asked.
    #[default]
    None,
    /// A test event must be answered 200 and `wifiWebhookListener: 1`.
    Purple,
    /// The handshake of CloudEvents' HTTP webhooks.
    CloudEvents {
        /// Who asks, as a DNS name.
        origin: String,
        /// Where the receiver may say yes later.
        callback: Option<Url>,
    },
}
