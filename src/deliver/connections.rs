//! The connections to one endpoint: what is trusted, what is shown, and a client that is made anew when a certificate on
//! the disk has changed.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqwest::{Certificate, Client, Identity, redirect};
use tracing::{info, warn};

use super::client::{ClientError, describe};
use super::options::{AuthOptions, EndpointOptions};
use super::resolve::Resolver;

/// How long an idle connection is kept. Node's HTTP server closes idle connections after five seconds; a request sent
/// into a connection that is being closed fails and would wait for its retry.
const IDLE_KEPT: Duration = Duration::from_secs(4);

/// How often the files are looked at: whoever renews a certificate leaves more time than that before the old one ends.
const LOOKED_AT: Duration = Duration::from_secs(10);

/// The client of one endpoint. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    fixed: Client,
    /// Only where there are files that may change.
    renewed: Option<Arc<Renewed>>,
}

#[derive(Debug)]
struct Renewed {
    options: EndpointOptions,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    client: Client,
    stamp: Stamp,
    looked_at: Instant,
}

/// Size and time of change of each file.
type Stamp = Vec<Option<(u64, SystemTime)>>;

impl Connections {
    pub fn new(options: &EndpointOptions) -> Result<Self, ClientError> {
        let stamp = stamp(options);
        let fixed = client(options)?;
        let renewed = (!stamp.is_empty()).then(|| {
            let state = Mutex::new(State { client: fixed.clone(), stamp, looked_at: Instant::now() });
            Arc::new(Renewed { options: options.clone(), state })
        });
        Ok(Self { fixed, renewed })
    }

    /// The client to use now. Files that have changed are read again, now and then; while they cannot be used, the client
    /// stays what it was.
    pub fn current(&self) -> Client {
        let Some(renewed) = &self.renewed else { return self.fixed.clone() };
        let mut state = renewed.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() >= LOOKED_AT {
            state.looked_at = Instant::now();
            let stamp = stamp(&renewed.options);
            if stamp != state.stamp {
                state.stamp = stamp;
                let endpoint = &*renewed.options.name;
                match client(&renewed.options) {
                    Ok(client) => {
                        info!(endpoint, "certificates have changed and are used from now on");
                        state.client = client;
                    }
                    Err(error) => {
                        warn!(endpoint, %error, "certificates have changed and cannot be used; the old ones stay")
                    }
                }
            }
        }
        state.client.clone()
    }
}

fn stamp(options: &EndpointOptions) -> Stamp {
    let ours = match &options.auth {
        AuthOptions::Mtls { certificate, key } => vec![certificate, key],
        _ => Vec::new(),
    };
    let of = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    };
    options.ca.iter().chain(ours).map(|path| of(path)).collect()
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
