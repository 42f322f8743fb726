//! `radhook endpoints copy`: a second endpoint out of the first, in the config file.

mod text;

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::config::ConfigArg;
use crate::cli::exit;
use crate::cli::freeradius::change::Change;
use crate::cli::whole::Whole;
use crate::config::{self, Config};
use text::Document;

/// What editors of another system put before a UTF-8 text.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Copy an endpoint in the config file, disabled, to be changed by you
///
/// The copy stands behind the original, with its comments and with the same references to secrets. Shows the change, with
/// `[secret]` for secrets that stand in the file itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The endpoint to copy
    name: String,
    /// What the copy is called
    new_name: String,
    /// Only show the change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Runs the verb.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let Args { name, new_name, dry_run, config: ConfigArg { config: path } } = args;
    let (config, texts) = match config::load(path).and_then(|(config, _)| Ok((config, config::texts(path)?))) {
        Ok(both) => both,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(exit::CONFIG_INVALID);
        }
    };
    refuse_names(&config, path, name, new_name)?;
    let (file, text) = texts
        .into_iter()
        .find(|(_, text)| Document::parse(text).is_ok_and(|document| document.has_endpoint(name)))
        .with_context(|| format!("{name} is in none of the config's files any more"))?;
    let after = text::copied(&text, name, new_name).with_context(|| format!("{} cannot be edited", file.display()))?;
    match config::load_with(path, &file, &after) {
        Ok(_) => {}
        Err(problems) => bail!("the config would not be valid with the copy, and nothing was changed:\n{problems}"),
    }

    let real = std::fs::canonicalize(&file).with_context(|| format!("find {}", file.display()))?;
    show(&real, &text, &after)?;
    if *dry_run {
        println!("Nothing was changed.");
        return Ok(exit::DONE);
    }
    replace(&real, &text, &after)?;
    println!(
        "{new_name} is a copy of {name} in {}, with `enabled = false`. Now:\n\
         - change what differs there: `url`, `events`, and a secret of its own if its receiver is another\n\
         - set `enabled = true`\n\
         - radhook check --config {}\n\
         - restart radhook; `radhook endpoints test {new_name}` then tries it",
        real.display(),
        path.display(),
    );
    Ok(exit::DONE)
}

fn refuse_names(config: &Config, path: &Path, name: &str, new_name: &str) -> anyhow::Result<()> {
    let is_there = |wanted: &str| config.endpoints.iter().any(|endpoint| *endpoint.delivery.name == *wanted);
    if !is_there(name) {
        bail!("there is no endpoint {name:?} in {}", path.display());
    }
    if is_there(new_name) {
        bail!("there is an endpoint {new_name:?} already in {}", path.display());
    }
    Ok(())
}

fn show(file: &Path, before: &str, after: &str) -> anyhow::Result<()> {
    let shown = |text: &str| Ok::<_, anyhow::Error>(Some(Document::parse(text)?.without_secrets().into_bytes()));
    let change = Change { path: file.to_owned(), before: shown(before)?, after: shown(after)? };
    println!("{}", change.diff(None));
    Ok(())
}

fn replace(file: &Path, before: &str, after: &str) -> anyhow::Result<()> {
    let held = Whole::open(file)?;
    let mark = if held.content().starts_with(BYTE_ORDER_MARK.as_bytes()) { BYTE_ORDER_MARK } else { "" };
    if held.content() != format!("{mark}{before}").as_bytes() {
        bail!("{} was changed meanwhile; look at it, and do this again if that is still wanted", file.display());
    }
    held.replace(format!("{mark}{after}").as_bytes(), |_| ())
}
