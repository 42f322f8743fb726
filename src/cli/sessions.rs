//! `radhook sessions`: who is there, closing what hangs, and forgetting a person.

use std::path::Path;

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use super::config::ConfigArg;
use super::paging::{Speed, through};
use super::{daemon, exit};
use crate::admin::client::AdminClient;
use crate::admin::sessions::{Closed, Page, Purge, Purged, Selection, Session};
use crate::event::rfc3339;

/// See the sessions, close what hangs, and forget a person
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List sessions that are open
    List {
        #[command(flatten)]
        which: Which,
        /// Also those that have ended and are still remembered
        #[arg(long)]
        ended: bool,
        /// At most this many; 0 for all
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Show one session, open or ended
    Show {
        /// Its unique_id, or its Acct-Session-Id
        session: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Take sessions out of the table: session.lost is told of each. Their NAS is not asked to end them
    Close {
        /// The session's unique_id, or its Acct-Session-Id
        session: Option<String>,
        #[command(flatten)]
        which: Which,
        /// Print what was done as a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Forget a person: their sessions, their history, and every event about them, sent or not
    Purge {
        /// User-Name, as it came
        #[arg(long)]
        user: String,
        /// Only say what there is
        #[arg(long)]
        dry_run: bool,
        /// Print what was done as a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// Which sessions are meant
#[derive(Debug, clap::Args)]
struct Which {
    /// Only of this user: User-Name as it came
    #[arg(long)]
    user: Option<String>,
    /// Only of this device, in any notation
    #[arg(long)]
    mac: Option<String>,
    /// Only on this NAS: its NAS-Identifier or address
    #[arg(long)]
    nas: Option<String>,
    /// Only at this venue
    #[arg(long)]
    venue: Option<String>,
}

impl Which {
    fn selection(self) -> anyhow::Result<Selection> {
        if self.venue.is_some() {
            bail!("this version of radhook knows no venues; choose by --nas");
        }
        Ok(Selection { user: self.user, mac: self.mac, nas: self.nas, ..Selection::default() })
    }
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.verb {
        Verb::List { which, ended, limit, json, config } => {
            let selection = Selection { ended, ..which.selection()? };
            list(&config.config, selection, limit, json)
        }
        Verb::Show { session, config } => show(&config.config, session),
        Verb::Close { session, which, json, config } => {
            let selection = Selection { session, ..which.selection()? };
            close(&config.config, selection, json)
        }
        Verb::Purge { user, dry_run, json, config } => purge(&config.config, &user, dry_run, json),
    }
}

/// Goes through the sessions that are meant until `each` has had enough. Says whether there was more.
fn through_all(
    client: &AdminClient,
    selection: &Selection,
    each: impl FnMut(Session) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let page = |after| {
        let page: Page = client.get("/api/v1/sessions", &Selection { after, ..selection.clone() })?;
        Ok((page.sessions, page.next))
    };
    through(page, each)
}

fn list(config: &Path, selection: Selection, limit: usize, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut listed = 0;
        let more = through_all(client, &selection, |session| {
            match json {
                true => println!("{}", serde_json::to_string(&session)?),
                false => row(&session, listed == 0),
            }
            listed += 1;
            Ok(listed != limit)
        })?;
        if listed == 0 && !json {
            println!("no sessions");
        } else if more && !json {
            println!("… and perhaps more: --limit 0 lists all");
        }
        Ok(exit::DONE)
    })
}

fn row(session: &Session, is_first: bool) {
    if is_first {
        println!(
            "{:<32}  {:<7}  {:<24}  {:<17}  {:<20}  {:<24}  {:>9}  SESSION",
            "UNIQUE ID", "STATE", "USER", "MAC", "NAS", "STARTED", "SECONDS"
        );
    }
    let duration = session.duration.map_or_else(|| "-".to_owned(), |seconds| seconds.to_string());
    println!(
        "{:<32}  {:<7}  {:<24}  {:<17}  {:<20}  {:<24}  {duration:>9}  {}",
        session.unique_id,
        session.state,
        session.user.as_deref().unwrap_or("-"),
        session.mac.as_deref().unwrap_or("-"),
        session.nas,
        rfc3339(session.started_at),
        session.id
    );
}

fn show(config: &Path, session: String) -> anyhow::Result<u8> {
    let selection = Selection { session: Some(session.clone()), ended: true, ..Selection::default() };
    daemon::ask(config, |client| {
        let mut found = 0;
        through_all(client, &selection, |session| {
            println!("{}", serde_json::to_string_pretty(&session)?);
            found += 1;
            Ok(true)
        })?;
        if found == 0 {
            bail!("there is no session {session}: it may have ended and been forgotten");
        }
        Ok(exit::DONE)
    })
}

fn close(config: &Path, selection: Selection, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut closed = 0;
        Speed::new(None).each_page(|after| {
            let page: Closed = client.post("/api/v1/sessions/close", &Selection { after, ..selection.clone() })?;
            closed += page.closed;
            Ok((page.closed, page.next))
        })?;
        match json {
            true => println!("{}", json!({ "closed": closed })),
            false => println!("{closed} sessions are closed; their NASes were not asked to end them"),
        }
        Ok(if closed > 0 { exit::DONE } else { exit::FAILED })
    })
}

fn purge(config: &Path, user: &str, dry_run: bool, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let done = sweep(client, user, dry_run)?;
        if dry_run {
            let Purged { sessions, open, events, memories, looked_at, .. } = done;
            match json {
                true => println!("{}", serde_json::to_string(&done)?),
                false => println!(
                    "would forget {sessions} sessions ({open} open), {events} events and {memories} memories of {user}: {looked_at} \
                     records were looked at"
                ),
            }
            return Ok(exit::DONE);
        }
        let left = sweep(client, user, true)?;
        let remaining = left.sessions + left.events + left.memories;
        if json {
            println!("{}", json!({ "forgotten": done, "left": left }));
        } else {
            let Purged { sessions, open, events, deliveries, memories, .. } = done;
            println!("{sessions} sessions, {events} events and {memories} memories of {user} are forgotten");
            if deliveries > 0 {
                println!("{deliveries} deliveries that waited or were given up are not made any more");
            }
            if open > 0 {
                println!("{open} sessions were open: whoever is still online is met anew with the next packet");
            }
            match remaining {
                0 => println!("searched {} records afterwards: nothing is left", left.looked_at),
                _ => println!("searched afterwards: {remaining} records came in meanwhile; run this again"),
            }
            println!(
                "on this disk the deleted bytes stay until they are written over: in the journal until `journal_keep` newer bytes \
                 came, in sled's file until its free pages are used again. Detail files, quarantines, logs and receivers keep \
                 what they have."
            );
        }
        Ok(if remaining == 0 { exit::DONE } else { exit::FAILED })
    })
}

/// Goes through everything once, forgetting or only counting.
fn sweep(client: &AdminClient, user: &str, search: bool) -> anyhow::Result<Purged> {
    let mut total = Purged::default();
    Speed::new(None).each_page(|after| {
        let wanted = Purge { user: user.to_owned(), search, after };
        let page: Purged = client.post("/api/v1/sessions/purge", &wanted)?;
        total.sessions += page.sessions;
        total.open += page.open;
        total.events += page.events;
        total.deliveries += page.deliveries;
        total.memories += page.memories;
        total.looked_at += page.looked_at;
        Ok((page.looked_at, page.next))
    })?;
    Ok(total)
}
