//! `radhook freeradius check`: is FreeRADIUS's configuration right, and does what it knows become events? Each step is
//! one line; the first that fails tells what to do, and what builds on it is not tried.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::dropins::{self, Target, Way};
use super::place::{self, PlaceArgs};
use super::server::{Server, local_secret};
use super::target::{TargetArgs, invent};
use super::{plan, probe};
use crate::admin::client::{AdminClient, AdminError};
use crate::admin::deliveries::{Page, Selection};
use crate::admin::selection::Meant;
use crate::admin::status::Status;
use crate::cli::arguments::{duration, secret_from};
use crate::cli::config::ConfigArg;
use crate::cli::exit;
use crate::config::{self, Config, Peers};
use crate::event::EventType;
use crate::radius::Code;

/// What the user of the test is called, before something random.
const USER: &str = "radhook-check-";
/// Random characters of it, so that no two tests are the same.
const RANDOM: usize = 8;
/// Between two looks for an event.
const PAUSE: Duration = Duration::from_millis(300);
/// How far radhook's clock may be behind while its events are looked for.
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

/// `radhook freeradius check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site in sites-enabled/ that serves your NASes
    #[arg(long, value_name = "NAME", default_value = "default")]
    site: String,
    /// The secret of FreeRADIUS's client 127.0.0.1 [default: the one in clients.conf]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How long an event may take: the spool is read once a second, and after an outage every ten
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "20s")]
    wait: Duration,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print one JSON object a step
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let config = match config::load(&args.config.config) {
        Ok((config, _)) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(exit::CONFIG_INVALID);
        }
    };
    let directory = args.place.directory()?;
    match steps(&args, &config, &directory) {
        Ok(()) => Ok(exit::DONE),
        Err(failed) => {
            args.tell(failed.step, Err(&failed));
            let unreachable = matches!(failed.error.downcast_ref(), Some(AdminError::Unreachable { .. }));
            Ok(if unreachable { exit::UNREACHABLE } else { exit::FAILED })
        }
    }
}

/// A step that failed.
struct Failed {
    step: &'static str,
    error: anyhow::Error,
    help: String,
}

/// Gives a failure its step and what to do about it.
trait Step<T> {
    fn step(self, step: &'static str, help: impl Into<String>) -> Result<T, Failed>;
}

impl<T> Step<T> for anyhow::Result<T> {
    fn step(self, step: &'static str, help: impl Into<String>) -> Result<T, Failed> {
        self.map_err(|error| Failed { step, error, help: help.into() })
    }
}

fn steps(args: &Args, config: &Config, directory: &Path) -> Result<(), Failed> {
    let peers = Peers { clients: config.clients.clone(), sources: config.sources.clone(), invented: Vec::new() };
    let (way, target) = installed(args, &peers, directory).step("installed", "radhook freeradius install")?;
    args.tell("installed", Ok(&format!("FreeRADIUS in {} is joined to radhook by {}", directory.display(), name(way))));

    judged(directory).step("configuration", "mend it; `radhook freeradius undo` takes radhook's part out")?;
    args.tell("configuration", Ok("FreeRADIUS takes its configuration"));

    let admin = AdminClient::new(&config.admin).step("radhook", "")?;
    let status: anyhow::Result<Status> = admin.get("/api/v1/status", &()).map_err(Into::into);
    let status = status.step("radhook", "systemctl start radhook")?;
    args.tell("radhook", Ok(&format!("radhook {} runs", status.version)));

    if way != Way::Rest {
        let help = format!(
            "is it restarted since its config was changed, and does [[client]] {} have the secret of FreeRADIUS?",
            target.home.ip()
        );
        probe::status(target.home, &target.secret).step("secret", help)?;
        args.tell("secret", Ok(&format!("radhook answers on {} to the secret that FreeRADIUS has", target.home)));
    }

    let server = Server::read(directory, &args.site).step("server", "name the right site by --site")?;
    let secret = match &args.secret_file {
        Some(file) => secret_from(file),
        None => local_secret(directory),
    };
    let secret = secret.step("server", "name a file with the secret by --secret-file")?;
    let user = format!("{USER}{}", &String::from_utf8_lossy(invent().expose())[..RANDOM]);
    let sight = Sight { admin: &admin, config, user: &user, since: Timestamp::now() - CLOCKS, wait: args.wait };

    let restart = "restart FreeRADIUS: it reads its configuration only then; then look into its log";
    probe::session(server.acct, &secret, &user)
        .with_context(|| format!("FreeRADIUS does not answer accounting on {}", server.acct))
        .step("accounting", restart)?;
    args.tell("accounting", Ok(&format!("FreeRADIUS answered a session of {user} on {}", server.acct)));
    for kind in [EventType::SessionStart, EventType::SessionStop] {
        let seen = sight.of(kind).step("session event", restart)?;
        args.tell("session event", Ok(&seen));
    }
    if !way.has_logins() {
        return Ok(());
    }
    let help = "is FreeRADIUS running, and is this the secret of its client 127.0.0.1?";
    let code = probe::login(server.auth, &secret, &user)
        .with_context(|| format!("FreeRADIUS does not answer logins on {}", server.auth))
        .step("login", help)?;
    let (kind, answer) = match code {
        Code::ACCESS_ACCEPT => (EventType::AuthAccept, "accepted"),
        Code::ACCESS_CHALLENGE => (EventType::AuthChallenge, "challenged"),
        _ => (EventType::AuthReject, "rejected"),
    };
    args.tell("login", Ok(&format!("FreeRADIUS {answer} a login of {user} on {}", server.auth)));
    let seen = sight.of(kind).step("login event", restart)?;
    args.tell("login event", Ok(&seen));
    Ok(())
}

/// The way that is installed as it would be installed now.
fn installed(args: &Args, peers: &Peers, directory: &Path) -> anyhow::Result<(Way, Target)> {
    let sites = std::slice::from_ref(&args.site);
    let mut spooled = None;
    for way in Way::ALL {
        let Ok(meant) = args.target.find(peers, way) else { continue };
        let changes = plan::install(directory, &dropins::own_files(way, &meant.target), way, sites);
        match &changes {
            Ok(changes) if changes.is_empty() => return Ok((way, meant.target)),
            _ => spooled = spooled.or(Some(changes)),
        }
    }
    match spooled {
        Some(Ok(changes)) => {
            let files: Vec<String> = changes.iter().map(|change| change.path.display().to_string()).collect();
            bail!("not as radhook's config would have it: {}", files.join(", "))
        }
        Some(Err(error)) => Err(error),
        None => args.target.find(peers, Way::Spool).map(|meant| (Way::Spool, meant.target)),
    }
}

fn judged(directory: &Path) -> anyhow::Result<()> {
    let program = place::program().ok_or_else(|| anyhow!("there is neither freeradius nor radiusd on this host"))?;
    place::judge(&program, directory)?.map_err(|complaint| anyhow!(complaint))
}

fn name(way: Way) -> &'static str {
    match way {
        Way::Spool => "a spool",
        Way::Proxy => "proxied accounting",
        Way::Rest => "rlm_rest",
    }
}

/// Looks for events of the test's user.
struct Sight<'a> {
    admin: &'a AdminClient,
    config: &'a Config,
    user: &'a str,
    since: Timestamp,
    wait: Duration,
}

impl Sight<'_> {
    /// Waits for one of this type, and tells which endpoint got it.
    fn of(&self, kind: EventType) -> anyhow::Result<String> {
        if !self.config.endpoints.iter().any(|endpoint| endpoint.interest.subscription.wants(kind)) {
            bail!("no endpoint wants {}, so it cannot be seen: add it to the `events` of one", kind.name());
        }
        let deadline = Instant::now() + self.wait;
        loop {
            if let Some((endpoint, id)) = self.look(kind)? {
                return Ok(format!("{} {id} is there for endpoint {endpoint}", kind.name()));
            }
            if Instant::now() >= deadline {
                bail!("no {} of {} came within {:?}", kind.name(), self.user, self.wait);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn look(&self, kind: EventType) -> Result<Option<(String, String)>, AdminError> {
        let meant = Meant { kind: Some(kind), since: Some(self.since), ..Meant::default() };
        let mut selection = Selection { meant, ..Selection::default() };
        loop {
            let page: Page = self.admin.get("/api/v1/deliveries/show", &selection)?;
            let ours = |event: &str| event.contains(self.user);
            let mut deliveries = page.deliveries.into_iter();
            let found = deliveries.find(|delivery| delivery.event.as_ref().is_some_and(|event| ours(event.get())));
            match (found, page.next) {
                (Some(delivery), _) => return Ok(Some((delivery.endpoint, delivery.id.to_string()))),
                (None, None) => return Ok(None),
                (None, next) => selection.after = next,
            }
        }
    }
}

impl Args {
    fn tell(&self, step: &str, outcome: Result<&str, &Failed>) {
        match (self.json, outcome) {
            (true, Ok(what)) => println!("{}", json!({ "step": step, "ok": true, "what": what })),
            (true, Err(failed)) => {
                let what = format!("{:#}", failed.error);
                println!("{}", json!({ "step": step, "ok": false, "what": what, "help": failed.help }));
            }
            (false, Ok(what)) => println!("ok      {what}"),
            (false, Err(failed)) => {
                println!("FAILED  {:#}", failed.error);
                if !failed.help.is_empty() {
                    println!("        {}", failed.help);
                }
            }
        }
    }
}
