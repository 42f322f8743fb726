//! `radhook freeradius`: the FreeRADIUS side, written, checked and taken back.

pub(super) mod change;
mod check;
mod dropins;
mod marks;
mod place;
mod plan;
mod print;
mod probe;
mod sections;
mod server;
mod target;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use self::change::Change;
use self::dropins::Way;
use self::place::PlaceArgs;
use self::target::TargetArgs;
use super::config::ConfigArg;
use super::exit;
use crate::config::{self, Peers};
use crate::secret::Secret;

/// Join FreeRADIUS to radhook: see the files, install them, check them, take them back
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print what would be written, for the addresses in radhook's config
    Print(print::Args),
    /// Write it: shows the changes first, and asks
    Install(InstallArgs),
    /// Check it: the configuration, then the whole way with a test session and a test login
    Check(check::Args),
    /// Take everything out again
    Undo(UndoArgs),
}

#[derive(Debug, clap::Args)]
struct InstallArgs {
    /// How FreeRADIUS tells radhook
    #[arg(long = "what", value_enum, default_value_t = Way::Spool)]
    way: Way,
    /// The sites in sites-enabled/ that serve your NASes
    #[arg(long = "site", value_name = "NAME", default_value = "default")]
    sites: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, clap::Args)]
struct UndoArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    consent: Consent,
}

/// Whether it may be done.
#[derive(Debug, clap::Args)]
struct Consent {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only show what would be changed
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.what {
        What::Print(args) => print::run(args),
        What::Install(args) => install(&args),
        What::Check(args) => check::run(args),
        What::Undo(args) => undo(&args),
    }
}

/// radhook's side of it, after what is wrong with the config was told.
fn peers(config: &Path) -> Option<Peers> {
    config::load_peers(config, &target::invent).inspect_err(|problems| eprintln!("{problems}")).ok()
}

fn install(args: &InstallArgs) -> anyhow::Result<u8> {
    let directory = args.place.directory()?;
    let Some(peers) = peers(&args.config.config) else { return Ok(exit::CONFIG_INVALID) };
    let meant = args.target.find(&peers, args.way)?;
    let own = dropins::own_files(args.way, &meant.target);
    let changes = plan::install(&directory, &own, args.way, &args.sites)?;
    if changes.is_empty() && meant.new_secret.is_none() {
        println!("nothing to do: FreeRADIUS in {} is joined to radhook", directory.display());
        return Ok(exit::DONE);
    }
    show(&changes, Some(&meant.target.secret));
    if let Some(path) = &meant.new_secret {
        println!("a new secret in {}", path.display());
    }
    if !args.consent.given()? {
        return Ok(exit::DONE);
    }
    if let Some(path) = &meant.new_secret {
        change::write_secret(path, &meant.target.secret, &args.config.config)?;
    }
    let code = apply(&changes, &directory)?;
    if code == exit::DONE {
        println!("then: radhook freeradius check");
    }
    Ok(code)
}

fn undo(args: &UndoArgs) -> anyhow::Result<u8> {
    let directory = args.place.directory()?;
    let (changes, left) = plan::undo(&directory)?;
    if !left.is_empty() {
        // One part without the other would not start.
        left.iter().for_each(|line| eprintln!("radhook: {line}"));
        eprintln!("radhook: nothing was undone");
        return Ok(exit::FAILED);
    }
    if changes.is_empty() {
        println!("nothing to undo in {}", directory.display());
        return Ok(exit::DONE);
    }
    show(&changes, secret_in(&changes).as_ref());
    if !args.consent.given()? {
        return Ok(exit::DONE);
    }
    let code = apply(&changes, &directory)?;
    println!("what the spool still holds stays in radacct/radhook: delete it when you do not want it any more");
    Ok(code)
}

/// Makes the changes, and has FreeRADIUS judge the outcome: what it would not start with is taken back.
fn apply(changes: &[Change], directory: &Path) -> anyhow::Result<u8> {
    let like = directory.join(place::MAIN_FILE);
    change::make(changes, &like)?;
    let Some(program) = place::program() else {
        println!("done; FreeRADIUS is not on this host to judge it");
        return Ok(exit::DONE);
    };
    if let Err(complaint) = place::judge(&program, directory)? {
        change::take_back(changes, &like)?;
        eprintln!(
            "radhook: FreeRADIUS refuses its configuration with these changes, so they were taken back: {complaint}"
        );
        if let Err(before) = place::judge(&program, directory)? {
            eprintln!("radhook: it refuses it without them as well: {before}");
        }
        return Ok(exit::FAILED);
    }
    let service = program.file_name().unwrap_or_default().to_string_lossy();
    println!("done, and FreeRADIUS takes it: systemctl restart {service}");
    Ok(exit::DONE)
}

fn show(changes: &[Change], secret: Option<&Secret>) {
    for change in changes {
        print!("{}", change.diff(secret));
    }
}

/// The secret in what is taken out: radhook's config may name another one by now, or be gone.
fn secret_in(changes: &[Change]) -> Option<Secret> {
    let sections = changes.iter().filter_map(|change| sections::parse(change.before.as_deref()?).ok());
    let mut homes = sections.filter_map(|whole| whole.section(&["home_server", "radhook"]).cloned());
    homes.find_map(|home| home.setting("secret").map(Secret::new))
}

impl Consent {
    /// Asks, unless it was given or is not wanted.
    fn given(&self) -> anyhow::Result<bool> {
        if self.dry_run || self.yes {
            return Ok(self.yes);
        }
        if !io::stdin().is_terminal() {
            bail!("nobody is there to be asked: look at it by --dry-run, then give --yes");
        }
        print!("make these changes? [y/N] ");
        io::stdout().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).context("the answer cannot be read")?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}
