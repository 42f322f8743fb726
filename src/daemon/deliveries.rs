//! Endpoints' deliveries: a task each, started and ended while everything else goes on.

use std::sync::Arc;

use crossbeam_channel::Sender as Channel;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::error;

use super::{GRACE, StartError};
use crate::admin;
use crate::config::Endpoint;
use crate::deliver::client::Sender;
use crate::deliver::endpoint::{Delivery, Meters};
use crate::deliver::options::Order;
use crate::deliver::view::View;
use crate::directory::Directory;
use crate::intake::Route;
use crate::store::Store;
use crate::store::bell::Bell;
use crate::store::records::EndpointId;
use crate::store::standing::Report;

/// What every delivery needs of the house.
#[derive(Clone)]
pub(super) struct House {
    /// This radhook's name.
    pub(super) node: Arc<str>,
    /// The store, for reading.
    pub(super) store: Arc<dyn Store>,
    /// To the writer.
    pub(super) reports: Channel<Report>,
    /// What is known of users, where events may lack it.
    pub(super) directory: Option<Arc<Directory>>,
    /// Where tasks run.
    pub(super) runtime: Handle,
    /// Where connections are served of receivers that may keep their thread busy.
    pub(super) aside: Handle,
}

/// An endpoint that can be delivered to, and is not yet.
pub(super) struct Prepared {
    endpoint: Endpoint,
    sender: Sender,
    bell: Arc<Bell>,
}

/// An endpoint that is delivered to.
pub(super) struct Task {
    endpoint: Endpoint,
    known: admin::Endpoint,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

impl Prepared {
    /// Makes its client.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, StartError> {
        let name = || endpoint.delivery.name.to_string();
        let sender =
            Sender::new(&endpoint.delivery).map_err(|source| StartError::Endpoint { endpoint: name(), source })?;
        Ok(Self { endpoint: endpoint.clone(), sender, bell: Arc::default() })
    }

    /// What the writer has to know of it.
    pub(super) fn route(&self) -> Route {
        route(&self.endpoint, &self.bell)
    }

    /// Begins to deliver.
    pub(super) fn start(self, id: EndpointId, house: &House) -> Task {
        let Self { endpoint, sender, bell } = self;
        let (options, view) = (Arc::new(endpoint.delivery.clone()), Arc::new(View::of(sender.certificate())));
        let known = admin::Endpoint {
            id,
            options: Arc::clone(&options),
            view: Arc::clone(&view),
            bell: Arc::clone(&bell),
            sender: sender.clone(),
        };
        let House { node, store, reports, directory, runtime, aside } = house.clone();
        let meters = Meters::of(&options.name);
        let delivery = Delivery { options, id, node, store, bell, reports, directory, view, meters, sender, aside };
        let (stop, stopped) = watch::channel(false);
        let ended = runtime.spawn(delivery.run(stopped, GRACE));
        Task { endpoint, known, stop, ended }
    }
}

impl Task {
    /// What was configured.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What operators see of it.
    pub(super) fn known(&self) -> &admin::Endpoint {
        &self.known
    }

    /// What the writer has to know of it.
    pub(super) fn route(&self) -> Route {
        route(&self.endpoint, &self.known.bell)
    }
}

/// Ends deliveries, all at once: what is under way may finish for [`GRACE`], the rest waits in the store.
pub(super) fn end(tasks: Vec<Task>, runtime: &Runtime) {
    for task in &tasks {
        task.stop.send_replace(true);
    }
    runtime.block_on(async {
        for task in tasks {
            if let Err(error) = task.ended.await {
                error!(endpoint = %task.endpoint.delivery.name, %error, "its delivery ended by a mistake of radhook's");
            }
        }
    });
}

/// What the writer has to know of an endpoint.
pub(super) fn route(endpoint: &Endpoint, bell: &Arc<Bell>) -> Route {
    Route {
        name: Arc::clone(&endpoint.delivery.name),
        interest: endpoint.interest.clone(),
        format: endpoint.delivery.format,
        coalesces_updates: endpoint.coalesces_updates,
        in_session_order: endpoint.delivery.order == Order::Session,
        bell: Arc::clone(bell),
    }
}
