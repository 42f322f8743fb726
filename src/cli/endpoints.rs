//! `radhook endpoints`: how each stands; enabling, disabling, testing, copying, rotating its secret, and forgetting those that
//! are configured no more.

mod copy;
mod test;

use std::path::Path;

use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp;

use super::config::ConfigArg;
use super::{daemon, exit, rotate, status};
use crate::admin::endpoints::{Done, Wanted};
use crate::admin::status::{EndpointStatus, Status};
use crate::event::rfc3339;

/// See how each endpoint stands, test, enable, disable and copy it, rotate its secret, forget those that are gone
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List all endpoints, those that only the store still knows too
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Try an endpoint again that was disabled; its events go out by their due times
    Enable {
        #[command(flatten)]
        which: Which,
    },
    /// Keep an endpoint's events back until it is enabled, also over restarts
    Disable {
        #[command(flatten)]
        which: Which,
        /// Why, for whoever finds it so
        #[arg(long)]
        reason: Option<String>,
    },
    Rotate(rotate::Args),
    Test(test::Args),
    Copy(copy::Args),
    /// Forget an endpoint that is not in the config any more: its queue, its dead letters, its history
    Drop {
        #[command(flatten)]
        which: Which,
        /// Do it without asking back
        #[arg(long)]
        yes: bool,
    },
}

/// Which endpoint is meant
#[derive(Debug, clap::Args)]
struct Which {
    /// Its name
    endpoint: String,
    /// Print what was done as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.verb {
        Verb::List { json, config } => list(&config.config, json),
        Verb::Enable { which } => turn(which, None, "enable", "is tried again", "was not disabled"),
        Verb::Disable { which, reason } => {
            turn(which, reason, "disable", "is disabled: its events wait", "was disabled already")
        }
        Verb::Rotate(args) => rotate::run(&args),
        Verb::Test(args) => test::run(args),
        Verb::Copy(args) => copy::run(&args),
        Verb::Drop { which, yes } => forget(which, yes),
    }
}

fn list(config: &Path, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let status: Status = client.get("/api/v1/status", &())?;
        if !json && !status.endpoints.is_empty() {
            println!("{:<16}  {:<10}  {:>9}  {:>9}  WHERE", "ENDPOINT", "STATE", "PENDING", "DEAD");
        }
        for endpoint in &status.endpoints {
            match json {
                true => println!("{}", serde_json::to_string(endpoint)?),
                false => row(endpoint),
            }
        }
        if !json && status.endpoints.is_empty() {
            println!("no endpoints");
        }
        Ok(exit::DONE)
    })
}

fn row(endpoint: &EndpointStatus) {
    let EndpointStatus { name, state, pending, dead, url, .. } = endpoint;
    let url = url.as_deref().unwrap_or("not in the config any more");
    println!("{name:<16}  {state:<10}  {pending:>9}  {dead:>9}  {url}");
    if let Some(description) = &endpoint.description {
        println!("{:<16}  {description}", "");
    }
    if let (Some(since), Some(reason)) = (endpoint.disabled_since, &endpoint.disabled_because) {
        println!("{:<16}  disabled since {}: {reason}", "", rfc3339(since));
    }
    if let Some(said) = status::certificate(endpoint, Timestamp::now()) {
        println!("{:<16}  {said}", "");
    }
}

fn turn(which: Which, reason: Option<String>, deed: &str, done: &str, before: &str) -> anyhow::Result<u8> {
    daemon::ask(&which.config.config, |client| {
        let wanted = Wanted { endpoint: which.endpoint.clone(), reason };
        let answer: Done = client.post(&format!("/api/v1/endpoints/{deed}"), &wanted)?;
        if which.json {
            println!("{}", serde_json::to_string(&answer)?);
        } else {
            println!("{} {}", which.endpoint, if answer.changed { done } else { before });
        }
        Ok(exit::DONE)
    })
}

fn forget(which: Which, yes: bool) -> anyhow::Result<u8> {
    daemon::ask(&which.config.config, |client| {
        if !yes {
            let status: Status = client.get("/api/v1/status", &())?;
            let Some(known) = status.endpoints.iter().find(|known| known.name == which.endpoint) else {
                bail!("there is no endpoint {:?}", which.endpoint);
            };
            let (name, pending, dead) = (&known.name, known.pending, known.dead);
            bail!("{name} has {pending} pending events and {dead} dead letters, which would be gone; --yes drops them");
        }
        let wanted = Wanted { endpoint: which.endpoint.clone(), reason: None };
        let answer: Done = client.post("/api/v1/endpoints/drop", &wanted)?;
        if which.json {
            println!("{}", serde_json::to_string(&answer)?);
        } else {
            println!("{} is forgotten, with {} deliveries", which.endpoint, answer.dropped.unwrap_or(0));
        }
        Ok(exit::DONE)
    })
}
