//! The single writer: everything that changes state goes through here, in batches.
//!
//! The writer takes whatever has arrived while the last commit ran (it never waits to fill a batch), plans all of it over
//! one draft, commits that as one durable batch, and only then lets the acknowledgements go and rings the endpoints'
//! bells. When the store refuses, nobody is acknowledged and everything is tried again with what comes next; outcomes of
//! deliveries are kept until they can be written down. It stops when every sender of submissions is gone and it was told to.

mod command;
mod count;
mod deeds;
mod enrich;
pub mod health;
mod house;
mod logins;
mod offer;
mod once;
mod overdue;
pub mod plan;
pub mod replay;
mod room;
mod sessions;
mod tend;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ::metrics::counter;
use crossbeam_channel::{Receiver, Sender, after, bounded, never, select, tick, unbounded};
use jiff::Timestamp;
use tokio::sync::oneshot;
use tracing::warn;

use crate::exchange::{Stored, Submission};
use crate::metrics;
use crate::session::{Meaningless, Untold};
use crate::store::bell::Rung;
use crate::store::records::{EndpointId, EventNumber};
use crate::store::standing::Report;
use crate::store::{Batch, Durability, Store, StoreError, StoreOptions};
pub use command::Command;
pub use deeds::Deed;
pub use health::{Health, Refusal};
pub use offer::{Judged, Rehearsed};
use plan::Plan;
pub use plan::{Came, Planner, Route};
use replay::{Replayed, Rows};
use room::Room;

/// Submissions that wait for the writer. Each holds at most one receive batch of its source; beyond that sources wait,
/// and the kernel's socket buffer, then the NAS's own retransmission, is the queue.
const SUBMISSIONS_WAITING: usize = 256;

/// Exchanges planned into one commit. A batch of this size takes some tens of milliseconds on a slow machine: the
/// longest that an acknowledgement waits for others.
const EXCHANGES_AT_ONCE: usize = 4_096;

/// Deliveries whose reports are planned into one commit, beside the exchanges.
const REPORTS_AT_ONCE: usize = 4_096;

/// How often old events, sessions and what else is overdue are looked through, and outcomes that could not be written are tried again.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How long packets come first between two pieces of what is done to sessions without a packet: with pieces of 250 a NAS of
/// 100,000 sessions is told to be gone in about half a minute.
const BETWEEN_PIECES: Duration = Duration::from_millis(20);

/// How long packets come first between two pieces of what is forgotten. A piece of [`PIECE`](crate::store::history::PIECE) events every so
/// often is more than any site takes in.
const BETWEEN_FORGOTTEN: Duration = Duration::from_millis(5);

/// What is written on trial while the store refuses: about as much as a busy second's first batch, so that a store with
/// room for next to nothing is not called ready.
const TRIAL_BYTES: usize = 64 * 1024;

/// Where it is written, and at once deleted.
const TRIAL_KEY: &[u8] = b"Mtrial";

/// The writer's ends: what the rest of the house holds.
#[derive(Clone)]
pub struct Intake {
    /// For sources.
    pub submissions: Sender<Submission>,
    /// For delivery. Unbounded, but never longer than what all endpoints together have in hand, since delivery holds a
    /// delivery back until its outcome was committed.
    pub reports: Sender<Report>,
    /// For operators.
    pub commands: Sender<Command>,
    /// Whether the store accepts.
    pub health: Arc<Health>,
}

/// Starts the writer's thread.
///
/// `ends` is dropped when the thread ends, for whatever reason: without a stop, that is the end of the service.
pub fn start(
    store: Arc<dyn Store>,
    planner: Planner,
    options: StoreOptions,
    ends: oneshot::Sender<()>,
) -> std::io::Result<(Intake, JoinHandle<()>)> {
    let (submissions, submitted) = bounded(SUBMISSIONS_WAITING);
    let (reports, reported) = unbounded();
    let (commands, commanded) = bounded(16);
    let health = Arc::new(Health::default());
    let writer = Writer {
        store,
        planner,
        options,
        unwritten: Vec::new(),
        health: Arc::clone(&health),
        room: Room::default(),
        rows: Rows::default(),
    };
    let thread = thread::Builder::new().name("writer".to_owned()).spawn(move || {
        let _ends = ends;
        writer.run(&submitted, &reported, &commanded);
    })?;
    Ok((Intake { submissions, reports, commands, health }, thread))
}

struct Writer {
    store: Arc<dyn Store>,
    planner: Planner,
    options: StoreOptions,
    /// Reports whose commit failed.
    unwritten: Vec<Report>,
    health: Arc<Health>,
    room: Room,
    /// Of the replay that goes on.
    rows: Rows,
}

impl Writer {
    fn run(mut self, submitted: &Receiver<Submission>, reported: &Receiver<Report>, commanded: &Receiver<Command>) {
        let housekeeping = tick(HOUSEKEEPING);
        self.planner.awake_since = Timestamp::now().as_millisecond();
        // What is left to do of either goes in pieces, with room for what comes in between them.
        let (mut tending, mut forgetting) = (never(), never());
        loop {
            self.health.turn();
            let mut submissions = Vec::new();
            let mut housekeeping_is_due = false;
            select! {
                recv(submitted) -> submission => submissions.extend(submission),
                recv(reported) -> report => self.unwritten.extend(report),
                recv(commanded) -> command => match command {
                    Ok(Command::Revive { endpoint, events, answer }) => {
                        // Whoever asked may have gone; the deed is done all the same.
                        let _ = answer.send(self.revive(&endpoint, &events));
                    }
                    Ok(Command::Replay { endpoint, events, begins, rehearse, answer }) => {
                        let _ = answer.send(self.replay(&endpoint, &events, begins, rehearse));
                    }
                    Ok(Command::Turn { endpoint, disabled, answer }) => {
                        let _ = answer.send(self.turn(&endpoint, disabled));
                    }
                    Ok(Command::Drop { endpoint, answer }) => {
                        let _ = answer.send(self.drop_endpoint(&endpoint));
                    }
                    Ok(Command::Judge { kind, event, answer }) => {
                        let now = Timestamp::now().as_millisecond();
                        let _ = answer.send(self.planner.judge(&*self.store, kind, event, now));
                    }
                    Ok(Command::Route { routes, answer }) => {
                        while !reported.is_empty() {
                            self.take_in(Vec::new(), submitted, reported);
                        }
                        let _ = answer.send(self.reroute(routes));
                    }
                    Ok(Command::Sessions { deed, answer }) => {
                        let _ = answer.send(self.does(&deed));
                    }
                    Ok(Command::Stop) | Err(_) => break,
                },
                recv(housekeeping) -> _ => housekeeping_is_due = true,
                recv(tending) -> _ => tending = self.tend(),
                recv(forgetting) -> _ => forgetting = self.forget_events(),
            }
            self.take_in(submissions, submitted, reported);
            if housekeeping_is_due {
                self.forget_overdue();
                self.try_again();
                tending = self.tend();
                forgetting = self.forget_events();
            }
        }
        // Sources have stopped by now; what they submitted last is still acknowledged.
        while !submitted.is_empty() || !reported.is_empty() {
            self.take_in(Vec::new(), submitted, reported);
        }
    }

    /// Commits what has arrived, then tells everybody concerned.
    fn take_in(
        &mut self,
        mut submissions: Vec<Submission>,
        submitted: &Receiver<Submission>,
        reported: &Receiver<Report>,
    ) {
        let mut exchanges: usize = submissions.iter().map(Submission::len).sum();
        while exchanges < EXCHANGES_AT_ONCE
            && let Ok(submission) = submitted.try_recv()
        {
            exchanges += submission.len();
            submissions.push(submission);
        }
        let mut reports: usize = self.unwritten.iter().map(Report::deliveries).sum();
        while reports < REPORTS_AT_ONCE
            && let Ok(report) = reported.try_recv()
        {
            reports += report.deliveries();
            self.unwritten.push(report);
        }
        if submissions.is_empty() && self.unwritten.is_empty() {
            return;
        }
        let committed = match self.commit(&submissions) {
            Ok(committed) => {
                self.unwritten.clear();
                if exchanges > 0 {
                    self.health.accepts();
                }
                Some(committed)
            }
            Err(error) => {
                self.health.refuses(&error, Timestamp::now());
                // Deliveries that were made should not be made again because new events find no room.
                if exchanges > 0
                    && let Ok(committed) = self.commit(&[])
                {
                    self.unwritten.clear();
                    self.planner.ring(committed.rung);
                }
                None
            }
        };
        let stored = if committed.is_some() { Stored::Yes } else { Stored::No };
        // The NAS waits, the receivers do not: acknowledgements go first.
        for submission in submissions {
            let nothing_to_store = submission.is_empty();
            (submission.done)(if nothing_to_store { Stored::Yes } else { stored });
        }
        if let Some(committed) = committed {
            self.planner.ring(committed.rung);
            // Nearly all of a batch came to the same few things.
            let mut times: Vec<(Came, u64)> = Vec::new();
            for came in committed.came {
                match times.iter_mut().find(|(known, _)| *known == came) {
                    Some((_, times)) => *times += 1,
                    None => times.push((came, 1)),
                }
            }
            times.into_iter().for_each(|(came, times)| count(came, times));
        }
    }

    /// One batch: the submissions' exchanges and the outcomes at hand.
    fn commit(&self, submissions: &[Submission]) -> Result<Committed, StoreError> {
        let now = Timestamp::now().as_millisecond();
        let store = &*self.store;
        let mut plan = self.planner.plan(store);
        let mut came = Vec::new();
        for submission in submissions {
            for exchange in submission.exchanges.iter() {
                came.push(self.planner.take_in(&mut plan, exchange, now)?);
            }
            for post in &submission.posts {
                came.push(self.planner.take_post(&mut plan, post, now)?);
            }
            submission.bookmarks.iter().for_each(|bookmark| self.planner.mark(&mut plan, bookmark));
        }
        for report in &self.unwritten {
            match report {
                Report::Begin(begin) => self.planner.begin(&mut plan, begin, now)?,
                Report::Outcome(outcome) => self.planner.settle(&mut plan, outcome, now)?,
                Report::Turn(turn) => self.planner.turn(&mut plan, turn, now)?,
            }
        }
        let durability =
            if submissions.iter().all(Submission::is_empty) { Durability::Lazy } else { Durability::Durable };
        let concluded = std::mem::take(&mut plan.concluded);
        let rung = plan.commit(store, durability)?;
        came.extend(concluded.into_iter().map(Came::Event));
        Ok(Committed { rung, came })
    }

    fn revive(&self, endpoint: &str, events: &[EventNumber]) -> Result<usize, StoreError> {
        let mut plan = self.planner.plan(&*self.store);
        let revived = self.planner.revive(&mut plan, endpoint, events, Timestamp::now().as_millisecond())?;
        self.write_down(plan, Durability::Durable)?;
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
        self.write_down(plan, Durability::Durable)?;
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
            self.write_down(plan, Durability::Durable)?;
            dropped += piece.dropped;
            if piece.was_last {
                self.planner.dropped(endpoint);
                return Ok(Some(dropped));
            }
        }
    }

    fn forget_overdue(&mut self) {
        let mut plan = self.planner.plan(&*self.store);
        let planned = self.planner.forget_overdue(&mut plan, &*self.store, Timestamp::now().as_millisecond());
        if let Err(error) = planned.and_then(|()| self.write_down(plan, Durability::Lazy)) {
            warn!(%error, "what is overdue could not be forgotten; tried again");
        }
    }

    /// Forgets a piece of the old events; answers with what becomes ready when the next is to be forgotten.
    fn forget_events(&mut self) -> Receiver<Instant> {
        let mut plan = self.planner.plan(&*self.store);
        let now = Timestamp::now().as_millisecond();
        let wanted = self.room.wanted(self.store.used(), self.options.max_size, Instant::now());
        let planned = self.planner.forget_events(&mut plan, &*self.store, &self.options, now, wanted);
        match planned.and_then(|forgot| self.write_down(plan, Durability::Lazy).map(|()| forgot)) {
            Ok(forgot) => {
                self.room.gave_back(forgot.given_back, Instant::now());
                if forgot.more { after(BETWEEN_FORGOTTEN) } else { never() }
            }
            Err(error) => {
                warn!(%error, "old events could not be forgotten; tried again");
                never()
            }
        }
    }

    /// Commits a plan that nobody is acknowledged by, and rings.
    fn write_down(&self, plan: Plan<'_>, durability: Durability) -> Result<(), StoreError> {
        let rung = plan.commit(&*self.store, durability)?;
        self.planner.ring(rung);
        Ok(())
    }

    fn does(&self, deed: &Deed) -> Result<usize, StoreError> {
        let mut plan = self.planner.plan(&*self.store);
        let done = self.planner.does(&mut plan, deed, Timestamp::now().as_millisecond())?;
        let concluded = std::mem::take(&mut plan.concluded);
        self.write_down(plan, Durability::Durable)?;
        concluded.into_iter().for_each(|kind| count(Came::Event(kind), 1));
        Ok(done)
    }

    /// Looks after sessions of which no packet tells, a piece; answers with what becomes ready when the next is to be done.
    fn tend(&mut self) -> Receiver<Instant> {
        let now = Timestamp::now().as_millisecond();
        // Nobody is heard while nothing is stored, so that nobody is silent.
        if self.health.refusal().is_some() {
            self.planner.awake_since = now;
            return never();
        }
        let mut plan = self.planner.plan(&*self.store);
        let tended = self.planner.tend(&mut plan, &*self.store, now).and_then(|more| {
            let concluded = std::mem::take(&mut plan.concluded);
            self.write_down(plan, Durability::Lazy)?;
            concluded.into_iter().for_each(|kind| count(Came::Event(kind), 1));
            Ok(more)
        });
        match tended {
            Ok(true) => after(BETWEEN_PIECES),
            Ok(false) => never(),
            Err(error) => {
                warn!(%error, "sessions could not be looked after; tried again");
                never()
            }
        }
    }

    /// While the store refuses: finds out whether it still does, also when nobody sends anything, for whoever looks at
    /// readiness before sending would wait for ever.
    fn try_again(&self) {
        if self.health.refusal().is_none() {
            return;
        }
        let mut trial = Batch::default();
        trial.put(TRIAL_KEY, vec![0; TRIAL_BYTES]);
        trial.delete(TRIAL_KEY);
        match self.store.commit(&trial, Durability::Durable) {
            Ok(()) => self.health.accepts(),
            Err(error) => self.health.refuses(&error, Timestamp::now()),
        }
    }
}

/// What a commit leaves to be told.
struct Committed {
    rung: Vec<Rung>,
    came: Vec<Came>,
}

fn count(came: Came, times: u64) {
    match came {
        Came::Event(kind) => counter!(metrics::EVENTS, "type" => kind.name()).increment(times),
        Came::Repeat => counter!(metrics::EXCHANGES_WITHOUT_EVENT, "reason" => "repeat").increment(times),
        Came::Untold(why) => {
            let reason = match why {
                Untold::Late => "late",
                Untold::AfterStop => "after_stop",
            };
            counter!(metrics::EXCHANGES_WITHOUT_EVENT, "reason" => reason).increment(times);
        }
        Came::Meaningless(why) => {
            let reason = match why {
                Meaningless::Status => "status_type",
                Meaningless::SessionId => "no_session_id",
                Meaningless::Reply => "reply",
            };
            counter!(metrics::EXCHANGES_WITHOUT_EVENT, "reason" => reason).increment(times);
        }
    }
}

#[cfg(test)]
mod tests;
