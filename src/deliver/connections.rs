//! The connections to one endpoint: what is trusted, what is shown, what they go through, and a client that is made anew
//! when a certificate on the disk has changed, or the address behind a name may have.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::dns::Resolve;
use reqwest::{Certificate, Client, Identity, Proxy, Url, redirect};

use super::auth::basic;
use super::client::ClientError;
use super::failure;
use super::options::{AuthOptions, EndpointOptions, ProxyOptions};
use super::resolve::Resolver;
use super::watched::Watched;

/// How long an idle connection is kept. Node's HTTP server closes idle connections after five seconds; a request sent
/// into a connection that is being closed fails and would wait for its retry.
const IDLE_KEPT: Duration = Duration::from_secs(4);

/// How long connections to a name are used before the name is looked up again. A busy connection never ends by itself,
/// and a receiver that has moved is reached within the time that most names are given to live; a handshake every five
/// minutes is no burden to anybody.
const RENEWED: Duration = Duration::from_secs(5 * 60);

/// The share of the timeout within which a connection must be there. It is divided among the addresses of a name, so
/// that a silent one leaves time for the next; the rest is for the answer.
const CONNECTED_WITHIN: f64 = 0.75;

/// A dead HTTP/2 connection looks like a slow receiver and would take every request until the system gives it up. While
/// requests are under way it is asked so often for a sign of life, and given up after so long without one.
const ASKED_ALIVE: Duration = Duration::from_secs(5);

/// The connections to one endpoint. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    options: EndpointOptions,
    resolver: Arc<dyn Resolve>,
    proxy: Option<Arc<str>>,
    client: Watched<Client>,
}

/// A client, and what stands between it and the receiver.
#[derive(Debug, Clone)]
pub(super) struct Http {
    pub client: Client,
    /// The proxy's URL, without credentials.
    proxy: Option<Arc<str>>,
}

impl Connections {
    pub fn new(options: &EndpointOptions) -> Result<Self, ClientError> {
        Self::resolved_by(options, Arc::new(Resolver(Arc::clone(&options.egress))), Instant::now())
    }

    fn resolved_by(options: &EndpointOptions, resolver: Arc<dyn Resolve>, now: Instant) -> Result<Self, ClientError> {
        let proxy = options.proxy.as_ref().map(|proxy| &proxy.url);
        let mut watched = Watched::new(files(options), now, || client(options, &resolver))?;
        if has_name(options) {
            watched = watched.living(RENEWED);
        }
        Ok(Self(Arc::new(Shared {
            proxy: proxy.map(|url| url.as_str().trim_end_matches('/').into()),
            options: options.clone(),
            resolver,
            client: watched,
        })))
    }

    /// The client to use now.
    pub fn current(&self) -> Http {
        self.at(Instant::now())
    }

    /// The client to use at that time. It is made anew, now and then, when files have changed or the name may have: what is
    /// under way on the old one finishes there.
    fn at(&self, now: Instant) -> Http {
        let Shared { options, resolver, proxy, client: watched } = &*self.0;
        let client = watched.current(now, (&options.name, "certificates"), || client(options, resolver));
        Http { client, proxy: proxy.clone() }
    }
}

/// Whether what is connected to, the proxy or the receiver, has a name, which may come to mean another address.
fn has_name(options: &EndpointOptions) -> bool {
    options.proxy.as_ref().map_or(&options.url, |proxy| &proxy.url).domain().is_some()
}

impl Http {
    /// Why no answer came.
    pub fn describe(&self, error: &reqwest::Error) -> String {
        failure::describe(error, self.proxy.as_deref())
    }

    /// What a status says where it is the proxy's and not the receiver's.
    pub fn answered_by_proxy(&self, url: &Url, status: u16) -> Option<String> {
        let proxy = self.proxy.as_deref().filter(|_| url.scheme() == "http")?;
        failure::answered_by_proxy(status, proxy)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The files that may change.
fn files(options: &EndpointOptions) -> Vec<PathBuf> {
    let ours = match &options.auth {
        AuthOptions::Mtls { certificate, key } => vec![certificate, key],
        _ => Vec::new(),
    };
    options.ca.iter().chain(ours).cloned().collect()
}

fn client(options: &EndpointOptions, resolver: &Arc<dyn Resolve>) -> Result<Client, ClientError> {
    let describe = |error: &reqwest::Error| failure::describe(error, None);
    let mut http = Client::builder()
        .redirect(redirect::Policy::none())
        .dns_resolver(Arc::clone(resolver))
        // What the environment says of proxies is not heard: only the config decides where events go.
        .no_proxy()
        .tcp_nodelay(true)
        // Costs a copy of the receiver's certificate for each answer; not to be had through a tunnel.
        .tls_info(true)
        .connect_timeout(options.timeout.mul_f64(CONNECTED_WITHIN))
        .http2_keep_alive_interval(ASKED_ALIVE)
        .http2_keep_alive_timeout(ASKED_ALIVE)
        .pool_idle_timeout(IDLE_KEPT)
        .pool_max_idle_per_host(options.concurrency);
    if let Some(ProxyOptions { url, credentials }) = &options.proxy {
        let mut proxy = Proxy::all(url.clone()).map_err(|error| ClientError::Proxy(describe(&error)))?;
        if let Some(value) = credentials.as_ref().and_then(|(user, password)| basic(user, password)) {
            proxy = proxy.custom_http_auth(value);
        }
        http = http.proxy(proxy);
    }
    if options.tls13_only {
        http = http.tls_version_min(reqwest::tls::Version::TLS_1_3);
    }
    if let Some(path) = &options.ca {
        let refuse = |what: String| ClientError::Ca { path: path.clone(), what };
        let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
        let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| refuse(describe(&error)))?;
        if authorities.is_empty() {
            return Err(refuse("holds no PEM certificate".to_owned()));
        }
        http = http.tls_certs_merge(authorities);
    }
    if let AuthOptions::Mtls { certificate, key } = &options.auth {
        let read = |path: &Path| {
            let refuse = |what: String| ClientError::Certificate { path: path.to_owned(), what };
            std::fs::read(path).map_err(|error| refuse(error.to_string()))
        };
        let mut pem = read(key)?;
        pem.push(b'\n');
        pem.extend(read(certificate)?);
        let refuse = |what: String| ClientError::Certificate { path: certificate.clone(), what };
        http = http.identity(Identity::from_pem(&pem).map_err(|error| refuse(describe(&error)))?);
    }
    http.build().map_err(|error| ClientError::Tls(describe(&error)))
}

#[cfg(test)]
mod tests;
