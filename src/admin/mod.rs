//! The admin API: how operators and their tools see and steer the daemon.
//!
//! Everything is read from the store and from the rooms' own views; the only thing that writes is the writer, asked
//! through its commands. On the Unix socket the file's permissions decide who may speak, on TCP the token.

pub mod api;
pub mod client;
pub mod deliveries;
pub mod endpoints;
pub mod events;
pub mod exchange;
pub mod explain;
pub mod options;
pub mod reload;
pub mod scrape;
pub mod selection;
pub mod sessions;
pub mod status;
pub mod trial;

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use self::reload::Reload;
use crate::deliver::client::Sender;
use crate::deliver::options::EndpointOptions;
use crate::deliver::view::View;
use crate::directory::Directory;
use crate::intake::Intake;
use crate::secret::Secret;
use crate::source::Remarks;
use crate::store::DurableStore;
use crate::store::bell::Bell;
use crate::store::records::EndpointId;

/// What the API speaks for.
pub struct Admin {
    /// This radhook's name.
    pub node: Arc<str>,
    /// When it started.
    pub started_at: Timestamp,
    /// The store, for reading.
    pub store: Arc<DurableStore>,
    /// `store.max_size`, in bytes.
    pub store_max_size: u64,
    /// The writer.
    pub intake: Intake,
    /// Where packets come in: source name, type and address.
    pub sources: Vec<(Arc<str>, &'static str, String)>,
    /// What is to be said of each source.
    pub remarks: Vec<(Arc<str>, Remarks)>,
    /// The configured endpoints.
    pub endpoints: Arc<Endpoints>,
    /// Where the connections of test deliveries are served.
    pub aside: Handle,
    /// Whoever reads the config again.
    pub reloads: mpsc::Sender<Reload>,
    /// What is known of users, where events may lack it.
    pub directory: Option<Arc<Directory>>,
    /// What the process counts; `None` where nobody asked for it.
    pub metrics: Option<PrometheusHandle>,
    /// What requests over TCP must carry.
    pub token: Option<Secret>,
}

/// The configured endpoints, of which a reload makes others.
#[derive(Default)]
pub struct Endpoints(RwLock<Arc<[Endpoint]>>);

impl Endpoints {
    /// Those of this moment, in the order of the config.
    pub fn now(&self) -> Arc<[Endpoint]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From here on it is these.
    pub fn exchange(&self, endpoints: impl Iterator<Item = Endpoint>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = endpoints.collect();
    }
}

/// A configured endpoint.
#[derive(Clone)]
pub struct Endpoint {
    /// Its number.
    pub id: EndpointId,
    /// What was configured.
    pub options: Arc<EndpointOptions>,
    /// How it does.
    pub view: Arc<View>,
    /// Wakes its delivery.
    pub bell: Arc<Bell>,
    /// Signs as its delivery does.
    pub sender: Sender,
}
