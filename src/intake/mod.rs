//! The single writer: everything that changes state goes through here, in batches.
//!
//! The writer takes whatever has arrived while the last commit ran (it never waits to fill a batch), plans all of it over
//! one draft, commits that as one durable batch, and only then lets the acknowledgements go and rings the endpoints'
//! bells. Under load one batch is written while the next is planned ([`committer`]). When the store refuses, nobody is acknowledged and everything is tried again with what comes next; outcomes of
//! deliveries are kept until they can be written down. It stops when every sender of submissions is gone and it was told to.

mod command;
mod committer;
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
use crate::store::ahead::Ahead;
use crate::store::standing::Report;
use crate::store::{Batch, Durability, Store, StoreError, StoreOptions};
pub use command::Command;
use committer::{Committer, Finished, Job, MadeOf};
pub use deeds::Deed;
pub use health::{Health, Refusal};
pub use offer::{Judged, Rehearsed};
pub use plan::{Came, Planner, Route};
use plan::{Plan, Sealed};
use replay::Rows;
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

/// How long packets come first between two pieces of what is forgotten: with pieces of [`PIECE`](crate::store::history::PIECE)
/// events a history that became too long shrinks by some 20,000 events a second, faster than any site takes in.
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
        committer: Committer::start(Arc::clone(&store))?,
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
    /// Nothing but [`Writer::take_in`] goes on while a batch of it is under way.
    committer: Committer,
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
        let landed = self.committer.finished().clone();
        loop {
            self.health.turn();
            let mut submissions = Vec::new();
            select! {
                recv(submitted) -> submission => submissions.extend(submission),
                recv(reported) -> report => self.unwritten.extend(report),
                recv(landed) -> finished => {
                    self.committer.landed();
                    finished.into_iter().for_each(|finished| self.finished(finished));
                }
                recv(commanded) -> command => {
                    self.land();
                    match command {
                        Ok(Command::Stop) | Err(_) => break,
                        Ok(command) => self.obey(command, submitted, reported),
                    }
                }
                recv(housekeeping) -> _ => {
                    self.land();
                    self.forget_overdue();
                    self.try_again();
                    tending = self.tend();
                    forgetting = self.forget_events();
                }
                recv(tending) -> _ => {
                    self.land();
                    tending = self.tend();
                }
                recv(forgetting) -> _ => {
                    self.land();
                    forgetting = self.forget_events();
                }
            }
            self.take_in(submissions, submitted, reported);
        }
        // Sources have stopped by now; what they submitted last is still acknowledged.
        while !submitted.is_empty() || !reported.is_empty() {
            self.take_in(Vec::new(), submitted, reported);
        }
        self.land();
        self.committer.stop();
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
        let mut made_of = MadeOf { submissions, reports: std::mem::take(&mut self.unwritten) };
        if made_of.is_empty() {
            return;
        }
        let planned = match self.committer.under_way() {
            Some(layer) => self.plan(&made_of, &Ahead { store: &*self.store, layer: &layer }),
            None => self.plan(&made_of, &*self.store),
        };
        let planned = if self.land() {
            planned
        } else {
            // It was planned on what is not stored. What was reported then comes first.
            drop(planned);
            self.unwritten.append(&mut made_of.reports);
            made_of.reports = std::mem::take(&mut self.unwritten);
            self.plan(&made_of, &*self.store)
        };
        let (sealed, came) = match planned {
            Ok(planned) => planned,
            Err(error) => return self.finished(Finished::Refused { error, made_of }),
        };
        let is_lazy = made_of.submissions.iter().all(Submission::is_empty);
        let durability = if is_lazy { Durability::Lazy } else { Durability::Durable };
        let job = Job { sealed, durability, came, made_of };
        if durability == Durability::Durable && !submitted.is_empty() {
            self.committer.begin(job);
        } else {
            let finished = job.commit(&*self.store);
            self.finished(finished);
        }
    }

    /// Waits for the batch that is under way, if one is. Says whether what was planned on it holds.
    fn land(&mut self) -> bool {
        let Some(finished) = self.committer.wait() else { return true };
        let is_stored = matches!(finished, Finished::Stored { .. });
        self.finished(finished);
        is_stored
    }

    fn finished(&mut self, finished: Finished) {
        match finished {
            Finished::Stored { exchanges: true } => self.health.accepts(),
            Finished::Stored { exchanges: false } => {}
            Finished::Refused { error, made_of } => self.refused(&error, made_of),
        }
    }

    /// A batch was not stored: nobody is acknowledged, and outcomes are kept until they can be written down.
    fn refused(&mut self, error: &StoreError, made_of: MadeOf) {
        self.health.refuses(error, Timestamp::now());
        let has_exchanges = made_of.exchanges() > 0;
        let MadeOf { submissions, reports } = made_of;
        let mut reports = MadeOf { reports, ..MadeOf::default() };
        // Deliveries that were made should not be made again because new events find no room.
        if has_exchanges && let Ok((sealed, came)) = self.plan(&reports, &*self.store) {
            let job = Job { sealed, durability: Durability::Lazy, came, made_of: reports };
            reports = match job.commit(&*self.store) {
                Finished::Stored { .. } => MadeOf::default(),
                Finished::Refused { made_of, .. } => made_of,
            };
        }
        reports.reports.append(&mut self.unwritten);
        self.unwritten = reports.reports;
        for submission in submissions {
            let stored = if submission.is_empty() { Stored::Yes } else { Stored::No };
            (submission.done)(stored);
        }
    }

    /// Plans one batch: the exchanges of submissions, and what deliveries came to.
    fn plan(&self, made_of: &MadeOf, store: &dyn Store) -> Result<(Sealed, Vec<Came>), StoreError> {
        let now = Timestamp::now().as_millisecond();
        let mut plan = self.planner.plan(store);
        let mut came = Vec::new();
        for submission in &made_of.submissions {
            for exchange in submission.exchanges.iter() {
                came.push(self.planner.take_in(&mut plan, exchange, now)?);
            }
            for post in &submission.posts {
                came.push(self.planner.take_post(&mut plan, post, now)?);
            }
            submission.bookmarks.iter().for_each(|bookmark| self.planner.mark(&mut plan, bookmark));
        }
        for report in &made_of.reports {
            match report {
                Report::Begin(begin) => self.planner.begin(&mut plan, begin, now)?,
                Report::Outcome(outcome) => self.planner.settle(&mut plan, outcome, now)?,
                Report::Turn(turn) => self.planner.turn(&mut plan, turn, now)?,
            }
        }
        came.extend(std::mem::take(&mut plan.concluded).into_iter().map(Came::Event));
        Ok((self.planner.seal(plan), came))
    }

    fn forget_overdue(&mut self) {
        let mut plan = self.planner.plan(&*self.store);
        let planned = self.planner.forget_overdue(&mut plan, &*self.store, Timestamp::now().as_millisecond());
        if let Err(error) = planned.and_then(|()| self.commit_forgetting(plan)) {
            warn!(%error, "what is overdue could not be forgotten; tried again");
        }
    }

    /// Forgets a piece of the old events; answers with what becomes ready when the next is to be forgotten.
    fn forget_events(&mut self) -> Receiver<Instant> {
        let mut plan = self.planner.plan(&*self.store);
        let now = Timestamp::now().as_millisecond();
        let wanted = self.room.wanted(self.store.used(), self.options.max_size, Instant::now());
        let planned = self.planner.forget_events(&mut plan, &*self.store, &self.options, now, wanted);
        match planned.and_then(|forgot| self.commit_forgetting(plan).map(|()| forgot)) {
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

    fn commit_forgetting(&self, plan: Plan<'_>) -> Result<(), StoreError> {
        if !plan.is_empty() {
            let rung = plan.commit(&*self.store, Durability::Lazy)?;
            self.planner.ring(rung);
        }
        Ok(())
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
            if !plan.is_empty() {
                let rung = plan.commit(&*self.store, Durability::Lazy)?;
                self.planner.ring(rung);
                concluded.into_iter().for_each(|kind| count(Came::Event(kind), 1));
            }
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

fn count_all(came: Vec<Came>) {
    // Nearly all of a batch came to the same few things.
    let mut times: Vec<(Came, u64)> = Vec::new();
    for came in came {
        match times.iter_mut().find(|(known, _)| *known == came) {
            Some((_, times)) => *times += 1,
            None => times.push((came, 1)),
        }
    }
    times.into_iter().for_each(|(came, times)| count(came, times));
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
