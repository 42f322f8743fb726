//! Users out of a database: a question for each, whose answer is kept for a while.
//!
//! ```text
//! statement.rs   the query, with its parameters bound and never pasted
//! lookups.rs     what is kept, who is asked for just now, whether the database rests (rest.rs) ──▶ connect.rs
//! row.rs         a row to facts, its values by value.rs
//! ```

mod connect;
mod lookups;
mod rest;
mod row;
pub mod statement;
mod value;

use std::time::{Duration, Instant};

pub use connect::{Address, Database};
pub(super) use lookups::{Answer, Lookups};
use statement::{Parameter, Statement};

use crate::event::station::Mac;

/// `database` of `[users]`, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlOptions {
    /// Where it is, and who asks.
    pub address: Address,
    /// What is asked.
    pub statement: Statement,
    /// How many answers are kept.
    pub cache_size: usize,
    /// How long each is.
    pub cache_ttl: Duration,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// The longest text that anybody is looked up by, in bytes: twice what an attribute of RADIUS holds. Only a post has longer ones,
/// and the answers are kept by them.
const MAX_TEXT: usize = 512;

/// Whom a question is about: the parameters that stand in the query, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key([Option<Box<str>>; 3]);

impl Key {
    /// `None` where nothing is known by which the query asks.
    pub fn of(statement: &Statement, name: Option<&str>, mac: Option<&str>, realm: Option<&str>) -> Option<Self> {
        // No database has a NUL in its texts, and PostgreSQL refuses to be asked.
        let can_be_asked = |text: &str| !text.is_empty() && text.len() <= MAX_TEXT && !text.contains('\0');
        let mac = mac.and_then(Mac::parse).map(|mac| mac.to_string());
        let of = |parameter: Parameter| {
            let text = match parameter {
                Parameter::Name => name,
                Parameter::Mac => mac.as_deref(),
                Parameter::Realm => realm,
            };
            text.filter(|text| statement.asks_by(parameter) && can_be_asked(text)).map(Box::from)
        };
        let key = Self(Parameter::ALL.map(of));
        key.0.iter().any(Option::is_some).then_some(key)
    }

    fn get(&self, parameter: Parameter) -> Option<&str> {
        self.0[parameter as usize].as_deref()
    }

    /// What is bound, in order; what is not known is NULL.
    fn bound(&self, statement: &Statement) -> Vec<Option<&str>> {
        statement.places.iter().map(|parameter| self.get(*parameter)).collect()
    }
}

/// What a single question came to, for `radhook check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// How long it took, from connecting to the answer.
    pub took: Duration,
    /// Whether there is a row even for a name that nobody should have.
    pub found: bool,
}

/// Asks once for somebody whom nobody is, with a connection of its own.
pub async fn try_out(options: &SqlOptions) -> Result<Tried, String> {
    let nobody = ["radhook-check-nobody", "02-00-5E-00-53-FF", "check.radhook.invalid"];
    let bound: Vec<Option<&str>> =
        options.statement.places.iter().map(|parameter| Some(nobody[*parameter as usize])).collect();
    let connections = connect::Connections::new(options.address.clone());
    let began = Instant::now();
    let asked = tokio::time::timeout(options.timeout, connections.ask(&options.statement.sql, &bound)).await;
    match asked {
        Ok(Ok(row)) => {
            let found = row.is_some();
            row.map(row::read).transpose()?;
            Ok(Tried { took: began.elapsed(), found })
        }
        Ok(Err(connect::AskError::Away(why) | connect::AskError::Refused(why))) => Err(why),
        Err(_) => Err("it has not answered within `timeout`".to_owned()),
    }
}
