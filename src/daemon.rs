//! The daemon: builds every room from the config, joins them, and takes them down again in order.
//!
//! Up: relays, which pass packets on whatever comes of the rest; store, writer, delivery, admin API, sources; only then is
//! it ready. Down: sources first, so that nothing new comes in; then delivery, which may finish what is under way for
//! `GRACE`; then the writer, which writes down what is left; then the store; and the relays last. Whatever was not finished is on disk and goes on at the next start.

mod deliveries;
mod reload;
mod sources;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use self::deliveries::{House, Prepared, Task};
use crate::admin::reload::Reload;
use crate::admin::{self, Admin, api};
use crate::config::{Config, DictionaryOptions};
use crate::deliver::client::ClientError;
use crate::directory::{self, Directory, Watching};
use crate::intake::{self, Command, Health, Intake, Planner};
use crate::listen::{Address, Bound};
use crate::priority::{self, behind_radius};
use crate::radius::dictionary::{Dictionary, DictionaryError};
use crate::source::relay::Relay;
use crate::source::{Inlet, Running, SourceError};
use crate::store::bell::Bell;
use crate::store::durable::DurableStore;
use crate::store::{Store, StoreError};

/// How long requests under way may take to finish at a stop. systemd's own patience is 90 seconds; the default timeout
/// of an endpoint is 10.
const GRACE: Duration = Duration::from_secs(10);

/// How often what was measured is summed up: a busy endpoint's attempts of so long take a megabyte or two.
const SUMMED_UP_EVERY: Duration = Duration::from_secs(5);

/// Threads that serve the connections of receivers that do not answer: so many may flood before others that do not answer yet
/// have to wait for them. They are behind all other threads and have next to nothing to do where nobody floods.
const ASIDE: usize = 4;

/// Why the daemon does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store does not open. Its files are untouched.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// A dictionary file cannot be used.
    #[error("dictionary: {0}")]
    Dictionary(#[from] DictionaryError),
    /// An endpoint's client cannot be made.
    #[error("endpoint {endpoint}: {source}")]
    Endpoint {
        /// Its name.
        endpoint: String,
        /// What is wrong.
        source: ClientError,
    },
    /// A source cannot start.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The admin API cannot listen.
    #[error("admin address {address}: {source}")]
    Admin {
        /// The address.
        address: Address,
        /// What the system said.
        source: std::io::Error,
    },
    /// The writer does not answer.
    #[error("the writer has ended")]
    Writer,
    /// The system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running daemon.
pub struct Daemon {
    runtime: Runtime,
    /// Where connections are served of receivers that may keep their thread busy.
    aside: Runtime,
    front: Front,
    sources: Vec<Box<dyn Running>>,
    intake: Intake,
    writer: JoinHandle<()>,
    writer_ended: Option<oneshot::Receiver<()>>,
    house: House,
    /// The deliveries, in the order of the config.
    tasks: Vec<Task>,
    /// The same, as the admin API sees them.
    endpoints: Arc<admin::Endpoints>,
    reloads: Option<mpsc::Receiver<Reload>>,
    admins: JoinSet<()>,
    /// Looks at the file of users until it is dropped.
    _users: Option<Watching>,
    stop_admin: watch::Sender<bool>,
    store: Arc<DurableStore>,
    addresses: Addresses,
}

/// The relays of a config, which pass packets on from the moment they are opened until this is dropped, though nobody may
/// be watching: they wait neither for the store nor for anything else of the house.
#[derive(Default)]
pub struct Front(Vec<Relay>);

impl Front {
    /// Opens them.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        Ok(Self(sources::relays(&config.sources)?))
    }

    /// Whether the config has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where they listen.
    pub fn addresses(&self) -> Addresses {
        let mut addresses = Addresses::default();
        for relay in &self.0 {
            let listen =
                relay.local_addrs().iter().map(|address| (Arc::clone(relay.name()), "relay", address.to_string()));
            addresses.sources.extend(listen);
        }
        addresses
    }
}

/// Where a daemon listens: a port of 0 in the config has become a real one.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// The sources: name, type, and where each listens or what it reads.
    pub sources: Vec<(Arc<str>, &'static str, String)>,
    /// The admin API: `unix:/path` or `ip:port`.
    pub admin: Vec<String>,
}

impl Daemon {
    /// Starts everything. After an error nothing is left running. `metrics` renders what the process counts.
    pub fn start(config: &Config, metrics: Option<PrometheusHandle>) -> Result<Self, StartError> {
        let front = Front::open(config)?;
        let daemon = Self::start_behind(&front, config, metrics)?;
        Ok(daemon.with(front))
    }

    /// Starts everything behind relays that pass packets on already, and go on whatever comes of this. After an error
    /// nothing else is left running.
    pub fn start_behind(front: &Front, config: &Config, metrics: Option<PrometheusHandle>) -> Result<Self, StartError> {
        let dictionary = dictionary(&config.dictionary)?;
        let prepared = config.endpoints.iter().map(Prepared::new).collect::<Result<Vec<_>, _>>()?;
        let store = Arc::new(DurableStore::open(&config.store)?);
        let table: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;

        let directory = config.users.as_ref().map(|users| Arc::new(Directory::new(users)));
        let routes = prepared.iter().map(Prepared::route).collect();
        let planner = Planner::new(Arc::clone(&config.node), routes, &*table)?
            .with(config.sessions.clone())
            .enriched(config.enrichment.clone(), directory.clone());
        let ids: Vec<_> = config.endpoints.iter().filter_map(|endpoint| planner.id(&endpoint.delivery.name)).collect();

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("deliver")
            .on_thread_start(behind_radius)
            .build()?;
        let aside = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(ASIDE)
            .thread_name("deliver-aside")
            .on_thread_start(priority::last)
            .build()?;
        let mut bound = Vec::new();
        for address in &config.admin.listen {
            let listener = runtime.block_on(Bound::bind(address));
            bound.push(listener.map_err(|source| StartError::Admin { address: address.clone(), source })?);
        }

        let file = config.users.as_ref().and_then(|users| users.file.clone());
        let watching = match (file, &directory) {
            (Some(file), Some(directory)) => Some(directory::file::watch(file, Arc::clone(directory))?),
            _ => None,
        };
        let (writer_ends, writer_ended) = oneshot::channel();
        let (intake, writer) = intake::start(Arc::clone(&table), planner, config.store.clone(), writer_ends)?;
        let house = House {
            node: Arc::clone(&config.node),
            store: Arc::clone(&table),
            reports: intake.reports.clone(),
            directory: directory.clone(),
            runtime: runtime.handle().clone(),
            aside: aside.handle().clone(),
        };
        let (reloads, reloads_wanted) = mpsc::channel(1);
        let mut daemon = Self {
            runtime,
            aside,
            front: Front::default(),
            sources: Vec::new(),
            intake: intake.clone(),
            writer,
            writer_ended: Some(writer_ended),
            house,
            tasks: Vec::new(),
            endpoints: Arc::default(),
            reloads: Some(reloads_wanted),
            admins: JoinSet::new(),
            _users: watching,
            stop_admin: watch::Sender::new(false),
            store,
            addresses: Addresses::default(),
        };

        daemon.tasks = prepared.into_iter().zip(ids).map(|(prepared, id)| prepared.start(id, &daemon.house)).collect();
        daemon.endpoints.exchange(daemon.tasks.iter().map(|task| task.known().clone()));

        let inlet = Inlet {
            clients: Arc::new(config.clients.clone()),
            dictionary,
            submissions: intake.submissions.clone(),
            readiness: intake.health.readiness(),
        };
        let mut remarks = Vec::new();
        for options in &config.sources {
            let started = sources::start(options, &inlet, &*table, daemon.runtime.handle(), &front.0);
            match started {
                Ok(source) => {
                    let place = |place| (Arc::clone(options.name()), options.kind(), place);
                    daemon.addresses.sources.extend(source.places().into_iter().map(place));
                    remarks.push((Arc::clone(options.name()), source.remarks()));
                    daemon.sources.push(source);
                }
                Err(error) => {
                    daemon.stop();
                    return Err(error);
                }
            }
        }
        // Only the sources hold intake's end from here on.
        drop(inlet);

        if let Some(metrics) = metrics.clone() {
            daemon.runtime.spawn(sum_up(metrics));
        }
        let state = Arc::new(Admin {
            node: Arc::clone(&config.node),
            started_at: Timestamp::now(),
            store: Arc::clone(&daemon.store),
            store_max_size: config.store.max_size,
            intake,
            sources: daemon.addresses.sources.clone(),
            remarks,
            endpoints: Arc::clone(&daemon.endpoints),
            aside: daemon.aside.handle().clone(),
            reloads,
            directory,
            metrics,
            token: config.admin.token.clone(),
        });
        for listener in bound {
            daemon.addresses.admin.extend(listener.address().ok());
            let (state, stop) = (Arc::clone(&state), daemon.stop_admin.subscribe());
            let serve = async move {
                let router = api::router(state, listener.is_tcp());
                if let Err(error) = listener.serve(router, stop).await {
                    error!(%error, "the admin API ended");
                }
            };
            daemon.admins.spawn_on(serve, daemon.runtime.handle());
        }
        Ok(daemon)
    }

    /// Takes the relays over: they end when everything else has.
    pub fn with(self, front: Front) -> Self {
        Self { front, ..self }
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The runtime on which delivery runs, for waiting on signals.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// How the writer is.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.intake.health)
    }

    /// Becomes ready when the writer has ended, which before a stop it must not: nothing is acknowledged from then on.
    pub fn writer_ended(&mut self) -> Option<oneshot::Receiver<()>> {
        self.writer_ended.take()
    }

    /// Operators' wishes that the config be read again. Whoever runs the daemon takes them.
    pub fn reloads(&mut self) -> Option<mpsc::Receiver<Reload>> {
        self.reloads.take()
    }

    /// Takes everything down, in order. Says whether all went well.
    pub fn stop(mut self) -> bool {
        self.sources.drain(..).for_each(Running::stop);
        self.stop_admin.send_replace(true);
        deliveries::end(std::mem::take(&mut self.tasks), &self.runtime);
        // A writer that is gone has closed the channel; joining tells.
        let _ = self.intake.commands.send(Command::Stop);
        let mut well = self.writer.join().is_ok();
        // Admin connections that are kept alive may stay open for as long as their other end likes.
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        self.aside.shutdown_background();
        if let Err(error) = self.store.close() {
            error!(%error, "the store could not be closed cleanly; nothing is lost, the next start replays its journal");
            well = false;
        }
        // Until here they have passed packets on. What was under way is asked again.
        self.front.0.clear();
        info!("stopped");
        well
    }
}

/// Sums up what was measured, whether or not anybody asks: the recorder keeps every single value until then.
async fn sum_up(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(SUMMED_UP_EVERY).await;
        metrics.run_upkeep();
    }
}

/// What plans for the endpoints of a config, whose bells stand in the same order.
pub fn planner(config: &Config, bells: &[Arc<Bell>], store: &dyn Store) -> Result<Planner, StoreError> {
    let routes = config.endpoints.iter().zip(bells).map(|(endpoint, bell)| deliveries::route(endpoint, bell));
    let directory = config.users.as_ref().map(|users| Arc::new(Directory::new(users)));
    let planner = Planner::new(Arc::clone(&config.node), routes.collect(), store)?;
    Ok(planner.with(config.sessions.clone()).enriched(config.enrichment.clone(), directory))
}

/// The dictionaries of the config, the later ones on top of the earlier. What they say that radhook does not understand
/// is logged, and no reason to stay down.
pub fn dictionary(options: &DictionaryOptions) -> Result<Arc<Dictionary>, DictionaryError> {
    if options.shipped && options.files.is_empty() {
        return Ok(Dictionary::shipped());
    }
    let (dictionary, warnings) = Dictionary::load(options.shipped, &options.files)?;
    warnings.iter().for_each(|warning| warn!("dictionary: {warning}"));
    Ok(Arc::new(dictionary))
}
