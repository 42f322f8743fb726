//! `radhook reload`: has the daemon read its config again.

use super::config::ConfigArg;
use super::{daemon, exit};
use crate::admin::reload::Reloaded;

/// Have the daemon read its config again
///
/// Endpoints that were added, removed or changed take effect at once, and RADIUS does not notice. What else changed is named and
/// takes a restart. When anything is wrong with the config, nothing is changed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print what came of it as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Runs the verb. Exits with 3 when the config was refused.
pub fn run(args: Args) -> anyhow::Result<u8> {
    daemon::ask(&args.config.config, |client| {
        let reloaded: Reloaded = client.post("/api/v1/reload", &())?;
        if args.json {
            println!("{}", serde_json::to_string(&reloaded)?);
        } else {
            tell(&reloaded);
        }
        Ok(if reloaded.problems.is_empty() { exit::DONE } else { exit::CONFIG_INVALID })
    })
}

fn tell(reloaded: &Reloaded) {
    let Reloaded { problems, added, changed, removed, needs_restart } = reloaded;
    if !problems.is_empty() {
        problems.iter().for_each(|problem| eprintln!("{problem}"));
        eprintln!("nothing was changed: radhook goes on by the config from before");
        return;
    }
    for (names, what) in [(added, "is new"), (changed, "is changed"), (removed, "is not delivered to any more")] {
        names.iter().for_each(|name| println!("endpoint {name} {what}"));
    }
    if added.is_empty() && changed.is_empty() && removed.is_empty() {
        println!("the endpoints are as before");
    }
    if !needs_restart.is_empty() {
        println!("changed, and only read at the start: {}; restart radhook to apply it", needs_restart.join(", "));
    }
}
