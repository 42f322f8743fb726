//! One HTTP client per endpoint, and one attempt with it under one deadline.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use reqwest::{Certificate, Client, redirect};
use thiserror::Error;

use super::options::EndpointOptions;
use super::policy::{self, Ended};
use super::resolve::Resolver;
use super::sign::{SignError, Signer};
use crate::render::Rendered;

/// How much of an answer is read: enough to finish small answers, so that their connection can be used again. Whatever
/// sends more loses its connection.
const ANSWER_READ: usize = 16 * 1024;

/// How long an idle connection is kept. Node's HTTP server closes idle connections after five seconds; a request sent
/// into a connection that is being closed fails and would wait for its retry.
const IDLE_KEPT: Duration = Duration::from_secs(4);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Sends the requests of one endpoint.
#[derive(Debug, Clone)]
pub struct Sender {
    http: Client,
    signer: Option<Signer>,
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
        let mut http = Client::builder()
            .redirect(redirect::Policy::none())
            .dns_resolver(Resolver)
            .no_proxy()
            .pool_idle_timeout(IDLE_KEPT)
            .pool_max_idle_per_host(options.concurrency);
        if let Some(path) = &options.ca {
            let refuse = |what: String| ClientError::Ca { path: path.clone(), what };
            let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| refuse(describe(&error)))?;
            if authorities.is_empty() {
                return Err(refuse("holds no PEM certificate".to_owned()));
            }
            http = http.tls_certs_merge(authorities);
        }
        Ok(Self {
            http: http.build().map_err(|error| ClientError::Tls(describe(&error)))?,
            signer: options.signature.as_ref().map(Signer::new).transpose()?,
        })
    }

    /// Makes one attempt: signs, sends, and reads the answer, all within the endpoint's timeout.
    pub async fn attempt(&self, options: &EndpointOptions, id: &str, rendered: Rendered, now: Timestamp) -> Ended {
        let headers = match self.headers(options, id, &rendered, now) {
            Ok(headers) => headers,
            Err(error) => return Ended::Impossible(error.to_string()),
        };
        let request =
            self.http.request(options.method.clone(), options.url.clone()).headers(headers).body(rendered.body);
        let exchange = async {
            let mut answer = request.send().await.map_err(|error| describe(&error))?;
            let status = answer.status().as_u16();
            let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = asked.and_then(|value| policy::retry_after(value, now));
            let mut read = 0;
            while let Some(part) = answer.chunk().await.map_err(|error| describe(&error))? {
                read += part.len();
                if read > ANSWER_READ {
                    break;
                }
            }
            Ok(Ended::Answered { status, retry_after })
        };
        match tokio::time::timeout(options.timeout, exchange).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(reason)) => Ended::Failed(reason),
            Err(_) => Ended::Failed(format!("no complete answer within {:?}", options.timeout)),
        }
    }

    fn headers(
        &self,
        options: &EndpointOptions,
        id: &str,
        rendered: &Rendered,
        now: Timestamp,
    ) -> Result<HeaderMap, SignError> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("radhook/", env!("CARGO_PKG_VERSION"))));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(id).map_err(|_| SignError::Id(id.to_owned()))?);
        // The operator's own headers may replace these, never the signature.
        for (name, value) in &options.headers {
            headers.insert(name, value.clone());
        }
        if let Some(signer) = &self.signer {
            for (name, value) in signer.sign(id, now, &rendered.body)? {
                headers.insert(name, value);
            }
        }
        Ok(headers)
    }
}

/// An error with its causes, without the URL, which may hold a token and stands in the config anyway.
fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_connect() { "cannot connect".to_owned() } else { "request failed".to_owned() };
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Wrappers often repeat their cause, or only say that there is one.
        if !text.ends_with(&words) && words != "client error (Connect)" {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}
