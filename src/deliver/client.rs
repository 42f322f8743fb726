//! One HTTP client per endpoint, and one attempt with it under one deadline.

use std::path::PathBuf;
use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use reqwest::tls::TlsInfo;
use thiserror::Error;

use super::auth::Authorizer;
use super::body::Body;
use super::certificate::Certificate;
use super::connections::{Connections, Http};
use super::options::EndpointOptions;
use super::policy::{self, Ended};
use super::sign::{SignError, Signer};
use crate::render::Rendered;

/// How much of an answer is read: enough to finish small answers, so that their connection can be used again. Whatever
/// sends more loses its connection.
const ANSWER_READ: usize = 16 * 1024;

/// RFC 9110 §15.5.2.
const UNAUTHORIZED: u16 = 401;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Stands in `User-Agent`.
pub(super) const PRODUCT: &str = concat!("radhook/", env!("CARGO_PKG_VERSION"));

/// Sends the requests of one endpoint.
#[derive(Debug, Clone)]
pub struct Sender {
    http: Connections,
    signer: Option<Signer>,
    authorizer: Authorizer,
    certificate: Arc<Certificate>,
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
    /// The TLS library refused, for example because the system has no root certificates.
    #[error("TLS: {0}")]
    Tls(String),
}

impl Sender {
    /// The client of an endpoint, with its connections, its trust and its keys.
    pub fn new(options: &EndpointOptions) -> Result<Self, ClientError> {
        Ok(Self {
            http: Connections::new(options)?,
            signer: options.signature.as_ref().map(Signer::new).transpose()?,
            authorizer: Authorizer::new(&options.auth),
            certificate: Arc::default(),
        })
    }

    /// What the receiver shows who it is by.
    pub fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.certificate)
    }

    /// Makes one attempt: shows who asks, signs, sends, and reads the answer, all within the endpoint's timeout. A token
    /// that the receiver no longer takes is fetched anew and tried once more.
    pub async fn attempt(&self, options: &EndpointOptions, id: &str, rendered: Rendered, now: Timestamp) -> Ended {
        // Made once: a second request of the attempt sends, and signs, the same octets.
        let (body, kind) = (Body::of(rendered.body, options.compression), rendered.content_type);
        let both = async {
            let http = self.http.current();
            let shown = match self.authorizer.header(&http).await {
                Ok(shown) => shown,
                Err(error) => return Ended::Failed(error.to_string()),
            };
            let first = self.request(&http, options, id, (&body, kind), shown.as_ref(), now).await;
            let refused = matches!(first, Ended::Answered { status: UNAUTHORIZED, .. });
            if !refused || !self.authorizer.refused(shown.as_ref()).await {
                return first;
            }
            match self.authorizer.header(&http).await {
                Ok(fresh) => self.request(&http, options, id, (&body, kind), fresh.as_ref(), now).await,
                Err(error) => Ended::Failed(error.to_string()),
            }
        };
        match tokio::time::timeout(options.timeout, both).await {
            Ok(ended) => ended,
            Err(_) => Ended::Failed(format!("no complete answer within {:?}", options.timeout)),
        }
    }

    async fn request(
        &self,
        http: &Http,
        options: &EndpointOptions,
        id: &str,
        (body, kind): (&Body, &'static str),
        shown: Option<&HeaderValue>,
        now: Timestamp,
    ) -> Ended {
        let mut headers = match self.headers(options, id, (body, kind), now) {
            Ok(headers) => headers,
            Err(error) => return Ended::Impossible(error.to_string()),
        };
        if let Some(shown) = shown {
            headers.insert(AUTHORIZATION, shown.clone());
        }
        let request =
            http.client.request(options.method.clone(), options.url.clone()).headers(headers).body(body.octets.clone());
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
            let mut read = 0;
            while let Some(part) = answer.chunk().await? {
                read += part.len();
                if read > ANSWER_READ {
                    break;
                }
            }
            Ok(Ended::Answered { status, retry_after })
        };
        exchange.await.unwrap_or_else(|error: reqwest::Error| Ended::Failed(http.describe(&error)))
    }

    fn headers(
        &self,
        options: &EndpointOptions,
        id: &str,
        (body, kind): (&Body, &'static str),
        now: Timestamp,
    ) -> Result<HeaderMap, SignError> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(PRODUCT));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(encoding) = &body.encoding {
            headers.insert(CONTENT_ENCODING, encoding.clone());
        }
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(id).map_err(|_| SignError::Id(id.to_owned()))?);
        // The operator's own headers may replace these, never the signature.
        for (name, value) in &options.headers {
            headers.insert(name, value.clone());
        }
        if let Some(signer) = &self.signer {
            for (name, value) in signer.sign(id, now, &body.octets)? {
                headers.insert(name, value);
            }
        }
        Ok(headers)
    }
}
