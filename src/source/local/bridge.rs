//! From the tasks that answer HTTP to the writer: a bounded queue, and a thread that may wait for intake where a task must
//! not. What has arrived while intake was busy goes in as one submission.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::Sender;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::exchange::{Exchange, Post, Stored, Submission};
use crate::source::hand_in::hand_in;

/// Requests that wait for the thread. Beyond that they wait for their deadlines.
const WAITING: usize = 1_024;

/// Requests of one submission.
const AT_ONCE: usize = 256;

/// The thread's end.
pub struct Bridge {
    end: End,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// The tasks' end.
#[derive(Debug, Clone)]
pub struct End(mpsc::Sender<Option<Handed>>);

/// What one request brings.
#[derive(Debug, Default)]
pub struct Brought {
    /// What rlm_rest told.
    pub exchanges: Vec<Exchange>,
    /// What scripts told.
    pub posts: Vec<Post>,
}

#[derive(Debug)]
struct Handed {
    brought: Brought,
    answer: oneshot::Sender<Stored>,
}

/// Why a request's posts cannot be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unstored {
    /// They were not handed in: too many wait, or the daemon stops.
    Busy,
    /// The store refused them.
    Refused,
    /// Not known in time. They may be stored all the same.
    Late,
}

impl Bridge {
    /// Starts the thread.
    pub fn start(intake: Sender<Submission>) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("local".to_owned()).spawn(move || run(receiver, &intake, &stopped))?;
        Ok(Self { end: End(sender), stop, thread })
    }

    /// An end for tasks.
    pub fn end(&self) -> End {
        self.end.clone()
    }

    /// Ends the thread when it has handed in what waits.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // An error means that it has ended already.
        let _ = self.end.0.blocking_send(None);
        if self.thread.join().is_err() {
            tracing::error!("the thread of a local source has panicked");
        }
    }
}

impl End {
    /// Hands in, and returns when it is stored.
    pub async fn hand_in(&self, brought: Brought, deadline: Instant) -> Result<(), Unstored> {
        let (answer, stored) = oneshot::channel();
        let handed = self.0.send(Some(Handed { brought, answer }));
        match timeout_at(deadline, handed).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(Unstored::Busy),
        }
        match timeout_at(deadline, stored).await {
            Ok(Ok(Stored::Yes)) => Ok(()),
            // A submission that was dropped uncalled was not stored either.
            Ok(Ok(Stored::No) | Err(_)) => Err(Unstored::Refused),
            Err(_) => Err(Unstored::Late),
        }
    }
}

fn run(mut waiting: mpsc::Receiver<Option<Handed>>, intake: &Sender<Submission>, stop: &AtomicBool) {
    while let Some(Some(first)) = waiting.blocking_recv() {
        let mut all = vec![first];
        let mut last = false;
        while all.len() < AT_ONCE
            && let Ok(next) = waiting.try_recv()
        {
            match next {
                Some(handed) => all.push(handed),
                None => {
                    last = true;
                    break;
                }
            }
        }
        if !submit(all, intake, stop) || last {
            return;
        }
    }
}

/// Hands a batch to intake, waiting for it as long as need be. False when there is nothing more to do.
fn submit(all: Vec<Handed>, intake: &Sender<Submission>, stop: &AtomicBool) -> bool {
    let mut brought = Brought::default();
    let mut answers = Vec::with_capacity(all.len());
    for handed in all {
        brought.exchanges.extend(handed.brought.exchanges);
        brought.posts.extend(handed.brought.posts);
        answers.push(handed.answer);
    }
    let submission = Submission {
        exchanges: Arc::new(brought.exchanges),
        posts: brought.posts,
        bookmarks: Vec::new(),
        // Whoever waited may have given up.
        done: Box::new(move |stored| {
            answers.into_iter().for_each(|answer| {
                let _ = answer.send(stored);
            })
        }),
    };
    hand_in(intake, submission, || stop.load(Ordering::Relaxed)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn what_waits_for_a_busy_intake_shares_a_submission_and_each_gets_its_answer() {
        // Room for one submission: the next waits until that is taken.
        let (sender, intake) = crossbeam_channel::bounded::<Submission>(1);
        let bridge = Bridge::start(sender).unwrap();
        let end = bridge.end();
        let begun = Arc::new(AtomicUsize::new(0));
        let requests: Vec<_> = (0..100)
            .map(|_| {
                let (end, begun) = (end.clone(), Arc::clone(&begun));
                tokio::spawn(async move {
                    begun.fetch_add(1, Ordering::Relaxed);
                    end.hand_in(Brought::default(), soon()).await
                })
            })
            .collect();
        // On one thread: whoever has begun has handed in. The runtime may come back here before all of them have.
        while begun.load(Ordering::Relaxed) < requests.len() {
            tokio::task::yield_now().await;
        }
        let writer = std::thread::spawn(move || {
            let mut submissions = 0;
            for submission in intake {
                submissions += 1;
                (submission.done)(if submissions == 1 { Stored::No } else { Stored::Yes });
            }
            submissions
        });
        let mut refused = 0;
        for request in requests {
            match request.await.unwrap() {
                Ok(()) => {}
                Err(Unstored::Refused) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        tokio::task::spawn_blocking(move || bridge.stop()).await.unwrap();
        // One in the channel, one that waits for room there, and all the rest.
        let submissions = writer.join().unwrap();
        assert!(submissions <= 3, "{submissions}");
        assert!(refused > 0);
    }

    #[tokio::test]
    async fn nobody_waits_beyond_the_deadline() {
        let (sender, intake) = crossbeam_channel::bounded::<Submission>(1);
        let bridge = Bridge::start(sender).unwrap();
        let end = bridge.end();
        let now = Instant::now();
        assert_eq!(end.hand_in(Brought::default(), now).await, Err(Unstored::Late), "it was handed in");
        drop(intake);
        tokio::task::spawn_blocking(move || bridge.stop()).await.unwrap();
        assert_eq!(end.hand_in(Brought::default(), soon()).await, Err(Unstored::Busy), "nobody takes it any more");
    }
}
