//! Who is asked for: answers are kept for a while, several that ask for the same person share one question, and only so many
//! are under way. While the database rests nobody waits.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::metrics::{counter, gauge};
use hashlink::LruCache;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::{info, warn};

use super::connect::{AskError, Connections};
use super::rest::{May, Rest};
use super::row;
use super::statement::Statement;
use super::{Key, SqlOptions};
use crate::metrics;

/// Questions under way at once, each with a connection: a small server is asked by others, too.
const AT_ONCE: usize = 8;

/// Questions under way or waiting for that. Beyond it nobody is asked for: they would wait longer than for the timeout.
const MOST_WAITING: usize = 1_024;

/// How often it is said that questions are refused.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What is known of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::directory) enum Answer {
    /// A JSON object.
    Facts(Arc<str>),
    /// Nothing: there is no row, or it says nothing.
    Nobody,
    /// The database has not answered.
    Missing,
}

/// Asks the database.
pub(in crate::directory) struct Lookups {
    connections: Connections,
    statement: Statement,
    ttl: Duration,
    timeout: Duration,
    permits: Semaphore,
    state: Mutex<State>,
}

struct State {
    kept: LruCache<Key, (Answer, Instant)>,
    under_way: HashMap<Key, watch::Receiver<Option<Answer>>>,
    rest: Rest,
    /// Refusals since it was last said, and when that was.
    refused: u64,
    said_at: Option<Instant>,
    /// Columns about which something was said.
    remarked: BTreeSet<String>,
}

impl Lookups {
    pub fn new(options: &SqlOptions) -> Self {
        gauge!(metrics::USERS_DATABASE_UP).set(1.0);
        Self {
            connections: Connections::new(options.address.clone()),
            statement: options.statement.clone(),
            ttl: options.cache_ttl,
            timeout: options.timeout,
            permits: Semaphore::new(AT_ONCE),
            state: Mutex::new(State {
                kept: LruCache::new(options.cache_size),
                under_way: HashMap::new(),
                rest: Rest::default(),
                refused: 0,
                said_at: None,
                remarked: BTreeSet::new(),
            }),
        }
    }

    /// The query.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// How long an answer is waited for.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is kept of somebody; `None` where they would have to be asked for.
    pub fn kept(&self, key: &Key) -> Option<Answer> {
        self.state().kept(key, Instant::now())
    }

    /// Looks somebody up. The question goes on when nobody waits for it any more, so that its answer is kept.
    pub async fn ask(self: &Arc<Self>, key: Key) -> Answer {
        let Some(mut asked) = self.begin(key) else { return Answer::Missing };
        let answer = match asked.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone(),
            Err(_) => None,
        };
        answer.unwrap_or(Answer::Missing)
    }

    /// The question, new or under way; `None` where it is not to be waited for.
    fn begin(self: &Arc<Self>, key: Key) -> Option<watch::Receiver<Option<Answer>>> {
        let now = Instant::now();
        let mut state = self.state();
        if let Some(answer) = state.kept(&key, now) {
            return Some(watch::channel(Some(answer)).1);
        }
        if state.rest.rests() {
            if state.rest.may(now, self.timeout) == May::FindOut {
                drop(self.spawn(&mut state, key, true));
            }
            return None;
        }
        // One whose task has come to nothing is asked again.
        if let Some(asked) = state.under_way.get(&key).filter(|asked| asked.has_changed().is_ok()) {
            return Some(asked.clone());
        }
        if state.under_way.len() >= MOST_WAITING {
            return None;
        }
        Some(self.spawn(&mut state, key, false))
    }

    fn spawn(self: &Arc<Self>, state: &mut State, key: Key, finds_out: bool) -> watch::Receiver<Option<Answer>> {
        let (tell, asked) = watch::channel(None);
        state.under_way.insert(key.clone(), asked.clone());
        let lookups = Arc::clone(self);
        tokio::spawn(async move {
            let answer = lookups.look_up(&key, finds_out).await;
            lookups.state().under_way.remove(&key);
            tell.send_replace(Some(answer));
        });
        asked
    }

    async fn look_up(&self, key: &Key, finds_out: bool) -> Answer {
        let permit = self.permits.acquire().await;
        if !finds_out && self.state().rest.rests() {
            // It has failed others while this one waited.
            return Answer::Missing;
        }
        let bound = key.bound(&self.statement);
        let asked = timeout(self.timeout, self.connections.ask(&self.statement.sql, &bound)).await;
        drop(permit);
        let now = Instant::now();
        let asked = asked.unwrap_or_else(|_| Err(AskError::Away("it has not answered within `timeout`".to_owned())));
        let mut state = self.state();
        if let Err(AskError::Away(why)) = &asked {
            self.is_away(&mut state, why, finds_out, now);
            return Answer::Missing;
        }
        if state.rest.answered() {
            info!("users: {} answers again", self.connections.address());
            gauge!(metrics::USERS_DATABASE_UP).set(1.0);
        }
        let answer = match asked {
            Ok(None) => Answer::Nobody,
            Ok(Some(cells)) => match row::read(cells) {
                Ok(row) => self.told(&mut state, row),
                Err(why) => {
                    self.is_refused(&mut state, &why, now);
                    return Answer::Missing;
                }
            },
            Err(AskError::Refused(why) | AskError::Away(why)) => {
                self.is_refused(&mut state, &why, now);
                return Answer::Missing;
            }
        };
        let result = if answer == Answer::Nobody { "nobody" } else { "found" };
        counter!(metrics::USERS_ASKED, "result" => result).increment(1);
        state.kept.insert(key.clone(), (answer.clone(), now + self.ttl));
        answer
    }

    fn told(&self, state: &mut State, row: row::Row) -> Answer {
        for (columns, why) in [
            (
                row.left_out,
                "is left out, since it holds a secret by its name, or is said of users by events themselves",
            ),
            (row.untold, "is left out, since its values are of a type that cannot be told; cast it to text"),
        ] {
            for column in columns {
                if state.remarked.insert(column.clone()) {
                    warn!("users: the column {column:?} of `query` {why}");
                }
            }
        }
        match row.facts.as_str() {
            "" => Answer::Nobody,
            facts => Answer::Facts(facts.into()),
        }
    }

    fn is_away(&self, state: &mut State, why: &str, finds_out: bool, now: Instant) {
        counter!(metrics::USERS_ASKED, "result" => "away").increment(1);
        if state.rest.failed(finds_out, now) {
            let address = self.connections.address();
            warn!("users: {address} does not answer: {why}; events go without what it says until it does");
            gauge!(metrics::USERS_DATABASE_UP).set(0.0);
        }
    }

    fn is_refused(&self, state: &mut State, why: &str, now: Instant) {
        counter!(metrics::USERS_ASKED, "result" => "refused").increment(1);
        state.refused += 1;
        if state.said_at.is_none_or(|said| now.duration_since(said) >= SAID_EVERY) {
            state.said_at = Some(now);
            let (address, times) = (self.connections.address(), std::mem::take(&mut state.refused));
            warn!("users: {address} refuses `query`: {why} ({times} since this was last said)");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookups({})", self.connections.address())
    }
}

impl State {
    fn kept(&mut self, key: &Key, now: Instant) -> Option<Answer> {
        let (answer, until) = self.kept.get(key)?;
        let answer = (now < *until).then(|| answer.clone());
        if answer.is_none() {
            self.kept.remove(key);
        }
        answer
    }
}
