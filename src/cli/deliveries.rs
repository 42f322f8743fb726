//! `radhook deliveries`: what waits, what was given up, what was taken; and sending again.

use std::path::Path;

use anyhow::bail;
use clap::{ArgGroup, Subcommand, ValueEnum};

use super::arguments::event_id;
use super::config::ConfigArg;
use super::paging::{Speed, Which, through};
use super::{daemon, exit};
use crate::admin::client::AdminClient;
use crate::admin::deliveries::{Attempt, Count, Delivery, Page, Retry, Revived, Selection, State};
use crate::admin::exchange::Exchange;
use crate::admin::selection::Meant;
use crate::event::rfc3339;

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
        /// Only to this endpoint
        #[arg(long)]
        endpoint: Option<String>,
        /// Only in this state
        #[arg(long)]
        state: Option<State>,
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
    /// Show deliveries whole, of one event or of a session: every attempt kept, and the event
    #[command(group = ArgGroup::new("what").required(true).multiple(true).args(["event", "id", "session"]))]
    Show {
        /// The event's id
        #[arg(value_name = "ID", conflicts_with = "id")]
        event: Option<String>,
        /// Only to this endpoint
        #[arg(long)]
        endpoint: Option<String>,
        /// Only in this state
        #[arg(long)]
        state: Option<State>,
        #[command(flatten)]
        which: Which,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Send again: dead letters come back under their old ids, pending deliveries become due at once
    Retry {
        /// Only to this endpoint
        #[arg(long)]
        endpoint: Option<String>,
        /// Only in this state
        #[arg(long, default_value = "dead")]
        state: Unsettled,
        #[command(flatten)]
        which: Which,
        /// Only count, by endpoint and state
        #[arg(long)]
        dry_run: bool,
        /// Send at most so many again a second [default: as fast as it goes; each endpoint's own `rate` and `concurrency` hold]
        #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,
        /// Print what was done as a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// The states in which a delivery can be sent again.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unsettled {
    /// Given up, kept as a dead letter
    Dead,
    /// Waiting, or to be tried again
    Pending,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.verb {
        Verb::List { endpoint, state, which, limit, json, config } => {
            let selection = Selection { endpoint, state, meant: which.meant()?, ..Selection::default() };
            list(&config.config, selection, limit, json)
        }
        Verb::Show { event, endpoint, state, which, json, config } => {
            let mut meant = which.meant()?;
            if let Some(event) = &event {
                meant.id = Some(event_id(event)?);
            }
            show(&config.config, Selection { endpoint, state, meant, ..Selection::default() }, json)
        }
        Verb::Retry { endpoint, state, which, dry_run, rate, json, config } => {
            let state = Some(match state {
                Unsettled::Dead => State::Dead,
                Unsettled::Pending => State::Pending,
            });
            let speed = Speed::new(rate.filter(|_| !dry_run));
            let meant = which.meant()?;
            let selection = Selection { endpoint, state, meant, limit: speed.limit(), ..Selection::default() };
            retry(&config.config, Retry { dry_run, selection }, speed, json)
        }
    }
}

fn list(config: &Path, selection: Selection, limit: usize, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut table = (!json).then(Table::default);
        let mut listed = 0;
        let more = through(pages(client, "/api/v1/deliveries", selection), |delivery| {
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

fn show(config: &Path, selection: Selection, json: bool) -> anyhow::Result<u8> {
    let Meant { id, session, .. } = &selection.meant;
    let what = match (id, session) {
        (Some(id), _) => format!("event {id}"),
        (None, session) => format!("session {:?}", session.as_deref().unwrap_or_default()),
    };
    daemon::ask(config, |client| {
        let mut last = None;
        through(pages(client, "/api/v1/deliveries/show", selection), |delivery| {
            if json {
                println!("{}", serde_json::to_string(&delivery)?);
            } else {
                whole(&delivery, last != Some(delivery.id))?;
            }
            last = Some(delivery.id);
            Ok(true)
        })?;
        if last.is_none() {
            bail!("no delivery of {what}: it may have left the history, or no endpoint wanted it");
        }
        Ok(exit::DONE)
    })
}

fn retry(config: &Path, mut wanted: Retry, speed: Speed, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut total = Revived::default();
        speed.each_page(|after| {
            wanted.selection.after = after;
            let page: Revived = client.post("/api/v1/deliveries/retry", &wanted)?;
            page.counts.iter().for_each(|of| total.add(&of.endpoint, of.state, of.count));
            Ok((page.retried, page.next))
        })?;
        if json {
            println!("{}", serde_json::to_string(&total)?);
            return Ok(exit::DONE);
        }
        for Count { endpoint, state, count } in total.counts.iter().filter(|_| wanted.dry_run) {
            println!("{endpoint:<16}  {:<9}  {count:>9}", state.word());
        }
        match wanted.dry_run {
            true => println!("{} deliveries would be sent again", total.retried),
            false => println!("{} deliveries are sent again", total.retried),
        }
        Ok(exit::DONE)
    })
}

/// Asks for a page of the deliveries that are meant.
fn pages(
    client: &AdminClient,
    path: &str,
    mut selection: Selection,
) -> impl FnMut(Option<String>) -> anyhow::Result<(Vec<Delivery>, Option<String>)> {
    move |after| {
        selection.after = after;
        let page: Page = client.get(path, &selection)?;
        Ok((page.deliveries, page.next))
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
        let state = delivery.state.word();
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
