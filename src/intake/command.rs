//! What the writer can be asked besides taking things in.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use jiff::Timestamp;

use super::plan::Came;
use super::replay::{Replayed, Rows};
use super::{Deed, Judged, Route, Writer, count_all};
use crate::event::EventType;
use crate::exchange::Submission;
use crate::store::records::{EndpointId, EventNumber};
use crate::store::standing::Report;
use crate::store::{Durability, StoreError};

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

impl Writer {
    /// Does what is asked. Whoever asked may have gone; the deed is done all the same.
    pub(super) fn obey(&mut self, command: Command, submitted: &Receiver<Submission>, reported: &Receiver<Report>) {
        match command {
            Command::Revive { endpoint, events, answer } => {
                let _ = answer.send(self.revive(&endpoint, &events));
            }
            Command::Replay { endpoint, events, begins, rehearse, answer } => {
                let _ = answer.send(self.replay(&endpoint, &events, begins, rehearse));
            }
            Command::Turn { endpoint, disabled, answer } => {
                let _ = answer.send(self.turn(&endpoint, disabled));
            }
            Command::Drop { endpoint, answer } => {
                let _ = answer.send(self.drop_endpoint(&endpoint));
            }
            Command::Judge { kind, event, answer } => {
                let now = Timestamp::now().as_millisecond();
                let _ = answer.send(self.planner.judge(&*self.store, kind, event, now));
            }
            Command::Route { routes, answer } => {
                while !reported.is_empty() {
                    self.take_in(Vec::new(), submitted, reported);
                }
                self.land();
                let _ = answer.send(self.reroute(routes));
            }
            Command::Sessions { deed, answer } => {
                let _ = answer.send(self.does(&deed));
            }
            // The writer ends by it.
            Command::Stop => {}
        }
    }

    fn revive(&self, endpoint: &str, events: &[EventNumber]) -> Result<usize, StoreError> {
        let mut plan = self.planner.plan(&*self.store);
        let revived = self.planner.revive(&mut plan, endpoint, events, Timestamp::now().as_millisecond())?;
        let rung = plan.commit(&*self.store, Durability::Durable)?;
        self.planner.ring(rung);
        Ok(revived)
    }

    fn replay(
        &mut self,
        endpoint: &str,
        events: &[EventNumber],
        begins: bool,
        rehearse: bool,
    ) -> Result<Option<Replayed>, StoreError> {
        if begins {
            self.rows = Rows::default();
        }
        let now = Timestamp::now().as_millisecond();
        let mut plan = self.planner.plan(&*self.store);
        let replayed = self.planner.replay(&mut plan, &mut self.rows, endpoint, events, rehearse, now)?;
        if !plan.is_empty() {
            let rung = plan.commit(&*self.store, Durability::Durable)?;
            self.planner.ring(rung);
        }
        Ok(replayed)
    }

    /// An operator enables or disables an endpoint. Says whether it stood otherwise before.
    fn turn(&self, endpoint: &str, disabled: Option<String>) -> Result<Option<bool>, StoreError> {
        let now = Timestamp::now().as_millisecond();
        let Some(turn) = self.planner.turned_by_hand(&*self.store, endpoint, disabled, now)? else { return Ok(None) };
        let Some(turn) = turn else { return Ok(Some(false)) };
        let mut plan = self.planner.plan(&*self.store);
        self.planner.turn(&mut plan, &turn, now)?;
        let mut rung = plan.commit(&*self.store, Durability::Durable)?;
        self.planner.heed(&mut rung, turn.endpoint);
        self.planner.ring(rung);
        Ok(Some(true))
    }

    fn reroute(&mut self, routes: Vec<Route>) -> Result<Vec<EndpointId>, StoreError> {
        let names: Vec<_> = routes.iter().map(|route| Arc::clone(&route.name)).collect();
        self.planner.reroute(routes, &*self.store)?;
        Ok(names.iter().filter_map(|name| self.planner.id(name)).collect())
    }

    /// Forgets an endpoint piece by piece, so that the writer's other work only waits for a piece.
    fn drop_endpoint(&mut self, endpoint: &str) -> Result<Option<usize>, StoreError> {
        let mut dropped = 0;
        loop {
            // However many there are, each piece shows that it goes on.
            self.health.turn();
            let mut plan = self.planner.plan(&*self.store);
            let Some(piece) = self.planner.drop_piece(&mut plan, &*self.store, endpoint)? else { return Ok(None) };
            if !plan.is_empty() {
                plan.commit(&*self.store, Durability::Durable)?;
            }
            dropped += piece.dropped;
            if piece.was_last {
                self.planner.dropped(endpoint);
                return Ok(Some(dropped));
            }
        }
    }

    fn does(&self, deed: &Deed) -> Result<usize, StoreError> {
        let mut plan = self.planner.plan(&*self.store);
        let done = self.planner.does(&mut plan, deed, Timestamp::now().as_millisecond())?;
        let concluded = std::mem::take(&mut plan.concluded);
        if !plan.is_empty() {
            let rung = plan.commit(&*self.store, Durability::Durable)?;
            self.planner.ring(rung);
            count_all(concluded.into_iter().map(Came::Event).collect());
        }
        Ok(done)
    }
}
