//! `radhook deliveries`: what waits, what was given up, what was taken; and sending again.

use std::path::Path;

use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp;

use super::arguments::{event_id, moment};
use super::config::ConfigArg;
use super::{daemon, exit};
use crate::admin::client::AdminClient;
use crate::admin::deliveries::{Attempt, Delivery, Page, Revived, Selection, State};
use crate::admin::exchange::Exchange;
use crate::event::{EventType, rfc3339};

/// See what waits, what was given up and what was taken, and send again
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List deliveries, by endpoint, state and arrival
    List {
        #[command(flatten)]
        which: Which,
        /// At most this many; 0 for all
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Show one event's deliveries: every attempt kept, and the event
    Show {
        /// The event's id
        id: String,
        /// Only to this endpoint
        #[arg(long)]
        endpoint: Option<String>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Send again: dead letters come back under their old ids, pending deliveries become due at once
    Retry {
        #[command(flatten)]
        which: Which,
        /// Only this event
        #[arg(long)]
        id: Option<String>,
        /// Print what was done as a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// Which deliveries are meant
#[derive(Debug, clap::Args)]
struct Which {
    /// Only to this endpoint
    #[arg(long)]
    endpoint: Option<String>,
    /// Only in this state [retry: dead, unless set]
    #[arg(long)]
    state: Option<State>,
    /// Only of events of this type, such as session.stop
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<EventType>,
    /// Only of events that arrived since: a time (2026-11-22T10:00:00Z) or a span (90m, 2h, 3d)
    #[arg(long, value_parser = moment)]
    since: Option<Timestamp>,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.verb {
        Verb::List { which, limit, json, config } => list(&config.config, which.into(), limit, json),
        Verb::Show { id, endpoint, json, config } => show(&config.config, &id, endpoint, json),
        Verb::Retry { which, id, json, config } => {
            let id = id.as_deref().map(event_id).transpose()?;
            let state = Some(which.state.unwrap_or(State::Dead));
            retry(&config.config, Selection { id, state, ..which.into() }, json)
        }
    }
}

impl From<Which> for Selection {
    fn from(which: Which) -> Self {
        let Which { endpoint, state, kind, since } = which;
        Self { endpoint, state, kind, since, ..Self::default() }
    }
}

fn list(config: &Path, selection: Selection, limit: usize, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut table = (!json).then(Table::default);
        let mut listed = 0;
        let more = pages(client, "/api/v1/deliveries", selection, |delivery| {
            match &mut table {
                Some(table) => table.row(&delivery),
                None => println!("{}", serde_json::to_string(&delivery)?),
            }
            listed += 1;
            Ok(listed != limit)
        })?;
        if listed == 0 && !json {
            println!("no deliveries");
        } else if more && !json {
            println!("… and more: --limit 0 lists all");
        }
        Ok(exit::DONE)
    })
}

fn show(config: &Path, id: &str, endpoint: Option<String>, json: bool) -> anyhow::Result<u8> {
    let selection = Selection { id: Some(event_id(id)?), endpoint, ..Selection::default() };
    daemon::ask(config, |client| {
        let mut found = 0;
        pages(client, "/api/v1/deliveries/show", selection, |delivery| {
            found += 1;
            if json {
                println!("{}", serde_json::to_string(&delivery)?);
            } else {
                whole(&delivery, found == 1)?;
            }
            Ok(true)
        })?;
        if found == 0 {
            bail!("no delivery of event {id}: it may have left the history, or no endpoint wanted it");
        }
        Ok(exit::DONE)
    })
}

fn retry(config: &Path, mut selection: Selection, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut retried = 0;
        loop {
            let page: Revived = client.post("/api/v1/deliveries/retry", &selection)?;
            retried += page.retried;
            match page.next {
                Some(next) => selection.after = Some(next),
                None => break,
            }
        }
        if json {
            println!("{}", serde_json::to_string(&Revived { retried, next: None })?);
        } else {
            println!("{retried} deliveries are sent again");
        }
        Ok(exit::DONE)
    })
}

/// Goes through all pages until `each` has had enough. Says whether there was more.
fn pages(
    client: &AdminClient,
    path: &str,
    mut selection: Selection,
    mut each: impl FnMut(Delivery) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    loop {
        let page: Page = client.get(path, &selection)?;
        let mut deliveries = page.deliveries.into_iter();
        while let Some(delivery) = deliveries.next() {
            if !each(delivery)? {
                return Ok(deliveries.len() > 0 || page.next.is_some());
            }
        }
        match page.next {
            Some(next) => selection.after = Some(next),
            None => return Ok(false),
        }
    }
}

/// Prints rows under a heading. Widths are fixed, so that the first row can be printed before the last is known.
#[derive(Default)]
struct Table {
    begun: bool,
}

impl Table {
    fn row(&mut self, delivery: &Delivery) {
        if !self.begun {
            println!("{:<36}  {:<16}  {:<16}  {:<9}  {:>8}  WHAT", "EVENT", "TYPE", "ENDPOINT", "STATE", "ATTEMPTS");
            self.begun = true;
        }
        let state = match delivery.state {
            State::Pending => "pending",
            State::Delivered => "delivered",
            State::Dead => "dead",
        };
        println!(
            "{:<36}  {:<16}  {:<16}  {:<9}  {:>8}  {}",
            delivery.id,
            delivery.kind,
            delivery.endpoint,
            state,
            delivery.attempts,
            what(delivery)
        );
    }
}

/// What an operator wants to know of a delivery in a few words.
fn what(delivery: &Delivery) -> String {
    let last = delivery.last_attempts.last().map(said);
    match (delivery.state, delivery.due) {
        (State::Pending, None) => "waits for an earlier event of its session".to_owned(),
        (State::Pending, Some(due)) => match last {
            Some(last) => format!("{last}; next attempt {}", rfc3339(due)),
            None => format!("due {}", rfc3339(due)),
        },
        (State::Delivered | State::Dead, _) => {
            let at = delivery.settled_at.map(rfc3339).unwrap_or_default();
            format!("{at} {}", last.unwrap_or_default())
        }
    }
}

fn said(attempt: &Attempt) -> String {
    match (&attempt.error, attempt.status) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("answered {status}"),
        (None, None) => "no answer".to_owned(),
    }
}

fn whole(delivery: &Delivery, first: bool) -> anyhow::Result<()> {
    if first {
        println!("event     {}", delivery.id);
        println!("type      {}", delivery.kind);
        println!("received  {}", rfc3339(delivery.received_at));
        if let Some(event) = &delivery.event {
            let event: serde_json::Value = serde_json::from_str(event.get())?;
            println!("{}", serde_json::to_string_pretty(&event)?);
        }
    }
    println!("\nendpoint  {}  {:?}: {}", delivery.endpoint, delivery.state, what(delivery));
    println!("          queued {}, {} attempts", rfc3339(delivery.queued_at), delivery.attempts);
    for attempt in &delivery.last_attempts {
        println!("          {}  {:>6} ms  {}", rfc3339(attempt.at), attempt.took_ms, said(attempt));
    }
    if let Some(begun) = delivery.begun {
        println!("          {}  begun, and not ended yet", rfc3339(begun));
    }
    if let Some(exchange) = &delivery.exchange {
        word_for_word(exchange);
    }
    Ok(())
}

/// The last request and its answer, as they went over the wire.
fn word_for_word(exchange: &Exchange) {
    let lines = |mark: &str, headers: &[(String, String)], body: &str| {
        headers.iter().for_each(|(name, value)| println!("{mark} {name}: {value}"));
        println!("{mark}");
        body.lines().for_each(|line| println!("{mark} {line}"));
    };
    println!("\n> {} {}  ({})", exchange.method, exchange.url, rfc3339(exchange.at));
    lines(">", &exchange.headers, &exchange.body);
    if exchange.cut {
        println!("> … the rest was not kept");
    }
    match &exchange.answer {
        Some(answer) => {
            println!("< {}", answer.status);
            lines("<", &answer.headers, &answer.body);
        }
        None => println!("< nothing came back"),
    }
}
