//! `radhook endpoints test`: a test delivery, now.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::admin::exchange::Answer;
use crate::admin::trial::{Tested, Trial};
use crate::cli::config::ConfigArg;
use crate::cli::{daemon, exit};
use crate::event::EventType;

/// How long an endpoint may take at most: the longest `timeout` is five minutes.
const PATIENCE: Duration = Duration::from_secs(330);

/// How much of an answer's body is printed; `--json` has all that was read.
const BODY_SHOWN: usize = 1024;

/// Send an endpoint a test event now, and show what its receiver answers
///
/// A sample of the type, or your own event, under an id of its own and with `source.type` `test`; rendered, signed and
/// authenticated as any other. It is in no queue, is not tried again and counts nowhere; the endpoint may be disabled.
///
/// Exit code 1 when the receiver did not take it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name
    endpoint: String,
    /// A sample of this type, such as session.stop [default: test]
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "event")]
    kind: Option<EventType>,
    /// Type and data of this event, in the format native; - for stdin
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Print what came of it as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let Args { endpoint, kind, event, json, config } = args;
    let event = event.as_deref().map(read).transpose()?;
    daemon::ask(&config.config, |client| {
        let wanted = Trial { endpoint, kind, event };
        let tested: Tested = client.post_within(PATIENCE, "/api/v1/endpoints/test", &wanted)?;
        match json {
            true => println!("{}", serde_json::to_string(&tested)?),
            false => tell(&tested),
        }
        Ok(if tested.taken { exit::DONE } else { exit::FAILED })
    })
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let source = crate::cli::decode::open(file).with_context(|| format!("open {}", file.display()))?;
    serde_json::from_reader(source).with_context(|| format!("{} is no JSON", file.display()))
}

fn tell(tested: &Tested) {
    let Tested { endpoint, id, kind, taken, status, took_ms, error, .. } = tested;
    let sent = tested.exchange.as_ref();
    println!("{endpoint}: {kind} {id}");
    if let Some(sent) = sent {
        println!("{} {}", sent.method, sent.url);
    }
    let word = if *taken { "taken" } else { "not taken" };
    match (status, error) {
        (Some(status), None) => println!("{word}: answered {status} after {took_ms} ms"),
        (Some(status), Some(error)) => println!("{word}: answered {status}, and then: {error}; after {took_ms} ms"),
        (None, error) => println!("{word}: {}; after {took_ms} ms", error.as_deref().unwrap_or("no answer")),
    }
    match (tested.agrees, &tested.disagrees_because) {
        (Some(true), _) => println!("verify: it agrees to be sent events"),
        (_, Some(why)) => println!("verify: it may not be sent events: {why}"),
        _ => {}
    }
    if let Some(answer) = sent.and_then(|sent| sent.answer.as_ref()) {
        show(answer);
    }
}

fn show(answer: &Answer) {
    println!();
    for (name, value) in &answer.headers {
        println!("{name}: {value}");
    }
    if answer.body.is_empty() {
        println!("\n(no body)");
        return;
    }
    let end = answer.body.char_indices().map(|(at, _)| at).find(|at| *at >= BODY_SHOWN);
    let shown = &answer.body[..end.unwrap_or(answer.body.len())];
    // What somebody else wrote must not steer the terminal.
    let shown: String = shown
        .chars()
        .map(|character| if character.is_control() && character != '\n' { '\u{fffd}' } else { character })
        .collect();
    println!("\n{shown}");
    if shown.len() < answer.body.len() {
        println!("… {} of {} octets shown", shown.len(), answer.body.len());
    }
}
