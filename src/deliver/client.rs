//! One HTTP client per endpoint, and one attempt with it under one deadline.

use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use reqwest::tls::TlsInfo;
use thiserror::Error;
use tokio::runtime::Handle;

use super::auth::Authorizer;
use super::body::Body;
use super::certificate::Certificate;
use super::connections::{Connections, Http};
use super::keyring::Keyring;
use super::logged;
use super::options::EndpointOptions;
use super::policy::{self, Ended};
use super::sign::{KeyFileError, SignError};
use crate::render::Rendered;
use crate::store::exchanges::Exchange;

/// How much of an answer is read: enough to finish small answers, so that their connection can be used again. Whatever
/// sends more loses its connection.
const ANSWER_READ: usize = 16 * 1024;

/// RFC 9110 §15.5.2.
const UNAUTHORIZED: u16 = 401;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Stands in `User-Agent`.
pub(super) const PRODUCT: &str = concat!("radhook/", env!("CARGO_PKG_VERSION"));

/// How an attempt ended, and word for word what was said, where that is kept.
#[derive(Debug)]
pub struct Answered {
    /// How it ended.
    pub ended: Ended,
    /// Request and answer.
    pub exchange: Option<Exchange>,
}

/// Sends the requests of one endpoint.
#[derive(Debug, Clone)]
pub struct Sender {
    http: Connections,
    keyring: Option<Keyring>,
    authorizer: Authorizer,
    certificate: Arc<Certificate>,
    /// Where its connections are served, where that is not where the requests are made.
    place: Option<Handle>,
}

/// A future that is polled here and whose tasks, which serve its connections, run elsewhere.
struct Placed<'f, F> {
    place: Option<&'f Handle>,
    future: Pin<&'f mut F>,
}

impl<F: Future> Future for Placed<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = self.place.map(Handle::enter);
        self.future.as_mut().poll(context)
    }
}

/// Why an endpoint's client cannot be made: the operator's to mend.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The custom CA file cannot be used.
    #[error("CA file {path}: {what}")]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The certificate that shows who we are, or its key, cannot be used.
    #[error("client certificate {path}: {what}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The proxy cannot be used.
    #[error("proxy: {0}")]
    Proxy(String),
    /// A signing secret cannot be used.
    #[error("signature: {0}")]
    Signature(#[from] SignError),
    /// A file of signing secrets cannot be used.
    #[error("signature: {0}")]
    KeyFile(#[from] KeyFileError),
    /// The TLS library refused, for example because the system has no root certificates.
    #[error("TLS: {0}")]
    Tls(String),
}

impl Sender {
    /// The client of an endpoint, with its connections, its trust and its keys.
    pub fn new(options: &EndpointOptions) -> Result<Self, ClientError> {
        Ok(Self {
            http: Connections::new(options)?,
            keyring: Keyring::new(options)?,
            authorizer: Authorizer::new(&options.auth),
            certificate: Arc::default(),
            place: None,
        })
    }

    /// The same with connections of its own, which are served by another runtime's threads.
    pub fn aside(&self, options: &EndpointOptions, place: Handle) -> Result<Self, ClientError> {
        Ok(Self { http: Connections::new(options)?, place: Some(place), ..self.clone() })
    }

    /// What the receiver shows who it is by.
    pub fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.certificate)
    }

    /// Makes one attempt: shows who asks, signs, sends, and reads the answer, all within the endpoint's timeout. A token
    /// that the receiver no longer takes is fetched anew and tried once more.
    pub async fn attempt(&self, options: &EndpointOptions, id: &str, rendered: Rendered, now: Timestamp) -> Answered {
        let mut exchange = options.log_bodies.then(|| logged::request(options, &rendered, now));
        // Made once: a second request of the attempt sends, and signs, the same octets.
        let body = Body::of(rendered, options.compression);
        let both = async {
            let http = self.http.current();
            let shown = match self.authorizer.header(&http).await {
                Ok(shown) => shown,
                Err(error) => return Ended::Failed(error.to_string()),
            };
            let first = self.request(&http, options, id, &body, shown.as_ref(), now, exchange.as_mut()).await;
            let refused = matches!(first, Ended::Answered { status: UNAUTHORIZED, .. });
            if !refused || !self.authorizer.refused(shown.as_ref()).await {
                return first;
            }
            match self.authorizer.header(&http).await {
                Ok(fresh) => self.request(&http, options, id, &body, fresh.as_ref(), now, exchange.as_mut()).await,
                Err(error) => Ended::Failed(error.to_string()),
            }
        };
        let late = || Ended::Failed(format!("no complete answer within {:?}", options.timeout));
        let ended = self.within(options.timeout, both).await.unwrap_or_else(late);
        Answered { ended, exchange }
    }

    /// What comes of it in time; its connections are served where they have their place. The deadline is kept here, however busy
    /// the threads there may be.
    async fn within<T>(&self, timeout: Duration, exchange: impl Future<Output = T>) -> Option<T> {
        let placed = Placed { place: self.place.as_ref(), future: pin!(exchange) };
        tokio::time::timeout(timeout, placed).await.ok()
    }

    /// Asks something that is no delivery, within the endpoint's timeout: with a body that is signed as a delivery's is, or
    /// without one. Says what came back, or why nothing did.
    pub async fn ask(
        &self,
        options: &EndpointOptions,
        method: Method,
        signed: Option<(String, Rendered)>,
        more: HeaderMap,
        now: Timestamp,
    ) -> Result<(u16, HeaderMap), String> {
        let asked = async {
            let http = self.http.current();
            let shown = self.authorizer.header(&http).await.map_err(|error| error.to_string())?;
            let signed = signed.map(|(id, rendered)| (id, Body::of(rendered, options.compression)));
            let mut headers = match &signed {
                Some((id, body)) => self.headers(options, id, body, now).map_err(|error| error.to_string())?,
                None => {
                    let own = [(USER_AGENT, HeaderValue::from_static(PRODUCT))];
                    options.headers.iter().cloned().chain(own).collect()
                }
            };
            headers.extend(more);
            headers.extend(shown.map(|shown| (AUTHORIZATION, shown)));
            let mut request = http.client.request(method, options.url.clone()).headers(headers);
            if let Some((_, body)) = signed {
                request = request.body(body.octets);
            }
            let answer = request.send().await.map_err(|error| http.describe(&error))?;
            let status = answer.status().as_u16();
            http.answered_by_proxy(&options.url, status).map_or(Ok((status, answer.headers().clone())), Err)
        };
        let late = || Err(format!("no answer within {:?}", options.timeout));
        self.within(options.timeout, asked).await.unwrap_or_else(late)
    }

    #[expect(clippy::too_many_arguments, reason = "one request is all of this")]
    async fn request(
        &self,
        http: &Http,
        options: &EndpointOptions,
        id: &str,
        body: &Body,
        shown: Option<&HeaderValue>,
        now: Timestamp,
        mut exchange: Option<&mut Exchange>,
    ) -> Ended {
        let mut headers = match self.headers(options, id, body, now) {
            Ok(headers) => headers,
            Err(error) => return Ended::Impossible(error.to_string()),
        };
        if let Some(shown) = shown {
            headers.insert(AUTHORIZATION, shown.clone());
        }
        if let Some(exchange) = &mut exchange {
            exchange.headers = logged::headers(&headers);
        }
        let request = http
            .client
            .request(options.method.clone(), body.url.as_ref().unwrap_or(&options.url).clone())
            .headers(headers)
            .body(body.octets.clone());
        let exchange = async {
            let mut answer = request.send().await?;
            if let Some(der) = answer.extensions().get().and_then(TlsInfo::peer_certificate) {
                self.certificate.shown(&options.name, der, now);
            }
            let status = answer.status().as_u16();
            if let Some(reason) = http.answered_by_proxy(&options.url, status) {
                return Ok(Ended::Failed(reason));
            }
            let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = asked.and_then(|value| policy::retry_after(value, now));
            let mut said = exchange.map(|exchange| logged::answer(exchange, &answer));
            let mut read = 0;
            while let Some(part) = answer.chunk().await? {
                if let Some(said) = &mut said {
                    said.body.extend_from_slice(&part[..part.len().min(ANSWER_READ - read)]);
                }
                read += part.len();
                if read > ANSWER_READ {
                    break;
                }
            }
            Ok(Ended::Answered { status, retry_after })
        };
        exchange.await.unwrap_or_else(|error: reqwest::Error| Ended::Failed(http.describe(&error)))
    }

    /// Whether requests carry `Authorization`.
    pub(super) fn shows_who_asks(&self) -> bool {
        self.authorizer.shows()
    }

    /// The headers of a request, but for `Authorization`.
    pub(super) fn headers(
        &self,
        options: &EndpointOptions,
        id: &str,
        body: &Body,
        now: Timestamp,
    ) -> Result<HeaderMap, SignError> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(PRODUCT));
        headers.insert(CONTENT_TYPE, body.kind.clone());
        if let Some(encoding) = &body.encoding {
            headers.insert(CONTENT_ENCODING, encoding.clone());
        }
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(id).map_err(|_| SignError::Id(id.to_owned()))?);
        headers.extend(body.headers.iter().cloned());
        // The operator's own headers may replace these, never the signature.
        for (name, value) in &options.headers {
            headers.insert(name, value.clone());
        }
        if let Some(keyring) = &self.keyring {
            for (name, value) in keyring.current().sign(id, now, &body.octets)? {
                headers.insert(name, value);
            }
        }
        Ok(headers)
    }
}
