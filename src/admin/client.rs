//! The other end of the API: what the command line asks the daemon with.

use std::error::Error;
use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::runtime::Runtime;

use super::options::AdminOptions;
use crate::listen::Address;

/// The daemon answers from memory and in pages; one that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Speaks to a running daemon.
pub struct AdminClient {
    runtime: Runtime,
    http: Client,
    base: String,
    address: Address,
    token: Option<String>,
}

/// Why the daemon did not do as asked.
#[derive(Debug, Error)]
pub enum AdminError {
    /// Nobody answers there.
    #[error("the daemon does not answer on {address}: {what}")]
    Unreachable {
        /// Where it should.
        address: Address,
        /// What happened instead.
        what: String,
    },
    /// It answered that it cannot.
    #[error("{0}")]
    Refused(String),
    /// It answered something that this radhook does not understand.
    #[error("the daemon's answer cannot be read: {0}")]
    Unreadable(String),
}

impl AdminClient {
    /// A client for the daemon of this config, on its Unix socket if it has one.
    pub fn new(options: &AdminOptions) -> anyhow::Result<Self> {
        let address = options
            .listen
            .iter()
            .find(|address| matches!(address, Address::Unix(_)))
            .or(options.listen.first())
            .ok_or_else(|| anyhow::anyhow!("the config has no admin address"))?
            .clone();
        let token = options.token.as_ref().map(|token| String::from_utf8_lossy(token.expose()).into_owned());
        Self::to(address, token)
    }

    /// A client for what the daemon answers at this address.
    pub fn to(address: Address, token: Option<String>) -> anyhow::Result<Self> {
        let mut http = Client::builder().no_proxy();
        let base = match &address {
            Address::Unix(path) => {
                http = http.unix_socket(path.clone());
                "http://localhost".to_owned()
            }
            Address::Tcp(address) => format!("http://{address}"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, http: http.build()?, base, address, token })
    }

    /// Reads.
    pub fn get<Q: Serialize, A: DeserializeOwned>(&self, path: &str, query: &Q) -> Result<A, AdminError> {
        let query = query_string(query)?;
        self.call(Method::GET, &format!("{path}{query}"), None, PATIENCE)
    }

    /// Asks for a deed.
    pub fn post<B: Serialize, A: DeserializeOwned>(&self, path: &str, body: &B) -> Result<A, AdminError> {
        self.post_within(PATIENCE, path, body)
    }

    /// Asks for a deed that may take so long.
    pub fn post_within<B: Serialize, A: DeserializeOwned>(
        &self,
        patience: Duration,
        path: &str,
        body: &B,
    ) -> Result<A, AdminError> {
        let body = serde_json::to_vec(body).map_err(|error| AdminError::Unreadable(error.to_string()))?;
        self.call(Method::POST, path, Some(body), patience)
    }

    fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        patience: Duration,
    ) -> Result<A, AdminError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).timeout(patience);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
            read(answer).await
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> AdminError {
        let mut root: &dyn Error = error;
        while let Some(cause) = root.source() {
            root = cause;
        }
        AdminError::Unreachable { address: self.address.clone(), what: root.to_string() }
    }
}

async fn read<A: DeserializeOwned>(answer: Response) -> Result<A, AdminError> {
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| AdminError::Unreadable(error.to_string()))?;
    if !status.is_success() {
        let said = serde_json::from_slice::<serde_json::Value>(&body).ok();
        let said = said.as_ref().and_then(|said| said["error"].as_str()).map(str::to_owned);
        return Err(AdminError::Refused(said.unwrap_or_else(|| format!("the daemon answered {status}"))));
    }
    serde_json::from_slice(&body).map_err(|error| AdminError::Unreadable(error.to_string()))
}

/// `?a=b&c=d` of a flat struct, or nothing.
fn query_string<Q: Serialize>(query: &Q) -> Result<String, AdminError> {
    let value = serde_json::to_value(query).map_err(|error| AdminError::Unreadable(error.to_string()))?;
    let mut url = reqwest::Url::parse("http://localhost/").expect("a constant URL");
    for (key, value) in value.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        url.query_pairs_mut().append_pair(key, &text);
    }
    Ok(url.query().map(|query| format!("?{query}")).unwrap_or_default())
}
