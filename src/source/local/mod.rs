//! `[[source]] type = "local"`: takes posts from this host over HTTP. FreeRADIUS's rlm_rest posts accounting and
//! logins, scripts post events of their own.
//!
//! ```text
//! http ─▶ guard: who may post ─▶ freeradius: what rlm_rest says ─┐
//!                            └─▶ events: what scripts say ───────┴▶ bridge ─▶ intake ─▶ answered when stored
//! ```
//!
//! Every request has a deadline, and all bodies under way together have a limit; beyond either the answer is 503, and
//! whoever posted keeps what they have. Logins are the exception: rlm_rest turns every answer but 2xx into a reject, so
//! they are answered 204 whatever happened, and what was not stored is counted and logged.

mod bridge;
mod events;
mod freeradius;
mod guard;
mod http;
mod problem;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Inlet, LocalOptions, Running, SourceError};
use crate::listen::Bound;
use bridge::Bridge;
use http::Local;

/// How long requests under way may take to finish at a stop. What is whole is stored within milliseconds; while radhook
/// waits for one that is not, it answers no NAS either.
const GRACE: Duration = Duration::from_secs(1);

/// A running local source.
struct LocalSource {
    places: Vec<String>,
    servers: JoinSet<()>,
    stop: watch::Sender<bool>,
    bridge: Bridge,
    runtime: Handle,
}

/// Binds all addresses, then takes posts on the runtime until stopped.
pub fn start(options: &LocalOptions, inlet: &Inlet, runtime: &Handle) -> Result<Box<dyn Running>, SourceError> {
    let name = || Arc::clone(&options.name);
    let mut bound = Vec::new();
    for address in &options.listen {
        let listen = |error| SourceError::Http { name: name(), address: address.clone(), error };
        let listener = runtime.block_on(Bound::bind(address)).map_err(listen)?;
        bound.push((listener.address().map_err(listen)?, listener));
    }
    let bridge =
        Bridge::start(inlet.submissions.clone()).map_err(|error| SourceError::Thread { name: name(), error })?;
    let local = Arc::new(Local::new(name(), inlet, bridge.end()));
    let mut source = LocalSource {
        places: Vec::new(),
        servers: JoinSet::new(),
        stop: watch::Sender::new(false),
        bridge,
        runtime: runtime.clone(),
    };
    for (place, listener) in bound {
        source.places.push(place);
        let (stop, name) = (source.stop.subscribe(), name());
        let router = http::router(Arc::clone(&local), listener.is_tcp());
        let serve = async move {
            if let Err(error) = listener.serve(router, stop).await {
                tracing::error!(source = &*name, %error, "no more posts are taken");
            }
        };
        source.servers.spawn_on(serve, runtime);
    }
    Ok(Box::new(source))
}

impl Running for LocalSource {
    fn places(&self) -> Vec<String> {
        self.places.clone()
    }

    /// Takes no more connections; requests under way are answered, or dropped after [`GRACE`].
    fn stop(mut self: Box<Self>) {
        self.stop.send_replace(true);
        let finished = async { while self.servers.join_next().await.is_some() {} };
        // Whoever is still sending when the time is over has not finished a request.
        let _ = self.runtime.block_on(async { timeout(GRACE, finished).await });
        self.bridge.stop();
    }
}
