//! `radhook store`: looking at a store that does not run, and making one start again that refuses to.

use std::path::PathBuf;

use clap::Subcommand;

use super::config::ConfigArg;
use super::exit;
use crate::config::{self, Problems};
use crate::store::check::{self, Report};
use crate::store::recover::{self, Recovery};

/// Check or recover the store while no daemon runs on it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Look at every part of the store and say whether it would start. Changes nothing.
    Check {
        #[command(flatten)]
        place: Place,
    },
    /// Build a damaged sled again from the journal, cut a damaged journal. Deletes nothing.
    Recover {
        #[command(flatten)]
        place: Place,
        /// Go on although acknowledged batches are given up.
        #[arg(long)]
        accept_loss: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The data directory itself; the config is then not read
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Place {
    /// The data directory: as it was given, or as the config names it.
    fn path(&self) -> Result<PathBuf, Problems> {
        match &self.path {
            Some(path) => Ok(path.clone()),
            None => Ok(config::load_store(&self.config.config)?.path),
        }
    }
}

/// Runs the verb. Exits with 1 when the store would not start, or was not recovered.
///
/// # Errors
/// What keeps the store from being looked at.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let (What::Check { place } | What::Recover { place, .. }) = &args.what;
    let path = match place.path() {
        Ok(path) => path,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(exit::CONFIG_INVALID);
        }
    };
    let (good, text) = match args.what {
        What::Check { place } => {
            let report = check::check(&path)?;
            let text = if place.json { serde_json::to_string(&report)? } else { told(&report) };
            (report.sound(), text)
        }
        What::Recover { place, accept_loss } => {
            let recovery = recover::recover(&path, accept_loss)?;
            let text = if place.json { serde_json::to_string(&recovery)? } else { retold(&recovery) };
            (recovery.done, text)
        }
    };
    println!("{}", text.trim_end());
    Ok(if good { exit::DONE } else { exit::FAILED })
}

fn told(report: &Report) -> String {
    let mut text = String::new();
    let mut say = |line: String| text = std::mem::take(&mut text) + &line + "\n";
    say(format!("store {}", report.path.display()));
    for segment in &report.segments {
        let range = match (segment.first, segment.last) {
            (Some(first), Some(last)) => format!("batches {first} to {last}"),
            (Some(first), None) => format!("empty, before batch {first}"),
            (None, _) => "unreadable".to_owned(),
        };
        let torn = if segment.torn { ", then a torn write that was never acknowledged" } else { "" };
        say(format!("  journal/{}: {range}, {} of {} bytes{torn}", segment.name, segment.used, segment.bytes));
    }
    match report.sled {
        Some(sequence) => say(format!("  sled: sound, holds everything up to batch {sequence}")),
        None => say("  sled: not sound".to_owned()),
    }
    if let Some(batches) = report.replay {
        say(format!("  a start replays {batches} batches"));
    }
    for warning in &report.warnings {
        say(format!("warning: {warning} (a start does not need it)"));
    }
    for problem in &report.problems {
        say(format!("problem: {problem}"));
    }
    say(if report.sound() {
        "the store is sound".to_owned()
    } else {
        "the store does not start like this; `radhook store recover` tells what can be kept".to_owned()
    });
    text
}

fn retold(recovery: &Recovery) -> String {
    if recovery.sound() {
        return format!("the store is sound up to batch {}; nothing was changed", recovery.kept_through);
    }
    let mut text = String::new();
    let mut say = |line: String| text = std::mem::take(&mut text) + &line + "\n";
    for problem in recovery.sled.iter().chain(&recovery.record).chain(&recovery.journal) {
        say(format!("problem: {problem}"));
    }
    let (did, does) = if recovery.done { ("was", "are") } else { ("would be", "would be") };
    if let Some(first) = recovery.rebuilt_from {
        say(format!("sled {did} built again from the journal's batches {first} to {}", recovery.kept_through));
        say(match first {
            1 => "the journal reaches back to the first batch: nothing is missing".to_owned(),
            _ => format!("records last changed before batch {first} {does} missing"),
        });
    }
    if recovery.journal.is_some() {
        say(format!(
            "everything up to batch {} {does} kept; at least {} valid batches behind the damage ({} bytes) {does} given up",
            recovery.kept_through, recovery.batches_given_up, recovery.bytes_given_up
        ));
    }
    for path in &recovery.moved_aside {
        say(format!("moved aside: {}", path.display()));
    }
    say(if recovery.done {
        "the store starts again".to_owned()
    } else {
        "nothing was changed; to go on and give that up, add --accept-loss".to_owned()
    });
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::{Args as _, Command, FromArgMatches};
    use tempfile::TempDir;

    use super::*;
    use crate::store::{Batch, Durability, DurableStore, Store, StoreOptions};

    fn radhook_store(line: &[&str], path: &Path) -> anyhow::Result<u8> {
        let path = path.to_str().expect("a printable path");
        let words = [&["store"], line, &["--path", path]].concat();
        let matches = Args::augment_args(Command::new("store")).try_get_matches_from(words)?;
        run(Args::from_arg_matches(&matches)?)
    }

    #[test]
    fn the_exit_code_tells_a_sound_store_from_one_that_does_not_start() {
        let dir = TempDir::new().unwrap();
        let options = StoreOptions {
            path: dir.path().to_owned(),
            max_size: 64 << 20,
            journal_keep: 1 << 20,
            history_keep: std::time::Duration::ZERO,
            history_max_records: 0,
        };
        let store = DurableStore::open(&options).unwrap();
        let mut batch = Batch::default();
        batch.put("a", &b"1"[..]);
        store.commit(&batch, Durability::Durable).unwrap();
        store.close().unwrap();
        drop(store);
        for json in [&["--json"][..], &[]] {
            assert_eq!(radhook_store(&[&["check"], json].concat(), dir.path()).unwrap(), exit::DONE);
        }
        fs::remove_file(dir.path().join("journal/0000000001.journal")).unwrap();
        assert_eq!(radhook_store(&["check"], dir.path()).unwrap(), exit::FAILED);
        assert_eq!(radhook_store(&["recover"], dir.path()).unwrap(), exit::FAILED);
        assert_eq!(radhook_store(&["recover", "--accept-loss"], dir.path()).unwrap(), exit::DONE);
        assert_eq!(radhook_store(&["check"], dir.path()).unwrap(), exit::DONE);
        let missing = radhook_store(&["check"], &dir.path().join("missing")).unwrap_err();
        assert_eq!(crate::cli::in_one_line(&missing).matches("No such file").count(), 1, "{missing:#}");
    }
}
