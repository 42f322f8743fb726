//! The connections to one endpoint: what is trusted, what is shown, and a client that is made anew when a certificate on
//! the disk has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, Identity, redirect};

use super::client::{ClientError, describe};
use super::options::{AuthOptions, EndpointOptions};
use super::resolve::Resolver;
use super::watched::Watched;

/// How long an idle connection is kept. Node's HTTP server closes idle connections after five seconds; a request sent
/// into a connection that is being closed fails and would wait for its retry.
const IDLE_KEPT: Duration = Duration::from_secs(4);

/// The client of one endpoint. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    options: Arc<EndpointOptions>,
    client: Arc<Watched<Client>>,
}

impl Connections {
    pub fn new(options: &EndpointOptions) -> Result<Self, ClientError> {
        let client = Watched::new(files(options), Instant::now(), || client(options))?;
        Ok(Self { options: Arc::new(options.clone()), client: Arc::new(client) })
    }

    /// The client to use now.
    pub fn current(&self) -> Client {
        self.client.current(Instant::now(), (&self.options.name, "certificates"), || client(&self.options))
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

fn client(options: &EndpointOptions) -> Result<Client, ClientError> {
    let mut http = Client::builder()
        .redirect(redirect::Policy::none())
        .dns_resolver(Resolver(Arc::clone(&options.egress)))
        .no_proxy()
        .pool_idle_timeout(IDLE_KEPT)
        .pool_max_idle_per_host(options.concurrency);
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
