//! Batches on their way into the store. While one is being written, on a thread of its own, the writer plans the next one on what
//! it will have left ([`crate::store::ahead`]), so that cores and disk are at work together. Where nothing waits to be planned a batch is
//! committed by the writer itself: a way through another thread would only cost time.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::count_all;
use super::plan::{Came, Sealed};
use crate::exchange::{Stored, Submission};
use crate::store::ahead::Layer;
use crate::store::standing::Report;
use crate::store::{Durability, Store, StoreError};

/// A batch, and whom to tell of it.
pub(super) struct Job {
    /// What was planned.
    pub sealed: Sealed,
    /// How far it must have come before anybody is told.
    pub durability: Durability,
    /// What came of the exchanges, for the metrics.
    pub came: Vec<Came>,
    /// What it was made of.
    pub made_of: MadeOf,
}

/// What a batch is made of.
#[derive(Default)]
pub(super) struct MadeOf {
    /// What is to be acknowledged.
    pub submissions: Vec<Submission>,
    /// What deliveries came to.
    pub reports: Vec<Report>,
}

/// What became of a batch.
pub(super) enum Finished {
    /// It is stored, and everybody was told. Whether exchanges were among it.
    Stored { exchanges: bool },
    /// It is not, and nobody was told.
    Refused { error: StoreError, made_of: MadeOf },
}

impl MadeOf {
    /// Exchanges and posts.
    pub fn exchanges(&self) -> usize {
        self.submissions.iter().map(Submission::len).sum()
    }

    /// Whether it holds nothing at all.
    pub fn is_empty(&self) -> bool {
        self.submissions.is_empty() && self.reports.is_empty()
    }
}

impl Job {
    /// Commits the batch, then tells everybody concerned.
    pub fn commit(self, store: &dyn Store) -> Finished {
        let Self { sealed, durability, came, made_of } = self;
        let batch = sealed.layer.batch();
        if let Err(error) = if batch.is_empty() { Ok(()) } else { store.commit(batch, durability) } {
            return Finished::Refused { error, made_of };
        }
        let exchanges = made_of.exchanges() > 0;
        // The NAS waits, the receivers do not: acknowledgements go first.
        made_of.submissions.into_iter().for_each(|submission| (submission.done)(Stored::Yes));
        sealed.ring();
        count_all(came);
        Finished::Stored { exchanges }
    }
}

/// The thread that writes one batch while the next is planned.
pub(super) struct Committer {
    jobs: Sender<Job>,
    finished: Receiver<Finished>,
    under_way: Option<Arc<Layer>>,
    thread: JoinHandle<()>,
}

impl Committer {
    pub fn start(store: Arc<dyn Store>) -> std::io::Result<Self> {
        let (jobs, taken) = bounded::<Job>(1);
        let (finish, finished) = bounded(1);
        let thread = thread::Builder::new().name("committer".to_owned()).spawn(move || {
            for job in taken {
                if finish.send(job.commit(&*store)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { jobs, finished, under_way: None, thread })
    }

    /// What is being written.
    pub fn under_way(&self) -> Option<Arc<Layer>> {
        self.under_way.clone()
    }

    /// Lets a batch be written. There is none under way.
    pub fn begin(&mut self, job: Job) {
        self.under_way = Some(Arc::clone(&job.sealed.layer));
        self.jobs.send(job).expect("the committer takes jobs for as long as it is not told to stop");
    }

    /// Becomes ready when what is under way is finished. Whoever takes that says so by [`Committer::landed`].
    pub fn finished(&self) -> &Receiver<Finished> {
        &self.finished
    }

    /// What was under way is finished.
    pub fn landed(&mut self) {
        self.under_way = None;
    }

    /// Waits for what is under way.
    pub fn wait(&mut self) -> Option<Finished> {
        self.under_way.take().map(|_| self.finished.recv().expect("the committer answers each job"))
    }

    /// Ends the thread; nothing is under way any more.
    pub fn stop(self) {
        drop(self.jobs);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}
