//! How radhook shows a receiver who it is: a fixed header, or a token that is fetched first and kept while it lasts.
//!
//! A token is fetched by one attempt while the others wait for it; a failed fetch is not repeated within a second, so that
//! a backlog does not fall upon the authentication server. A receiver that answers 401 gets one more try with a fresh one.

mod answer;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Mutex;

use super::client::PRODUCT;
use super::connections::Http;
use super::options::{AuthOptions, OAuth2Options, TokenOptions};
use crate::secret::Secret;
use answer::{Granted, oauth2, token};

/// How long a failed fetch counts for everybody who waits.
const FAILURE_KEPT: Duration = Duration::from_secs(1);

/// A token is fetched anew so long before it ends, so that none ends on its way.
const EARLY: Duration = Duration::from_secs(30);

/// The largest answer with a token: a JWT with many claims has some kilobytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Shows a receiver who radhook is.
#[derive(Debug, Clone, Default)]
pub struct Authorizer(Kind);

#[derive(Debug, Clone, Default)]
enum Kind {
    #[default]
    Nothing,
    Fixed(HeaderValue),
    Fetched(Arc<Fetched>),
}

#[derive(Debug)]
struct Fetched {
    from: From,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
enum From {
    Token(TokenOptions),
    OAuth2(OAuth2Options),
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<(HeaderValue, Instant)>,
    failed: Option<(Instant, String)>,
}

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no token: {0}")]
pub struct AuthError(String);

impl Authorizer {
    /// Of an endpoint. A password or token that no header can carry is refused when the config is read.
    pub fn new(options: &AuthOptions) -> Self {
        let fixed = |value: Option<HeaderValue>| value.map_or(Kind::Nothing, Kind::Fixed);
        let fetched = |from| Kind::Fetched(Arc::new(Fetched { from, kept: Mutex::default() }));
        Self(match options {
            AuthOptions::None | AuthOptions::Mtls { .. } => Kind::Nothing,
            AuthOptions::Basic { username, password } => fixed(basic(username, password)),
            AuthOptions::Bearer { token } => fixed(bearer(token.expose())),
            AuthOptions::Token(options) => fetched(From::Token(options.clone())),
            AuthOptions::OAuth2(options) => fetched(From::OAuth2(options.clone())),
        })
    }

    /// Whether requests carry `Authorization`.
    pub(super) fn shows(&self) -> bool {
        !matches!(self.0, Kind::Nothing)
    }

    /// What goes into `Authorization`, fetched first where need be.
    pub(super) async fn header(&self, http: &Http) -> Result<Option<HeaderValue>, AuthError> {
        match &self.0 {
            Kind::Nothing => Ok(None),
            Kind::Fixed(value) => Ok(Some(value.clone())),
            Kind::Fetched(fetched) => fetched.token(http).await.map(Some),
        }
    }

    /// The receiver did not take what was shown. Whether something else may help: a token that was fetched is dropped,
    /// unless another has taken its place already.
    pub async fn refused(&self, shown: Option<&HeaderValue>) -> bool {
        let Kind::Fetched(fetched) = &self.0 else { return false };
        let mut kept = fetched.kept.lock().await;
        if kept.token.as_ref().map(|(token, _)| token) == shown {
            kept.token = None;
        }
        true
    }
}

impl Fetched {
    async fn token(&self, http: &Http) -> Result<HeaderValue, AuthError> {
        // Held while fetching: the others wait, and then find it here.
        let mut kept = self.kept.lock().await;
        let now = Instant::now();
        if let Some((token, until)) = &kept.token
            && now < *until
        {
            return Ok(token.clone());
        }
        if let Some((at, reason)) = &kept.failed
            && now.duration_since(*at) < FAILURE_KEPT
        {
            return Err(AuthError(reason.clone()));
        }
        match self.from.fetch(http).await {
            Ok(Granted { token, lives }) => {
                let value =
                    bearer(token.as_bytes()).ok_or_else(|| AuthError("it holds what no header can".to_owned()))?;
                // A token that ends sooner than that is at least used for its first half.
                let early = EARLY.min(lives / 2);
                kept.token = Some((value.clone(), Instant::now() + (lives - early)));
                kept.failed = None;
                Ok(value)
            }
            Err(reason) => {
                kept.failed = Some((Instant::now(), reason.clone()));
                Err(AuthError(reason))
            }
        }
    }
}

impl From {
    fn url(&self) -> &Url {
        match self {
            Self::Token(options) => &options.url,
            Self::OAuth2(options) => &options.url,
        }
    }

    async fn fetch(&self, http: &Http) -> Result<Granted, String> {
        let request = match self {
            Self::Token(options) => {
                let mut request = http.client.request(options.method.clone(), options.url.clone()).headers(common());
                if options.method != Method::GET || !options.body.is_empty() {
                    request = request.header(CONTENT_TYPE, options.content_type.clone()).body(options.filled_body());
                }
                let headers: HeaderMap = options.headers.iter().cloned().collect();
                request = request.headers(headers);
                if !options.asks_in_body()
                    && let Some(value) = options.username.as_deref().zip(options.password.as_ref())
                    && let Some(value) = basic(value.0, value.1)
                {
                    request = request.header(AUTHORIZATION, value);
                }
                request
            }
            Self::OAuth2(options) => {
                let mut form = vec![("grant_type", "client_credentials".to_owned())];
                form.extend(options.scope.iter().map(|scope| ("scope", scope.clone())));
                form.extend(options.audience.iter().map(|audience| ("audience", audience.clone())));
                let encoded = form_urlencoded(&form);
                let mut request = http.client.post(options.url.clone()).headers(common()).body(encoded);
                request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                // RFC 6749 §2.3.1: both halves are form-encoded before they become user and password.
                let (id, secret) =
                    (percent_encoded(options.client_id.as_bytes()), percent_encoded(options.client_secret.expose()));
                if let Some(value) = basic(&id, &Secret::new(secret)) {
                    request = request.header(AUTHORIZATION, value);
                }
                request
            }
        };
        let mut answer = request.send().await.map_err(|error| http.describe(&error))?;
        let status = answer.status();
        if let Some(reason) = http.answered_by_proxy(self.url(), status.as_u16()) {
            return Err(reason);
        }
        if !status.is_success() {
            return Err(format!("the authentication server answered {}", status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| http.describe(&error))? {
            if body.len() + part.len() > MAX_ANSWER {
                return Err(format!("the authentication server's answer has more than {MAX_ANSWER} bytes"));
            }
            body.extend_from_slice(&part);
        }
        let answer: Value =
            serde_json::from_slice(&body).map_err(|_| "the authentication server's answer is no JSON".to_owned())?;
        match self {
            Self::Token(options) => token(&answer, &options.field, options.refresh),
            Self::OAuth2(_) => oauth2(&answer),
        }
    }
}

impl fmt::Display for AuthOptions {
    /// Its type, as it stands in the config.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Basic { .. } => "basic",
            Self::Bearer { .. } => "bearer",
            Self::Token(_) => "token",
            Self::OAuth2(_) => "oauth2",
            Self::Mtls { .. } => "mtls",
        })
    }
}

fn common() -> HeaderMap {
    HeaderMap::from_iter([
        (USER_AGENT, HeaderValue::from_static(PRODUCT)),
        (ACCEPT, HeaderValue::from_static("application/json")),
    ])
}

/// `Basic` and the base64 of user and password (RFC 7617).
pub(super) fn basic(username: &str, password: &Secret) -> Option<HeaderValue> {
    let pair = [username.as_bytes(), b":", password.expose()].concat();
    sensitive(format!("Basic {}", STANDARD.encode(pair)).as_bytes())
}

/// `Bearer` and the token (RFC 6750 §2.1).
fn bearer(token: &[u8]) -> Option<HeaderValue> {
    sensitive(&[b"Bearer ".as_slice(), token].concat())
}

fn sensitive(value: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn form_urlencoded(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(key, value)| format!("{key}={}", percent_encoded(value.as_bytes()))).collect();
    pairs.join("&")
}

/// Everything but what RFC 3986 §2.3 calls unreserved as `%XX`: right in a form, a query and a password.
fn percent_encoded(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(*byte)),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    })
}

/// Where the user's name and password go in the body of a token's request.
const USERNAME: &str = "{{ username }}";
/// See [`USERNAME`].
const PASSWORD: &str = "{{ password }}";

impl TokenOptions {
    /// Whether the body says who asks; else a header does.
    fn asks_in_body(&self) -> bool {
        self.body.contains(USERNAME) || self.body.contains(PASSWORD)
    }

    /// The body with user and password in their places, written as its content type demands.
    fn filled_body(&self) -> Vec<u8> {
        let kind = self.content_type.to_str().unwrap_or_default();
        let escaped = |value: &[u8]| {
            if kind.contains("json") {
                let quoted = Value::from(String::from_utf8_lossy(value)).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            } else if kind.contains("x-www-form-urlencoded") {
                percent_encoded(value)
            } else {
                String::from_utf8_lossy(value).into_owned()
            }
        };
        let username = escaped(self.username.as_deref().unwrap_or_default().as_bytes());
        let password = escaped(self.password.as_ref().map(Secret::expose).unwrap_or_default());
        // In one pass, so that a user's name cannot bring a place of its own.
        let mut body = String::new();
        let mut rest = self.body.as_str();
        while let Some(at) = rest.find("{{ ") {
            body.push_str(&rest[..at]);
            rest = &rest[at..];
            let (value, length) = match rest {
                _ if rest.starts_with(USERNAME) => (username.as_str(), USERNAME.len()),
                _ if rest.starts_with(PASSWORD) => (password.as_str(), PASSWORD.len()),
                _ => ("{{ ", 3),
            };
            body.push_str(value);
            rest = &rest[length..];
        }
        body.push_str(rest);
        body.into_bytes()
    }
}

#[cfg(test)]
mod tests;
