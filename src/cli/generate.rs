//! `radhook generate`: what a package ships beside the binary, made from the binary itself, so that it cannot go stale.

mod configuration;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Command, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;

use super::exit;

/// Print shell completions, write man pages
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the man pages: one for every verb, and radhook.toml(5) for the config
    Man {
        /// Where to; the directory is made
        dir: PathBuf,
    },
    /// Print the completions for a shell
    Completions {
        /// Which one
        shell: Shell,
    },
}

/// The page about the config, and its section: file formats.
const CONFIG_PAGE: (&str, &str) = ("radhook.toml", "5");

/// In the place of a page's date, which would make every build another one.
const NO_DATE: &str = " ";

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.what {
        What::Man { dir } => {
            let write = || {
                fs::create_dir_all(&dir)?;
                // `help` says of each verb what its page says.
                let mut command = super::command().disable_help_subcommand(true);
                command.build();
                pages(&command, &dir)?;
                let (name, section) = CONFIG_PAGE;
                fs::write(dir.join(format!("{name}.{section}")), configuration::page(name, section))
            };
            write().with_context(|| format!("man pages in {}", dir.display()))?;
        }
        What::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut super::command(), "radhook", &mut script);
            print!("{}", String::from_utf8(script)?);
        }
    }
    Ok(exit::DONE)
}

/// Writes the page of a verb and those of the verbs beneath it.
fn pages(command: &Command, dir: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let page = Man::new(command.clone())
        .title(name)
        .date(NO_DATE)
        .source(concat!("radhook ", env!("CARGO_PKG_VERSION")))
        .manual("radhook");
    page.generate_to(dir)?;
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).try_for_each(|verb| pages(verb, dir))
}
