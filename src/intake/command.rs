//! What the writer can be asked besides taking things in.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::replay::Replayed;
use super::{Deed, Judged, Route};
use crate::event::EventType;
use crate::store::StoreError;
use crate::store::records::{EndpointId, EventNumber};

/// What an operator, or the daemon itself, asks of the writer.
pub enum Command {
    /// Send these deliveries of an endpoint now: dead letters come back, waiting ones become due.
    Revive {
        /// The endpoint's name.
        endpoint: Arc<str>,
        /// The events.
        events: Vec<EventNumber>,
        /// Gets how many there were.
        answer: Sender<Result<usize, StoreError>>,
    },
    /// Queue events of the history for an endpoint once more.
    Replay {
        /// The endpoint's name.
        endpoint: Arc<str>,
        /// The events, in the order of their numbers.
        events: Vec<EventNumber>,
        /// It is the first page, so that no row of an earlier replay goes on.
        begins: bool,
        /// Only counts.
        rehearse: bool,
        /// Gets what came of it; `None` where no such endpoint is configured.
        answer: Sender<Result<Option<Replayed>, StoreError>>,
    },
    /// Change how an endpoint stands: enable or disable it.
    Turn {
        /// The endpoint's name.
        endpoint: Arc<str>,
        /// Why it is disabled, in words; `None` enables it.
        disabled: Option<String>,
        /// Gets whether that changed anything; `None` where there is no such endpoint.
        answer: Sender<Result<Option<bool>, StoreError>>,
    },
    /// Forget an endpoint that is not configured any more, with all its deliveries.
    Drop {
        /// The endpoint's name.
        endpoint: Arc<str>,
        /// Gets how many deliveries there were; `None` where there is no such endpoint, or it is configured.
        answer: Sender<Result<Option<usize>, StoreError>>,
    },
    /// Say for each endpoint whether it wants an event, and why not. Nothing is changed.
    Judge {
        /// Its type.
        kind: EventType,
        /// It, in the format `native`.
        event: serde_json::Value,
        /// Gets what is decided.
        answer: Sender<Result<Vec<Judged>, StoreError>>,
    },
    /// Configure other endpoints. What was reported before is written down first, so that nobody who begins afterwards takes
    /// out of a queue what was delivered from it.
    Route {
        /// All that are configured from here on.
        routes: Vec<Route>,
        /// Gets their numbers, in that order.
        answer: Sender<Result<Vec<EndpointId>, StoreError>>,
    },
    /// Do something to sessions, a bounded number of them.
    Sessions {
        /// What.
        deed: Deed,
        /// Gets how many were concerned: sessions that were closed, deliveries that are not made.
        answer: Sender<Result<usize, StoreError>>,
    },
    /// Finish what has been submitted, write it down, and end.
    Stop,
}
